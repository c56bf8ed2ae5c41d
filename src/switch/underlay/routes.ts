// Routes by which tunnels find the device that they leave through: the host's own, and those set by `ovs/route/add`.
//
// A user's route goes before the host's that are up to 32 bits longer, and one to the host's own addresses before those of 64 bits: the
// running reference ranks them so. Routes of one length are a table of their own; tables stand in the order of the best that each holds.
import { formatAddress, isIpv4, prefixMask } from './address.ts';

/** By rank: what the host says of networks, what a user says, what the host says of its own addresses. */
export const ROUTE_KIND = { host: 0, user: 1, local: 2 } as const;
export type RouteKind = (typeof ROUTE_KIND)[keyof typeof ROUTE_KIND];

const { host, user, local } = ROUTE_KIND;
const RANK = 32;

export interface Route {
  kind: RouteKind;
  /** Masked; `length` counts 128 bits. */
  address: bigint;
  length: number;
  mark: number;
  device: string;
  /** 0 = on the link. */
  gateway: bigint;
  source: bigint;
}

/** An address of a device. */
export interface DeviceAddress {
  address: bigint;
  length: number;
}

/** Who knows the host's routes. */
export interface RouteSource {
  /** All of them, if any may have changed since the last call. */
  changed(): readonly Route[] | undefined;
}

/** The address that a device would send from to a destination: that of the longest prefix; undefined when it has none on that network. */
export function sourceOf(addresses: readonly DeviceAddress[], to: bigint): bigint | undefined {
  let best: DeviceAddress | undefined;
  for (const one of addresses) {
    if (isIpv4(one.address) !== isIpv4(to) || ((one.address ^ to) & prefixMask(one.length)) !== 0n) continue;
    if (best === undefined || one.length > best.length) best = one;
  }
  return best?.address;
}

/** The routes of one length, in the order of their coming. */
class LengthTable {
  readonly length: number;
  readonly routes = new Map<bigint, Route>();
  readonly #mask: bigint;
  /** How many there are of each kind. */
  readonly #counts: [number, number, number] = [0, 0, 0];

  constructor(length: number) {
    this.length = length;
    this.#mask = prefixMask(length);
  }

  /** Of the best that is there. */
  get priority(): number {
    return this.length + RANK * this.#counts.findLastIndex((count) => count > 0);
  }

  #key(address: bigint, mark: number, kind: RouteKind): bigint {
    return (((BigInt(mark) << 128n) | (address & this.#mask)) << 2n) | BigInt(kind);
  }

  get(address: bigint, mark: number, kind: RouteKind): Route | undefined {
    return this.#counts[kind] === 0 ? undefined : this.routes.get(this.#key(address, mark, kind));
  }

  /** In the place of one of the same destination, mark and kind. */
  set(route: Route): void {
    if (this.get(route.address, route.mark, route.kind) === undefined) this.#counts[route.kind]++;
    this.routes.set(this.#key(route.address, route.mark, route.kind), route);
  }

  delete({ address, mark, kind }: Route): void {
    if (this.routes.delete(this.#key(address, mark, kind))) this.#counts[kind]--;
  }
}

export class RouteTable {
  readonly #byLength = new Map<number, LengthTable>();
  /** By priority; undefined when that has to be found out anew. */
  #ordered: readonly LengthTable[] | undefined;
  /** How many routes lead out of each device. */
  readonly #devices = new Map<string, number>();
  /** Without one there are a user's routes only. */
  source: RouteSource | undefined;
  /** Who is told of changes. */
  onChange: (() => void) | undefined;

  /** A user's route, in the place of an earlier one to the same. */
  add(route: Omit<Route, 'kind'>): void {
    this.#follow();
    this.#set({ ...route, kind: user });
    this.onChange?.();
  }

  /** A user's route goes; false when there is no such route. */
  delete(address: bigint, length: number, mark: number): boolean {
    this.#follow();
    const route = this.#byLength.get(length)?.get(address, mark, user);
    if (route === undefined) return false;
    this.#remove(route);
    this.onChange?.();
    return true;
  }

  lookup(address: bigint, mark: number): Route | undefined {
    this.#follow();
    let best: Route | undefined;
    let priority = -1;
    for (const table of this.#tables()) {
      if (table.priority <= priority) break;
      const found = table.get(address, mark, local) ?? table.get(address, mark, user) ?? table.get(address, mark, host);
      if (found === undefined || table.length + RANK * found.kind <= priority) continue;
      best = found;
      priority = table.length + RANK * found.kind;
    }
    return best;
  }

  /** Whether a route leads out of that device. */
  uses(device: string): boolean {
    this.#follow();
    return this.#devices.has(device);
  }

  /** The devices that routes lead out of. */
  devices(): Iterable<string> {
    this.#follow();
    return this.#devices.keys();
  }

  /** The text of `ovs/route/show`. */
  show(): string {
    this.#follow();
    const lines: string[] = [];
    for (const { routes } of this.#tables()) {
      for (const route of routes.values()) {
        const length = isIpv4(route.address) ? route.length - 96 : route.length;
        const mark = route.mark === 0 ? '' : ` MARK ${route.mark}`;
        const gateway = route.gateway === 0n ? '' : ` GW ${formatAddress(route.gateway)}`;
        const way = `${formatAddress(route.address)}/${length}${mark} dev ${route.device}${gateway} SRC ${formatAddress(route.source)}`;
        lines.push(`${route.kind === user ? 'User' : 'Cached'}: ${way}${route.kind === local ? ' local' : ''}`);
      }
    }
    return ['Route Table:', ...lines].join('\n');
  }

  #tables(): readonly LengthTable[] {
    this.#ordered ??= [...this.#byLength.values()].sort((a, b) => b.priority - a.priority);
    return this.#ordered;
  }

  /** Takes the host's routes in as they are now. */
  #follow(): void {
    const routes = this.source?.changed();
    if (routes === undefined) return;
    for (const table of [...this.#byLength.values()]) {
      for (const route of [...table.routes.values()]) if (route.kind !== user) this.#remove(route);
    }
    for (const route of routes) this.#set(route);
  }

  #set(given: Route): void {
    const route = { ...given, address: given.address & prefixMask(given.length) };
    let table = this.#byLength.get(route.length);
    if (table === undefined) {
      table = new LengthTable(route.length);
      this.#byLength.set(route.length, table);
    }
    const before = table.get(route.address, route.mark, route.kind);
    if (before !== undefined) this.#count(before.device, -1);
    table.set(route);
    this.#count(route.device, 1);
    this.#ordered = undefined;
  }

  #remove(route: Route): void {
    const table = this.#byLength.get(route.length);
    if (table === undefined) return;
    table.delete(route);
    if (table.routes.size === 0) this.#byLength.delete(route.length);
    this.#count(route.device, -1);
    this.#ordered = undefined;
  }

  #count(device: string, change: 1 | -1): void {
    const count = (this.#devices.get(device) ?? 0) + change;
    if (count === 0) this.#devices.delete(device);
    else this.#devices.set(device, count);
  }
}
