import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from './log.ts';
import { LogLimit } from './log-limit.ts';

test('a burst passes, then few a minute; what was dropped is told', () => {
  const lines: string[] = [];
  const take = (message: string | (() => string)): void => void lines.push(String(message));
  let now: number | undefined = 0;
  const log: Logger = { emer: take, err: take, warn: take, info: take, dbg: take, shows: () => true, limitClock: () => now };
  const limit = new LogLimit(5, 5);
  for (let i = 0; i < 40; i++) {
    now = 1000 + i * 10;
    limit.write(log, 'warn', `m${i}`);
  }
  assert.deepEqual(lines.splice(0), ['m0', 'm1', 'm2', 'm3', 'm4']);
  now = 14_000;
  limit.write(log, 'warn', 'later');
  assert.deepEqual(lines.splice(0), [
    'Dropped 35 log messages in last 12 seconds (most recently, 12 seconds ago) due to excessive rate',
    'later',
  ]);
  now = 14_100;
  limit.write(log, 'warn', 'too soon');
  assert.deepEqual(lines, []);
  // Where the user wants all, all is written.
  now = undefined;
  for (let i = 0; i < 9; i++) limit.write(log, 'warn', () => 'all');
  assert.equal(lines.length, 9);
});
