// The learn action's body (NXAST_LEARN and NXAST_LEARN2) with its flow-mod specifications. Facts: ovs-actions(7), "The learn action".
//
// A specification starts with 16 bits: 0x2000 = the source is an immediate, 0x1800 = what to do (0 match, 0x0800 load, 0x1000 output),
// 0x07ff = width. Then the source (immediate in whole 16-bit words, or header and offset), then for match and load the destination.
import { PeerError } from '../../base/errors.ts';
import type { Action, LearnSpec, Subfield } from '../action.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import {
  decodeFixedHeader,
  decodeNxmHeader,
  encodeFixedHeader,
  encodeNxmHeader,
  packBits,
  subfield,
  subfieldFromPacked,
} from './subfield-codec.ts';

type Learn = Extract<Action, { kind: 'learn' }>;
const FLAG = { SEND_FLOW_REM: 1, DELETE_LEARNED: 2, WRITE_RESULT: 4 } as const;
const IMMEDIATE = 0x2000;
const DST = { match: 0, load: 0x0800, output: 0x1000 } as const;

const decodePart = (from: ByteReader, bits: number): Subfield => {
  const field = decodeFixedHeader(from);
  return subfield(field, from.u16(), bits);
};

/** Reads a learn body after the subtype. */
export function decodeLearn(from: ByteReader, isLearn2: boolean): Learn {
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const priority = from.u16();
  const cookie = from.u64();
  const flags = from.u16();
  const table = from.u8();
  from.zeros(1, isLearn2 ? 'NXBAC_MUST_BE_ZERO' : 'OFPBAC_BAD_ARGUMENT');
  const known = isLearn2 ? 7 : 3;
  if ((flags & ~known) !== 0 || table === 255) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn flags or table');
  const learn: Learn = {
    kind: 'learn',
    idleTimeoutSec,
    hardTimeoutSec,
    priority,
    cookie,
    table,
    finIdleTimeoutSec: from.u16(),
    finHardTimeoutSec: from.u16(),
    sendFlowRem: (flags & FLAG.SEND_FLOW_REM) !== 0,
    deleteLearned: (flags & FLAG.DELETE_LEARNED) !== 0,
    limit: 0,
    specs: [],
  };
  if (isLearn2) {
    learn.limit = from.u32();
    const offset = from.u16();
    from.zeros(2, 'NXBAC_MUST_BE_ZERO');
    if ((flags & FLAG.WRITE_RESULT) !== 0) learn.resultDst = subfieldFromPacked(decodeNxmHeader(from), packBits(offset, 1));
  }
  while (from.left >= 2) {
    const header = from.u16();
    if (header === 0) break;
    learn.specs.push(decodeSpec(from, header));
  }
  for (const byte of from.rest()) if (byte !== 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn padding is not zero');
  return learn;
}

function decodeSpec(from: ByteReader, header: number): LearnSpec {
  const bits = header & 0x7ff;
  const dst = header & 0x1800;
  const isImmediate = (header & IMMEDIATE) !== 0;
  if ((header & 0xc000) !== 0 || dst === 0x1800 || bits === 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn specification');
  if (dst === DST.output) {
    if (isImmediate) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'learn output of an immediate');
    return { kind: 'output', bits, src: decodePart(from, bits) };
  }
  const src = isImmediate ? from.big(2 * Math.ceil(bits / 16)) : decodePart(from, bits);
  return { kind: dst === DST.match ? 'match' : 'load', bits, src, dst: decodePart(from, bits) };
}

/** Whether NXAST_LEARN2 is needed. */
export const needsLearn2 = (learn: Learn): boolean => learn.limit !== 0 || learn.resultDst !== undefined;

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
