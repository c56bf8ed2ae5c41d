// Flow-removed. OpenFlow 1.0.0 section 5.4.3; OpenFlow 1.3.5 section 7.4.2.
import { PeerError } from '../../base/errors.ts';
import type { FlowRemoved, FlowRemovedReason, OfVersion } from '../message.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOfp10Match, encodeOfp10Match } from './fields/ofp10-match.ts';
import { encodeOxmMatch } from './fields/oxm.ts';
import { decodeOxs, encodeOxs } from './fields/oxs.ts';
import { decodeAnyMatch, decodeNxmMatch, encodeAnyMatch, encodeNxmMatch } from './match-codec.ts';

export const REMOVED_REASONS: readonly FlowRemovedReason[] = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];

const removedReason = (number: number): FlowRemovedReason | number => REMOVED_REASONS[number] ?? number;

const numberOfReason = (reason: FlowRemovedReason | number): number =>
  typeof reason === 'number' ? reason : REMOVED_REASONS.indexOf(reason);

/** Reads OFPT_FLOW_REMOVED. */
export function decodeFlowRemoved(from: ByteReader, version: OfVersion): FlowRemoved {
  if (version === 1) {
    const match = decodeOfp10Match(from);
    const cookie = from.u64();
    const priority = from.u16();
    const reason = removedReason(from.u8());
    from.skip(1);
    const durationSec = from.u32();
    const durationNsec = from.u32();
    const idleTimeoutSec = from.u16();
    from.skip(2);
    const counters = { packetCount: from.u64(), byteCount: from.u64() };
    return {
      kind: 'flowRemoved',
      match,
      priority,
      cookie,
      reason,
      table: 255,
      durationSec,
      durationNsec,
      idleTimeoutSec,
      hardTimeoutSec: 0,
      ...counters,
    };
  }
  if (version === 6) return decodeFlowRemoved15(from);
  const cookie = from.u64();
  const priority = from.u16();
  const reason = removedReason(from.u8());
  const table = from.u8();
  const durationSec = from.u32();
  const durationNsec = from.u32();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const packetCount = from.u64();
  const byteCount = from.u64();
  const match = decodeAnyMatch(from).match;
  return {
    kind: 'flowRemoved',
    match,
    priority,
    cookie,
    reason,
    table,
    durationSec,
    durationNsec,
    idleTimeoutSec,
    hardTimeoutSec,
    packetCount,
    byteCount,
  };
}

function decodeFlowRemoved15(from: ByteReader): FlowRemoved {
  const table = from.u8();
  const reason = removedReason(from.u8());
  const priority = from.u16();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const cookie = from.u64();
  const match = decodeAnyMatch(from).match;
  const s = decodeOxs(from);
  return { kind: 'flowRemoved', match, priority, cookie, reason, table, idleTimeoutSec, hardTimeoutSec, ...s };
}

/** Reads NXT_FLOW_REMOVED. */
export function decodeNxFlowRemoved(from: ByteReader): FlowRemoved {
  const cookie = from.u64();
  const priority = from.u16();
  const reason = removedReason(from.u8());
  const tablePlusOne = from.u8();
  const durationSec = from.u32();
  const durationNsec = from.u32();
  const idleTimeoutSec = from.u16();
  const matchLength = from.u16();
  const packetCount = from.u64();
  const byteCount = from.u64();
  const match = decodeNxmMatch(from, matchLength).match;
  if (from.left > 0) throw new PeerError('OFPBRC_BAD_LEN', `${from.left} bytes after the match`);
  const table = tablePlusOne === 0 ? 255 : tablePlusOne - 1;
  return {
    kind: 'flowRemoved',
    match,
    priority,
    cookie,
    reason,
    table,
    durationSec,
    durationNsec,
    idleTimeoutSec,
    hardTimeoutSec: 0,
    packetCount,
    byteCount,
  };
}

/** Writes OFPT_FLOW_REMOVED. */
export function encodeFlowRemoved(out: ByteWriter, version: OfVersion, m: FlowRemoved): void {
  const reason = numberOfReason(m.reason);
  if (version === 1) {
    encodeOfp10Match(out, m.match);
    out.u64(m.cookie).u16(m.priority).u8(Math.min(reason, 2)).u8(0).u32(m.durationSec).u32(m.durationNsec);
    out.u16(m.idleTimeoutSec).u16(0).u64(m.packetCount).u64(m.byteCount);
    return;
  }
  if (version === 6) {
    out.u8(m.table).u8(reason).u16(m.priority).u16(m.idleTimeoutSec).u16(m.hardTimeoutSec).u64(m.cookie);
    encodeOxmMatch(out, m.match, version);
    encodeOxs(out, m);
    return;
  }
  out.u64(m.cookie).u16(m.priority).u8(reason).u8(m.table).u32(m.durationSec).u32(m.durationNsec);
  out.u16(m.idleTimeoutSec).u16(m.hardTimeoutSec).u64(m.packetCount).u64(m.byteCount);
  encodeAnyMatch(out, m.match, version);
}

/** Writes what follows the subtype of NXT_FLOW_REMOVED. */
export function encodeNxFlowRemoved(out: ByteWriter, m: FlowRemoved): void {
  out
    .u64(m.cookie)
    .u16(m.priority)
    .u8(numberOfReason(m.reason))
    .u8((m.table + 1) & 0xff);
  out.u32(m.durationSec).u32(m.durationNsec).u16(m.idleTimeoutSec);
  const lengthAt = out.size;
  out.u16(0).u64(m.packetCount).u64(m.byteCount);
  const length = encodeNxmMatch(out, m.match);
  out.patch16(lengthAt, length);
}
