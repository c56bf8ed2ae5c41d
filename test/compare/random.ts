// A seeded source of choices, so that a run can be repeated.

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** 32 random bits (xorshift with a final mix). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }

  /** 0 to below `limit`. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.u32() % limit;
  }

  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** A value of `bits` bits that is as often small, all ones or near a limit as it is anything. */
  bits(bits: number): bigint {
    const all = (1n << BigInt(bits)) - 1n;
    switch (this.below(6)) {
      case 0:
        return BigInt(this.below(4)) & all;
      case 1:
        return all - (BigInt(this.below(3)) & all);
      case 2:
        return 1n << BigInt(this.below(bits));
      default: {
        let value = 0n;
        for (let i = 0; i < bits; i += 32) value = (value << 32n) | BigInt(this.u32());
        return value & all;
      }
    }
  }

  number(bits: number): number {
    return Number(this.bits(bits));
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = this.below(4) === 0 ? this.below(2) * 255 : this.u32() & 0xff;
    return bytes;
  }

  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}
