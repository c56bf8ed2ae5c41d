// What is known of the device behind each port, whatever carries it.
//
// - `system` and `internal` ports are devices of the kernel: rtnetlink and ethtool know them.
// - `patch` and `tunnel` ports have no device: an address of their own, always up, no MTU.
// - `dummy` ports exist only here: an address by order of birth and a state that `netdev-dummy/set-admin-state` sets.
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { driverInfo, linkMode } from '../../host/ethtool.ts';
import type { LinkCounters } from '../../host/netlink/link-message.ts';
import { IFF, type Link } from '../../host/netlink/link-message.ts';
import type { LinkTable } from '../../host/netlink/links.ts';
import type { PortKind, PortLink } from '../../switch/contract.ts';
import { isIpv4 } from '../../switch/underlay/address.ts';
import type { DeviceAddress } from '../../switch/underlay/routes.ts';
import { randomMac } from '../reconcile/address.ts';
import type { Mac } from '../reconcile/wanted.ts';
import { arpReply } from './dummy-arp.ts';

/** A device as the Interface row and the OpenFlow port show it. */
export interface DeviceState extends PortLink {
  ifindex: number;
  /** Undefined where the device has none; PortLink's `mtu` is 0 then. */
  linkResets: number;
  duplex: 'half' | 'full' | undefined;
  /** Interface:status. */
  status: ReadonlyMap<string, string>;
}

interface DummyDevice {
  mac: Mac;
  mtu: number;
  isUp: boolean;
  linkResets: number;
  ipv4: DeviceAddress | undefined;
  ipv6: DeviceAddress | undefined;
}

const log = logger('netdev');

const NO_STATUS: ReadonlyMap<string, string> = new Map();

export class DeviceTable {
  readonly #links: LinkTable | undefined;
  readonly #virtual = new Map<string, Mac>();
  readonly #dummies = new Map<string, DummyDevice>();
  readonly #listeners = new Set<(names: ReadonlySet<string>) => void>();
  /** carrierChanges of a kernel device when it was first seen; link_resets counts from there. */
  readonly #carrierBase = new Map<string, { index: number; changes: number }>();
  readonly #ethtool = new WeakMap<Link, { mode: ReturnType<typeof linkMode>; driver: ReturnType<typeof driverInfo> }>();
  // The first dummy address belongs to the datapath's own port.
  #dummyCount = 1;

  /** Without `links` there are no kernel devices, as in tests. */
  constructor(links: LinkTable | undefined) {
    this.#links = links;
    links?.onChange((names) => this.#tell(names));
  }

  onChange(fn: (names: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  /** Whether the kernel has a device of that name. */
  exists(name: string): boolean {
    return this.#links?.get(name) !== undefined;
  }

  /** The kernel's index of a device, which is another when it was made anew. */
  index(name: string): number | undefined {
    return this.#links?.get(name)?.index;
  }

  /** What the kernel says of a device. */
  link(name: string): Link | undefined {
    return this.#links?.get(name);
  }

  linkAt(index: number): Link | undefined {
    return this.#links?.at(index);
  }

  state(name: string, kind: PortKind): DeviceState | undefined {
    switch (kind.kind) {
      case 'system':
      case 'internal':
        return this.#kernelState(name);
      case 'dummy': {
        const device = this.#dummy(name);
        const ifindex = kind.options?.get('ifindex') ?? '';
        return {
          ...virtualState(device.mac),
          ifindex: /^\d{1,9}$/.test(ifindex) ? Number(ifindex) : 0,
          isUp: device.isUp,
          hasCarrier: device.isUp,
          mtu: device.mtu,
          linkResets: device.linkResets,
        };
      }
      default: {
        let mac = this.#virtual.get(name);
        if (mac === undefined) {
          mac = randomMac();
          this.#virtual.set(name, mac);
        }
        return virtualState(mac);
      }
    }
  }

  /** Kernel counters in the words of Interface:statistics; undefined when the kernel has no such device. */
  kernelStatistics(name: string, kind: PortKind): ReadonlyMap<string, bigint> | undefined {
    const c = this.#links?.get(name)?.counters;
    if (c === undefined) return undefined;
    // What the host sends through an internal device is what the switch receives.
    const turn = kind.kind === 'internal';
    return new Map([
      ['collisions', c.collisions],
      ['rx_bytes', turn ? c.txBytes : c.rxBytes],
      ['rx_crc_err', turn ? 0n : c.rxCrcErrors],
      ['rx_dropped', turn ? c.txDropped : c.rxDropped],
      ['rx_errors', turn ? c.txErrors : c.rxErrors],
      ['rx_frame_err', turn ? 0n : c.rxFrameErrors],
      ['rx_missed_errors', turn ? 0n : c.rxMissedErrors],
      ['rx_multicast_packets', turn ? 0n : c.multicast],
      ['rx_over_err', turn ? 0n : c.rxOverErrors],
      ['rx_packets', turn ? c.txPackets : c.rxPackets],
      ['tx_bytes', turn ? c.rxBytes : c.txBytes],
      ['tx_dropped', turn ? c.rxDropped : c.txDropped],
      ['tx_errors', turn ? c.rxErrors : c.txErrors],
      ['tx_packets', turn ? c.rxPackets : c.txPackets],
    ]);
  }

  /** What the kernel has counted of a device since that was made; undefined when it has no such device. */
  counters(name: string): LinkCounters | undefined {
    return this.#links?.counters(name);
  }

  /** Says whose an internal device is, so that it is known if it is left over one day. */
  mark(name: string, owner: string): void {
    if (this.#links?.get(name)?.alias !== owner) this.#links?.setAlias(name, owner);
  }

  /** Removes internal devices of that owner that no process holds and that nobody wants any more; gives their names. */
  removeLeftovers(owner: string, wanted: ReadonlySet<string>): string[] {
    const stale = [...(this.#links?.all() ?? [])].filter(
      (link) => link.kind === 'tun' && link.alias === owner && !link.hasCarrier && !wanted.has(link.name),
    );
    for (const { name } of stale) this.#links?.delete(name);
    return stale.map((link) => link.name);
  }

  /** Interface:status of a tunnel to that address. */
  egress(remote: Uint8Array | undefined): ReadonlyMap<string, string> {
    const link = remote === undefined ? undefined : this.#links?.routeDevice(remote);
    if (link === undefined) return NO_STATUS;
    return new Map([
      ['tunnel_egress_iface', link.name],
      ['tunnel_egress_iface_carrier', (link.flags & IFF.LOWER_UP) !== 0 ? 'up' : 'down'],
    ]);
  }

  /** Takes in what the kernel has said of its devices so far. */
  poll(): void {
    this.#links?.poll();
  }

  /** Reads the kernel's counters again. */
  refresh(): void {
    this.#links?.refresh();
  }

  setMac(name: string, kind: PortKind, mac: Mac): void {
    if (kind.kind === 'dummy') this.#dummy(name).mac = mac;
    else if (kind.kind === 'internal' || kind.kind === 'system') this.#links?.setMac(name, mac);
  }

  /** Throws KernelError where the kernel says no. */
  setMtu(name: string, kind: PortKind, mtu: number): void {
    if (kind.kind === 'dummy') this.#dummy(name).mtu = mtu;
    else if (kind.kind === 'internal' || kind.kind === 'system') this.#links?.setMtu(name, mtu);
  }

  /** Turns a device on or off; what the kernel refuses is logged. */
  setUp(name: string, kind: PortKind, isUp: boolean): void {
    if (kind.kind === 'dummy') this.setDummyState(name, isUp);
    else if (kind.kind === 'internal' || kind.kind === 'system') {
      try {
        this.#links?.setUp(name, isUp);
        this.#links?.poll();
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        log.warn(`${name}: cannot turn the device ${isUp ? 'on' : 'off'}: ${error.message}`);
      }
    }
  }

  /** A dummy device comes into being; those that exist already are left alone. */
  dummyBorn(name: string): void {
    this.#dummy(name);
  }

  /** Gives a dummy device its IPv4 address, in the place of the one before, or its IPv6 address; false when there is no such device. */
  setDummyAddress(name: string, address: DeviceAddress): boolean {
    const device = this.#dummies.get(name);
    if (device === undefined) return false;
    if (isIpv4(address.address)) device.ipv4 = address;
    else device.ipv6 = address;
    return true;
  }

  isDummy(name: string): boolean {
    return this.#dummies.has(name);
  }

  dummyMac(name: string): Mac | undefined {
    return this.#dummies.get(name)?.mac;
  }

  /** The addresses of a dummy device. */
  dummyAddresses(name: string): DeviceAddress[] {
    const device = this.#dummies.get(name);
    return [device?.ipv4, device?.ipv6].filter((address) => address !== undefined);
  }

  /** What a dummy device answers to a frame that was sent to it. */
  dummyReply(name: string, frame: Uint8Array): Uint8Array | undefined {
    const device = this.#dummies.get(name);
    return device?.ipv4 === undefined ? undefined : arpReply(frame, device.mac, Number(device.ipv4.address & 0xffffffffn));
  }

  /** Names of the dummy devices that were asked for. */
  dummies(): Iterable<string> {
    return this.#dummies.keys();
  }

  /** For `netdev-dummy/set-admin-state`; false when there is no such device. */
  setDummyState(name: string, isUp: boolean): boolean {
    const device = this.#dummies.get(name);
    if (device === undefined) return false;
    if (device.isUp !== isUp) {
      device.isUp = isUp;
      device.linkResets++;
      this.#tell(new Set([name]));
    }
    return true;
  }

  /** The port is gone for good. */
  forget(name: string): void {
    this.#virtual.delete(name);
    this.#dummies.delete(name);
    this.#carrierBase.delete(name);
  }

  close(): void {
    this.#links?.close();
  }

  #dummy(name: string): DummyDevice {
    let device = this.#dummies.get(name);
    if (device === undefined) {
      device = { mac: [0xaa55aa55, this.#dummyCount++ & 0xffff], mtu: 1500, isUp: true, linkResets: 0, ipv4: undefined, ipv6: undefined };
      this.#dummies.set(name, device);
    }
    return device;
  }

  /** Asked for once for all that the kernel said of a device at a time: it costs two calls, and each turn looks at every port. */
  #ethtoolOf(link: Link): { mode: ReturnType<typeof linkMode>; driver: ReturnType<typeof driverInfo> } {
    let found = this.#ethtool.get(link);
    if (found === undefined) {
      found = { mode: linkMode(link.name), driver: driverInfo(link.name) };
      this.#ethtool.set(link, found);
    }
    return found;
  }

  #kernelState(name: string): DeviceState | undefined {
    const link = this.#links?.get(name);
    if (link === undefined) return undefined;
    let base = this.#carrierBase.get(name);
    if (base === undefined || base.index !== link.index) {
      base = { index: link.index, changes: link.carrierChanges };
      this.#carrierBase.set(name, base);
    }
    const { mode, driver } = this.#ethtoolOf(link);
    return {
      mac: link.mac,
      isUp: (link.flags & IFF.UP) !== 0,
      hasCarrier: (link.flags & IFF.LOWER_UP) !== 0,
      speedKbps: (mode?.speedMbps ?? 0) * 1000,
      current: mode?.current ?? 0,
      advertised: mode?.advertised ?? 0,
      supported: mode?.supported ?? 0,
      peer: mode?.peer ?? 0,
      mtu: link.mtu,
      ifindex: link.index,
      linkResets: Math.max(0, link.carrierChanges - base.changes),
      duplex: mode?.duplex,
      status:
        driver === undefined
          ? NO_STATUS
          : new Map([
              ['driver_name', driver.name],
              ['driver_version', driver.version],
              ['firmware_version', driver.firmware],
            ]),
    };
  }

  #tell(names: ReadonlySet<string>): void {
    for (const listener of this.#listeners) listener(names);
  }
}

function virtualState(mac: Mac): DeviceState {
  return {
    mac,
    isUp: true,
    hasCarrier: true,
    speedKbps: 0,
    current: 0,
    advertised: 0,
    supported: 0,
    peer: 0,
    mtu: 0,
    ifindex: 0,
    linkResets: 0,
    duplex: undefined,
    status: NO_STATUS,
  };
}
