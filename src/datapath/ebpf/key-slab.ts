// The keys of a mask's flows in the kernel, all in one array: an array for each would cost more than all else that is kept of a flow here.

const FIRST_ROOM = 8;

export class KeySlab {
  /** Bytes of a key. */
  readonly size: number;
  #bytes: Uint8Array;
  #used = 0;
  readonly #free: number[] = [];

  constructor(size: number) {
    this.size = size;
    this.#bytes = new Uint8Array(size * FIRST_ROOM);
  }

  /** All keys; another array after a `take`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Room for a key: where it begins. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const at = this.#used;
    this.#used += this.size;
    if (this.#used > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }

  give(at: number): void {
    this.#free.push(at);
  }

  /** A key, until the next `take`. */
  key(at: number): Uint8Array {
    return this.#bytes.subarray(at, at + this.size);
  }
}
