// The flow monitors of one connection. Changes are gathered while a transaction is told of and sent when it is over, so that a bundle or a
// deletion of many flows comes in one message.
//
//   telling --too much waits to be sent--> paused --all has been sent--> telling
//
// While paused, deletions of flows that the peer knows are still told; the rest is told when telling goes on: a flow that came meanwhile as
// added. So the peer always ends with the truth (ovs-ofctl(8) and OpenFlow 1.4.1 section 7.3.5.17).
import { PeerError } from '../../base/errors.ts';
import { matchAll } from '../../flow/key.ts';
import { maskCovers, type PackedValues, packMask, packValues, valuesAgree } from '../../flow/mask.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import { type FlowMonitorRequest, type FlowUpdate, MONITOR, type MonitorUpdate } from '../../openflow/flow-monitor.ts';
import type { FlowStats } from '../../openflow/message.ts';
import type { BridgeCore, FlowChangeEvent } from '../core.ts';
import { sendsTo, usesGroup } from '../tables/rule.ts';

const ALL_TABLES = 255;
const ANY_GROUP = 0xffffffff;
const MAX_MONITORS = 1024;

interface Monitor {
  request: FlowMonitorRequest;
  mask: ReturnType<typeof packMask>;
  values: PackedValues;
}

export class FlowMonitors {
  readonly #core: BridgeCore;
  readonly #monitors = new Map<number, Monitor>();
  #updates: MonitorUpdate[] = [];
  #abbreviated: number | undefined;
  /** While paused: what the peer has not been told of, by table, priority and match. */
  #missed: Map<string, 'new' | 'changed'> | undefined;

  constructor(core: BridgeCore) {
    this.#core = core;
  }

  get count(): number {
    return this.#monitors.size;
  }

  get isPaused(): boolean {
    return this.#missed !== undefined;
  }

  /**
   * Serves the requests of one message; gives what is there already. Where one is refused those that the others added or changed are gone, and
   * those that they deleted too, as in the reference.
   */
  request(requests: readonly FlowMonitorRequest[]): FlowUpdate[] {
    const made: number[] = [];
    try {
      for (const request of requests) {
        if (request.command === 'none') continue;
        const present = this.#monitors.has(request.id);
        if (request.command !== 'add' && !present) throw new PeerError('OFPMOFC_UNKNOWN_MONITOR', `no monitor ${request.id}`);
        if (request.command === 'delete') {
          this.#monitors.delete(request.id);
          continue;
        }
        if (request.command === 'add' && present) throw new PeerError('OFPMOFC_MONITOR_EXISTS', `monitor ${request.id} exists`);
        if (this.#monitors.size >= MAX_MONITORS) throw new PeerError('OFPMOFC_UNKNOWN', `${MAX_MONITORS} monitors`);
        if (request.table !== ALL_TABLES && request.table > this.#core.tableCount) {
          throw new PeerError('OFPBRC_BAD_TABLE_ID', `no table ${request.table}`);
        }
        const mask = packMask(request.match.mask);
        this.#monitors.set(request.id, { request, mask, values: packValues(mask, request.match.key) });
        made.push(request.id);
      }
    } catch (error) {
      for (const id of made) this.#monitors.delete(id);
      throw error;
    }
    // What another of the requests has changed or deleted again tells nothing.
    const present = new Map<string, { flow: FlowStats; hasActions: boolean }>();
    for (const id of new Set(made)) {
      const request = this.#monitors.get(id)?.request;
      if (request !== undefined && (request.flags & MONITOR.INITIAL) !== 0) this.#collect(request, present);
    }
    return [...present.values()].map(({ flow, hasActions }) => updateOf('initial', flow, hasActions));
  }

  /** Flows that are told at the beginning: each once, with its actions if one of the monitors wants them. */
  #collect(request: FlowMonitorRequest, present: Map<string, { flow: FlowStats; hasActions: boolean }>): void {
    const { match, table, outPort, outGroup, flags } = request;
    const wantsActions = (flags & MONITOR.ACTIONS) !== 0;
    for (const flow of this.#core.flows({ match, table, outPort, outGroup, cookie: 0n, cookieMask: 0n })) {
      const key = keyOf(flow);
      const known = present.get(key);
      if (known === undefined) present.set(key, { flow, hasActions: wantsActions });
      else known.hasActions ||= wantsActions;
    }
  }

  /** NXT_FLOW_MONITOR_CANCEL. */
  cancel(id: number): void {
    if (!this.#monitors.delete(id)) throw new PeerError('OFPMOFC_UNKNOWN_MONITOR', `no monitor ${id}`);
  }

  /** A flow has changed; `ownXid` is the transaction id when the peer itself asked for it. */
  changed(event: FlowChangeEvent, ownXid: number | undefined): void {
    if (this.#monitors.size === 0) return;
    const kind = event.change;
    const bit = kind === 'added' ? MONITOR.ADD : kind === 'deleted' ? MONITOR.DELETE : MONITOR.MODIFY;
    let flags = 0;
    let isWanted = false;
    for (const monitor of this.#monitors.values()) {
      if ((monitor.request.flags & bit) === 0 || !this.#concerns(monitor, event)) continue;
      isWanted = true;
      flags |= monitor.request.flags;
    }
    if (!isWanted) return;
    if (this.#missed !== undefined) {
      const key = keyOf(event.flow);
      const missed = this.#missed.get(key);
      if (kind !== 'deleted') {
        // As in the reference, a flow that was changed is one that the peer knows of, though it came meanwhile.
        this.#missed.set(key, kind === 'added' ? (missed ?? 'new') : 'changed');
        return;
      }
      this.#missed.delete(key);
      if (missed === 'new') return;
    }
    // What stays as it was tells nobody anything; above, as in the reference, it counts.
    if (event.isSame === true) return;
    if (ownXid !== undefined && (flags & MONITOR.OWN) === 0) {
      if (this.#abbreviated === ownXid) return;
      this.#abbreviated = ownXid;
      this.#updates.push({ event: 'abbrev', xid: ownXid });
      return;
    }
    const update = updateOf(kind, event.flow, (flags & MONITOR.ACTIONS) !== 0);
    if (kind === 'deleted') update.reason = event.reason ?? 'delete';
    this.#updates.push(update);
  }

  /** What has gathered since this was last asked. */
  take(): MonitorUpdate[] {
    const updates = this.#updates;
    this.#updates = [];
    this.#abbreviated = undefined;
    return updates;
  }

  /** Stops telling of what comes and changes. */
  pause(): void {
    this.#missed = new Map();
  }

  /** Goes on: what has come or changed meanwhile. */
  resume(): FlowUpdate[] {
    const missed = this.#missed ?? new Map<string, 'new' | 'changed'>();
    this.#missed = undefined;
    const updates: FlowUpdate[] = [];
    if (missed.size === 0) return updates;
    const everything = { match: matchAll(), table: ALL_TABLES, outPort: OFPP.NONE, outGroup: ANY_GROUP, cookie: 0n, cookieMask: 0n };
    const shows = [...this.#monitors.values()].some(({ request }) => (request.flags & MONITOR.ACTIONS) !== 0);
    for (const flow of this.#core.flows(everything)) {
      const how = missed.get(keyOf(flow));
      if (how !== undefined) updates.push(updateOf(how === 'new' ? 'added' : 'modified', flow, shows));
    }
    return updates;
  }

  clear(): void {
    this.#monitors.clear();
    this.#updates = [];
    this.#missed = undefined;
  }

  #concerns({ request, mask, values }: Monitor, { flow, before }: FlowChangeEvent): boolean {
    if (request.table !== ALL_TABLES && request.table !== flow.table) return false;
    if (request.outPort !== OFPP.NONE && !either(flow.actions, before, (actions) => sendsTo(actions, request.outPort))) return false;
    if (request.outGroup !== ANY_GROUP && !either(flow.actions, before, (actions) => usesGroup(actions, request.outGroup))) return false;
    const own = packMask(flow.match.mask);
    return maskCovers(own, mask) && valuesAgree(own, packValues(own, flow.match.key), mask, values);
  }
}

const either = (now: readonly Action[], before: readonly Action[] | undefined, holds: (actions: readonly Action[]) => boolean): boolean =>
  holds(now) || (before !== undefined && holds(before));

const keyOf = (flow: FlowStats): string => `${flow.table}/${flow.priority}/${flow.match.key.join()}/${flow.match.mask.join()}`;

function updateOf(event: FlowUpdate['event'], flow: FlowStats, showsActions: boolean): FlowUpdate {
  const { priority, idleTimeoutSec, hardTimeoutSec, table, cookie, match } = flow;
  const actions = showsActions ? [...flow.actions] : [];
  return { event, reason: 'idle', priority, idleTimeoutSec, hardTimeoutSec, table, cookie, match, actions };
}
