import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha1 } from './sha1.ts';

test('SHA-1 is what node:crypto makes of it', () => {
  const isRight = (bytes: Uint8Array): void => assert.equal(sha1(bytes), createHash('sha1').update(bytes).digest('hex'));
  for (let length = 0; length < 200; length++) isRight(new Uint8Array(length).fill(length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), isRight));
});
