// From a key to a frame that has it: the reverse of extraction, as the reference's tools make frames up. What a key does not say is zero;
// lengths and checksums are right. TCP, UDP and ICMP carry 64 bytes that count upwards unless other bytes are given.
import { FRAG, type Key, W } from './key.ts';
import { ETH, IP } from './prerequisites.ts';

const PAYLOAD = Uint8Array.from({ length: 64 }, (_, i) => i);
/** FIN, SYN and RST. */
const NO_DATA = 0x7;
const MORE_FRAGMENTS = 0x2000;
/** Where a later fragment stands, in eights. */
const LATER_OFFSET = 100;
const MPLS_LABELS = 3;
const MPLS_BOTTOM = 0x100;

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];
const words = (key: Key, first: number, count: number): number[] => Array.from(key.subarray(first, first + count)).flatMap(be32);
const tos = (key: Key): number => (key[W.TOS] ?? 0) >>> 24;
const ttl = (key: Key): number => ((key[W.TOS] ?? 0) >>> 16) & 0xff;
const proto = (key: Key): number => (key[W.TYPE] ?? 0) & 0xff;

function checksum(...parts: readonly (readonly number[])[]): number {
  const bytes = parts.flat();
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Puts a checksum of header and data into place `at`. */
function summed(bytes: number[], at: number, pseudo: readonly number[] = []): number[] {
  const sum = checksum(pseudo, bytes);
  return [...bytes.slice(0, at), ...be16(sum), ...bytes.slice(at + 2)];
}

/** The transport header and what follows it; `pseudo` makes the addresses' share of its checksum from its size. */
function transport(key: Key, isIpv6: boolean, payload: readonly number[], pseudo: (size: number) => number[]): number[] {
  const ports = be32(key[W.TP] ?? 0);
  const kind = (key[W.TP] ?? 0) >>> 16;
  const icmp = [kind & 0xff, (key[W.TP] ?? 0) & 0xff, 0, 0];
  switch (proto(key)) {
    case IP.TCP: {
      const flags = (key[W.TOS] ?? 0) & 0xfff;
      // A segment that begins or ends a connection has no data.
      const data = (flags & NO_DATA) === 0 ? payload : [];
      const bytes = [...ports, ...be32(0), ...be32(0), 0x50 | (flags >>> 8), flags & 255, 0, 0, 0, 0, 0, 0, ...data];
      return summed(bytes, 16, pseudo(bytes.length));
    }
    case IP.UDP: {
      const bytes = [...ports, ...be16(8 + payload.length), 0, 0, ...payload];
      const done = summed(bytes, 6, pseudo(bytes.length));
      // A sum of zero would say that there is none.
      return done[6] === 0 && done[7] === 0 ? [...done.slice(0, 6), 0xff, 0xff, ...done.slice(8)] : done;
    }
    case IP.SCTP:
      return [...ports, ...be32(0), ...be32(0)];
    case IP.ICMP:
      return isIpv6 ? [] : summed([...icmp, ...be32(0), ...(isEcho(icmp, 0, 8) ? payload : [])], 2);
    case IP.IGMP:
      return summed([...icmp, ...be32(key[W.IGMP_GROUP] ?? 0)], 2);
    case IP.ICMPV6: {
      if (!isIpv6) return [];
      const bytes = [...icmp, ...be32(key[W.ND_RESERVED] ?? 0)];
      if (icmp[1] === 0 && (icmp[0] === 135 || icmp[0] === 136)) bytes.push(...neighbour(key));
      if (isEcho(icmp, 128, 129)) bytes.push(...payload);
      return summed(bytes, 2, pseudo(bytes.length));
    }
  }
  return [];
}

const isEcho = ([type, code]: readonly number[], ...types: number[]): boolean => code === 0 && types.includes(type ?? -1);

/** The target of neighbour discovery, and the link-layer addresses that are not zero as its options. */
function neighbour(key: Key): number[] {
  const both = words(key, W.ARP_HW, 3);
  const option = (type: number, mac: number[]): number[] => (mac.some((byte) => byte !== 0) ? [type, 1, ...mac] : []);
  return [...words(key, W.ND_TARGET, 4), ...option(1, both.slice(0, 6)), ...option(2, both.slice(6, 12))];
}

function ipv4(key: Key, payload: readonly number[]): number[] {
  const frag = ((key[W.TYPE] ?? 0) >>> 8) & 0xff;
  const addresses = words(key, W.NW_SRC, 2);
  const pseudo = (size: number): number[] => [...addresses, 0, proto(key), ...be16(size)];
  const inner = (frag & FRAG.LATER) === 0 ? transport(key, false, payload, pseudo) : [];
  const place = ((frag & FRAG.ANY) === 0 ? 0 : MORE_FRAGMENTS) | ((frag & FRAG.LATER) === 0 ? 0 : LATER_OFFSET);
  const head = [0x45, tos(key), ...be16(20 + inner.length), 0, 0, ...be16(place), ttl(key), proto(key), 0, 0, ...addresses];
  return [...summed(head, 10), ...inner];
}

function ipv6(key: Key, payload: readonly number[]): number[] {
  const addresses = words(key, W.IPV6_SRC, 8);
  const pseudo = (size: number): number[] => [...addresses, ...be32(size), 0, 0, 0, proto(key)];
  const frag = ((key[W.TYPE] ?? 0) >>> 8) & 0xff;
  const inner = (frag & FRAG.LATER) === 0 ? transport(key, true, payload, pseudo) : [];
  const first = ((6 << 28) | (tos(key) << 20) | ((key[W.IPV6_LABEL] ?? 0) & 0xfffff)) >>> 0;
  return [...be32(first), ...be16(inner.length), proto(key), ttl(key), ...addresses, ...inner];
}

function arp(key: Key): number[] {
  const hardware = words(key, W.ARP_HW, 3);
  const head = [...be16(1), ...be16(ETH.IPV4), 6, 4, ...be16(proto(key))];
  // Only requests and answers have addresses.
  if (proto(key) !== 1 && proto(key) !== 2) return [...head, ...new Array<number>(20).fill(0)];
  return [...head, ...hardware.slice(0, 6), ...be32(key[W.NW_SRC] ?? 0), ...hardware.slice(6, 12), ...be32(key[W.NW_DST] ?? 0)];
}

/** Label stack entries down to the one that is the last, three at most. */
function mpls(key: Key): number[] {
  let count = 1;
  while (count < MPLS_LABELS && ((key[W.MPLS + count - 1] ?? 0) & MPLS_BOTTOM) === 0) count++;
  return words(key, W.MPLS, count);
}

/** A frame of this key; `payload` takes the place of the bytes that count upwards. */
export function composeFrame(key: Key, payload: Uint8Array = PAYLOAD): Uint8Array {
  if (key[W.PACKET_TYPE] !== 0) return new Uint8Array(0);
  const type = (key[W.TYPE] ?? 0) >>> 16;
  const frame = words(key, W.ETH, 3);
  const tag = key[W.VLAN0] ?? 0;
  if ((tag & 0x1000) !== 0) frame.push(...be16(tag >>> 16 === 0 ? 0x8100 : tag >>> 16), ...be16(tag & 0xefff));
  const typeAt = frame.length;
  frame.push(...be16(type));
  const data = [...payload];
  if (type === ETH.IPV4) frame.push(...ipv4(key, data));
  else if (type === ETH.IPV6) frame.push(...ipv6(key, data));
  else if (type === ETH.ARP || type === ETH.RARP) frame.push(...arp(key));
  else if (type === ETH.MPLS || type === ETH.MPLS_MCAST) frame.push(...mpls(key));
  else if (type === 0x5ff) frame.splice(typeAt, 2, ...be16(frame.length));
  return Uint8Array.from(frame);
}
