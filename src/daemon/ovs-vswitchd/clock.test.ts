import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { WarpClock } from './clock.ts';

test('a clock that stands still fires what is due at once, and the rest by warps', () => {
  const real = new VirtualClock();
  const clock = new WarpClock(real);
  const fired: string[] = [];
  clock.stop();
  clock.after(0, () => fired.push('now'));
  clock.after(1000, () => fired.push('later'));
  real.advance(5000);
  assert.deepEqual(fired, ['now']);
  clock.warp(999);
  assert.deepEqual(fired, ['now']);
  clock.warp(1);
  assert.deepEqual(fired, ['now', 'later']);
  assert.equal(clock.now(), Math.floor(clock.now()));
});
