import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { PacketInLimiter } from './connection-rate-limit.ts';

test('without a limit everything passes at once', () => {
  const sent: number[] = [];
  const limiter = new PacketInLimiter<number>(new VirtualClock(), 0, 0, (n) => sent.push(n));
  for (let i = 0; i < 1000; i++) limiter.push(1, i);
  assert.equal(sent.length, 1000);
});

test('the burst passes, the rest waits and a full queue drops from the longest', () => {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const limiter = new PacketInLimiter<string>(clock, 100, 25, (s) => sent.push(s));
  for (let i = 0; i < 60; i++) limiter.push(1, `a${i}`);
  assert.equal(sent.length, 25);
  assert.deepEqual(limiter.counters, { bypassed: 25, queued: 35, dropped: 10, backlog: 25 });
  limiter.push(2, 'b0');
  assert.deepEqual(limiter.counters, { bypassed: 25, queued: 36, dropped: 11, backlog: 25 });
  clock.advance(20);
  assert.deepEqual(sent.slice(25), ['a25', 'b0']);
  clock.advance(230);
  assert.equal(limiter.counters.backlog, 0);
  clock.advance(10_000);
  assert.equal(sent.length, 50);
});

test('nothing is lost unaccounted', () => {
  const clock = new VirtualClock();
  let sent = 0;
  const limiter = new PacketInLimiter<number>(clock, 100, 25, () => sent++);
  let pushed = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < (round * 7) % 40; i++) {
      limiter.push(i % 5, i);
      pushed++;
    }
    clock.advance((round * 13) % 90);
    assert.equal(pushed, sent + limiter.counters.dropped + limiter.counters.backlog);
  }
});
