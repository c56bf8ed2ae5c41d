import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { check, libc, mapMemory, opensslSha1, unmapMemory } from './ffi.ts';

test('a failing call becomes a KernelError with libc text', () => {
  assert.throws(() => check('socket', libc().socket(9999, 1, 0)), {
    name: 'KernelError',
    errno: 97,
    message: 'socket: Address family not supported by protocol',
  });
});

test('mapped memory is writable through its address', () => {
  const memory = mapMemory(4096);
  memory.bytes.set([1, 2, 3, 4]);
  libc().memmoveAt(memory.address + 8, memory.address, 4);
  assert.deepEqual([...memory.bytes.subarray(8, 12)], [1, 2, 3, 4]);
  unmapMemory(memory);
});

test("SHA-1 by the runtime's OpenSSL is what node:crypto makes of it", () => {
  for (const size of [0, 1, 55, 64, 5000, 70000]) {
    const bytes = Buffer.alloc(size, 'weft');
    assert.equal(opensslSha1(bytes), createHash('sha1').update(bytes).digest('hex'));
  }
});
