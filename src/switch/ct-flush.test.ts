import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flushRequest } from './ct-flush.ts';

const mapped = (...ip: number[]): Uint8Array => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...ip]);

test('what is to be forgotten, in the tracker’s words', () => {
  assert.deepEqual(flushRequest({ kind: 'ctFlushZone', zone: 5 }).filter, { zone: 5, original: undefined, reply: undefined });
  assert.deepEqual(flushRequest({ kind: 'ctFlush', proto: 0, zone: undefined, original: {}, reply: {} }).filter, {
    zone: undefined,
    original: undefined,
    reply: undefined,
  });
  const v6 = Uint8Array.from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(
    flushRequest({ kind: 'ctFlush', proto: 17, zone: 6, original: { src: mapped(10, 0, 0, 1), srcPort: 7 }, reply: { dst: v6 } }).filter,
    {
      zone: 6,
      original: { source: [0, 0, 0, 0x0a000001], sourcePort: 7, proto: 17 },
      reply: { destination: [0x20010db8, 0, 0, 1], proto: 17 },
    },
  );
});
