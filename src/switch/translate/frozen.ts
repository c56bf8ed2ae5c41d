// Where a walk stopped so that the datapath may do something first (connection tracking, parsing what stood behind a label), and from
// where it goes on when the frame comes back with the recirculation id that stands for it.
//
// 1. A walk that freezes keeps the rest of every list it was in: what still has to be done, in order, with the table and flow it is from.
// 2. Equal states have one id, so that translating twice gives equal actions.
// 3. A state lives while a megaflow or a frame may still bring its id: `sweep` forgets those that no megaflow names and that nobody has
//    asked for lately. A frame whose state is gone is dropped.
import { type Key, newKey, W } from '../../flow/key.ts';
import type { Action } from '../../openflow/action.ts';
import type { BridgeState } from '../bridge-state.ts';
import type { FlowRule } from '../tables/rule.ts';

/** What remained of one list of actions. */
export interface FrozenStep {
  actions: readonly Action[];
  table: number;
  rule: FlowRule | undefined;
  /** The cookie of a flow that is not at hand. */
  cookie?: bigint | undefined;
}

/** The cookie that a step's actions tell: all ones where a controller gave them with a packet. */
export const cookieOf = (step: FrozenStep): bigint => step.rule?.settings.cookie ?? step.cookie ?? 0xffffffffffffffffn;

export interface FrozenState {
  bridge: BridgeState;
  /** Table to resume at; undefined = only `steps` and the action set are left. */
  table: number | undefined;
  steps: readonly FrozenStep[];
  actionSet: readonly Action[];
  stack: readonly { value: bigint; bits: number }[];
  isConntracked: boolean;
  /** The datapath hashed the frame before it brought it back. */
  isHashed: boolean;
  /** Metadata that the datapath does not carry, and the outer header as actions left it. */
  key: Key;
  /** The port through which the frame came in, in the bridge it came in at. */
  isTunnelled: boolean;
  /** Mirrors that have had the frame. */
  mirrored: number;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const KEPT = [W.IN_PORT, ...range(W.TUN_ID, W.NSH), ...range(W.TUN_METADATA, W.DP_END), ...range(W.METADATA, W.CONJ_ID)];

/** The words of `key` that a state keeps. */
export function keptWords(key: Key): Key {
  const kept = newKey();
  for (const word of KEPT) kept[word] = key[word]!;
  return kept;
}

/** Puts the kept words into the key of the frame that came back. */
export function restoreWords(state: FrozenState, key: Key): void {
  for (const word of KEPT) key[word] = state.key[word]!;
}

/** Values as text in which equal ones are equal; fields by name, for they are large and shared. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString(16);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>).join();
  if (typeof value === 'object' && value !== null && 'wireBytes' in value) return (value as unknown as { name: string }).name;
  return value;
}

/** Text in which equal states are equal. */
export function idOf(state: FrozenState): string {
  const words: string[] = [];
  for (const word of KEPT) if (state.key[word] !== 0) words.push(`${word}:${state.key[word]}`);
  const steps = state.steps.map(({ actions, table, rule }) => [actions, table, rule?.settings.cookie ?? null]);
  const { bridge, table, actionSet, stack, isConntracked, isHashed, isTunnelled, mirrored } = state;
  const flags = [isConntracked, isHashed, isTunnelled, mirrored];
  return JSON.stringify([bridge.name, table ?? -1, words, steps, actionSet, stack, flags], plain);
}

const MAX_STATES = 1 << 18;
const KEEP_MS = 10_000;

interface Kept {
  id: string;
  state: FrozenState;
  usedMs: number;
}

/** The ids of one datapath. */
export class RecircStore {
  readonly #numbers = new Map<string, number>();
  readonly #states = new Map<number, Kept>();
  #next = 1;

  get size(): number {
    return this.#states.size;
  }

  /** The id of a state, a new one if need be; 0 when there are too many. */
  put(state: FrozenState, nowMs: number): number {
    const id = idOf(state);
    const known = this.#numbers.get(id);
    if (known !== undefined) {
      const kept = this.#states.get(known)!;
      kept.usedMs = nowMs;
      // The same bridge may have been made anew.
      kept.state = state;
      return known;
    }
    if (this.#states.size >= MAX_STATES) return 0;
    const number = this.takeNumber();
    this.#numbers.set(id, number);
    this.#states.set(number, { id, state, usedMs: nowMs });
    return number;
  }

  /** A number that is no state's. */
  takeNumber(): number {
    let number = this.#next;
    while (this.#states.has(number)) number = (number % 0x7fffffff) + 1;
    this.#next = (number % 0x7fffffff) + 1;
    return number;
  }

  /** The number that is given out next. */
  get next(): number {
    return this.#next;
  }

  /** Forgets states with numbers from `first` on. */
  forgetSince(first: number): void {
    for (const [number, kept] of this.#states) if (number >= first) this.#forget(number, kept);
  }

  get(number: number): FrozenState | undefined {
    return this.#states.get(number)?.state;
  }

  /** Forgets the states of a bridge that is no more. */
  forgetBridge(bridge: BridgeState): void {
    for (const [number, kept] of this.#states) if (kept.state.bridge === bridge) this.#forget(number, kept);
  }

  /** Forgets what `isLive` does not know and nobody asked for lately. */
  sweep(isLive: (number: number) => boolean, nowMs: number): void {
    for (const [number, kept] of this.#states) {
      if (isLive(number)) kept.usedMs = nowMs;
      else if (nowMs - kept.usedMs > KEEP_MS) this.#forget(number, kept);
    }
  }

  #forget(number: number, kept: Kept): void {
    this.#states.delete(number);
    this.#numbers.delete(kept.id);
  }
}
