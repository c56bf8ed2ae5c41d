// Commit: datapath actions that make the frame what the tables made of its key, put out right before an output.
//
// `base` is what the frame is in the datapath at this point of the action list; `key` is what it shall be. Each header group whose
// fields differ becomes one masked set that touches only those fields. A written bit counts as read (it is un-wildcarded): whether a set
// is needed depends on the value that the frame came with.
//
// Order, as in Open vSwitch: Ethernet, (leaving MPLS), network, transport, ICMP, MPLS, VLAN, priority, mark.
import type { DpAction, SetGroup } from '../../datapath/datapath.ts';
import { type Key, VLAN_CFI, W } from '../../flow/key.ts';
import { commitEncap, type PendingEncap, PT } from './encap.ts';
import { isArp, isIp, isIpv4, isIpv6, isMpls } from './subfield.ts';

/** (word, bits) of one field; several pairs when it spans words. */
type FieldWords = readonly (readonly [number, number])[];

const words = (word: number, count: number): FieldWords => Array.from({ length: count }, (_, i) => [word + i, 0xffffffff]);
const part = (word: number, bits: number): FieldWords => [[word, bits]];
const HIGH = 0xffff0000;
const LOW = 0x0000ffff;
/** icmp_type and icmp_code, in tp_src and tp_dst. */
const ICMP_BITS = 0x00ff00ff;

const ETH_DST: FieldWords = [[W.ETH, 0xffffffff], [W.ETH + 1, HIGH]]; // biome-ignore format: two fields, two lines
const ETH_SRC: FieldWords = [[W.ETH + 1, LOW], [W.ETH + 2, 0xffffffff]]; // biome-ignore format: two fields, two lines
const HW_SHA: FieldWords = [[W.ARP_HW, 0xffffffff], [W.ARP_HW + 1, HIGH]]; // biome-ignore format: two fields, two lines
const HW_THA: FieldWords = [[W.ARP_HW + 1, LOW], [W.ARP_HW + 2, 0xffffffff]]; // biome-ignore format: two fields, two lines
const NW_TOS = part(W.TOS, 0xff000000);
const NW_TTL = part(W.TOS, 0x00ff0000);

const GROUPS = {
  eth: [ETH_SRC, ETH_DST],
  ipv4: [words(W.NW_SRC, 1), words(W.NW_DST, 1), NW_TOS, NW_TTL],
  ipv6: [words(W.IPV6_SRC, 4), words(W.IPV6_DST, 4), part(W.IPV6_LABEL, 0xfffff), NW_TOS, NW_TTL],
  arp: [words(W.NW_SRC, 1), words(W.NW_DST, 1), part(W.TYPE, 0xff), HW_SHA, HW_THA],
  ports: [part(W.TP, HIGH), part(W.TP, LOW)],
  icmp: [part(W.TP, ICMP_BITS)],
  nsh: [
    part(W.NSH, 0xff000000),
    part(W.NSH, 0x00ff0000),
    words(W.NSH_PATH, 1),
    words(W.NSH_C, 1),
    words(W.NSH_C + 1, 1),
    words(W.NSH_C + 2, 1),
    words(W.NSH_C + 3, 1),
  ],
  nd: [words(W.ND_TARGET, 4), HW_SHA, HW_THA],
  skb_priority: [words(W.SKB_PRIORITY, 1)],
  skb_mark: [words(W.PKT_MARK, 1)],
} as const satisfies Record<string, readonly FieldWords[]>;

/** Puts out what is needed to turn `base` into `key`, and makes `base` equal to it. */
export function commit(key: Key, base: Key, wild: Key, out: DpAction[], pending?: PendingEncap): void {
  if (pending !== undefined) commitEncap(pending, key, base, wild, out);
  if (isUnchanged(key, base)) return;
  if (key[W.PACKET_TYPE] === PT.ETHERNET) set('eth', GROUPS.eth, key, base, wild, out);
  const leavesMpls = isMpls(base) && !isMpls(key);
  if (leavesMpls) commitMpls(key, base, out);
  // An IP packet whose protocol is 0 counts as one without a header, as in Open vSwitch.
  if (isIp(key) && (key[W.TYPE]! & 0xff) === 0) copyIp(key, base);
  else if (isIpv4(key)) set('ipv4', GROUPS.ipv4, key, base, wild, out);
  else if (isIpv6(key)) set('ipv6', GROUPS.ipv6, key, base, wild, out);
  else if (isArp(key)) {
    // Any change of an ARP header reads what it is for, as in the reference.
    if (set('arp', GROUPS.arp, key, base, wild, out)) wild[W.TYPE] = wild[W.TYPE]! | 0xff;
  } else if (key[W.TYPE]! >>> 16 === 0x894f) set('nsh', GROUPS.nsh, key, base, wild, out);
  if (isIp(key)) {
    const group = transportGroup(key);
    // Of ICMP both fields are read and set when one changes, as in the reference.
    const isIcmp = group === 'icmp' || group === 'icmpv6';
    if (isIcmp && key[W.TP] !== base[W.TP]) wild[W.TP] = wild[W.TP]! | ICMP_BITS;
    if (group !== undefined) set(group, isIcmp ? GROUPS.icmp : GROUPS.ports, key, base, wild, out);
    if (group === 'icmpv6') set('nd', GROUPS.nd, key, base, wild, out);
  }
  if (!leavesMpls) commitMpls(key, base, out);
  commitVlan(key, base, wild, out);
  set('skb_priority', GROUPS.skb_priority, key, base, wild, out);
  set('skb_mark', GROUPS.skb_mark, key, base, wild, out);
}

/** Whether no header differs; the input port is no part of the frame. */
function isUnchanged(key: Key, base: Key): boolean {
  for (let i: number = W.ETH; i < W.DP_END; i++) if (key[i] !== base[i]) return false;
  return true;
}

/** Takes changes of a header that is not set as done. */
function copyIp(key: Key, base: Key): void {
  for (const fields of isIpv4(key) ? GROUPS.ipv4 : GROUPS.ipv6) for (const [word] of fields) base[word] = key[word]!;
}

function transportGroup(key: Key): SetGroup | undefined {
  switch (key[W.TYPE]! & 0xff) {
    case 6:
      return 'tcp';
    case 17:
      return 'udp';
    case 132:
      return 'sctp';
    case 1:
      return isIpv4(key) ? 'icmp' : undefined;
    case 58:
      return isIpv6(key) ? 'icmpv6' : undefined;
    default:
      return undefined;
  }
}

function set(group: SetGroup, fields: readonly FieldWords[], key: Key, base: Key, wild: Key, out: DpAction[]): boolean {
  let triples: number[] | undefined;
  for (const field of fields) {
    let differs = false;
    for (const [word, bits] of field) if (((key[word]! ^ base[word]!) & bits) !== 0) differs = true;
    if (!differs) continue;
    triples ??= [];
    for (const [word, bits] of field) {
      // Bits that were read are exact in the megaflow, so setting them to what they are is harmless and makes whole fields.
      const mask = ((wild[word]! | (key[word]! ^ base[word]!)) & bits) >>> 0;
      if (mask === 0) continue;
      const at = triples.findIndex((_, i) => i % 3 === 0 && triples![i] === word);
      if (at < 0) triples.push(word, (key[word]! & mask) >>> 0, mask);
      else {
        triples[at + 1] = (triples[at + 1]! | (key[word]! & mask)) >>> 0;
        triples[at + 2] = (triples[at + 2]! | mask) >>> 0;
      }
      wild[word] = wild[word]! | mask;
      base[word] = (base[word]! & ~bits) | (key[word]! & bits);
    }
  }
  if (triples === undefined) return false;
  out.push({ kind: 'set', group, words: Uint32Array.from(triples) });
  return true;
}

function commitVlan(key: Key, base: Key, wild: Key, out: DpAction[]): void {
  if (key[W.VLAN0] === base[W.VLAN0] && key[W.VLAN1] === base[W.VLAN1]) return;
  // Tags are compared from the innermost: those alike stay.
  const want = [key[W.VLAN0]!, key[W.VLAN1]!].filter((tag) => (tag & VLAN_CFI) !== 0);
  const have = [base[W.VLAN0]!, base[W.VLAN1]!].filter((tag) => (tag & VLAN_CFI) !== 0);
  while (want.length > 0 && have.length > 0 && want.at(-1) === have.at(-1)) {
    want.pop();
    have.pop();
  }
  // A tag in the place of another may keep parts of it, its TPID at least.
  if (have.length > 0) {
    wild[W.VLAN0] = 0xffffffff;
    wild[W.VLAN1] = 0xffffffff;
  }
  for (const _ of have) out.push({ kind: 'popVlan' });
  for (const tag of want.reverse()) out.push({ kind: 'pushVlan', tpid: tag >>> 16, tci: tag & 0xffff });
  base[W.VLAN0] = key[W.VLAN0]!;
  base[W.VLAN1] = key[W.VLAN1]!;
}

/** How many labels a key has: up to the bottom of the stack, or to the last of those it can hold. */
export const labelCount = (key: Key): number => {
  if (!isMpls(key)) return 0;
  let count = 0;
  for (let i = 0; i < 3; i++) {
    const entry = key[W.MPLS + i]!;
    if ((entry & 0x100) !== 0) return i + 1;
    if (entry !== 0) count = i + 1;
  }
  return count;
};

function commitMpls(key: Key, base: Key, out: DpAction[]): void {
  let have = labelCount(base);
  const want = labelCount(key);
  if (have === 0 && want === 0) return;
  let common = 0;
  while (common < have && common < want && base[W.MPLS + have - 1 - common] === key[W.MPLS + want - 1 - common]) common++;
  // One label that differs in place is set; more are popped and pushed.
  if (have === want && common === want - 1) {
    out.push({ kind: 'set', group: 'mpls', words: Uint32Array.of(W.MPLS, key[W.MPLS]!, 0xffffffff) });
  } else {
    const inner = key[W.TYPE]! >>> 16;
    for (; have > common; have--) out.push({ kind: 'popMpls', ethertype: have > 1 ? base[W.TYPE]! >>> 16 : inner });
    for (let i = want - 1 - common; i >= 0; i--) out.push({ kind: 'pushMpls', ethertype: inner, lse: key[W.MPLS + i]! });
  }
  for (let i = 0; i < 3; i++) base[W.MPLS + i] = key[W.MPLS + i]!;
  base[W.TYPE] = (base[W.TYPE]! & 0xffff) | (key[W.TYPE]! & 0xffff0000);
}
