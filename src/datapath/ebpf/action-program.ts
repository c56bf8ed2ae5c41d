// Instructions for the steps of a shape. Before: r6 = skb, r7/r8 = header offsets, r9 = the flow's actions, the key on the stack is right.
//
// Checksums are the kernel's helpers' business: they know whether a checksum is complete, partial or computed by hardware, so that a rewritten
// super-segment with a partial checksum stays right. IPv4 changes go to the header checksum and, as pseudo-header, to TCP's or UDP's.
import type { Assembler } from '../../bpf/instructions.ts';
import { W } from '../../flow/key.ts';
import type { SetGroup } from '../datapath.ts';
import type { Shape, ShapeStep } from './action-shape.ts';
import { emitConsumed, emitFrameLength, HELPER, keyAt, SKB, STACK, swap32 } from './frame-context.ts';
import { ACTIONS_VALUE, TOTALS_VALUE, TX_VALUE } from './map-layout.ts';
import { emitTunnelCheck, emitTunnelOutput } from './tunnel-push-program.ts';

const F_PSEUDO_HDR = 0x10;
const F_MARK_MANGLED_0 = 0x20;

/** Emits a shape's steps, ending in exit; jumps to `punt`, with nothing done, for frames that user space must deal with. */
export function emitShape(a: Assembler, shape: Shape, punt: string): void {
  let hasVerdict = false;
  const last = shape.steps.at(-1);
  if (last?.op === 'tunnel') emitTunnelCheck(a, last, punt);
  if (shape.steps.length === 0) a.loadMapValue(2, 'totals', TOTALS_VALUE.dropped).mov(1, 1).atomicAdd(8, 2, 0, 1);
  for (const step of shape.steps) {
    emitStep(a, step);
    hasVerdict = step.op === 'output' && step.isLast;
  }
  if (last?.op === 'tunnel') return;
  if (hasVerdict) a.exit();
  else emitConsumed(a);
}

function emitStep(a: Assembler, step: ShapeStep): void {
  if (step.op === 'output') {
    emitSent(a, step.at + 8);
    if (step.isLast) {
      a.load(4, 1, 9, ACTIONS_VALUE.params + step.at)
        .load(4, 2, 9, ACTIONS_VALUE.params + step.at + 4)
        .call(HELPER.redirect);
    } else {
      a.mov(1, { reg: 6 })
        .load(4, 2, 9, ACTIONS_VALUE.params + step.at)
        .load(4, 3, 9, ACTIONS_VALUE.params + step.at + 4)
        .call(HELPER.cloneRedirect);
    }
  } else if (step.op === 'tunnel') {
    emitSent(a, step.at + 4);
    emitTunnelOutput(a, step);
  } else if (step.op === 'popVlan') {
    a.mov(1, { reg: 6 }).call(HELPER.vlanPop);
  } else if (step.op === 'pushVlan') {
    a.mov(1, { reg: 6 })
      .load(2, 2, 9, ACTIONS_VALUE.params + step.at)
      .load(2, 3, 9, ACTIONS_VALUE.params + step.at + 2)
      .call(HELPER.vlanPush);
  } else {
    emitSet(a, step);
  }
}

/** Counts an output at the port whose number is the parameter at `at`. */
function emitSent(a: Assembler, at: number): void {
  const none = a.fresh('nocount');
  a.load(4, 0, 9, ACTIONS_VALUE.params + at).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'tx').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, none);
  a.mov(1, 1).atomicAdd(8, 0, TX_VALUE.packets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, TX_VALUE.bytes, 1).label(none);
}

function emitSet(a: Assembler, step: Extract<ShapeStep, { op: 'set' }>): void {
  if (step.group === 'skb_mark' || step.group === 'skb_priority') {
    emitMetadata(a, step);
    return;
  }
  let touchesEthernet = false;
  for (const [i, word] of step.words.entries()) {
    // r1 = the word as it is, r2 = as it shall be, both as they lie in memory.
    a.load(4, 1, 10, keyAt(word)).mov(2, { reg: 1 }).alu32('and', 2, swap32(~step.masks[i]!));
    a.load(4, 3, 9, ACTIONS_VALUE.params + step.at + i * 4).alu32('or', 2, { reg: 3 });
    if (step.group === 'eth') {
      a.store(4, 10, keyAt(word), { reg: 2 });
      touchesEthernet = true;
    } else {
      emitWord(a, step.group, word);
    }
  }
  if (touchesEthernet) storeBytes(a, undefined, 0, keyAt(W.ETH), 12);
}

/** Before: r1 = old, r2 = new; both are kept on the stack because helpers take the registers. */
function emitWord(a: Assembler, group: SetGroup, word: number): void {
  const oldAt = STACK.scratch;
  const newAt = STACK.scratch + 4;
  const same = a.fresh('same');
  a.jump32('eq', 1, { reg: 2 }, same).store(4, 10, oldAt, { reg: 1 }).store(4, 10, newAt, { reg: 2 });
  if (word === W.TP) {
    a.jump('eq', 8, 0, same);
    l4Checksum(a, group === 'tcp' ? 16 : 6, oldAt, newAt, 4, group === 'udp' ? F_MARK_MANGLED_0 : 0);
    storeBytes(a, 8, 0, newAt, 4);
  } else if (word === W.TOS) {
    emitTosTtl(a, group, oldAt, newAt);
  } else if (group === 'ipv4') {
    l3Checksum(a, oldAt, newAt, 4);
    pseudoChecksum(a, false, oldAt, newAt);
    storeBytes(a, 7, word === W.NW_SRC ? 12 : 16, newAt, 4);
  } else {
    pseudoChecksum(a, true, oldAt, newAt);
    storeBytes(a, 7, 8 + (word - W.IPV6_SRC) * 4, newAt, 4);
  }
  a.load(4, 0, 10, newAt).store(4, 10, keyAt(word), { reg: 0 }).label(same);
}

function emitTosTtl(a: Assembler, group: SetGroup, oldAt: number, newAt: number): void {
  if (group === 'ipv6') {
    // Traffic class: the low half of byte 0 and the high half of byte 1.
    const h = STACK.header;
    const missing = a.fresh('short');
    a.mov(1, { reg: 6 })
      .mov(2, { reg: 7 })
      .mov(3, { reg: 10 })
      .alu('add', 3, h)
      .mov(4, 2)
      .call(HELPER.skbLoadBytes)
      .jump('ne', 0, 0, missing);
    a.load(1, 1, 10, newAt)
      .mov(2, { reg: 1 })
      .alu('rsh', 1, 4)
      .load(1, 3, 10, h)
      .alu('and', 3, 0xf0)
      .alu('or', 1, { reg: 3 })
      .store(1, 10, h, { reg: 1 });
    a.load(1, 1, 10, h + 1)
      .alu('and', 1, 15)
      .alu('and', 2, 15)
      .alu('lsh', 2, 4)
      .alu('or', 1, { reg: 2 })
      .store(1, 10, h + 1, { reg: 1 });
    storeBytes(a, 7, 0, h, 2);
    storeBytes(a, 7, 7, newAt + 1, 1);
    a.label(missing);
    return;
  }
  // The header checksum takes 16-bit words: TOS is the second byte of one, TTL the first byte of another.
  for (const [byte, at, shift] of [
    [0, 1, 8],
    [1, 8, 0],
  ] as const) {
    a.mov(1, { reg: 6 }).mov(2, { reg: 7 }).alu('add', 2, 10);
    a.load(1, 3, 10, oldAt + byte).load(1, 4, 10, newAt + byte);
    if (shift !== 0) a.alu('lsh', 3, shift).alu('lsh', 4, shift);
    a.mov(5, 2).call(HELPER.l3CsumReplace);
    storeBytes(a, 7, at, newAt + byte, 1);
  }
}

function l3Checksum(a: Assembler, oldAt: number, newAt: number, size: number): void {
  a.mov(1, { reg: 6 })
    .mov(2, { reg: 7 })
    .alu('add', 2, 10)
    .load(4, 3, 10, oldAt)
    .load(4, 4, 10, newAt)
    .mov(5, size)
    .call(HELPER.l3CsumReplace);
}

function l4Checksum(a: Assembler, offset: number, oldAt: number, newAt: number, size: number, flags: number): void {
  a.mov(1, { reg: 6 }).mov(2, { reg: 8 }).alu('add', 2, offset);
  a.load(4, 3, 10, oldAt)
    .load(4, 4, 10, newAt)
    .mov(5, size | flags)
    .call(HELPER.l4CsumReplace);
}

/** An address changed: the transport checksum covers it, if there is a transport header here that has one. */
function pseudoChecksum(a: Assembler, isIpv6: boolean, oldAt: number, newAt: number): void {
  const done = a.fresh('nopseudo');
  const udp = a.fresh('udp');
  const icmp6 = a.fresh('icmp6');
  a.jump('eq', 8, 0, done)
    .load(1, 0, 10, keyAt(W.TYPE) + 3)
    .jump('eq', 0, 17, udp);
  if (isIpv6) a.jump('eq', 0, 58, icmp6);
  a.jump('ne', 0, 6, done);
  l4Checksum(a, 16, oldAt, newAt, 4, F_PSEUDO_HDR);
  a.goto(done).label(udp);
  l4Checksum(a, 6, oldAt, newAt, 4, F_PSEUDO_HDR | F_MARK_MANGLED_0);
  if (isIpv6) {
    a.goto(done).label(icmp6);
    l4Checksum(a, 2, oldAt, newAt, 4, F_PSEUDO_HDR);
  }
  a.label(done);
}

function storeBytes(a: Assembler, offsetReg: 7 | 8 | undefined, add: number, stack: number, size: number): void {
  a.mov(1, { reg: 6 });
  if (offsetReg === undefined) a.mov(2, add);
  else a.mov(2, { reg: offsetReg }).alu('add', 2, add);
  a.mov(3, { reg: 10 }).alu('add', 3, stack).mov(4, size).mov(5, 0).call(HELPER.skbStoreBytes);
}

function emitMetadata(a: Assembler, step: Extract<ShapeStep, { op: 'set' }>): void {
  const at = step.group === 'skb_mark' ? SKB.mark : SKB.priority;
  const mask = step.masks[0] ?? 0;
  a.load(4, 0, 6, at)
    .alu32('and', 0, ~mask | 0)
    .load(4, 1, 9, ACTIONS_VALUE.params + step.at)
    .toBigEndian(1, 32)
    .alu32('or', 0, { reg: 1 });
  a.store(4, 6, at, { reg: 0 });
}
