// Instructions for link-layer addresses in options of neighbour discovery (RFC 4861 section 4.6.1), wherever they stand in the message.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import type { ShapeStep } from './action-shape.ts';
import { MAX_ND_OPTIONS } from './extract-program.ts';
import { HELPER, SKB, STACK } from './frame-context.ts';
import { emitGuard, l4Checksum, NEW, OLD, swap16 } from './patch-program.ts';

/** Words that must have been extracted. */
export const ND_OPTION_WORDS: readonly number[] = [W.ARP_HW, W.ARP_HW + 1, W.ARP_HW + 2];

const h = STACK.header;
/** Offset of an option in the frame; the frame's length. */
const PLACE = STACK.scratch + 8;
const END = STACK.scratch + 12;
/** How many options may still be looked at. */
const LEFT = STACK.header + 16;
/** Where the ICMPv6 header has its checksum, and where its options begin. */
const CHECKSUM = 2;
const FIRST = 24;

/** Sets the address in each option of that kind. `at`: where r9 points to the address. */
export function emitNdOption(a: Assembler, step: Extract<ShapeStep, { op: 'ndOption' }>, at: number): void {
  const [done, again, next, is] = [a.fresh('options'), a.fresh('again'), a.fresh('next'), a.fresh('option')];
  emitGuard(a, 'nd', done);
  a.load(4, 0, 6, SKB.len).store(4, 10, END, { reg: 0 }).store(8, 10, LEFT, MAX_ND_OPTIONS);
  a.mov(2, { reg: 8 }).alu('add', 2, FIRST).label(again).store(4, 10, PLACE, { reg: 2 });
  // The verifier counts along.
  a.load(8, 0, 10, LEFT).jump('eq', 0, 0, done).alu('sub', 0, 1).store(8, 10, LEFT, { reg: 0 });
  a.load(4, 0, 10, END).mov(1, { reg: 2 }).alu('add', 1, 8).jump('gt', 1, { reg: 0 }, done);
  a.mov(1, { reg: 6 }).mov(3, { reg: 10 }).alu('add', 3, h).mov(4, 8).call(HELPER.skbLoadBytes).jump('ne', 0, 0, done);
  a.load(1, 0, 10, h + 1)
    .jump('eq', 0, 0, done)
    .jump('ne', 0, 1, next)
    .load(1, 1, 10, h)
    .jump('eq', 1, step.option, is)
    .goto(next)
    .label(is);
  for (const [word, mask] of step.masks.entries()) if (mask !== 0) emitWord(a, word, mask, at + word * 2);
  a.mov(0, 1).label(next);
  // r0 = its length.
  a.alu('lsh', 0, 3).load(4, 2, 10, PLACE).alu('add', 2, { reg: 0 }).goto(again).label(done);
}

/** Before: the option at `h`, its offset in PLACE. */
function emitWord(a: Assembler, word: number, mask: number, at: number): void {
  const same = a.fresh('same');
  a.load(2, 1, 10, h + 2 + word * 2)
    .mov(2, { reg: 1 })
    .alu32('and', 2, swap16(~mask & 0xffff))
    .load(2, 3, 9, at)
    .alu32('or', 2, { reg: 3 });
  a.jump32('eq', 1, { reg: 2 }, same).store(2, 10, OLD, { reg: 1 }).store(2, 10, NEW, { reg: 2 });
  l4Checksum(a, CHECKSUM, 2, 0);
  a.mov(1, { reg: 6 })
    .load(4, 2, 10, PLACE)
    .alu('add', 2, 2 + word * 2);
  a.mov(3, { reg: 10 }).alu('add', 3, NEW).mov(4, 2).mov(5, 0).call(HELPER.skbStoreBytes).label(same);
}
