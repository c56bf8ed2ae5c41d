import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Framing } from './framing.ts';

const message = (xid: number, size: number): Uint8Array => {
  const bytes = new Uint8Array(size).fill(xid);
  bytes.set([1, 2, size >> 8, size & 0xff, 0, 0, 0, xid]);
  return bytes;
};

test('messages stay what they were though the buffer they came in is read over', () => {
  const framing = new Framing();
  const buffer = Buffer.alloc(40);
  const got: Uint8Array[] = [];
  const read = (...parts: Uint8Array[]): void => {
    const whole = Buffer.concat(parts);
    buffer.fill(0xee);
    whole.copy(buffer);
    framing.push(buffer.subarray(0, whole.length), (one) => got.push(one));
  };
  read(message(1, 12), message(2, 8), message(3, 16).subarray(0, 5));
  read(message(3, 16).subarray(5), message(4, 9));
  buffer.fill(0xee);
  assert.deepEqual(
    got.map((bytes) => [...bytes]),
    [message(1, 12), message(2, 8), message(3, 16), message(4, 9)].map((bytes) => [...bytes]),
  );
});
