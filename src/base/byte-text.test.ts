import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, encodeText, invalidUtf8 } from './byte-text.ts';

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

test('the first bytes that are no UTF-8 are named, up to the one that cannot follow', () => {
  for (const [bytes, want] of [
    [[0x61, 0xff], [0xff]],
    [[0xc1, 0x81], [0xc1]],
    [
      [0xed, 0xa0, 0x80],
      [0xed, 0xa0],
    ],
    [
      [0xf4, 0x90, 0x80, 0x80],
      [0xf4, 0x90],
    ],
    [
      [0xe2, 0x82],
      [0xe2, 0x82, 0],
    ],
  ] as const)
    assert.deepEqual([...(invalidUtf8(Uint8Array.from(bytes)) ?? [])], [...want]);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.equal(invalidUtf8(bytes) === undefined, isUtf8(bytes))));
});
