// Indices of array maps. One that was given back is not used again at once: a frame on its way through the program may still mean the old one.
// Even ones come first: flows that begin together are those of the two directions of one conversation, which two processors may count at once,
// and should not stand in one cache line.

const REST_MS = 100;

/** Indices that were given back, the oldest first. */
export class RestingIndices {
  readonly #resting: { index: number; freeAtMs: number }[] = [];
  #head = 0;

  /** One that has rested. */
  take(): number | undefined {
    const oldest = this.#resting[this.#head];
    if (oldest === undefined || oldest.freeAtMs > performance.now()) return undefined;
    if (++this.#head > 1024 && this.#head * 2 > this.#resting.length) {
      this.#resting.splice(0, this.#head);
      this.#head = 0;
    }
    return oldest.index;
  }

  give(index: number): void {
    this.#resting.push({ index, freeAtMs: performance.now() + REST_MS });
  }
}

export class IndexPool {
  readonly #size: number;
  readonly #evens: number;
  readonly #resting = new RestingIndices();
  #next = 0;

  constructor(size: number) {
    this.#size = size;
    this.#evens = (size + 1) >> 1;
  }

  /** A free index; undefined when there is none. */
  take(): number | undefined {
    const rested = this.#resting.take();
    if (rested !== undefined) return rested;
    if (this.#next >= this.#size) return undefined;
    const even = this.#next++ * 2;
    return even < this.#size ? even : even - this.#evens * 2 + 1;
  }

  give(index: number): void {
    this.#resting.give(index);
  }
}
