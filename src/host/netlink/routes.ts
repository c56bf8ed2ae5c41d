// The host's addresses and routes, asked for when they are wanted, and word of when they may have changed.
import { closeFd, E, lastError, libc, type Watch, watchReadable } from '../ffi.ts';
import { decodeLinkEvents, encodeLinkDump, type Link } from './link-message.ts';
import { netlinkSocket } from './links.ts';
import {
  decodeRouteEvents,
  encodeAddressDump,
  encodeNeighborDump,
  encodeRouteDump,
  encodeRouteRequest,
  type Route,
} from './route-message.ts';

/** RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. */
const GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
const SOCK_NONBLOCK = 0x800;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

/** An address of a device, with the length of its network's prefix; scope 253 is the link, 254 this host. */
export interface HostAddress {
  address: Uint8Array;
  length: number;
  ifindex: number;
  scope: number;
}

/** Whom a device has found on its network, by ARP or neighbour discovery. */
export interface HostNeighbor {
  /** 4 or 16 bytes. */
  address: Uint8Array;
  mac: readonly [number, number];
  ifindex: number;
}

export class HostRoutes {
  readonly #requests: number;
  readonly #events: number;
  readonly #watch: Watch;
  readonly #buffer = new Uint8Array(1 << 16);
  readonly #onChange: () => void;
  #sequence = 1;

  /** `onChange` is called when a device, an address or a route changed. Throws KernelError. */
  constructor(onChange: () => void) {
    this.#requests = netlinkSocket(0, 0);
    try {
      this.#events = netlinkSocket(GROUPS, SOCK_NONBLOCK);
    } catch (error) {
      closeFd(this.#requests);
      throw error;
    }
    // An answer that never comes must not hang the daemon: two seconds.
    const timeout = new Uint8Array(16);
    new DataView(timeout.buffer).setBigInt64(0, 2n, true);
    libc().setsockopt(this.#requests, SOL_SOCKET, SO_RCVTIMEO, timeout, 16);
    this.#onChange = onChange;
    this.#watch = watchReadable(this.#events, () => this.poll());
  }

  /** Hears what the kernel has said so far: it does so before the call that changed something returns. */
  poll(): void {
    let hasHeard = false;
    // What was said does not matter, nor whether all of it was heard.
    while (Number(libc().recv(this.#events, this.#buffer, this.#buffer.length, MSG_DONTWAIT)) >= 0 || libc().errno() === E.NOBUFS)
      hasHeard = true;
    if (hasHeard) this.#onChange();
  }

  /** All addresses of this host, 4 or 16 bytes each. */
  addresses(): HostAddress[] {
    return this.#dump(encodeAddressDump(this.#sequence++), decodeRouteEvents, (event) => (event.kind === 'address' ? event : undefined));
  }

  /** All routes of all tables. */
  routes(): Route[] {
    return this.#dump(encodeRouteDump(this.#sequence++), decodeRouteEvents, (event) => (event.kind === 'route' ? event.route : undefined));
  }

  /** All neighbours that were found. */
  neighbors(): HostNeighbor[] {
    return this.#dump(encodeNeighborDump(this.#sequence++), decodeRouteEvents, (event) => (event.kind === 'neighbor' ? event : undefined));
  }

  /** All devices. */
  links(): Link[] {
    return this.#dump(encodeLinkDump(this.#sequence++), decodeLinkEvents, (event) => (event.kind === 'link' ? event.link : undefined));
  }

  /** What the kernel answers to a request for all of a kind, to its end. */
  #dump<E extends { kind: string }, T>(request: Uint8Array, decode: (bytes: Uint8Array) => E[], pick: (event: E) => T | undefined): T[] {
    this.#send(request);
    const found: T[] = [];
    for (;;) {
      for (const event of decode(this.#receive())) {
        if (event.kind === 'done' || event.kind === 'ack') return found;
        const one = pick(event);
        if (one !== undefined) found.push(one);
      }
    }
  }

  /** The way to an address, with that source address (or whichever) and mark; undefined when there is none. */
  route(to: Uint8Array, from: Uint8Array | undefined, mark: number): Route | undefined {
    const sequence = this.#sequence++;
    this.#send(encodeRouteRequest(sequence, to, from, mark));
    for (;;) {
      for (const event of decodeRouteEvents(this.#receive())) {
        if (event.kind === 'route' && event.sequence === sequence) return event.route;
        if (event.kind === 'ack' && event.sequence === sequence) return undefined;
      }
    }
  }

  close(): void {
    this.#watch.close();
    closeFd(this.#requests);
    closeFd(this.#events);
  }

  #send(bytes: Uint8Array): void {
    if (Number(libc().send(this.#requests, bytes, bytes.length, 0)) < 0) throw lastError('send', 'netlink');
  }

  #receive(): Uint8Array {
    const size = Number(libc().recv(this.#requests, this.#buffer, this.#buffer.length, 0));
    if (size < 0) throw lastError('recv', 'netlink');
    return this.#buffer.subarray(0, size);
  }
}
