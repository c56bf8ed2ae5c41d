// The kernel's side of `flow/extract.ts`: instructions that read a frame into the key on the stack, only those headers that some mask asks
// about. What is unusual (LLC, IPv6 extension headers, a second VLAN tag where one is wanted) goes to user space: never a wrong key.
//
// The outer VLAN tag is in the frame's metadata: the kernel takes it off before tc sees the frame.
import type { Assembler } from '../../bpf/instructions.ts';
import { W } from '../../flow/key.ts';
import { copyStack, keyAt, loadBytes, SKB, STACK, TUNNEL_WORDS } from './frame-context.ts';

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
  ...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i),
  ...Array.from({ length: 3 }, (_, i) => W.ARP_HW + i),
]);

/** Words of the outer header that a program knows for frames out of a tunnel. */
export const TUNNEL_WORD_SET: ReadonlySet<number> = new Set(Array.from({ length: TUNNEL_WORDS }, (_, i) => W.TUN_ID + i));

const needsAny = (words: ReadonlySet<number>, ...wanted: number[]): boolean => wanted.some((word) => words.has(word));

/** How deep into the frame the wanted words reach. */
function depth(words: ReadonlySet<number>): 2 | 3 | 4 {
  if (needsAny(words, W.TP) || words.has(W.TOS)) return 4;
  const l3 = [
    W.TYPE,
    W.NW_SRC,
    W.NW_DST,
    W.IPV6_LABEL,
    ...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i),
    W.ARP_HW,
    W.ARP_HW + 1,
    W.ARP_HW + 2,
  ];
  return needsAny(words, ...l3) ? 3 : 2;
}

/**
 * Emits the extraction. Before: r6 = skb, W.IN_PORT is stored. After: words of `words` are right, r7 and r8 hold the offsets of the network
 * and transport headers. Jumps to `punt` for frames that it leaves to user space. `keepHeaders` forces the offsets even where no word needs them.
 */
export function emitExtract(a: Assembler, words: ReadonlySet<number>, keepHeaders: boolean, punt: string): void {
  const deep = keepHeaders ? 4 : depth(words);
  const done = a.fresh('extracted');
  for (let word = 1; word <= W.ARP_HW + 2; word++) {
    if (words.has(word) || (word >= W.TYPE && word <= W.TOS)) a.store(4, 10, keyAt(word), 0);
  }
  a.mov(7, 14).mov(8, 0);
  if (words.has(W.PKT_MARK)) a.load(4, 0, 6, SKB.mark).toBigEndian(0, 32).store(4, 10, keyAt(W.PKT_MARK), { reg: 0 });
  if (words.has(W.SKB_PRIORITY)) a.load(4, 0, 6, SKB.priority).toBigEndian(0, 32).store(4, 10, keyAt(W.SKB_PRIORITY), { reg: 0 });

  // Ethernet: addresses and type lie in the frame as in the key's words.
  loadBytes(a, undefined, 0, STACK.header, 14, punt);
  copyStack(a, keyAt(W.ETH), STACK.header, 12);
  const untagged = a.fresh('untagged');
  a.load(4, 0, 6, SKB.vlanPresent).jump('eq', 0, 0, untagged);
  a.load(4, 0, 6, SKB.vlanProto).store(2, 10, keyAt(W.VLAN0), { reg: 0 });
  a.load(4, 0, 6, SKB.vlanTci)
    .alu('or', 0, 0x1000)
    .toBigEndian(0, 16)
    .store(2, 10, keyAt(W.VLAN0) + 2, { reg: 0 });
  a.label(untagged);
  // r0 = eth_type in host order.
  a.load(2, 0, 10, STACK.header + 12)
    .store(2, 10, keyAt(W.TYPE), { reg: 0 })
    .toBigEndian(0, 16);
  a.jump('lt', 0, 0x600, punt);
  // A tag that is not in metadata: only seen when the kernel did not take it off.
  a.jump('eq', 0, 0x8100, punt).jump('eq', 0, 0x88a8, punt);
  if (deep === 2) return;
  const ipv4 = a.fresh('ipv4');
  const ipv6 = a.fresh('ipv6');
  const arp = a.fresh('arp');
  a.jump('eq', 0, 0x0800, ipv4).jump('eq', 0, 0x86dd, ipv6).jump('eq', 0, 0x0806, arp).jump('eq', 0, 0x8035, arp);
  a.jump('eq', 0, 0x8847, punt).jump('eq', 0, 0x8848, punt).goto(done);
  a.label(arp);
  emitArp(a, done);
  a.label(ipv4);
  emitIpv4(a, deep, done);
  a.label(ipv6);
  emitIpv6(a, deep, punt, done);
  a.label(done);
}

function emitArp(a: Assembler, done: string): void {
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
  copyStack(a, keyAt(W.ARP_HW), h + 8, 6);
  copyStack(a, keyAt(W.ARP_HW) + 6, h + 18, 6);
  copyStack(a, keyAt(W.NW_SRC), h + 14, 4);
  copyStack(a, keyAt(W.NW_DST), h + 24, 4);
  a.goto(done);
}

function emitIpv4(a: Assembler, deep: number, done: string): void {
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
  emitTransport(a, 4, done);
}

function emitIpv6(a: Assembler, deep: number, punt: string, done: string): void {
  const h = STACK.header;
  loadBytes(a, 7, 0, h, 40, done);
  a.load(2, 5, 10, h + 4)
    .toBigEndian(5, 16)
    .load(4, 3, 6, SKB.len)
    .alu('sub', 3, { reg: 7 })
    .alu('sub', 3, 40)
    .jump('sgt', 5, { reg: 3 }, done);
  a.load(1, 0, 10, h + 6);
  for (const extension of [0, 43, 44, 51, 60]) a.jump('eq', 0, extension, punt);
  a.store(1, 10, keyAt(W.TYPE) + 3, { reg: 0 });
  copyStack(a, keyAt(W.IPV6_SRC), h + 8, 32);
  a.load(4, 0, 10, h)
    .toBigEndian(0, 32)
    .mov(1, { reg: 0 })
    .alu('and', 0, 0xfffff)
    .toBigEndian(0, 32)
    .store(4, 10, keyAt(W.IPV6_LABEL), { reg: 0 });
  a.alu('rsh', 1, 20)
    .store(1, 10, keyAt(W.TOS), { reg: 1 })
    .load(1, 0, 10, h + 7)
    .store(1, 10, keyAt(W.TOS) + 1, { reg: 0 });
  if (deep < 4) {
    a.goto(done);
    return;
  }
  a.mov(8, { reg: 7 }).alu('add', 8, 40);
  emitTransport(a, 6, done, punt);
}

/** Before: r8 = offset of the header, r5 = bytes that the network header grants it. r8 becomes 0 when the header is not wholly there. */
function emitTransport(a: Assembler, family: 4 | 6, done: string, punt?: string): void {
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

  a.label(tcp).jump('lt', 5, 20, none);
  loadBytes(a, 8, 0, h, 20, none);
  copyStack(a, keyAt(W.TP), h, 4);
  a.load(1, 0, 10, h + 12)
    .alu('and', 0, 15)
    .store(1, 10, keyAt(W.TOS) + 2, { reg: 0 })
    .load(1, 0, 10, h + 13)
    .store(1, 10, keyAt(W.TOS) + 3, { reg: 0 })
    .goto(done);

  a.label(icmp).jump('lt', 5, 8, none);
  loadBytes(a, 8, 0, h, 2, none);
  if (family === 6 && punt !== undefined) {
    // Neighbour discovery carries fields that user space reads.
    a.load(1, 0, 10, h).jump('eq', 0, 135, punt).jump('eq', 0, 136, punt);
  }
  a.store(2, 10, keyAt(W.TP), 0).store(2, 10, keyAt(W.TP) + 2, 0);
  a.load(1, 0, 10, h)
    .store(1, 10, keyAt(W.TP) + 1, { reg: 0 })
    .load(1, 0, 10, h + 1)
    .store(1, 10, keyAt(W.TP) + 3, { reg: 0 })
    .goto(done);
  a.label(none).mov(8, 0).goto(done);
}
