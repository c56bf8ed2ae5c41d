// The kernel's side of `flow/extract.ts`: instructions that read a frame into the key on the stack, only those headers that some mask asks
// about. What is more than the bounds below goes to user space: never a wrong key.
//
// The outer VLAN tag is in the frame's metadata: the kernel takes it off before tc sees the frame. Where it did not (a frame that the
// host sent with its tag written out), it is moved there.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import {
  copyStack,
  EXTRACT,
  emitForget,
  HELPER,
  keyAt,
  loadBytes,
  loadZero,
  MAX_OPTION_WORDS,
  NSH_WORDS,
  SKB,
  STACK,
  TUNNEL_WORDS,
} from './frame-context.ts';

const wordsFrom = (word: number, count: number): number[] => Array.from({ length: count }, (_, i) => word + i);

/** Words the compiled program can extract; a mask with any other word is served in user space. */
export const EXTRACTED_WORDS: ReadonlySet<number> = new Set([
  W.IN_PORT,
  W.ETH,
  W.ETH + 1,
  W.ETH + 2,
  W.TYPE,
  W.VLAN0,
  W.NW_SRC,
  W.NW_DST,
  W.TP,
  W.TOS,
  W.RECIRC_ID,
  W.CT_STATE,
  W.CT_ZONE,
  W.CT_MARK,
  W.DP_HASH,
  W.SKB_PRIORITY,
  W.PKT_MARK,
  W.VLAN1,
  W.PACKET_TYPE,
  W.IPV6_LABEL,
  ...wordsFrom(W.IPV6_SRC, 8),
  ...wordsFrom(W.ND_TARGET, 4),
  ...wordsFrom(W.ARP_HW, 3),
  ...wordsFrom(W.MPLS, 3),
  W.IGMP_GROUP,
  W.ND_RESERVED,
  W.ND_OPTIONS,
  ...NSH_WORDS,
]);

/** Words of the outer header that a program knows for frames out of a tunnel. */
export const TUNNEL_WORD_SET: ReadonlySet<number> = new Set([...TUNNEL_WORDS, ...wordsFrom(W.TUN_METADATA, MAX_OPTION_WORDS)]);

const needsAny = (words: ReadonlySet<number>, ...wanted: number[]): boolean => wanted.some((word) => words.has(word));

/** IPv6 extension headers and neighbour discovery options that are read; frames with more are user space's. */
export const MAX_EXTENSIONS = 6;
export const MAX_ND_OPTIONS = 5;

const ND_WORDS = [...wordsFrom(W.ND_TARGET, 4), ...wordsFrom(W.ARP_HW, 3), W.ND_RESERVED, W.ND_OPTIONS];

/** How deep into the frame the wanted words reach. */
function depth(words: ReadonlySet<number>): 2 | 3 | 4 {
  if (needsAny(words, W.TP, W.TOS, W.IGMP_GROUP, ...ND_WORDS)) return 4;
  const l3 = [W.TYPE, W.NW_SRC, W.NW_DST, W.IPV6_LABEL, ...wordsFrom(W.IPV6_SRC, 8), ...wordsFrom(W.MPLS, 3), ...NSH_WORDS];
  return needsAny(words, ...l3) ? 3 : 2;
}

/** What is asked of an extraction. */
export interface ExtractSpec {
  words: ReadonlySet<number>;
  /** The offsets of the headers are wanted even where no word needs them. */
  keepHeaders: boolean;
  /** How many VLAN tags the key tells. */
  vlanLimit: number;
  /** Where frames go that are user space's. */
  punt: string;
}

/**
 * Emits the extraction. Before: r6 = skb, W.IN_PORT is stored. After: words of `words` are right, r7 and r8 hold the offsets of the network
 * and transport headers. r9 is used.
 */
export function emitExtract(a: Assembler, spec: ExtractSpec): void {
  const { words, punt } = spec;
  const deep = spec.keepHeaders ? 4 : depth(words);
  const done = a.fresh('extracted');
  loadZero(a, 0);
  for (let word = 1; word <= W.ND_OPTIONS; word++) {
    // Those are the caller's.
    if (word >= W.RECIRC_ID && word <= W.DP_HASH) continue;
    if (words.has(word) || (word >= W.TYPE && word <= W.TOS)) a.store(4, 10, keyAt(word), { reg: 0 });
  }
  for (const word of NSH_WORDS) if (words.has(word)) a.store(4, 10, keyAt(word), { reg: 0 });
  a.mov(7, 14).mov(8, 0);
  if (words.has(W.PKT_MARK)) a.load(4, 0, 6, SKB.mark).toBigEndian(0, 32).store(4, 10, keyAt(W.PKT_MARK), { reg: 0 });
  if (words.has(W.SKB_PRIORITY)) a.load(4, 0, 6, SKB.priority).toBigEndian(0, 32).store(4, 10, keyAt(W.SKB_PRIORITY), { reg: 0 });

  // Ethernet: addresses and type lie in the frame as in the key's words.
  const h = STACK.header;
  loadBytes(a, undefined, 0, h, 14, punt);
  const untagged = a.fresh('untagged');
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, 'tagged');
  a.load(2, 0, 10, h + 12)
    .toBigEndian(0, 16)
    .jump('eq', 0, 0x8100, 'written')
    .jump('ne', 0, 0x88a8, untagged);
  emitMoveTag(a, punt);
  a.label('tagged');
  a.load(4, 0, 6, SKB.vlanProto).store(2, 10, keyAt(W.VLAN0), { reg: 0 });
  a.load(4, 0, 6, SKB.vlanTci)
    .alu('or', 0, 0x1000)
    .toBigEndian(0, 16)
    .store(2, 10, keyAt(W.VLAN0) + 2, { reg: 0 });
  if (spec.vlanLimit > 1) emitInnerTag(a, words.has(W.VLAN1));
  a.label(untagged);
  copyStack(a, keyAt(W.ETH), h, 12);
  emitType(a);
  if (deep === 2) return;
  a.mov(9, 0);
  emitForget(a, punt);
  const ipv4 = a.fresh('ipv4');
  const ipv6 = a.fresh('ipv6');
  const arp = a.fresh('arp');
  const mpls = a.fresh('mpls');
  const nsh = a.fresh('nsh');
  a.jump('eq', 0, 0x0800, ipv4).jump('eq', 0, 0x86dd, ipv6).jump('eq', 0, 0x0806, arp).jump('eq', 0, 0x8035, arp);
  if (needsAny(words, ...wordsFrom(W.MPLS, 3))) a.jump('eq', 0, 0x8847, mpls).jump('eq', 0, 0x8848, mpls);
  if (needsAny(words, ...NSH_WORDS)) a.jump('eq', 0, 0x894f, nsh);
  a.goto(done);
  a.label(nsh);
  emitNsh(a, done);
  a.label(arp);
  emitArp(a, words, done);
  a.label(mpls);
  emitMpls(a, words, done);
  a.label(ipv4);
  emitIpv4(a, deep, words, done);
  a.label(ipv6);
  emitIpv6(a, deep, words, punt, done);
  a.label(done);
}

/** A tag that stands in the frame goes into its metadata; a second one then stands where it was. */
function emitMoveTag(a: Assembler, punt: string): void {
  const h = STACK.header;
  a.label('written');
  loadBytes(a, undefined, 12, h, 4, punt);
  a.load(4, 9, 10, h).load(4, 8, 6, SKB.len);
  a.mov(1, { reg: 6 }).call(HELPER.vlanPop).load(4, 1, 6, SKB.len).jump('eq', 1, { reg: 8 }, punt);
  a.mov(1, { reg: 6 }).mov(2, { reg: 9 }).alu('and', 2, 0xffff);
  a.mov(3, { reg: 9 }).alu('rsh', 3, 16).toBigEndian(3, 16).call(HELPER.vlanPush).mov(8, 0);
  loadBytes(a, undefined, 0, h, 14, punt);
}

/** The second tag stands in the frame, where the type is otherwise. Before: the Ethernet header at STACK.header. */
function emitInnerTag(a: Assembler, isWanted: boolean): void {
  const h = STACK.header;
  const second = a.fresh('second');
  const none = a.fresh('single');
  a.load(2, 0, 10, h + 12)
    .toBigEndian(0, 16)
    .jump('eq', 0, 0x8100, second)
    .jump('ne', 0, 0x88a8, none)
    .label(second);
  loadBytes(a, undefined, 14, h + 16, 4, none);
  if (isWanted) {
    a.load(2, 0, 10, h + 12).store(2, 10, keyAt(W.VLAN1), { reg: 0 });
    a.load(1, 0, 10, h + 16)
      .alu('or', 0, 0x10)
      .store(1, 10, keyAt(W.VLAN1) + 2, { reg: 0 });
    a.load(1, 0, 10, h + 17).store(1, 10, keyAt(W.VLAN1) + 3, { reg: 0 });
  }
  a.load(2, 0, 10, h + 18)
    .store(2, 10, h + 12, { reg: 0 })
    .mov(7, 18)
    .label(none);
}

/** Stores the Ethernet type, that of LLC and SNAP included; r0 = it, in host order. Before: the Ethernet header at STACK.header. */
function emitType(a: Assembler): void {
  const h = STACK.header;
  const known = a.fresh('type');
  const other = a.fresh('llc');
  const end = a.fresh('typed');
  a.load(2, 0, 10, h + 12)
    .toBigEndian(0, 16)
    .jump('ge', 0, 0x600, known);
  loadBytes(a, 7, 0, h + 16, 8, other);
  a.load(4, 0, 10, h + 16)
    .toBigEndian(0, 32)
    .loadConstant(1, 0xaaaa0300n)
    .jump('ne', 0, { reg: 1 }, other);
  a.load(2, 0, 10, h + 20).jump('ne', 0, 0, other);
  a.load(2, 0, 10, h + 22)
    .toBigEndian(0, 16)
    .jump('lt', 0, 0x600, other)
    .alu('add', 7, 8)
    .goto(known);
  a.label(other).mov(0, 0x5ff);
  a.label(known).mov(1, { reg: 0 }).toBigEndian(1, 16).store(2, 10, keyAt(W.TYPE), { reg: 1 }).label(end);
}

/** RFC 8300 section 2: version 0; metadata of type 1 has exactly four words, of type 2 any that are all there; see `flow/extract`. */
function emitNsh(a: Assembler, done: string): void {
  const h = STACK.header;
  const fixed = a.fresh('context');
  const sized = a.fresh('sized');
  loadBytes(a, 7, 0, h, 8, done);
  // r1 = size, r2 = metadata type.
  a.load(2, 9, 10, h).toBigEndian(9, 16).jump('set', 9, 0xc000, done);
  a.mov(1, { reg: 9 }).alu('and', 1, 0x3f).alu('lsh', 1, 2).load(4, 0, 6, SKB.len).alu('sub', 0, { reg: 7 });
  a.jump('lt', 0, { reg: 1 }, done)
    .load(1, 2, 10, h + 2)
    .jump('eq', 2, 1, fixed)
    .jump('ne', 2, 2, sized)
    .jump('lt', 1, 8, done)
    .goto(sized)
    .label(fixed)
    .jump('ne', 1, 24, done);
  loadBytes(a, 7, 8, keyAt(W.NSH_C), 16, done);
  a.load(1, 2, 10, h + 2)
    .label(sized)
    .store(1, 10, keyAt(W.NSH) + 2, { reg: 2 });
  a.mov(1, { reg: 9 }).alu('rsh', 1, 12).alu('and', 1, 3).store(1, 10, keyAt(W.NSH), { reg: 1 });
  a.alu('rsh', 9, 6)
    .alu('and', 9, 0x3f)
    .store(1, 10, keyAt(W.NSH) + 1, { reg: 9 });
  a.load(1, 1, 10, h + 3).store(1, 10, keyAt(W.NSH) + 3, { reg: 1 });
  copyStack(a, keyAt(W.NSH_PATH), h + 4, 4);
  a.goto(done);
}

function emitMpls(a: Assembler, words: ReadonlySet<number>, done: string): void {
  const h = STACK.header;
  for (let i = 0; i < 3; i++) {
    loadBytes(a, 7, i * 4, h, 4, done);
    if (words.has(W.MPLS + i)) a.load(4, 0, 10, h).store(4, 10, keyAt(W.MPLS + i), { reg: 0 });
    a.load(1, 0, 10, h + 2)
      .alu('and', 0, 1)
      .jump('ne', 0, 0, done);
  }
  a.goto(done);
}

function emitArp(a: Assembler, words: ReadonlySet<number>, done: string): void {
  const h = STACK.header;
  loadBytes(a, 7, 0, h, 28, done);
  a.load(4, 0, 10, h).toBigEndian(0, 32).jump('ne', 0, 0x00010800, done);
  a.load(2, 0, 10, h + 4)
    .toBigEndian(0, 16)
    .jump('ne', 0, 0x0604, done);
  const wide = a.fresh('wideop');
  a.load(1, 0, 10, h + 6)
    .jump('ne', 0, 0, wide)
    .load(1, 0, 10, h + 7)
    .store(1, 10, keyAt(W.TYPE) + 3, { reg: 0 })
    .label(wide);
  if (needsAny(words, ...wordsFrom(W.ARP_HW, 3))) {
    // All three or none: a byte that no mask asks about does no harm.
    copyStack(a, keyAt(W.ARP_HW), h + 8, 6);
    copyStack(a, keyAt(W.ARP_HW) + 6, h + 18, 6);
  }
  copyStack(a, keyAt(W.NW_SRC), h + 14, 4);
  copyStack(a, keyAt(W.NW_DST), h + 24, 4);
  a.goto(done);
}

function emitIpv4(a: Assembler, deep: number, words: ReadonlySet<number>, done: string): void {
  const h = STACK.header;
  loadBytes(a, 7, 0, h, 20, done);
  // r1 = header size, r2 = total size, r3 = bytes from here on; contradictions leave the key without IPv4.
  a.load(1, 1, 10, h).alu('and', 1, 15).alu('lsh', 1, 2).jump('lt', 1, 20, done);
  a.load(2, 2, 10, h + 2)
    .toBigEndian(2, 16)
    .jump('lt', 2, { reg: 1 }, done);
  a.load(4, 3, 6, SKB.len).alu('sub', 3, { reg: 7 }).jump('gt', 2, { reg: 3 }, done).jump('gt', 1, { reg: 3 }, done);
  copyStack(a, keyAt(W.NW_SRC), h + 12, 8);
  a.load(1, 0, 10, h + 9).store(1, 10, keyAt(W.TYPE) + 3, { reg: 0 });
  a.load(1, 0, 10, h + 1).store(1, 10, keyAt(W.TOS), { reg: 0 });
  a.load(1, 0, 10, h + 8).store(1, 10, keyAt(W.TOS) + 1, { reg: 0 });
  const whole = a.fresh('whole');
  const first = a.fresh('first');
  a.load(2, 0, 10, h + 6)
    .toBigEndian(0, 16)
    .alu('and', 0, 0x3fff)
    .jump('eq', 0, 0, whole);
  a.alu('and', 0, 0x1fff)
    .jump('eq', 0, 0, first)
    .store(1, 10, keyAt(W.TYPE) + 2, 3)
    .goto(done);
  a.label(first)
    .store(1, 10, keyAt(W.TYPE) + 2, 1)
    .label(whole);
  if (deep < 4) {
    a.goto(done);
    return;
  }
  // r5 = size of what is behind the header.
  a.mov(5, { reg: 2 }).alu('sub', 5, { reg: 1 }).mov(8, { reg: 7 }).alu('add', 8, { reg: 1 });
  emitTransport(a, 4, words, done, done);
}

/** Offsets below EXTRACT: end of the packet, the header's first word, its hop limit, fragment bits. */
const END = EXTRACT;
const FIRST = EXTRACT + 8;
const HOPS = EXTRACT + 12;
const FRAGMENT = EXTRACT + 13;

function emitIpv6(a: Assembler, deep: number, words: ReadonlySet<number>, punt: string, done: string): void {
  const h = STACK.header;
  const known = a.fresh('ext');
  const later = a.fresh('later6');
  loadBytes(a, 7, 0, h, 40, done);
  a.load(2, 5, 10, h + 4)
    .toBigEndian(5, 16)
    .load(4, 3, 6, SKB.len)
    .alu('sub', 3, { reg: 7 })
    .alu('sub', 3, 40)
    .jump('sgt', 5, { reg: 3 }, done);
  a.alu('add', 5, { reg: 7 }).alu('add', 5, 40).store(4, 10, END, { reg: 5 });
  if (needsAny(words, ...wordsFrom(W.IPV6_SRC, 8))) copyStack(a, keyAt(W.IPV6_SRC), h + 8, 32);
  a.load(4, 0, 10, h)
    .store(4, 10, FIRST, { reg: 0 })
    .load(1, 0, 10, h + 7)
    .store(1, 10, HOPS, { reg: 0 });
  a.store(1, 10, FRAGMENT, 0)
    .mov(8, { reg: 7 })
    .alu('add', 8, 40)
    .load(1, 9, 10, h + 6);
  // r9 = protocol, r8 = offset of what it says.
  for (let i = 0; i < MAX_EXTENSIONS; i++) emitExtension(a, known, later, done);
  for (const extension of [0, 43, 44, 51, 60]) a.jump('eq', 9, extension, punt);
  a.goto(known);
  a.label(later).mov(8, 0);
  a.label(known).store(1, 10, keyAt(W.TYPE) + 3, { reg: 9 });
  a.load(1, 0, 10, FRAGMENT).store(1, 10, keyAt(W.TYPE) + 2, { reg: 0 });
  a.load(4, 0, 10, FIRST).toBigEndian(0, 32).mov(1, { reg: 0 });
  if (words.has(W.IPV6_LABEL)) a.alu('and', 0, 0xfffff).toBigEndian(0, 32).store(4, 10, keyAt(W.IPV6_LABEL), { reg: 0 });
  a.alu('rsh', 1, 20)
    .store(1, 10, keyAt(W.TOS), { reg: 1 })
    .load(1, 0, 10, HOPS)
    .store(1, 10, keyAt(W.TOS) + 1, { reg: 0 });
  if (deep < 4) {
    a.mov(8, 0).goto(done);
    return;
  }
  a.jump('eq', 8, 0, done).load(4, 5, 10, END).alu('sub', 5, { reg: 8 });
  emitTransport(a, 6, words, done, punt);
}

/** Passes one extension header; goes to `known` when there is none, to `later` for a later fragment, to `done` when it is cut short. */
function emitExtension(a: Assembler, known: string, later: string, done: string): void {
  const h = STACK.header;
  const fragment = a.fresh('frag6');
  const any = a.fresh('any6');
  const first = a.fresh('first6');
  const authentication = a.fresh('auth6');
  const sized = a.fresh('sized6');
  const next = a.fresh('next6');
  for (const extension of [0, 43, 44, 51, 60]) a.jump('eq', 9, extension, any);
  a.goto(known).label(any);
  a.load(4, 1, 10, END).alu('sub', 1, { reg: 8 }).jump('slt', 1, 8, done);
  loadBytes(a, 8, 0, h, 8, done);
  a.jump('eq', 9, 44, fragment)
    .load(1, 1, 10, h + 1)
    .jump('eq', 9, 51, authentication);
  a.alu('add', 1, 1).alu('lsh', 1, 3).goto(sized);
  a.label(authentication).alu('add', 1, 2).alu('lsh', 1, 2);
  a.label(sized).load(4, 2, 10, END).alu('sub', 2, { reg: 8 }).jump('sgt', 1, { reg: 2 }, done);
  a.alu('add', 8, { reg: 1 }).goto(next);
  a.label(fragment)
    .load(2, 0, 10, h + 2)
    .toBigEndian(0, 16)
    .jump('eq', 0, 0, first)
    .store(1, 10, FRAGMENT, 1);
  a.alu('and', 0, 0xfff8).jump('eq', 0, 0, first).store(1, 10, FRAGMENT, 3).goto(later);
  a.label(first).alu('add', 8, 8).label(next).load(1, 9, 10, h);
}

/** Before: r8 = offset of the header, r5 = bytes that the network header grants it. r8 becomes 0 when the header is not wholly there. */
function emitTransport(a: Assembler, family: 4 | 6, words: ReadonlySet<number>, done: string, punt: string): void {
  const h = STACK.header;
  const tcp = a.fresh('tcp');
  const ports = a.fresh('ports');
  const icmp = a.fresh('icmp');
  const none = a.fresh('none');
  a.load(1, 0, 10, keyAt(W.TYPE) + 3);
  a.jump('eq', 0, 6, tcp)
    .mov(1, 8)
    .jump('eq', 0, 17, ports)
    .mov(1, 12)
    .jump('eq', 0, 132, ports)
    .mov(1, 8)
    .jump('eq', 0, family === 4 ? 1 : 58, icmp);
  // IGMP has a group beyond the words known here.
  if (family === 4) a.jump('eq', 0, 2, icmp);
  a.goto(none);

  a.label(ports).jump('lt', 5, { reg: 1 }, none);
  loadBytes(a, 8, 0, keyAt(W.TP), 4, none);
  a.goto(done);

  a.label(tcp).jump('lt', 5, 20, none).mov(9, { reg: 5 });
  loadBytes(a, 8, 0, h, 20, none);
  // A header that says less than its least or more than there is has no ports.
  a.load(1, 0, 10, h + 12)
    .alu('rsh', 0, 4)
    .alu('lsh', 0, 2)
    .jump('lt', 0, 20, done)
    .jump('gt', 0, { reg: 9 }, done);
  copyStack(a, keyAt(W.TP), h, 4);
  a.load(1, 0, 10, h + 12)
    .alu('and', 0, 15)
    .store(1, 10, keyAt(W.TOS) + 2, { reg: 0 })
    .load(1, 0, 10, h + 13)
    .store(1, 10, keyAt(W.TOS) + 3, { reg: 0 })
    .goto(done);

  a.label(icmp).jump('lt', 5, 8, none);
  if (family === 6) a.mov(9, { reg: 5 });
  loadBytes(a, 8, 0, h, 8, none);
  a.load(1, 0, 10, h)
    .store(1, 10, keyAt(W.TP) + 1, { reg: 0 })
    .load(1, 0, 10, h + 1)
    .store(1, 10, keyAt(W.TP) + 3, { reg: 0 });
  if (family === 6 && needsAny(words, ...ND_WORDS)) emitNd(a, words, done, punt);
  if (family === 4 && words.has(W.IGMP_GROUP)) {
    a.load(1, 0, 10, keyAt(W.TYPE) + 3)
      .jump('ne', 0, 2, done)
      .load(4, 0, 10, h + 4)
      .store(4, 10, keyAt(W.IGMP_GROUP), { reg: 0 });
  }
  a.goto(done);
  a.label(none).mov(8, 0).goto(done);
}

/** Neighbour discovery. Before: r8 = offset of the ICMPv6 header, whose 8 bytes are at STACK.header; r9 = bytes of the message. */
function emitNd(a: Assembler, words: ReadonlySet<number>, done: string, punt: string): void {
  const h = STACK.header;
  const discovery = a.fresh('nd');
  const clear = a.fresh('nonsense');
  a.load(1, 0, 10, h).jump('eq', 0, 135, discovery).jump('ne', 0, 136, done).label(discovery);
  a.load(1, 0, 10, h + 1)
    .jump('ne', 0, 0, done)
    .jump('lt', 9, 24, done);
  loadBytes(a, 8, 0, h, 24, done);
  const put = (word: number, at: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      if (words.has(word + i)) a.load(4, 0, 10, h + at + i * 4).store(4, 10, keyAt(word + i), { reg: 0 });
    }
  };
  put(W.ND_RESERVED, 4, 1);
  put(W.ND_TARGET, 8, 4);
  const readsAddresses = needsAny(words, ...wordsFrom(W.ARP_HW, 3));
  // r9 = offset of the option.
  a.mov(9, { reg: 8 }).alu('add', 9, 24);
  for (let i = 0; i < MAX_ND_OPTIONS; i++) emitNdOption(a, words, readsAddresses, clear, done);
  a.load(4, 1, 10, END).alu('sub', 1, { reg: 9 }).jump('slt', 1, 8, done).goto(punt);
  a.label(clear);
  loadZero(a, 0);
  for (const word of ND_WORDS) if (words.has(word)) a.store(4, 10, keyAt(word), { reg: 0 });
  a.goto(done);
}

function emitNdOption(a: Assembler, words: ReadonlySet<number>, readsAddresses: boolean, clear: string, done: string): void {
  const h = STACK.header;
  const next = a.fresh('option');
  const target = a.fresh('tll');
  a.load(4, 1, 10, END).alu('sub', 1, { reg: 9 }).jump('slt', 1, 8, done);
  loadBytes(a, 9, 0, h, 8, done);
  a.load(4, 2, 10, END).alu('sub', 2, { reg: 9 });
  a.load(1, 1, 10, h + 1)
    .alu('lsh', 1, 3)
    .jump('eq', 1, 0, clear)
    .jump('sgt', 1, { reg: 2 }, clear);
  a.alu('add', 9, { reg: 1 }).jump('ne', 1, 8, next).load(1, 0, 10, h).jump('eq', 0, 2, target).jump('ne', 0, 1, next);
  const take = (at: number): void => {
    if (readsAddresses) {
      // A second address of a kind makes nonsense of all of it.
      a.load(2, 1, 10, at)
        .load(2, 2, 10, at + 2)
        .alu('or', 1, { reg: 2 })
        .load(2, 2, 10, at + 4)
        .alu('or', 1, { reg: 2 })
        .jump('ne', 1, 0, clear);
      copyStack(a, at, h + 2, 6);
    }
    if (words.has(W.ND_OPTIONS)) a.load(1, 0, 10, h).store(1, 10, keyAt(W.ND_OPTIONS), { reg: 0 });
  };
  take(keyAt(W.ARP_HW));
  a.goto(next).label(target);
  take(keyAt(W.ARP_HW) + 6);
  a.label(next);
}
