// The datapath's program: one for all ports, from the set of masks and the shapes of actions in use. A pure value; `kernel.ts` loads it.
//
//   1. The device's index gives the datapath port and its counters; a device that is no port is left alone.
//   2. The header words that some mask asks about are extracted.
//   3. Each mask in turn: its words, masked, are looked up in its own hash map. Megaflows do not overlap, so the first hit is the only one.
//   4. The flow's counters go up, and the steps of its actions' shape run.
//   5. No hit, or a frame or shape that user space must see: the whole frame goes into the ring buffer and is consumed.
//
// Bounds: MAX_MASKS masks and MAX_SHAPES shapes are compiled; what is beyond is user space's.
import { Assembler, type Program } from '../../bpf/instructions.ts';
import { W } from '../../flow/key.ts';
import { PUNT_RECORD } from '../../netdev/punt-ring.ts';
import { emitShape } from './action-program.ts';
import type { Shape } from './action-shape.ts';
import { emitExtract } from './extract-program.ts';
import { emitConsumed, emitFrameLength, HELPER, keyAt, RESUMED, SKB, STACK, swap32, TUNNEL_WORDS, VERDICT } from './frame-context.ts';
import { ACTIONS_VALUE, COUNTER_VALUE, FLOW_VALUE, PENDING_VALUE, PORT_VALUE, RESUME_VALUE, TOTALS_VALUE, TX_VALUE } from './map-layout.ts';

/** A program names no more than 64 maps, those of `fixedMaps` among them; some room is left. */
export const MAX_MASKS = 48;
export const MAX_SHAPES = 64;

/** A mask: which words of the key it looks at, and which bits of each. */
export interface MaskSpec {
  /** Name of the map of its flows. */
  map: string;
  words: readonly number[];
  masks: readonly number[];
}

/** A shape under the number that action lists name it by, from 1 on and never used for another; an unknown number means "punt". */
export interface NumberedShape {
  number: number;
  shape: Shape;
}

/** What a program is made from. The order of masks is the order of lookup. */
export interface ProgramSpec {
  masks: readonly MaskSpec[];
  shapes: readonly NumberedShape[];
  /** Whether frames may come out of tunnels. */
  hasTunnels?: boolean;
}

/** Header of a ring buffer record; the reader's layout. */
const PUNT = PUNT_RECORD;

/** Why a frame was punted. */
export const PUNT_REASON = { miss: 1, unusual: 2, actions: 3 } as const;

/** Records come in three sizes, because a reservation's size must be a constant. */
const RECORD_SIZES = [256, 2048, 66_560] as const;

/** Bytes that frames of one port may take of the ring, so that a flood at one leaves room for the others: small against the whole. */
const PORT_SHARE = 1 << 21;

/** Compiles. Map names used: those of `fixedMaps`, and the name of each mask's map. */
export function compileProgram(spec: ProgramSpec): Program {
  const a = new Assembler();
  a.mov(6, { reg: 1 });
  // 1. The port.
  const notOurs = a.fresh('foreign');
  const hasTunnels = spec.hasTunnels === true;
  if (hasTunnels) emitResume(a);
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'ports').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, notOurs);
  a.load(4, 1, 0, PORT_VALUE.port).toBigEndian(1, 32).store(4, 10, keyAt(W.IN_PORT), { reg: 1 });
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.rxPackets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, PORT_VALUE.rxBytes, 1);
  if (hasTunnels) {
    for (let i = 0; i < TUNNEL_WORDS; i++) a.store(4, 10, keyAt(W.TUN_ID + i), 0);
    a.store(4, 10, RESUMED, 0);
    a.label('key');
  }
  // 2. The key.
  const words = new Set(spec.masks.flatMap((mask) => mask.words));
  words.delete(W.IN_PORT);
  const sets = spec.shapes.some(({ shape }) =>
    shape.steps.some((step) => step.op === 'tunnel' || (step.op === 'set' && step.group !== 'eth')),
  );
  for (const { shape } of spec.shapes)
    for (const step of shape.steps) if (step.op === 'set') for (const word of step.words) words.add(word);
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
    emitHit(a, words.has(W.TP) || words.has(W.TOS) || sets);
    for (const { number } of spec.shapes) a.jump('eq', 0, number, `shape${number}`);
    a.label('actions').mov(9, PUNT_REASON.actions).goto('punt');
    for (const { number, shape } of spec.shapes) {
      a.label(`shape${number}`);
      emitShape(a, shape, 'actions');
    }
  }
  // 5. To user space.
  emitPunt(a, hasTunnels);
  a.label(notOurs).mov(0, VERDICT.ok).exit();
  return a.finish();
}

/** Frames that another program has begun with: what it knows becomes part of the key. */
function emitResume(a: Assembler): void {
  const fresh = a.fresh('fromdevice');
  a.store(4, 10, STACK.scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch);
  a.call(HELPER.mapLookup).jump('eq', 0, 0, fresh).load(4, 1, 0, RESUME_VALUE.kind).jump('eq', 1, 0, fresh);
  a.store(4, 0, RESUME_VALUE.kind, 0).store(4, 10, RESUMED, { reg: 1 });
  a.load(4, 1, 0, RESUME_VALUE.port).store(4, 10, keyAt(W.IN_PORT), { reg: 1 });
  for (let i = 0; i < TUNNEL_WORDS; i++) a.load(4, 1, 0, RESUME_VALUE.tunnel + i * 4).store(4, 10, keyAt(W.TUN_ID + i), { reg: 1 });
  a.goto('key').label(fresh);
}

/** Before: r0 = the flow's value. After: r9 = its actions, r0 = their shape. The counters went up. */
function emitHit(a: Assembler, hasTcpFlags: boolean): void {
  const { scratch } = STACK;
  const uncounted = a.fresh('uncounted');
  a.label('hit')
    .mov(9, { reg: 0 })
    .call(HELPER.ktimeCoarseNs)
    .store(8, 10, scratch + 8, { reg: 0 });
  a.load(4, 1, 9, FLOW_VALUE.counters).store(4, 10, scratch, { reg: 1 });
  a.load(4, 1, 9, FLOW_VALUE.actions).store(4, 10, scratch + 4, { reg: 1 });
  a.loadMap(1, 'counters').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, uncounted);
  a.mov(1, 1).atomicAdd(8, 0, COUNTER_VALUE.packets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, COUNTER_VALUE.bytes, 1)
    .load(8, 1, 10, scratch + 8)
    .store(8, 0, COUNTER_VALUE.usedNs, { reg: 1 });
  if (hasTcpFlags) {
    a.load(2, 1, 10, keyAt(W.TOS) + 2)
      .toBigEndian(1, 16)
      .load(4, 2, 0, COUNTER_VALUE.tcpFlags)
      .alu('or', 1, { reg: 2 })
      .jump('eq', 1, { reg: 2 }, uncounted)
      .store(4, 0, COUNTER_VALUE.tcpFlags, { reg: 1 });
  }
  a.label(uncounted);
  a.loadMap(1, 'actions')
    .mov(2, { reg: 10 })
    .alu('add', 2, scratch + 4)
    .call(HELPER.mapLookup)
    .mov(9, { reg: 0 });
  const found = a.fresh('found');
  a.jump('ne', 9, 0, found).mov(9, PUNT_REASON.actions).goto('punt').label(found).load(4, 0, 9, ACTIONS_VALUE.shape);
}

/** Before: r9 = reason, r6 = skb. The frame is consumed whether or not there was room. */
function emitPunt(a: Assembler, hasTunnels: boolean): void {
  a.label('punt').load(4, 8, 6, SKB.len).jump('lt', 8, 14, 'consumed');
  a.loadMapValue(1, 'totals', TOTALS_VALUE.punted).mov(2, { reg: 9 }).alu('and', 2, 3).alu('lsh', 2, 3).alu('add', 1, { reg: 2 });
  a.mov(2, 1).atomicAdd(8, 1, 0, 2);
  if (hasTunnels) {
    // Frames out of tunnels are counted by whoever handles them in the end.
    const device = a.fresh('ofdevice');
    a.load(4, 0, 10, RESUMED).jump('eq', 0, 0, device);
    a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 10, STACK.scratch, { reg: 1 });
    a.loadMap(1, 'tx').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, device);
    a.mov(1, 1).atomicAdd(8, 0, TX_VALUE.rxPunted, 1);
    emitFrameLength(a, 1, 2);
    a.atomicAdd(8, 0, TX_VALUE.rxPuntedBytes, 1).label(device);
  }
  // The port's share of the ring.
  a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 10, STACK.scratch, { reg: 1 });
  a.loadMap(1, 'pending').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, 'lost');
  a.mov(7, { reg: 0 }).load(4, 1, 7, PENDING_VALUE.put).load(4, 2, 7, PENDING_VALUE.taken).alu32('sub', 1, { reg: 2 });
  // Signed: what a killed reader left uncounted may make it negative for a while.
  a.jump32('sgt', 1, PORT_SHARE, 'lost').mov(1, { reg: 8 }).atomicAdd(4, 7, PENDING_VALUE.put, 1);
  for (const size of RECORD_SIZES) {
    const tooSmall = a.fresh('larger');
    a.jump('gt', 8, size - PUNT.size, tooSmall);
    a.loadMap(1, 'ring').mov(2, size).mov(3, 0).call(HELPER.ringbufReserve).jump('eq', 0, 0, 'full').mov(7, { reg: 0 });
    a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 7, PUNT.port, { reg: 1 }).store(4, 7, PUNT.length, { reg: 8 });
    a.load(4, 1, 6, SKB.gsoSize).store(4, 7, PUNT.gsoSize, { reg: 1 }).load(4, 1, 6, SKB.gsoSegs).store(4, 7, PUNT.gsoSegs, { reg: 1 });
    a.load(4, 1, 6, SKB.mark).store(4, 7, PUNT.mark, { reg: 1 }).store(4, 7, PUNT.reason, { reg: 9 }).store(4, 7, PUNT.vlan, 0);
    a.load(4, 1, 6, SKB.priority).store(4, 7, PUNT.priority, { reg: 1 });
    if (hasTunnels) {
      a.load(4, 1, 10, RESUMED).store(4, 7, PUNT.isTunnel, { reg: 1 });
      for (let i = 0; i < TUNNEL_WORDS; i++) a.load(4, 1, 10, keyAt(W.TUN_ID + i)).store(4, 7, PUNT.tunnel + i * 4, { reg: 1 });
    } else {
      a.store(4, 7, PUNT.isTunnel, 0);
    }
    a.call(HELPER.ktimeCoarseNs).alu('rsh', 0, 20).store(4, 7, PUNT.time, { reg: 0 });
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
  a.label('full').mov(1, 0).alu('sub', 1, { reg: 8 }).atomicAdd(4, 7, PENDING_VALUE.put, 1);
  a.label('lost');
  const gone = a.fresh('gone');
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'ports').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, gone);
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.lost, 1).label(gone);
  // The host may as well know that this one did not get out.
  a.mov(0, VERDICT.shot).exit();
  a.label('consumed');
  emitConsumed(a);
}
