// A bridge as its OpenFlow connections see it: flows, ports, packet-out, events.

import type { Clock } from '../base/clock.ts';
import { PeerError } from '../base/errors.ts';
import { temporaryUuid } from '../base/temporary-uuid.ts';
import { type FrameOffload, NO_OFFLOAD } from '../datapath/datapath.ts';
import { extractKey } from '../flow/extract.ts';
import { type Field, tunFieldIndex } from '../flow/fields.ts';
import { portOrder } from '../flow/hash-order.ts';
import { type Key, matchAll, newKey, W } from '../flow/key.ts';
import { type Action, OFPP, type OfPort } from '../openflow/action.ts';
import { decodeContinuation } from '../openflow/codec/continuation-codec.ts';
import type { GroupDesc, GroupMod, GroupStats } from '../openflow/group.ts';
import type { FlowMod, FlowStats, FlowStatsRequest, OfVersion, PortDesc, PortStats, Resume, TableStats } from '../openflow/message.ts';
import type { MeterConfig, MeterFeatures, MeterMod, MeterStats } from '../openflow/meter.ts';
import type { QueueConfig, TableDesc } from '../openflow/table.ts';
import { TlvTable } from '../openflow/tlv-table.ts';
import { MacTable } from '../protocols/mac-learning.ts';
import type { BridgeState } from './bridge-state.ts';
import type { BridgeSettings, PortLink } from './contract.ts';
import type {
  BridgeControl,
  BridgeCore,
  BridgeEvents,
  BridgeStep,
  ConnectionFlush,
  PacketOutRequest,
  PortMod,
  QueueStats,
  Sender,
  TableMod,
} from './core.ts';
import { flushRequest } from './ct-flush.ts';
import { type Megaflows, type PacketIn, sameStructure } from './megaflows.ts';
import { MirrorSet } from './mirrors.ts';
import { PORT_CONFIG, type PortBundle, type SwitchPort } from './ports.ts';
import { references } from './tables/action-references.ts';
import { ALL_TABLES, type FlowChange, FlowTables, INTERNAL_TABLE, TABLE_COUNT } from './tables/flow-tables.ts';
import { GroupTable } from './tables/group-table.ts';
import { MeterTable } from './tables/meter-table.ts';
import type { FlowRule } from './tables/rule.ts';
import { fromContinuation, toContinuation } from './translate/continuation.ts';
import { applyEffects } from './translate/effects.ts';
import { withFrameMetadata } from './translate/frame-metadata.ts';
import { translate } from './translate/translate.ts';
import type { Translation } from './translate/translation.ts';
import type { NativeTunnels } from './underlay/native.ts';

const NORMAL: readonly Action[] = [{ kind: 'output', port: OFPP.NORMAL, maxLen: 0 }];
const EXPIRY_INTERVAL_MS = 1000;
/** What a frame needs to have a header at all. */
const ETHERNET_SIZE = 14;
const ALL_QUEUES = 0xffffffff;
const UNKNOWN_COUNT = (1n << 64n) - 1n;

const noLink: PortLink = {
  mac: [0, 0],
  isUp: true,
  hasCarrier: true,
  speedKbps: 0,
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  mtu: 1500,
};

export class Core implements BridgeCore, BridgeState {
  readonly name: string;
  readonly clock: Clock;
  readonly tables: FlowTables;
  readonly groups: GroupTable;
  readonly meters: MeterTable;
  readonly macs = new MacTable<PortBundle>();
  readonly ports = new Map<OfPort, SwitchPort>();
  readonly bundles = new Map<string, PortBundle>();
  readonly mirrors = new MirrorSet();
  readonly tableCount = TABLE_COUNT;
  readonly megaflows: Megaflows;
  readonly tlvTable = new TlvTable();
  /** Names this bridge, as long as it is there, in what controllers bring back. */
  readonly #uuid = temporaryUuid();
  settings: BridgeSettings;
  control: BridgeControl | undefined;
  floodVlans: ReadonlySet<number> = new Set();
  readonly #events = new Set<BridgeEvents>();
  readonly #setPortUp: (port: SwitchPort, isUp: boolean) => void;
  readonly #peer: (port: SwitchPort) => SwitchPort | undefined;
  #stopTimer: () => void;
  #macGeneration = 0;
  #isConfigured = false;

  constructor(
    name: string,
    clock: Clock,
    megaflows: Megaflows,
    peer: (port: SwitchPort) => SwitchPort | undefined,
    setPortUp: (port: SwitchPort, isUp: boolean) => void = () => {},
  ) {
    this.name = name;
    this.clock = clock;
    this.megaflows = megaflows;
    this.#peer = peer;
    this.#setPortUp = setPortUp;
    this.groups = new GroupTable(clock);
    this.meters = new MeterTable(clock, megaflows.meterNumbers);
    const known = { hasGroup: (id: number) => this.groups.has(id), hasMeter: (id: number) => this.meters.has(id) };
    this.tables = new FlowTables(clock, (change) => this.#flowChanged(change), known);
    this.tables.onSettled = () => this.#emit((events) => events.onFlowsSettled?.());
    this.tables.onVacancy = (reason, desc) => this.#emit((events) => events.onTableStatus?.(reason, desc));
    this.settings = {
      datapathId: 0n,
      failMode: 'standalone',
      versions: [1, 2, 3, 4, 5, 6],
      dpDescription: 'None',
      serialNumber: 'None',
      macAgingSec: 300,
      macTableSize: 8192,
      forwardBpdu: false,
      floodVlans: [],
      localMac: [0, 0],
    };
    this.#stopTimer = clock.after(EXPIRY_INTERVAL_MS, () => this.#tick());
  }

  get isBpduForwarded(): boolean {
    return this.settings.forwardBpdu;
  }

  get wantsPacketInOnMiss(): boolean {
    return this.control?.wantsPacketInOnMiss() ?? false;
  }

  get native(): NativeTunnels | undefined {
    return this.megaflows.native;
  }

  patchPeer(port: SwitchPort): SwitchPort | undefined {
    return this.#peer(port);
  }

  configure(settings: BridgeSettings): void {
    this.settings = settings;
    this.macs.configure(settings.macAgingSec * 1000, settings.macTableSize);
    this.floodVlans = new Set(settings.floodVlans);
    // Later the connections flush the tables when fail mode or controllers change; a NORMAL flow that the user deleted stays deleted.
    if (!this.#isConfigured) this.ensureNormal();
    this.#isConfigured = true;
    this.megaflows.changed();
    this.#emit((events) => events.onSettings?.());
  }

  /** A standalone bridge without controllers is a learning switch: its lowest flow, visible and deletable, says so. */
  ensureNormal(): void {
    if (this.control?.hasControllers() === true || this.settings.failMode !== 'standalone') return;
    const match = matchAll();
    if (this.tables.table(0)?.classifier.find(match, 0, this.tables.version) !== undefined) return;
    this.tables.stageOwn(0, match, 0, NORMAL);
    this.#commit();
  }

  controlChanged(): void {
    this.megaflows.changed();
  }

  subscribe(events: BridgeEvents): () => void {
    this.#events.add(events);
    return () => void this.#events.delete(events);
  }

  #emit(tell: (events: BridgeEvents) => void): void {
    for (const events of this.#events) tell(events);
  }

  #commit(): void {
    const hasGroups = this.groups.commit();
    if (this.tables.commit() || hasGroups) this.megaflows.changed();
  }

  /** What was staged is forgotten. */
  #rollback(): void {
    this.groups.rollback();
    this.tables.rollback();
  }

  /** Whether somebody wants to hear of each change of a flow. */
  #hasWatchers(): boolean {
    for (const events of this.#events) if (events.onFlowChange !== undefined && (events.wantsFlowChanges?.() ?? true)) return true;
    return false;
  }

  #flowChanged({ change, rule, reason, sender, before }: FlowChange): void {
    const isTold = change === 'deleted' && rule.settings.flags.sendFlowRem;
    if (!isTold && !this.#hasWatchers()) return;
    const now = this.clock.now();
    let described: FlowStats | undefined;
    // Described when someone looks: most changes concern nobody.
    const flow = (): FlowStats => {
      described ??= rule.describe(now);
      return described;
    };
    if (isTold) {
      const { match, priority, cookie, table, durationSec, durationNsec, idleTimeoutSec, hardTimeoutSec, packetCount, byteCount } = flow();
      const removed = { match, priority, cookie, table, durationSec, durationNsec, idleTimeoutSec, hardTimeoutSec, packetCount, byteCount };
      this.#emit((events) => events.onFlowRemoved?.({ kind: 'flowRemoved', reason: reason ?? 'delete', ...removed }));
    }
    const event = {
      change,
      reason,
      sender,
      before,
      get flow(): FlowStats {
        return flow();
      },
    };
    for (const events of this.#events) events.onFlowChange?.(event);
  }

  isOptionUsed(fields: ReadonlySet<number>): boolean {
    for (const rule of this.tables.rules()) {
      if (rule.match().tunFields?.some(({ index }) => fields.has(index)) === true) return true;
      if (namesOption(rule.settings.actions, fields)) return true;
    }
    return false;
  }

  flowMod(mod: FlowMod, sender?: Sender): void {
    this.apply([mod], sender);
  }

  portMod(mod: PortMod): void {
    this.apply([mod]);
  }

  tableMod(mod: TableMod): void {
    this.apply([mod]);
  }

  apply(steps: readonly BridgeStep[], sender?: Sender): void {
    // Ports and tables are looked at first and changed last, so that a flow mod that fails between leaves them alone.
    const later: (() => void)[] = [];
    const hasDelete = steps.some(
      (step) => step.kind === 'flowMod' && step.command.startsWith('delete') && step.flags.sendFlowRem !== undefined,
    );
    if (hasDelete || this.tables.evicts) this.megaflows.settleAll();
    for (const [index, step] of steps.entries()) {
      try {
        if (step.kind === 'flowMod') this.tables.stage(step, sender);
        else if (step.kind === 'portMod') later.push(this.#checkPortMod(step));
        else if (step.kind === 'groupMod') this.#stageGroup(step, sender, later);
        else if (step.kind === 'packetOut') later.push(this.#inNext(() => this.#preparePacketOut(step)));
        else later.push(this.#checkTableMod(step));
      } catch (error) {
        this.#rollback();
        if (error instanceof PeerError) throw Object.assign(error, { step: index });
        throw error;
      }
    }
    this.#commit();
    for (const change of later) change();
  }

  catchUp(): void {
    this.megaflows.catchUp();
  }

  setFragments(handling: 'normal' | 'drop' | 'match'): void {
    if (this.tables.fragments === handling) return;
    this.tables.fragments = handling;
    this.megaflows.changed();
  }

  /** Runs `look` as if what has been staged were current. */
  #inNext<T>(look: () => T): T {
    return this.groups.inNext(() => this.tables.inNext(look));
  }

  groupMod(mod: GroupMod, sender?: Sender): void {
    this.apply([mod], sender);
  }

  #stageGroup(mod: GroupMod, sender: Sender | undefined, later: (() => void)[]): void {
    // Traffic so far counts for the group and the flows that it came to.
    this.megaflows.settleAll();
    for (const gone of this.groups.stage(mod)) this.tables.stageUsersGone('group', gone, sender);
    later.push(() => this.#emit((events) => events.onGroupMod?.(mod, sender)));
  }

  groupDescs(group: number): GroupDesc[] {
    return this.groups.select(group).map((one) => one.describe());
  }

  groupStats(group: number): GroupStats[] {
    this.megaflows.settleAll();
    const now = this.clock.now();
    return this.groups.select(group).map((one) => one.describeStats(now, this.tables.userCount('group', one.group)));
  }

  meterMod(mod: MeterMod, sender?: Sender): void {
    const gone = this.meters.apply(mod);
    for (const id of gone) this.tables.stageUsersGone('meter', id, sender);
    this.#commit();
    // Which number a meter has, and whether there is one for the controllers, is part of translation.
    this.megaflows.changed();
    this.#emit((events) => events.onMeterMod?.(mod, sender));
  }

  meterConfigs(meter: number): MeterConfig[] {
    return this.meters.configs(meter);
  }

  meterStats(meter: number): MeterStats[] {
    return this.meters.stats(meter, (id) => this.tables.userCount('meter', id));
  }

  meterFeatures(): MeterFeatures {
    return this.meters.features();
  }

  #checkPortMod(mod: PortMod): () => void {
    const port = this.ports.get(mod.port);
    if (port === undefined) throw new PeerError('OFPPMFC_BAD_PORT', `no port ${mod.port}`);
    const { mac } = this.#linkOf(port);
    if (mac[0] !== mod.mac[0] || mac[1] !== mod.mac[1]) throw new PeerError('OFPPMFC_BAD_HW_ADDR', 'the address is not the port’s');
    return () => {
      // Whether a port is down is its device's to say.
      const wantsDown = (mod.mask & PORT_CONFIG.DOWN) === 0 ? undefined : (mod.config & PORT_CONFIG.DOWN) !== 0;
      if (wantsDown !== undefined && wantsDown === this.#linkOf(port).isUp) this.#setPortUp(port, !wantsDown);
      const mask = mod.mask & ~PORT_CONFIG.DOWN;
      const config = (port.config & ~mask) | (mod.config & mask);
      if (config === port.config) return;
      port.config = config;
      this.megaflows.changed();
      this.portChanged('modify', port);
    };
  }

  #checkTableMod(mod: TableMod): () => void {
    if (mod.table === INTERNAL_TABLE) throw new PeerError('OFPTMFC_EPERM', `table ${mod.table} is read-only`);
    if (mod.table > INTERNAL_TABLE && mod.table !== ALL_TABLES) throw new PeerError('OFPTMFC_BAD_TABLE', `no table ${mod.table}`);
    return () => {
      if (mod.settings !== undefined) this.tables.setTable(mod.table, mod.settings);
      else if (mod.miss !== undefined) {
        this.tables.setMiss(mod.table, mod.miss);
        this.megaflows.changed();
      }
    };
  }

  *flows(request: FlowStatsRequest): Generator<FlowStats> {
    this.megaflows.settleAll();
    const now = this.clock.now();
    for (const rule of this.tables.select(request)) yield rule.describe(now);
  }

  flowRows(request: FlowStatsRequest): { rows: readonly FlowRule[]; describe(row: unknown): FlowStats } {
    this.megaflows.settleAll();
    const now = this.clock.now();
    return { rows: [...this.tables.select(request)], describe: (row) => (row as FlowRule).describe(now) };
  }

  aggregate(request: FlowStatsRequest): { packetCount: bigint; byteCount: bigint; flowCount: number } {
    this.megaflows.settleAll();
    let packetCount = 0n;
    let byteCount = 0n;
    let flowCount = 0;
    for (const rule of this.tables.select(request)) {
      packetCount += BigInt(rule.stats.packets);
      byteCount += BigInt(rule.stats.bytes);
      flowCount++;
    }
    return { packetCount, byteCount, flowCount };
  }

  tableDescs(): TableDesc[] {
    return this.tables.describeTables();
  }

  tableStats(): TableStats[] {
    this.megaflows.settleAll();
    return this.tables.stats();
  }

  #linkOf(port: SwitchPort): PortLink {
    return port.link ?? { ...noLink, mac: port.port === OFPP.LOCAL ? this.settings.localMac : [0, 0] };
  }

  #describe(port: SwitchPort): PortDesc {
    const link = this.#linkOf(port);
    return {
      port: port.port,
      mac: link.mac,
      name: port.name,
      config: (port.config & ~PORT_CONFIG.DOWN) | (link.isUp ? 0 : PORT_CONFIG.DOWN),
      state: link.hasCarrier ? (link.isUp ? 4 : 0) : 1,
      current: link.current,
      advertised: link.advertised,
      supported: link.supported,
      peer: link.peer,
      currentSpeedKbps: link.speedKbps,
      maxSpeedKbps: 0,
    };
  }

  #sortedPorts(): SwitchPort[] {
    return [...this.ports.values()].sort((a, b) => a.port - b.port);
  }

  portDescs(): PortDesc[] {
    return this.#sortedPorts().map((port) => this.#describe(port));
  }

  portDesc(number: OfPort): PortDesc | undefined {
    const port = this.ports.get(number);
    return port === undefined ? undefined : this.#describe(port);
  }

  portStats(number: OfPort): PortStats[] {
    if (number === OFPP.NONE) return portOrder(this.ports.values()).map((port) => this.#portStats(port));
    const port = this.ports.get(number);
    if (port === undefined) throw new PeerError('OFPBRC_BAD_PORT', `no port ${number}`);
    return [this.#portStats(port)];
  }

  #portStats(port: SwitchPort): PortStats {
    const hasOwn = port.dpPort !== undefined && port.tunnel === undefined;
    if (!hasOwn) this.megaflows.settleAll();
    const counters = hasOwn ? this.megaflows.datapath.portCounters(port.dpPort!) : undefined;
    const { virtual } = port;
    const age = this.clock.now() - port.createdMs;
    const either = (own: bigint | undefined, other: number): bigint => own ?? BigInt(other);
    // Only a kernel device counts faults; all ones says that nobody does.
    const isDevice = port.kind.kind === 'system' || port.kind.kind === 'internal';
    const fault = (own: bigint | undefined): bigint => (isDevice ? (own ?? 0n) : UNKNOWN_COUNT);
    return {
      port: port.port,
      rxPackets: either(counters?.rxPackets, virtual.rxPackets),
      txPackets: either(counters?.txPackets, virtual.txPackets),
      rxBytes: either(counters?.rxBytes, virtual.rxBytes),
      txBytes: either(counters?.txBytes, virtual.txBytes),
      rxDropped: fault(counters?.rxDropped),
      txDropped: fault(counters?.txDropped),
      rxErrors: fault(counters?.rxErrors),
      txErrors: fault(counters?.txErrors),
      rxFrameErr: fault(0n),
      rxOverErr: fault(0n),
      rxCrcErr: fault(0n),
      collisions: fault(0n),
      durationSec: Math.floor(age / 1000),
      durationNsec: Math.floor(age % 1000) * 1_000_000,
    };
  }

  queueStats(port: OfPort, queue: number): QueueStats[] {
    if (port !== OFPP.NONE && port !== OFPP.ALL && !this.ports.has(port)) throw new PeerError('OFPQOFC_BAD_PORT', `no port ${port}`);
    // Devices have no queues, but dummies one that counts nothing.
    if (this.megaflows.datapath.type !== 'dummy' || (queue !== 0 && queue !== ALL_QUEUES)) return [];
    const unknown = {
      txBytes: UNKNOWN_COUNT,
      txPackets: UNKNOWN_COUNT,
      txErrors: UNKNOWN_COUNT,
      durationSec: 0xffffffff,
      durationNsec: 0xffffffff,
    };
    return this.#sortedPorts()
      .filter((one) => one.kind.kind !== 'patch' && (port === OFPP.NONE || port === OFPP.ALL || one.port === port))
      .map((one) => ({ port: one.port, queue: 0, ...unknown }));
  }

  queueConfigs(port: OfPort): QueueConfig[] {
    // Until QoS is configured a port has one queue, without rates.
    const ports = port === OFPP.NONE ? this.#sortedPorts().map((one) => one.port) : [port];
    return ports.map((number) => ({ port: number, queue: 0 }));
  }

  flushConnections(request: ConnectionFlush): void {
    // The tracker serves what it is asked in order, frames of later requests among them.
    void this.megaflows.datapath.conntrack?.(flushRequest(request));
  }

  packetOut(request: PacketOutRequest): void {
    this.#preparePacketOut(request)();
  }

  resume(request: Resume, version: OfVersion): void {
    if (request.continuation === undefined) throw new PeerError('NXR_STALE', 'nothing to go on with');
    const rest = decodeContinuation(request.continuation, version);
    if (rest.bridge !== this.#uuid) throw new PeerError('NXR_STALE', 'of another bridge');
    const key = newKey();
    for (let i = 0; i < key.length; i++) key[i] = request.match.key[i]! & request.match.mask[i]!;
    extractKey(request.data, 0, request.data.length, key);
    key[W.IN_PORT] = key[W.IN_PORT]! & 0xffff;
    const isTunnelled = this.ports.get(key[W.IN_PORT]!)?.tunnel !== undefined;
    const frozen = fromContinuation(rest, this, key, isTunnelled);
    const nowMs = this.clock.now();
    const { actions, effects } = translate({ bridge: this, key, frozen, nowMs, sends: this.megaflows.sends, isTunnelled });
    if (applyEffects(effects, 1, request.data.length, nowMs)) this.megaflows.changed();
    if (actions.length === 0) return;
    key[W.IN_PORT] = rest.odpPort ?? 0;
    this.megaflows.datapath.execute(request.data, key, actions, NO_OFFLOAD);
  }

  #checkReferences(actions: readonly Action[]): void {
    for (const { kind, id } of references(actions)) {
      if (kind === 'group' && !this.groups.has(id)) throw new PeerError('OFPBAC_BAD_OUT_GROUP', `no group ${id}`);
      if (kind === 'meter' && !this.meters.has(id)) throw new PeerError('OFPMMFC_INVALID_METER', `no meter ${id}`);
    }
  }

  /** Translates a packet-out now; what is given back sends its frames. */
  #preparePacketOut(request: PacketOutRequest): () => void {
    const key = newKey();
    for (let i = 0; i < key.length; i++) key[i] = request.match.key[i]! & request.match.mask[i]!;
    extractKey(request.frame, 0, request.frame.length, key);
    // Port 0 is none that there is, but it is what the controller said.
    key[W.IN_PORT] = request.match.mask[W.IN_PORT] === 0 ? OFPP.NONE : key[W.IN_PORT]! & 0xffff;
    this.#checkReferences(request.actions);
    const now = this.clock.now();
    const { sends } = this.megaflows;
    const translation = translate({ bridge: this, key, actions: request.actions, nowMs: now, sends, isTunnelled: false });
    return this.#sendsOf(translation, request, key);
  }

  /** What sends the frames of a walk that a controller asked for. `key` has an OpenFlow port. */
  #sendsOf({ actions, effects, error }: Translation, request: { frame: Uint8Array; offload?: FrameOffload }, key: Key): () => void {
    const now = this.clock.now();
    const isReal = this.ports.has(key[W.IN_PORT]!);
    // A walk that was given up is the sender's fault, and has no better name.
    if (error !== undefined) throw new PeerError('OFPFMFC_UNKNOWN', error);
    return () => {
      if (applyEffects(effects, 1, request.frame.length, now)) this.megaflows.changed();
      // A frame without an Ethernet header is taken, as in the reference, and goes nowhere.
      if (actions.length === 0 || (request.frame.length < ETHERNET_SIZE && key[W.PACKET_TYPE] === 0)) return;
      // Below the switch there are datapath ports; a frame of the controller's own has none.
      key[W.IN_PORT] = (isReal ? this.ports.get(key[W.IN_PORT]!)?.dpPort : undefined) ?? 0;
      this.megaflows.datapath.execute(request.frame, key, actions, request.offload ?? NO_OFFLOAD);
    };
  }

  learnFlow(mod: FlowMod, limit: number, usedMs: number): void {
    const known = this.tables.find(mod);
    if (known !== undefined && known.settings.cookie === mod.newCookie && sameStructure(known.settings.actions, mod.actions)) {
      if (usedMs > known.stats.modifiedMs) known.stats.modifiedMs = usedMs;
      return;
    }
    // Another frame may have taught the last one that there was room for.
    if (known === undefined && limit > 0 && this.tables.countOfCookie(mod.table, mod.newCookie ?? 0n) >= limit) return;
    try {
      this.apply([mod]);
    } catch (error) {
      // The frame cannot help it that the table is full.
      if (!(error instanceof PeerError)) throw error;
    }
  }

  hiddenFlow(priority: number, match: { key: Uint32Array; mask: Uint32Array }, actions: readonly Action[] | undefined): void {
    this.tables.stageHidden(priority, match, actions);
    this.#commit();
  }

  flushFlows(): void {
    this.tables.stageFlush();
    this.#commit();
    this.ensureNormal();
  }

  #tick(): void {
    this.#stopTimer = this.clock.after(EXPIRY_INTERVAL_MS, () => this.#tick());
    this.expire();
    this.macs.expire(this.clock.now());
    if (this.macs.generation !== this.#macGeneration) {
      this.#macGeneration = this.macs.generation;
      this.megaflows.changed();
    }
  }

  expire(): void {
    if (this.tables.nextExpiryMs > this.clock.now()) return;
    this.megaflows.settleAll();
    if (this.tables.expire()) this.megaflows.changed();
  }

  portChanged(reason: 'add' | 'delete' | 'modify', port: SwitchPort): void {
    const desc = this.#describe(port);
    this.#emit((events) => events.onPortStatus?.(reason, desc));
  }

  /** A userspace action of a megaflow sent this frame up. */
  packetIn({ send, upcall }: PacketIn): void {
    const { reason, table, cookie, maxLen, controllerId, userdata, meterId, continuation } = send;
    const { frame, offload, key } = upcall;
    const match = withFrameMetadata(send.match, key);
    const dpPort = upcall.key[W.IN_PORT]!;
    const rest = continuation === undefined ? undefined : toContinuation(continuation, this.#uuid, dpPort);
    this.#emit((events) =>
      events.onPacketIn?.({
        frame,
        reason,
        table,
        cookie,
        match,
        maxLen,
        controllerId,
        userdata,
        meterId,
        continuation: rest,
        offload,
        key,
      }),
    );
  }

  close(): void {
    this.meters.close();
    this.megaflows.sends.recirculations.forgetBridge(this);
    this.#stopTimer();
    this.#events.clear();
  }
}

/** Whether actions, or what stands in them, name one of these tun_metadata fields. */
function namesOption(value: unknown, fields: ReadonlySet<number>): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if ('wireBytes' in value) return fields.has(tunFieldIndex(value as Field));
  return Object.values(value).some((part) => namesOption(part, fields));
}
