// The seam between OpenFlow connections and a bridge: what a connection may do to the bridge, and what the bridge tells connections.
//
//   connections (`connection*.ts`, `openflow-*.ts`)  --BridgeCore-->  tables, ports, translation
//                                                     <--BridgeEvents--
//   the bridge (`bridge.ts`)  --BridgeControl-->  connections
//
// Rules that must hold:
// 1. Every request is applied before the call returns, so a barrier has nothing to wait for.
// 2. A request that cannot be served throws PeerError whose code is the OpenFlow error's name (`OFPFMFC_TABLE_FULL`), and has changed nothing.
// 3. Several requests in one `apply` become visible to frames at one moment (one table version), or not at all.
// 4. Events are told during the call that causes them, in order; a handler must not change the bridge.
//
// Flow monitors, table features and TLV maps come as further `BridgeStep` kinds, further queries and further events.
import type { Clock } from '../base/clock.ts';
import type { FrameOffload } from '../datapath/datapath.ts';
import type { Key, Match } from '../flow/key.ts';
import type { Action, OfPort, PacketInReason } from '../openflow/action.ts';
import type { Continuation } from '../openflow/codec/continuation-codec.ts';
import type { GroupDesc, GroupMod, GroupStats } from '../openflow/group.ts';
import type {
  FlowMod,
  FlowRemoved,
  FlowRemovedReason,
  FlowStats,
  FlowStatsRequest,
  Message,
  OfVersion,
  PortDesc,
  PortStats,
  Resume,
  TableStats,
} from '../openflow/message.ts';
import type { MeterConfig, MeterFeatures, MeterMod, MeterStats } from '../openflow/meter.ts';
import type { QueueConfig, TableDesc, TableSettings } from '../openflow/table.ts';
import type { TlvTable } from '../openflow/tlv-table.ts';
import type { BridgeSettings, ControllerRequest, ControllerStatus, SwitchEnvironment } from './contract.ts';

/** Who asked; events carry it back so that a connection can leave its own changes out. Any object compared by identity. */
export interface Sender {
  readonly version: OfVersion;
}

export interface PortMod {
  kind: 'portMod';
  port: OfPort;
  mac: readonly [number, number];
  config: number;
  mask: number;
  advertise: number;
}

export interface TableMod {
  kind: 'tableMod';
  /** 255 = all. */
  table: number;
  /** `default` follows the version of the connected controllers: 1.0-1.2 to the controller, 1.3 on drop. Undefined leaves it. */
  miss: 'default' | 'controller' | 'continue' | 'drop' | undefined;
  /** OpenFlow 1.4 on: eviction and vacancy; `miss` is left alone then. */
  settings?: TableSettings;
}

/** A frame to process as OFPT_PACKET_OUT says. */
export interface PacketOutRequest {
  frame: Uint8Array;
  /** in_port (OFPP.NONE or OFPP.CONTROLLER when there is none) and other metadata that the frame starts with. */
  match: Match;
  actions: readonly Action[];
  offload?: FrameOffload;
}

/** A packet-out among other steps: it meets the tables as the steps before it have left them, and its frames leave after all are applied. */
export interface PacketOutStep extends PacketOutRequest {
  kind: 'packetOut';
}

/** A change that may stand in a bundle. */
export type BridgeStep = FlowMod | PortMod | TableMod | PacketOutStep | GroupMod;

/** NXT_CT_FLUSH_ZONE and NXT_CT_FLUSH. */
export type ConnectionFlush = Extract<Message, { kind: 'ctFlush' | 'ctFlushZone' }>;

export interface BridgeCore {
  readonly name: string;
  readonly clock: Clock;
  /** The settings last configured; `datapathId`, `failMode`, `versions` and the texts of the description reply are in it. */
  readonly settings: BridgeSettings;
  /** Tables that exist, 254 in Open vSwitch (table 254 is internal, 255 means all). */
  readonly tableCount: number;

  flowMod(mod: FlowMod, sender?: Sender): void;
  portMod(mod: PortMod): void;
  tableMod(mod: TableMod): void;
  /** All steps or none, seen whole. On failure the PeerError has `step`, the index of the culprit. */
  apply(steps: readonly BridgeStep[], sender?: Sender): void;

  /** Matching flows in order of table, then priority as the reference lists them. Do not hold the iterator across a change. */
  flows(request: FlowStatsRequest): Iterable<FlowStats>;
  /** The same as rows that are described one by one when their turn comes: a long list is held short. Their matches are packed. */
  flowRows?(request: FlowStatsRequest): { rows: readonly unknown[]; describe(row: unknown): FlowStats };
  aggregate(request: FlowStatsRequest): { packetCount: bigint; byteCount: bigint; flowCount: number };
  tableStats(): TableStats[];
  /** Eviction and vacancy of every table. */
  tableDescs?(): TableDesc[];
  /** Ports in ascending number, LOCAL last. */
  portDescs(): PortDesc[];
  portDesc(port: OfPort): PortDesc | undefined;
  /** One port, or all for OFPP.NONE; throws OFPBRC_BAD_PORT for a port that is not there. */
  portStats(port: OfPort): PortStats[];
  /** Queues exist once QoS is configured; empty until then. */
  queueStats(port: OfPort, queue: number): QueueStats[];

  /** Queues as configured, of one port or of all for OFPP.NONE. */
  queueConfigs?(port: OfPort): QueueConfig[];
  /** Geneve options bound to tun_metadata fields. */
  readonly tlvTable?: TlvTable;
  /** Whether a flow matches or changes one of these tun_metadata fields. */
  isOptionUsed?(fields: ReadonlySet<number>): boolean;
  /** Tracked connections are to be forgotten. */
  flushConnections?(request: ConnectionFlush): void;

  packetOut(request: PacketOutRequest): void;
  /** A barrier asks that frames meet what has changed, as far as that is quickly done. */
  catchUp?(): void;
  /** What flows see of IP fragments: no ports, nothing since they are dropped, or all there is. */
  setFragments?(handling: 'normal' | 'drop' | 'match'): void;
  /** Goes on with a frame that waited at a controller. */
  resume?(request: Resume, version: OfVersion): void;

  /**
   * Puts or removes a flow that no request can see or change, in table 0, with a priority above 65535: fail-open's NORMAL
   * and in-band control's rules. `priority` and `match` identify it; undefined actions remove it.
   */
  hiddenFlow(priority: number, match: Match, actions: readonly Action[] | undefined): void;
  /** Deletes every flow but hidden ones, every group and every meter without telling anyone, and puts back the NORMAL flow where a bridge without controllers has it. */
  flushFlows(): void;

  /** What `wantsPacketInOnMiss` gives may have changed: translations of misses are to be made again. */
  controlChanged?(): void;

  /** Expires flows that are due. The bridge calls it itself from a timer; tests may. */
  expire(): void;

  /** Changes one group, and takes the flows away that named one which goes. */
  groupMod(mod: GroupMod, sender?: Sender): void;
  /** One group, or all of them (OFPG_ALL) in ascending number. */
  groupDescs(group: number): GroupDesc[];
  groupStats(group: number): GroupStats[];

  /** Changes meters at once, and takes the flows away that named one which goes. */
  meterMod(mod: MeterMod, sender?: Sender): void;
  /** One meter, or all (OFPM_ALL) in ascending number; throws OFPMMFC_UNKNOWN_METER. */
  meterConfigs(meter: number): MeterConfig[];
  meterStats(meter: number): MeterStats[];
  meterFeatures(): MeterFeatures;

  /** Registers for events; the returned function ends that. */
  subscribe(events: BridgeEvents): () => void;
}

export interface QueueStats {
  port: OfPort;
  queue: number;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  durationSec: number;
  durationNsec: number;
}

/** A frame for the controllers, whole; each connection cuts, buffers, filters by its own configuration and numbers it. */
export interface PacketInEvent {
  frame: Uint8Array;
  reason: PacketInReason | number;
  table: number;
  cookie: bigint;
  /** Metadata: in_port, tunnel, registers, metadata, ct, mark. OpenFlow port numbers. */
  match: Match;
  /** `max_len` of the output action; 0xffff = whole, and undefined for a table miss, where the connection's miss_send_len counts. */
  maxLen: number | undefined;
  controllerId: number;
  userdata: Uint8Array | undefined;
  /** Nonzero: the meter that limits packet-ins of this action. */
  meterId: number;
  /** Opaque state to go on with after `resume`; set for `controller(pause)`. */
  continuation?: Continuation | undefined;
  /** For OFPT_PACKET_IN buffering: what `packetOut` needs besides the frame. */
  offload: FrameOffload;
  key: Key;
}

export interface FlowChangeEvent {
  change: 'added' | 'modified' | 'deleted';
  /** For `deleted`. */
  reason: FlowRemovedReason | undefined;
  flow: FlowStats;
  /** Of a modified flow, its actions until now. */
  before?: readonly Action[] | undefined;
  /** It was modified to be what it was. */
  isSame?: boolean | undefined;
  sender: Sender | undefined;
}

export interface BridgeEvents {
  /** A flow with send_flow_rem has gone. */
  onFlowRemoved?(removed: FlowRemoved): void;
  /** `before`: what a port that is modified was; versions differ in what they have words for. */
  onPortStatus?(reason: 'add' | 'delete' | 'modify', desc: PortDesc, before?: PortDesc): void;
  onPacketIn?(event: PacketInEvent): void;
  /** A table got full or has room again. */
  onTableStatus?(reason: 'vacancy_down' | 'vacancy_up', desc: TableDesc): void;
  /** Whether `onFlowChange` has anybody to tell; without it, yes. */
  wantsFlowChanges?(): boolean;
  /** Every change of a visible flow, for flow monitors. */
  onFlowChange?(event: FlowChangeEvent): void;
  /** All changes of a transaction have been told. */
  onFlowsSettled?(): void;
  /** A group mod has been applied, alone or in a bundle: for OFPT_REQUESTFORWARD to others than `sender`. */
  onGroupMod?(mod: GroupMod, sender: Sender | undefined): void;
  onMeterMod?(mod: MeterMod, sender: Sender | undefined): void;
  /** `settings` changed (datapath id, versions, fail mode). */
  onSettings?(): void;
}

/** What the bridge asks of its connections. */
export interface BridgeControl {
  controllersSet(requests: readonly ControllerRequest[]): void;
  controllers(): Iterable<ControllerStatus>;
  /** Opens NAME.mgmt and NAME.snoop; resolves when they accept connections. */
  listen(): Promise<void>;
  /** Whether a connected controller takes frames that no flow matched (OpenFlow 1.0 to 1.2). Asked at each translation that misses. */
  wantsPacketInOnMiss(): boolean;
  /** Drops connections to controllers and opens them again (`ovs-appctl bridge/reconnect`). */
  reconnect?(): void;
  /** Whether remotes are reached through the bridge itself. */
  readonly hasInBand?: boolean;
  /** Whether any controller is configured: without one, a standalone bridge gets its priority-0 NORMAL flow. */
  hasControllers(): boolean;
  close(): Promise<void>;
}

/** Exported by `connection-manager.ts` as `openControl`. */
export type OpenControl = (core: BridgeCore, environment: SwitchEnvironment) => BridgeControl;

/** A bridge of which nobody takes control: for tests and before connections exist. */
export const noControl: OpenControl = () => ({
  controllersSet: () => {},
  controllers: () => [],
  listen: () => Promise.resolve(),
  wantsPacketInOnMiss: () => false,
  hasControllers: () => false,
  close: () => Promise.resolve(),
});
