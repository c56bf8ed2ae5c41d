// How many messages of a kind still wait to be taken by the operating system, from where each ends in the stream of bytes to the peer.

const MAX_SPENT = 1024;

export class WaitingCount {
  readonly #ends: number[] = [];
  #first = 0;

  /** Notes a message that ends behind that many bytes of the stream. */
  push(end: number): void {
    this.#ends.push(end);
  }

  /** How many wait when the operating system has taken that many bytes. */
  count(taken: number): number {
    while (this.#first < this.#ends.length && this.#ends[this.#first]! <= taken) this.#first++;
    if (this.#first === this.#ends.length || this.#first > MAX_SPENT) {
      this.#ends.splice(0, this.#first);
      this.#first = 0;
    }
    return this.#ends.length - this.#first;
  }
}
