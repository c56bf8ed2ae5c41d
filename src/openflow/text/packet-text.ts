// A frame as text: every field that it has, as a match would name it, and the transport checksum.
import { extractBare, extractKey, layoutL3, layoutL4 } from '../../flow/extract.ts';
import { type Key, type Match, newKey, W } from '../../flow/key.ts';
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
  [W.CT_NW_SRC, 1],
  [W.CT_NW_DST, 1],
  [W.CT_TP, 1],
  [W.METADATA, 2],
  [W.ACTSET_OUTPUT, 1],
  ...Array.from({ length: 16 }, (_, i): readonly [number, number] => [W.REGS + i, 1]),
  [W.CONJ_ID, 1],
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

const IPV6_BYTES = 40;
const IPV6_NEXT_AT = 6;
const CHECKSUM_END = 4;
const MPLS_BOTTOM = 0x100;
const ND_SOLICIT = 135;
const ND_ADVERT = 136;

/** Where an ICMPv6 message begins that is too short for what the key has of it, yet has its checksum; 0 when there is none. */
function shortIcmp6At(frame: Uint8Array, key: Key, l3: number): number {
  const isIcmp6 = (key[W.TYPE] ?? 0) >>> 16 === ETH.IPV6 && frame[l3 + IPV6_NEXT_AT] === IP.ICMPV6;
  if (l3 === 0 || !isIcmp6) return 0;
  const size = ((frame[l3 + 4] ?? 0) << 8) | (frame[l3 + 5] ?? 0);
  return size >= CHECKSUM_END && l3 + IPV6_BYTES + CHECKSUM_END <= frame.length ? l3 + IPV6_BYTES : 0;
}

/** A match of all that a frame's headers say; a packet type other than 0 says what the packet begins with instead of Ethernet. */
export function packetMatch(frame: Uint8Array, packetType = 0): { match: Match; transportAt: number } {
  const key = newKey();
  key[W.PACKET_TYPE] = packetType;
  const layout = packetType === 0 ? extractKey(frame, 0, frame.length, key) : extractBare(frame, packetType & 0xffff, key);
  const match = keyMatch(key);
  const isTransport = (match.mask[W.TP] ?? 0) !== 0;
  return { match, transportAt: isTransport ? layoutL4(layout) || shortIcmp6At(frame, key, layoutL3(layout)) : 0 };
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
  const connection = key[W.CT_ZONE] ?? 0;
  exact(W.CT_ZONE, (connection >>> 16 === 0 ? 0 : 0xffff0000) | ((connection & 0xff00) === 0 ? 0 : 0xff00));
  if ((key[W.PACKET_TYPE] ?? 0) === 0) {
    all(W.ETH, 3);
    exact(W.TYPE, 0xffff0000);
    exact(W.VLAN0, 0xffff);
    if (key[W.VLAN0] !== 0) exact(W.VLAN1, 0xffff);
  } else exact(W.PACKET_TYPE);
  const type = (key[W.TYPE] ?? 0) >>> 16;
  const proto = (key[W.TYPE] ?? 0) & 0xff;
  if (type === ETH.IPV4) all(W.NW_SRC, 2);
  else if (type === ETH.IPV6) {
    all(W.IPV6_SRC, 8);
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
  } else if (type === ETH.NSH) {
    // And what IP has, although there is none: as the reference.
    all(W.NSH, 6);
  } else return match;
  exact(W.TYPE, 0x3ff);
  exact(W.TOS, 0xffff0000);
  if (((key[W.TYPE] ?? 0) & 0x200) !== 0) return match;
  if (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP || proto === IP.ICMP || proto === IP.ICMPV6 || proto === IP.IGMP) {
    exact(W.TP);
    if (proto === IP.TCP) exact(W.TOS, 0xfff);
    if (proto === IP.ICMPV6) {
      const kind = (key[W.TP] ?? 0) >>> 16;
      if (((key[W.TP] ?? 0) & 0xffff) !== 0 || (kind !== ND_SOLICIT && kind !== ND_ADVERT)) return match;
      all(W.ND_TARGET, 4);
      all(W.ARP_HW, 3);
    }
  }
  return match;
}

/** Where the checksum stands in a transport header, and its name. */
const CHECKSUMS: ReadonlyMap<number, readonly [string, number, number]> = new Map([
  [IP.TCP, ['tcp_csum', 16, 2]],
  [IP.UDP, ['udp_csum', 6, 2]],
  [IP.SCTP, ['sctp_csum', 8, 4]],
  [IP.ICMP, ['icmp_csum', 2, 2]],
  [IP.ICMPV6, ['icmp6_csum', 2, 2]],
]);

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
