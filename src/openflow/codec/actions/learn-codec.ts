// The learn action's body (NXAST_LEARN and NXAST_LEARN2) with its flow-mod specifications. Facts: ovs-actions(7), "The learn action".
//
// A specification starts with 16 bits: 0x2000 = the source is an immediate, 0x1800 = what to do (0 match, 0x0800 load, 0x1000 output),
// 0x03ff = width. Then the source (immediate in whole 16-bit words, or header and offset), then for match and load the destination.
import { PeerError } from '../../../base/errors.ts';
import type { Action, LearnSpec, Subfield } from '../../action.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { decodeFixedHeader, decodeNxmHeader, encodeFixedHeader, encodeNxmHeader } from '../fields/subfield-codec.ts';

type Learn = Extract<Action, { kind: 'learn' }>;
const FLAG = { SEND_FLOW_REM: 1, DELETE_LEARNED: 2, WRITE_RESULT: 4 } as const;
const IMMEDIATE = 0x2000;
const DST = { match: 0, load: 0x0800, output: 0x1000 } as const;

const decodePart = (from: ByteReader, bits: number): Subfield => {
  const field = decodeFixedHeader(from);
  // Whether the field has such bits is asked when the flow is checked.
  return { field, offset: from.u16(), bits };
};

/** Reads a learn body after the subtype. */
export function decodeLearn(from: ByteReader, isLearn2: boolean): Learn {
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const priority = from.u16();
  const cookie = from.u64();
  const flags = from.u16();
  const table = from.u8();
  const padding = from.u8();
  const finIdleTimeoutSec = from.u16();
  const finHardTimeoutSec = from.u16();
  const limit = isLearn2 ? from.u32() : 0;
  const resultOffset = isLearn2 ? from.u16() : 0;
  if (isLearn2) from.zeros(2, 'NXBAC_MUST_BE_ZERO');
  const known = isLearn2 ? 7 : 3;
  if ((flags & ~known) !== 0 || table === 255 || padding !== 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn flags or table');
  const learn: Learn = {
    kind: 'learn',
    idleTimeoutSec,
    hardTimeoutSec,
    priority,
    cookie,
    table,
    finIdleTimeoutSec,
    finHardTimeoutSec,
    sendFlowRem: (flags & FLAG.SEND_FLOW_REM) !== 0,
    deleteLearned: (flags & FLAG.DELETE_LEARNED) !== 0,
    limit,
    specs: [],
  };
  if ((flags & FLAG.WRITE_RESULT) !== 0) {
    learn.resultDst = { field: decodeNxmHeader(from), offset: resultOffset, bits: 1 };
    if (!learn.resultDst.field.writable) throw new PeerError('OFPBAC_BAD_SET_ARGUMENT', 'learn result into what is read-only');
  } else if (resultOffset !== 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn result without a field');
  while (from.left >= 2) {
    const header = from.u16();
    if (header === 0) break;
    learn.specs.push(decodeSpec(from, header));
  }
  if (isLearn2 && !needsLearn2(learn)) learn.isLearn2 = true;
  for (const byte of from.rest()) if (byte !== 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn padding is not zero');
  return learn;
}

const SRC_BYTES = 6;

function decodeSpec(from: ByteReader, header: number): LearnSpec {
  const bits = header & 0x3ff;
  const dst = header & 0x1800;
  const isImmediate = (header & IMMEDIATE) !== 0;
  const immediateBytes = 2 * Math.ceil(bits / 16);
  // The last of four kinds of destination is none.
  if (dst === 0x1800) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn specification');
  const needed = (isImmediate ? immediateBytes : SRC_BYTES) + (dst === DST.match || dst === DST.load ? SRC_BYTES : 0);
  if (from.left < needed) throw new PeerError('OFPBAC_BAD_LEN', 'learn specification cut off');
  // Of an immediate the bytes count in which its bits are.
  const src = isImmediate ? BigInt.asUintN(8 * Math.ceil(bits / 8), from.big(immediateBytes)) : decodePart(from, bits);
  if (dst === DST.match || dst === DST.load) return { kind: dst === DST.match ? 'match' : 'load', bits, src, dst: decodePart(from, bits) };
  if (dst !== DST.output || typeof src === 'bigint') throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn specification');
  return { kind: 'output', bits, src };
}

/** Whether NXAST_LEARN2 is needed. */
export const needsLearn2 = (learn: Learn): boolean => learn.limit !== 0 || learn.resultDst !== undefined || learn.isLearn2 === true;

/** Writes a learn body after the subtype. */
export function encodeLearn(out: ByteWriter, learn: Learn): void {
  const flags =
    (learn.sendFlowRem ? FLAG.SEND_FLOW_REM : 0) |
    (learn.deleteLearned ? FLAG.DELETE_LEARNED : 0) |
    (learn.resultDst !== undefined ? FLAG.WRITE_RESULT : 0);
  out.u16(learn.idleTimeoutSec).u16(learn.hardTimeoutSec).u16(learn.priority).u64(learn.cookie);
  out.u16(flags).u8(learn.table).u8(0).u16(learn.finIdleTimeoutSec).u16(learn.finHardTimeoutSec);
  if (needsLearn2(learn)) {
    out
      .u32(learn.limit)
      .u16(learn.resultDst?.offset ?? 0)
      .u16(0);
    if (learn.resultDst !== undefined) encodeNxmHeader(out, learn.resultDst.field);
  }
  for (const spec of learn.specs) {
    const immediate = typeof spec.src === 'bigint';
    out.u16(spec.bits | DST[spec.kind] | (immediate ? IMMEDIATE : 0));
    if (typeof spec.src === 'bigint') {
      out.big(spec.src, 2 * Math.ceil(spec.bits / 16));
    } else {
      encodeFixedHeader(out, spec.src.field);
      out.u16(spec.src.offset);
    }
    if (spec.kind !== 'output') {
      encodeFixedHeader(out, spec.dst.field);
      out.u16(spec.dst.offset);
    }
  }
}
