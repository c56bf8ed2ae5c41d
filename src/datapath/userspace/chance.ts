// The luck of `sample` actions. xorshift: the same sequence in every run of a simulation.

export class Chance {
  #state = 0x2545f491;

  /** True with probability p / 2^32. */
  hits(p: number): boolean {
    if (p >>> 0 === 0xffffffff) return true;
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0 < p >>> 0;
  }
}
