// Keys under one mask, each with a small number: an index for tables of whoever keeps something for each key.
//
// The masked words lie in one array, because an array for each key would cost the collector more than all else that is kept of a flow.
// Open addressing with linear probing; a delete re-inserts the run behind it. The hash has a seed of this process, so that nobody can prepare
// keys that meet in one place.
import type { Key } from './key.ts';

const SEED = crypto.getRandomValues(new Int32Array(1))[0]!;
const FIRST_ROOM = 8;

export class WordTable {
  readonly width: number;
  readonly #indices: Int32Array;
  readonly #masks: Int32Array;
  #words: Int32Array;
  #hashes = new Int32Array(FIRST_ROOM);
  /** Index + 1; 0 = free. */
  #table = new Int32Array(FIRST_ROOM * 4);
  readonly #free: number[] = [];
  #next = 0;
  #count = 0;
  /** Of the key that was looked for last. */
  readonly #scratch: Int32Array;
  #hash = 0;

  /** The words of a key that count, and their masks. */
  constructor(indices: Int32Array, masks: Int32Array) {
    this.width = indices.length;
    this.#indices = indices;
    this.#masks = masks;
    this.#words = new Int32Array(FIRST_ROOM * this.width);
    this.#scratch = new Int32Array(this.width);
  }

  get count(): number {
    return this.#count;
  }

  /** All masked words, those of a key from `index * width` on. */
  get words(): Int32Array {
    return this.#words;
  }

  /** The masked words of the key that was looked for last, until the next one is. */
  get found(): Int32Array {
    return this.#scratch;
  }

  /** The index of a key's masked words, -1 when they are not there. */
  find(key: Key): number {
    const scratch = this.#scratch;
    const indices = this.#indices;
    const masks = this.#masks;
    let hash = SEED;
    for (let i = 0; i < scratch.length; i++) {
      const word = key[indices[i]!]! & masks[i]!;
      scratch[i] = word;
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
      hash = Math.imul(hash, 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    this.#hash = hash;
    const table = this.#table;
    const last = table.length - 1;
    for (let at = hash & last; ; at = (at + 1) & last) {
      const index = table[at]! - 1;
      if (index < 0) return -1;
      if (this.#hashes[index] === hash && this.#isScratch(index)) return index;
    }
  }

  #isScratch(index: number): boolean {
    const scratch = this.#scratch;
    const from = index * scratch.length;
    for (let i = 0; i < scratch.length; i++) if (this.#words[from + i] !== scratch[i]) return false;
    return true;
  }

  /** Adds what `find` has just not found. */
  add(): number {
    if ((this.#count + 1) * 2 > this.#table.length) this.#grow();
    const index = this.#free.pop() ?? this.#next++;
    if (index >= this.#hashes.length) this.#extend();
    this.#words.set(this.#scratch, index * this.width);
    this.#hashes[index] = this.#hash;
    this.#insert(index);
    this.#count++;
    return index;
  }

  remove(index: number): void {
    const table = this.#table;
    const last = table.length - 1;
    let at = this.#hashes[index]! & last;
    while (table[at] !== index + 1) at = (at + 1) & last;
    table[at] = 0;
    for (at = (at + 1) & last; table[at] !== 0; at = (at + 1) & last) {
      const moved = table[at]! - 1;
      table[at] = 0;
      this.#insert(moved);
    }
    this.#free.push(index);
    this.#count--;
  }

  /** Writes a key's masked words into their places. */
  write(index: number, key: Key): void {
    const from = index * this.width;
    for (let i = 0; i < this.width; i++) key[this.#indices[i]!] = this.#words[from + i]!;
  }

  #insert(index: number): void {
    const table = this.#table;
    const last = table.length - 1;
    let at = this.#hashes[index]! & last;
    while (table[at] !== 0) at = (at + 1) & last;
    table[at] = index + 1;
  }

  #extend(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const hashes = new Int32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Int32Array(before.length * 2);
    for (let i = 0; i < before.length; i++) if (before[i] !== 0) this.#insert(before[i]! - 1);
  }
}
