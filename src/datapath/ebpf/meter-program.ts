// Instructions for a meter: the kernel's half of `userspace/meter-bucket.ts`.
import type { Assembler } from '../../bpf/instructions.ts';
import { BUCKET, TICKS_PER_NS, TRIES, WEIGHT_SHIFT } from '../userspace/meter-bucket.ts';
import { emitConsumed, emitFrameLength, HELPER, STACK } from './frame-context.ts';
import { TOTALS_VALUE } from './map-layout.ts';

const { scratch } = STACK;
const LENGTH = scratch + 16;

/** Ends the program when the meter drops the frame. `at`: where r9 points to the meter's place. A place that is none lets all pass. */
export function emitMeter(a: Assembler, at: number): void {
  const [passed, exceeded] = [a.fresh('passed'), a.fresh('exceeded')];
  a.call(HELPER.ktimeNs)
    .alu('mul', 0, TICKS_PER_NS)
    .store(8, 10, scratch + 8, { reg: 0 });
  a.load(4, 1, 9, at).store(4, 10, scratch, { reg: 1 });
  a.loadMap(1, 'meters').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, passed);
  a.mov(4, { reg: 0 });
  emitFrameLength(a, 2, 1);
  a.store(8, 10, LENGTH, { reg: 2 }).mov(1, 1).atomicAdd(8, 4, BUCKET.packets, 1).atomicAdd(8, 4, BUCKET.bytes, 2);
  // r1 = now, r3 = the frame's weight.
  a.load(8, 3, 4, BUCKET.perByte).alu('mul', 3, { reg: 2 }).load(8, 1, 4, BUCKET.perPacket).alu('add', 3, { reg: 1 });
  a.alu('rsh', 3, WEIGHT_SHIFT).load(8, 1, 10, scratch + 8);
  for (let i = 0; i < TRIES; i++) {
    const empty = a.fresh('ahead');
    a.load(8, 0, 4, BUCKET.full).mov(5, { reg: 0 }).jump('gt', 5, { reg: 1 }, empty).mov(5, { reg: 1 }).label(empty);
    a.alu('add', 5, { reg: 3 }).mov(2, { reg: 5 }).alu('sub', 2, { reg: 1 }).store(8, 10, scratch, { reg: 5 });
    a.load(8, 5, 4, BUCKET.depth).jump('gt', 2, { reg: 5 }, exceeded).load(8, 5, 10, scratch);
    a.mov(2, { reg: 0 }).compareExchange(4, BUCKET.full, 5).jump('eq', 0, { reg: 2 }, passed);
  }
  a.goto(passed).label(exceeded);
  a.mov(1, 1).atomicAdd(8, 4, BUCKET.droppedPackets, 1).load(8, 2, 10, LENGTH).atomicAdd(8, 4, BUCKET.droppedBytes, 2);
  a.loadMapValue(2, 'totals', TOTALS_VALUE.metered).atomicAdd(8, 2, 0, 1);
  emitConsumed(a);
  a.label(passed);
}
