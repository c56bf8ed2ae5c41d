// Instructions for the steps of a shape. Before: r6 = skb, r7/r8 = header offsets, r9 = the flow's actions, the key on the stack is right.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { allSteps, type Shape, type ShapeStep } from './action-shape.ts';
import { emitCt, emitCtClear, emitCtFind } from './ct-program.ts';
import {
  countDrop,
  emitConsumed,
  emitFrameLength,
  HELPER,
  keyAt,
  loadBytes,
  SKB,
  STACK,
  storeBytes,
  swap32,
  UPCALL,
  UPCALL_REASON,
} from './frame-context.ts';
import { emitHash } from './hash-program.ts';
import { ACTIONS_VALUE, TX_VALUE } from './map-layout.ts';
import { emitMeter } from './meter-program.ts';
import { emitPopMpls, emitPushMpls } from './mpls-program.ts';
import { emitNdOption } from './nd-program.ts';
import { emitPatches } from './patch-program.ts';
import { emitContinue, emitFork, emitForkCheck, emitRecirculate } from './resume-program.ts';
import { emitTunnelCheck, emitTunnelOutput } from './tunnel-push-program.ts';
import { emitUnwrap, emitUnwrapCheck, emitWrap, emitWrapCheck } from './wrap-program.ts';

const { scratch } = STACK;

/** Where shapes jump to, with nothing done to the frame, and what the program knows. */
export interface ShapeContext {
  /** User space must run the list. */
  punt: string;
  /** Several steps of the shape may go through a tunnel: what was found of one does not hold for another. */
  checksAgain?: boolean;
  hasTunnels: boolean;
  /** Whether frames may have a connection, and whether its label and first tuple are asked for. */
  tracks: boolean;
  tracksMore: boolean;
}

/** Emits a shape's steps, ending in exit. */
export function emitShape(a: Assembler, shape: Shape, context: ShapeContext): void {
  if ([...allSteps(shape.steps)].some(({ op }) => op === 'fork')) emitForkCheck(a, context.punt);
  for (const step of allSteps(shape.steps)) {
    if (step.op === 'ct') emitCtFind(a, step, context.punt);
    if (step.op === 'wrap') emitWrapCheck(a, context.punt);
    if (step.op === 'unwrap') emitUnwrapCheck(a, context.punt);
    if (step.op === 'tunnel') {
      if (step.isShort) emitTruncateCheck(a, param(step.at + 8), context.punt);
      emitTunnelCheck(a, step, context.punt);
    }
    if (step.op === 'truncated' && step.isShort) emitTruncateCheck(a, param(step.at + 12), context.punt);
    // Behind a second tag or an LLC header a label would have to go elsewhere.
    if (step.op === 'pushMpls' || step.op === 'popMpls') a.jump('ne', 7, 14, context.punt);
  }
  const tunnels = [...allSteps(shape.steps)].filter(({ op }) => op === 'tunnel').length;
  emitSteps(a, shape.steps, { ...context, checksAgain: tunnels > 1 }, true);
}

/** At the beginning of a list the connection has just been found. */
function emitTracked(a: Assembler, step: Extract<ShapeStep, { op: 'ct' }>): void {
  const [found, lost] = [a.fresh('tracked'), a.fresh('untracked')];
  emitCtFind(a, step, lost);
  a.goto(found).label(lost);
  countDrop(a);
  emitConsumed(a);
  a.label(found);
}

/** What was found of another tunnel is found of this one. */
function emitTunnelChecked(a: Assembler, step: Extract<ShapeStep, { op: 'tunnel' }>): void {
  const [found, lost] = [a.fresh('fits'), a.fresh('unfit')];
  emitTunnelCheck(a, step, lost);
  a.goto(found).label(lost);
  countDrop(a);
  emitConsumed(a);
  a.label(found);
}

function emitSteps(a: Assembler, steps: readonly ShapeStep[], context: ShapeContext, isTop = false): void {
  if (steps.length === 0) countDrop(a);
  for (const [i, step] of steps.entries()) emitStep(a, step, context, isTop && i === 0);
  const last = steps.at(-1);
  if (last !== undefined && (last.op === 'choice' || last.op === 'tunnel' || last.op === 'userspace')) return;
  if (last?.op === 'truncated' || (last?.op === 'output' && last.isLast)) a.exit();
  else emitConsumed(a);
}

/** Bytes of a TCP header up to behind its checksum, the farthest of all; bytes of a VLAN tag. */
const TCP_CHECKSUM_END = 18;
const TAG = 4;

const param = (at: number): number => ACTIONS_VALUE.params + at;

/** `isFirst`: nothing has been done yet since the checks. */
function emitStep(a: Assembler, step: ShapeStep, context: ShapeContext, isFirst: boolean): void {
  switch (step.op) {
    case 'output':
      emitSent(a, step.at + 8);
      if (step.isLast) emitRedirect(a, step.at);
      else
        a.mov(1, { reg: 6 })
          .load(4, 2, 9, param(step.at))
          .load(4, 3, 9, param(step.at + 4))
          .call(HELPER.cloneRedirect);
      break;
    case 'truncated':
      emitTruncated(a, step.at);
      break;
    case 'popVlan':
      moved(a, () => void a.mov(1, { reg: 6 }).call(HELPER.vlanPop));
      break;
    case 'pushVlan':
      moved(a, () => {
        a.mov(1, { reg: 6 })
          .load(2, 2, 9, param(step.at))
          .load(2, 3, 9, param(step.at + 2))
          .call(HELPER.vlanPush);
      });
      break;
    case 'setVlan':
      emitSetVlan(a, step);
      break;
    case 'pushMpls':
      emitPushMpls(a, param(step.at));
      break;
    case 'popMpls':
      emitPopMpls(a, param(step.at));
      break;
    case 'wrap':
      emitWrap(a, step, param(step.at));
      break;
    case 'unwrap':
      emitUnwrap(a);
      break;
    case 'ndOption':
      emitNdOption(a, step, param(step.at));
      break;
    case 'ethernet':
      for (const [i, word] of step.words.entries()) {
        a.load(4, 1, 10, keyAt(word)).alu32('and', 1, swap32(~step.masks[i]!));
        a.load(4, 2, 9, param(step.at + i * 4))
          .alu32('or', 1, { reg: 2 })
          .store(4, 10, keyAt(word), { reg: 1 });
      }
      storeBytes(a, undefined, 0, keyAt(W.ETH), 12);
      break;
    case 'patch':
      emitPatches(a, step.guard, step.patches);
      break;
    case 'metadata':
      emitMetadata(a, step);
      break;
    case 'hash':
      emitHash(a, param(step.at), step.isSymmetric);
      break;
    case 'ct':
      if (!isFirst) emitTracked(a, step);
      emitCt(a, step, context.tracksMore);
      break;
    case 'ctClear':
      emitCtClear(a, context.tracksMore);
      break;
    case 'meter':
      emitMeter(a, param(step.at));
      break;
    case 'tunnel':
      if (context.checksAgain === true) emitTunnelChecked(a, step);
      if (step.trims) emitTrimmed(a, step.at + 8);
      emitSent(a, step.at + 4);
      emitTunnelOutput(a, step);
      break;
    case 'userspace':
      a.load(4, 1, 9, param(step.at)).store(4, 10, UPCALL, { reg: 1 });
      a.load(4, 1, 9, param(step.at + 4))
        .store(4, 10, UPCALL + 4, { reg: 1 })
        .mov(9, UPCALL_REASON)
        .goto('punt');
      break;
    case 'recirculate':
      emitRecirculate(a, param(step.at), context);
      break;
    case 'fork':
      emitFork(a, param(step.at), context);
      break;
    case 'continue':
      emitContinue(a, param(step.at), context);
      break;
    case 'drop':
      countDrop(a);
      break;
    case 'choice':
      emitChoice(a, step, context);
  }
}

function emitRedirect(a: Assembler, at: number): void {
  a.load(4, 1, 9, param(at))
    .load(4, 2, 9, param(at + 4))
    .call(HELPER.redirect);
}

/** Counts an output at the port whose number is the parameter at `at`. */
function emitSent(a: Assembler, at: number): void {
  const none = a.fresh('nocount');
  a.load(4, 0, 9, param(at)).store(4, 10, scratch, { reg: 0 });
  a.loadMap(1, 'tx').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, none);
  a.mov(1, 1).atomicAdd(8, 0, TX_VALUE.packets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, TX_VALUE.bytes, 1).label(none);
}

/** A tag that goes into the frame or comes out of it moves the headers behind it. */
function moved(a: Assembler, change: () => void): void {
  const none = a.fresh('unmoved');
  a.load(4, 0, 6, SKB.len).store(4, 10, scratch + 8, { reg: 0 });
  change();
  a.load(4, 1, 6, SKB.len)
    .load(4, 0, 10, scratch + 8)
    .alu('sub', 1, { reg: 0 })
    .alu('add', 7, { reg: 1 });
  a.jump('eq', 8, 0, none).alu('add', 8, { reg: 1 }).label(none);
}

function emitSetVlan(a: Assembler, step: Extract<ShapeStep, { op: 'setVlan' }>): void {
  const untagged = a.fresh('untagged');
  a.load(4, 0, 6, SKB.vlanPresent)
    .jump('eq', 0, 0, untagged)
    .load(4, 0, 6, SKB.vlanProto)
    .store(4, 10, scratch + 12, { reg: 0 });
  a.load(4, 0, 6, SKB.vlanTci)
    .alu32('and', 0, ~step.mask & 0xffff)
    .load(4, 1, 9, param(step.at))
    .alu32('or', 0, { reg: 1 });
  a.store(4, 10, scratch + 8, { reg: 0 })
    .mov(1, { reg: 6 })
    .call(HELPER.vlanPop);
  a.mov(1, { reg: 6 })
    .load(4, 2, 10, scratch + 12)
    .load(4, 3, 10, scratch + 8)
    .call(HELPER.vlanPush)
    .label(untagged);
}

function emitMetadata(a: Assembler, step: Extract<ShapeStep, { op: 'metadata' }>): void {
  const at = step.field === 'mark' ? SKB.mark : SKB.priority;
  a.load(4, 0, 6, at)
    .alu32('and', 0, ~step.mask | 0)
    .load(4, 1, 9, param(step.at))
    .toBigEndian(1, 32)
    .alu32('or', 0, { reg: 1 });
  a.store(4, 6, at, { reg: 0 });
}

/** Makes a frame no longer than the parameter at `at`; jumps where the kernel will not have it so. */
function emitTrim(a: Assembler, at: number, lost: string): void {
  const short = a.fresh('short');
  emitFrameLength(a, 0, 1);
  // The tag in the metadata counts, but is not there to be cut.
  a.load(4, 2, 9, param(at)).jump('le', 0, { reg: 2 }, short).load(4, 1, 6, SKB.len).alu('sub', 0, { reg: 1 }).alu('sub', 2, { reg: 0 });
  a.mov(1, { reg: 6 }).mov(3, 0).call(HELPER.changeTail).jump('ne', 0, 0, lost).label(short);
}

/** What cannot be made so short ends here. */
function emitTrimmed(a: Assembler, at: number): void {
  const [trimmed, lost] = [a.fresh('trimmed'), a.fresh('untrimmed')];
  emitTrim(a, at, lost);
  a.goto(trimmed).label(lost);
  countDrop(a);
  emitConsumed(a);
  a.label(trimmed);
}

/**
 * The kernel cuts no frame off before a checksum that it has still to fill in, which programs cannot see. So frames that may have one there are
 * user space's. `at`: the longest that a frame may be. Steps may move headers by two tags.
 */
function emitTruncateCheck(a: Assembler, at: number, punt: string): void {
  const [fits, ip, known] = [a.fresh('cuttable'), a.fresh('ip'), a.fresh('known')];
  emitFrameLength(a, 0, 1);
  a.alu('add', 0, 2 * TAG)
    .load(4, 2, 9, at)
    .jump('le', 0, { reg: 2 }, fits);
  a.load(2, 1, 10, keyAt(W.TYPE)).toBigEndian(1, 16).jump('eq', 1, 0x0806, fits);
  a.jump('eq', 1, 0x0800, ip).jump('ne', 1, 0x86dd, punt).label(ip);
  // No transport header: a later fragment.
  a.jump('eq', 8, 0, fits).load(1, 1, 10, keyAt(W.TYPE) + 3);
  for (const proto of [6, 1, 58, 132]) a.jump('eq', 1, proto, known);
  a.goto(punt).label(known);
  a.mov(1, { reg: 8 })
    .alu('add', 1, TCP_CHECKSUM_END + 2 * TAG)
    .jump('gt', 1, { reg: 2 }, punt)
    .label(fits);
}

function emitTruncated(a: Assembler, at: number): void {
  const lost = a.fresh('untrimmed');
  emitTrim(a, at + 12, lost);
  emitSent(a, at + 8);
  emitRedirect(a, at);
  a.exit().label(lost);
  countDrop(a);
  // The caller ends with an exit.
  a.mov(1, 0).mov(2, 0).call(HELPER.redirect);
}

function emitChoice(a: Assembler, step: Extract<ShapeStep, { op: 'choice' }>, context: ShapeContext): void {
  const yes = a.fresh('yes');
  if (step.by === 'chance') {
    a.call(HELPER.random).alu('lsh', 0, 32).alu('rsh', 0, 32).load(4, 1, 9, param(step.at)).jump('lt', 0, { reg: 1 }, yes);
  } else {
    emitSegmentLength(a);
    a.load(4, 1, 9, param(step.at)).jump('gt', 0, { reg: 1 }, yes);
  }
  emitSteps(a, step.no, context);
  a.label(yes);
  emitSteps(a, step.yes, context);
}

/** r0 = length of the frame, or of the longest that a super-segment will be split into. */
function emitSegmentLength(a: Assembler): void {
  const [done, datagram, sized] = [a.fresh('length'), a.fresh('datagram'), a.fresh('sized')];
  emitFrameLength(a, 0, 1);
  a.load(4, 1, 6, SKB.gsoSize).jump('eq', 1, 0, done).jump('eq', 8, 0, done);
  a.store(4, 10, scratch + 8, { reg: 0 });
  a.load(1, 1, 10, keyAt(W.TYPE) + 3).jump('ne', 1, 6, datagram);
  loadBytes(a, 8, 12, scratch, 1, datagram);
  a.load(1, 1, 10, scratch).alu('rsh', 1, 4).alu('lsh', 1, 2).goto(sized).label(datagram).mov(1, 8).label(sized);
  a.load(4, 2, 6, SKB.gsoSize).alu('add', 1, { reg: 2 }).alu('add', 1, { reg: 8 });
  a.load(4, 0, 10, scratch + 8)
    .load(4, 2, 6, SKB.len)
    .mov(3, { reg: 0 })
    .alu('sub', 3, { reg: 2 })
    .alu('add', 1, { reg: 3 });
  a.jump('le', 0, { reg: 1 }, done).mov(0, { reg: 1 }).label(done);
}
