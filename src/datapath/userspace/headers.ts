// Changes to a frame in place: tags, labels and masked sets, with checksums kept right by RFC 1624 so that a wrong checksum stays wrong.
//
// A partial checksum (virtio's NEEDS_CSUM) holds only the pseudo header's sum: addresses change it, what it covers does not.
// Invariant: the caller has made sure that no device still holds the bytes (`Packet.isQueued`).
import { layoutL3, layoutL4 } from '../../flow/extract.ts';
import { type Key, W } from '../../flow/key.ts';
import type { Packet } from '../../netdev/packet.ts';
import { shiftCrc32c, updateChecksum, updatePartialSum } from '../../wire/checksum.ts';

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const put16 = (b: Uint8Array, i: number, value: number): void => {
  b[i] = value >>> 8;
  b[i + 1] = value;
};
const get32 = (b: Uint8Array, i: number): number => (b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!;
const put32 = (b: Uint8Array, i: number, value: number): void => {
  b[i] = value >>> 24;
  b[i + 1] = value >>> 16;
  b[i + 2] = value >>> 8;
  b[i + 3] = value;
};

/** Moves the first `keep` bytes of the frame by `size` towards its head (or back, when negative); the gap opens behind them. */
export function shift(packet: Packet, keep: number, size: number): void {
  const { bytes, start } = packet;
  bytes.copyWithin(start - size, start, start + keep);
  packet.start = start - size;
  packet.length += size;
  packet.headroom -= size;
  if (packet.csumStart !== 0) packet.csumStart += size;
}

/** Pushes a VLAN tag; false when there is no room. */
export function pushVlan(packet: Packet, tpid: number, tci: number): boolean {
  if (packet.headroom < 4 || packet.length < 14) return false;
  shift(packet, 12, 4);
  put16(packet.bytes, packet.start + 12, tpid);
  // Bit 12 says "present" in a key; it is the drop-eligible bit on the wire.
  put16(packet.bytes, packet.start + 14, tci & 0xefff);
  return true;
}

/** Pops the outer VLAN tag, if there is one. */
export function popVlan(packet: Packet): void {
  const type = get16(packet.bytes, packet.start + 12);
  if (packet.length >= 18 && (type === 0x8100 || type === 0x88a8)) shift(packet, 12, -4);
}

/** Pushes a label stack entry before the network header. */
export function pushMpls(packet: Packet, layout: number, ethertype: number, lse: number): boolean {
  const l3 = layoutL3(layout);
  if (packet.headroom < 4 || l3 < 14) return false;
  shift(packet, l3, 4);
  put16(packet.bytes, packet.start + l3 - 2, ethertype);
  put32(packet.bytes, packet.start + l3, lse);
  return true;
}

/** Pops the outermost label stack entry. */
export function popMpls(packet: Packet, layout: number, ethertype: number): void {
  const l3 = layoutL3(layout);
  const type = get16(packet.bytes, packet.start + l3 - 2);
  if (l3 < 14 || packet.length < l3 + 4 || (type !== 0x8847 && type !== 0x8848)) return;
  shift(packet, l3, -4);
  put16(packet.bytes, packet.start + l3 - 2, ethertype);
}

/** A checksum field that follows 16-bit changes. `at` = -1 means there is none. */
function follow(b: Uint8Array, at: number, isPartial: boolean, isUdp: boolean, before: number, after: number): void {
  if (at < 0 || before === after) return;
  const checksum = get16(b, at);
  if (isPartial) {
    put16(b, at, updatePartialSum(checksum, before, after));
  } else if (!isUdp || checksum !== 0) {
    const next = updateChecksum(checksum, before, after);
    put16(b, at, isUdp && next === 0 ? 0xffff : next);
  }
}

/** Where the transport checksum stands that covers the pseudo header, or -1. */
function transportChecksumAt(proto: number, l4: number, isIpv6: boolean): number {
  if (l4 === 0) return -1;
  if (proto === 6) return l4 + 16;
  if (proto === 17) return l4 + 6;
  return proto === 58 && isIpv6 ? l4 + 2 : -1;
}

/** Masked set of header fields, given as triples (key word, value, mask). `key` and `layout` describe the frame as it is now. */
export function setFields(packet: Packet, key: Key, layout: number, words: Int32Array): void {
  const b = packet.bytes;
  const start = packet.start;
  const type = key[W.TYPE]! >>> 16;
  const proto = key[W.TYPE]! & 0xff;
  const l3 = layoutL3(layout) === 0 ? 0 : start + layoutL3(layout);
  const l4 = layoutL4(layout) === 0 ? 0 : start + layoutL4(layout);
  // A header counts only when it is all there: flows match what is malformed too.
  const end = start + packet.length;
  const room = l3 === 0 ? 0 : end - l3;
  const hasNd = proto === 58 && l4 !== 0 && end - l4 >= 24;
  const isIpv4 = type === 0x0800 && room >= 20 && (key[W.TOS]! !== 0 || key[W.NW_SRC]! !== 0 || proto !== 0);
  const isIpv6 = type === 0x86dd && room >= 40;
  const isArp = (type === 0x0806 || type === 0x8035) && room >= 28 && key[W.ARP_HW]! + key[W.ARP_HW + 1]! + key[W.NW_SRC]! + proto !== 0;
  const isPartial = packet.csumStart !== 0 && start + packet.csumStart === l4;
  const isUdp = proto === 17;
  const sumAt = transportChecksumAt(proto, l4, isIpv6);
  const ownSumAt = isPartial ? -1 : proto === 1 && isIpv4 && l4 !== 0 ? l4 + 2 : sumAt;

  const patch32 = (at: number, value: number, mask: number, ipSum: number, l4Sum: number, partial: boolean): void => {
    const before = get32(b, at);
    const after = (before & ~mask) | (value & mask);
    if (before === after) return;
    put32(b, at, after);
    follow(b, ipSum, false, false, before >>> 16, after >>> 16);
    follow(b, ipSum, false, false, before & 0xffff, after & 0xffff);
    follow(b, l4Sum, partial, isUdp, before >>> 16, after >>> 16);
    follow(b, l4Sum, partial, isUdp, before & 0xffff, after & 0xffff);
  };
  const patch16 = (at: number, value: number, mask: number, sum: number): void => {
    const before = get16(b, at);
    const after = (before & ~mask) | (value & mask);
    put16(b, at, after & 0xffff);
    follow(b, sum, false, isUdp && sum === ownSumAt, before, after & 0xffff);
  };

  for (let i = 0; i + 2 < words.length; i += 3) {
    const word = words[i]!;
    const value = words[i + 1]!;
    const mask = words[i + 2]!;
    if (word >= W.ETH && word < W.ETH + 3) {
      patch32(start + (word - W.ETH) * 4, value, mask, -1, -1, false);
    } else if (word === W.VLAN0) {
      if (key[W.VLAN0] !== 0) patch16(start + 14, value, mask & 0xefff, -1);
    } else if (word === W.NW_SRC || word === W.NW_DST) {
      if (isIpv4) patch32(l3 + (word === W.NW_SRC ? 12 : 16), value, mask, l3 + 10, sumAt, isPartial);
      else if (isArp) patch32(l3 + (word === W.NW_SRC ? 14 : 24), value, mask, -1, -1, false);
    } else if (word === W.TOS) {
      if (isIpv4) {
        patch16(l3, value >>> 24, mask >>> 24, l3 + 10);
        patch16(l3 + 8, (value >>> 8) & 0xff00, (mask >>> 8) & 0xff00, l3 + 10);
      } else if (isIpv6) {
        patch32(l3, (value >>> 24) << 20, (mask >>> 24) << 20, -1, -1, false);
        b[l3 + 7] = (b[l3 + 7]! & ~(mask >>> 16)) | ((value & mask) >>> 16);
      }
    } else if (word === W.IPV6_LABEL) {
      if (isIpv6) patch32(l3, value, mask & 0xfffff, -1, -1, false);
    } else if (word >= W.IPV6_SRC && word < W.IPV6_DST + 4) {
      if (isIpv6) patch32(l3 + 8 + (word - W.IPV6_SRC) * 4, value, mask, -1, sumAt, isPartial);
    } else if (word === W.TP) {
      if (l4 === 0) continue;
      if ((proto === 1 && isIpv4) || (proto === 58 && isIpv6)) {
        patch16(l4, ((value >>> 8) & 0xff00) | (value & 0xff), ((mask >>> 8) & 0xff00) | (mask & 0xff), ownSumAt);
      } else if (proto === 6 || proto === 17) {
        patch32(l4, value, mask, -1, ownSumAt, false);
      } else if (proto === 132) {
        const before = get32(b, l4);
        patch32(l4, value, mask, -1, -1, false);
        const size = isIpv6 ? get16(b, l3 + 4) + 40 : get16(b, l3 + 2);
        followSctp(b, l4, size - (l4 - l3), before);
      }
    } else if (word === W.TYPE) {
      if (isArp) patch16(l3 + 6, value & 0xff, mask & 0xff, -1);
    } else if (word >= W.ARP_HW && word < W.ARP_HW + 3) {
      if (isArp) setArpHardware(b, l3, word - W.ARP_HW, value, mask);
      else if (hasNd) setNdHardware(packet, l4, word - W.ARP_HW, value, mask, ownSumAt);
    } else if (word >= W.ND_TARGET && word < W.ND_TARGET + 4) {
      if (hasNd) patch32(l4 + 8 + (word - W.ND_TARGET) * 4, value, mask, -1, ownSumAt, false);
    } else if (word === W.ND_RESERVED) {
      if (hasNd) patch32(l4 + 4, value, mask, -1, ownSumAt, false);
    } else if (word >= W.NSH && word < W.NSH_C + 4) {
      if (type === 0x894f && room >= 8) setNsh(b, l3, room, word, value, mask);
    } else if (word >= W.MPLS && word < W.MPLS + 3) {
      if ((type === 0x8847 || type === 0x8848) && room >= (word - W.MPLS + 1) * 4)
        patch32(l3 + (word - W.MPLS) * 4, value, mask, -1, -1, false);
    }
  }
}

/** RFC 8300: flags and TTL share the first 16 bits with version and length; then the path, and four context words of metadata type 1. */
function setNsh(b: Uint8Array, l3: number, room: number, word: number, value: number, mask: number): void {
  if (word === W.NSH) {
    const flags = (value >>> 24) & 3;
    const flagMask = (mask >>> 24) & 3;
    const ttl = (value >>> 16) & 0x3f;
    const ttlMask = (mask >>> 16) & 0x3f;
    const bits = (flagMask << 12) | (ttlMask << 6);
    put16(b, l3, (get16(b, l3) & ~bits) | (((flags << 12) | (ttl << 6)) & bits));
    return;
  }
  const at = l3 + 4 + (word - W.NSH_PATH) * 4;
  const isContext = word > W.NSH_PATH;
  if (isContext && ((b[l3 + 2]! & 0xf) !== 1 || room < 24)) return;
  put32(b, at, (get32(b, at) & ~mask) | (value & mask));
}

/**
 * The CRC of an SCTP packet of `size` bytes follows a change of its ports, which were `before`: a wrong one stays wrong. One of 0 is for the
 * device to make, from what stands there.
 */
function followSctp(b: Uint8Array, at: number, size: number, before: number): void {
  if (get32(b, at + 8) === 0) return;
  const change = before ^ get32(b, at);
  const difference = shiftCrc32c((change >>> 24) | ((change >>> 8) & 0xff00) | ((change << 8) & 0xff0000) | (change << 24), size);
  for (let i = 0; i < 4; i++) b[at + 8 + i]! ^= difference >>> (8 * i);
}

/** arp_sha and arp_tha are 48 bits each, in three words of the key, and stand at 8 and 18 in the header. */
function setArpHardware(b: Uint8Array, l3: number, index: number, value: number, mask: number): void {
  for (let i = 0; i < 4; i++) {
    const byte = index * 4 + i;
    const at = l3 + (byte < 6 ? 8 + byte : 18 + byte - 6);
    const byteMask = (mask >>> (24 - 8 * i)) & 0xff;
    b[at] = (b[at]! & ~byteMask) | ((value >>> (24 - 8 * i)) & byteMask);
  }
}

/** The same words are nd_sll and nd_tll, wherever their options stand. */
function setNdHardware(packet: Packet, l4: number, index: number, value: number, mask: number, sumAt: number): void {
  const b = packet.bytes;
  const end = packet.start + packet.length;
  for (let at = l4 + 24; at + 8 <= end && b[at + 1] !== 0; at += b[at + 1]! * 8) {
    const option = b[at]!;
    if ((option !== 1 && option !== 2) || b[at + 1] !== 1) continue;
    for (let i = 0; i < 4; i++) {
      const byte = index * 4 + i - (option === 1 ? 0 : 6);
      if (byte < 0 || byte > 5) continue;
      const place = at + 2 + byte;
      const even = place - ((place - l4) & 1);
      const byteMask = (mask >>> (24 - 8 * i)) & 0xff;
      const before = get16(b, even);
      b[place] = (b[place]! & ~byteMask) | ((value >>> (24 - 8 * i)) & byteMask);
      follow(b, sumAt, false, false, before, get16(b, even));
    }
  }
}
