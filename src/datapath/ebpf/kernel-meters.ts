// The meters that programs run. Their buckets, one a band, lie in a mapped map, so that frames that user space meters draw from the same
// ones. Those that find no room, or that have a band without a rate, are user space's, with the flows that name them.
import { type Memory, mapMemory, unmapMemory } from '../../host/ffi.ts';
import type { DpMeter, DpMeterStats } from '../datapath.ts';
import { clearBucket, fillBucket, readMeter } from '../userspace/meter-bucket.ts';
import { MAX_BANDS } from '../userspace/shared-state.ts';
import { MAX_KERNEL_METERS, METERS_SIZE } from './compiler/map-layout.ts';
import { IndexPool } from './index-pool.ts';

/** Where a meter's chain of buckets begins, and which is whose band's. */
interface Placed {
  first: number;
  byBand: readonly number[];
}

export class KernelMeters {
  readonly #memory: Memory;
  readonly #words: BigUint64Array;
  readonly #meters = new Map<number, Placed>();
  readonly #indices = new IndexPool(MAX_KERNEL_METERS);

  /** `fd` is the map of buckets. */
  constructor(fd: number) {
    this.#memory = mapMemory(METERS_SIZE, fd, true, 0);
    const { bytes } = this.#memory;
    this.#words = new BigUint64Array(bytes.buffer, bytes.byteOffset, METERS_SIZE / 8);
  }

  /** The place of a meter that programs run. */
  place(meter: number): number | undefined {
    return this.#meters.get(meter)?.first;
  }

  /** Puts a meter in place, full and with its counters at zero; gives its place, or undefined when user space has to run it. */
  set(meter: number, { countsPackets, bands }: DpMeter): number | undefined {
    const isOurs = bands.length > 0 && bands.length <= MAX_BANDS && bands.every(({ rate }) => rate >= 1);
    const places = isOurs ? this.#placesFor(meter, bands.length) : undefined;
    if (places === undefined) {
      this.delete(meter);
      return undefined;
    }
    // The meter is known by its first place, which it keeps; there the lowest rate stands. Of equal rates the first band counts.
    const order = bands.map((_, i) => i).sort((a, b) => bands[a]!.rate - bands[b]!.rate || b - a);
    const byBand: number[] = [];
    for (const [i, band] of order.entries()) byBand[band] = places[i]!;
    // Until all is there, everything passes.
    clearBucket(this.#words, places[0]!);
    for (let i = order.length - 1; i >= 0; i--) {
      const { rate, burst } = bands[order[i]!]!;
      fillBucket(this.#words, places[i]!, countsPackets, rate, burst, places[i + 1]);
    }
    this.#meters.set(meter, { first: places[0]!, byBand });
    return places[0];
  }

  /** So many places, the one that the meter is known by first; undefined, and nothing taken, when there are not as many. */
  #placesFor(meter: number, count: number): number[] | undefined {
    const known = this.#meters.get(meter);
    const places = known === undefined ? [] : [known.first, ...known.byBand.filter((place) => place !== known.first)];
    for (const place of places.splice(count)) this.#give(place);
    while (places.length < count) {
      const place = this.#indices.take();
      if (place === undefined) {
        for (const one of places) this.#give(one);
        this.#meters.delete(meter);
        return undefined;
      }
      places.push(place);
    }
    return places;
  }

  #give(place: number): void {
    clearBucket(this.#words, place);
    this.#indices.give(place);
  }

  /** Tells whether programs ran it. */
  delete(meter: number): boolean {
    const known = this.#meters.get(meter);
    if (known === undefined) return false;
    this.#meters.delete(meter);
    for (const place of known.byBand) this.#give(place);
    return true;
  }

  /** What was counted; undefined when programs do not run it. */
  stats(meter: number): DpMeterStats | undefined {
    const known = this.#meters.get(meter);
    return known === undefined ? undefined : readMeter(this.#words, known.first, known.byBand);
  }

  close(): void {
    unmapMemory(this.#memory);
  }
}
