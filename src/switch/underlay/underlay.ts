// What tunnels of datapaths without a network stack of their own go by: routes, neighbours, and the ports that outer headers come from.
import { Neighbors } from './neighbors.ts';
import { type DeviceAddress, RouteTable } from './routes.ts';

export class Underlay {
  readonly routes = new RouteTable();
  readonly neighbors: Neighbors;
  /** Outer UDP source ports. */
  sourcePorts = { low: 32768, high: 61000 };
  /** Addresses of the simulated devices. */
  readonly addressesOf: (device: string) => readonly DeviceAddress[];

  constructor(now: () => number, addressesOf: (device: string) => readonly DeviceAddress[]) {
    this.neighbors = new Neighbors(now);
    this.addressesOf = addressesOf;
  }
}
