// From a frame to its key, in one pass, without allocation. Any bytes are a frame: what is cut short or malformed simply has fewer fields.
//
//   1. Ethernet, up to `vlanLimit` tags, LLC/SNAP
//   2. MPLS (three entries), ARP, IPv4 or IPv6 with its extension headers
//   3. TCP, UDP, SCTP, ICMP, IGMP, ICMPv6 with neighbour discovery
//
// A header is taken whole or not at all, under the same conditions as Open vSwitch (ovs-fields(7)): an IPv4 packet whose lengths contradict
// each other has an eth_type and nothing else; ports exist only when the whole fixed transport header is there.
// Words that come from metadata (in_port, recirc_id, ct_*, tun_*, marks) are the caller's and are left alone.
//
// Lengths: `length` is what the buffer holds. A super-segment is an ordinary frame here; its IPv4 total length covers all of it.
import { FRAG, type Key, VLAN_CFI, W } from './key.ts';

let vlanLimit = 1;

/** How many VLAN tags are parsed (Open_vSwitch:other_config:vlan-limit): 1 (the default) or 2; 0 means 2. Inner tags beyond are payload. */
export function setVlanLimit(limit: number): void {
  vlanLimit = limit === 1 ? 1 : 2;
}

const be16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const be32 = (b: Uint8Array, i: number): number => (b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!;

const isTpid = (type: number): boolean => type === 0x8100 || type === 0x88a8;

/** Offset of the network header in what `extractKey` gave; 0 = none. */
export const layoutL3 = (layout: number): number => layout & 0xffff;
/** Offset of the transport header in what `extractKey` gave; 0 = none, or not wholly there, or a later fragment. */
export const layoutL4 = (layout: number): number => layout >>> 16;

/**
 * Reads the frame at [offset, offset+length) into the header words of `key`, clearing those that the frame does not have.
 * Gives the offsets of the network and transport headers from the frame's start, for `layoutL3` and `layoutL4`.
 */
export function extractKey(frame: Uint8Array, offset: number, length: number, key: Key): number {
  for (let i = W.ETH; i <= W.TOS; i++) key[i] = 0;
  for (let i = W.VLAN1; i <= W.ND_OPTIONS; i++) key[i] = 0;
  for (let i = W.NSH; i < W.TUN_METADATA; i++) key[i] = 0;
  const end = offset + Math.min(length, frame.length - offset);
  if (end - offset < 14) return 0;

  key[W.ETH] = be32(frame, offset);
  key[W.ETH + 1] = be32(frame, offset + 4);
  key[W.ETH + 2] = be32(frame, offset + 8);
  let at = offset + 12;
  let type = be16(frame, at);
  if (isTpid(type) && end - at >= 6) {
    key[W.VLAN0] = (type << 16) | be16(frame, at + 2) | VLAN_CFI;
    at += 4;
    type = be16(frame, at);
    if (vlanLimit > 1 && isTpid(type) && end - at >= 6) {
      key[W.VLAN1] = (type << 16) | be16(frame, at + 2) | VLAN_CFI;
      at += 4;
      type = be16(frame, at);
    }
  }
  at += 2;
  if (type < 0x600) {
    // IEEE 802.2 LLC with SNAP and OUI 0 carries an Ethernet type (RFC 1042); anything else is "no type".
    const isSnap = end - at >= 8 && be32(frame, at) >>> 8 === 0xaaaa03 && frame[at + 3] === 0 && be16(frame, at + 4) === 0;
    const snapType = isSnap ? be16(frame, at + 6) : 0;
    if (snapType >= 0x600) {
      type = snapType;
      at += 8;
    } else {
      type = 0x5ff;
    }
  }
  return extractNetwork(frame, offset, at, end, type, key);
}

/** Reads a packet that begins without an Ethernet header, of the Ethernet type given, as `extractKey` does. */
export function extractBare(packet: Uint8Array, type: number, key: Key): number {
  return extractNetwork(packet, 0, 0, packet.length, type, key);
}

function extractNetwork(frame: Uint8Array, offset: number, at: number, end: number, type: number, key: Key): number {
  key[W.TYPE] = type << 16;
  if (type === 0x0800) return extractIpv4(frame, offset, at, end, key);
  if (type === 0x86dd) return extractIpv6(frame, offset, at, end, key);
  if (type === 0x0806 || type === 0x8035) extractArp(frame, at, end, key);
  else if (type === 0x8847 || type === 0x8848) extractMpls(frame, at, end, key);
  else if (type === 0x894f) extractNsh(frame, at, end, key);
  return at - offset;
}

function extractArp(frame: Uint8Array, at: number, end: number, key: Key): void {
  if (end - at < 28 || be32(frame, at) !== 0x00010800 || be16(frame, at + 4) !== 0x0604) return;
  const operation = be16(frame, at + 6);
  if (operation <= 0xff) key[W.TYPE] = key[W.TYPE]! | operation;
  key[W.ARP_HW] = be32(frame, at + 8);
  key[W.ARP_HW + 1] = (be16(frame, at + 12) << 16) | be16(frame, at + 18);
  key[W.ARP_HW + 2] = be32(frame, at + 20);
  key[W.NW_SRC] = be32(frame, at + 14);
  key[W.NW_DST] = be32(frame, at + 24);
}

/** RFC 8300 section 2. Metadata of other types than 1 is payload here, as in Open vSwitch. */
function extractNsh(frame: Uint8Array, at: number, end: number, key: Key): void {
  if (end - at < 8) return;
  const first = be16(frame, at);
  const size = (first & 0x3f) * 4;
  const mdType = frame[at + 2]!;
  // Version 0 only; type 1 has exactly four context words, type 2 the base header at least, others any size that is there.
  if (first >>> 14 !== 0 || end - at < size) return;
  if (mdType === 1 ? size !== 24 : mdType === 2 && size < 8) return;
  key[W.NSH] = (((first >>> 12) & 3) << 24) | (((first >>> 6) & 0x3f) << 16) | (mdType << 8) | frame[at + 3]!;
  key[W.NSH_PATH] = be32(frame, at + 4);
  if (mdType === 1) for (let i = 0; i < 4; i++) key[W.NSH_C + i] = be32(frame, at + 8 + 4 * i);
}

function extractMpls(frame: Uint8Array, start: number, end: number, key: Key): void {
  let at = start;
  for (let i = 0; i < 3 && end - at >= 4; i++) {
    key[W.MPLS + i] = be32(frame, at);
    if ((frame[at + 2]! & 1) !== 0) return;
    at += 4;
  }
}

function extractIpv4(frame: Uint8Array, offset: number, at: number, end: number, key: Key): number {
  const l3 = at - offset;
  const size = end - at;
  if (size < 20) return l3;
  const headerSize = (frame[at]! & 15) * 4;
  const totalSize = be16(frame, at + 2);
  if (headerSize < 20 || size < headerSize || totalSize > size || totalSize < headerSize) return l3;
  const fragment = be16(frame, at + 6);
  const isLater = (fragment & 0x1fff) !== 0;
  const nwFrag = (fragment & 0x3fff) !== 0 ? (isLater ? FRAG.ANY | FRAG.LATER : FRAG.ANY) : 0;
  const proto = frame[at + 9]!;
  key[W.NW_SRC] = be32(frame, at + 12);
  key[W.NW_DST] = be32(frame, at + 16);
  key[W.TYPE] = key[W.TYPE]! | (nwFrag << 8) | proto;
  key[W.TOS] = (frame[at + 1]! << 24) | (frame[at + 8]! << 16);
  if (isLater) return l3;
  const l4 = at + headerSize;
  // Padding behind a short packet is no part of it.
  return extractTransport(frame, l4, at + totalSize, proto, 1, key) ? ((l4 - offset) << 16) | l3 : l3;
}

function extractIpv6(frame: Uint8Array, offset: number, at: number, end: number, key: Key): number {
  const l3 = at - offset;
  if (end - at < 40) return l3;
  const payloadSize = be16(frame, at + 4);
  if (payloadSize > end - at - 40) return l3;
  for (let i = 0; i < 8; i++) key[W.IPV6_SRC + i] = be32(frame, at + 8 + i * 4);
  const packetEnd = at + 40 + payloadSize;
  let proto = frame[at + 6]!;
  let next = at + 40;
  let nwFrag = 0;
  for (;;) {
    const left = packetEnd - next;
    if (proto === 0 || proto === 43 || proto === 60 || proto === 51) {
      if (left < 8) return l3;
      const size = proto === 51 ? (frame[next + 1]! + 2) * 4 : (frame[next + 1]! + 1) * 8;
      if (left < size) return l3;
      proto = frame[next]!;
      next += size;
    } else if (proto === 44) {
      if (left < 8) return l3;
      const fragment = be16(frame, next + 2);
      if (fragment !== 0) {
        nwFrag = FRAG.ANY;
        if ((fragment & 0xfff8) !== 0) {
          nwFrag |= FRAG.LATER;
          break;
        }
      }
      proto = frame[next]!;
      next += 8;
    } else {
      break;
    }
  }
  const first = be32(frame, at);
  key[W.IPV6_LABEL] = first & 0xfffff;
  key[W.TYPE] = key[W.TYPE]! | (nwFrag << 8) | proto;
  key[W.TOS] = (((first >>> 20) & 0xff) << 24) | (frame[at + 7]! << 16);
  if ((nwFrag & FRAG.LATER) !== 0 || next - offset > 0x7fff) return l3;
  return extractTransport(frame, next, packetEnd, proto, 2, key) ? ((next - offset) << 16) | l3 : l3;
}

/** `family` is 1 for IPv4 and 2 for IPv6: each has its own ICMP. Tells whether the header was there. */
function extractTransport(frame: Uint8Array, at: number, end: number, proto: number, family: 1 | 2, key: Key): boolean {
  const size = end - at;
  if (proto === 6) {
    if (size < 20) return false;
    // A header that says less than its least or more than there is has no ports.
    const header = (frame[at + 12]! >> 4) << 2;
    if (header < 20 || header > size) return true;
    key[W.TP] = be32(frame, at);
    key[W.TOS] = key[W.TOS]! | (be16(frame, at + 12) & 0xfff);
    return true;
  }
  if (proto === 17) {
    if (size < 8) return false;
    key[W.TP] = be32(frame, at);
    return true;
  }
  if (proto === 132) {
    if (size < 12) return false;
    key[W.TP] = be32(frame, at);
    return true;
  }
  if (size < 8) return false;
  if ((proto === 1 && family === 1) || (proto === 2 && family === 1)) {
    key[W.TP] = (frame[at]! << 16) | frame[at + 1]!;
    if (proto === 2) key[W.IGMP_GROUP] = be32(frame, at + 4);
    return true;
  }
  if (proto === 58 && family === 2) {
    key[W.TP] = (frame[at]! << 16) | frame[at + 1]!;
    const isNd = (frame[at] === 135 || frame[at] === 136) && frame[at + 1] === 0;
    if (isNd && size >= 24) extractNd(frame, at, end, key);
    return true;
  }
  return false;
}

/** RFC 4861 section 4.3, 4.4, 4.6: one link-layer address option at most of each kind; a malformed option list voids all of it. */
function extractNd(frame: Uint8Array, at: number, end: number, key: Key): void {
  key[W.ND_RESERVED] = be32(frame, at + 4);
  for (let i = 0; i < 4; i++) key[W.ND_TARGET + i] = be32(frame, at + 8 + i * 4);
  let next = at + 24;
  while (end - next >= 8) {
    const option = frame[next]!;
    const size = frame[next + 1]! * 8;
    if (size === 0 || size > end - next) {
      clearNd(key);
      return;
    }
    const high = size === 8 ? be32(frame, next + 2) : 0;
    const low = size === 8 ? be16(frame, next + 6) : 0;
    const word = W.ARP_HW;
    if (option === 1 && size === 8) {
      if ((key[word]! | (key[word + 1]! >>> 16)) !== 0) {
        clearNd(key);
        return;
      }
      key[word] = high;
      key[word + 1] = (key[word + 1]! & 0xffff) | (low << 16);
      key[W.ND_OPTIONS] = option << 24;
    } else if (option === 2 && size === 8) {
      if (((key[word + 1]! & 0xffff) | key[word + 2]!) !== 0) {
        clearNd(key);
        return;
      }
      key[word + 1] = (key[word + 1]! & 0xffff0000) | (high >>> 16);
      key[word + 2] = (high << 16) | low;
      key[W.ND_OPTIONS] = option << 24;
    }
    next += size;
  }
}

function clearNd(key: Key): void {
  for (let i = 0; i < 4; i++) key[W.ND_TARGET + i] = 0;
  for (let i = 0; i < 3; i++) key[W.ARP_HW + i] = 0;
  key[W.ND_RESERVED] = 0;
  key[W.ND_OPTIONS] = 0;
}
