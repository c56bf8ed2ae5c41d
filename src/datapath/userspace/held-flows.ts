// Flows whose frames follow others through the queue of upcalls: those that went there before the flow was known. Which flows these are a bit
// of their records says, so that no other flow pays for it.
import type { UpcallOrder } from '../../netdev/punt-ring.ts';
import { MAX_FLOWS } from '../datapath.ts';
import { FLOW_HELD, FLOW_WORD } from './shared-state.ts';

/** A flow that never pauses has its frames forwarded directly after so long. */
const HELD_MS = 250;

const wordOf = (slot: number): number => slot * FLOW_WORD.SIZE + FLOW_WORD.tcpFlags;

export class HeldFlows {
  readonly #words: Int32Array;
  /** By slot, of meaning while its bit is set: up to where in the queue, and since when. */
  readonly #until = new Int32Array(MAX_FLOWS);
  readonly #sinceMs = new Float64Array(MAX_FLOWS);

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** A flow without counts, new in its slot: held while upcalls are on their way. */
  begin(slot: number, { written, done }: UpcallOrder & { done: number }, nowMs: number): void {
    if (written === done) return;
    this.#words[wordOf(slot)] = FLOW_HELD;
    this.#until[slot] = written;
    this.#sinceMs[slot] = nowMs;
  }

  /** Whether a frame of a flow with FLOW_HELD has to follow the others; where not, the flow is free. */
  follows(slot: number, done: number, nowMs: number): boolean {
    if (((done - this.#until[slot]!) | 0) < 0 && nowMs - this.#sinceMs[slot]! <= HELD_MS) return true;
    this.end(slot);
    return false;
  }

  /** A frame of the flow followed the others, up to there. */
  moveOn(slot: number, written: number): void {
    this.#until[slot] = written;
  }

  end(slot: number): void {
    this.#words[wordOf(slot)]! &= ~FLOW_HELD;
  }
}
