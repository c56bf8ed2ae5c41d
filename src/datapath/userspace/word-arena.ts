// Runs of words of different lengths, kept together: an array for each would cost the collector more than what it holds. A run that was given
// back is used again for one that takes as many blocks.

const BLOCK_SHIFT = 3;
const CHUNK_SHIFT = 16;
const CHUNK = 1 << CHUNK_SHIFT;

const blocks = (length: number): number => (length + (1 << BLOCK_SHIFT) - 1) >> BLOCK_SHIFT;

export class WordArena {
  readonly #chunks: Uint32Array[] = [];
  #used = CHUNK;
  /** By blocks. */
  readonly #free: number[][] = [];

  /** Keeps the first words of an array, no more than a chunk holds; gives the place of the run. */
  put(words: Uint32Array, length: number): number {
    if (length === 0) return 0;
    const size = blocks(length);
    const at = this.#free[size]?.pop() ?? this.#room(size << BLOCK_SHIFT);
    const chunk = this.#chunks[at >> CHUNK_SHIFT]!;
    const from = at & (CHUNK - 1);
    for (let i = 0; i < length; i++) chunk[from + i] = words[i]!;
    return at;
  }

  #room(size: number): number {
    if (this.#used + size > CHUNK) {
      this.#chunks.push(new Uint32Array(CHUNK));
      this.#used = 0;
    }
    const at = (this.#chunks.length - 1) * CHUNK + this.#used;
    this.#used += size;
    return at;
  }

  /** Copies a run out. */
  read(at: number, length: number, to: Uint32Array): void {
    if (length === 0) return;
    const from = at & (CHUNK - 1);
    to.set(this.#chunks[at >> CHUNK_SHIFT]!.subarray(from, from + length));
  }

  give(at: number, length: number): void {
    if (length === 0) return;
    const size = blocks(length);
    while (this.#free.length <= size) this.#free.push([]);
    this.#free[size]!.push(at);
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#free.length = 0;
    this.#used = CHUNK;
  }
}
