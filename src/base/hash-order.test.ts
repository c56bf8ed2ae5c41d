import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOrder, portOrder } from './hash-order.ts';

test('names stand in the order in which the reference numbers ports of one transaction', () => {
  assert.deepEqual(hashOrder(['br0', 'p1', 'p2', 'p3']), ['p2', 'p3', 'br0', 'p1']);
  const many = ['br1', 'a', 'b', 'c', 'd', 'e', 'f', 'g', ...Array.from({ length: 10 }, (_, i) => `p${i + 1}`)];
  const place = new Map(hashOrder(many).map((name, i) => [name, i]));
  assert.equal(place.size, many.length);
  // One of each chain, as Debian's ovs-vswitchd numbered them.
  const seen = ['a', 'd', 'f', 'p2', 'b', 'p9', 'p7', 'p3', 'p1', 'p10', 'p4'];
  for (let i = 1; i < seen.length; i++) assert.ok((place.get(seen[i - 1] ?? '') ?? 0) < (place.get(seen[i] ?? '') ?? 0), seen[i] ?? '');
});

test("ports stand in the order of the reference's replies", () => {
  const order = (...ports: number[]): number[] => portOrder(ports.map((port) => ({ port }))).map(({ port }) => port);
  assert.deepEqual(order(2, 3, 1, 65534), [65534, 1, 2, 3]);
  assert.deepEqual(order(1, 65534), [1, 65534]);
});
