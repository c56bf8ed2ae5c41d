// NXT_CT_FLUSH_ZONE and NXT_CT_FLUSH: connections to be forgotten, by zone and by the addresses of either direction.
import { PeerError } from '../../base/errors.ts';
import type { CtTuple } from '../conntrack.ts';
import type { Message } from '../message.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const PROPERTY = { ORIGINAL: 0, REPLY: 1, ZONE: 2 } as const;
const TUPLE = { SRC: 0, DST: 1, SRC_PORT: 2, DST_PORT: 3, ICMP_ID: 4, ICMP_TYPE: 5, ICMP_CODE: 6 } as const;
const ICMP = 1;
const ICMPV6 = 58;

/** Calls `each` for every property; sizes are filled up to eight bytes. */
function properties(from: ByteReader, each: (type: number, body: ByteReader) => void): void {
  while (from.left >= 4) {
    const type = from.u16();
    const length = from.u16();
    if (length < 4) throw new PeerError('OFPBPC_BAD_LEN', `property of ${length} bytes`);
    each(type, from.sub(length - 4, 'OFPBPC_BAD_LEN'));
    from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
  }
  if (from.left > 0) throw new PeerError('OFPBPC_BAD_LEN', `${from.left} bytes after the last property`);
}

function decodeTuple(from: ByteReader, proto: number): CtTuple {
  const tuple: CtTuple = {};
  const icmp = proto === ICMP || proto === ICMPV6;
  properties(from.skip(4), (type, body) => {
    const sized = (size: number): ByteReader => {
      if (body.left < size) throw new PeerError('OFPBPC_BAD_LEN', `tuple property ${type} of ${body.left} bytes`);
      return body;
    };
    if (type === TUPLE.SRC) tuple.src = sized(16).take(16).slice();
    else if (type === TUPLE.DST) tuple.dst = sized(16).take(16).slice();
    else if (type === TUPLE.SRC_PORT) tuple.srcPort = sized(2).u16();
    else if (type === TUPLE.DST_PORT) tuple.dstPort = sized(2).u16();
    else if (type >= TUPLE.ICMP_ID && type <= TUPLE.ICMP_CODE) {
      if (!icmp) throw new PeerError('OFPBPC_BAD_TYPE', `ICMP property in a tuple of protocol ${proto}`);
      if (type === TUPLE.ICMP_ID) tuple.icmpId = sized(2).u16();
      else if (type === TUPLE.ICMP_TYPE) tuple.icmpType = sized(1).u8();
      else tuple.icmpCode = sized(1).u8();
    } else throw new PeerError('OFPBPC_BAD_TYPE', `tuple property ${type}`);
  });
  return tuple;
}

/** Reads NXT_CT_FLUSH. */
export function decodeCtFlush(from: ByteReader): Of<'ctFlush'> {
  const proto = from.u8();
  for (const byte of from.take(7)) if (byte !== 0) throw new PeerError('NXBRC_MUST_BE_ZERO', 'padding is not zero');
  const message: Of<'ctFlush'> = { kind: 'ctFlush', proto, zone: undefined, original: {}, reply: {} };
  properties(from, (type, body) => {
    if (type === PROPERTY.ORIGINAL) message.original = decodeTuple(body, proto);
    else if (type === PROPERTY.REPLY) message.reply = decodeTuple(body, proto);
    else if (type === PROPERTY.ZONE) message.zone = body.u16();
    else throw new PeerError('OFPBPC_BAD_TYPE', `property ${type}`);
  });
  return message;
}

function property(out: ByteWriter, type: number, body: () => void): void {
  const start = out.size;
  out.u16(type).u16(0);
  body();
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}

function encodeTuple(out: ByteWriter, type: number, tuple: CtTuple): void {
  const { src, dst, srcPort, dstPort, icmpId, icmpType, icmpCode } = tuple;
  if (Object.values(tuple).every((value) => value === undefined)) return;
  property(out, type, () => {
    out.zeros(4);
    if (src !== undefined) property(out, TUPLE.SRC, () => out.put(src));
    if (dst !== undefined) property(out, TUPLE.DST, () => out.put(dst));
    if (srcPort !== undefined) property(out, TUPLE.SRC_PORT, () => out.u16(srcPort));
    if (dstPort !== undefined) property(out, TUPLE.DST_PORT, () => out.u16(dstPort));
    if (icmpId !== undefined) property(out, TUPLE.ICMP_ID, () => out.u16(icmpId));
    if (icmpType !== undefined) property(out, TUPLE.ICMP_TYPE, () => out.u8(icmpType));
    if (icmpCode !== undefined) property(out, TUPLE.ICMP_CODE, () => out.u8(icmpCode));
  });
}

/** Writes NXT_CT_FLUSH. */
export function encodeCtFlush(out: ByteWriter, message: Of<'ctFlush'>): void {
  out.u8(message.proto).zeros(7);
  encodeTuple(out, PROPERTY.ORIGINAL, message.original);
  encodeTuple(out, PROPERTY.REPLY, message.reply);
  const { zone } = message;
  if (zone !== undefined) property(out, PROPERTY.ZONE, () => out.u16(zone));
}
