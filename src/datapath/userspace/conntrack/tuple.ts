// What identifies a connection in one direction, as ten words: source (4), destination (4), ports, and zone | family | protocol.
// IPv4 addresses stand in the last of their four words. ICMP has its identifier in the place of the source port, type and code in that of
// the destination port; its reverse is the answering type.
import { layoutL3, layoutL4 } from '../../../flow/extract.ts';
import { FRAG, type Key, W } from '../../../flow/key.ts';
import type { Packet } from '../../../netdev/packet.ts';
import { fold, sumBytes } from '../../../wire/checksum.ts';

export const TUPLE_WORDS = 10;
export type Tuple = Uint32Array;
export const newTuple = (): Tuple => new Uint32Array(TUPLE_WORDS);

/** Places in a tuple. */
export const T = { SRC: 0, DST: 4, PORTS: 8, WHAT: 9 } as const;
export const IPV4 = 4;
export const IPV6 = 6;

export const tupleProto = (tuple: Tuple): number => tuple[T.WHAT]! & 0xff;
export const tupleFamily = (tuple: Tuple): number => (tuple[T.WHAT]! >>> 8) & 0xff;
export const tupleZone = (tuple: Tuple): number => tuple[T.WHAT]! >>> 16;
export const isIcmp = (proto: number): boolean => proto === 1 || proto === 58;
export const hasPorts = (proto: number): boolean => proto === 6 || proto === 17 || proto === 132;

/** The ICMP type that answers a type; -1 when there is none (RFC 792, RFC 4443). */
export function answeringType(proto: number, type: number): number {
  if (proto === 58) return type === 128 ? 129 : type === 129 ? 128 : -1;
  switch (type) {
    case 8:
      return 0;
    case 0:
      return 8;
    case 13:
      return 14;
    case 14:
      return 13;
    case 15:
      return 16;
    case 16:
      return 15;
    default:
      return -1;
  }
}

/** The other direction of a tuple. */
export function reverseTuple(tuple: Tuple, out: Tuple): void {
  for (let i = 0; i < 4; i++) {
    const source = tuple[i]!;
    out[i] = tuple[4 + i]!;
    out[4 + i] = source;
  }
  const ports = tuple[T.PORTS]!;
  const what = tuple[T.WHAT]!;
  const proto = what & 0xff;
  if (isIcmp(proto)) {
    const type = answeringType(proto, (ports >>> 8) & 0xff);
    out[T.PORTS] = (ports & 0xffff00ff) | ((type & 0xff) << 8);
  } else {
    out[T.PORTS] = (ports << 16) | (ports >>> 16);
  }
  out[T.WHAT] = what;
}

/** A hash of a tuple; `basis` keeps peers from choosing tuples that collide. */
export function hashTuple(tuple: Tuple, basis: number): number {
  let hash = basis | 0;
  for (let i = 0; i < TUPLE_WORDS; i++) {
    hash = Math.imul(hash ^ tuple[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

export function sameTuple(a: Tuple, b: Tuple): boolean {
  for (let i = 0; i < TUPLE_WORDS; i++) if (a[i] !== b[i]) return false;
  return true;
}

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const get32 = (b: Uint8Array, i: number): number => ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0;

/** What `readTuple` found besides the tuple. */
export const FOUND = { INVALID: 0, PLAIN: 1, RELATED: 2 } as const;

/** Bytes of the transport header and what follows, for a packet whose transport header starts at `l4`. */
function transportSize(bytes: Uint8Array, l3: number, l4: number, family: number, end: number): number {
  const size = family === IPV4 ? get16(bytes, l3 + 2) - (l4 - l3) : 40 + get16(bytes, l3 + 4) - (l4 - l3);
  // A super-segment's length may not fit its header's field.
  return size <= 0 || l4 + size > end ? end - l4 : size;
}

function isChecksumRight(bytes: Uint8Array, l3: number, l4: number, size: number, family: number, proto: number): boolean {
  let sum = 0;
  if (proto !== 1) {
    sum = family === IPV4 ? sumBytes(bytes, l3 + 12, 8, proto + size) : sumBytes(bytes, l3 + 8, 32, proto + size);
  }
  return fold(sumBytes(bytes, l4, size, sum)) === 0xffff;
}

/**
 * Reads the tuple of a packet. FOUND.RELATED: it is an ICMP error, and the tuple is that of the packet it quotes, turned round to the
 * direction of the error. FOUND.INVALID: nothing that can be tracked.
 */
export function readTuple(packet: Packet, key: Key, layout: number, zone: number, out: Tuple): number {
  const etherType = key[W.TYPE]! >>> 16;
  const family = etherType === 0x0800 ? IPV4 : etherType === 0x86dd ? IPV6 : 0;
  const l3Offset = layoutL3(layout);
  const l4Offset = layoutL4(layout);
  if (family === 0 || l3Offset === 0 || l4Offset === 0) return FOUND.INVALID;
  if (((key[W.TYPE]! >>> 8) & FRAG.ANY) !== 0) return FOUND.INVALID;
  const { bytes, start } = packet;
  const end = start + packet.length;
  const l3 = start + l3Offset;
  const l4 = start + l4Offset;
  const proto = key[W.TYPE]! & 0xff;
  if (family === IPV4) {
    if (fold(sumBytes(bytes, l3, (bytes[l3]! & 15) * 4)) !== 0xffff) return FOUND.INVALID;
    for (let i = 0; i < 3; i++) {
      out[i] = 0;
      out[4 + i] = 0;
    }
    out[3] = key[W.NW_SRC]!;
    out[7] = key[W.NW_DST]!;
  } else {
    for (let i = 0; i < 8; i++) out[i] = key[W.IPV6_SRC + i]!;
  }
  out[T.WHAT] = ((zone << 16) | (family << 8) | proto) >>> 0;
  const size = transportSize(bytes, l3, l4, family, end);
  const isOurs = packet.csumStart === 0 && packet.gsoType === 0;
  if (proto === 6) {
    const headerSize = (bytes[l4 + 12]! >>> 4) * 4;
    if (headerSize < 20 || headerSize > size) return FOUND.INVALID;
    if (isOurs && !isChecksumRight(bytes, l3, l4, size, family, 6)) return FOUND.INVALID;
    out[T.PORTS] = key[W.TP]!;
    return FOUND.PLAIN;
  }
  if (proto === 17) {
    const length = get16(bytes, l4 + 4);
    if ((length < 8 || length > size) && isOurs) return FOUND.INVALID;
    const hasSum = get16(bytes, l4 + 6) !== 0;
    if (!hasSum && family === IPV6 && isOurs) return FOUND.INVALID;
    if (isOurs && hasSum && !isChecksumRight(bytes, l3, l4, size, family, 17)) return FOUND.INVALID;
    out[T.PORTS] = key[W.TP]!;
    return FOUND.PLAIN;
  }
  if (proto === 132) {
    out[T.PORTS] = key[W.TP]!;
    return FOUND.PLAIN;
  }
  if ((proto === 1 && family === IPV4) || (proto === 58 && family === IPV6)) {
    if (size < 8 || (isOurs && !isChecksumRight(bytes, l3, l4, size, family, proto))) return FOUND.INVALID;
    const type = bytes[l4]!;
    if (answeringType(proto, type) >= 0) {
      out[T.PORTS] = ((bytes[l4 + 4]! << 24) | (bytes[l4 + 5]! << 16) | (type << 8) | bytes[l4 + 1]!) >>> 0;
      return FOUND.PLAIN;
    }
    const isError = proto === 1 ? type === 3 || type === 4 || type === 5 || type === 11 || type === 12 : type >= 1 && type <= 4;
    return isError && readQuoted(bytes, l4 + 8, Math.min(l4 + size, end), family, zone, out) ? FOUND.RELATED : FOUND.INVALID;
  }
  return FOUND.INVALID;
}

/** The tuple of the packet that an ICMP error quotes (RFC 792; RFC 4443), in the direction of the error itself. */
function readQuoted(bytes: Uint8Array, at: number, end: number, family: number, zone: number, out: Tuple): boolean {
  let l4: number;
  let proto: number;
  if (family === IPV4) {
    if (end - at < 20 || bytes[at]! >>> 4 !== 4) return false;
    const headerSize = (bytes[at]! & 15) * 4;
    if (headerSize < 20 || end - at < headerSize + 8 || (get16(bytes, at + 6) & 0x1fff) !== 0) return false;
    proto = bytes[at + 9]!;
    l4 = at + headerSize;
    for (let i = 0; i < 3; i++) {
      out[i] = 0;
      out[4 + i] = 0;
    }
    out[7] = get32(bytes, at + 12);
    out[3] = get32(bytes, at + 16);
  } else {
    if (end - at < 48 || bytes[at]! >>> 4 !== 6) return false;
    proto = bytes[at + 6]!;
    l4 = at + 40;
    for (let i = 0; i < 4; i++) {
      out[4 + i] = get32(bytes, at + 8 + 4 * i);
      out[i] = get32(bytes, at + 24 + 4 * i);
    }
  }
  out[T.WHAT] = ((zone << 16) | (family << 8) | proto) >>> 0;
  if (hasPorts(proto)) {
    const ports = get32(bytes, l4);
    out[T.PORTS] = ((ports << 16) | (ports >>> 16)) >>> 0;
    return true;
  }
  if ((proto === 1 && family === IPV4) || (proto === 58 && family === IPV6)) {
    const type = answeringType(proto, bytes[l4]!);
    if (type < 0) return false;
    out[T.PORTS] = ((bytes[l4 + 4]! << 24) | (bytes[l4 + 5]! << 16) | (type << 8) | bytes[l4 + 1]!) >>> 0;
    return true;
  }
  return false;
}

/** Payload bytes of a TCP packet. */
export function tcpPayload(packet: Packet, layout: number, family: number): number {
  const l3 = packet.start + layoutL3(layout);
  const l4 = packet.start + layoutL4(layout);
  const size = transportSize(packet.bytes, l3, l4, family, packet.start + packet.length);
  return Math.max(0, size - (packet.bytes[l4 + 12]! >>> 4) * 4);
}
