// What tunnels of datapaths without a network stack of their own go by: routes, neighbours, and the ports that outer headers come from.
import type { SwitchPort } from '../ports.ts';
import { type FoundNeighbor, type Mac, Neighbors } from './neighbors.ts';
import { type DeviceAddress, RouteTable } from './routes.ts';

/** What is known of devices, simulated ones or the host's. */
export interface UnderlayDevices {
  addressesOf(device: string): readonly DeviceAddress[];
  /** Undefined where it is no Ethernet device. */
  macOf(device: string): Mac | undefined;
  /** Whom the host has found by its devices; `bridge` is the device. */
  neighbors?(): readonly FoundNeighbor[];
}

export class Underlay {
  readonly routes = new RouteTable();
  readonly neighbors: Neighbors;
  /** Outer UDP source ports. */
  sourcePorts = { low: 32768, high: 61000 };
  readonly devices: UnderlayDevices;

  /** Tunnel ports that listen, by UDP port, 0 for GRE: those that share a datapath port together. */
  readonly #listening = new Map<number, Set<SwitchPort>>();

  constructor(now: () => number, devices: UnderlayDevices) {
    this.neighbors = new Neighbors(now);
    this.devices = devices;
  }

  listen(udpPort: number, port: SwitchPort): void {
    const others = this.#listening.get(udpPort);
    if (others === undefined) this.#listening.set(udpPort, new Set([port]));
    else others.add(port);
  }

  unlisten(udpPort: number, port: SwitchPort): void {
    const ports = this.#listening.get(udpPort);
    ports?.delete(port);
    if (ports?.size === 0) this.#listening.delete(udpPort);
  }

  /** A tunnel port whose datapath port takes packets to that UDP port, or GRE packets for 0. */
  listening(udpPort: number): SwitchPort | undefined {
    return this.#listening.get(udpPort)?.values().next().value;
  }

  get hasListeners(): boolean {
    return this.#listening.size > 0;
  }

  /** One of each that share a datapath port, and how many they are, in the order of their coming. */
  *listeners(): Generator<{ udpPort: number; port: SwitchPort; users: number }> {
    for (const [udpPort, ports] of this.#listening) {
      const [port] = ports;
      if (port !== undefined) yield { udpPort, port, users: ports.size };
    }
  }
}
