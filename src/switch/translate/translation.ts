// What translation is given and gives.

import type { DpAction, DpNat } from '../../datapath/datapath.ts';
import type { Key, Match } from '../../flow/key.ts';
import type { Action, PacketInReason, Subfield } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import type { Announcement } from '../../protocols/mac-learning.ts';
import type { BridgeState } from '../bridge-state.ts';
import type { Mirror } from '../mirrors.ts';
import type { PortBundle, SwitchPort } from '../ports.ts';
import type { FlowTable } from '../tables/flow-table.ts';
import type { Group } from '../tables/group-table.ts';
import type { FlowRule } from '../tables/rule.ts';
import type { FrozenState, RecircStore } from './frozen.ts';

/** Side effects of traffic of a megaflow, replayed each time its counters move. */
export type Effect =
  | { kind: 'lookup'; table: FlowTable; rule: FlowRule | undefined }
  /** No flow matched; the rule is one of the bridge's own. */
  | { kind: 'miss'; rule: FlowRule }
  | { kind: 'learn'; bridge: BridgeState; vlan: number; high: number; low: number; bundle: PortBundle; announcement: Announcement }
  | { kind: 'mirror'; mirror: Mirror }
  | { kind: 'port'; port: SwitchPort; direction: 'rx' | 'tx' }
  /** A flow that the frames of this megaflow teach; `limit` counts the flows of `cookie` in its table, 0 = none. */
  | { kind: 'learnFlow'; bridge: BridgeState; mod: FlowMod; limit: number }
  /** A frame that ends a TCP connection shortens the timeouts of the rule. */
  | { kind: 'finTimeout'; bridge: BridgeState; rule: FlowRule; idleTimeoutSec: number; hardTimeoutSec: number }
  /** Counts for a bucket of a group; undefined: for all of them. */
  | { kind: 'group'; group: Group; bucket: number | undefined }
  /** Something else that a frame sets off. */
  | { kind: 'call'; fn: () => void }
  /** The id must stay known while the megaflow is there. */
  | { kind: 'recirc'; id: number };

/** A recirculation that a translation put out. */
export interface Recirculation {
  id: number;
  /** The key at that point. */
  key: Key;
  /** Present when connection tracking comes first. */
  ct: { zone: number; nat: DpNat | undefined } | undefined;
}

/** What a frame sent to the controllers carries besides itself. */
export interface ControllerSend {
  bridge: BridgeState;
  reason: PacketInReason | number;
  table: number;
  cookie: bigint;
  match: Match;
  /** Whether the walk knew what connection tracking says of the frame; else nobody is told. */
  isConntracked: boolean;
  /** Undefined for a table miss. */
  maxLen: number | undefined;
  controllerId: number;
  userdata: Uint8Array | undefined;
  meterId: number;
  /** Of `controller(pause)`: where to go on when the controller gives the frame back. */
  continuation: FrozenState | undefined;
}

/** Gives out the numbers that userspace actions carry. */
export interface SendStore {
  put(send: ControllerSend): number;
  readonly recirculations: RecircStore;
}

/** A step of `ofproto/trace`, nested as the reference prints it. */
export interface TraceNode {
  kind: 'bridge' | 'table' | 'thaw' | 'action' | 'detail' | 'warn' | 'error';
  text: string;
  subs: TraceNode[];
}

export interface TraceText {
  rule(rule: FlowRule): string;
  actions(actions: readonly Action[]): string;
  /** What a part of a field holds now. */
  value(part: Subfield, key: Key): string;
}

export interface TranslateRequest {
  bridge: BridgeState;
  /** Words below DP_END as extracted, with the OpenFlow port in W.IN_PORT. Not changed. */
  key: Key;
  /** Instead of table 0, as packet-out does. */
  actions?: readonly Action[];
  /** Where to go on; `bridge` is that state's. */
  frozen?: FrozenState | undefined;
  /** The frame is there, whose effects will be applied; without it learning only says what it would do. */
  hasFrame?: boolean;
  nowMs: number;
  sends: SendStore;
  /** Present when the frame came through a tunnel port. */
  isTunnelled: boolean;
  /** `isLearning`: effects will be applied, and the trace says so. */
  trace?: { root: TraceNode[]; text: TraceText; isLearning: boolean };
}

export interface Translation {
  actions: DpAction[];
  /** Bits of the datapath key that the actions depend on; the input port word stands for the datapath's. */
  mask: Key;
  effects: Effect[];
  /** Whether the tag was read; that one is there or not is in the mask anyhow. */
  isVlanRead: boolean;
  /** The key at the end of the walk. */
  finalKey: Key;
  /** Of a walk that was given up: all that it read, the fields of the tables too; only the trace shows it. */
  readUntilError: Key | undefined;
  /** Of a traced walk through a tunnel's frame: what it read of options, in the places of the tables. */
  optionsRead?: Key;
  recirculations: readonly Recirculation[];
  /** On a simulated datapath: the switch itself is to do this, frame by frame. */
  isSlow: boolean;
  /** Why the walk was given up; the frame is dropped then. */
  error: string | undefined;
}
