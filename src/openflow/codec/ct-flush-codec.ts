// NXT_CT_FLUSH_ZONE and NXT_CT_FLUSH: connections to be forgotten, by zone and by the addresses of either direction.
import { PeerError } from '../../base/errors.ts';
import type { CtTuple } from '../conntrack.ts';
import { isMapped } from '../conntrack.ts';
import type { Message } from '../message.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { eachProperty } from './properties.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const PROPERTY = { ORIGINAL: 0, REPLY: 1, ZONE: 2 } as const;
const TUPLE = { SRC: 0, DST: 1, SRC_PORT: 2, DST_PORT: 3, ICMP_ID: 4, ICMP_TYPE: 5, ICMP_CODE: 6 } as const;
const ICMP = 1;
const ICMPV6 = 58;

/** Adds to a tuple. Ports, and the number, type and code of ICMP have one place: what is given last stands there. */
function decodeTuple(from: ByteReader, proto: number, families: Set<boolean>, tuple: CtTuple): CtTuple {
  const isIcmp = proto === ICMP || proto === ICMPV6;
  let first = isIcmp ? tuple.icmpId : tuple.srcPort;
  let second = isIcmp ? undefined : tuple.dstPort;
  if (isIcmp && tuple.icmpType !== undefined) second = tuple.icmpType | ((tuple.icmpCode ?? 0) << 8);
  const address = (bytes: Uint8Array): Uint8Array => {
    if (bytes.some((byte) => byte !== 0)) families.add(isMapped(bytes));
    if (families.size > 1) throw new PeerError('OFPBPC_BAD_VALUE', 'addresses of both families');
    return bytes.slice();
  };
  if (from.left < 4) throw new PeerError('OFPBPC_BAD_LEN', 'tuple cut off');
  for (const { number, body } of eachProperty(from.skip(4))) {
    const sized = (size: number): ByteReader => {
      if (body.left < size) throw new PeerError('OFPBPC_BAD_LEN', `tuple property ${number} of ${body.left} bytes`);
      return body;
    };
    if (number === TUPLE.SRC) tuple.src = address(sized(16).take(16));
    else if (number === TUPLE.DST) tuple.dst = address(sized(16).take(16));
    else if (number === TUPLE.SRC_PORT || number === TUPLE.ICMP_ID) first = sized(2).u16();
    else if (number === TUPLE.DST_PORT) second = sized(2).u16();
    else if (number === TUPLE.ICMP_TYPE) second = ((second ?? 0) & 0xff00) | sized(1).u8();
    else if (number === TUPLE.ICMP_CODE) second = ((second ?? 0) & 0xff) | (sized(1).u8() << 8);
  }
  if (first !== undefined) tuple[isIcmp ? 'icmpId' : 'srcPort'] = first;
  if (second === undefined) return tuple;
  if (!isIcmp) tuple.dstPort = second;
  else {
    tuple.icmpType = second & 0xff;
    tuple.icmpCode = second >> 8;
  }
  return tuple;
}

/** Reads NXT_CT_FLUSH. */
export function decodeCtFlush(from: ByteReader): Of<'ctFlush'> {
  const proto = from.u8();
  from.zeros(7);
  const message: Of<'ctFlush'> = { kind: 'ctFlush', proto, zone: undefined, original: {}, reply: {} };
  const families = new Set<boolean>();
  for (const { number, body } of eachProperty(from)) {
    if (number === PROPERTY.ORIGINAL) decodeTuple(body, proto, families, message.original);
    else if (number === PROPERTY.REPLY) decodeTuple(body, proto, families, message.reply);
    else if (number === PROPERTY.ZONE) {
      if (body.left < 2) throw new PeerError('OFPBPC_BAD_LEN', `zone of ${body.left} bytes`);
      message.zone = body.u16();
    }
  }
  return message;
}

/** Small numbers are as long as a whole property: what fills them up counts. */
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
    if (srcPort !== undefined) property(out, TUPLE.SRC_PORT, () => out.u16(srcPort).u16(0));
    if (dstPort !== undefined) property(out, TUPLE.DST_PORT, () => out.u16(dstPort).u16(0));
    if (icmpId !== undefined) property(out, TUPLE.ICMP_ID, () => out.u16(icmpId).u16(0));
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
  if (zone !== undefined) property(out, PROPERTY.ZONE, () => out.u16(zone).u16(0));
}
