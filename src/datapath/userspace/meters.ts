// Meters of the frame path: token buckets, one a band (OpenFlow 1.3.5 section 5.7).
//
// A bucket holds bits or thousandths of a packet. It gains rate times milliseconds, never more than its burst, and a frame takes what it
// weighs from each bucket that has as much. A frame that some bucket lacks tokens for exceeds that band's rate; of the bands exceeded the
// one with the highest rate drops it and counts it.
//
// Where programs in the kernel run meters too, a meter may have its place in memory that both share: see `meter-bucket.ts`.
import type { DpMeter } from '../datapath.ts';
import { passBucket } from './meter-bucket.ts';
import { METER } from './shared-state.ts';

interface Meter {
  countsPackets: boolean;
  /** Tokens a millisecond, the most tokens, and the tokens, of each band. */
  rates: Float64Array;
  bursts: Float64Array;
  tokens: Float64Array;
  filledMs: number;
  /** Its shared bucket, -1 = none. */
  place: number;
}

const UNITS_PER_PACKET = 1000;

export class Meters {
  readonly #meters: (Meter | undefined)[] = [];
  readonly #counters: Float64Array;
  #shared: BigUint64Array | undefined;

  /** `counters` are METER.SIZE doubles a meter. */
  constructor(counters: Float64Array) {
    this.#counters = counters;
  }

  /** Gives the memory of shared buckets. */
  share(words: BigUint64Array): void {
    this.#shared = words;
  }

  /** Puts a meter in place, its buckets full and its counters at zero. */
  set(number: number, config: DpMeter, nowMs: number, place = -1): void {
    const bursts = Float64Array.from(config.bands, ({ burst }) => burst * 1000);
    this.#meters[number] = {
      countsPackets: config.countsPackets,
      // A kilobit a second is a bit a millisecond, a packet a second a thousandth of one.
      rates: Float64Array.from(config.bands, ({ rate }) => rate),
      bursts,
      tokens: bursts.slice(),
      filledMs: nowMs,
      place,
    };
    this.#counters.fill(0, number * METER.SIZE, (number + 1) * METER.SIZE);
  }

  delete(number: number): void {
    this.#meters[number] = undefined;
    this.#counters.fill(0, number * METER.SIZE, (number + 1) * METER.SIZE);
  }

  /** Whether a frame of `size` bytes may pass now; a meter that is not there lets all pass. */
  pass(number: number, size: number, nowMs: number): boolean {
    const meter = this.#meters[number];
    if (meter === undefined) return true;
    if (meter.place >= 0 && this.#shared !== undefined) return passBucket(this.#shared, meter.place, size, process.hrtime.bigint());
    const counters = this.#counters;
    const at = number * METER.SIZE;
    counters[at + METER.packets]! += 1;
    counters[at + METER.bytes]! += size;
    const { rates, bursts, tokens } = meter;
    const elapsed = nowMs > meter.filledMs ? nowMs - meter.filledMs : 0;
    meter.filledMs = nowMs;
    const weight = meter.countsPackets ? UNITS_PER_PACKET : size * 8;
    let exceeded = -1;
    for (let i = 0; i < rates.length; i++) {
      const filled = Math.min(bursts[i]!, tokens[i]! + rates[i]! * elapsed);
      if (filled >= weight) {
        tokens[i] = filled - weight;
      } else {
        tokens[i] = filled;
        if (exceeded < 0 || rates[i]! > rates[exceeded]!) exceeded = i;
      }
    }
    if (exceeded < 0) return true;
    counters[at + METER.bands + exceeded * 2]! += 1;
    counters[at + METER.bands + exceeded * 2 + 1]! += size;
    return false;
  }
}
