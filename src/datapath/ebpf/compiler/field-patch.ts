// A masked set of header fields as patches: at which place of which header how many bytes change, and which checksums cover them. It says for
// the kernel's program what `userspace/headers.ts` does, and under the same conditions.
import { W } from '../../../flow/key.ts';
import type { SetGroup } from '../../datapath.ts';

/** Which checksums follow: of the IPv4 header, of the pseudo header in the transport header, of the transport header's own bytes. */
export type PatchSums = 'none' | 'ip' | 'ip+pseudo4' | 'pseudo6' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6';

/** Where the frame must have such a header, or nothing is changed. */
export type PatchGuard = 'ipv4' | 'ipv6' | 'arp' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6' | 'nd' | 'mpls' | 'nsh' | 'nshContext';

export interface Patch {
  base: 'l3' | 'l4';
  offset: number;
  /** Bytes, in network order. */
  size: 2 | 4;
  mask: number;
  value: number;
  sums: PatchSums;
}

const patch = (base: 'l3' | 'l4', offset: number, size: 2 | 4, value: number, mask: number, sums: PatchSums): Patch => ({
  base,
  offset,
  size,
  mask: mask >>> 0,
  value: (value & mask) >>> 0,
  sums,
});

function ipv4(word: number, value: number, mask: number): Patch[] | undefined {
  if (word === W.NW_SRC) return [patch('l3', 12, 4, value, mask, 'ip+pseudo4')];
  if (word === W.NW_DST) return [patch('l3', 16, 4, value, mask, 'ip+pseudo4')];
  // The TCP flags share a word with TOS and TTL, and are not to be set.
  if (word !== W.TOS || (mask & 0xffff) !== 0) return undefined;
  return [patch('l3', 0, 2, value >>> 24, mask >>> 24, 'ip'), patch('l3', 8, 2, (value >>> 8) & 0xff00, (mask >>> 8) & 0xff00, 'ip')];
}

function ipv6(word: number, value: number, mask: number): Patch[] | undefined {
  if (word >= W.IPV6_SRC && word < W.IPV6_DST + 4) return [patch('l3', 8 + (word - W.IPV6_SRC) * 4, 4, value, mask, 'pseudo6')];
  if (word === W.IPV6_LABEL) return [patch('l3', 0, 4, value, mask & 0xfffff, 'none')];
  if (word !== W.TOS || (mask & 0xffff) !== 0) return undefined;
  return [
    patch('l3', 0, 4, (value >>> 24) << 20, (mask >>> 24) << 20, 'none'),
    patch('l3', 4, 4, (value >>> 16) & 0xff, (mask >>> 16) & 0xff, 'none'),
  ];
}

function arp(word: number, value: number, mask: number): Patch[] | undefined {
  if (word === W.NW_SRC) return [patch('l3', 14, 4, value, mask, 'none')];
  if (word === W.NW_DST) return [patch('l3', 24, 4, value, mask, 'none')];
  if (word === W.TYPE) return (mask & ~0xff) === 0 ? [patch('l3', 6, 2, value, mask, 'none')] : undefined;
  if (word === W.ARP_HW) return [patch('l3', 8, 4, value, mask, 'none')];
  if (word === W.ARP_HW + 1) {
    return [patch('l3', 12, 2, value >>> 16, mask >>> 16, 'none'), patch('l3', 18, 2, value & 0xffff, mask & 0xffff, 'none')];
  }
  return word === W.ARP_HW + 2 ? [patch('l3', 20, 4, value, mask, 'none')] : undefined;
}

function nd(word: number, value: number, mask: number): Patch[] | undefined {
  if (word >= W.ND_TARGET && word < W.ND_TARGET + 4) return [patch('l4', 8 + (word - W.ND_TARGET) * 4, 4, value, mask, 'icmpv6')];
  return word === W.ND_RESERVED ? [patch('l4', 4, 4, value, mask, 'icmpv6')] : undefined;
}

/** RFC 8300 section 2.2: flags and TTL share the first 16 bits with version and length. */
function nsh(word: number, value: number, mask: number): Patch[] | undefined {
  const bits = (w: number): number => (((w >>> 24) & 3) << 12) | (((w >>> 16) & 0x3f) << 6);
  if (word === W.NSH) return [patch('l3', 0, 2, bits(value), bits(mask), 'none')];
  return word === W.NSH_PATH ? [patch('l3', 4, 4, value, mask, 'none')] : undefined;
}

const ports =
  (sums: 'tcp' | 'udp' | 'sctp') =>
  (word: number, value: number, mask: number): Patch[] | undefined =>
    word === W.TP ? [patch('l4', 0, 4, value, mask, sums)] : undefined;

/** ICMP type and code are the 16-bit values of the ports. */
const icmp =
  (sums: 'icmp' | 'icmpv6') =>
  (word: number, value: number, mask: number): Patch[] | undefined => {
    const bytes = (w: number): number => ((w >>> 8) & 0xff00) | (w & 0xff);
    return word === W.TP ? [patch('l4', 0, 2, bytes(value), bytes(mask), sums)] : undefined;
  };

interface Group {
  guard: PatchGuard;
  of(word: number, value: number, mask: number): Patch[] | undefined;
}

const NSH_CONTEXT: Group = {
  guard: 'nshContext',
  of: (word, value, mask) => (isNshContext(word) ? [patch('l3', 8 + (word - W.NSH_C) * 4, 4, value, mask, 'none')] : undefined),
};

const GROUPS: Partial<Record<SetGroup, Group>> = {
  ipv4: { guard: 'ipv4', of: ipv4 },
  ipv6: { guard: 'ipv6', of: ipv6 },
  arp: { guard: 'arp', of: arp },
  tcp: { guard: 'tcp', of: ports('tcp') },
  udp: { guard: 'udp', of: ports('udp') },
  sctp: { guard: 'sctp', of: ports('sctp') },
  icmp: { guard: 'icmp', of: icmp('icmp') },
  icmpv6: { guard: 'icmpv6', of: icmp('icmpv6') },
  nd: { guard: 'nd', of: nd },
  nsh: { guard: 'nsh', of: nsh },
  mpls: {
    guard: 'mpls',
    of: (word, value, mask) =>
      word >= W.MPLS && word < W.MPLS + 3 ? [patch('l3', (word - W.MPLS) * 4, 4, value, mask, 'none')] : undefined,
  },
};

/** An NSH has these words only where its metadata are of type 1. */
export const isNshContext = (word: number): boolean => word >= W.NSH_C && word < W.NSH_C + 4;

/** The patches of a set's triples (key word, value, mask); undefined when the kernel's program cannot make them. */
export function patchesOf(group: SetGroup, words: Uint32Array): { guard: PatchGuard; patches: Patch[] } | undefined {
  const known = group === 'nsh' && isNshContext(words[0] ?? 0) ? NSH_CONTEXT : GROUPS[group];
  if (known === undefined) return undefined;
  const patches: Patch[] = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    const made = known.of(words[i]!, words[i + 1]!, words[i + 2]!);
    if (made === undefined) return undefined;
    patches.push(...made.filter(({ mask }) => mask !== 0));
  }
  return { guard: known.guard, patches };
}
