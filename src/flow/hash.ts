// The hashes that multipath, bundle and select groups choose links by. Which link a flow takes is seen by controllers and tests, so the
// functions are those of Open vSwitch on a little-endian machine: Jenkins' lookup3 over bytes, and MurmurHash3 over words.
import { hashAdd, hashFinish } from '../base/murmur-hash.ts';
import { FRAG, type Key, VLAN_CFI, W } from './key.ts';

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** Bob Jenkins' lookup3 over 32-bit words; `size` in bytes, which counts even where the last word is partly padding. */
export function jenkinsHash(words: readonly number[], size: number, basis: number): number {
  let a = (0xdeadbeef + size + basis) | 0;
  let b = a;
  let c = a;
  let at = 0;
  let left = size;
  while (left > 12) {
    a = (a + (words[at] ?? 0)) | 0;
    b = (b + (words[at + 1] ?? 0)) | 0;
    c = (c + (words[at + 2] ?? 0)) | 0;
    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
    at += 3;
    left -= 12;
  }
  if (left > 0) {
    a = (a + (words[at] ?? 0)) | 0;
    b = (b + (words[at + 1] ?? 0)) | 0;
    c = (c + (words[at + 2] ?? 0)) | 0;
    c = ((c ^ b) - rotate(b, 14)) | 0;
    a = ((a ^ c) - rotate(c, 11)) | 0;
    b = ((b ^ a) - rotate(a, 25)) | 0;
    c = ((c ^ b) - rotate(b, 16)) | 0;
    a = ((a ^ c) - rotate(c, 4)) | 0;
    b = ((b ^ a) - rotate(a, 14)) | 0;
    c = ((c ^ b) - rotate(b, 24)) | 0;
  }
  return c >>> 0;
}

/** A word of the key, which is in the order of numbers, as a little-endian machine reads the same bytes from a frame. */
const swap = (word: number): number => ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

/** The fields that a hash can be over, as ovs-actions(7) names them. */
export type HashFields = 'eth_src' | 'symmetric_l4' | 'symmetric_l3l4' | 'symmetric_l3l4+udp' | 'symmetric_l3' | 'nw_src' | 'nw_dst';

const etherType = (key: Key): number => key[W.TYPE]! >>> 16;
const proto = (key: Key): number => key[W.TYPE]! & 0xff;
const isLater = (key: Key): boolean => ((key[W.TYPE]! >>> 8) & FRAG.LATER) !== 0;
const hasPorts = (key: Key, withUdp: boolean): boolean =>
  !isLater(key) && (proto(key) === 6 || proto(key) === 132 || (withUdp && proto(key) === 17));
const portsXor = (key: Key): number => ((key[W.TP]! >>> 16) ^ key[W.TP]!) & 0xffff;
const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);

function addAddresses(key: Key, start: number): number | undefined {
  const type = etherType(key);
  if (type === 0x0800) return hashAdd(start, swap(key[W.NW_SRC]! ^ key[W.NW_DST]!));
  if (type !== 0x86dd) return undefined;
  let hash = start;
  for (let i = 0; i < 4; i++) hash = hashAdd(hash, swap(key[W.IPV6_SRC + i]! ^ key[W.IPV6_DST + i]!));
  return hash;
}

/** Addresses of both directions alike, as words of a frame: four for IPv6, the first of four for IPv4. */
function addressWords(key: Key): number[] {
  const type = etherType(key);
  if (type === 0x0800) return [swap(key[W.NW_SRC]! ^ key[W.NW_DST]!), 0, 0, 0];
  if (type !== 0x86dd) return [0, 0, 0, 0];
  return [0, 1, 2, 3].map((i) => swap(key[W.IPV6_SRC + i]! ^ key[W.IPV6_DST + i]!));
}

/** Type and VLAN as a word of a frame, and the three halves of the two Ethernet addresses. */
function ethernetParts(key: Key): { typeAndVlan: number; high: number; middle: number; low: number } {
  const vlan = (key[W.VLAN0]! ^ key[W.VLAN1]!) & 0xfff;
  return {
    typeAndVlan: swap16(etherType(key)) | (swap16(vlan) << 16),
    high: swap16((key[W.ETH]! >>> 16) ^ (key[W.ETH + 1]! & 0xffff)),
    middle: swap16((key[W.ETH]! & 0xffff) ^ (key[W.ETH + 2]! >>> 16)),
    low: swap16((key[W.ETH + 1]! >>> 16) ^ (key[W.ETH + 2]! & 0xffff)),
  };
}

function symmetricL2(key: Key, basis: number): number {
  const { typeAndVlan, high, middle, low } = ethernetParts(key);
  return hashFinish(hashAdd(hashAdd(hashAdd(basis, typeAndVlan), high | (middle << 16)), low), basis);
}

function symmetricL4(key: Key, basis: number): number {
  const isIp = etherType(key) === 0x0800 || etherType(key) === 0x86dd;
  const ports = isIp && hasPorts(key, false) ? swap16(portsXor(key)) : 0;
  const { typeAndVlan, high, middle, low } = ethernetParts(key);
  // Addresses, type, VLAN | ports, addresses | addresses | protocol, padding.
  const words = [...addressWords(key), typeAndVlan, ports | (high << 16), middle | (low << 16), isIp ? proto(key) : 0];
  return jenkinsHash(words, 32, basis);
}

function oneAddress(key: Key, v4: number, v6: number, basis: number): number {
  const type = etherType(key);
  if (type === 0x0800) return jenkinsHash([swap(key[v4]!)], 4, basis);
  if (type === 0x86dd) return jenkinsHash([0, 1, 2, 3].map((i) => swap(key[v6 + i]!)), 16, basis); // biome-ignore format: one line
  return basis;
}

/** The hash of a key over some fields. */
export function hashFields(key: Key, fields: string, basis: number): number {
  switch (fields as HashFields) {
    case 'eth_src': {
      const first = ((key[W.ETH + 1]! & 0xffff) << 16) | (key[W.ETH + 2]! >>> 16);
      return jenkinsHash([swap(first), swap(key[W.ETH + 2]! << 16)], 6, basis);
    }
    case 'symmetric_l4':
      return symmetricL4(key, basis);
    case 'symmetric_l3l4':
    case 'symmetric_l3l4+udp': {
      const hash = addAddresses(key, basis);
      if (hash === undefined) return symmetricL2(key, basis);
      const withProto = hashAdd(hash, proto(key));
      return hashFinish(hasPorts(key, fields.endsWith('udp')) ? hashAdd(withProto, swap16(portsXor(key))) : withProto, basis);
    }
    case 'symmetric_l3':
      return jenkinsHash([...addressWords(key), swap16(etherType(key))], 20, basis);
    case 'nw_src':
      return oneAddress(key, W.NW_SRC, W.IPV6_SRC, basis);
    case 'nw_dst':
      return oneAddress(key, W.NW_DST, W.IPV6_DST, basis);
  }
}

/** Adds what `hashFields` reads to a mask. */
export function markHashFields(key: Key, wild: Key, fields: string): void {
  const mark = (word: number, bits = 0xffffffff): void => {
    wild[word] = wild[word]! | bits;
  };
  const type = etherType(key);
  const isIp = type === 0x0800 || type === 0x86dd;
  const address = (v4: number, v6: number): void => {
    if (type === 0x0800) mark(v4);
    else if (type === 0x86dd) for (let i = 0; i < 4; i++) mark(v6 + i);
  };
  const ports = (have: boolean): void => {
    if (!isIp) return;
    mark(W.TYPE, 0xff);
    if (have) mark(W.TP);
  };
  const ethernet = (): void => {
    for (let i = 0; i < 3; i++) mark(W.ETH + i);
    mark(W.VLAN0, 0xfff | VLAN_CFI);
    mark(W.VLAN1, 0xfff | VLAN_CFI);
  };
  switch (fields as HashFields) {
    case 'eth_src':
      mark(W.ETH + 1, 0xffff);
      mark(W.ETH + 2);
      return;
    case 'symmetric_l4':
      ethernet();
      address(W.NW_SRC, W.IPV6_SRC);
      address(W.NW_DST, W.IPV6_DST);
      // As in the reference: more is read of what has no ports than the hash needs.
      ports(proto(key) !== 17);
      return;
    case 'symmetric_l3l4':
    case 'symmetric_l3l4+udp':
      // What is not IP is told apart by its Ethernet header, which the reference reads without saying so in its megaflows.
      if (!isIp) ethernet();
      address(W.NW_SRC, W.IPV6_SRC);
      address(W.NW_DST, W.IPV6_DST);
      ports(hasPorts(key, fields.endsWith('udp')));
      return;
    case 'symmetric_l3':
      address(W.NW_SRC, W.IPV6_SRC);
      address(W.NW_DST, W.IPV6_DST);
      return;
    case 'nw_src':
      address(W.NW_SRC, W.IPV6_SRC);
      return;
    case 'nw_dst':
      address(W.NW_DST, W.IPV6_DST);
      return;
  }
}
