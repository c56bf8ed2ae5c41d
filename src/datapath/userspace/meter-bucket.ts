// A meter that a program in the kernel and user space share: memory that both change atomically, without a lock. Each band is a bucket that
// names the next; a frame takes from each what it weighs, and where several lack it, the last of them drops and counts it. So bands stand
// by ascending rate.
//
// A bucket is a token bucket written as one number (the generic cell rate algorithm): `full` is when the bucket will be full again if nothing more
// comes. A frame moves it on by what it weighs, and passes if it is then no farther ahead than the bucket is deep. Times are the monotonic
// clock's nanoseconds times 16, weights 65,536ths of that, so that neither side needs to divide.

import { MAX_BANDS } from './shared-state.ts';

/** Offsets of the 64-bit words of a bucket. */
export const BUCKET = {
  full: 0,
  depth: 8,
  perByte: 16,
  perPacket: 24,
  packets: 32,
  bytes: 40,
  droppedPackets: 48,
  droppedBytes: 56,
  /** The place of the meter's next band, plus 1; 0 = none. */
  next: 64,
  size: 72,
} as const;
/** Of a nanosecond in times; and how far weights are shifted to be times. */
export const TICKS_PER_NS = 16;
export const WEIGHT_SHIFT = 16;
/** Another's change makes one try again; who is late so often lets the frame pass. */
export const TRIES = 4;

const WORDS = BUCKET.size / 8;
const TICKS_PER_MS = TICKS_PER_NS * 1_000_000;
const DEEPEST = 1n << 62n;
const NONE = 0n;
const at = (place: number, offset: number): number => place * WORDS + offset / 8;

/** Makes the bucket of a band that lets `rate` kilobits or packets a second pass and `burst` of them at once; counters at zero. */
export function fillBucket(
  words: BigUint64Array,
  place: number,
  countsPackets: boolean,
  rate: number,
  burst: number,
  next: number | undefined = undefined,
): void {
  // A kilobit a second is a bit a millisecond, a packet a second the thousandth of one.
  const ticks = TICKS_PER_MS / rate;
  const weight = BigInt(Math.round(ticks * (countsPackets ? 1000 : 8) * 2 ** WEIGHT_SHIFT));
  const depth = BigInt(Math.round(Math.min(ticks * burst * 1000, 2 ** 62)));
  clearBucket(words, place);
  words[at(place, BUCKET.depth)] = depth > DEEPEST ? DEEPEST : depth;
  words[at(place, countsPackets ? BUCKET.perPacket : BUCKET.perByte)] = weight;
  words[at(place, BUCKET.next)] = next === undefined ? NONE : BigInt(next + 1);
}

/** Makes a bucket that lets everything pass. */
export function clearBucket(words: BigUint64Array, place: number): void {
  for (let i = 0; i < WORDS; i++) Atomics.store(words, place * WORDS + i, NONE);
}

/** Whether a frame of `size` bytes may pass the meter whose first band has that place, at `nowNs`; counts it. */
export function passBucket(words: BigUint64Array, place: number, size: number, nowNs: bigint): boolean {
  const bytes = BigInt(size);
  Atomics.add(words, at(place, BUCKET.packets), 1n);
  Atomics.add(words, at(place, BUCKET.bytes), bytes);
  const now = nowNs * BigInt(TICKS_PER_NS);
  let exceeded = -1;
  for (let band = place, i = 0; band >= 0 && i < MAX_BANDS; i++) {
    if (!take(words, band, bytes, now)) exceeded = band;
    band = Number(words[at(band, BUCKET.next)]!) - 1;
  }
  if (exceeded < 0) return true;
  Atomics.add(words, at(exceeded, BUCKET.droppedPackets), 1n);
  Atomics.add(words, at(exceeded, BUCKET.droppedBytes), bytes);
  return false;
}

/** Takes what a frame weighs from one bucket; false when it has not as much. */
function take(words: BigUint64Array, place: number, bytes: bigint, now: bigint): boolean {
  const weight = (words[at(place, BUCKET.perByte)]! * bytes + words[at(place, BUCKET.perPacket)]!) >> BigInt(WEIGHT_SHIFT);
  const depth = words[at(place, BUCKET.depth)]!;
  for (let i = 0; i < TRIES; i++) {
    const before = Atomics.load(words, at(place, BUCKET.full));
    const after = (before > now ? before : now) + weight;
    if (after - now > depth) return false;
    if (Atomics.compareExchange(words, at(place, BUCKET.full), before, after) === before) return true;
  }
  return true;
}

/** What a meter counted: frames that came, and those that each of its bands dropped; by the places of the bands, the first of the chain among them. */
export function readMeter(words: BigUint64Array, first: number, places: readonly number[]) {
  const read = (place: number, offset: number): bigint => Atomics.load(words, at(place, offset));
  return {
    packets: read(first, BUCKET.packets),
    bytes: read(first, BUCKET.bytes),
    bands: places.map((place) => ({ packets: read(place, BUCKET.droppedPackets), bytes: read(place, BUCKET.droppedBytes) })),
  };
}
