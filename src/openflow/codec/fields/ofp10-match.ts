// The fixed match of OpenFlow 1.0 (40 bytes) and of 1.1 (88 bytes), with wildcard bits. OpenFlow 1.0.0 section 5.2.3.
import { PeerError } from '../../../base/errors.ts';
import type { Match } from '../../../flow/key.ts';
import { keyBits, matchAll, setKeyBits, W } from '../../../flow/key.ts';
import { ETH, IP, matchedDlType, matchedEthType, matchedProto } from '../../../flow/prerequisites.ts';
import { portFromWire32, portToWire32 } from '../../ports.ts';
import { ByteReader, ByteWriter } from '../bytes.ts';

/** Bits of OpenFlow 1.0's wildcards. */
export const FW10 = {
  IN_PORT: 1,
  DL_VLAN: 2,
  DL_SRC: 4,
  DL_DST: 8,
  DL_TYPE: 16,
  NW_PROTO: 32,
  TP_SRC: 64,
  TP_DST: 128,
  PCP: 1 << 20,
  TOS: 1 << 21,
} as const;
/** All of them. */
export const OFP10_WILDCARDS = 0x3fffff;
/** dl_type of frames without one, and dl_vlan of frames without a tag. */
const VLAN_NONE = 0xffff;

/** Matches bits that lie in one word. */
const set = (match: Match, at: number, bits: number, value: number): void => {
  const word = at >> 5;
  const shift = 32 - (at & 31) - bits;
  const all = bits === 32 ? 0xffffffff : ((1 << bits) - 1) << shift;
  match.key[word] = (match.key[word]! & ~all) | ((value << shift) & all);
  match.mask[word] = match.mask[word]! | all;
};

const w = (word: number): number => word * 32;
const get = (match: Match, at: number, bits: number): number =>
  (at & 31) + bits > 32 ? Number(keyBits(match.key, at, bits)) : (match.key[at >> 5]! >>> (32 - (at & 31) - bits)) & (2 ** bits - 1);
const masked = (match: Match, at: number, bits: number): boolean => {
  if ((at & 31) + bits > 32) return keyBits(match.mask, at, bits) === (1n << BigInt(bits)) - 1n;
  const all = (bits === 32 ? 0xffffffff : ((1 << bits) - 1) << (32 - (at & 31) - bits)) >>> 0;
  return (match.mask[at >> 5]! & all) >>> 0 === all;
};

/** Bits that an IPv4 mask leaves free, counted from the bottom, when it is a prefix; -1 when it is none. */
function wildLength(mask: number): number {
  const free = ~mask >>> 0;
  return (free & (free + 1)) === 0 ? 32 - Math.clz32(free) : -1;
}

/** Of any IPv4 mask the free bits at its bottom, which is all that OpenFlow 1.0 can say; 32 where all are free. */
const trailingWild = (mask: number): number => (mask === 0 ? 32 : 31 - Math.clz32(mask & -mask));

function same(a: Match, b: Match): boolean {
  for (let i = 0; i < a.mask.length; i++) {
    if (((a.mask[i] ?? 0) ^ (b.mask[i] ?? 0)) !== 0 || ((a.key[i] ?? 0) ^ (b.key[i] ?? 0)) !== 0) return false;
  }
  return true;
}

/** Whether the OpenFlow 1.0 match that `from` stands at leaves nothing free; reads nothing. */
export const isExactOfp10Match = (from: ByteReader): boolean =>
  (new ByteReader(from.bytes.subarray(from.at)).u32() & OFP10_WILDCARDS) === 0;

/** Whether a match can be told in OpenFlow 1.0's form; else NXM is needed. */
export const fitsOfp10 = (match: Match): boolean => same(match, encodeToMatch(match));

/** Whether a match can be told in OpenFlow 1.1's fixed form. */
export function fitsOfp11(match: Match): boolean {
  const out = new ByteWriter();
  encodeOfp11Match(out, match);
  return same(match, decodeOfp11Match(new ByteReader(out.result())));
}

/** What of a match OpenFlow 1.0 can say. */
function encodeToMatch(match: Match): Match {
  const kept = matchAll();
  const keep = (at: number, bits: number): void => {
    if (masked(match, at, bits)) set(kept, at, bits, get(match, at, bits));
  };
  const type = matchedEthType(match);
  const isArp = type === ETH.ARP || type === ETH.RARP;
  const isIp4 = type === ETH.IPV4;
  keep(w(W.IN_PORT) + 16, 16);
  setKeyBits(kept.key, w(W.ETH), 48, keyBits(match.key, w(W.ETH), 48));
  if (masked(match, w(W.ETH), 48)) set48(kept, match, w(W.ETH));
  else setKeyBits(kept.key, w(W.ETH), 48, 0n);
  if (masked(match, w(W.ETH) + 48, 48)) set48(kept, match, w(W.ETH) + 48);
  keep(w(W.TYPE), 16);
  const vlanMask = (match.mask[W.VLAN0] ?? 0) & 0xffff;
  const tci = (match.key[W.VLAN0] ?? 0) & 0xffff;
  const noTag = (vlanMask & 0x1000) !== 0 && (tci & 0x1000) === 0 && (vlanMask === 0xffff ? tci === 0 : vlanMask === 0x1fff);
  const tagged = (tci & 0x1000) !== 0;
  if (noTag || (tagged && (vlanMask === 0x1fff || vlanMask === 0xf000 || vlanMask === 0xffff))) {
    kept.mask[W.VLAN0] = vlanMask;
    kept.key[W.VLAN0] = tci;
  }
  if (isIp4 || isArp) {
    if (masked(match, w(W.TYPE) + 24, 8)) keep(w(W.TYPE) + 24, 8);
    for (const word of [W.NW_SRC, W.NW_DST]) {
      const mask = match.mask[word] ?? 0;
      if (wildLength(mask) < 0) continue;
      kept.mask[word] = mask;
      kept.key[word] = match.key[word] ?? 0;
    }
  }
  if (isIp4) {
    const tos = (match.mask[W.TOS] ?? 0) >>> 24;
    if ((tos & 0xfc) === 0xfc) {
      kept.mask[W.TOS] = 0xfc000000;
      kept.key[W.TOS] = ((match.key[W.TOS] ?? 0) & 0xfc000000) >>> 0;
    }
    const proto = matchedProto(match);
    if (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP || proto === IP.ICMP) {
      keep(w(W.TP), 16);
      keep(w(W.TP) + 16, 16);
    }
  }
  return kept;
}

function set48(kept: Match, match: Match, at: number): void {
  setKeyBits(kept.key, at, 48, keyBits(match.key, at, 48));
  setKeyBits(kept.mask, at, 48, (1n << 48n) - 1n);
}

/** Writes the 40 bytes of OpenFlow 1.0; what cannot be said is left out (see `fitsOfp10`), what lacks its prerequisites is not. */
export function encodeOfp10Match(out: ByteWriter, full: Match): void {
  const match = full;
  let wild = OFP10_WILDCARDS;
  // As the reference has it, of what cannot be said masked is said the whole.
  const has = (at: number, bits: number, bit: number): void => {
    if (keyBits(match.mask, at, bits) !== 0n) wild &= ~bit;
  };
  has(w(W.IN_PORT) + 16, 16, FW10.IN_PORT);
  has(w(W.ETH), 48, FW10.DL_DST);
  has(w(W.ETH) + 48, 48, FW10.DL_SRC);
  has(w(W.TYPE), 16, FW10.DL_TYPE);
  has(w(W.TYPE) + 24, 8, FW10.NW_PROTO);
  const vlanMask = (match.mask[W.VLAN0] ?? 0) & 0xffff;
  const tci = (match.key[W.VLAN0] ?? 0) & 0xffff;
  let vid = 0;
  let pcp = 0;
  if ((vlanMask & 0x1000) !== 0 && (tci & 0x1000) === 0) {
    vid = VLAN_NONE;
    wild &= ~(FW10.DL_VLAN | FW10.PCP);
  } else {
    if ((vlanMask & 0xfff) !== 0) {
      vid = tci & 0xfff;
      wild &= ~FW10.DL_VLAN;
    }
    if ((vlanMask & 0xe000) !== 0) {
      pcp = tci >> 13;
      wild &= ~FW10.PCP;
    }
  }
  if ((match.mask[W.TOS] ?? 0) >>> 26 !== 0) wild &= ~FW10.TOS;
  has(w(W.TP), 16, FW10.TP_SRC);
  has(w(W.TP) + 16, 16, FW10.TP_DST);
  wild =
    (wild & ~(63 << 8) & ~(63 << 14)) | (trailingWild(match.mask[W.NW_SRC] ?? 0) << 8) | (trailingWild(match.mask[W.NW_DST] ?? 0) << 14);
  const portField = (at: number): number => get(match, at, 16);
  out.u32(wild).u16(get(match, w(W.IN_PORT) + 16, 16));
  out.big(keyBits(match.key, w(W.ETH) + 48, 48), 6).big(keyBits(match.key, w(W.ETH), 48), 6);
  const type = get(match, w(W.TYPE), 16);
  out
    .u16(vid)
    .u8(pcp)
    .u8(0)
    .u16(type)
    .u8(((match.key[W.TOS] ?? 0) >>> 24) & 0xfc)
    .u8(get(match, w(W.TYPE) + 24, 8))
    .u16(0);
  out.u32(match.key[W.NW_SRC] ?? 0).u32(match.key[W.NW_DST] ?? 0);
  out.u16(portField(w(W.TP))).u16(portField(w(W.TP) + 16));
}

export function decodeOfp10Match(from: ByteReader): Match {
  const wild = from.u32() & OFP10_WILDCARDS;
  const inPort = from.u16();
  const srcHigh = from.u16();
  const srcLow = from.u32();
  const dstHigh = from.u16();
  const dstLow = from.u32();
  const vid = from.u16();
  const pcp = from.u8();
  from.skip(1);
  const type = from.u16();
  const tos = from.u8();
  const proto = from.u8();
  from.skip(2);
  const nwSrc = from.u32();
  const nwDst = from.u32();
  const tpSrc = from.u16();
  const tpDst = from.u16();

  const match = matchAll();
  const exact = (bit: number): boolean => (wild & bit) === 0;
  if (exact(FW10.IN_PORT)) set(match, w(W.IN_PORT) + 16, 16, inPort);
  if (exact(FW10.DL_SRC)) {
    set(match, w(W.ETH) + 48, 16, srcHigh);
    set(match, w(W.ETH + 2), 32, srcLow);
  }
  if (exact(FW10.DL_DST)) {
    set(match, w(W.ETH), 16, dstHigh);
    set(match, w(W.ETH) + 16, 16, dstLow >>> 16);
    set(match, w(W.ETH + 1), 16, dstLow & 0xffff);
  }
  if (exact(FW10.DL_TYPE)) set(match, w(W.TYPE), 16, type);
  if (exact(FW10.DL_VLAN) && vid === VLAN_NONE) {
    match.mask[W.VLAN0] = 0xffff;
  } else {
    let mask = 0;
    let tci = 0;
    if (exact(FW10.DL_VLAN)) {
      mask |= 0x1fff;
      tci |= 0x1000 | (vid & 0xfff);
    }
    if (exact(FW10.PCP)) {
      mask |= 0xf000;
      tci |= 0x1000 | ((pcp & 7) << 13);
    }
    match.mask[W.VLAN0] = mask;
    match.key[W.VLAN0] = tci;
  }
  const prefix = (free: number): number => (free >= 32 ? 0 : (0xffffffff << free) >>> 0);
  const address = (word: number, value: number, free: number): void => {
    match.mask[word] = prefix(free);
    match.key[word] = (value & prefix(free)) >>> 0;
  };
  address(W.NW_SRC, nwSrc, (wild >> 8) & 63);
  address(W.NW_DST, nwDst, (wild >> 14) & 63);
  if (exact(FW10.NW_PROTO)) set(match, w(W.TYPE) + 24, 8, proto);
  if (exact(FW10.TOS)) {
    match.mask[W.TOS] = 0xfc000000;
    match.key[W.TOS] = ((tos & 0xfc) << 24) >>> 0;
  }
  if (exact(FW10.TP_SRC)) set(match, w(W.TP), 16, tpSrc);
  if (exact(FW10.TP_DST)) set(match, w(W.TP) + 16, 16, tpDst);
  return match;
}

const FW11 = { IN_PORT: 1, VLAN: 2, PCP: 4, TYPE: 8, TOS: 16, PROTO: 32, TP_SRC: 64, TP_DST: 128, LABEL: 256, TC: 512 } as const;

/** Writes the 88 bytes of OpenFlow 1.1; what lacks its prerequisites is written too, as in OpenFlow 1.0. */
export function encodeOfp11Match(out: ByteWriter, match: Match): void {
  let wild = 0x3ff;
  const type = matchedDlType(match);
  const proto = masked(match, w(W.TYPE) + 24, 8) ? get(match, w(W.TYPE) + 24, 8) : -1;
  const has = (on: boolean, bit: number): void => {
    if (on) wild &= ~bit;
  };
  has(masked(match, w(W.IN_PORT) + 16, 16), FW11.IN_PORT);
  has(type >= 0, FW11.TYPE);
  const vlanMask = (match.mask[W.VLAN0] ?? 0) & 0xffff;
  const tci = (match.key[W.VLAN0] ?? 0) & 0xffff;
  let vid = 0;
  let pcp = 0;
  if ((vlanMask & 0x1000) !== 0 && (tci & 0x1000) === 0) {
    vid = VLAN_NONE;
    wild &= ~FW11.VLAN;
  } else if (vlanMask !== 0) {
    vid = (vlanMask & 0xfff) !== 0 ? tci & 0xfff : 0xfffe;
    wild &= ~FW11.VLAN;
    if ((vlanMask & 0xe000) !== 0) {
      pcp = tci >> 13;
      wild &= ~FW11.PCP;
    }
  }
  const tosMask = (match.mask[W.TOS] ?? 0) >>> 24;
  has((tosMask & 0xfc) === 0xfc, FW11.TOS);
  has(proto >= 0, FW11.PROTO);
  // As in OpenFlow 1.0, of a port that is matched in part the whole is said.
  has((match.mask[W.TP] ?? 0) >>> 16 !== 0, FW11.TP_SRC);
  has(((match.mask[W.TP] ?? 0) & 0xffff) !== 0, FW11.TP_DST);
  has(masked(match, w(W.MPLS), 20), FW11.LABEL);
  has(masked(match, w(W.MPLS) + 20, 3), FW11.TC);
  const flip = (at: number): bigint => ~keyBits(match.mask, at, 48) & ((1n << 48n) - 1n);
  out.u16(0).u16(88);
  out.u32((wild & 1) === 0 ? portToWire32(get(match, w(W.IN_PORT) + 16, 16)) : 0).u32(wild);
  out.big(keyBits(match.key, w(W.ETH) + 48, 48), 6).big(flip(w(W.ETH) + 48), 6);
  out.big(keyBits(match.key, w(W.ETH), 48), 6).big(flip(w(W.ETH)), 6);
  out.u16(vid).u8(pcp).u8(0).u16(Math.max(type, 0));
  out.u8(((match.key[W.TOS] ?? 0) >>> 24) & 0xfc).u8(Math.max(proto, 0));
  for (const word of [W.NW_SRC, W.NW_DST]) out.u32(match.key[word] ?? 0).u32(~(match.mask[word] ?? 0) >>> 0);
  out.u16(get(match, w(W.TP), 16)).u16(get(match, w(W.TP) + 16, 16));
  out
    .u32(get(match, w(W.MPLS), 20))
    .u8(get(match, w(W.MPLS) + 20, 3))
    .zeros(3);
  out.u64(keyBits(match.key, w(W.METADATA), 64)).u64(~keyBits(match.mask, w(W.METADATA), 64) & 0xffffffffffffffffn);
}

/** Reads the 88 bytes of OpenFlow 1.1, with the type and length in front, which are not looked at unless `checked`. */
export function decodeOfp11Match(from: ByteReader, checked = true): Match {
  const type = from.u16();
  const length = from.u16();
  if (checked && type !== 0) throw new PeerError('OFPBMC_BAD_TYPE', `match type ${type}`);
  if (checked && length !== 88) throw new PeerError('OFPBMC_BAD_LEN', `match length ${length}`);
  const match = matchAll();
  const inPort = from.u32();
  const wild = from.u32();
  const exact = (bit: number): boolean => (wild & bit) === 0;
  if (exact(FW11.IN_PORT)) set(match, w(W.IN_PORT) + 16, 16, portFromWire32(inPort, 'OFPBMC_BAD_VALUE'));
  for (const at of [w(W.ETH) + 48, w(W.ETH)]) {
    const value = from.big(6);
    const mask = ~from.big(6) & ((1n << 48n) - 1n);
    setKeyBits(match.key, at, 48, value & mask);
    setKeyBits(match.mask, at, 48, mask);
  }
  const vid = from.u16();
  const pcp = from.u8();
  from.skip(1);
  if (exact(FW11.VLAN)) {
    if (vid === VLAN_NONE) match.mask[W.VLAN0] = 0xffff;
    else {
      const any = vid === 0xfffe;
      if (!any && vid > 0xfff) throw new PeerError('OFPBMC_BAD_VALUE', `VLAN ${vid}`);
      let mask = any ? 0x1000 : 0x1fff;
      let tci = 0x1000 | (any ? 0 : vid);
      if (exact(FW11.PCP)) {
        if (pcp > 7) throw new PeerError('OFPBMC_BAD_VALUE', `VLAN priority ${pcp}`);
        mask |= 0xe000;
        tci |= (pcp & 7) << 13;
      }
      match.mask[W.VLAN0] = mask;
      match.key[W.VLAN0] = tci;
    }
  }
  const ethType = from.u16();
  if (exact(FW11.TYPE)) set(match, w(W.TYPE), 16, ethType);
  const dl = exact(FW11.TYPE) ? ethType : -1;
  const isIp4 = dl === ETH.IPV4;
  const isArp = dl === ETH.ARP || dl === ETH.RARP;
  const tos = from.u8();
  const proto = from.u8();
  if (isIp4 && exact(FW11.TOS)) {
    if ((tos & 3) !== 0) throw new PeerError('OFPBMC_BAD_VALUE', 'DSCP with ECN bits');
    match.mask[W.TOS] = 0xfc000000;
    match.key[W.TOS] = (tos << 24) >>> 0;
  }
  if ((isIp4 || isArp) && exact(FW11.PROTO)) set(match, w(W.TYPE) + 24, 8, proto);
  for (const word of [W.NW_SRC, W.NW_DST]) {
    const value = from.u32();
    const mask = ~from.u32() >>> 0;
    if (!isIp4 && !isArp) continue;
    match.key[word] = (value & mask) >>> 0;
    match.mask[word] = mask;
  }
  const tpSrc = from.u16();
  const tpDst = from.u16();
  if (isIp4 && exact(FW11.PROTO)) {
    if (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP || proto === IP.ICMP) {
      if (proto === IP.ICMP && ((exact(FW11.TP_SRC) && tpSrc > 255) || (exact(FW11.TP_DST) && tpDst > 255))) {
        throw new PeerError('OFPBMC_BAD_FIELD', 'ICMP type or code over 255');
      }
      if (exact(FW11.TP_SRC)) set(match, w(W.TP), 16, tpSrc);
      if (exact(FW11.TP_DST)) set(match, w(W.TP) + 16, 16, tpDst);
    } else if (!exact(FW11.TP_SRC) || !exact(FW11.TP_DST)) {
      // Ports of other protocols cannot be matched; wildcards are harmless.
    }
  }
  const label = from.u32();
  const tc = from.u8();
  from.skip(3);
  if (dl === ETH.MPLS || dl === ETH.MPLS_MCAST) {
    if (exact(FW11.LABEL)) set(match, w(W.MPLS), 20, label & 0xfffff);
    if (exact(FW11.TC)) set(match, w(W.MPLS) + 20, 3, tc & 7);
  }
  const metadata = from.u64();
  const metadataMask = ~from.u64() & 0xffffffffffffffffn;
  setKeyBits(match.key, w(W.METADATA), 64, metadata & metadataMask);
  setKeyBits(match.mask, w(W.METADATA), 64, metadataMask);
  return match;
}
