import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Moderation } from './moderation.ts';

/** Takes frames of `bytes` each `everyMs` for a while; gives the time of the last. */
function stream(moderation: Moderation, fromMs: number, bytes: number, everyMs: number): number {
  let now = fromMs;
  for (let i = 0; i < 200; i++, now += everyMs) moderation.took(bytes, now);
  return now - everyMs;
}

test('rests while much comes', () => {
  const moderation = new Moderation();
  assert.equal(moderation.isToRest(0), false);
  const last = stream(moderation, 1000, 65536, 0.05);
  assert.equal(moderation.isToRest(last + 0.03), true);
});

test('frames wake it when few come, small ones, or one at a time', () => {
  for (const [bytes, everyMs] of [
    [65536, 1],
    [64, 0.001],
    [1500, 0.05],
  ] as const) {
    const moderation = new Moderation();
    const last = stream(moderation, 1000, bytes, everyMs);
    assert.equal(moderation.isToRest(last + 0.03), false, `${bytes} bytes each ${everyMs} ms`);
  }
});

test('frames wake it again soon after the last of many', () => {
  const moderation = new Moderation();
  const last = stream(moderation, 1000, 65536, 0.05);
  assert.equal(moderation.isToRest(last + 0.2), false);
  assert.equal(moderation.isToRest(last + 0.01), false, 'and goes on being woken');
  moderation.took(65536, last + 100);
  assert.equal(moderation.isToRest(last + 100.03), false, 'one more is not many');
});

test('rests no more for a while where most rests are in vain', () => {
  const moderation = new Moderation();
  let now = stream(moderation, 1000, 65536, 0.05);
  let rests = 0;
  for (let i = 0; i < 100; i++) {
    // Three looks for each frame.
    for (let look = 0; look < 3; look++, now += 0.04) if (moderation.isToRest(now)) rests++;
    moderation.took(65536, now);
  }
  assert.ok(rests > 3 && rests < 40, `${rests} rests`);
  const quick = new Moderation();
  let at = stream(quick, 1000, 65536, 0.05);
  let all = 0;
  for (let i = 0; i < 100; i++, at += 0.04) {
    if (quick.isToRest(at)) all++;
    quick.took(65536, at + 0.03);
  }
  assert.equal(all, 100);
});
