// A walk that paused, as what goes to the controller with the frame, and back.
//
// Of table and cookie a list needs to know only where an action tells them to a controller or means "this table": those begin a part.
import type { Key } from '../../flow/key.ts';
import type { Action, ActionKind } from '../../openflow/action.ts';
import type { Continuation } from '../../openflow/codec/continuation-codec.ts';
import type { BridgeState } from '../bridge-state.ts';
import { cookieOf, type FrozenState, type FrozenStep, keptWords } from './frozen.ts';

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

function actionsOf(steps: readonly FrozenStep[]): Action[] {
  const actions: Action[] = [];
  // Table 0 and cookie 0, which a part has unless it is told others, are said too.
  let table: number | undefined;
  let cookie: bigint | undefined;
  for (const step of steps) {
    const stepCookie = cookieOf(step);
    for (const action of step.actions) {
      if (tells(action) && (step.table !== table || stepCookie !== cookie)) {
        [table, cookie] = [step.table, stepCookie];
        actions.push({ kind: 'unrollXlate', table, cookie });
      }
      actions.push(action);
    }
  }
  return actions;
}

/** What the controller keeps meanwhile. */
export function toContinuation(state: FrozenState, bridge: string, odpPort: number): Continuation {
  return {
    bridge,
    stack: [...state.stack].reverse().map(({ value, bits }) => `0x${value.toString(16).padStart(((bits + 7) >> 3) * 2, '0')}`),
    mirrors: state.mirrored,
    conntracked: state.isConntracked,
    actions: actionsOf(state.steps),
    actionSet: [...state.actionSet],
    odpPort,
  };
}

/** What a continuation still has to do, by table and cookie. */
function stepsOf(actions: readonly Action[]): FrozenStep[] {
  const steps: (FrozenStep & { actions: Action[] })[] = [];
  let [table, cookie] = [0, 0n];
  for (const action of actions) {
    if (action.kind === 'unrollXlate') {
      ({ table, cookie } = action);
      steps.push({ table, cookie, actions: [], rule: undefined });
    } else {
      if (steps.length === 0) steps.push({ table, cookie, actions: [], rule: undefined });
      steps.at(-1)!.actions.push(action);
    }
  }
  return steps;
}

/** The walk to go on with. `key` has the metadata that came back. */
export function fromContinuation(c: Continuation, bridge: BridgeState, key: Key, isTunnelled: boolean): FrozenState {
  return {
    bridge,
    table: undefined,
    steps: stepsOf(c.actions ?? []),
    actionSet: c.actionSet ?? [],
    stack: [...c.stack].reverse().map((text) => ({ value: BigInt(text), bits: Math.max(1, text.length - 2) * 4 })),
    isConntracked: c.conntracked,
    isHashed: false,
    key: keptWords(key),
    isTunnelled,
    mirrored: c.mirrors,
  };
}
