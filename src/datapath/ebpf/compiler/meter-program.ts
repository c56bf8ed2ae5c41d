// Instructions for a meter: the kernel's half of `userspace/meter-bucket.ts`.
import type { Assembler } from '../../../bpf/instructions.ts';
import { BUCKET, TICKS_PER_NS, TRIES, WEIGHT_SHIFT } from '../../userspace/meter-bucket.ts';
import { MAX_BANDS } from '../../userspace/shared-state.ts';
import { emitConsumed, emitFrameLength, HELPER, STACK } from './frame-context.ts';
import { TOTALS_VALUE } from './map-layout.ts';

const { scratch, lookup } = STACK;
const NOW = scratch + 8;
const LENGTH = scratch + 16;
/** Nobody looks anything else up while a frame is metered. */
const PLACE = lookup;
const ROUND = lookup + 8;
const EXCEEDED = lookup + 16;

/** r0 = the bucket at PLACE; jumps where there is none. */
const findBucket = (a: Assembler, none: string): void =>
  void a.loadMap(1, 'meters').mov(2, { reg: 10 }).alu('add', 2, PLACE).call(HELPER.mapLookup).jump('eq', 0, 0, none);

/** Ends the program when the meter drops the frame. `at`: where r9 points to the meter's place. A place that is none lets all pass. */
export function emitMeter(a: Assembler, at: number): void {
  const [passed, next, counted, done] = [a.fresh('passed'), a.fresh('band'), a.fresh('counted'), a.fresh('metered')];
  a.call(HELPER.ktimeNs).alu('mul', 0, TICKS_PER_NS).store(8, 10, NOW, { reg: 0 });
  a.load(4, 1, 9, at).store(4, 10, PLACE, { reg: 1 });
  emitFrameLength(a, 2, 1);
  a.store(8, 10, LENGTH, { reg: 2 }).store(8, 10, ROUND, 0).store(8, 10, EXCEEDED, 0);
  // Each band in turn.
  a.label(next);
  findBucket(a, done);
  a.mov(4, { reg: 0 }).load(8, 2, 10, LENGTH).load(8, 1, 10, ROUND).jump('ne', 1, 0, counted);
  a.mov(1, 1).atomicAdd(8, 4, BUCKET.packets, 1).atomicAdd(8, 4, BUCKET.bytes, 2).label(counted);
  emitTake(a);
  a.load(4, 1, 4, BUCKET.next).jump('eq', 1, 0, done).alu('sub', 1, 1).store(4, 10, PLACE, { reg: 1 });
  a.load(8, 1, 10, ROUND).alu('add', 1, 1).store(8, 10, ROUND, { reg: 1 }).jump('lt', 1, MAX_BANDS, next);
  a.label(done).load(8, 1, 10, EXCEEDED).jump('eq', 1, 0, passed).alu('sub', 1, 1).store(4, 10, PLACE, { reg: 1 });
  findBucket(a, passed);
  a.mov(4, { reg: 0 }).mov(1, 1).atomicAdd(8, 4, BUCKET.droppedPackets, 1).load(8, 2, 10, LENGTH).atomicAdd(8, 4, BUCKET.droppedBytes, 2);
  a.loadMapValue(2, 'totals', TOTALS_VALUE.metered).atomicAdd(8, 2, 0, 1);
  emitConsumed(a);
  a.label(passed);
}

/** Takes what the frame weighs, whose length is r2, from the bucket r4; notes the place at EXCEEDED when that has not as much. r4 is kept. */
function emitTake(a: Assembler): void {
  const [taken, exceeded] = [a.fresh('taken'), a.fresh('exceeded')];
  // r1 = now, r3 = the frame's weight.
  a.load(8, 3, 4, BUCKET.perByte).alu('mul', 3, { reg: 2 }).load(8, 1, 4, BUCKET.perPacket).alu('add', 3, { reg: 1 });
  a.alu('rsh', 3, WEIGHT_SHIFT).load(8, 1, 10, NOW);
  for (let i = 0; i < TRIES; i++) {
    const empty = a.fresh('ahead');
    a.load(8, 0, 4, BUCKET.full).mov(5, { reg: 0 }).jump('gt', 5, { reg: 1 }, empty).mov(5, { reg: 1 }).label(empty);
    a.alu('add', 5, { reg: 3 }).mov(2, { reg: 5 }).alu('sub', 2, { reg: 1 }).store(8, 10, scratch, { reg: 5 });
    a.load(8, 5, 4, BUCKET.depth).jump('gt', 2, { reg: 5 }, exceeded).load(8, 5, 10, scratch);
    a.mov(2, { reg: 0 }).compareExchange(4, BUCKET.full, 5).jump('eq', 0, { reg: 2 }, taken);
  }
  a.goto(taken).label(exceeded).load(4, 1, 10, PLACE).alu('add', 1, 1).store(8, 10, EXCEEDED, { reg: 1 }).label(taken);
}
