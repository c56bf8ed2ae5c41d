// Address translation: choosing what a new connection's packets are rewritten to, and rewriting them.
//
// A connection that is translated has a reply tuple that is not the reverse of the original one: answers arrive at the translated address.
// So rewriting needs no more than the two tuples: a packet of one direction becomes the reverse of the other direction's tuple.
import { layoutL3, layoutL4 } from '../../../flow/extract.ts';
import { type Key, W } from '../../../flow/key.ts';
import type { Packet } from '../../../netdev/packet.ts';
import { fold, sumBytes, updateChecksum } from '../../../wire/checksum.ts';
import type { DpNat } from '../../datapath.ts';
import { setFields } from '../headers.ts';
import { type Connection, type ConnectionTable, type Entry, NAT } from './table.ts';
import { hashTuple, hasPorts, IPV4, IPV6, newTuple, reverseTuple, T, type Tuple, tupleFamily, tupleProto } from './tuple.ts';

const isZero = (address: readonly number[]): boolean => address.every((word) => word === 0);
const PROBES = 4096;

/** Adds `by` to an address of four words. */
function addTo(address: readonly number[], by: number): number[] {
  const out = [...address];
  let carry = by;
  for (let i = 3; i >= 0 && carry > 0; i--) {
    const sum = out[i]! + carry;
    out[i] = sum >>> 0;
    carry = sum > 0xffffffff ? 1 : 0;
  }
  return out;
}

/** How many addresses follow the first up to the last; at most 2^32 - 1. */
function spanOf(first: readonly number[], last: readonly number[]): number {
  if (isZero(last)) return 0;
  for (let i = 0; i < 3; i++) if (first[i] !== last[i]) return 0xffffffff;
  return Math.max(0, last[3]! - first[3]!);
}

/** Ports that may stand for one that is not prescribed: of the same kind of privilege (RFC 4787 section 4.2.2 asks for as much). */
function portRange(port: number): readonly [number, number] {
  if (port < 512) return [1, 511];
  return port < 1024 ? [600, 1023] : [1024, 65535];
}

/**
 * Makes the reply tuple of a new connection one that no other has; false when there is none left. `original` is the first packet's.
 */
export function chooseTranslation(
  table: ConnectionTable,
  nat: DpNat,
  original: Tuple,
  reply: Tuple,
  basis: number,
  nowMs: number,
): boolean {
  const isSource = nat.direction === 'src';
  const proto = tupleProto(original);
  const withPorts = hasPorts(proto);
  // `persistent` and `hash` ask for the same choice each time, `random` for any: a hash of the connection serves all.
  const hashed = nat.persistent ? hashAddresses(original, basis) : hashTuple(original, basis) >>> 0;
  const span = isZero(nat.addrMin) ? 0 : spanOf(nat.addrMin, nat.addrMax);
  const firstIndex = span === 0 ? 0 : hashed % (span + 1);
  // Where answers will be addressed: the translated source is their destination.
  const at = isSource ? T.DST : T.SRC;
  const wanted = { port: 0, min: 0, max: 0 };
  const [sourcePort, destinationPort] = [original[T.PORTS]! >>> 16, original[T.PORTS]! & 0xffff];
  const hasRange = nat.portMin !== 0;
  if (hasRange) {
    wanted.min = nat.portMin;
    wanted.max = Math.max(nat.portMax, nat.portMin);
    wanted.port = wanted.min + (hashed % (wanted.max - wanted.min + 1));
  } else if (isSource) {
    [wanted.min, wanted.max] = portRange(sourcePort);
    wanted.port = sourcePort;
  } else {
    wanted.min = destinationPort;
    wanted.max = destinationPort;
    wanted.port = destinationPort;
  }
  let probes = 0;
  for (let i = 0; i <= span && probes < PROBES; i++) {
    reverseTuple(original, reply);
    if (!isZero(nat.addrMin)) {
      const address = addTo(nat.addrMin, (firstIndex + i) % (span + 1));
      for (let word = 0; word < 4; word++) reply[at + word] = address[word]!;
    }
    if (!withPorts) {
      probes++;
      if (table.find(reply, nowMs) === undefined) return true;
      continue;
    }
    const count = wanted.max - wanted.min + 1;
    for (let p = 0; p < count && probes < PROBES; p++, probes++) {
      const port = wanted.min + ((wanted.port - wanted.min + p) % count);
      reply[T.PORTS] = isSource ? ((destinationPort << 16) | port) >>> 0 : ((port << 16) | sourcePort) >>> 0;
      if (table.find(reply, nowMs) === undefined) return true;
    }
    if (isSource) continue;
    // The same client port at two translated servers would collide: then its port changes too.
    const [min, max] = portRange(sourcePort);
    for (let p = 1; p <= max - min && probes < PROBES; p++, probes++) {
      const port = min + ((sourcePort - min + p) % (max - min + 1));
      reply[T.PORTS] = ((wanted.port << 16) | port) >>> 0;
      if (table.find(reply, nowMs) === undefined) return true;
    }
  }
  return false;
}

function hashAddresses(tuple: Tuple, basis: number): number {
  const only = newTuple();
  only.set(tuple);
  only[T.PORTS] = 0;
  return hashTuple(only, basis) >>> 0;
}

const target = newTuple();
const setWords = new Int32Array(27);

/** Rewrites a packet of one direction of a translated connection. `isRelated`: the packet is an ICMP error that quotes the connection. */
export function translatePacket(packet: Packet, key: Key, layout: number, entry: Entry, isRelated: boolean): void {
  const { connection } = entry;
  const other = entry.isReply ? connection.original : connection.reply;
  reverseTuple(other.tuple, target);
  const family = tupleFamily(target);
  const changesSource = entry.isReply ? (connection.nat & NAT.DST) !== 0 : (connection.nat & NAT.SRC) !== 0;
  const changesDestination = entry.isReply ? (connection.nat & NAT.SRC) !== 0 : (connection.nat & NAT.DST) !== 0;
  if (isRelated) rewriteQuoted(packet, layout, family, other.tuple);
  let count = 0;
  const put = (word: number, value: number, mask: number): void => {
    setWords[count++] = word;
    setWords[count++] = value;
    setWords[count++] = mask;
  };
  if (family === IPV4) {
    if (changesSource) put(W.NW_SRC, target[3]!, -1);
    if (changesDestination) put(W.NW_DST, target[7]!, -1);
  } else {
    for (let i = 0; i < 4 && changesSource; i++) put(W.IPV6_SRC + i, target[i]!, -1);
    for (let i = 0; i < 4 && changesDestination; i++) put(W.IPV6_DST + i, target[4 + i]!, -1);
  }
  if (!isRelated && hasPorts(tupleProto(target))) put(W.TP, target[T.PORTS]!, -1);
  // The rest sets nothing.
  setWords.fill(0, count);
  setFields(packet, key, layout, setWords);
}

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
function put16(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 8;
  b[i + 1] = value;
}
function put32(b: Uint8Array, i: number, value: number): void {
  put16(b, i, value >>> 16);
  put16(b, i + 2, value & 0xffff);
}

/** Gives the packet inside an ICMP error the tuple that its sender knows it by, and makes both checksums right again. */
function rewriteQuoted(packet: Packet, layout: number, family: number, tuple: Tuple): void {
  const { bytes } = packet;
  const l3 = packet.start + layoutL3(layout);
  const l4 = packet.start + layoutL4(layout);
  const end = packet.start + packet.length;
  const inner = l4 + 8;
  const isIpv4 = family === IPV4;
  const transport = inner + (isIpv4 ? (bytes[inner]! & 15) * 4 : 40);
  const proto = bytes[inner + (isIpv4 ? 9 : 6)]!;
  const withPorts = hasPorts(proto) && transport + 4 <= end;
  const addressAt = inner + (isIpv4 ? 12 : 8);
  const addressSize = isIpv4 ? 8 : 32;
  const covering = (): number => sumBytes(bytes, addressAt, addressSize, withPorts ? sumBytes(bytes, transport, 4) : 0);
  const before = covering();
  if (isIpv4) {
    put32(bytes, inner + 12, tuple[3]!);
    put32(bytes, inner + 16, tuple[7]!);
    put16(bytes, inner + 10, 0);
    put16(bytes, inner + 10, ~sumBytes(bytes, inner, transport - inner) & 0xffff);
  } else {
    for (let i = 0; i < 8; i++) put32(bytes, inner + 8 + 4 * i, tuple[i]!);
  }
  if (withPorts) put32(bytes, transport, tuple[T.PORTS]!);
  // The quoted packet's own checksum follows, where it is quoted.
  const sumAt = proto === 6 ? transport + 16 : proto === 17 ? transport + 6 : -1;
  if (sumAt > 0 && sumAt + 2 <= end && (proto !== 17 || get16(bytes, sumAt) !== 0)) {
    const next = updateChecksum(get16(bytes, sumAt), before, covering());
    put16(bytes, sumAt, proto === 17 && next === 0 ? 0xffff : next);
  }
  const size = family === IPV4 ? get16(bytes, l3 + 2) - (l4 - l3) : get16(bytes, l3 + 4) + 40 - (l4 - l3);
  const covered = Math.min(size, end - l4);
  put16(bytes, l4 + 2, 0);
  // ICMPv6 covers the pseudo header with the addresses as they are now; what follows changes them and the sum together.
  const pseudo = family === IPV6 ? sumBytes(bytes, l3 + 8, 32, 58 + covered) : 0;
  put16(bytes, l4 + 2, ~fold(sumBytes(bytes, l4, covered, pseudo)) & 0xffff);
}

/** The ct_state bits that say what was translated in this direction. */
export function translatedBits(connection: Connection, isReply: boolean, source: number, destination: number): number {
  const first = (connection.nat & NAT.SRC) !== 0;
  const second = (connection.nat & NAT.DST) !== 0;
  if (isReply) return (first ? destination : 0) | (second ? source : 0);
  return (first ? source : 0) | (second ? destination : 0);
}
