// Indices of array maps. One that was given back is not used again at once: a frame on its way through the program may still mean the old one.

const REST_MS = 100;

export class IndexPool {
  readonly #size: number;
  readonly #resting: { index: number; freeAtMs: number }[] = [];
  #head = 0;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** A free index; undefined when there is none. */
  take(): number | undefined {
    const oldest = this.#resting[this.#head];
    if (oldest !== undefined && oldest.freeAtMs <= performance.now()) {
      if (++this.#head > 1024 && this.#head * 2 > this.#resting.length) {
        this.#resting.splice(0, this.#head);
        this.#head = 0;
      }
      return oldest.index;
    }
    return this.#next < this.#size ? this.#next++ : undefined;
  }

  give(index: number): void {
    this.#resting.push({ index, freeAtMs: performance.now() + REST_MS });
  }
}
