// Routes of the switch's own, by which tunnels find the bridge that they leave through: set by `ovs/route/add`.
import { formatAddress, isIpv4, prefixMask } from './address.ts';

export interface Route {
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

export class RouteTable {
  /** Longest prefix first, then in the order of their coming. */
  #routes: Route[] = [];
  /** Who is told of changes. */
  onChange: (() => void) | undefined;

  /** The address that a device would send from to a destination; undefined when it has none on that network. */
  static sourceOf(addresses: readonly DeviceAddress[], to: bigint): bigint | undefined {
    return addresses.find(({ address, length }) => isIpv4(address) === isIpv4(to) && ((address ^ to) & prefixMask(length)) === 0n)?.address;
  }

  add(route: Route): void {
    const address = route.address & prefixMask(route.length);
    this.#remove(address, route.length, route.mark);
    const at = this.#routes.findIndex(({ length }) => length < route.length);
    this.#routes.splice(at < 0 ? this.#routes.length : at, 0, { ...route, address });
    this.onChange?.();
  }

  #remove(address: bigint, length: number, mark: number): boolean {
    const at = this.#routes.findIndex((route) => route.address === address && route.length === length && route.mark === mark);
    if (at >= 0) this.#routes.splice(at, 1);
    return at >= 0;
  }

  /** False when there is no such route. */
  delete(address: bigint, length: number, mark: number): boolean {
    const isGone = this.#remove(address & prefixMask(length), length, mark);
    if (isGone) this.onChange?.();
    return isGone;
  }

  lookup(address: bigint, mark: number): Route | undefined {
    return this.#routes.find((route) => route.mark === mark && ((route.address ^ address) & prefixMask(route.length)) === 0n);
  }

  /** Whether a route leads out of that device. */
  uses(device: string): boolean {
    return this.#routes.some((route) => route.device === device);
  }

  /** The devices that routes lead out of. */
  devices(): Set<string> {
    return new Set(this.#routes.map(({ device }) => device));
  }

  get size(): number {
    return this.#routes.length;
  }

  /** The text of `ovs/route/show`. */
  show(): string {
    const lines = this.#routes.map((route) => {
      const length = isIpv4(route.address) ? route.length - 96 : route.length;
      const mark = route.mark === 0 ? '' : ` MARK ${route.mark}`;
      const gateway = route.gateway === 0n ? '' : ` GW ${formatAddress(route.gateway)}`;
      return `User: ${formatAddress(route.address)}/${length}${mark} dev ${route.device}${gateway} SRC ${formatAddress(route.source)}`;
    });
    return ['Route Table:', ...lines].join('\n');
  }
}
