// A bridge as the daemon sees it: ports, bundles, controllers, and what can be read back.
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import type { Datapath, DpPortCounters, DpPortSpec } from '../datapath/datapath.ts';
import { OFPP, type OfPort } from '../openflow/action.ts';
import type { Bond } from '../protocols/bond.ts';
import { announceStations } from './bond-announcement.ts';
import { Bonds } from './bonds.ts';
import { Core } from './bridge-core.ts';
import type {
  BridgeSettings,
  BundleRequest,
  ControllerRequest,
  ControllerStatus,
  FlowTableRequest,
  MacPlace,
  MacStatistics,
  MirrorRequest,
  PortKind,
  PortLink,
  PortRequest,
  PortSummary,
  SwitchBridge,
  SwitchEnvironment,
  TraceFlow,
  TraceOptions,
} from './contract.ts';
import type { BridgeControl, OpenControl } from './core.ts';
import type { Megaflows } from './megaflows.ts';
import { LIVE, type PortBundle, type SwitchPort } from './ports.ts';
import { dumpFlows } from './tables/flow-dump.ts';
import { traceFlow } from './translate/trace.ts';
import { parseTunnelOptions, type TunnelConfig, tunnelDevice } from './translate/tunnel-config.ts';
import { tunnelIdentity } from './translate/tunnel-text.ts';

const log = logger('bridge');
const tunnelLog = logger('tunnel');
const MAX_PORTS = OFPP.MAX - 1;
/** So long a number that was given up is left to itself. */
const NUMBER_REST_MS = 3_600_000;

/** What a bridge needs of the host it stands in. */
export interface BridgeSite {
  environment: SwitchEnvironment;
  megaflows: Megaflows;
  openControl: OpenControl;
  portNamed(name: string): SwitchPort | undefined;
  closed(bridge: Bridge): Promise<void>;
}

export class Bridge implements SwitchBridge {
  readonly name: string;
  readonly core: Core;
  readonly #site: BridgeSite;
  readonly #control: BridgeControl;
  readonly #bonds: Bonds;
  /** The last number given out: numbers go round, so that a freed one is not reused at once. */
  #lastPort = 0;
  /** When numbers were given up last, the longest ago first. */
  readonly #released = new Map<OfPort, number>();

  constructor(name: string, site: BridgeSite) {
    this.name = name;
    this.#site = site;
    this.core = new Core(name, site.environment.clock, site.megaflows, (port) => this.#peerOf(port), {
      setUp: ({ name, kind }, isUp) => site.environment.setPortUp?.(name, kind, isUp),
      counters: (name) => site.environment.deviceCounters?.(name),
    });
    this.#control = site.openControl(this.core, site.environment);
    this.core.control = this.#control;
    this.#bonds = new Bonds(
      site.environment.clock,
      () => this.core.megaflows.changed(),
      (bundle) => announceStations(this.core, bundle),
    );
  }

  get datapath(): Datapath {
    return this.#site.megaflows.datapath;
  }

  #peerOf(port: SwitchPort): SwitchPort | undefined {
    if (port.kind.kind !== 'patch') return undefined;
    const peer = this.#site.portNamed(port.kind.peer);
    // Both ends must name each other.
    return peer?.kind.kind === 'patch' && peer.kind.peer === port.name ? peer : undefined;
  }

  configure(settings: BridgeSettings): void {
    this.core.configure(settings);
  }

  /** Throws, and gives the port of the datapath back, where a tunnel cannot be beside those that are there; `self` is the one it replaces. */
  async #refuseConflict(name: string, dpPort: number, tunnel: TunnelConfig, self: SwitchPort | undefined): Promise<void> {
    const { tunnels } = this.#site.megaflows.ports;
    const policy = self?.dpPort === dpPort ? undefined : tunnels.hasGroupPolicy(dpPort);
    const holder = tunnels.holder(dpPort, tunnel);
    const hasOtherPolicy = policy !== undefined && policy !== tunnel.hasGroupPolicy;
    if (!hasOtherPolicy && (holder === undefined || holder === self)) return;
    await this.datapath.portDelete(dpPort);
    if (hasOtherPolicy) {
      throw new ConfigError(`${name}: VXLAN-GBP, and non-VXLAN-GBP tunnels can't be configured on the same dst_port`);
    }
    tunnelLog.warn(
      `${name}: attempting to add tunnel port with same config as port '${holder?.name}' (${tunnelIdentity(tunnel)}, dp port=${dpPort})`,
    );
    throw new ConfigError(`could not add network device ${name} to ofproto (File exists)`);
  }

  async portAdd(request: PortRequest): Promise<OfPort> {
    if (this.portNamed(request.name) !== undefined) throw new ConfigError(`${request.name} is already a port of ${this.name}`);
    const tunnel = tunnelOf(request.name, request.port);
    const spec = specOf(request.name, request.port, tunnel);
    const dpPort = spec === undefined ? undefined : await this.datapath.portAdd(spec);
    if (dpPort !== undefined && tunnel !== undefined) await this.#refuseConflict(request.name, dpPort, tunnel, undefined);
    const port: SwitchPort = {
      bridge: this.core,
      port: this.#number(request.ofportRequest),
      name: request.name,
      kind: request.port,
      dpPort,
      tunnel,
      bundle: undefined,
      config: 0,
      link: request.link?.(),
      isGoingDown: undefined,
      createdMs: this.core.clock.now(),
      virtual: { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 },
    };
    this.core.ports.set(port.port, port);
    if (dpPort !== undefined) this.#site.megaflows.portAttach(dpPort, port);
    this.core.megaflows.changed();
    log.info(`bridge ${this.name}: added interface ${port.name} on port ${port.port}`);
    this.core.portChanged('add', port);
    return port.port;
  }

  /** A number that was a port's until lately comes last, so that nobody takes the new port for that one. */
  #number(wanted: OfPort | undefined): OfPort {
    const { ports } = this.core;
    if (wanted !== undefined && (wanted === OFPP.LOCAL || (wanted >= 1 && wanted <= MAX_PORTS)) && !ports.has(wanted)) return wanted;
    for (let tries = 0; tries < MAX_PORTS; tries++) {
      this.#lastPort = this.#lastPort >= MAX_PORTS ? 1 : this.#lastPort + 1;
      const releasedMs = this.#released.get(this.#lastPort) ?? Number.NEGATIVE_INFINITY;
      if (!ports.has(this.#lastPort) && releasedMs < this.core.clock.now() - NUMBER_REST_MS) return this.#lastPort;
    }
    for (const longest of this.#released.keys()) if (!ports.has(longest)) return longest;
    throw new ConfigError('no free OpenFlow port number');
  }

  async portDelete(number: OfPort): Promise<void> {
    const port = this.core.ports.get(number);
    if (port === undefined) return;
    this.core.ports.delete(number);
    this.#released.delete(number);
    this.#released.set(number, this.core.clock.now());
    if (port.bundle !== undefined)
      this.#setMembers(
        port.bundle,
        port.bundle.members.filter((member) => member !== port),
      );
    this.core.megaflows.changed();
    log.info(`bridge ${this.name}: deleted interface ${port.name} on port ${number}`);
    this.core.portChanged('delete', port);
    if (port.dpPort !== undefined) {
      this.#site.megaflows.portDetach(port.dpPort, port);
      await this.datapath.portDelete(port.dpPort);
    }
  }

  async portChange(number: OfPort, kind: PortKind): Promise<void> {
    const port = this.core.ports.get(number);
    if (port === undefined) return;
    const tunnel = tunnelOf(port.name, kind);
    if (port.dpPort !== undefined && (tunnel !== undefined || port.tunnel !== undefined)) {
      const spec = specOf(port.name, kind, tunnel);
      // The new place is opened before the old one is closed, so that a failure changes nothing and a shared socket stays open.
      const dpPort = spec === undefined ? undefined : await this.datapath.portAdd(spec);
      if (dpPort !== undefined && tunnel !== undefined) await this.#refuseConflict(port.name, dpPort, tunnel, port);
      const old = port.dpPort;
      this.#site.megaflows.portDetach(old, port);
      port.tunnel = tunnel;
      port.dpPort = dpPort;
      if (dpPort !== undefined) this.#site.megaflows.portAttach(dpPort, port);
      await this.datapath.portDelete(old);
    }
    port.kind = kind;
    this.core.megaflows.changed();
  }

  portLink(number: OfPort, link: PortLink): void {
    const port = this.core.ports.get(number);
    if (port === undefined) return;
    const before = this.core.portDesc(number)!;
    port.link = link;
    port.isGoingDown = undefined;
    const after = this.core.portDesc(number)!;
    if (JSON.stringify(after, bigintText) === JSON.stringify(before, bigintText)) return;
    if ((before.state & ~after.state & LIVE) !== 0) this.core.portFades(before);
    if (port.bundle?.bond !== undefined) this.#bonds.run();
    this.core.megaflows.changed();
    this.core.portChanged('modify', port, before);
  }

  portNamed(name: string): OfPort | undefined {
    for (const port of this.core.ports.values()) if (port.name === name) return port.port;
    return undefined;
  }

  *ports(): Generator<PortSummary> {
    for (const { port, name, kind, dpPort, tunnel } of this.core.ports.values()) yield { port, name, kind, dpPort, tunnel };
  }

  portCounters(number: OfPort): DpPortCounters | undefined {
    const port = this.core.ports.get(number);
    if (port === undefined) return undefined;
    const { rxPackets, rxBytes, txPackets, txBytes, rxErrors, txErrors, rxDropped, txDropped } = this.core.portStats(number)[0]!;
    return { rxPackets, rxBytes, txPackets, txBytes, rxErrors, txErrors, rxDropped, txDropped };
  }

  bundleSet(request: BundleRequest): void {
    const { bundles } = this.core;
    let bundle = bundles.get(request.name);
    if (bundle === undefined) {
      bundle = { name: request.name, request, members: [], trunks: undefined };
      bundles.set(request.name, bundle);
    } else if (bundle.request.vlanMode !== request.vlanMode || bundle.request.vlan !== request.vlan) {
      this.core.macs.flushPort(bundle);
    }
    bundle.request = request;
    bundle.trunks = request.trunks.length === 0 ? undefined : new Set(request.trunks);
    const members = request.members.flatMap((number) => this.core.ports.get(number) ?? []);
    this.#setMembers(bundle, members);
    this.#bonds.set(bundle, members.length > 1 ? request.bond : undefined);
    this.core.megaflows.changed();
  }

  *bonds(): Generator<{ bond: Bond; mac(member: string): readonly [number, number] | undefined; run(): void }> {
    for (const { bond, members } of this.#bonds.all()) {
      if (bond === undefined) continue;
      const mac = (name: string): readonly [number, number] | undefined => members.find((member) => member.name === name)?.link?.mac;
      const run = (): void => {
        this.#bonds.run();
        this.core.megaflows.changed();
      };
      yield { bond, mac, run };
    }
  }

  #setMembers(bundle: PortBundle, members: SwitchPort[]): void {
    for (const member of bundle.members) if (member.bundle === bundle) member.bundle = undefined;
    bundle.members = members;
    for (const member of members) member.bundle = bundle;
    if (members.length === 0) this.core.macs.flushPort(bundle);
  }

  bundleDelete(name: string): void {
    const bundle = this.core.bundles.get(name);
    if (bundle === undefined) return;
    this.#bonds.set(bundle, undefined);
    this.#setMembers(bundle, []);
    this.core.bundles.delete(name);
    this.core.megaflows.changed();
  }

  mirrorsSet(requests: readonly MirrorRequest[]): void {
    this.core.mirrors.set(requests);
    this.core.megaflows.changed();
  }

  mirrorCounters(name: string): { packets: number; bytes: number } | undefined {
    return this.core.mirrors.counters(name);
  }

  flowTablesSet(requests: ReadonlyMap<number, FlowTableRequest>): void {
    this.core.megaflows.settleAll();
    this.core.tables.limitTables(requests);
    this.core.megaflows.changed();
  }

  controllersSet(requests: readonly ControllerRequest[]): void {
    this.#control.controllersSet(requests);
    this.core.megaflows.changed();
  }

  controllers(): Iterable<ControllerStatus> {
    return this.#control.controllers();
  }

  listen(): Promise<void> {
    return this.#control.listen();
  }

  flushMacTable(): void {
    this.core.macs.flush();
    this.core.megaflows.changed();
  }

  *macTable(): Generator<{ port: OfPort; portName: string; vlan: number; mac: readonly [number, number]; ageSec: number }> {
    const { macs, clock } = this.core;
    this.core.megaflows.settleAll();
    for (const entry of macs.entries()) {
      const member = entry.port.members[0];
      const ageSec = Math.floor((macs.agingMs - (entry.expiresMs - clock.now())) / 1000);
      yield { port: member?.port ?? OFPP.NONE, portName: entry.port.name, vlan: entry.vlan, mac: [entry.high, entry.low], ageSec };
    }
  }

  macStatistics(): MacStatistics {
    const { macs } = this.core;
    return { current: macs.count, maximum: macs.maxEntries, ...macs.statistics };
  }

  clearMacStatistics(): void {
    Object.assign(this.core.macs.statistics, { learned: 0, expired: 0, evicted: 0, moved: 0 });
  }

  macAdd(portName: string, vlan: number, mac: readonly [number, number]): MacPlace | 'unchanged' | undefined {
    const bundle = this.core.bundles.get(portName);
    if (bundle === undefined) return undefined;
    const before = this.core.macs.put(vlan, mac[0], mac[1], bundle);
    this.core.megaflows.changed();
    if (before === undefined || (before.isStatic && before.port === bundle)) return 'unchanged';
    return { port: before.port.members[0]?.port ?? OFPP.NONE, isStatic: before.isStatic };
  }

  macDelete(vlan: number, mac: readonly [number, number]): boolean {
    // In a VLAN without learning no station is found, not even one that was put there.
    if (this.core.floodVlans.has(vlan) || !this.core.macs.take(vlan, mac[0], mac[1])) return false;
    this.core.megaflows.changed();
    return true;
  }

  reconnect(): void {
    this.#control.reconnect?.();
  }

  dumpFlows(showsOffload = false): string {
    this.core.megaflows.settleAll();
    const now = this.core.clock.now();
    return dumpFlows(this.core.tables, now, showsOffload);
  }

  ruleCount(): number {
    return this.core.tables.ruleCount;
  }

  trace(flow: TraceFlow, frame: Uint8Array | 'generate' | undefined, options?: TraceOptions): string {
    return traceFlow(this.core, flow, frame, options);
  }

  async close(keepPorts = false, goesOn?: () => void): Promise<void> {
    await this.#control.close();
    this.#bonds.close();
    if (!keepPorts) {
      for (const number of [...this.core.ports.keys()]) {
        await this.portDelete(number);
        goesOn?.();
      }
    }
    this.core.close();
    await this.#site.closed(this);
  }
}

const bigintText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

function tunnelOf(name: string, kind: PortKind): TunnelConfig | undefined {
  return kind.kind === 'tunnel' ? parseTunnelOptions(name, kind.protocol, kind.options) : undefined;
}

function specOf(name: string, kind: PortKind, tunnel: TunnelConfig | undefined): DpPortSpec | undefined {
  switch (kind.kind) {
    case 'patch':
      return undefined;
    case 'system':
      return { kind: 'system', device: name };
    case 'dummy':
      return { kind: 'dummy', device: name };
    case 'internal':
      return { kind: 'internal', device: name, mac: kind.mac ?? [0, 0], mtu: kind.mtu ?? 1500 };
    case 'tunnel': {
      const { protocol } = kind;
      const { dstPort } = tunnel!;
      return { kind: 'tunnel', device: tunnelDevice(protocol, dstPort), protocol, dstPort };
    }
  }
}
