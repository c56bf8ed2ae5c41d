// The frame that a key describes, as test commands make it: headers that the key has, and a payload where the protocol may carry one.
// What it looks like byte for byte is the reference's: 64 bytes that count up behind TCP, UDP and ICMP echo, unless a length is asked for.
import { sumBytes } from '../wire/checksum.ts';
import { FRAG, type Key, VLAN_CFI, W } from './key.ts';

const PAYLOAD = Uint8Array.from({ length: 64 }, (_, i) => i);
const NO_TYPE = 0x5ff;
const MOST = 65535;

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const words = (key: Key, first: number, count: number): number[] => [...key.subarray(first, first + count)].flatMap(be32);
const checksum = (bytes: number[], sum = 0): number => ~sumBytes(Uint8Array.from(bytes), 0, bytes.length, sum) & 0xffff;
const setWord = (bytes: number[], at: number, value: number): void => void bytes.splice(at, 2, ...be16(value));

/** The transport header with a zero checksum, where that is, and whether a payload follows by itself. */
function transportHeader(key: Key, proto: number): { head: number[]; sumAt: number; hasPayload: boolean } {
  const ports = words(key, W.TP, 1);
  const [type = 0, code = 0] = [ports[1], ports[3]];
  if (proto === 6) {
    const flags = key[W.TOS]! & 0xfff;
    // Segments that open or end a connection carry nothing.
    return {
      head: [...ports, ...be32(0), ...be32(0), 0x50 | (flags >>> 8), flags & 255, 0, 0, 0, 0, 0, 0],
      sumAt: 16,
      hasPayload: (flags & 7) === 0,
    };
  }
  if (proto === 17) return { head: [...ports, 0, 0, 0, 0], sumAt: 6, hasPayload: true };
  if (proto === 132) return { head: [...ports, ...be32(0), ...be32(0)].slice(0, 12), sumAt: -1, hasPayload: false };
  if (proto === 1) return { head: [type, code, 0, 0, 0, 0, 0, 0], sumAt: 2, hasPayload: code === 0 && (type === 8 || type === 0) };
  if (proto === 2) return { head: [type, code, 0, 0, ...words(key, W.IGMP_GROUP, 1)], sumAt: 2, hasPayload: false };
  if (proto === 58) {
    const head = [type, code, 0, 0];
    if (code !== 0 || (type !== 135 && type !== 136)) {
      return { head: [...head, 0, 0, 0, 0], sumAt: 2, hasPayload: code === 0 && (type === 128 || type === 129) };
    }
    head.push(...words(key, W.ND_RESERVED, 1), ...words(key, W.ND_TARGET, 4));
    const addresses = words(key, W.ARP_HW, 3);
    const [source, target] = [addresses.slice(0, 6), addresses.slice(6)];
    if (source.some((byte) => byte !== 0)) head.push(1, 1, ...source);
    if (target.some((byte) => byte !== 0)) head.push(2, 1, ...target);
    return { head, sumAt: 2, hasPayload: false };
  }
  return { head: [], sumAt: -1, hasPayload: false };
}

/** Transport header and payload, checksum and all; `room` bytes of zeros behind the header unless it is negative. */
function transport(key: Key, isIpv6: boolean, payload: Uint8Array, room: (header: number) => number): number[] {
  const proto = key[W.TYPE]! & 255;
  const isLater = ((key[W.TYPE]! >>> 8) & FRAG.LATER) !== 0;
  const { head, sumAt, hasPayload } = isLater ? { head: [], sumAt: -1, hasPayload: false } : transportHeader(key, proto);
  const wanted = room(head.length);
  const bytes = [...head];
  if (wanted >= 0) bytes.push(...new Array<number>(wanted).fill(0));
  else if (hasPayload) bytes.push(...payload);
  // What is added to reach a length counts twice in the reference's UDP length.
  if (head.length > 0 && proto === 17) setWord(bytes, 4, bytes.length + Math.max(0, wanted));
  if (sumAt < 0) return bytes;
  let pseudo = 0;
  if (proto !== 1 && proto !== 2) {
    const addresses = isIpv6 ? words(key, W.IPV6_SRC, 8) : words(key, W.NW_SRC, 2);
    const header = [...addresses, 0, 0, ...be16(bytes.length), 0, 0, 0, proto];
    pseudo = sumBytes(Uint8Array.from(header), 0, header.length);
  }
  const sum = checksum(bytes, pseudo);
  setWord(bytes, sumAt, proto === 17 && sum === 0 ? 0xffff : sum);
  return bytes;
}

/** What follows the Ethernet header. */
function network(key: Key, payload: Uint8Array, room: (header: number) => number): number[] {
  const tos = key[W.TOS]!;
  const frag = (key[W.TYPE]! >>> 8) & 3;
  const filled = (bytes: number[]): number[] => [...bytes, ...new Array<number>(Math.max(0, room(bytes.length))).fill(0)];
  switch (key[W.TYPE]! >>> 16) {
    case 0x0800: {
      const inner = transport(key, false, payload, (header) => room(20 + header));
      const fragment = frag === 0 ? 0 : 0x2000 | ((frag & FRAG.LATER) !== 0 ? 100 : 0);
      const head = [0x45, tos >>> 24, ...be16(20 + inner.length), 0, 0, ...be16(fragment), (tos >>> 16) & 255, key[W.TYPE]! & 255, 0, 0];
      head.push(...words(key, W.NW_SRC, 2));
      setWord(head, 10, checksum(head));
      return [...head, ...inner];
    }
    case 0x86dd: {
      const inner = transport(key, true, payload, (header) => room(40 + header));
      const first = ((6 << 28) | ((tos >>> 24) << 20) | key[W.IPV6_LABEL]!) >>> 0;
      return [...be32(first), ...be16(inner.length), key[W.TYPE]! & 255, (tos >>> 16) & 255, ...words(key, W.IPV6_SRC, 8), ...inner];
    }
    case 0x0806:
    case 0x8035: {
      const operation = key[W.TYPE]! & 255;
      const hardware = words(key, W.ARP_HW, 3);
      const addresses = [...hardware.slice(0, 6), ...words(key, W.NW_SRC, 1), ...hardware.slice(6), ...words(key, W.NW_DST, 1)];
      // Other operations than request and reply show no addresses.
      return filled([0, 1, 8, 0, 6, 4, ...be16(operation), ...(operation === 1 || operation === 2 ? addresses : addresses.fill(0))]);
    }
    case 0x8847:
    case 0x8848: {
      const stack: number[] = [];
      for (let i = 0; i < 3; i++) {
        stack.push(...words(key, W.MPLS + i, 1));
        if ((key[W.MPLS + i]! & 0x100) !== 0) break;
      }
      return filled(stack);
    }
  }
  return filled([]);
}

/** The frame of a key, `length` bytes long unless that is 0, or with that payload; undefined when its headers are longer. */
export function composeFrame(key: Key, length = 0, payload: Uint8Array = PAYLOAD): Uint8Array | undefined {
  // Other packets have no frame.
  if (key[W.PACKET_TYPE] !== 0) return new Uint8Array(0);
  const head = [...words(key, W.ETH, 3)];
  for (const word of [W.VLAN0, W.VLAN1]) {
    const tag = key[word]!;
    if ((tag & VLAN_CFI) !== 0) head.push(...be16(tag >>> 16 === 0 ? 0x8100 : tag >>> 16), ...be16(tag & 0xffff & ~VLAN_CFI));
  }
  const type = key[W.TYPE]! >>> 16;
  head.push(...be16(type === NO_TYPE ? 0 : type));
  const wanted = Math.min(length, MOST);
  let isTooLong = false;
  const bytes = network(key, payload, (header) => {
    if (wanted === 0) return -1;
    const left = wanted - head.length - header;
    if (left <= 0) isTooLong = left < 0 || header > 0;
    return Math.max(0, left);
  });
  if (isTooLong) return undefined;
  const frame = Uint8Array.from([...head, ...bytes]);
  // Without a type the field holds the length (IEEE 802.3).
  if (type === NO_TYPE) frame.set(be16(frame.length), head.length - 2);
  return frame;
}
