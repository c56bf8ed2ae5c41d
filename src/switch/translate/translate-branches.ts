// Lists that run apart from the rest: clone, and the two branches behind check_pkt_larger.
//
// A list that only changes the key needs no clone in the datapath: the key is put back, and the frame is changed right before an output
// only. Some actions change the frame at once or hand it on (connection tracking, headers pushed and popped, truncation): a list with one
// of these is a clone in the datapath too, unless nothing comes after it.
import type { Key } from '../../flow/key.ts';
import type { Action } from '../../openflow/action.ts';
import { writeSubfield } from './subfield.ts';
import type { Walk } from './translate.ts';

const IRREVERSIBLE: ReadonlySet<Action['kind']> = new Set(['ct', 'meter', 'nat', 'outputTrunc', 'encap', 'decap', 'decNshTtl']);

const isReversible = (actions: readonly Action[]): boolean => !actions.some((action) => IRREVERSIBLE.has(action.kind));

/** Runs a list whose changes to the frame must not be seen by what comes after. The caller puts the key back. */
export function runReversibly(walk: Walk, actions: readonly Action[], isLast: boolean): void {
  if (isLast || isReversible(actions)) {
    walk.run(actions, isLast);
    return;
  }
  walk.commit();
  const base = walk.base.slice();
  const inner = walk.gather(() => {
    walk.run(actions, false);
    walk.finish();
  });
  if (inner.length > 0) walk.out.push({ kind: 'clone', actions: inner });
  walk.base.set(base);
}

/** The clone action, at whose end a copy of the action set is executed. What ends or pauses its list ends the list around it too, as in Open vSwitch. */
export function clone(walk: Walk, actions: readonly Action[]): void {
  let hasExited = false;
  apart(walk, () => {
    walk.actionSet = [...walk.actionSet];
    runReversibly(walk, actions, walk.isLast);
    walk.finish();
    hasExited = walk.hasExited;
  });
  walk.hasExited = hasExited;
}

/** A bucket of a group: like a clone, without an action set of its own. */
export function runIsolated(walk: Walk, actions: readonly Action[], isLast: boolean): void {
  apart(walk, () => {
    runReversibly(walk, actions, isLast);
    if (walk.isFreezing) walk.finish();
  });
}

interface Saved {
  key: Key;
  actionSet: Action[];
  stack: Walk['stack'];
  isConntracked: boolean;
  wasMpls: boolean;
  isLast: boolean;
}

const save = (walk: Walk): Saved => ({
  key: walk.key.slice(),
  actionSet: walk.actionSet,
  stack: [...walk.stack],
  isConntracked: walk.isConntracked,
  wasMpls: walk.wasMpls,
  isLast: walk.isLast,
});

function restore(walk: Walk, saved: Saved): void {
  walk.key.set(saved.key);
  walk.actionSet = saved.actionSet;
  walk.stack.length = 0;
  walk.stack.push(...saved.stack);
  walk.isConntracked = saved.isConntracked;
  walk.wasMpls = saved.wasMpls;
  walk.isLast = saved.isLast;
  walk.hasExited = false;
}

/** Runs something that leaves the walk's own state as it was, also when the walk is given up inside. */
function apart(walk: Walk, run: () => void): void {
  const saved = save(walk);
  try {
    run();
  } finally {
    restore(walk, saved);
  }
}

/** check_pkt_larger: what follows it in its list is run twice, for longer frames and for the others. */
export function checkPacketLarger(walk: Walk, action: Extract<Action, { kind: 'checkPktLarger' }>, rest: readonly Action[]): void {
  walk.commit();
  const base = walk.base.slice();
  const branch = (bit: bigint) =>
    walk.gather(() => {
      apart(walk, () => {
        walk.actionSet = [...walk.actionSet];
        writeSubfield(walk.key, walk.placed(action.dst), bit);
        if (rest.length === 0) walk.report('action', 'drop');
        walk.run(rest, true);
        walk.finish();
      });
      walk.base.set(base);
    });
  const larger = branch(1n);
  const smaller = branch(0n);
  walk.out.push({ kind: 'checkPktLen', length: action.length, larger, smaller });
}
