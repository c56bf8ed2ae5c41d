// The meters that programs run: those of one band, as the kernel's own Open vSwitch has them too. Their buckets lie in a mapped map, so that
// frames that user space meters draw from the same one. All others are user space's, with the flows that name them.
import { type Memory, mapMemory, unmapMemory } from '../../host/ffi.ts';
import type { DpMeter, DpMeterStats } from '../datapath.ts';
import { clearBucket, fillBucket, readBucket } from '../userspace/meter-bucket.ts';
import { IndexPool } from './index-pool.ts';
import { MAX_KERNEL_METERS, METERS_SIZE } from './map-layout.ts';

export class KernelMeters {
  readonly #memory: Memory;
  readonly #words: BigUint64Array;
  readonly #places = new Map<number, number>();
  readonly #indices = new IndexPool(MAX_KERNEL_METERS);

  /** `fd` is the map of buckets. */
  constructor(fd: number) {
    this.#memory = mapMemory(METERS_SIZE, fd, true, 0);
    const { bytes } = this.#memory;
    this.#words = new BigUint64Array(bytes.buffer, bytes.byteOffset, METERS_SIZE / 8);
  }

  /** The place of a meter that programs run. */
  place(meter: number): number | undefined {
    return this.#places.get(meter);
  }

  /** Puts a meter in place, full and with its counters at zero; gives its place, or undefined when user space has to run it. */
  set(meter: number, { countsPackets, bands }: DpMeter): number | undefined {
    const [band] = bands;
    if (band === undefined || bands.length > 1 || band.rate < 1) {
      this.delete(meter);
      return undefined;
    }
    const place = this.#places.get(meter) ?? this.#indices.take();
    if (place === undefined) return undefined;
    this.#places.set(meter, place);
    fillBucket(this.#words, place, countsPackets, band.rate, band.burst);
    return place;
  }

  /** Tells whether programs ran it. */
  delete(meter: number): boolean {
    const place = this.#places.get(meter);
    if (place === undefined) return false;
    this.#places.delete(meter);
    clearBucket(this.#words, place);
    this.#indices.give(place);
    return true;
  }

  /** What was counted; undefined when programs do not run it. */
  stats(meter: number): DpMeterStats | undefined {
    const place = this.#places.get(meter);
    return place === undefined ? undefined : readBucket(this.#words, place);
  }

  close(): void {
    unmapMemory(this.#memory);
  }
}
