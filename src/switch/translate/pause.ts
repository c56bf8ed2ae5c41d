// Where a walk stops for the datapath to do something first, or for a controller to look at the frame, and where it goes on.
import type { DpAction } from '../../datapath/datapath.ts';
import { W } from '../../flow/key.ts';
import type { Action } from '../../openflow/action.ts';
import { cookieOf, type FrozenState, type FrozenStep, keptWords, restoreWords } from './frozen.ts';
import { toUserspace } from './to-controller.ts';
import type { Walk } from './translate.ts';
import type { ControllerSend, Recirculation } from './translation.ts';

/** What a walk knows of its pauses. */
export class Pause {
  readonly recirculations: Recirculation[] = [];
  /** The frame goes to a controller with all that is left to do. */
  send: ControllerSend | undefined;
  /** Of steps whose flow a controller remembered. */
  thawedCookie: bigint | undefined;
  /** What the datapath is to hash before the frame comes back. */
  hash: DpAction | undefined;
}

/** Brings a walk to what it was when it stopped. */
export function restore(walk: Walk, frozen: FrozenState): void {
  restoreWords(frozen, walk.key);
  restoreWords(frozen, walk.base);
  walk.stack.push(...frozen.stack);
  walk.actionSet = [...frozen.actionSet];
  walk.isConntracked = frozen.isConntracked;
  walk.mirrored = frozen.mirrored;
  walk.isHashed = frozen.isHashed;
}

/** Has the datapath hash the frame and bring it back to do `action`, and what stands behind it, with the hash. */
export function freezeForHash(walk: Walk, action: Action, algorithm: number, basis: number): void {
  walk.steps.push({ actions: [action], table: walk.table, rule: walk.rule });
  walk.pause.hash = { kind: 'hash', algorithm, basis };
  walk.freeze();
}

/** What a later frame needs to go on from here. */
function frozenState(walk: Walk, table: number | undefined): FrozenState {
  const { bridge, actionSet, stack, isConntracked, steps, isTunnelled } = walk;
  return {
    bridge,
    table,
    steps: table === undefined ? steps : [],
    actionSet: [...actionSet],
    stack: [...stack],
    isConntracked,
    isHashed: walk.isHashed || walk.pause.hash !== undefined,
    key: keptWords(walk.key),
    isTunnelled,
    mirrored: walk.mirrored,
  };
}

/** Where a packet-out of which nothing is left to do goes on (debug_recirc at its end), as in the reference: in the tables. */
function tableOfNothing({ isPacketOut, rule, steps, actionSet }: Walk): number | undefined {
  return isPacketOut && rule === undefined && steps.length === 0 && actionSet.length === 0 ? 0 : undefined;
}

/** Puts out the recirculation: to a table, or to what freezing gathered, which ends the freezing. */
export function recirculate(walk: Walk, table: number | undefined, ct?: Recirculation['ct']): void {
  walk.commit();
  const { pause, request } = walk;
  const { send } = pause;
  if (table === undefined && send !== undefined) {
    pause.send = undefined;
    // Lists have been left: the controller is told the cookie of where the walk is now, and no table.
    toUserspace(walk, { ...send, table: 0, cookie: walk.cookie, continuation: frozenState(walk, undefined) });
    walk.steps = [];
    walk.isFreezing = false;
    return;
  }
  const id = request.sends.recirculations.put(frozenState(walk, table ?? tableOfNothing(walk)), walk.nowMs);
  if (id === 0) walk.fail('Failed to allocate a recirculation id');
  walk.effects.push({ kind: 'recirc', id });
  if (table === undefined && pause.hash !== undefined) {
    walk.out.push(pause.hash);
    pause.hash = undefined;
  }
  walk.out.push({ kind: 'recirc', id });
  pause.recirculations.push({ id, key: walk.key.slice(), ct });
  if (table !== undefined) return;
  walk.steps = [];
  walk.isFreezing = false;
  walk.wasMpls = false;
}

/** What is left to do where a walk that went on pauses again: to Open vSwitch it is all of the part that ran, its own origin inside it. */
function pausedAgain(walk: Walk, step: FrozenStep): FrozenStep {
  const origin: Action = { kind: 'unrollXlate', table: step.table, cookie: cookieOf(step) };
  return { actions: [origin, ...step.actions], table: walk.table, rule: walk.rule, cookie: walk.pause.thawedCookie };
}

/** Goes on where an earlier walk stopped. */
export function thaw(walk: Walk, frozen: FrozenState): void {
  const { table, steps, actionSet } = frozen;
  walk.nested('thaw', 'thaw', () => {
    const all = steps.flatMap((step) => step.actions);
    if (actionSet.length > 0) walk.report('thaw', `Restoring action set: ${walk.reportText(actionSet)}`);
    if (all.length > 0) walk.report('thaw', `Restoring actions: ${walk.reportText(all)}`);
    if (table !== undefined) walk.report('thaw', `Resuming from table ${table}`);
  });
  if (table !== undefined) {
    walk.lookup(table, walk.key[W.IN_PORT]!, true, false, () => walk.finish());
    return;
  }
  for (const [i, step] of steps.entries()) {
    if (walk.isFreezing) {
      walk.steps.push(walk.pause.send === undefined ? step : pausedAgain(walk, step));
      continue;
    }
    walk.table = step.table;
    walk.rule = step.rule;
    walk.pause.thawedCookie = step.cookie;
    walk.run(step.actions, i === steps.length - 1);
  }
  walk.finish();
}
