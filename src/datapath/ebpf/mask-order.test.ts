import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthReordering } from './mask-order.ts';

test('a new order of masks is made for much traffic on the wrong side only', () => {
  assert.equal(isWorthReordering([]), false);
  assert.equal(isWorthReordering([5000]), false);
  assert.equal(isWorthReordering([0, 0, 0, 900]), false, 'hardly any traffic');
  assert.equal(isWorthReordering([0, 0, 0, 5000]), true);
  assert.equal(isWorthReordering([5000, 4000, 3000]), false, 'as good as can be');
  assert.equal(isWorthReordering([4900, 5000, 4950]), false, 'masks that are used alike change places all the time');
});
