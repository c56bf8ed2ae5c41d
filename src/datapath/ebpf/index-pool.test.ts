import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IndexPool } from './index-pool.ts';

test('each index is given out once, neighbours one after the other last', () => {
  for (const size of [1, 2, 7, 8, 100]) {
    const pool = new IndexPool(size);
    const taken = Array.from({ length: size }, () => pool.take()!);
    assert.equal(pool.take(), undefined);
    assert.deepEqual(
      taken.toSorted((a, b) => a - b),
      Array.from({ length: size }, (_, i) => i),
    );
    for (let i = 1; i < taken.length; i++) assert.ok(Math.abs(taken[i]! - taken[i - 1]!) > 1 || size < 4, `${taken}`);
  }
});
