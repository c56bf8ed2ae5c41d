// OpenFlow 1.5 statistics: entries of class 0x8002 (OpenFlow 1.5.1 section 7.2.4).
import { PeerError } from '../../../base/errors.ts';
import { statisticsLog } from '../../peer-logs.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';

const ALL_ONES = 0xffffffffffffffffn;

/** Bytes of each entry that is understood. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [0, 8],
  [1, 8],
  [3, 4],
  [4, 8],
  [5, 8],
]);

export interface Oxs {
  durationSec: number;
  durationNsec: number;
  packetCount: bigint;
  byteCount: bigint;
  /** Of flows; undefined when not known. */
  idleAgeSec?: number;
  /** Of aggregates only. */
  flowCount?: number;
}

/** OpenFlow 1.5 flow statistics: entries like OXM of class 0x8002 (OpenFlow 1.5.1 section 7.2.4). */
export function decodeOxs(from: ByteReader): Oxs {
  const oxs: Oxs = { durationSec: 0xffffffff, durationNsec: 0xffffffff, packetCount: ALL_ONES, byteCount: ALL_ONES };
  const length = from.left < 4 ? 0 : from.skip(2).u16();
  if (length < 4 || ((length + 7) & ~7) - 4 > from.left) throw new PeerError('OFPBMC_BAD_LEN', `statistics of ${length} bytes`);
  const entries = from.sub(length - 4, 'OFPBMC_BAD_LEN');
  from.skip((8 - (length % 8)) % 8);
  while (entries.left > 0) {
    if (entries.left < 4) throw new PeerError('OFPBMC_BAD_LEN', `${entries.left} bytes behind the last of the statistics`);
    const cls = entries.u16();
    const field = entries.u8();
    const size = entries.u8();
    if (cls === EXPERIMENTER) requireExperimenter(entries, field >> 1, size);
    const body = entries.sub(size);
    if (cls !== 0x8002 || (field & 1) !== 0 || size !== SIZES.get(field >> 1)) continue;
    if (field >> 1 === 0) {
      oxs.durationSec = body.u32();
      oxs.durationNsec = body.u32();
    } else if (field >> 1 === 1) oxs.idleAgeSec = body.u32() | 0;
    else if (field >> 1 === 3) oxs.flowCount = body.u32();
    else if (field >> 1 === 4) oxs.packetCount = body.u64();
    else if (field >> 1 === 5) oxs.byteCount = body.u64();
  }
  return oxs;
}

const EXPERIMENTER = 0xffff;
/** Whose entry it is, and at least as much again. */
const LEAST_OF_EXPERIMENTER = 8;

/** Refuses an experimenter's entry that ends before it could say anything. */
function requireExperimenter(entries: ByteReader, field: number, size: number): void {
  if (entries.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'an experimenter without a name');
  if (size >= LEAST_OF_EXPERIMENTER) return;
  const who = `0x${entries.u32().toString(16)}`;
  const text = `OXS header ${who}:${EXPERIMENTER}:${field}:${size} has invalid length ${size} (minimum is ${LEAST_OF_EXPERIMENTER})`;
  statisticsLog.warn(text);
  throw new PeerError('OFPBMC_BAD_LEN', text);
}

/** Writes OpenFlow 1.5 flow statistics. */
export function encodeOxs(out: ByteWriter, oxs: Oxs): void {
  const start = out.size;
  out.u16(0).u16(0);
  // In the order of the reference: an aggregate's number of flows stands last.
  if (oxs.flowCount === undefined) out.u16(0x8002).u8(0).u8(8).u32(oxs.durationSec).u32(oxs.durationNsec);
  if (oxs.flowCount === undefined && (oxs.idleAgeSec ?? -1) >= 0)
    out
      .u16(0x8002)
      .u8(1 << 1)
      .u8(8)
      .u32(oxs.idleAgeSec ?? 0)
      .u32(0);
  const counter = (number: number, value: bigint): void =>
    void out
      .u16(0x8002)
      .u8(number << 1)
      .u8(8)
      .u64(value);
  if (oxs.packetCount !== ALL_ONES) counter(4, oxs.packetCount);
  if (oxs.byteCount !== ALL_ONES) counter(5, oxs.byteCount);
  if (oxs.flowCount !== undefined)
    out
      .u16(0x8002)
      .u8(3 << 1)
      .u8(4)
      .u32(oxs.flowCount);
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}
