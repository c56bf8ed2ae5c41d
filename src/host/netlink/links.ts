// The network devices of this namespace, kept current by rtnetlink's events, and changes to them.
//
// Two sockets: one hears events, the other asks and changes, so that an answer never has to be picked from between events. When the
// kernel had more to say than the socket's buffer holds (ENOBUFS), everything is read again and the differences are told.
import { KernelError } from '../../base/errors.ts';
import { check, closeFd, E, lastError, libc, setSocketInt, type Watch, watchReadable } from '../ffi.ts';
import {
  decodeLinkEvents,
  encodeLinkChange,
  encodeLinkDelete,
  encodeLinkDump,
  encodeLinkGet,
  IFF,
  type Link,
  type LinkCounters,
  type LinkEvent,
} from './link-message.ts';
import { decodeRouteEvents, encodeRouteRequest } from './route-message.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const SOCK_NONBLOCK = 0x800;
const RTMGRP_LINK = 1;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;

/** A netlink socket of rtnetlink that hears those groups. */
export function netlinkSocket(groups: number, extraFlags: number): number {
  const fd = check('socket', libc().socket(AF_NETLINK, SOCK_RAW_CLOEXEC | extraFlags, 0), 'netlink');
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, groups, true);
  if (libc().bind(fd, address, 12) < 0) {
    const error = lastError('bind', 'netlink');
    closeFd(fd);
    throw error;
  }
  return fd;
}

/** The devices by name. Open one a process; close it at the end. */
export class LinkTable {
  readonly #events: number;
  readonly #requests: number;
  readonly #watch: Watch;
  readonly #buffer = new Uint8Array(1 << 17);
  readonly #byIndex = new Map<number, Link>();
  readonly #byName = new Map<string, Link>();
  readonly #listeners = new Set<(names: ReadonlySet<string>) => void>();
  #sequence = 1;
  #isClosed = false;

  constructor() {
    this.#events = netlinkSocket(RTMGRP_LINK, SOCK_NONBLOCK);
    this.#requests = netlinkSocket(0, 0);
    setSocketInt(this.#events, SOL_SOCKET, SO_RCVBUF, 1 << 20);
    // An answer that never comes must not hang the daemon: five seconds.
    const timeout = new Uint8Array(16);
    new DataView(timeout.buffer).setBigInt64(0, 5n, true);
    libc().setsockopt(this.#requests, SOL_SOCKET, SO_RCVTIMEO, timeout, 16);
    this.refresh();
    this.#watch = watchReadable(this.#events, () => this.#hear());
  }

  get(name: string): Link | undefined {
    return this.#byName.get(name);
  }

  at(index: number): Link | undefined {
    return this.#byIndex.get(index);
  }

  all(): Iterable<Link> {
    return this.#byIndex.values();
  }

  /** Tells the names of devices that came, went or changed; counters alone are no change. */
  onChange(fn: (names: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  /** Reads everything again, counters too. */
  refresh(): void {
    const sequence = this.#send((n) => encodeLinkDump(n));
    const seen = new Set<number>();
    const changed = new Set<string>();
    for (let isDone = false; !isDone; ) {
      for (const event of decodeLinkEvents(this.#receive(this.#requests))) {
        if (event.kind === 'done') isDone = true;
        else if (event.kind === 'ack' && event.sequence === sequence && event.errno !== 0) throw this.#failure('getlink', event.errno, '');
        else if (event.kind === 'link') {
          seen.add(event.link.index);
          this.#take(event, changed);
        }
      }
    }
    for (const link of [...this.#byIndex.values()]) {
      if (!seen.has(link.index)) this.#take({ kind: 'gone', index: link.index, name: link.name }, changed);
    }
    this.#tell(changed);
  }

  /** What the kernel has counted of a device by now; undefined when there is no such device. */
  counters(name: string): LinkCounters | undefined {
    const link = this.#byName.get(name);
    if (link === undefined) return undefined;
    const sequence = this.#send((n) => encodeLinkGet(n, link.index));
    let found: LinkCounters | undefined;
    for (;;) {
      for (const event of decodeLinkEvents(this.#receive(this.#requests))) {
        if (event.kind === 'link' && event.link.index === link.index) found = event.link.counters;
        else if (event.kind === 'ack' && event.sequence === sequence) return event.errno === 0 ? found : undefined;
      }
    }
  }

  /** Takes in the events that have arrived: the kernel queues them before the call that caused them returns. */
  poll(): void {
    this.#hear();
  }

  setMac(name: string, mac: readonly [number, number]): void {
    this.#change(name, { mac });
  }

  setMtu(name: string, mtu: number): void {
    this.#change(name, { mtu });
  }

  setUp(name: string, isUp: boolean): void {
    this.#change(name, { flags: isUp ? IFF.UP : 0, flagMask: IFF.UP });
  }

  setAlias(name: string, alias: string): void {
    this.#change(name, { alias });
  }

  /** The device by which an address (4 or 16 bytes) is reached, undefined when it is not. */
  routeDevice(address: Uint8Array): Link | undefined {
    const sequence = this.#send((n) => encodeRouteRequest(n, address, undefined, 0));
    for (;;) {
      for (const event of decodeRouteEvents(this.#receive(this.#requests))) {
        if (event.kind === 'route' && event.sequence === sequence) return this.#byIndex.get(event.route.ifindex);
        if (event.kind === 'ack' && event.sequence === sequence) return undefined;
      }
    }
  }

  delete(name: string): void {
    this.#request(name, (sequence, index) => encodeLinkDelete(sequence, index));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.close();
    closeFd(this.#events);
    closeFd(this.#requests);
  }

  #change(name: string, change: Parameters<typeof encodeLinkChange>[2]): void {
    this.#request(name, (sequence, index) => encodeLinkChange(sequence, index, change));
    this.poll();
  }

  #request(name: string, encode: (sequence: number, index: number) => Uint8Array): void {
    const link = this.#byName.get(name);
    if (link === undefined) throw this.#failure('setlink', E.NODEV, name);
    const sequence = this.#send((n) => encode(n, link.index));
    for (;;) {
      for (const event of decodeLinkEvents(this.#receive(this.#requests))) {
        if (event.kind !== 'ack' || event.sequence !== sequence) continue;
        if (event.errno !== 0) throw this.#failure('setlink', event.errno, name);
        return;
      }
    }
  }

  #failure(call: string, errno: number, detail: string): KernelError {
    return new KernelError(call, errno, libc().strerror(errno), detail);
  }

  #send(encode: (sequence: number) => Uint8Array): number {
    const sequence = this.#sequence++;
    const bytes = encode(sequence);
    check('send', Number(libc().send(this.#requests, bytes, bytes.length, 0)), 'netlink');
    return sequence;
  }

  #receive(fd: number): Uint8Array {
    const size = Number(libc().recv(fd, this.#buffer, this.#buffer.length, 0));
    if (size < 0) throw lastError('recv', 'netlink');
    return this.#buffer.subarray(0, size);
  }

  #hear(): void {
    if (this.#isClosed) return;
    const changed = new Set<string>();
    for (;;) {
      const size = Number(libc().recv(this.#events, this.#buffer, this.#buffer.length, MSG_DONTWAIT));
      if (size < 0) {
        if (libc().errno() === E.NOBUFS) this.refresh();
        break;
      }
      for (const event of decodeLinkEvents(this.#buffer.subarray(0, size))) this.#take(event, changed);
    }
    this.#tell(changed);
  }

  #take(event: LinkEvent, changed: Set<string>): void {
    if (event.kind === 'link') {
      const { link } = event;
      const before = this.#byIndex.get(link.index);
      if (before !== undefined && before.name !== link.name) {
        if (this.#byName.get(before.name) === before) this.#byName.delete(before.name);
        changed.add(before.name);
      }
      const same =
        before !== undefined &&
        before.name === link.name &&
        before.mtu === link.mtu &&
        before.flags === link.flags &&
        before.carrierChanges === link.carrierChanges &&
        before.mac[0] === link.mac[0] &&
        before.mac[1] === link.mac[1] &&
        this.#byName.get(link.name) === before;
      link.counters ??= before?.counters;
      this.#byIndex.set(link.index, link);
      this.#byName.set(link.name, link);
      if (!same) changed.add(link.name);
    } else if (event.kind === 'gone') {
      const before = this.#byIndex.get(event.index);
      this.#byIndex.delete(event.index);
      const name = before?.name ?? event.name;
      if (this.#byName.get(name)?.index === event.index) this.#byName.delete(name);
      changed.add(name);
    }
  }

  #tell(changed: ReadonlySet<string>): void {
    if (changed.size === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }
}
