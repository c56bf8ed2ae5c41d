// A frame as text: every field that it has, as a match would name it, and the transport checksum.
import { extractBare, extractKey, layoutL3, layoutL4 } from '../../flow/extract.ts';
import { FRAG, type Key, type Match, newKey, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { ETH, IP } from '../../flow/prerequisites.ts';

/** Where metadata that a frame does not have stands, and how many words belong together. */
const METADATA: readonly (readonly [number, number])[] = [
  [W.RECIRC_ID, 1],
  [W.CT_STATE, 1],
  [W.CT_MARK, 1],
  [W.DP_HASH, 1],
  [W.SKB_PRIORITY, 1],
  [W.PKT_MARK, 1],
  [W.CT_LABEL, 4],
  [W.METADATA, 2],
  ...Array.from({ length: 16 }, (_, i): readonly [number, number] => [W.REGS + i, 1]),
];

/** The same of a tunnel: there is one where it has a destination. */
const TUNNEL: readonly (readonly [number, number])[] = [
  [W.TUN_SRC, 1],
  [W.TUN_DST, 1],
  [W.TUN_IPV6_SRC, 4],
  [W.TUN_IPV6_DST, 4],
  [W.TUN_FLAGS, 1],
  [W.TUN_GBP, 1],
];

/** The checksum of a transport header: its name, place and size, and the size of the header. */
const CHECKSUMS: ReadonlyMap<number, readonly [string, number, number, number]> = new Map([
  [IP.TCP, ['tcp_csum', 16, 2, 20]],
  [IP.UDP, ['udp_csum', 6, 2, 8]],
  [IP.SCTP, ['sctp_csum', 8, 4, 12]],
  [IP.ICMP, ['icmp_csum', 2, 2, 8]],
  [IP.ICMPV6, ['icmp6_csum', 2, 2, 4]],
]);

/** A later fragment, in the word of types. */
const LATER = FRAG.LATER << 8;
const IPV6_BYTES = 40;
const ICMP_BYTES = 8;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const IPV6_NEXT_AT = 6;
const CHECKSUM_END = 4;
const MPLS_BOTTOM = 0x100;
const ND_SOLICIT = 135;
const ND_ADVERT = 136;

/** A match of all that a frame's headers say; a packet type other than 0 says what the packet begins with instead of Ethernet. */
export function packetMatch(frame: Uint8Array, packetType = 0): { match: Match; transportAt: number } {
  const key = newKey();
  key[W.PACKET_TYPE] = packetType;
  const layout = packetType === 0 ? extractKey(frame, 0, frame.length, key) : extractBare(frame, packetType & 0xffff, key);
  const icmpAt = readIcmp(frame, key, layoutL3(layout));
  const match = keyMatch(key);
  if (icmpAt > 0) return { match, transportAt: icmpAt };
  if (((key[W.TYPE] ?? 0) & LATER) !== 0) return { match, transportAt: laterFragmentAt(frame, key, layoutL3(layout)) };
  const isTransport = (match.mask[W.TP] ?? 0) !== 0;
  return { match, transportAt: isTransport ? layoutL4(layout) : 0 };
}

/**
 * Where an ICMPv6 message begins, or ICMP or IGMP in IPv6; 0 when there is none. The key that flows are matched by is without type and code of
 * what is in the wrong family, which the reference shows: they are added to it.
 */
function readIcmp(frame: Uint8Array, key: Key, l3: number): number {
  const word = key[W.TYPE] ?? 0;
  const [isIpv6, proto] = [word >>> 16 === ETH.IPV6, word & 0xff];
  const isForeign = isIpv6 ? proto === IP.ICMP || proto === IP.IGMP : word >>> 16 === ETH.IPV4 && proto === IP.ICMPV6;
  if (!(isForeign || (isIpv6 && proto === IP.ICMPV6)) || (word & LATER) !== 0) return 0;
  const u16 = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const end = l3 + (isIpv6 ? IPV6_BYTES + u16(l3 + 4) : u16(l3 + 2));
  const at = isIpv6 ? afterExtensions(frame, l3, proto) : l3 + ((frame[l3] ?? 0) & 15) * 4;
  // The checksum of ICMPv6 is shown even where the message is too short for type and code.
  if (end - at < (proto === IP.ICMPV6 ? CHECKSUM_END : ICMP_BYTES)) return 0;
  if (isForeign && end - at >= ICMP_BYTES) key[W.TP] = ((frame[at] ?? 0) << 16) | (frame[at + 1] ?? 0);
  return at;
}

/** Where in a sound IPv6 packet the header of protocol `proto` begins. */
function afterExtensions(frame: Uint8Array, l3: number, proto: number): number {
  let at = l3 + IPV6_BYTES;
  for (let next = frame[l3 + IPV6_NEXT_AT] ?? 0; next !== proto && at < frame.length; ) {
    const size = next === FRAGMENT ? 8 : next === AUTHENTICATION ? ((frame[at + 1] ?? 0) + 2) * 4 : ((frame[at + 1] ?? 0) + 1) * 8;
    next = frame[at] ?? 0;
    at += size;
  }
  return at;
}

/** Where the data of a later IPv4 fragment begin that are enough for a header of its protocol: the reference shows a checksum there; otherwise 0. */
function laterFragmentAt(frame: Uint8Array, key: Key, l3: number): number {
  if ((key[W.TYPE] ?? 0) >>> 16 !== ETH.IPV4) return 0;
  const headerSize = ((frame[l3] ?? 0) & 15) * 4;
  const size = (((frame[l3 + 2] ?? 0) << 8) | (frame[l3 + 3] ?? 0)) - headerSize;
  const [, , , least = Number.POSITIVE_INFINITY] = CHECKSUMS.get((key[W.TYPE] ?? 0) & 0xff) ?? [];
  return size >= least ? l3 + headerSize : 0;
}

/** A match of all that a key says: the headers that it has, and the metadata that is not zero. */
export function keyMatch(key: Key): Match {
  const match: Match = { key, mask: newKey() };
  const { mask } = match;
  const exact = (word: number, bits = 0xffffffff): void => {
    mask[word] = ((mask[word] ?? 0) | bits) >>> 0;
  };
  const all = (from: number, count: number): void => {
    for (let word = from; word < from + count; word++) exact(word);
  };
  const present = ([first, count]: readonly [number, number]): void => {
    if (key.subarray(first, first + count).some((word) => word !== 0)) all(first, count);
  };
  METADATA.forEach(present);
  present([W.TUN_ID, 2]);
  if (key[W.TUN_DST] !== 0 || key.subarray(W.TUN_IPV6_DST, W.TUN_IPV6_DST + 4).some((word) => word !== 0)) TUNNEL.forEach(present);
  if ((key[W.CT_ZONE] ?? 0) >>> 16 !== 0) exact(W.CT_ZONE, 0xffff0000);
  const packetType = key[W.PACKET_TYPE] ?? 0;
  if (packetType === 0) {
    all(W.ETH, 3);
    exact(W.TYPE, 0xffff0000);
    exact(W.VLAN0, 0xffff);
    if (key[W.VLAN0] !== 0) exact(W.VLAN1, 0xffff);
  } else exact(W.PACKET_TYPE);
  // What a packet is that has a type of its own, it is by that alone.
  const ethType = (key[W.TYPE] ?? 0) >>> 16;
  const type = packetType === 0 ? ethType : packetType & 0xffff;
  const proto = (key[W.TYPE] ?? 0) & 0xff;
  const [kind, code] = [(key[W.TP] ?? 0) >>> 16, (key[W.TP] ?? 0) & 0xffff];
  const isNd = type === ETH.IPV6 && proto === IP.ICMPV6 && code === 0 && (kind === ND_SOLICIT || kind === ND_ADVERT);
  // The first packet of a connection is told where its protocol is, and the addresses also where the packet is IP by its packet type alone.
  const hasConnection = ((key[W.CT_ZONE] ?? 0) & 0xff00) !== 0;
  const hasPeers = (hasConnection || ethType !== type) && !isNd;
  if (type === ETH.IPV4) {
    all(W.NW_SRC, 2);
    if (hasPeers) all(W.CT_NW_SRC, 2);
  } else if (type === ETH.IPV6) {
    all(W.IPV6_SRC, 8);
    if (hasPeers) all(W.CT_IPV6_SRC, 8);
    exact(W.IPV6_LABEL, 0xfffff);
  } else if (type === ETH.ARP || type === ETH.RARP) {
    all(W.NW_SRC, 2);
    all(W.ARP_HW, 3);
    exact(W.TYPE, 0xff);
    return match;
  } else if (type === ETH.MPLS || type === ETH.MPLS_MCAST) {
    exact(W.MPLS);
    // As deep as there are labels below, three at most.
    const isLast = (label: number): boolean => ((key[W.MPLS + label] ?? 0) & MPLS_BOTTOM) !== 0;
    if (!isLast(0)) exact(W.MPLS + 1);
    if (!isLast(0) && !isLast(1)) exact(W.MPLS + 2);
    return match;
  } else if (ethType === ETH.NSH) {
    // And what IP has, although there is none: as the reference.
    all(W.NSH, 6);
  } else return match;
  if (hasConnection) {
    exact(W.CT_ZONE, 0xff00);
    exact(W.CT_TP);
  }
  exact(W.TYPE, 0x3ff);
  exact(W.TOS, 0xffff0000);
  if (((key[W.TYPE] ?? 0) & 0x200) !== 0) return match;
  if (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP || proto === IP.ICMP || proto === IP.ICMPV6 || proto === IP.IGMP) {
    exact(W.TP);
    if (proto === IP.TCP) exact(W.TOS, 0xfff);
    if (isNd) {
      all(W.ND_TARGET, 4);
      all(W.ARP_HW, 3);
    }
  }
  return match;
}

/** One line about a frame, ended. */
export function formatPacket(frame: Uint8Array, packetType = 0): string {
  const { match, transportAt } = packetMatch(frame, packetType);
  let text = formatMatch(match);
  const row = transportAt === 0 ? undefined : CHECKSUMS.get((match.key[W.TYPE] ?? 0) & 0xff);
  if (row !== undefined) {
    const [name, at, size] = row;
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (frame[transportAt + at + i] ?? 0);
    text += ` ${name}:${value.toString(16)}`;
  }
  return `${text}\n`;
}
