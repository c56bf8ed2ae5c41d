// OpenFlow messages as values, independent of the version on the wire. `decode` gives one of these with the version it came in;
// `encode` writes one for a version. Raw layouts, type numbers and errors are in the codec's tables, not here.
import type { PeerError } from '../base/errors.ts';
import type { Field } from '../flow/fields.ts';
import type { Match } from '../flow/key.ts';
import type { PackedMatch } from '../flow/mask.ts';
import type { Action, OfPort, PacketInReason } from './action.ts';
import type { CtTuple } from './conntrack.ts';
import type { FittingActions } from './fitting-actions.ts';
import type { FlowMonitorRequest, MonitorUpdate } from './flow-monitor.ts';
import type { GroupFeatures, GroupMod, GroupStats, ReadGroupDesc } from './group.ts';
import type { IpfixStats } from './ipfix.ts';
import type { MeterConfig, MeterFeatures, MeterMod, MeterStats } from './meter.ts';
import type { QueueConfig, TableDesc, TableSettings } from './table.ts';
import type { TableFeatures } from './table-features.ts';
import type { TlvMap } from './tlv-table.ts';

/** Wire version numbers: 1 = OpenFlow 1.0 ... 6 = OpenFlow 1.5. */
export type OfVersion = 1 | 2 | 3 | 4 | 5 | 6;

/** A field that a text named, and under what mask, which is none for an asterisk: these decide which formats can carry a message. */
export interface NamedField {
  field: Field;
  mask: bigint | undefined;
}

export type FlowModCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';

export interface FlowModFlags {
  sendFlowRem: boolean;
  checkOverlap: boolean;
  resetCounts: boolean;
  noPacketCounts: boolean;
  noByteCounts: boolean;
}

export interface FlowMod {
  kind: 'flowMod';
  command: FlowModCommand;
  match: Match;
  /** Stands for `match`, in a small form, in a switch. */
  packed?: PackedMatch;
  /** What fits the match, and all that are alike. */
  fitting?: FittingActions;
  priority: number;
  /** Cookie to match in modify and delete; a zero mask matches all. */
  cookie: bigint;
  cookieMask: bigint;
  /** Cookie to store; undefined keeps the present one in a modify. */
  newCookie: bigint | undefined;
  /** A modification that finds something leaves its cookie alone: `newCookie` is for what it adds. */
  keepsCookie?: boolean;
  /** 255 = all tables (delete) or the first (add). */
  table: number;
  idleTimeoutSec: number;
  hardTimeoutSec: number;
  importance: number;
  bufferId: number; // 0xffffffff = none
  outPort: OfPort; // OFPP.NONE = any
  outGroup: number; // 0xffffffff = any
  flags: FlowModFlags;
  actions: Action[];
  /** Whether it matches a part of a field that has none: no format can carry that. */
  isUnsayable?: boolean;
  /** What its text named. */
  named?: readonly NamedField[];
  /** Its text named a group, be it any. */
  namesGroup?: boolean;
}

export interface PacketIn {
  kind: 'packetIn';
  bufferId: number;
  /** Length of the whole frame; `data` may be shorter. */
  totalLength: number;
  /** A number where it has no name. */
  reason: PacketInReason | number;
  table: number;
  cookie: bigint;
  /** in_port, tunnel fields, registers, metadata and the other metadata of the frame. */
  match: Match;
  data: Uint8Array;
  userdata?: Uint8Array;
  continuation?: Uint8Array;
  controllerId?: number;
}

/** A paused packet that a controller sends back. */
export type Resume = Omit<PacketIn, 'kind'> & { kind: 'resume' };

export interface PacketOut {
  kind: 'packetOut';
  bufferId: number;
  match: Match; // in_port at least
  actions: Action[];
  data: Uint8Array;
  /** What its text named beside the port. */
  named?: readonly NamedField[];
}

export type FlowRemovedReason = 'idle' | 'hard' | 'delete' | 'group_delete' | 'meter_delete' | 'eviction';

export interface FlowRemoved {
  kind: 'flowRemoved';
  match: Match;
  priority: number;
  cookie: bigint;
  /** A number where it has no name. */
  reason: FlowRemovedReason | number;
  table: number;
  durationSec: number;
  durationNsec: number;
  idleTimeoutSec: number;
  hardTimeoutSec: number;
  packetCount: bigint;
  byteCount: bigint;
}

/** A port as OFPT_FEATURES_REPLY, port description and port status show it. Bits are OpenFlow 1.1's (ovs-ofctl(8) `show`). */
export interface PortDesc {
  port: OfPort;
  mac: readonly [number, number];
  name: string;
  /** 1 port_down, 2 no_stp, 4 no_recv, 8 no_recv_stp, 16 no_flood, 32 no_fwd, 64 no_packet_in */
  config: number;
  /** 1 link_down, 2 blocked, 4 live; STP state in bits 8-9 (OpenFlow 1.0) */
  state: number;
  /** Feature bits as OpenFlow 1.1: 10MB_HD=1 ... 1TB_FD=0x200, OTHER=0x400, COPPER=0x800, FIBER=0x1000, AUTONEG=0x2000, PAUSE, PAUSE_ASYM */
  current: number;
  advertised: number;
  supported: number;
  peer: number;
  currentSpeedKbps: number;
  maxSpeedKbps: number;
}

export interface FlowStats {
  match: Match;
  /** Stands for `match`, in a small form, in a list that a switch tells. */
  packed?: PackedMatch | undefined;
  priority: number;
  cookie: bigint;
  table: number;
  durationSec: number;
  durationNsec: number;
  idleTimeoutSec: number;
  hardTimeoutSec: number;
  idleAgeSec: number;
  hardAgeSec: number;
  importance: number;
  /** All ones = unknown. */
  packetCount: bigint;
  byteCount: bigint;
  flags: FlowModFlags;
  actions: Action[];
}

export interface FlowStatsRequest {
  match: Match;
  table: number;
  outPort: OfPort;
  outGroup: number;
  cookie: bigint;
  cookieMask: bigint;
}

/** All ones in a counter means "not supported". */
export interface PortStats {
  port: OfPort;
  rxPackets: bigint;
  txPackets: bigint;
  rxBytes: bigint;
  txBytes: bigint;
  rxDropped: bigint;
  txDropped: bigint;
  rxErrors: bigint;
  txErrors: bigint;
  rxFrameErr: bigint;
  rxOverErr: bigint;
  rxCrcErr: bigint;
  collisions: bigint;
  durationSec: number;
  durationNsec: number;
  /** RFC 2819's counters, in the order of `RFC2819_COUNTERS`. */
  rfc2819?: bigint[];
  /** Counters of the port's own, by name. */
  custom?: { name: string; value: bigint }[];
}

export interface TableStats {
  table: number;
  name: string;
  maxEntries: number;
  activeCount: number;
  lookupCount: bigint;
  matchedCount: bigint;
  /** What becomes of frames that no flow matches, for OpenFlow 1.1 and 1.2: 1 to the controller, 2 to the next table, 3 dropped, 0 nothing said. */
  miss?: number;
  /** What OpenFlow 1.0 to 1.2 tell beside the numbers; read alone. */
  features?: TableFeatures;
}

/** Why a controller has another role; undefined for what the specification does not name. */
export type RoleReason = 'primary_request' | 'configuration_changed' | 'experimenter_data_changed';

export type Role = 'nochange' | 'equal' | 'primary' | 'secondary';

/** Bundle control types by number: an even one asks, the odd one after it answers. */
export const BUNDLE = { OPEN: 0, CLOSE: 2, COMMIT: 4, DISCARD: 6, ATOMIC: 1, ORDERED: 2 } as const;
export type BundleType = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** Every message. A request and its reply are two kinds; multipart bodies that arrive in parts each carry `more`. */
export type Message =
  /** Bit n of `versions` is version n; `hasUnknown`: there were elements that could not be understood. */
  | { kind: 'hello'; versions: number; hasUnknown?: boolean }
  | { kind: 'error'; type: number; code: number; experimenter: number; data: Uint8Array; name?: string }
  | { kind: 'echoRequest' | 'echoReply'; data: Uint8Array }
  | { kind: 'featuresRequest' }
  | {
      kind: 'featuresReply';
      datapathId: bigint;
      buffers: number;
      tables: number;
      auxiliaryId: number;
      capabilities: number;
      actions: number;
      ports?: PortDesc[];
    }
  | { kind: 'getConfigRequest' }
  | { kind: 'getConfigReply' | 'setConfig'; flags: number; missSendLength: number }
  | { kind: 'barrierRequest' }
  | { kind: 'barrierReply' }
  | FlowMod
  | PacketIn
  | Resume
  | PacketOut
  | FlowRemoved
  | { kind: 'portStatus'; reason: 'add' | 'delete' | 'modify'; desc: PortDesc }
  | { kind: 'portMod'; port: OfPort; mac: readonly [number, number]; config: number; mask: number; advertise: number }
  | { kind: 'tableMod'; table: number; missConfig: number; settings?: TableSettings }
  | { kind: 'tableDescRequest' }
  | { kind: 'tableDescReply'; tables: TableDesc[]; more: boolean }
  | { kind: 'tableStatus'; reason: 'vacancy_down' | 'vacancy_up'; desc: TableDesc }
  | { kind: 'queueConfigRequest'; port: OfPort; queue: number }
  | { kind: 'queueConfigReply'; port: OfPort; queues: QueueConfig[]; more: boolean }
  | { kind: 'roleStatus'; role: Role; reason: RoleReason | undefined; generationId: bigint | undefined }
  /** `inner` is a whole group or meter modification that another controller sent. */
  | { kind: 'requestForward'; inner: Uint8Array }
  | { kind: 'flowAge' }
  | Resume
  | { kind: 'ipfixBridgeRequest' | 'ipfixFlowRequest' }
  | { kind: 'ipfixBridgeReply'; stats: IpfixStats }
  | { kind: 'ipfixFlowReply'; stats: IpfixStats[]; more: boolean }
  | { kind: 'tableFeaturesRequest'; tables: TableFeatures[] }
  | { kind: 'tableFeaturesReply'; tables: TableFeatures[]; more: boolean }
  | { kind: 'ctFlushZone'; zone: number }
  | { kind: 'ctFlush'; proto: number; zone: number | undefined; original: CtTuple; reply: CtTuple }
  | { kind: 'roleRequest' | 'roleReply'; role: Role; generationId: bigint | undefined }
  | { kind: 'setAsync'; masks: Map<string, number> }
  | { kind: 'getAsyncRequest' }
  | { kind: 'getAsyncReply'; masks: Map<string, number> }
  | { kind: 'setPacketInFormat'; format: number }
  | { kind: 'setFlowFormat'; format: number }
  | { kind: 'flowModTableId'; enabled: boolean }
  | { kind: 'setControllerId'; controllerId: number }
  | { kind: 'descRequest' }
  | { kind: 'descReply'; manufacturer: string; hardware: string; software: string; serial: string; datapath: string; more: boolean }
  | { kind: 'flowStatsRequest' | 'aggregateRequest'; request: FlowStatsRequest }
  | { kind: 'flowStatsReply'; flows: FlowStats[]; more: boolean }
  | { kind: 'aggregateReply'; packetCount: bigint; byteCount: bigint; flowCount: number }
  | { kind: 'tableStatsRequest' }
  | { kind: 'tableStatsReply'; tables: TableStats[]; more: boolean }
  | { kind: 'portStatsRequest'; port: OfPort }
  | { kind: 'portStatsReply'; ports: PortStats[]; more: boolean }
  | { kind: 'portDescRequest'; port: OfPort }
  | { kind: 'portDescReply'; ports: PortDesc[]; more: boolean }
  | { kind: 'queueStatsRequest'; port: OfPort; queue: number }
  | {
      kind: 'queueStatsReply';
      queues: {
        port: OfPort;
        queue: number;
        txBytes: bigint;
        txPackets: bigint;
        txErrors: bigint;
        durationSec: number;
        durationNsec: number;
      }[];
      more: boolean;
    }
  | GroupMod
  | { kind: 'groupStatsRequest' | 'groupDescRequest'; group: number }
  | { kind: 'groupStatsReply'; groups: GroupStats[]; more: boolean }
  | { kind: 'groupDescReply'; groups: ReadGroupDesc[]; more: boolean }
  | { kind: 'groupFeaturesRequest' }
  | { kind: 'groupFeaturesReply'; features: GroupFeatures }
  | MeterMod
  | { kind: 'meterStatsRequest' | 'meterConfigRequest'; meter: number }
  | { kind: 'meterStatsReply'; meters: MeterStats[]; more: boolean }
  | { kind: 'meterConfigReply'; meters: MeterConfig[]; more: boolean }
  | { kind: 'meterFeaturesRequest' }
  | { kind: 'meterFeaturesReply'; features: MeterFeatures }
  | { kind: 'tlvTableMod'; command: 'add' | 'delete' | 'clear'; maps: TlvMap[] }
  | { kind: 'tlvTableRequest' }
  | { kind: 'tlvTableReply'; maxSpace: number; maxFields: number; maps: TlvMap[] }
  | { kind: 'flowMonitorRequest'; requests: FlowMonitorRequest[] }
  | { kind: 'flowMonitorReply'; updates: MonitorUpdate[]; more: boolean }
  | { kind: 'flowMonitorCancel'; id: number }
  | { kind: 'flowMonitorPaused' }
  | { kind: 'flowMonitorResumed' }
  | { kind: 'bundleControl'; bundleId: number; type: BundleType; flags: number }
  /** `inner` is a whole message with the version and transaction id of this one. */
  /** `decoded` stands for `inner` where both were read at once; it may be the fault in it. */
  | { kind: 'bundleAdd'; bundleId: number; flags: number; inner: Uint8Array; decoded?: FlowMod | PeerError }
  | { kind: 'unknown'; type: number; experimenter: number; subtype: number; body: Uint8Array };

export type MessageKind = Message['kind'];

/** A message with its header. */
export interface Framed {
  version: OfVersion;
  xid: number;
  message: Message;
  /** How the message is called on the wire, when it came from there: `OFPST_FLOW reply`, `NXST_FLOW reply`. */
  name?: string;
  /** Flags of a multipart message that came from the wire. */
  multipartFlags?: number;
  /** The fault behind what is shown of a message that is not sound. */
  fault?: string;
}
