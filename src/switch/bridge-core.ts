// A bridge as its OpenFlow connections see it: what changes it and what it tells. Ports, frames and statistics stand in
// `bridge-ports.ts`, `bridge-packets.ts` and `bridge-statistics.ts`.

import type { Clock } from '../base/clock.ts';
import { PeerError } from '../base/errors.ts';
import { matchAll } from '../flow/key.ts';
import { type Action, OFPP, type OfPort } from '../openflow/action.ts';
import type { GroupDesc, GroupMod, GroupStats } from '../openflow/group.ts';
import type { FlowMod, FlowStats, FlowStatsRequest, OfVersion, PortDesc, PortStats, Resume, TableStats } from '../openflow/message.ts';
import type { MeterConfig, MeterFeatures, MeterMod, MeterStats } from '../openflow/meter.ts';
import type { QueueConfig, TableDesc } from '../openflow/table.ts';
import { TlvTable } from '../openflow/tlv-table.ts';
import { MacTable } from '../protocols/mac-learning.ts';
import { BridgePackets } from './bridge-packets.ts';
import { BridgePorts, type PortDevices } from './bridge-ports.ts';
import type { BridgeState } from './bridge-state.ts';
import { BridgeStatistics } from './bridge-statistics.ts';
import type { BridgeSettings } from './contract.ts';
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
import type { Megaflows, PacketIn } from './megaflows.ts';
import { MirrorSet } from './mirrors.ts';
import { LIVE, type PortBundle, type SwitchPort } from './ports.ts';
import { sameStructure } from './sameness.ts';
import { ALL_TABLES, INTERNAL_TABLE, TABLE_COUNT } from './tables/flow-table.ts';
import { FlowTables } from './tables/flow-tables.ts';
import { GroupTable } from './tables/group-table.ts';
import { MeterTable } from './tables/meter-table.ts';
import type { FlowRule } from './tables/rule.ts';
import type { FlowChange } from './tables/table-batch.ts';
import type { NativeTunnels } from './underlay/native.ts';

const NORMAL: readonly Action[] = [{ kind: 'output', port: OFPP.NORMAL, maxLen: 0 }];
const EXPIRY_INTERVAL_MS = 1000;

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
  readonly #portView: BridgePorts;
  readonly #packets: BridgePackets;
  readonly #statistics: BridgeStatistics;
  settings: BridgeSettings;
  control: BridgeControl | undefined;
  floodVlans: ReadonlySet<number> = new Set();
  readonly #events = new Set<BridgeEvents>();
  readonly #peer: (port: SwitchPort) => SwitchPort | undefined;
  #stopTimer: () => void;
  #macGeneration = 0;
  #isConfigured = false;

  constructor(
    name: string,
    clock: Clock,
    megaflows: Megaflows,
    peer: (port: SwitchPort) => SwitchPort | undefined,
    devices: PortDevices = { setUp: () => {}, counters: () => undefined },
  ) {
    this.name = name;
    this.clock = clock;
    this.megaflows = megaflows;
    this.#peer = peer;
    this.groups = new GroupTable(clock);
    this.meters = new MeterTable(clock, megaflows.meterNumbers);
    const known = { hasGroup: (id: number) => this.groups.has(id), hasMeter: (id: number) => this.meters.has(id) };
    this.tables = new FlowTables(
      clock,
      (change) => this.#flowChanged(change),
      known,
      () => this.#hasWatchers(),
    );
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
    this.#portView = new BridgePorts(this, devices);
    this.#packets = new BridgePackets(this);
    this.#statistics = new BridgeStatistics(this);
    this.#stopTimer = clock.after(EXPIRY_INTERVAL_MS, () => this.#tick());
  }

  get isBpduForwarded(): boolean {
    return this.settings.forwardBpdu;
  }

  get wantsPacketInOnMiss(): boolean {
    return this.control?.wantsPacketInOnMiss() ?? false;
  }

  get hasInBand(): boolean {
    return this.control?.hasInBand ?? false;
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

  #flowChanged({ change, rule, reason, sender, before, isSame }: FlowChange): void {
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
      isSame,
      get flow(): FlowStats {
        return flow();
      },
    };
    for (const events of this.#events) events.onFlowChange?.(event);
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
        else if (step.kind === 'portMod') later.push(this.#portView.check(step));
        else if (step.kind === 'groupMod') this.#stageGroup(step, sender, later);
        else if (step.kind === 'packetOut') later.push(this.#inNext(() => this.#packets.prepare(step)));
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

  flows(request: FlowStatsRequest): Iterable<FlowStats> {
    return this.#statistics.flows(request);
  }

  flowRows(request: FlowStatsRequest): { rows: readonly FlowRule[]; describe(row: unknown): FlowStats } {
    return this.#statistics.flowRows(request);
  }

  aggregate(request: FlowStatsRequest): { packetCount: bigint; byteCount: bigint; flowCount: number } {
    return this.#statistics.aggregate(request);
  }

  isOptionUsed(fields: ReadonlySet<number>): boolean {
    return this.#statistics.isOptionUsed(fields);
  }

  tableDescs(): TableDesc[] {
    return this.tables.describeTables();
  }

  tableStats(): TableStats[] {
    return this.#statistics.tableStats();
  }

  portDescs(): PortDesc[] {
    return this.#portView.descs();
  }

  portDesc(number: OfPort): PortDesc | undefined {
    return this.#portView.desc(number);
  }

  portStats(number: OfPort): PortStats[] {
    return this.#portView.stats(number);
  }

  queueStats(port: OfPort, queue: number): QueueStats[] {
    return this.#portView.queueStats(port, queue);
  }

  queueConfigs(port: OfPort): QueueConfig[] {
    return this.#portView.queueConfigs(port);
  }

  flushConnections(request: ConnectionFlush): void {
    // The tracker serves what it is asked in order, frames of later requests among them.
    void this.megaflows.datapath.conntrack?.(flushRequest(request));
  }

  packetOut(request: PacketOutRequest): void {
    this.#packets.prepare(request)();
  }

  resume(request: Resume, version: OfVersion): void {
    this.#packets.resume(request, version);
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
    this.groups.stageFlush();
    this.meters.close();
    this.#commit();
    this.megaflows.changed();
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

  /** `before`: of a change, what the port was until now. */
  portChanged(reason: 'add' | 'delete' | 'modify', port: SwitchPort, before?: PortDesc): void {
    const desc = this.#portView.describe(port);
    // A port comes to life once it is there: that is told by itself.
    const isBorn = reason === 'add' && (desc.state & LIVE) !== 0;
    const first = isBorn ? { ...desc, state: desc.state & ~LIVE } : desc;
    this.#emit((events) => events.onPortStatus?.(reason, first, before));
    if (isBorn) this.#emit((events) => events.onPortStatus?.('modify', desc, first));
  }

  /** A port that is about to go down is no longer live. */
  portFades(desc: PortDesc): void {
    this.#emit((events) => events.onPortStatus?.('modify', { ...desc, state: desc.state & ~LIVE }, desc));
  }

  /** A userspace action of a megaflow sent this frame up. */
  packetIn(packet: PacketIn): void {
    const event = this.#packets.event(packet);
    this.#emit((events) => events.onPacketIn?.(event));
  }

  close(): void {
    this.meters.close();
    this.megaflows.sends.recirculations.forgetBridge(this);
    this.#stopTimer();
    this.#events.clear();
  }
}
