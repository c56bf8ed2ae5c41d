// Instructions for a frame that goes on in another run of the program: looked up once more, or under another list of actions. What this run
// knows of the frame, and no header says, is left in `resume`.
//
// A list of its own for a copy of the frame is run by a detour: the copy is sent to a device of ours, at whose egress the program stands, which
// finds in `resume` what the copy is for. All that happens within the one call that makes the copy, on the same processor.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { CT_MORE, CT_WORDS, emitClearMore, emitMorePlace } from './ct-program.ts';
import { countDrop, DEPTH, HELPER, keyAt, LIST_SHIFT, LIST_TOKEN, RESUMED, STACK, TUNNEL_WORDS } from './frame-context.ts';
import { DETOUR_VALUE, LEVELS, MORE_SHIFT, RESUME_KIND, RESUME_VALUE } from './map-layout.ts';

/** As often as user space does. */
const MAX_RECIRCULATIONS = 6;
const { scratch } = STACK;
/** Where the address of `resume` is kept over a call. */
const PLACE = scratch + 8;

/** What frames may have; `tracksMore`: some mask asks about CT_MORE. */
export interface ResumeContext {
  hasTunnels: boolean;
  tracks: boolean;
  tracksMore: boolean;
}

/** Finds in `resume` what a former run left; goes to `fresh` when there is nothing: the frame comes from a device. */
export function emitResume(a: Assembler, { hasTunnels, tracks, tracksMore }: ResumeContext, fresh: string): void {
  const resumed = a.fresh('resumed');
  a.store(4, 10, scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, scratch);
  a.call(HELPER.mapLookup).jump('eq', 0, 0, fresh).load(4, 1, 0, RESUME_VALUE.kind).jump('ne', 1, 0, resumed);
  if (tracksMore) {
    emitMorePlace(a, fresh);
    emitClearMore(a);
  }
  a.goto(fresh).label(resumed);
  a.store(4, 0, RESUME_VALUE.kind, 0).alu('and', 1, RESUME_KIND.tunnel | RESUME_KIND.list);
  a.load(4, 2, 0, RESUME_VALUE.list).alu('lsh', 2, LIST_SHIFT).alu('or', 1, { reg: 2 }).store(4, 10, RESUMED, { reg: 1 });
  const copy = (from: number, to: number): void => void a.load(4, 1, 0, from).store(4, 10, to, { reg: 1 });
  copy(RESUME_VALUE.token, LIST_TOKEN);
  copy(RESUME_VALUE.port, keyAt(W.IN_PORT));
  copy(RESUME_VALUE.recircId, keyAt(W.RECIRC_ID));
  copy(RESUME_VALUE.dpHash, keyAt(W.DP_HASH));
  copy(RESUME_VALUE.depth, DEPTH);
  if (hasTunnels) for (const [i, word] of TUNNEL_WORDS.entries()) copy(RESUME_VALUE.tunnel + i * 4, keyAt(word));
  if (tracks) for (const [i, word] of CT_WORDS.entries()) copy(RESUME_VALUE.ct + i * 4, keyAt(word));
  if (!tracksMore) return;
  // The former run may have been another program's, which did not keep what nobody had asked for.
  const kept = a.fresh('kept');
  a.load(4, 1, 0, RESUME_VALUE.hasMore).jump('ne', 1, 0, kept).load(4, 1, 10, keyAt(W.CT_STATE)).jump('ne', 1, 0, 'unusual');
  emitMorePlace(a, fresh);
  emitClearMore(a);
  a.label(kept);
}

/** Leaves in `resume`, at r0, what is known of the frame; what is to be done with it is the caller's. */
function emitLeave(a: Assembler, { hasTunnels, tracks, tracksMore }: ResumeContext, kind: number): void {
  const copy = (from: number, to: number): void => void a.load(4, 1, 10, from).store(4, 0, to, { reg: 1 });
  copy(keyAt(W.IN_PORT), RESUME_VALUE.port);
  copy(keyAt(W.DP_HASH), RESUME_VALUE.dpHash);
  for (const [i, word] of CT_WORDS.entries()) {
    if (tracks) copy(keyAt(word), RESUME_VALUE.ct + i * 4);
    else a.store(4, 0, RESUME_VALUE.ct + i * 4, 0);
  }
  if (hasTunnels) for (const [i, word] of TUNNEL_WORDS.entries()) copy(keyAt(word), RESUME_VALUE.tunnel + i * 4);
  a.store(4, 0, RESUME_VALUE.hasMore, tracksMore ? 1 : 0);
  a.load(4, 1, 10, RESUMED).alu('and', 1, RESUME_KIND.tunnel).alu('or', 1, kind).store(4, 0, RESUME_VALUE.kind, { reg: 1 });
}

/** r0 = `resume`. */
function findPlace(a: Assembler, lost: string): void {
  a.store(4, 10, scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, lost);
}

/** The frame is looked up under the recirc_id at `at` from r9 on. Where that cannot be it is dropped, and the caller ends. */
export function emitRecirculate(a: Assembler, at: number, context: ResumeContext): void {
  const lost = a.fresh('norecirc');
  a.load(4, 1, 10, DEPTH).jump('ge', 1, MAX_RECIRCULATIONS, lost);
  findPlace(a, lost);
  emitLeave(a, context, RESUME_KIND.recirculated);
  a.load(4, 1, 10, DEPTH).alu('add', 1, 1).store(4, 0, RESUME_VALUE.depth, { reg: 1 });
  a.load(4, 1, 9, at).store(4, 0, RESUME_VALUE.recircId, { reg: 1 });
  a.store(4, 0, RESUME_VALUE.list, 0).store(4, 0, RESUME_VALUE.token, 0);
  a.mov(1, { reg: 6 }).loadMap(2, 'programs').mov(3, 0).call(HELPER.tailCall).label(lost);
  countDrop(a);
}

/** `at`: where r9 points to a list's place and name. */
function emitLeaveForList(a: Assembler, at: number, context: ResumeContext, lost: string): void {
  findPlace(a, lost);
  emitLeave(a, context, RESUME_KIND.list);
  const copy = (from: number, to: number): void => void a.load(4, 1, 10, from).store(4, 0, to, { reg: 1 });
  copy(DEPTH, RESUME_VALUE.depth);
  copy(keyAt(W.RECIRC_ID), RESUME_VALUE.recircId);
  a.load(4, 1, 9, at).store(4, 0, RESUME_VALUE.list, { reg: 1 });
  a.load(4, 1, 9, at + 4).store(4, 0, RESUME_VALUE.token, { reg: 1 });
}

/** Another list goes on with the frame. The caller ends. */
export function emitContinue(a: Assembler, at: number, context: ResumeContext): void {
  const lost = a.fresh('nolist');
  emitLeaveForList(a, at, context, lost);
  a.store(8, 10, PLACE, { reg: 0 }).mov(1, { reg: 6 }).loadMap(2, 'programs').mov(3, 0).call(HELPER.tailCall);
  a.load(8, 0, 10, PLACE).store(4, 0, RESUME_VALUE.kind, 0).label(lost);
  countDrop(a);
}

/** Before any step: goes to `punt` when there is no device for detours. */
export function emitForkCheck(a: Assembler, punt: string): void {
  a.loadMapValue(1, 'detour', DETOUR_VALUE.ifindex).load(4, 1, 1, 0).jump('eq', 1, 0, punt);
}

/** One level down, with the same CT_MORE. Before: r0 = `resume`. */
function emitDescend(a: Assembler, lost: string): void {
  const room = a.fresh('level');
  a.load(4, 1, 0, RESUME_VALUE.level)
    .jump('lt', 1, LEVELS - 1, room)
    .store(4, 0, RESUME_VALUE.kind, 0)
    .goto(lost)
    .label(room);
  a.mov(2, { reg: 1 })
    .alu('add', 2, 1)
    .store(4, 0, RESUME_VALUE.level, { reg: 2 })
    .alu('lsh', 1, MORE_SHIFT)
    .alu('add', 0, RESUME_VALUE.more)
    .alu('add', 0, { reg: 1 });
  for (const i of CT_MORE.keys()) a.load(4, 1, 0, i * 4).store(4, 0, (1 << MORE_SHIFT) + i * 4, { reg: 1 });
}

/** Another list runs on a copy of the frame. */
export function emitFork(a: Assembler, at: number, context: ResumeContext): void {
  const [lost, done] = [a.fresh('nofork'), a.fresh('forked')];
  emitLeaveForList(a, at, context, lost);
  a.store(8, 10, PLACE, { reg: 0 });
  if (context.tracksMore) emitDescend(a, lost);
  a.mov(1, { reg: 6 }).loadMapValue(2, 'detour', DETOUR_VALUE.ifindex).load(4, 2, 2, 0).mov(3, 0);
  // Whatever became of the copy, nothing of it may be left for the next frame.
  a.call(HELPER.cloneRedirect).load(8, 1, 10, PLACE).store(4, 1, RESUME_VALUE.kind, 0);
  if (context.tracksMore) a.load(4, 2, 1, RESUME_VALUE.level).alu('sub', 2, 1).store(4, 1, RESUME_VALUE.level, { reg: 2 });
  a.goto(done).label(lost);
  countDrop(a);
  a.label(done);
}
