// Places of flows' records: one each, or two in a row, the first of which is even. Single ones are taken from the bottom, pairs from the top. One
// that was given back is not used again at once: a frame on its way through the program may still mean the old one.
//
// A pair may be split, but two single ones never become a pair: a hint may lead to any place that ever was a record of its own, where the other
// half of a pair would be taken for one.
import { RestingIndices } from './index-pool.ts';

export class RecordPool {
  readonly #singles = new RestingIndices();
  readonly #pairs = new RestingIndices();
  #low = 0;
  #high: number;

  /** `size` is even. */
  constructor(size: number) {
    this.#high = size;
  }

  /** The place of a record, or the first of two; undefined when there is none. */
  take(isPair: boolean): number | undefined {
    const free = (isPair ? this.#pairs : this.#singles).take();
    if (free !== undefined) return free;
    if (this.#low + (isPair ? 2 : 1) <= this.#high) {
      if (!isPair) return this.#low++;
      this.#high -= 2;
      return this.#high;
    }
    if (isPair) return undefined;
    const pair = this.#pairs.take();
    if (pair !== undefined) this.#singles.give(pair + 1);
    return pair;
  }

  give(place: number, isPair: boolean): void {
    (isPair ? this.#pairs : this.#singles).give(place);
  }
}
