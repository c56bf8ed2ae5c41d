// A walk that paused, as what goes to the controller with the frame, and back.
//
// Of table and cookie a list needs to know only where an action tells them to a controller or means "this table": those begin a part.
import type { Key } from '../../flow/key.ts';
import type { Action, ActionKind } from '../../openflow/action.ts';
import type { Continuation, ContinuationPart } from '../../openflow/codec/continuation-codec.ts';
import type { BridgeState } from '../bridge-state.ts';
import { type FrozenState, type FrozenStep, keptWords } from './frozen.ts';

const TELLING: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'output',
  'outputReg',
  'outputTrunc',
  'enqueue',
  'group',
  'controller',
  'decTtl',
  'decMplsTtl',
  'decNshTtl',
]);

const tells = (action: Action): boolean => TELLING.has(action.kind) || (action.kind === 'resubmit' && action.table === 255);

/** The cookie that a step's actions tell. */
export const cookieOf = (step: FrozenStep): bigint => step.rule?.settings.cookie ?? step.cookie ?? 0n;

function partsOf(steps: readonly FrozenStep[]): ContinuationPart[] {
  const parts: { table: number; cookie: bigint; actions: Action[] }[] = [];
  for (const step of steps) {
    const cookie = cookieOf(step);
    for (const action of step.actions) {
      const last = parts.at(-1);
      if (last === undefined)
        parts.push(tells(action) ? { table: step.table, cookie, actions: [action] } : { table: 0, cookie: 0n, actions: [action] });
      else if (!tells(action) || (last.table === step.table && last.cookie === cookie)) last.actions.push(action);
      else parts.push({ table: step.table, cookie, actions: [action] });
    }
  }
  return parts;
}

/** What the controller keeps meanwhile. */
export function toContinuation(state: FrozenState, bridge: Uint8Array, dpPort: number): Continuation {
  return {
    bridge,
    stack: [...state.stack].reverse().map(({ value, bits }) => ({ value, bytes: (bits + 7) >> 3 })),
    mirrors: state.mirrored,
    isConntracked: state.isConntracked,
    parts: partsOf(state.steps),
    actionSet: state.actionSet,
    dpPort,
  };
}

/** The walk to go on with. `key` has the metadata that came back. */
export function fromContinuation(c: Continuation, bridge: BridgeState, key: Key, isTunnelled: boolean): FrozenState {
  return {
    bridge,
    table: undefined,
    steps: c.parts.map(({ table, cookie, actions }) => ({ table, cookie, actions, rule: undefined })),
    actionSet: c.actionSet,
    stack: [...c.stack].reverse().map(({ value, bytes }) => ({ value, bits: bytes * 8 })),
    isConntracked: c.isConntracked,
    isHashed: false,
    key: keptWords(key),
    isTunnelled,
    mirrored: c.mirrors,
  };
}
