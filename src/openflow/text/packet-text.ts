// A frame as text: every field that it has, as a match would name it, and the transport checksum.
import { extractKey, layoutL4 } from '../../flow/extract.ts';
import { type Match, matchAll, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { ETH, IP } from '../../flow/prerequisites.ts';

const MPLS_BOTTOM = 0x100;
const ND_SOLICIT = 135;
const ND_ADVERT = 136;

/** A match of all that a frame's headers say. */
export function packetMatch(frame: Uint8Array): { match: Match; transportAt: number } {
  const match = matchAll();
  const { key, mask } = match;
  const layout = extractKey(frame, 0, frame.length, key);
  const exact = (word: number, bits = 0xffffffff): void => {
    mask[word] = ((mask[word] ?? 0) | bits) >>> 0;
  };
  const all = (from: number, count: number): void => {
    for (let word = from; word < from + count; word++) exact(word);
  };
  all(W.ETH, 3);
  exact(W.TYPE, 0xffff0000);
  exact(W.VLAN0, 0xffff);
  if (key[W.VLAN0] !== 0) exact(W.VLAN1, 0xffff);
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
    return { match, transportAt: 0 };
  } else if (type === ETH.MPLS || type === ETH.MPLS_MCAST) {
    exact(W.MPLS);
    // As deep as there are labels below, three at most.
    const isLast = (label: number): boolean => ((key[W.MPLS + label] ?? 0) & MPLS_BOTTOM) !== 0;
    if (!isLast(0)) exact(W.MPLS + 1);
    if (!isLast(0) && !isLast(1)) exact(W.MPLS + 2);
    return { match, transportAt: 0 };
  } else if (type === ETH.NSH) {
    all(W.NSH, 6);
    return { match, transportAt: 0 };
  } else return { match, transportAt: 0 };
  exact(W.TYPE, 0x3ff);
  exact(W.TOS, 0xffff0000);
  if (((key[W.TYPE] ?? 0) & 0x200) !== 0) return { match, transportAt: 0 };
  if (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP || proto === IP.ICMP || proto === IP.ICMPV6 || proto === IP.IGMP) {
    exact(W.TP);
    if (proto === IP.TCP) exact(W.TOS, 0xfff);
    if (proto === IP.ICMPV6) {
      const kind = (key[W.TP] ?? 0) >>> 16;
      if (((key[W.TP] ?? 0) & 0xffff) !== 0 || (kind !== ND_SOLICIT && kind !== ND_ADVERT)) return { match, transportAt: layoutL4(layout) };
      all(W.ND_TARGET, 4);
      all(W.ARP_HW, 3);
    }
  }
  return { match, transportAt: layoutL4(layout) };
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
export function formatPacket(frame: Uint8Array): string {
  const { match, transportAt } = packetMatch(frame);
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
