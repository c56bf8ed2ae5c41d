// Megaflows by mask, behind hints.
//
// What: finds the flow whose masked key equals a frame's key under the flow's own mask.
//
// Invariants
//   - Flows that overlap carry the same actions (the megaflow law), so any match is as good as another.
//   - A flow is its record (FLOW_WORD in `shared-state.ts`), at its slot: mask, program, counters and the key, one or two cache lines. With
//     many flows memory is what a frame waits for, and so nothing else of a flow is touched on a frame's way.
//   - A subtable has one mask. It keeps the indices of the words that are not zero, and compares and hashes only those.
//   - Hints map a signature of the frame (hot words, without TTL and TCP flags) to a slot: sets of HINTS_PER_SET words, each a slot in the low
//     bits and more of the signature above. What stands there is compared with the frame under its mask before it is believed. So deleting or
//     reusing a slot needs no invalidation.
//
// Design: open addressing with linear probing in an Int32Array of pairs (hash, slot), so that passing by a stranger touches no other
// memory; tombstone-free (a delete re-inserts the run behind it), grown at half load. Subtables are tried in order of hits, which are halved at each sorting so that the order follows the traffic.
import { type Key, W } from '../../flow/key.ts';
import { MAX_FLOWS } from '../datapath.ts';
import { type Op, simpleName } from './program.ts';
import { FLOW, FLOW_WORD, RECORD_WORDS, type SharedState } from './shared-state.ts';

interface Subtable {
  /** What records name it by. */
  number: number;
  indices: Int32Array;
  masks: Int32Array;
  /** Pairs (hash, slot); slot -1 = free. */
  table: Int32Array;
  count: number;
  hits: number;
  name: string;
  /** Keys that are too long for records, one after the other, and places that are free again. */
  words: Int32Array;
  free: number[];
  used: number;
}

/** A program that flows have. */
interface Pooled {
  program: readonly Op[];
  /** The same for programs that do the same; undefined where that is not asked. */
  name: string | undefined;
  users: number;
}

const SLOT_BITS = Math.log2(MAX_FLOWS);
const SET_BITS = 15;
const HINTS_PER_SET = 8;
const SORT_INTERVAL = 4096;
const FEW_MASKS = 8;
const NO_WORDS = new Int32Array(0);
/** Flows that a subtable of long keys has room for at first. */
const FIRST_ROOM = 8;

const mix = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
};

export class FlowTable {
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #subtables: Subtable[] = [];
  /** By number; 0 is no mask's. */
  readonly #numbered: (Subtable | undefined)[] = [undefined];
  readonly #freeNumbers: number[] = [];
  readonly #byMask = new Map<string, Subtable>();
  readonly #hints = new Int32Array(HINTS_PER_SET << SET_BITS);
  #victim = 0;
  /** By number. */
  readonly #programs: (Pooled | undefined)[] = [];
  readonly #freePrograms: number[] = [];
  readonly #byName = new Map<string, number>();
  /** The program of the last flow put, as it was given, and its number. */
  #latestOps: readonly Op[] | undefined;
  #latestProgram = 0;
  #untilSort = SORT_INTERVAL;
  /** The subtable of the last flow put: new flows come in numbers under one mask. */
  #latest: Subtable | undefined;
  cacheHits = 0;

  constructor(state: Pick<SharedState, 'flows' | 'flowWords'>) {
    this.#counters = state.flows;
    this.#words = state.flowWords;
  }

  get maskCount(): number {
    return this.#subtables.length;
  }

  /** The slot's program; undefined when no flow is there. */
  program(slot: number): readonly Op[] | undefined {
    const at = slot * FLOW_WORD.SIZE;
    return this.#words[at + FLOW_WORD.mask] === 0 ? undefined : this.#programs[this.#words[at + FLOW_WORD.program]!]!.program;
  }

  /**
   * Installs a flow in a free slot, or replaces the one there; all counters become 0. `indices` and `masks` describe the mask, `words` the
   * masked key, which is copied.
   */
  put(slot: number, indices: Int32Array, masks: Int32Array, words: Int32Array, program: readonly Op[]): void {
    this.remove(slot);
    this.#counters.fill(0, slot * FLOW.SIZE, (slot + 1) * FLOW.SIZE);
    const subtable = this.#subtable(indices, masks);
    let hash = 0;
    for (let i = 0; i < words.length; i++) hash = mix(hash, words[i]!);
    const at = slot * FLOW_WORD.SIZE;
    if (words.length <= RECORD_WORDS) this.#words.set(words, at + FLOW_WORD.key);
    else this.#words[at + FLOW_WORD.key] = keep(subtable, words);
    this.#words[at + FLOW_WORD.program] = this.#take(program);
    this.#words[at + FLOW_WORD.mask] = subtable.number;
    if (subtable.count * 4 >= subtable.table.length) this.#grow(subtable);
    this.#insert(subtable, slot, hash);
    subtable.count++;
  }

  #subtable(indices: Int32Array, masks: Int32Array): Subtable {
    const latest = this.#latest;
    if (latest !== undefined && sameWords(latest.indices, indices) && sameWords(latest.masks, masks)) return latest;
    const name = `${indices.join()}/${masks.join()}`;
    let subtable = this.#byMask.get(name);
    if (subtable === undefined) {
      const number = this.#freeNumbers.pop() ?? this.#numbered.length;
      subtable = { number, indices, masks, table: newTable(32), count: 0, hits: 0, name, words: NO_WORDS, free: [], used: 0 };
      this.#numbered[number] = subtable;
      this.#byMask.set(name, subtable);
      this.#subtables.push(subtable);
    }
    this.#latest = subtable;
    return subtable;
  }

  setProgram(slot: number, program: readonly Op[]): void {
    const at = slot * FLOW_WORD.SIZE;
    if (this.#words[at + FLOW_WORD.mask] === 0) return;
    this.#give(this.#words[at + FLOW_WORD.program]!);
    this.#words[at + FLOW_WORD.program] = this.#take(program);
  }

  /** The number of a program, one user more. */
  #take(program: readonly Op[]): number {
    if (this.#latestOps === program) {
      this.#programs[this.#latestProgram]!.users++;
      return this.#latestProgram;
    }
    const name = simpleName(program);
    let number = name === undefined ? undefined : this.#byName.get(name);
    if (number === undefined) {
      number = this.#freePrograms.pop() ?? this.#programs.length;
      this.#programs[number] = { program, name, users: 1 };
      if (name !== undefined) this.#byName.set(name, number);
    } else {
      this.#programs[number]!.users++;
    }
    this.#latestOps = program;
    this.#latestProgram = number;
    return number;
  }

  #give(number: number): void {
    const pooled = this.#programs[number]!;
    if (--pooled.users > 0) return;
    if (pooled.name !== undefined) this.#byName.delete(pooled.name);
    this.#programs[number] = undefined;
    if (number === this.#latestProgram) this.#latestOps = undefined;
    this.#freePrograms.push(number);
  }

  remove(slot: number): void {
    const at = slot * FLOW_WORD.SIZE;
    const subtable = this.#numbered[this.#words[at + FLOW_WORD.mask]!];
    if (subtable === undefined) return;
    const { length } = subtable.indices;
    const isLong = length > RECORD_WORDS;
    const words = isLong ? subtable.words : this.#words;
    const from = isLong ? this.#words[at + FLOW_WORD.key]! : at + FLOW_WORD.key;
    let hash = 0;
    for (let i = 0; i < length; i++) hash = mix(hash, words[from + i]!);
    this.#words[at + FLOW_WORD.mask] = 0;
    this.#give(this.#words[at + FLOW_WORD.program]!);
    if (isLong) subtable.free.push(from);
    this.#takeOut(subtable, slot, hash);
    if (--subtable.count > 0) return;
    this.#byMask.delete(subtable.name);
    this.#subtables.splice(this.#subtables.indexOf(subtable), 1);
    this.#numbered[subtable.number] = undefined;
    this.#freeNumbers.push(subtable.number);
    if (this.#latest === subtable) this.#latest = undefined;
  }

  #takeOut(subtable: Subtable, slot: number, hash: number): void {
    const { table } = subtable;
    const last = table.length - 2;
    let at = (hash << 1) & last;
    while (table[at + 1] !== slot) at = (at + 2) & last;
    table[at + 1] = -1;
    for (at = (at + 2) & last; table[at + 1] !== -1; at = (at + 2) & last) {
      const moved = table[at + 1]!;
      table[at + 1] = -1;
      this.#insert(subtable, moved, table[at]!);
    }
  }

  clear(): void {
    for (const { table } of this.#subtables) {
      for (let i = 1; i < table.length; i += 2) if (table[i]! >= 0) this.#words[table[i]! * FLOW_WORD.SIZE + FLOW_WORD.mask] = 0;
    }
    this.#subtables.length = 0;
    this.#numbered.length = 1;
    this.#freeNumbers.length = 0;
    this.#byMask.clear();
    this.#programs.length = 0;
    this.#freePrograms.length = 0;
    this.#byName.clear();
    this.#latestOps = undefined;
    this.#latest = undefined;
  }

  /** The slot of the frame's flow, or -1. */
  lookup(key: Key): number {
    let signature = mix(0, key[W.IN_PORT]!);
    signature = mix(signature, key[W.ETH]!);
    signature = mix(signature, key[W.ETH + 1]!);
    signature = mix(signature, key[W.ETH + 2]!);
    signature = mix(signature, key[W.TYPE]!);
    signature = mix(signature, key[W.VLAN0]!);
    signature = mix(signature, key[W.NW_SRC]! ^ key[W.IPV6_SRC + 3]!);
    signature = mix(signature, key[W.NW_DST]! ^ key[W.IPV6_DST + 3]!);
    signature = mix(signature, key[W.TP]!);
    signature = mix(signature, key[W.RECIRC_ID]! ^ key[W.TUN_ID + 1]! ^ (key[W.CT_STATE]! << 16));
    const hints = this.#hints;
    const set = (signature >>> (32 - SET_BITS)) * HINTS_PER_SET;
    const tag = signature << SLOT_BITS;
    for (let i = set; i < set + HINTS_PER_SET; i++) {
      const slot = hints[i]! ^ tag;
      if (slot >>> SLOT_BITS !== 0) continue;
      if (!this.#matches(slot, key)) break;
      this.cacheHits++;
      return slot;
    }
    const slot = this.#search(key);
    if (slot >= 0) {
      let at = set;
      while (at < set + HINTS_PER_SET && hints[at] !== 0) at++;
      // Hints of flows that are no more go in the end.
      if (at === set + HINTS_PER_SET) at = set + (++this.#victim & (HINTS_PER_SET - 1));
      hints[at] = slot | tag;
    }
    return slot;
  }

  /** The same of a frame that most likely has none: where masks are few, hints, which other frames have driven from the cache, cost more. */
  lookupRare(key: Key): number {
    return this.#subtables.length <= FEW_MASKS ? this.#search(key) : this.lookup(key);
  }

  #search(key: Key): number {
    const subtables = this.#subtables;
    for (let t = 0; t < subtables.length; t++) {
      const subtable = subtables[t]!;
      const { indices, masks, table } = subtable;
      let hash = 0;
      for (let i = 0; i < indices.length; i++) hash = mix(hash, key[indices[i]!]! & masks[i]!);
      const last = table.length - 2;
      for (let at = (hash << 1) & last; ; at = (at + 2) & last) {
        const slot = table[at + 1]!;
        if (slot < 0) break;
        if (table[at] !== hash || !this.#matches(slot, key)) continue;
        subtable.hits++;
        if (--this.#untilSort === 0) this.#sort();
        return slot;
      }
    }
    return -1;
  }

  #matches(slot: number, key: Key): boolean {
    const at = slot * FLOW_WORD.SIZE;
    const subtable = this.#numbered[this.#words[at + FLOW_WORD.mask]!];
    if (subtable === undefined) return false;
    const { indices, masks } = subtable;
    const isLong = indices.length > RECORD_WORDS;
    const words = isLong ? subtable.words : this.#words;
    const from = isLong ? this.#words[at + FLOW_WORD.key]! : at + FLOW_WORD.key;
    for (let i = 0; i < indices.length; i++) if ((key[indices[i]!]! & masks[i]!) !== words[from + i]) return false;
    return true;
  }

  #sort(): void {
    this.#untilSort = SORT_INTERVAL;
    this.#subtables.sort((a, b) => b.hits - a.hits);
    for (const subtable of this.#subtables) subtable.hits >>>= 1;
  }

  #insert(subtable: Subtable, slot: number, hash: number): void {
    const { table } = subtable;
    const last = table.length - 2;
    let at = (hash << 1) & last;
    while (table[at + 1] !== -1) at = (at + 2) & last;
    table[at] = hash;
    table[at + 1] = slot;
  }

  #grow(subtable: Subtable): void {
    const before = subtable.table;
    subtable.table = newTable(before.length * 2);
    for (let i = 0; i < before.length; i += 2) if (before[i + 1]! >= 0) this.#insert(subtable, before[i + 1]!, before[i]!);
  }
}

const newTable = (length: number): Int32Array => new Int32Array(length).fill(-1);

/** Copies a flow's words into a subtable. */
function keep(subtable: Subtable, words: Int32Array): number {
  const at = subtable.free.pop() ?? subtable.used;
  if (at === subtable.used) {
    subtable.used += words.length;
    if (subtable.used > subtable.words.length) {
      const larger = new Int32Array(Math.max(words.length * FIRST_ROOM, subtable.words.length * 2));
      larger.set(subtable.words);
      subtable.words = larger;
    }
  }
  subtable.words.set(words, at);
  return at;
}

function sameWords(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The words of a mask that are not zero, as `put` wants them. */
export function packMatch(key: Key, mask: Key): { indices: Int32Array; masks: Int32Array; words: Int32Array } {
  const used: number[] = [];
  for (let i = 0; i < W.DP_END; i++) if (mask[i] !== 0) used.push(i);
  const indices = Int32Array.from(used);
  return { indices, masks: indices.map((i) => mask[i]!), words: indices.map((i) => key[i]! & mask[i]!) };
}
