// The shared bucket against the token bucket of `meters.ts` on the same frames, and its bound whatever comes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BUCKET, clearBucket, fillBucket, passBucket, readMeter } from './meter-bucket.ts';
import { Meters } from './meters.ts';
import { METER } from './shared-state.ts';

const words = (): BigUint64Array => new BigUint64Array((8 * BUCKET.size) / 8);

test('the burst at once, then the rate; packets and kilobits', () => {
  const w = words();
  fillBucket(w, 1, true, 100, 20);
  let passed = 0;
  for (let i = 0; i < 1000; i++) if (passBucket(w, 1, 1500, 5n)) passed++;
  assert.equal(passed, 20);
  for (let ms = 1n; ms <= 10_000n; ms++) for (let i = 0; i < 3; i++) if (passBucket(w, 1, 64, 5n + ms * 1_000_000n)) passed++;
  assert.equal(passed, 20 + 1000);
  assert.deepEqual(readMeter(w, 1, [1]).packets, 31_000n);
  assert.deepEqual(readMeter(w, 1, [1]).bands[0]?.packets, 31_000n - 1020n);
  fillBucket(w, 1, false, 800, 80);
  let bytes = 0;
  for (let ms = 0n; ms < 5000n; ms++) if (passBucket(w, 1, 1000, ms * 1_000_000n)) bytes += 1000;
  assert.ok(Math.abs(bytes - 510_000) <= 1000, `${bytes} bytes`);
  clearBucket(w, 1);
  assert.ok(passBucket(w, 1, 9000, 0n), 'no meter lets pass');
  assert.deepEqual(
    [...w.subarray(0, 9)],
    Array.from({ length: 9 }, () => 0n),
    'its neighbour is untouched',
  );
});

test('it passes what the token bucket passes', () => {
  const frames = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 50 }), size: fc.integer({ min: 60, max: 66_000 }) }), {
    minLength: 1,
    maxLength: 300,
  });
  fc.assert(
    fc.property(
      frames,
      fc.integer({ min: 1, max: 40_000_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.boolean(),
      (list, rate, burst, countsPackets) => {
        const w = words();
        fillBucket(w, 0, countsPackets, rate, burst);
        const counters = new Float64Array(METER.SIZE);
        const meters = new Meters(counters);
        meters.set(0, { countsPackets, bands: [{ rate, burst }] }, 0);
        let now = 0;
        let units = 0;
        let slack = 0;
        for (const { gapMs, size } of list) {
          now += gapMs;
          const isPassed = passBucket(w, 0, size, BigInt(now) * 1_000_000n);
          if (isPassed) units += countsPackets ? 1000 : size * 8;
          // Roundings of times may tip one frame, after which the two are out of step.
          if (isPassed !== meters.pass(0, size, now)) slack = countsPackets ? 1000 : 66_000 * 8;
        }
        const { packets, bytes, bands } = readMeter(w, 0, [0]);
        assert.deepEqual([packets, bytes], [BigInt(list.length), BigInt(list.reduce((sum, { size }) => sum + size, 0))]);
        assert.ok(units <= (burst * 1000 + rate * now) * 1.001 + 1);
        const passedByTokens = countsPackets
          ? 1000 * (list.length - counters[METER.bands]!)
          : 8 * (counters[METER.bytes]! - counters[METER.bands + 1]!);
        assert.ok(Math.abs(passedByTokens - units) <= slack, `${passedByTokens} and ${units}, ${bands[0]?.packets} dropped`);
      },
    ),
  );
});

test('several bands: each frame takes from those that have as much, and the highest rate that it exceeds drops it', () => {
  // Rates that times divide by, so that both count the same to the last frame.
  const band = fc.record({ rate: fc.constantFrom(1, 2, 4, 5, 8, 10, 20, 25, 40, 100), burst: fc.integer({ min: 1, max: 60 }) });
  const frames = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 80 }), size: fc.integer({ min: 60, max: 2000 }) }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(frames, fc.array(band, { minLength: 1, maxLength: 8 }), fc.boolean(), (list, bands, countsPackets) => {
      const w = words();
      const order = bands.map((_, i) => i).sort((a, b) => bands[a]!.rate - bands[b]!.rate || b - a);
      for (const [i, place] of order.entries()) {
        const { rate, burst } = bands[place]!;
        fillBucket(w, place, countsPackets, rate, burst, order[i + 1]);
      }
      const counters = new Float64Array(METER.SIZE);
      const meters = new Meters(counters);
      meters.set(0, { countsPackets, bands }, 0);
      let now = 0;
      for (const { gapMs, size } of list) {
        now += gapMs;
        assert.equal(passBucket(w, order[0]!, size, BigInt(now) * 1_000_000n), meters.pass(0, size, now));
      }
      const read = readMeter(w, order[0]!, bands.keys().toArray());
      assert.deepEqual([read.packets, read.bytes, ...read.bands.flatMap(({ packets, bytes }) => [packets, bytes])].map(Number), [
        ...counters.subarray(0, METER.bands + 2 * bands.length),
      ]);
    }),
  );
});
