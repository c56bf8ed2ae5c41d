// Flow monitors: what a controller asks to hear of changes to flows, and what it is told. Nicira's extension of OpenFlow 1.0 to 1.2, ONF's of
// 1.3, and OpenFlow 1.4 on have the same things in other places.
import type { Match } from '../flow/key.ts';
import type { Action, OfPort } from './action.ts';
import type { FlowRemovedReason } from './message.ts';

/** Bits of a monitor's flags. `OWN`: own changes are told in full and not abbreviated. */
export const MONITOR = { INITIAL: 1, ADD: 2, DELETE: 4, MODIFY: 8, ACTIONS: 16, OWN: 32 } as const;

export interface FlowMonitorRequest {
  id: number;
  flags: number;
  outPort: OfPort;
  /** 0xffffffff = any. */
  outGroup: number;
  /** 255 = all. */
  table: number;
  /** `none`: of a number that there is not, which does nothing. */
  command: 'add' | 'modify' | 'delete' | 'none';
  match: Match;
}

/** A flow that was there (`initial`), came, changed or went. */
export interface FlowUpdate {
  event: 'initial' | 'added' | 'deleted' | 'modified';
  /** Why it went; 'idle', which is 0, for the others. */
  reason: FlowRemovedReason | number;
  priority: number;
  idleTimeoutSec: number;
  hardTimeoutSec: number;
  table: number;
  cookie: bigint;
  match: Match;
  /** Empty where they were not asked for. */
  actions: Action[];
}

/** What a monitor tells: a flow, a change of the listener's own by its transaction id, or that there was too much to tell. */
export type MonitorUpdate = FlowUpdate | { event: 'abbrev'; xid: number } | { event: 'paused' } | { event: 'resumed' };
