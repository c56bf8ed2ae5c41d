import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, fold, shiftCrc32c, sumBytes, updateChecksum, updatePartialSum } from './checksum.ts';

const plain = (bytes: Uint8Array): number => {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return fold(total);
};

test('the fast sum is the plain sum, at any place and length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(9), fc.nat(0xffff), (bytes, at, start) => {
      const whole = new Uint8Array(at + bytes.length + 3).fill(0xaa);
      whole.set(bytes, at);
      assert.equal(sumBytes(whole, at, bytes.length, start) % 0xffff, fold(plain(bytes) + start) % 0xffff);
    }),
  );
});

test('an incremental update is a recomputation', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(9), fc.nat(0xffff), (bytes, index, after) => {
      fc.pre(bytes.some((b, i) => b !== 0 && i >> 1 !== index));
      const before = (bytes[index * 2]! << 8) | bytes[index * 2 + 1]!;
      const checksum = ~plain(bytes) & 0xffff;
      const sum = plain(bytes);
      bytes[index * 2] = after >> 8;
      bytes[index * 2 + 1] = after;
      assert.equal(updateChecksum(checksum, before, after), ~plain(bytes) & 0xffff);
      assert.equal(updatePartialSum(sum, before, after), plain(bytes));
    }),
  );
});

test('CRC-32c of RFC 3720 appendix B.4', () => {
  assert.equal(crc32c(new Uint8Array(32), 0, 32), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff), 0, 32), 0x62a8ab43);
});

test('the difference of two CRC-32c follows from the changed word and its distance to the end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 3000 }), fc.nat(), fc.integer(), (bytes, place, change) => {
      const at = place % (bytes.length - 3);
      const before = crc32c(bytes, 0, bytes.length);
      for (let i = 0; i < 4; i++) bytes[at + i]! ^= change >>> (8 * i);
      assert.equal((before ^ shiftCrc32c(change, bytes.length - at)) >>> 0, crc32c(bytes, 0, bytes.length));
    }),
  );
});
