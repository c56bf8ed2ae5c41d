// Megaflows by mask, behind a signature cache.
//
// What: finds the flow whose masked key equals a frame's key under the flow's own mask.
//
// Invariants
//   - Flows that overlap carry the same actions (the megaflow law), so any match is as good as another.
//   - A subtable has one mask. It keeps the indices of the words that are not zero, and compares and hashes only those.
//   - The cache maps a signature of the frame (hot words, without TTL and TCP flags) to a flow slot. An entry is only a hint: the flow found
//     there is compared under its mask before it is believed. So deleting or reusing a slot needs no invalidation.
//
// Design: open addressing with linear probing in an Int32Array of pairs (hash, slot), so that passing by a stranger touches no other
// memory; tombstone-free (a delete re-inserts the run behind it), grown at half load. Subtables are tried in order of hits, which are halved at each sorting so that the order follows the traffic.
import { type Key, W } from '../../flow/key.ts';
import type { Op } from './program.ts';

export interface Subtable {
  indices: Int32Array;
  masks: Int32Array;
  /** Pairs (hash, slot); slot -1 = free. */
  table: Int32Array;
  count: number;
  hits: number;
  name: string;
  /** Masked words of all its flows, one for each index; places that are free again. */
  words: Int32Array;
  free: number[];
  used: number;
}

export interface Entry {
  slot: number;
  hash: number;
  subtable: Subtable;
  /** Where its masked words begin in the subtable's. */
  at: number;
  program: readonly Op[];
  /** Frames follow those that went to the control plane before the flow was there; until when, see `UserspaceCore`. */
  isHeld: boolean;
  heldUntil: number;
  heldSinceMs: number;
}

const CACHE_BITS = 13;
const CACHE_SIZE = 1 << CACHE_BITS;
const SORT_INTERVAL = 4096;
/** Flows that a new subtable has room for. */
const FIRST_ROOM = 8;

const mix = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
};

export class FlowTable {
  readonly #entries: (Entry | undefined)[] = [];
  readonly #subtables: Subtable[] = [];
  readonly #byMask = new Map<string, Subtable>();
  readonly #cacheSignature = new Int32Array(CACHE_SIZE);
  readonly #cacheSlot = new Int32Array(CACHE_SIZE).fill(-1);
  #untilSort = SORT_INTERVAL;
  /** The subtable of the last flow put: new flows come in numbers under one mask. */
  #latest: Subtable | undefined;
  cacheHits = 0;

  get maskCount(): number {
    return this.#subtables.length;
  }

  entry(slot: number): Entry | undefined {
    return this.#entries[slot];
  }

  /** Installs a flow in a free slot, or replaces the one there. `indices` and `masks` describe the mask, `words` the masked key, which is copied. */
  put(slot: number, indices: Int32Array, masks: Int32Array, words: Int32Array, program: readonly Op[]): void {
    this.remove(slot);
    const subtable = this.#subtable(indices, masks);
    let hash = 0;
    for (let i = 0; i < words.length; i++) hash = mix(hash, words[i]!);
    const at = keep(subtable, words);
    this.#entries[slot] = { slot, hash, subtable, at, program, isHeld: false, heldUntil: 0, heldSinceMs: 0 };
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
      const words = new Int32Array(indices.length * FIRST_ROOM);
      subtable = { indices, masks, table: new Int32Array(32).fill(-1), count: 0, hits: 0, name, words, free: [], used: 0 };
      this.#byMask.set(name, subtable);
      this.#subtables.push(subtable);
    }
    this.#latest = subtable;
    return subtable;
  }

  setProgram(slot: number, program: readonly Op[]): void {
    const entry = this.#entries[slot];
    if (entry !== undefined) entry.program = program;
  }

  remove(slot: number): void {
    const entry = this.#entries[slot];
    if (entry === undefined) return;
    this.#entries[slot] = undefined;
    const { table } = entry.subtable;
    const last = table.length - 2;
    let at = (entry.hash << 1) & last;
    while (table[at + 1] !== slot) at = (at + 2) & last;
    table[at + 1] = -1;
    for (at = (at + 2) & last; table[at + 1] !== -1; at = (at + 2) & last) {
      const moved = table[at + 1]!;
      table[at + 1] = -1;
      this.#insert(entry.subtable, moved, table[at]!);
    }
    entry.subtable.free.push(entry.at);
    entry.subtable.count--;
    if (entry.subtable.count === 0) {
      this.#byMask.delete(entry.subtable.name);
      this.#subtables.splice(this.#subtables.indexOf(entry.subtable), 1);
      if (this.#latest === entry.subtable) this.#latest = undefined;
    }
  }

  clear(): void {
    this.#entries.length = 0;
    this.#subtables.length = 0;
    this.#byMask.clear();
    this.#latest = undefined;
  }

  lookup(key: Key): Entry | undefined {
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
    const at = signature & (CACHE_SIZE - 1);
    if (this.#cacheSignature[at] === signature) {
      const hint = this.#entries[this.#cacheSlot[at]!];
      if (hint !== undefined && matches(hint, key)) {
        this.cacheHits++;
        return hint;
      }
    }
    const entry = this.#search(key);
    if (entry !== undefined) {
      this.#cacheSignature[at] = signature;
      this.#cacheSlot[at] = entry.slot;
    }
    return entry;
  }

  #search(key: Key): Entry | undefined {
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
        if (table[at] !== hash) continue;
        const entry = this.#entries[slot]!;
        if (!matches(entry, key)) continue;
        subtable.hits++;
        if (--this.#untilSort === 0) this.#sort();
        return entry;
      }
    }
    return undefined;
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
    subtable.table = new Int32Array(before.length * 2).fill(-1);
    for (let i = 0; i < before.length; i += 2) if (before[i + 1]! >= 0) this.#insert(subtable, before[i + 1]!, before[i]!);
  }
}

function matches(entry: Entry, key: Key): boolean {
  const { indices, masks, words } = entry.subtable;
  const { at } = entry;
  for (let i = 0; i < indices.length; i++) if ((key[indices[i]!]! & masks[i]!) !== words[at + i]) return false;
  return true;
}

/** Copies a flow's words into a subtable. */
function keep(subtable: Subtable, words: Int32Array): number {
  const at = subtable.free.pop() ?? subtable.used;
  if (at === subtable.used) {
    subtable.used += words.length;
    if (subtable.used > subtable.words.length) {
      const larger = new Int32Array(subtable.words.length * 2);
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
