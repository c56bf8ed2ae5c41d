import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from './log.ts';
import { LogLimit } from './log-limit.ts';

test('a burst passes, then few a minute; what was dropped is told', () => {
  const lines: string[] = [];
  let isLimited = true;
  const take = (message: string | (() => string)): void => void lines.push(String(message));
  const log: Logger = { emer: take, err: take, warn: take, info: take, dbg: take, shows: () => true, isLimited: () => isLimited };
  const limit = new LogLimit(5, 5);
  for (let i = 0; i < 40; i++) limit.write(log, 'warn', `m${i}`, 1000 + i * 10);
  assert.deepEqual(lines.splice(0), ['m0', 'm1', 'm2', 'm3', 'm4']);
  limit.write(log, 'warn', 'later', 14_000);
  assert.deepEqual(lines.splice(0), [
    'Dropped 35 log messages in last 12 seconds (most recently, 12 seconds ago) due to excessive rate',
    'later',
  ]);
  limit.write(log, 'warn', 'too soon', 14_100);
  assert.deepEqual(lines, []);
  isLimited = false;
  limit.write(log, 'warn', 'all is told', 14_200);
  assert.deepEqual(lines, ['all is told']);
});
