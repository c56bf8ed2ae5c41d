import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordPool } from './record-pool.ts';

test('no two records share a place, pairs begin at even ones, and none is left out', (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const step = fc.record({ isPair: fc.boolean(), gives: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const pool = new RecordPool(16);
      const taken: { place: number; isPair: boolean }[] = [];
      const wasSingle = new Set<number>();
      for (const { isPair, gives } of steps) {
        now += 1000;
        if (gives) {
          const one = taken.shift();
          if (one !== undefined) pool.give(one.place, one.isPair);
          continue;
        }
        const place = pool.take(isPair);
        const free = 16 - taken.reduce((sum, one) => sum + (one.isPair ? 2 : 1), 0);
        if (place === undefined) {
          // Single ones are refused only when there is none; pairs also where only single ones are left.
          assert.ok(isPair || free === 0, `${free} are free`);
          continue;
        }
        const places = isPair ? [place, place + 1] : [place];
        assert.ok(places.every((at) => at >= 0 && at < 16));
        assert.ok(!taken.some((one) => places.some((at) => at === one.place || (one.isPair && at === one.place + 1))));
        if (isPair) {
          assert.equal(place % 2, 0);
          assert.ok(!wasSingle.has(place + 1), 'the second half was a record of its own');
        } else {
          wasSingle.add(place);
        }
        taken.push({ place, isPair });
      }
    }),
  );
});
