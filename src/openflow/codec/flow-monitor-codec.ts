// Flow monitors on the wire: NXST_FLOW_MONITOR, ONFST_FLOW_MONITOR (EXT-187) and OFPMP_FLOW_MONITOR (OpenFlow 1.4.1 section 7.3.5.17).

import { PeerError } from '../../base/errors.ts';
import { type Action, OFPP } from '../action.ts';
import { type FlowMonitorRequest, type FlowUpdate, MONITOR, type MonitorUpdate } from '../flow-monitor.ts';
import type { FlowRemovedReason, OfVersion } from '../message.ts';
import { monitorLog as log } from '../peer-logs.ts';
import { portFromWire32 } from '../ports.ts';
import { decodeActions, encodeActions } from './actions/action-codec.ts';
import { contextOf } from './actions/action-context.ts';
import { decodeInstructions, encodeInstructions } from './actions/instruction-codec.ts';
import { listOf } from './actions/list-check.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { encodeOxmMatch } from './fields/oxm.ts';
import { decodeAnyMatch, decodeNxmMatch, encodeNxmMatch } from './match-codec.ts';
import { encodePort } from './port-codec.ts';

const ANY_GROUP = 0xffffffff;
const KNOWN_FLAGS = 0x3f;
const TELLING = MONITOR.ADD | MONITOR.DELETE | MONITOR.MODIFY;
const COMMANDS = ['add', 'modify', 'delete'] as const;
const REASONS: readonly FlowRemovedReason[] = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];
/** Events as numbered by Nicira and the ONF, and by OpenFlow 1.4. */
const EVENTS_NX = ['added', 'deleted', 'modified', 'abbrev'] as const;
const EVENTS_14 = ['initial', 'added', 'deleted', 'modified', 'abbrev', 'paused', 'resumed'] as const;

const isOwn14 = (version: OfVersion): boolean => version >= 5;

const nameOf = (version: OfVersion): string => `${version <= 3 ? 'NXST' : version === 4 ? 'ONFST' : 'OFPST'}_FLOW_MONITOR`;

function fault(code: string, text: string): never {
  log.warn(text);
  throw new PeerError(code, text);
}

/** `said` is what the message has, which OpenFlow 1.4 numbers otherwise. */
function checkFlags(flags: number, version: OfVersion, said = flags): void {
  if ((flags & ~KNOWN_FLAGS) === 0 && (flags & TELLING) !== 0) return;
  fault('OFPMOFC_BAD_FLAGS', `${nameOf(version)} has bad flags ${said === 0 ? '0' : `0x${said.toString(16)}`}`);
}

/** OpenFlow 1.4 has the bit for own changes one place higher; the reference knows nothing of the one between. */
const OWN_14 = 0x40;
const flagsFrom14 = (bits: number): number => {
  if ((bits & MONITOR.OWN) !== 0) return bits | (KNOWN_FLAGS + 1);
  return (bits & ~OWN_14) | ((bits & OWN_14) === 0 ? 0 : MONITOR.OWN);
};
const flagsTo14 = (flags: number): number => (flags & ~MONITOR.OWN) | ((flags & MONITOR.OWN) === 0 ? 0 : OWN_14);

/** Reads the requests of one message. */
export function decodeMonitorRequests(from: ByteReader, version: OfVersion): FlowMonitorRequest[] {
  return readList(from, () => {
    if (from.left < 16) fault('OFPBRC_BAD_LEN', `${nameOf(version)} request has ${from.left} leftover bytes at end`);
    const id = from.u32();
    if (isOwn14(version)) {
      const outPortWire = from.u32();
      const outGroup = from.u32();
      const said = from.u16();
      const flags = flagsFrom14(said);
      const table = from.u8();
      const command = COMMANDS[from.u8()] ?? 'none';
      // A deletion says nothing by them.
      if (command !== 'delete') checkFlags(flags, version, said);
      const outPort = command === 'delete' ? OFPP.NONE : portFromWire32(outPortWire, 'OFPBAC_BAD_OUT_PORT');
      const { match } = decodeAnyMatch(from);
      return { id, flags, outPort, outGroup, table, command, match };
    }
    const flags = from.u16();
    const isOnf = version >= 4;
    const first = from.u16();
    const second = isOnf ? from.u32() : from.u16();
    const length = isOnf ? first : second;
    const table = from.u8();
    checkFlags(flags, version);
    from.zeros(isOnf ? 3 : 5);
    const outPort = isOnf ? portFromWire32(second, 'OFPBAC_BAD_OUT_PORT') : first;
    const { match } = isOnf ? decodeAnyMatch(from) : decodeNxmMatch(from, length);
    return { id, flags, outPort, outGroup: ANY_GROUP, table, command: 'add', match };
  });
}

/** Writes the requests of one message. */
export function encodeMonitorRequests(out: ByteWriter, version: OfVersion, requests: readonly FlowMonitorRequest[]): void {
  for (const request of requests) {
    out.u32(request.id);
    if (isOwn14(version)) {
      encodePort(out, version, request.outPort);
      out
        .u32(request.outGroup)
        .u16(flagsTo14(request.flags))
        .u8(request.table)
        .u8((COMMANDS as readonly string[]).indexOf(request.command) & 0xff);
      encodeOxmMatch(out, request.match, version);
      continue;
    }
    out.u16(request.flags);
    if (version >= 4) {
      const lengthAt = out.size;
      out.u16(0);
      encodePort(out, version, request.outPort);
      out.u8(request.table).zeros(3);
      const start = out.size;
      encodeOxmMatch(out, request.match, version);
      out.patch16(lengthAt, lengthOfOxm(out, start));
      continue;
    }
    out.u16(request.outPort);
    const lengthAt = out.size;
    out.u16(0).u8(request.table).zeros(5);
    out.patch16(lengthAt, encodeNxmMatch(out, request.match));
  }
}

/** The length that an OXM match says of itself. */
const lengthOfOxm = (out: ByteWriter, start: number): number => {
  const bytes = out.result();
  return ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0);
};

/** Reads the updates of one message. */
export function decodeMonitorUpdates(from: ByteReader, version: OfVersion): MonitorUpdate[] {
  return readList(from, () => {
    const start = from.at;
    const length = from.u16();
    const left = from.left + 2;
    const short = (): never => fault('OFPBRC_BAD_LEN', `${nameOf(version)} reply has ${left} leftover bytes at end`);
    if (left < 4 || length % 8 !== 0 || length > left) short();
    const number = from.u16();
    const event = (isOwn14(version) ? EVENTS_14 : EVENTS_NX)[number];
    if (event === undefined) return fault('NXBRC_FM_BAD_EVENT', `NXST_FLOW_MONITOR reply has bad event ${number}`);
    if (event !== 'abbrev' && event !== 'paused' && event !== 'resumed') {
      if (length < FULL_SIZE) short();
      const end = start + length;
      return isOwn14(version) ? decodeFull14(from, end, version, event) : decodeFullNx(from, end, version, event);
    }
    if (length !== SHORT_SIZE) short();
    const body = from.sub(length - 4);
    return event === 'abbrev' ? { event, xid: body.u32() } : { event };
  });
}

const reasonOf = (number: number): FlowRemovedReason | number => REASONS[number] ?? number;
const numberOfReason = (reason: FlowRemovedReason | number): number => (typeof reason === 'number' ? reason : REASONS.indexOf(reason));

/** Bytes of an update that tells of no flow. */
const SHORT_SIZE = 8;
/** Bytes of a full update before its match, its header included. */
const FULL_SIZE = 24;

/** Instructions, or actions, up to `end`: a match says itself how long it is. */
function decodeRest(from: ByteReader, end: number, version: OfVersion, nx = false): Action[] {
  const size = end - from.at;
  return nx
    ? decodeActions(listOf(from, size, 'actions'), version)
    : decodeInstructions(listOf(from, size, 'instructions', 'OFPBIC_BAD_LEN'), version);
}

function decodeFullNx(from: ByteReader, end: number, version: OfVersion, event: FlowUpdate['event']): FlowUpdate {
  const reason = reasonOf(from.u16());
  const priority = from.u16();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const length = from.u16();
  const table = from.u8();
  from.skip(1);
  const cookie = from.u64();
  const isOnf = version >= 4;
  if (((length + 7) & ~7) > end - from.at) fault('OFPBRC_BAD_LEN', `${nameOf(version)} reply has ${from.left} leftover bytes at end`);
  const { match } = isOnf ? decodeAnyMatch(from) : decodeNxmMatch(from, length);
  const actions = decodeRest(from, end, version, !isOnf);
  return { event, reason, priority, idleTimeoutSec, hardTimeoutSec, table, cookie, match, actions };
}

function decodeFull14(from: ByteReader, end: number, version: OfVersion, event: FlowUpdate['event']): FlowUpdate {
  const table = from.u8();
  const reason = reasonOf(from.u8());
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const priority = from.u16();
  const cookie = from.skip(4).u64();
  const { match } = decodeAnyMatch(from);
  return { event, reason, priority, idleTimeoutSec, hardTimeoutSec, table, cookie, match, actions: decodeRest(from, end, version) };
}

/** Writes the updates of one message. */
export function encodeMonitorUpdates(out: ByteWriter, version: OfVersion, updates: readonly MonitorUpdate[]): void {
  for (const update of updates) {
    const start = out.size;
    out.u16(0);
    // Nicira and the ONF show what was there as what came.
    const known = !isOwn14(version) && update.event === 'initial' ? 'added' : update.event;
    out.u16((isOwn14(version) ? EVENTS_14 : EVENTS_NX).indexOf(known as 'added'));
    if (update.event === 'abbrev') out.u32(update.xid);
    else if (update.event === 'paused' || update.event === 'resumed') out.u32(0);
    else encodeFull(out, version, update);
    out.patch16(start, out.size - start);
  }
}

function encodeFull(out: ByteWriter, version: OfVersion, update: FlowUpdate): void {
  const { priority, idleTimeoutSec, hardTimeoutSec, table, cookie, match, actions } = update;
  const reason = update.event === 'deleted' ? numberOfReason(update.reason) : 0;
  if (isOwn14(version)) {
    out.u8(table).u8(reason).u16(idleTimeoutSec).u16(hardTimeoutSec).u16(priority).u32(0).u64(cookie);
    encodeOxmMatch(out, match, version);
    if (actions.length > 0) encodeInstructions(out, actions, version, contextOf(match));
    return;
  }
  out.u16(reason).u16(priority).u16(idleTimeoutSec).u16(hardTimeoutSec);
  const lengthAt = out.size;
  out.u16(0).u8(table).u8(0).u64(cookie);
  if (version >= 4) {
    const start = out.size;
    encodeOxmMatch(out, match, version);
    out.patch16(lengthAt, lengthOfOxm(out, start));
    if (actions.length > 0) encodeInstructions(out, actions, version, contextOf(match));
    return;
  }
  out.patch16(lengthAt, encodeNxmMatch(out, match));
  encodeActions(out, actions, version, contextOf(match));
}

/** Reads NXT_FLOW_MONITOR_CANCEL. */
export const decodeMonitorCancel = (from: ByteReader): { kind: 'flowMonitorCancel'; id: number } => ({
  kind: 'flowMonitorCancel',
  id: from.u32(),
});
