import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, encodeText } from './byte-text.ts';

test('any bytes survive as text, alone and within other text', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), (bytes, around) => {
      assert.deepEqual(Buffer.from(encodeText(decodeText(bytes))), Buffer.from(bytes));
      assert.deepEqual(Buffer.from(encodeText(`${around}${decodeText(bytes)}`)), Buffer.concat([Buffer.from(around), bytes]));
    }),
  );
});

test('UTF-8 is what it is', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(decodeText(Buffer.from(text)), text)));
  assert.equal(decodeText(Uint8Array.of(0x61, 0xe4, 0xc3, 0xa4)), 'a\udce4ä');
});
