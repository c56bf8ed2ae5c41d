// Which port of which bridge a datapath port is: one alone, or of tunnels that share one the one that the outer header tells.
import { type Key, W } from '../flow/key.ts';
import type { SwitchPort } from './ports.ts';
import { TunnelMap } from './translate/tunnel-config.ts';

/** Where a key came in. */
export interface Ingress {
  port: SwitchPort;
  isTunnelled: boolean;
}

export class DatapathPorts {
  readonly #ports = new Map<number, SwitchPort>();
  readonly tunnels = new TunnelMap<SwitchPort>();
  /** How many tunnels share each datapath port. */
  readonly #tunnelPorts = new Map<number, number>();
  /** Of the bridges that have ports here, with how many. */
  readonly #macTables = new Map<SwitchPort['bridge']['macs'], number>();

  /** The port that has a datapath port alone. */
  get(dpPort: number): SwitchPort | undefined {
    return this.#ports.get(dpPort);
  }

  attach(dpPort: number, port: SwitchPort): void {
    this.#countTable(port, 1);
    if (port.tunnel === undefined) {
      this.#ports.set(dpPort, port);
      return;
    }
    this.tunnels.insert(dpPort, port.tunnel, port);
    this.#tunnelPorts.set(dpPort, (this.#tunnelPorts.get(dpPort) ?? 0) + 1);
  }

  detach(dpPort: number, port: SwitchPort): void {
    this.#countTable(port, -1);
    if (port.tunnel === undefined) {
      if (this.#ports.get(dpPort) === port) this.#ports.delete(dpPort);
      return;
    }
    this.tunnels.remove(dpPort, port.tunnel);
    const left = (this.#tunnelPorts.get(dpPort) ?? 1) - 1;
    if (left === 0) this.#tunnelPorts.delete(dpPort);
    else this.#tunnelPorts.set(dpPort, left);
  }

  #countTable({ bridge: { macs } }: SwitchPort, by: number): void {
    const count = (this.#macTables.get(macs) ?? 0) + by;
    if (count > 0) this.#macTables.set(macs, count);
    else this.#macTables.delete(macs);
  }

  /** All flows will be translated once more, and ask once more. */
  forgetMisses(): void {
    for (const table of this.#macTables.keys()) table.forgetMisses();
  }

  ingress(key: Key): Ingress | undefined {
    const dpPort = key[W.IN_PORT]!;
    if (this.#tunnelPorts.has(dpPort)) {
      const id = (BigInt(key[W.TUN_ID]!) << 32n) | BigInt(key[W.TUN_ID + 1]!);
      const isIpv4 = key[W.TUN_SRC] !== 0 || key[W.TUN_DST] !== 0;
      const address = (v4: number, v6: number) =>
        isIpv4 ? ([0, 0, 0, key[v4]!] as const) : ([key[v6]!, key[v6 + 1]!, key[v6 + 2]!, key[v6 + 3]!] as const);
      const port = this.tunnels.find(dpPort, id, address(W.TUN_SRC, W.TUN_IPV6_SRC), address(W.TUN_DST, W.TUN_IPV6_DST));
      return port === undefined ? undefined : { port, isTunnelled: true };
    }
    const port = this.#ports.get(dpPort);
    return port === undefined ? undefined : { port, isTunnelled: false };
  }
}
