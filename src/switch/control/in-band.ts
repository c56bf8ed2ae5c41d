// In-band control: flows that no controller sees let the bridge reach its controllers and managers through its own ports, whatever the
// flow tables say. Facts: ovs-vswitchd.conf.db(5) "Local Configuration" and `disable-in-band`, and the running reference.
//
//   180000  DHCP requests of the local port           180005  ARP replies about a remote
//   180001  ARP replies to the local port             180006  ARP requests of a remote
//   180002  ARP requests of the local port            180007  TCP to a remote
//   180003  ARP replies to a next hop                 180008  TCP of a remote
//   180004  ARP requests of a next hop
//
// The last part, DHCP replies that are sent to the local port besides, is translation's (`BridgeState.hasInBand`).
import { formatIpv4, parseIpv4 } from '../../base/addresses.ts';
import { logger } from '../../base/log.ts';
import { mustField } from '../../flow/fields.ts';
import { type Match, matchAll, setKeyBits } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import type { SwitchEnvironment } from '../contract.ts';
import type { BridgeCore } from '../core.ts';

const log = logger('in_band');

const PRIORITY = 180_000;
/** How often the way to remotes is looked at anew. */
const REFRESH_MS = 10_000;

type Mac = readonly [number, number];

export interface Remote {
  address: number;
  port: number;
}

export interface InBandFlow {
  priority: number;
  match: Match;
}

/** The address that a target names by number; only IPv4 over TCP is let through in-band. */
export function remoteOf(target: string, defaultPort: number): Remote | undefined {
  const [, host = '', port] = /^(?:tcp|ssl):([\d.]+)(?::(\d+))?$/.exec(target) ?? [];
  const address = parseIpv4(host);
  return address === undefined ? undefined : { address, port: port === undefined ? defaultPort : Number(port) };
}

const macBits = (mac: Mac): bigint => (BigInt(mac[0] >>> 0) << 16n) | BigInt(mac[1]);

function flow(offset: number, fields: Readonly<Record<string, number | bigint>>): InBandFlow {
  const match = matchAll();
  for (const [name, value] of Object.entries(fields)) {
    const { at, bits } = mustField(name);
    setKeyBits(match.key, at, bits, BigInt(value));
    setKeyBits(match.mask, at, bits, (1n << BigInt(bits)) - 1n);
  }
  return { priority: PRIORITY + offset, match };
}

const ARP = 0x0806;
const IPV4 = 0x0800;

/** The flows for remotes, and for what stands between them and the bridge. */
export function inBandFlows(remotes: readonly Remote[], localMac: Mac, nextHops: readonly Mac[]): InBandFlow[] {
  const local = macBits(localMac);
  const flows = [
    flow(0, { in_port: OFPP.LOCAL, eth_src: local, eth_type: IPV4, nw_proto: 17, udp_src: 68, udp_dst: 67 }),
    flow(1, { eth_dst: local, eth_type: ARP, arp_op: 2 }),
    flow(2, { eth_src: local, eth_type: ARP, arp_op: 1 }),
  ];
  for (const mac of nextHops) {
    flows.push(flow(3, { eth_dst: macBits(mac), eth_type: ARP, arp_op: 2 }), flow(4, { eth_src: macBits(mac), eth_type: ARP, arp_op: 1 }));
  }
  for (const { address, port } of remotes) {
    flows.push(
      flow(5, { eth_type: ARP, arp_op: 2, arp_tpa: address }),
      flow(6, { eth_type: ARP, arp_op: 1, arp_spa: address }),
      flow(7, { eth_type: IPV4, nw_proto: 6, nw_dst: address, tcp_dst: port }),
      flow(8, { eth_type: IPV4, nw_proto: 6, nw_src: address, tcp_src: port }),
    );
  }
  return flows;
}

export class InBand {
  readonly #core: BridgeCore;
  readonly #environment: SwitchEnvironment;
  #remotes: readonly Remote[] = [];
  #present = new Map<string, InBandFlow>();
  #actions = '';
  /** What the log has of remotes that no way leads to. */
  readonly #lost = new Map<number, string>();
  #stopTimer: (() => void) | undefined;

  constructor(core: BridgeCore, environment: SwitchEnvironment) {
    this.#core = core;
    this.#environment = environment;
  }

  /** Makes these the remotes that are reached in-band; none ends it. */
  set(remotes: readonly Remote[]): void {
    this.#remotes = remotes;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#refresh();
  }

  close(): void {
    this.#stopTimer?.();
  }

  #refresh(): void {
    const core = this.#core;
    const isOn = this.#remotes.length > 0;
    const flows = isOn ? inBandFlows(this.#remotes, core.settings.localMac, this.#nextHops()) : [];
    const queue = core.settings.inBandQueue;
    const normal: Action = { kind: 'output', port: OFPP.NORMAL, maxLen: 0 };
    const actions: Action[] = queue === undefined ? [normal] : [{ kind: 'setQueue', queue }, normal];
    const isSame = this.#actions === JSON.stringify(actions);
    this.#actions = JSON.stringify(actions);
    const wanted = new Map(flows.map((one) => [`${one.priority} ${one.match.key.join()} ${one.match.mask.join()}`, one]));
    for (const [name, { priority, match }] of this.#present) if (!wanted.has(name)) core.hiddenFlow(priority, match, undefined);
    for (const [name, { priority, match }] of wanted) {
      if (!isSame || !this.#present.has(name)) core.hiddenFlow(priority, match, actions);
    }
    this.#present = wanted;
    if (isOn) this.#stopTimer = core.clock.after(REFRESH_MS, () => this.#refresh());
  }

  #nextHops(): Mac[] {
    const { nextHop } = this.#environment;
    if (nextHop === undefined) return [];
    const found = new Map<string, Mac>();
    for (const { address } of this.#remotes) {
      const hop = nextHop(address);
      const fault = typeof hop === 'string' ? hop : '';
      if (fault !== '' && this.#lost.get(address) !== fault) {
        log.warn(`${this.#core.name}: cannot find route for controller (${formatIpv4(address)}): ${fault}`);
      }
      this.#lost.set(address, fault);
      if (hop !== undefined && typeof hop !== 'string') found.set(hop.join(), hop);
    }
    return [...found.values()];
  }
}
