// Order of a new flow's frames.
//
// Its first frames go to user space, because there is no flow yet. When the flow is in the kernel some of them may still be on their way
// there, and what came next would overtake them. So a flow begins held: its frames go on following the others through user space, until all
// that its port sent there before has been dealt with. `held` of its record is
//
//   0            not held
//   HELD_ALWAYS  until the control plane says otherwise: the flow stands in its map, the program that knows its actions is still to come
//   otherwise    until `done` of the port's `pending` has reached this position; each frame that follows moves it on
//
// A flow that never pauses would be held for ever: so the control plane ends it after a while, and the program when too much is pending.
// Frames that are held are not counted here; user space does.
import type { Assembler } from '../../bpf/instructions.ts';
import { W } from '../../flow/key.ts';
import { HELPER, keyAt, STACK } from './compiler/frame-context.ts';
import { FLOW_RECORD, PENDING_VALUE } from './compiler/map-layout.ts';

export const HELD_ALWAYS = 0xffffffff;
/** Bytes of a port in the ring from which on order is given up. */
const MOST_PENDING = 1 << 18;

/** Before and after: r0 = the flow's record. Held frames go to `punt` with r9 = 0. Changes r1 to r5 and, on that way, r9. */
export function emitOrder(a: Assembler): void {
  const { header } = STACK;
  const [free, goes, held] = [a.fresh('free'), a.fresh('goes'), a.fresh('held')];
  a.load(4, 1, 0, FLOW_RECORD.held)
    .jump('eq', 1, 0, free)
    .store(8, 10, header, { reg: 0 })
    .store(4, 10, header + 8, { reg: 1 });
  a.jump32('eq', 1, HELD_ALWAYS | 0, held);
  a.load(4, 1, 10, keyAt(W.IN_PORT))
    .toBigEndian(1, 32)
    .store(4, 10, header + 12, { reg: 1 });
  a.loadMap(1, 'pending')
    .mov(2, { reg: 10 })
    .alu('add', 2, header + 12)
    .call(HELPER.mapLookup)
    .jump('eq', 0, 0, goes);
  a.load(4, 1, 10, header + 8)
    .load(4, 2, 0, PENDING_VALUE.done)
    .alu32('sub', 2, { reg: 1 })
    .jump32('sge', 2, 0, goes);
  a.load(4, 2, 0, PENDING_VALUE.put).load(4, 1, 0, PENDING_VALUE.taken).mov(3, { reg: 2 }).alu32('sub', 3, { reg: 1 });
  a.jump32('sgt', 3, MOST_PENDING, goes);
  // Anything within this frame's own record: positions are reached by whole records.
  a.alu32('add', 2, 1).load(8, 1, 10, header).store(4, 1, FLOW_RECORD.held, { reg: 2 });
  a.label(held).mov(9, 0).goto('punt');
  a.label(goes).load(8, 0, 10, header).store(4, 0, FLOW_RECORD.held, 0).label(free);
}
