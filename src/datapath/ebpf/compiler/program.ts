// The datapath's program: one for all ports, from the set of masks and the shapes of actions in use. A pure value; `kernel.ts` loads it.
//
//   1. The device's index gives the datapath port and its counters; a device that is no port is left alone.
//   2. The header words that some mask asks about are extracted.
//   3. Each mask in turn: its words, masked, are looked up in its own hash map. Megaflows do not overlap, so the first hit is the only one.
//      Before that, the flow that carried the last frame of the same signature is tried (`hint-program.ts`). So an established flow costs
//      about as much under 50 masks as under one.
//   4. The flow's counters go up, and the steps of its actions' shape run.
//   5. No hit, or a frame or shape that user space must see: the whole frame goes into the ring buffer and is consumed.
//
// Bounds: MAX_MASKS masks and MAX_SHAPES shapes are compiled; what is beyond is user space's.
import { Assembler, type Program } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { REASON_ACTIONS, REASON_MISS } from '../../../netdev/punt-ring.ts';
import { emitOrder } from '../flow-order.ts';
import { emitShape } from './action-program.ts';
import { allSteps, type Shape, type ShapeStep } from './action-shape.ts';
import { CT_READS, CT_WORDS, emitMorePlace, isCtMore } from './ct-program.ts';
import { emitExtract } from './extract-program.ts';
import {
  DEPTH,
  emitConsumed,
  emitForget,
  emitFrameLength,
  HELPER,
  isOption,
  keyAt,
  LIST_SHIFT,
  LIST_TOKEN,
  loadZero,
  NSH_WORDS,
  RESUMED,
  SKB,
  STACK,
  STACK_MASK_WORDS,
  swap32,
  TUNNEL_WORDS,
  VERDICT,
} from './frame-context.ts';
import { HASH_WORDS } from './hash-program.ts';
import { emitHint, emitMissed, emitNewHint, emitRecord, hasHints, isInRecord, maskLabel } from './hint-program.ts';
import { ACTIONS_VALUE, FLOW_RECORD, FLOW_VALUE, PORT_VALUE, RESUME_KIND, RESUME_VALUE, USED_SHIFT } from './map-layout.ts';
import { ND_OPTION_WORDS } from './nd-program.ts';
import { GUARD_WORDS } from './patch-program.ts';
import { emitPunt } from './punt-program.ts';
import { emitResume } from './resume-program.ts';

/** A program names no more than 64 maps, those of `fixedMaps` among them; some room is left. */
export const MAX_MASKS = 48;
export const MAX_SHAPES = 64;

/** A mask: which words of the key it looks at, and which bits of each. */
export interface MaskSpec {
  /** Name of the map of its flows. */
  map: string;
  /** From 1 to 65,535, no other mask's of this or a running program: what records name it by. Undefined: none does. */
  number?: number;
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
  /** How many VLAN tags keys tell; 1 when not given. */
  vlanLimit?: number;
  /** Whether frames may come out of tunnels. */
  hasTunnels?: boolean;
}

/** Why a frame was punted; `order`: after others of its flow. */
export const PUNT_REASON = { order: 0, miss: REASON_MISS, unusual: 2, actions: REASON_ACTIONS } as const;

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
/** Words that are read together. */
const WORD_GROUPS = [range(W.ARP_HW, 3), range(W.IPV6_SRC, 8), NSH_WORDS];

/** Steps that use the offsets of headers. */
const NEED_HEADERS: ReadonlySet<ShapeStep['op']> = new Set([
  'patch',
  'tunnel',
  'pushMpls',
  'popMpls',
  'wrap',
  'unwrap',
  'ndOption',
  'ct',
  'choice',
  'hash',
]);

/** Words of the key that a step uses. */
function stepWords(step: ShapeStep): readonly number[] {
  if (step.op === 'ethernet') return step.words;
  if (step.op === 'hash') return HASH_WORDS;
  if (step.op === 'ct') return CT_READS;
  // So that frames with more options than are looked through are user space's.
  if (step.op === 'ndOption') return ND_OPTION_WORDS;
  if (step.op === 'truncated' || step.op === 'tunnel') return step.isShort ? [W.TYPE] : [];
  return step.op === 'patch' ? (GUARD_WORDS[step.guard] ?? []) : [];
}

/** Compiles. Map names used: those of `fixedMaps`, and the name of each mask's map. */
export function compileProgram(spec: ProgramSpec): Program {
  const a = new Assembler();
  a.mov(6, { reg: 1 });
  // 1. The port.
  const ours = a.fresh('ours');
  const hasTunnels = spec.hasTunnels === true;
  const tracks =
    spec.masks.some(({ words }) => words.some((word) => isCtMore(word) || CT_WORDS.includes(word as (typeof CT_WORDS)[number]))) ||
    spec.shapes.some(({ shape }) => [...allSteps(shape.steps)].some(({ op }) => op === 'ct' || op === 'ctClear'));
  const tracksMore = spec.masks.some(({ words }) => words.some(isCtMore));
  const fresh = a.fresh('fromdevice');
  emitResume(a, { hasTunnels, tracks, tracksMore }, fresh);
  a.goto('key').label(fresh);
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'ports')
    .mov(2, { reg: 10 })
    .alu('add', 2, STACK.scratch)
    .call(HELPER.mapLookup)
    .jump('ne', 0, 0, ours)
    .mov(0, VERDICT.ok)
    .exit();
  a.label(ours);
  a.load(4, 1, 0, PORT_VALUE.port).toBigEndian(1, 32).store(4, 10, keyAt(W.IN_PORT), { reg: 1 });
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.rxPackets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, PORT_VALUE.rxBytes, 1);
  if (hasTunnels) {
    loadZero(a, 0);
    for (const word of TUNNEL_WORDS) a.store(4, 10, keyAt(word), { reg: 0 });
  }
  loadZero(a, 0);
  a.store(4, 10, keyAt(W.RECIRC_ID), { reg: 0 }).store(4, 10, keyAt(W.DP_HASH), { reg: 0 });
  if (tracks) for (const word of CT_WORDS) a.store(4, 10, keyAt(word), { reg: 0 });
  a.store(4, 10, DEPTH, { reg: 0 }).store(4, 10, RESUMED, { reg: 0 }).store(4, 10, LIST_TOKEN, { reg: 0 }).label('key');
  // 2. The key.
  const words = new Set(spec.masks.flatMap((mask) => mask.words));
  words.delete(W.IN_PORT);
  let sets = false;
  for (const { shape } of spec.shapes) {
    for (const step of allSteps(shape.steps)) {
      if (NEED_HEADERS.has(step.op) || (step.op === 'truncated' && step.isShort)) sets = true;
      for (const word of stepWords(step)) words.add(word);
    }
  }
  // The words that stand for one place come together.
  for (const group of WORD_GROUPS) if (group.some((word) => words.has(word))) for (const word of group) words.add(word);
  emitExtract(a, { words, keepHeaders: sets, vlanLimit: spec.vlanLimit ?? 1, punt: 'unusual' });
  a.mov(9, 0).mov(0, 0);
  emitForget(a, 'unusual');
  // Or the list that a former run of the program named.
  const hasLists = spec.shapes.some(({ shape }) => [...allSteps(shape.steps)].some(({ op }) => op === 'fork' || op === 'continue'));
  if (hasLists) a.load(4, 1, 10, RESUMED).jump('set', 1, RESUME_KIND.list, 'list');
  // 3. The masks.
  const hints = hasHints(spec.masks);
  if (hints) emitHint(a, spec.masks);
  for (const [i, mask] of spec.masks.entries()) {
    const missed = a.fresh('missed');
    const isJumpedTo = hints && !isInRecord(mask);
    if (isJumpedTo) a.label(maskLabel(i));
    emitMaskedKey(a, mask, missed);
    a.loadMap(1, mask.map).call(HELPER.mapLookup).jump('ne', 0, 0, 'found').label(missed);
    if (isJumpedTo) emitMissed(a);
  }
  a.label('miss');
  a.mov(9, PUNT_REASON.miss).goto('punt');
  a.label('unusual').mov(9, PUNT_REASON.unusual).goto('punt');
  // 5. To user space. In the middle, because a jump reaches 32,767 instructions.
  emitPunt(a, hasTunnels, tracks);
  // 4. Counters and steps.
  if (spec.masks.length > 0) {
    a.label('found').load(4, 1, 0, FLOW_VALUE.record).store(4, 10, STACK.scratch, { reg: 1 });
    if (hints) emitNewHint(a);
    emitRecord(a, 'miss');
    const sums = spec.shapes.some(({ shape }) => [...allSteps(shape.steps)].some((step) => step.op === 'tunnel' && step.hasSum));
    emitHit(a, words.has(W.TP) || words.has(W.TOS) || sets, sums);
    a.label('steps');
    for (const { number } of spec.shapes) a.jump('eq', 0, number, `shape${number}`);
    a.label('actions').mov(9, PUNT_REASON.actions).goto('punt');
    if (hasLists) emitList(a);
    for (const { number, shape } of spec.shapes) {
      a.label(`shape${number}`);
      emitShape(a, shape, { punt: 'actions', hasTunnels, tracks, tracksMore });
    }
  }
  return a.finish();
}

/** r2 = the frame's key under a mask. Goes to `missed` where the frame can have none. */
function emitMaskedKey(a: Assembler, { words, masks }: MaskSpec, missed: string): void {
  const isWide = words.length > STACK_MASK_WORDS;
  const { scratch, lookup } = STACK;
  // Frames of devices have no options, and those that lie there are another's.
  if (words.some(isOption)) a.load(4, 1, 10, RESUMED).alu('and', 1, RESUME_KIND.tunnel).jump('eq', 1, 0, missed);
  if (isWide) {
    a.store(4, 10, scratch, 0).loadMap(1, 'bytes').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup);
    a.jump('eq', 0, 0, missed).store(8, 10, scratch + 8, { reg: 0 });
  }
  if (words.some((word) => isCtMore(word) || isOption(word))) {
    emitMorePlace(a, missed);
    a.mov(3, { reg: 0 });
  }
  if (isWide) a.load(8, 2, 10, scratch + 8);
  else a.mov(2, { reg: 10 }).alu('add', 2, lookup);
  for (const [i, word] of words.entries()) {
    if (isCtMore(word)) a.load(4, 1, 3, (word - W.CT_LABEL) * 4);
    else if (isOption(word)) a.load(4, 1, 4, RESUME_VALUE.options + (word - W.TUN_METADATA) * 4);
    else a.load(4, 1, 10, keyAt(word));
    if (masks[i]! >>> 0 !== 0xffffffff) a.alu32('and', 1, swap32(masks[i]!));
    if (isWide) a.store(4, 2, i * 4, { reg: 1 });
    else a.store(4, 10, lookup + i * 4, { reg: 1 });
  }
}

/** Another run of the program named the list. */
function emitList(a: Assembler): void {
  const { scratch } = STACK;
  const found = a.fresh('listed');
  a.label('list').load(4, 1, 10, RESUMED).alu('rsh', 1, LIST_SHIFT).store(4, 10, scratch, { reg: 1 });
  a.loadMap(1, 'actions').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).mov(9, { reg: 0 }).jump('ne', 9, 0, found);
  emitConsumed(a);
  a.label(found).load(4, 0, 9, ACTIONS_VALUE.shape).goto('steps');
}

/**
 * `notesList`: the list's place is kept in RESUMED. Before: r0 = the flow's record. After: r9 = its actions, r0 = their shape. The counters
 * went up.
 */
function emitHit(a: Assembler, hasTcpFlags: boolean, notesList: boolean): void {
  const { scratch } = STACK;
  const counted = a.fresh('counted');
  a.label('hit')
    .mov(9, { reg: 0 })
    .call(HELPER.ktimeCoarseNs)
    .alu('rsh', 0, USED_SHIFT)
    .store(4, 10, scratch + 4, { reg: 0 })
    .mov(0, { reg: 9 });
  a.load(4, 1, 0, FLOW_RECORD.actions).store(4, 10, scratch, { reg: 1 });
  if (notesList) {
    a.load(4, 2, 10, RESUMED)
      .alu('and', 2, RESUME_KIND.tunnel)
      .alu('lsh', 1, LIST_SHIFT)
      .alu('or', 1, { reg: 2 })
      .store(4, 10, RESUMED, { reg: 1 });
  }
  emitOrder(a);
  a.mov(1, 1).atomicAdd(8, 0, FLOW_RECORD.packets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, FLOW_RECORD.bytes, 1)
    .load(4, 1, 10, scratch + 4)
    .store(4, 0, FLOW_RECORD.used, { reg: 1 });
  if (hasTcpFlags) {
    a.load(2, 1, 10, keyAt(W.TOS) + 2)
      .toBigEndian(1, 16)
      .load(2, 2, 0, FLOW_RECORD.tcpFlags)
      .alu('or', 1, { reg: 2 })
      .jump('eq', 1, { reg: 2 }, counted)
      .store(2, 0, FLOW_RECORD.tcpFlags, { reg: 1 });
  }
  a.label(counted);
  a.loadMap(1, 'actions').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).mov(9, { reg: 0 });
  const found = a.fresh('found');
  a.jump('ne', 9, 0, found).mov(9, PUNT_REASON.actions).goto('punt').label(found).load(4, 0, 9, ACTIONS_VALUE.shape);
}
