// The commands that new flows bring in numbers, put a flow and send a frame, as one run of words: for the structured clone of a message
// each typed array and each object costs more than all that a flow says. Masks and lists of actions stand beside, once each.
//
//   flow:  1 | slot | id, high and low | mask's number | actions' number | the masked words
//   frame: 2 | actions' number | csumStart | csumOffset | gsoType | gsoSize | words of the key that are not 0 | each with its index |
//          length | bytes, filled up to whole words
import { KEY_WORDS, type Key, W } from '../../flow/key.ts';
import { areSurelySame, type DpAction, type FrameOffload } from '../datapath.ts';
import type { Command } from './command.ts';
import type { UserspaceCore } from './core.ts';

const FLOW = 1;
const FRAME = 2;
const FLOW_WORDS = 6;
const FRAME_WORDS = 8;
const HIGH = 0x1_0000_0000;

/** A run of commands. */
export interface PackedCommands {
  op: 'packed';
  words: Int32Array;
  masks: { indices: Int32Array; masks: Int32Array }[];
  actions: (readonly DpAction[])[];
}

/** Packs one run; used again after `take`. */
export class CommandPacker {
  #words = new Int32Array(1 << 12);
  #bytes = new Uint8Array(this.#words.buffer);
  #length = 0;
  #masks: { indices: Int32Array; masks: Int32Array }[] = [];
  #actions: (readonly DpAction[])[] = [];

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Adds a command, if it is one that can be packed. */
  add(command: Command): boolean {
    if (command.op === 'flowPut') {
      const { slot, id, indices, masks, words, actions } = command;
      let at = this.#room(FLOW_WORDS + words.length);
      const w = this.#words;
      w[at++] = FLOW;
      w[at++] = slot;
      w[at++] = id / HIGH;
      w[at++] = id;
      w[at++] = this.#mask(indices, masks);
      w[at++] = this.#list(actions);
      w.set(words, at);
      this.#length = at + words.length;
      return true;
    }
    if (command.op !== 'execute') return false;
    const { frame, key, actions, offload } = command;
    let at = this.#room(FRAME_WORDS + 2 * KEY_WORDS + ((frame.length + 3) >> 2));
    const w = this.#words;
    w[at++] = FRAME;
    w[at++] = this.#list(actions);
    w[at++] = offload.csumStart;
    w[at++] = offload.csumOffset;
    w[at++] = offload.gsoType;
    w[at++] = offload.gsoSize;
    const countAt = at++;
    for (let i = 0; i < W.DP_END; i++) {
      if (key[i] === 0) continue;
      w[at++] = i;
      w[at++] = key[i]!;
    }
    w[countAt] = (at - countAt - 1) / 2;
    w[at++] = frame.length;
    this.#bytes.set(frame, at * 4);
    this.#length = at + ((frame.length + 3) >> 2);
    return true;
  }

  /** What was added. */
  take(): PackedCommands {
    const packed: PackedCommands = { op: 'packed', words: this.#words.slice(0, this.#length), masks: this.#masks, actions: this.#actions };
    this.#length = 0;
    this.#masks = [];
    this.#actions = [];
    return packed;
  }

  #room(words: number): number {
    const needed = this.#length + words;
    if (needed > this.#words.length) {
      const larger = new Int32Array(Math.max(needed, this.#words.length * 2));
      larger.set(this.#words.subarray(0, this.#length));
      this.#words = larger;
      this.#bytes = new Uint8Array(larger.buffer);
    }
    return this.#length;
  }

  /** The registry keeps each mask once, so that the same one is the same object. */
  #mask(indices: Int32Array, masks: Int32Array): number {
    const last = this.#masks.length - 1;
    if (last >= 0 && this.#masks[last]!.indices === indices && this.#masks[last]!.masks === masks) return last;
    return this.#masks.push({ indices, masks }) - 1;
  }

  #list(actions: readonly DpAction[]): number {
    const last = this.#actions.length - 1;
    if (last >= 0 && areSurelySame(this.#actions[last]!, actions)) return last;
    return this.#actions.push(actions) - 1;
  }
}

const scratchKey: Key = new Uint32Array(KEY_WORDS);

/** Carries out a run, in order; a command that fails is told of, and those behind it are carried out all the same. */
export function applyPacked(
  core: Pick<UserspaceCore, 'flowPut' | 'execute' | 'flush'>,
  packed: PackedCommands,
  onError: (error: unknown) => void,
): void {
  const { words: w } = packed;
  const bytes = new Uint8Array(w.buffer, w.byteOffset, w.byteLength);
  for (let at = 0; at < w.length; ) {
    const start = at;
    const isFlow = w[at] === FLOW;
    at = isFlow ? at + FLOW_WORDS + packed.masks[w[at + 4]!]!.indices.length : frameEnd(w, at);
    try {
      if (isFlow) applyFlow(core, packed, start, at);
      else applyFrame(core, packed, start, bytes);
    } catch (error) {
      onError(error);
    }
  }
  core.flush();
}

const keyEnd = (w: Int32Array, at: number): number => at + 7 + w[at + 6]! * 2;

function frameEnd(w: Int32Array, at: number): number {
  const end = keyEnd(w, at);
  return end + 1 + ((w[end]! + 3) >> 2);
}

function applyFlow(core: Pick<UserspaceCore, 'flowPut'>, { words: w, masks, actions }: PackedCommands, at: number, end: number): void {
  const mask = masks[w[at + 4]!]!;
  const id = w[at + 2]! * HIGH + (w[at + 3]! >>> 0);
  core.flowPut(w[at + 1]!, id, mask.indices, mask.masks, w.subarray(at + FLOW_WORDS, end), actions[w[at + 5]!]!);
}

function applyFrame(core: Pick<UserspaceCore, 'execute'>, { words: w, actions }: PackedCommands, at: number, bytes: Uint8Array): void {
  const offload: FrameOffload = { csumStart: w[at + 2]!, csumOffset: w[at + 3]!, gsoType: w[at + 4]!, gsoSize: w[at + 5]! };
  const end = keyEnd(w, at);
  scratchKey.fill(0);
  for (let i = at + 7; i < end; i += 2) scratchKey[w[i]!] = w[i + 1]!;
  const start = (end + 1) * 4;
  core.execute(bytes.subarray(start, start + w[end]!), scratchKey, actions[w[at + 1]!]!, offload);
}
