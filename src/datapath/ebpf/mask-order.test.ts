import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleMask, isWorthReordering } from './mask-order.ts';

test('a new order of masks is made for much traffic on the wrong side only', () => {
  assert.equal(isWorthReordering([]), false);
  assert.equal(isWorthReordering([5000]), false);
  assert.equal(isWorthReordering([0, 0, 0, 900]), false, 'hardly any traffic');
  assert.equal(isWorthReordering([0, 0, 0, 5000]), true);
  assert.equal(isWorthReordering([5000, 4000, 3000]), false, 'as good as can be');
  assert.equal(isWorthReordering([4900, 5000, 4950]), false, 'masks that are used alike change places all the time');
});

test('the least used mask makes room, and those in use are not counted for each that wants some', () => {
  const masks = Array.from({ length: 48 }, (_, i) => ({ name: i, hits: i, hitsBefore: 100 * i, busyMs: 0, frames: 100 * i + 1 }));
  let counted = 0;
  const idle = (nowMs: number) =>
    idleMask(masks, nowMs, 5000, ({ frames }) => {
      counted++;
      return frames;
    });
  assert.equal(idle(4999), undefined);
  assert.equal(counted, 0, 'all are new');
  for (let i = 0; i < 1000; i++) assert.equal(idle(5000 + i), undefined);
  assert.equal(counted, 48);
  masks[7]!.frames = masks[7]!.hitsBefore;
  masks[9]!.frames = masks[9]!.hitsBefore;
  assert.equal(idle(9000), undefined, 'they were in use a moment ago');
  assert.equal(idle(10_000)!.name, 7);
  masks.splice(7, 1);
  assert.equal(idle(10_001)!.name, 9);
  assert.equal(counted, 48 + 7 + 1 + 1 + 1);
});
