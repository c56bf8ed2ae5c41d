// What tunnels of datapaths without a network stack of their own go by: routes, neighbours, and the ports that outer headers come from.
import type { SwitchPort } from '../ports.ts';
import { Neighbors } from './neighbors.ts';
import { type DeviceAddress, RouteTable } from './routes.ts';

export class Underlay {
  readonly routes = new RouteTable();
  readonly neighbors: Neighbors;
  /** Outer UDP source ports. */
  sourcePorts = { low: 32768, high: 61000 };
  /** Addresses of the simulated devices. */
  readonly addressesOf: (device: string) => readonly DeviceAddress[];

  /** Tunnel ports that listen, by UDP port, 0 for GRE; each with how many tunnels share it. */
  readonly #listening = new Map<number, { port: SwitchPort; users: number }>();

  constructor(now: () => number, addressesOf: (device: string) => readonly DeviceAddress[]) {
    this.neighbors = new Neighbors(now);
    this.addressesOf = addressesOf;
  }

  listen(udpPort: number, port: SwitchPort): void {
    const known = this.#listening.get(udpPort);
    if (known === undefined) this.#listening.set(udpPort, { port, users: 1 });
    else known.users++;
  }

  unlisten(udpPort: number): void {
    const known = this.#listening.get(udpPort);
    if (known !== undefined && --known.users === 0) this.#listening.delete(udpPort);
  }

  /** A tunnel port whose datapath port takes packets to that UDP port, or GRE packets for 0. */
  listening(udpPort: number): SwitchPort | undefined {
    return this.#listening.get(udpPort)?.port;
  }

  get hasListeners(): boolean {
    return this.#listening.size > 0;
  }

  /** All that listens, in the order of its coming. */
  listeners(): { udpPort: number; port: SwitchPort; users: number }[] {
    return [...this.#listening].map(([udpPort, { port, users }]) => ({ udpPort, port, users }));
  }
}
