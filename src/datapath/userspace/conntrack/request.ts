// What the control plane asks of the tracker, as plain values that can cross to the frame path's thread, and the answers.
import type { FamilyStatus, Fragments, HeldStatus } from './fragments.ts';
import { type Connection, type ConnectionTable, MIRRORED } from './table.ts';
import { T, type Tuple, tupleProto } from './tuple.ts';

/** One connection as it is told. */
export interface CtEntry {
  original: Uint32Array;
  reply: Uint32Array;
  /** The tuple of the connection that announced it. */
  parent: Uint32Array | undefined;
  mark: number;
  label: Uint32Array;
  timeoutSec: number;
  helper: string;
  isOther: boolean;
  tcp: { states: readonly [number, number]; scales: readonly [number, number] } | undefined;
  /** Of protocols without a state machine of their own: 0 first, 1 more, 2 both ways. */
  state: number;
}

/** A tuple in the form of `dpctl/flush-conntrack`, undefined where it says nothing. */
export interface CtFilter {
  zone: number | undefined;
  original: Partial<CtFilterTuple> | undefined;
  reply: Partial<CtFilterTuple> | undefined;
}

export interface CtFilterTuple {
  source: readonly number[];
  destination: readonly number[];
  proto: number;
  sourcePort: number;
  destinationPort: number;
  icmpId: number;
  icmpType: number;
  icmpCode: number;
}

export type CtRequestMessage =
  | { kind: 'dump'; zone: number | undefined; most: number }
  | { kind: 'flush'; filter: CtFilter }
  | { kind: 'status' }
  | { kind: 'setMax'; max: number }
  | { kind: 'setSeqCheck'; isOn: boolean }
  | { kind: 'setLimits'; defaultLimit: number | undefined; zones: readonly (readonly [number, number])[] }
  | { kind: 'deleteLimits'; zones: readonly number[] }
  /** Of fragments: whether a family's are put together, how small they may be, how many there may be in all. */
  | { kind: 'setFragments'; family?: 'ipv4' | 'ipv6'; isOn?: boolean; minSize?: number; most?: number }
  | { kind: 'fragments' };

export interface CtAnswer {
  entries: CtEntry[];
  count: number;
  /** How many connections a flush ended. */
  flushed: number;
  max: number;
  checksSequences: boolean;
  defaultLimit: number | undefined;
  /** Zone, its own limit, connections. */
  zones: (readonly [number, number | undefined, number])[];
  /** When it was asked for. */
  fragments: FragmentStatus | undefined;
}

export interface FragmentStatus {
  ipv4: FamilyStatus;
  ipv6: FamilyStatus;
  most: number;
  count: number;
  held: HeldStatus[];
}

export function entryOf(connection: Connection, nowMs: number): CtEntry {
  const { tcp } = connection;
  return {
    original: connection.original.tuple,
    reply: connection.reply.tuple,
    parent: connection.parent?.original.tuple,
    mark: connection.mark,
    label: connection.label,
    timeoutSec: Math.max(0, Math.ceil((connection.expiresMs - nowMs) / 1000)),
    helper: connection.helper,
    isOther: tcp === undefined,
    state: connection.state,
    tcp:
      tcp === undefined
        ? undefined
        : { states: [tcp.peers[0].state, tcp.peers[1].state], scales: [tcp.peers[0].scale, tcp.peers[1].scale] },
  };
}

/** Whether a direction of a connection is what a filter says. */
export function matchesFilter(tuple: Tuple, filter: Partial<CtFilterTuple> | undefined): boolean {
  if (filter === undefined) return true;
  const same = (address: readonly number[] | undefined, at: number): boolean =>
    address === undefined || address.every((word, i) => word === tuple[at + i]);
  if (filter.proto !== undefined && filter.proto !== tupleProto(tuple)) return false;
  if (!same(filter.source, T.SRC) || !same(filter.destination, T.DST)) return false;
  const ports = tuple[T.PORTS]!;
  const isIcmp = tupleProto(tuple) === 1 || tupleProto(tuple) === 58;
  if (isIcmp) {
    if (filter.icmpId !== undefined && filter.icmpId !== ports >>> 16) return false;
    if (filter.icmpType !== undefined && filter.icmpType !== ((ports >>> 8) & 0xff)) return false;
    return filter.icmpCode === undefined || filter.icmpCode === (ports & 0xff);
  }
  if (filter.sourcePort !== undefined && filter.sourcePort !== ports >>> 16) return false;
  return filter.destinationPort === undefined || filter.destinationPort === (ports & 0xffff);
}

/** What is asked of a tracker. */
export interface Askable {
  readonly table: ConnectionTable;
  readonly fragments: Fragments;
  checksSequences: boolean;
  nowMs: number;
}

/** Carries out a request. */
export function answerRequest(tracker: Askable, request: CtRequestMessage): CtAnswer {
  const { table, nowMs } = tracker;
  const answer: CtAnswer = {
    entries: [],
    count: table.count,
    flushed: 0,
    max: table.maxConnections,
    checksSequences: tracker.checksSequences,
    defaultLimit: table.defaultLimit,
    zones: [],
    fragments: undefined,
  };
  switch (request.kind) {
    case 'dump':
      for (const connection of table.connections()) {
        if (connection.mirrored !== MIRRORED.NOT) table.mirror?.renew(connection, nowMs);
        if (connection.expiresMs <= nowMs) continue;
        if (request.zone !== undefined && connection.zone !== request.zone) continue;
        answer.entries.push(entryOf(connection, nowMs));
        if (answer.entries.length >= request.most) break;
      }
      break;
    case 'flush': {
      const { zone, original, reply } = request.filter;
      table.removeWhere(
        (one) =>
          (zone === undefined || one.zone === zone) && matchesFilter(one.original.tuple, original) && matchesFilter(one.reply.tuple, reply),
      );
      answer.flushed = answer.count - table.count;
      break;
    }
    case 'status':
      for (const zone of new Set([...table.zoneLimits.keys(), ...table.zoneCounts.keys()])) {
        answer.zones.push([zone, table.zoneLimits.get(zone), table.zoneCounts.get(zone) ?? 0]);
      }
      break;
    case 'setMax':
      table.maxConnections = request.max;
      break;
    case 'setSeqCheck':
      tracker.checksSequences = request.isOn;
      break;
    case 'setLimits':
      if (request.defaultLimit !== undefined) table.defaultLimit = request.defaultLimit;
      for (const [zone, limit] of request.zones) table.zoneLimits.set(zone, limit);
      break;
    case 'deleteLimits':
      for (const zone of request.zones) table.zoneLimits.delete(zone);
      break;
    case 'setFragments': {
      const { fragments } = tracker;
      const { family, isOn, minSize, most } = request;
      if (family !== undefined && isOn !== undefined) fragments[family].isOn = isOn;
      if (family !== undefined && minSize !== undefined) fragments[family].minSize = minSize;
      if (most !== undefined) fragments.most = most;
      break;
    }
    case 'fragments': {
      const { fragments } = tracker;
      const { ipv4, ipv6, most, count } = fragments;
      answer.fragments = { ipv4: { ...ipv4 }, ipv6: { ...ipv6 }, most, count, held: [...fragments.list()] };
      break;
    }
  }
  return answer;
}
