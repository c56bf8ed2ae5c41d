// What tunnels that look for their own way know of the host: its routes, and the addresses of its devices and of simulated ones. Both are
// read when somebody looks and something may have changed.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { IFF } from '../../host/netlink/link-message.ts';
import { type Route as KernelRoute, RTN } from '../../host/netlink/route-message.ts';
import { HostRoutes } from '../../host/netlink/routes.ts';
import { fromBytes } from '../../switch/underlay/address.ts';
import type { FoundNeighbor } from '../../switch/underlay/neighbors.ts';
import { type DeviceAddress, ROUTE_KIND, type Route, type RouteSource, sourceOf } from '../../switch/underlay/routes.ts';
import type { UnderlayDevices } from '../../switch/underlay/underlay.ts';
import type { Mac } from '../reconcile/wanted.ts';
import type { DeviceTable } from './devices.ts';

const log = logger('route_table');
/** Where IPv4 addresses begin among IPv6 ones. */
const IPV4_BITS = 96;

export class HostNetwork implements RouteSource, UnderlayDevices {
  readonly #kernel: HostRoutes;
  readonly #devices: DeviceTable;
  #hasNewRoutes = true;
  /** By the kernel's index of the device; undefined when they are to be read again. */
  #addresses: ReadonlyMap<number, readonly DeviceAddress[]> | undefined;

  /** `onChange` is called when routes may have changed. Throws KernelError. */
  constructor(devices: DeviceTable, onChange: () => void) {
    this.#devices = devices;
    this.#kernel = new HostRoutes(() => {
      this.#hasNewRoutes = true;
      this.#addresses = undefined;
      onChange();
    });
  }

  changed(): readonly Route[] | undefined {
    this.#kernel.poll();
    if (!this.#hasNewRoutes) return undefined;
    this.#hasNewRoutes = false;
    const routes = this.#read('routes', () => this.#kernel.routes());
    return routes?.flatMap((route) => this.#route(route) ?? []);
  }

  addressesOf(name: string): readonly DeviceAddress[] {
    if (this.#devices.isDummy(name)) return this.#devices.dummyAddresses(name);
    this.#kernel.poll();
    this.#addresses ??= this.#readAddresses();
    const index = this.#devices.link(name)?.index;
    return index === undefined ? [] : (this.#addresses.get(index) ?? []);
  }

  macOf(name: string): Mac | undefined {
    const link = this.#devices.link(name);
    return this.#devices.dummyMac(name) ?? (link === undefined || (link.flags & IFF.LOOPBACK) !== 0 ? undefined : link.mac);
  }

  neighbors(): FoundNeighbor[] {
    const found = this.#read('neighbours', () => this.#kernel.neighbors()) ?? [];
    return found.flatMap(({ address, mac, ifindex }) => {
      const bridge = this.#devices.linkAt(ifindex)?.name;
      return bridge === undefined ? [] : [{ bridge, address: fromBytes(address), mac }];
    });
  }

  close(): void {
    this.#kernel.close();
  }

  #read<Item>(what: string, read: () => Item[]): Item[] | undefined {
    try {
      this.#devices.poll();
      return read();
    } catch (error) {
      log.warn(`the host's ${what} are not to be had: ${errorText(error)}`);
      return undefined;
    }
  }

  #readAddresses(): Map<number, DeviceAddress[]> {
    const found = new Map<number, DeviceAddress[]>();
    for (const { address, length, ifindex } of this.#read('addresses', () => this.#kernel.addresses()) ?? []) {
      const own = { address: fromBytes(address), length: address.length === 4 ? length + IPV4_BITS : length };
      const others = found.get(ifindex);
      if (others === undefined) found.set(ifindex, [own]);
      else others.push(own);
    }
    return found;
  }

  /** Undefined where a tunnel could not leave by it: several devices or none, or none of its addresses on the network. */
  #route({ type, ifindex, destination, isIpv6, length, gateway, mark }: KernelRoute): Route | undefined {
    const device = this.#devices.linkAt(ifindex)?.name;
    if (device === undefined || (type !== RTN.UNICAST && type !== RTN.LOCAL)) return undefined;
    const address = fromBytes(destination ?? new Uint8Array(isIpv6 ? 16 : 4));
    const next = gateway === undefined ? 0n : fromBytes(gateway);
    const source = sourceOf(this.addressesOf(device), next === 0n ? address : next);
    if (source === undefined) return undefined;
    const kind = type === RTN.LOCAL ? ROUTE_KIND.local : ROUTE_KIND.host;
    return { kind, address, length: isIpv6 ? length : length + IPV4_BITS, mark, device, gateway: next, source };
  }
}
