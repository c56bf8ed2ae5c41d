// Rates of meters on a simulated clock: what passes in the long run is the rate, what passes at once is the burst, and every frame is
// either passed or counted by one band.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Meters } from './meters.ts';
import { METER } from './shared-state.ts';

const meters = () => {
  const counters = new Float64Array(4 * METER.SIZE);
  return { counters, meters: new Meters(counters) };
};

test('packets a second: the burst at once, then the rate', () => {
  const { meters: m } = meters();
  m.set(0, { countsPackets: true, bands: [{ rate: 100, burst: 20 }] }, 0);
  let passed = 0;
  for (let i = 0; i < 1000; i++) if (m.pass(0, 1500, 0)) passed++;
  assert.equal(passed, 20);
  for (let ms = 1; ms <= 10_000; ms++) for (let i = 0; i < 3; i++) if (m.pass(0, 64, ms)) passed++;
  assert.equal(passed, 20 + 1000);
});

test('kilobits a second: bytes count, and idle time gives no more than the burst', () => {
  const { meters: m } = meters();
  m.set(0, { countsPackets: false, bands: [{ rate: 800, burst: 80 }] }, 0);
  let bytes = 0;
  for (let ms = 0; ms < 5000; ms++) if (m.pass(0, 1000, ms)) bytes += 1000;
  // 80 kbit at once and 800 kbit/s for 5 seconds: 10,000 + 500,000 bytes.
  assert.ok(Math.abs(bytes - 510_000) <= 1000, `${bytes} bytes`);
  bytes = 0;
  for (let i = 0; i < 100; i++) if (m.pass(0, 1000, 1_000_000)) bytes += 1000;
  assert.equal(bytes, 10_000);
});

test('of several bands exceeded the fastest counts, and a frame that one band refuses is dropped', () => {
  const { counters, meters: m } = meters();
  const bands = [
    { rate: 10, burst: 10 },
    { rate: 30, burst: 30 },
  ];
  m.set(1, { countsPackets: true, bands }, 0);
  let passed = 0;
  for (let i = 0; i < 50; i++) if (m.pass(1, 100, 0)) passed++;
  assert.equal(passed, 10);
  const at = METER.SIZE;
  assert.deepEqual(
    [counters[at], counters[at + 1], counters[at + 2], counters[at + 3], counters[at + 4], counters[at + 5]],
    [50, 5000, 20, 2000, 20, 2000],
  );
  m.delete(1);
  assert.ok(m.pass(1, 100, 0), 'a meter that is not there lets pass');
});

test('whatever comes: passed + dropped = came, and never more than burst + rate * time passes', () => {
  const frames = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 50 }), size: fc.integer({ min: 60, max: 9000 }) }), {
    minLength: 1,
    maxLength: 300,
  });
  const band = fc.record({ rate: fc.integer({ min: 1, max: 1_000_000 }), burst: fc.integer({ min: 1, max: 10_000 }) });
  fc.assert(
    fc.property(frames, fc.array(band, { minLength: 1, maxLength: 8 }), fc.boolean(), (list, bands, countsPackets) => {
      const { counters, meters: m } = meters();
      m.set(0, { countsPackets, bands }, 0);
      let now = 0;
      let passed = 0;
      let units = 0;
      for (const { gapMs, size } of list) {
        now += gapMs;
        if (!m.pass(0, size, now)) continue;
        passed++;
        units += countsPackets ? 1000 : size * 8;
      }
      const dropped = bands.reduce((sum, _, i) => sum + counters[METER.bands + 2 * i]!, 0);
      assert.equal(passed + dropped, list.length);
      for (const { rate, burst } of bands) assert.ok(units <= burst * 1000 + rate * now);
    }),
  );
});
