import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, W } from '../../flow/key.ts';
import { newPacket } from '../../netdev/packet.ts';
import { UpcallQueue } from './upcall-queue.ts';

const keyOf = (port: number, destination: number) => {
  const key = newKey();
  key[W.IN_PORT] = port;
  key[W.NW_DST] = destination;
  return key;
};

function put(queue: UpcallQueue, port: number, destination: number, length = 60): boolean {
  const packet = newPacket();
  packet.point(packet.bytes, 0, 128, length);
  packet.bytes.fill(destination, 128, 128 + length);
  return queue.put('miss', packet, keyOf(port, destination), undefined);
}

test('misses come out whole and in order, batch by batch, in memory that is used again', () => {
  const queue = new UpcallQueue(1 << 20);
  const seen: (readonly [number, number, string])[] = [];
  const wanted: typeof seen = [];
  // Lengths that differ, so that memory of one length does not pass for that of another; one is a super-segment.
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 7; i++) {
      const destination = 1 + round * 7 + i;
      const length = i === 3 ? 9000 : 60 + ((round + i) % 3) * 40;
      assert.ok(put(queue, 1 + (i % 2), destination, length));
      wanted.push([1 + (i % 2), destination, Buffer.alloc(length, destination).toString('hex')]);
    }
    for (let batch = queue.drain(3); batch.length > 0; batch = queue.drain(3)) {
      for (const { key, frame } of batch) seen.push([key[W.IN_PORT]!, key[W.NW_DST]!, Buffer.from(frame).toString('hex')]);
    }
  }
  assert.deepEqual(seen, wanted);
});

test('a miss is called refused exactly when it would be, and only where the kernel has every flow', () => {
  const queue = new UpcallQueue(1 << 18);
  let count = 0;
  for (; ; count++) {
    assert.equal(queue.refusesMiss(1, 60), false, 'the kernel may lack flows');
    queue.allInKernel = true;
    const isRefused = queue.refusesMiss(1, 60);
    queue.allInKernel = false;
    if (isRefused) break;
    assert.ok(put(queue, 1, count & 255));
  }
  assert.equal(put(queue, 1, 0), false);
  assert.ok(count > 20, `${count} queued`);
  queue.allInKernel = true;
  assert.equal(queue.refusesMiss(2, 60), false, 'another port has its own share');
  assert.equal(queue.hasRoomAgain(1), false);
  queue.allInKernel = false;
  assert.equal(queue.hasRoomAgain(1), true, 'nothing is refused');
  queue.allInKernel = true;
  assert.equal(queue.hasRoomAgain(2), true);
  queue.drain(1);
  assert.equal(queue.refusesMiss(1, 60), false);
  assert.equal(queue.hasRoomAgain(1), false, 'not for each single one');
  queue.drain(64);
  assert.equal(queue.hasRoomAgain(1), true);
  assert.equal(queue.refusesMiss(1, 60), false, 'there is room again');
});
