import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, setLogSink } from './log.ts';
import { LogLimit, limitedLogger } from './log-limit.ts';

test('a burst passes, then few a minute; what was dropped is told', () => {
  const lines: string[] = [];
  const take = (message: string | (() => string)): void => void lines.push(String(message));
  // A clock that has run for long: nothing has gathered before the first message.
  const start = 1_000_000;
  let now: number | undefined = start;
  const log: Logger = { emer: take, err: take, warn: take, info: take, dbg: take, shows: () => true, limitClock: () => now };
  const limit = new LogLimit(5, 5);
  for (let i = 0; i < 40; i++) {
    now = start + 1000 + i * 10;
    limit.write(log, 'warn', `m${i}`);
  }
  assert.deepEqual(lines.splice(0), ['m0', 'm1', 'm2', 'm3', 'm4']);
  now = start + 14_000;
  limit.write(log, 'warn', 'later');
  assert.deepEqual(lines.splice(0), [
    'Dropped 35 log messages in last 12 seconds (most recently, 12 seconds ago) due to excessive rate',
    'later',
  ]);
  now = start + 14_100;
  limit.write(log, 'warn', 'too soon');
  assert.deepEqual(lines, []);
  // The rest of a burst stays, and what has gathered meanwhile comes on top of it when that is used up.
  now = start + 100_000;
  for (let i = 0; i < 3; i++) limit.write(log, 'warn', `n${i}`);
  now = start + 200_000;
  for (let i = 0; i < 9; i++) limit.write(log, 'warn', `o${i}`);
  assert.deepEqual(lines.splice(0).slice(1), ['n0', 'n1', 'n2', 'o0', 'o1', 'o2', 'o3', 'o4', 'o5', 'o6']);
  // Where the user wants all, all is written.
  now = undefined;
  for (let i = 0; i < 9; i++) limit.write(log, 'warn', () => 'all');
  assert.equal(lines.length, 9);
});

test('limited loggers of several modules can share a limit', () => {
  const lines: string[] = [];
  const before = setLogSink({
    shows: () => true,
    write: ({ module, message }) => void lines.push(`${module}|${message}`),
    limitClock: () => 0,
  });
  try {
    const shared = new LogLimit(1, 2);
    const [a, b, alone] = [limitedLogger('a', shared), limitedLogger('b', shared), limitedLogger('a')];
    for (let i = 0; i < 3; i++) for (const log of [a, b]) log.warn(`m${i}`);
    for (let i = 0; i < 9; i++) alone.info(() => `n${i}`);
    assert.deepEqual(lines, ['a|m0', 'b|m0', 'a|n0', 'a|n1', 'a|n2', 'a|n3', 'a|n4']);
    assert.equal(alone.admits('warn'), false);
  } finally {
    setLogSink(before);
  }
});
