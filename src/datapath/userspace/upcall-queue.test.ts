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

test('misses come out whole and in order of each port, batch by batch, in memory that is used again', () => {
  const queue = new UpcallQueue(1 << 20);
  const seen: (readonly [number, number, string])[] = [];
  const wanted: typeof seen = [];
  const of = (all: typeof seen, port: number) => all.filter((one) => one[0] === port);
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
  for (const port of [1, 2]) assert.deepEqual(of(seen, port), of(wanted, port));
});

test('keys come out whole, long and short ones in the same memory', () => {
  const queue = new UpcallQueue(1 << 16);
  const packet = newPacket();
  packet.point(packet.bytes, 0, 128, 60);
  for (const words of [[], [W.DP_END - 1], [W.NW_DST], [W.TUN_ID, W.NSH], [0]]) {
    const key = newKey();
    for (const word of words) key[word] = 0xffff0000 + word;
    assert.ok(queue.put('miss', packet, key, undefined));
    const [upcall] = queue.drain(1);
    assert.deepEqual([...upcall!.key], [...key]);
  }
});

test('a port that floods takes no more of a batch than others that wait, and each port keeps its order', () => {
  const queue = new UpcallQueue(1 << 20);
  let seed = 1;
  const chance = (most: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % most;
  };
  const sent = [0, 0, 0, 0, 0];
  const came = [0, 0, 0, 0, 0];
  const take = (most: number): number[] => queue.drain(most).map(({ key }) => key[W.IN_PORT]! * 65_536 + key[W.NW_DST]!);
  for (let round = 0; round < 120; round++) {
    // Port 1 floods, up to its share; the others now and then send a few.
    while (put(queue, 1, sent[1]!, 60 + chance(200))) sent[1]!++;
    for (let port = 2; port <= 4; port++) {
      for (let i = chance(4); i > 0; i--) assert.ok(put(queue, port, sent[port]!++, 60 + chance(200)), 'others have room');
    }
    const batch = take(round % 3 === 0 ? 12 : 40);
    assert.ok(batch.length >= 12);
    for (const one of batch) assert.equal(one % 65_536, came[one >> 16]!++, `port ${one >> 16}`);
    for (let port = 2; port <= 4; port++) assert.equal(came[port], sent[port], `round ${round}: all that waited of port ${port} came`);
  }
  while (!queue.isEmpty) for (const one of take(64)) assert.equal(one % 65_536, came[one >> 16]!++);
  assert.deepEqual(came, sent);
  assert.equal(queue.read, queue.written);
});

test('frames of flows that there are have room where new flows have none left, up to a share of their own', () => {
  const queue = new UpcallQueue(1 << 20);
  const packet = newPacket();
  packet.point(packet.bytes, 0, 128, 60);
  const add = (hasFlow: boolean): boolean => queue.put('miss', packet, keyOf(1, 1), undefined, hasFlow);
  let fresh = 0;
  while (add(false)) fresh++;
  let known = 0;
  while (add(true)) known++;
  assert.ok(fresh > 50);
  assert.ok(known > fresh, `${known} beside ${fresh}`);
  assert.ok(put(queue, 2, 1), 'others have room');
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
