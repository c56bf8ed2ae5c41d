// A meter of one band that a program in the kernel and user space share: memory that both change atomically, without a lock.
//
// It is a token bucket written as one number (the generic cell rate algorithm): `full` is when the bucket will be full again if nothing more
// comes. A frame moves it on by what it weighs, and passes if it is then no farther ahead than the bucket is deep. Times are the monotonic
// clock's nanoseconds times 16, weights 65,536ths of that, so that neither side needs to divide.

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
  size: 64,
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
export function fillBucket(words: BigUint64Array, place: number, countsPackets: boolean, rate: number, burst: number): void {
  // A kilobit a second is a bit a millisecond, a packet a second the thousandth of one.
  const ticks = TICKS_PER_MS / rate;
  const weight = BigInt(Math.round(ticks * (countsPackets ? 1000 : 8) * 2 ** WEIGHT_SHIFT));
  const depth = BigInt(Math.round(Math.min(ticks * burst * 1000, 2 ** 62)));
  clearBucket(words, place);
  words[at(place, BUCKET.depth)] = depth > DEEPEST ? DEEPEST : depth;
  words[at(place, countsPackets ? BUCKET.perPacket : BUCKET.perByte)] = weight;
}

/** Makes a bucket that lets everything pass. */
export function clearBucket(words: BigUint64Array, place: number): void {
  for (let i = 0; i < WORDS; i++) Atomics.store(words, place * WORDS + i, NONE);
}

/** Whether a frame of `size` bytes may pass at `nowNs`; counts it. */
export function passBucket(words: BigUint64Array, place: number, size: number, nowNs: bigint): boolean {
  const bytes = BigInt(size);
  Atomics.add(words, at(place, BUCKET.packets), 1n);
  Atomics.add(words, at(place, BUCKET.bytes), bytes);
  const weight = (words[at(place, BUCKET.perByte)]! * bytes + words[at(place, BUCKET.perPacket)]!) >> BigInt(WEIGHT_SHIFT);
  const depth = words[at(place, BUCKET.depth)]!;
  const now = nowNs * BigInt(TICKS_PER_NS);
  for (let i = 0; i < TRIES; i++) {
    const before = Atomics.load(words, at(place, BUCKET.full));
    const after = (before > now ? before : now) + weight;
    if (after - now > depth) {
      Atomics.add(words, at(place, BUCKET.droppedPackets), 1n);
      Atomics.add(words, at(place, BUCKET.droppedBytes), bytes);
      return false;
    }
    if (Atomics.compareExchange(words, at(place, BUCKET.full), before, after) === before) return true;
  }
  return true;
}

/** What a bucket counted: frames that came, and those that it dropped. */
export function readBucket(words: BigUint64Array, place: number) {
  const read = (offset: number): bigint => Atomics.load(words, at(place, offset));
  return {
    packets: read(BUCKET.packets),
    bytes: read(BUCKET.bytes),
    bands: [{ packets: read(BUCKET.droppedPackets), bytes: read(BUCKET.droppedBytes) }],
  };
}
