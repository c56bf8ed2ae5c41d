// The datapath's program: one for all ports, from the set of masks and the shapes of actions in use. A pure value; `kernel.ts` loads it.
//
//   1. The device's index gives the datapath port and its counters; a device that is no port is left alone.
//   2. The header words that some mask asks about are extracted.
//   3. Each mask in turn: its words, masked, are looked up in its own hash map. Megaflows do not overlap, so the first hit is the only one.
//   4. The flow's counters go up, and the steps of its shape run.
//   5. No hit, or a frame or shape that user space must see: the whole frame goes into the ring buffer and is consumed.
//
// Bounds: MAX_MASKS masks and MAX_SHAPES shapes are compiled; what is beyond is user space's.
import { Assembler, type Program } from '../../bpf/instructions.ts';
import { W } from '../../flow/key.ts';
import { PUNT_RECORD } from '../../netdev/punt-ring.ts';
import { emitShape, FLOW_VALUE } from './action-program.ts';
import type { Shape } from './action-shape.ts';
import { emitExtract } from './extract-program.ts';
import { HELPER, keyAt, SKB, STACK, VERDICT } from './frame-context.ts';

export const MAX_MASKS = 64;
export const MAX_SHAPES = 64;

/** A mask: which words of the key it looks at, and which bits of each. */
export interface MaskSpec {
  /** Name of the map of its flows. */
  map: string;
  words: readonly number[];
  masks: readonly number[];
}

/** What a program is made from. The order of masks is the order of lookup; a shape's number is its place plus 1, 0 being "punt". */
export interface ProgramSpec {
  masks: readonly MaskSpec[];
  shapes: readonly Shape[];
}

/** Value of the `ports` map. */
export const PORT_VALUE = { port: 0, pending: 4, rxPackets: 8, rxBytes: 16, lost: 24, size: 32 } as const;

/** Header of a ring buffer record; the reader's layout. */
const PUNT = PUNT_RECORD;

/** Why a frame was punted. */
export const PUNT_REASON = { miss: 1, unusual: 2, actions: 3 } as const;

/** Records come in three sizes, because a reservation's size must be a constant. */
const RECORD_SIZES = [256, 2048, 66_560] as const;

const swap32 = (value: number): number => (value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24) | 0;

/** Compiles. Map names used: `ports`, `tx`, `hits`, `ring`, and the name of each mask's map. */
export function compileProgram(spec: ProgramSpec): Program {
  const a = new Assembler();
  a.mov(6, { reg: 1 });
  // 1. The port.
  const notOurs = a.fresh('foreign');
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'ports').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, notOurs);
  a.load(4, 1, 0, PORT_VALUE.port).toBigEndian(1, 32).store(4, 10, keyAt(W.IN_PORT), { reg: 1 });
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.rxPackets, 1).load(4, 1, 6, SKB.len).atomicAdd(8, 0, PORT_VALUE.rxBytes, 1);
  // 2. The key.
  const words = new Set(spec.masks.flatMap((mask) => mask.words));
  words.delete(W.IN_PORT);
  const sets = spec.shapes.some((shape) => shape.steps.some((step) => step.op === 'set' && step.group !== 'eth'));
  for (const shape of spec.shapes) for (const step of shape.steps) if (step.op === 'set') for (const word of step.words) words.add(word);
  emitExtract(a, words, sets, 'unusual');
  // 3. The masks.
  for (const mask of spec.masks) {
    for (const [j, word] of mask.words.entries()) {
      a.load(4, 1, 10, keyAt(word));
      if (mask.masks[j]! >>> 0 !== 0xffffffff) a.alu32('and', 1, swap32(mask.masks[j]!));
      a.store(4, 10, STACK.lookup + j * 4, { reg: 1 });
    }
    a.loadMap(1, mask.map).mov(2, { reg: 10 }).alu('add', 2, STACK.lookup).call(HELPER.mapLookup).jump('ne', 0, 0, 'hit');
  }
  a.mov(9, PUNT_REASON.miss).goto('punt');
  a.label('unusual').mov(9, PUNT_REASON.unusual).goto('punt');
  // 4. Counters and steps.
  if (spec.masks.length > 0) {
    a.label('hit').mov(9, { reg: 0 });
    a.mov(1, 1).atomicAdd(8, 9, FLOW_VALUE.packets, 1).load(4, 1, 6, SKB.len).atomicAdd(8, 9, FLOW_VALUE.bytes, 1);
    a.loadMapValue(2, 'hits', 0).mov(3, 1).atomicAdd(8, 2, 0, 3);
    a.call(HELPER.ktimeCoarseNs).store(8, 9, FLOW_VALUE.usedNs, { reg: 0 });
    if (words.has(W.TP) || words.has(W.TOS) || sets) {
      a.load(2, 0, 10, keyAt(W.TOS) + 2)
        .toBigEndian(0, 16)
        .load(4, 1, 9, FLOW_VALUE.tcpFlags)
        .alu('or', 0, { reg: 1 })
        .store(4, 9, FLOW_VALUE.tcpFlags, { reg: 0 });
    }
    a.load(4, 0, 9, FLOW_VALUE.shape);
    for (const i of spec.shapes.keys()) a.jump('eq', 0, i + 1, `shape${i}`);
    a.mov(9, PUNT_REASON.actions).goto('punt');
    for (const [i, shape] of spec.shapes.entries()) {
      a.label(`shape${i}`);
      emitShape(a, shape);
    }
  }
  // 5. To user space.
  emitPunt(a);
  a.label(notOurs).mov(0, VERDICT.ok).exit();
  return a.finish();
}

/** Before: r9 = reason, r6 = skb. The frame is consumed whether or not there was room. */
function emitPunt(a: Assembler): void {
  a.label('punt').load(4, 8, 6, SKB.len).jump('lt', 8, 14, 'consumed');
  for (const size of RECORD_SIZES) {
    const tooSmall = a.fresh('larger');
    a.jump('gt', 8, size - PUNT.size, tooSmall);
    a.loadMap(1, 'ring').mov(2, size).mov(3, 0).call(HELPER.ringbufReserve).jump('eq', 0, 0, 'lost').mov(7, { reg: 0 });
    a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 7, PUNT.port, { reg: 1 }).store(4, 7, PUNT.length, { reg: 8 });
    a.load(4, 1, 6, SKB.gsoSize).store(4, 7, PUNT.gsoSize, { reg: 1 }).load(4, 1, 6, SKB.gsoSegs).store(4, 7, PUNT.gsoSegs, { reg: 1 });
    a.load(4, 1, 6, SKB.mark).store(4, 7, PUNT.mark, { reg: 1 }).store(4, 7, PUNT.reason, { reg: 9 }).store(4, 7, PUNT.vlan, 0);
    const untagged = a.fresh('untagged');
    a.load(4, 1, 6, SKB.vlanPresent).jump('eq', 1, 0, untagged).load(4, 1, 6, SKB.vlanProto).store(2, 7, PUNT.vlan, { reg: 1 });
    a.load(4, 1, 6, SKB.vlanTci)
      .alu('or', 1, 0x1000)
      .toBigEndian(1, 16)
      .store(2, 7, PUNT.vlan + 2, { reg: 1 })
      .label(untagged);
    a.mov(1, { reg: 6 }).mov(2, 0).mov(3, { reg: 7 }).alu('add', 3, PUNT.size).mov(4, { reg: 8 }).call(HELPER.skbLoadBytes);
    a.mov(1, { reg: 7 }).mov(2, 0).call(HELPER.ringbufSubmit).goto('consumed');
    a.label(tooSmall);
  }
  a.label('lost');
  const gone = a.fresh('gone');
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'ports').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, gone);
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.lost, 1).label(gone);
  a.label('consumed').mov(0, VERDICT.shot).exit();
}
