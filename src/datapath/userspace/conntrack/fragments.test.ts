// Any bytes may come as fragments: nothing is ever held that is not counted, never more than allowed, and a whole packet is what was sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extractKey } from '../../../flow/extract.ts';
import { newPacket } from '../../../netdev/packet.ts';
import { fold, sumBytes } from '../../../wire/checksum.ts';
import { newWalk } from '../walk.ts';
import { assemble, Fragments, isFragment } from './fragments.ts';

const walk = newWalk(newPacket());

function load(frame: Uint8Array): void {
  walk.packet.point(walk.packet.bytes, 0, 128, frame.length);
  walk.packet.bytes.set(frame, 128);
  walk.layout = extractKey(walk.packet.bytes, 128, frame.length, walk.key);
}

const held = (fragments: Fragments): number => [...fragments.list()].reduce((sum, { count }) => sum + count, 0);

/** An IPv4 fragment of a UDP packet. */
function fragment(id: number, data: Uint8Array, from: number, hasMore: boolean): Uint8Array {
  const frame = new Uint8Array(34 + data.length);
  const view = new DataView(frame.buffer);
  view.setUint16(12, 0x0800);
  frame.set([0x45, 0], 14);
  view.setUint16(16, 20 + data.length);
  view.setUint16(18, id);
  view.setUint16(20, (hasMore ? 0x2000 : 0) | (from >> 3));
  frame.set([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 22);
  view.setUint16(24, ~fold(sumBytes(frame, 14, 20)) & 0xffff);
  frame.set(data, 34);
  return frame;
}

test('any bytes: no more is held than is counted and allowed, and all of it ends', () => {
  const fragments = new Fragments(1);
  fragments.ipv4.minSize = 0;
  fragments.ipv6.minSize = 0;
  fragments.most = 20;
  let now = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 120 }), fc.constantFrom(0x0800, 0x86dd), fc.nat(0xffff), (bytes, type, word) => {
      const frame = new Uint8Array(14 + bytes.length);
      frame.set(bytes, 14);
      const view = new DataView(frame.buffer);
      view.setUint16(12, type);
      if (type === 0x0800 && bytes.length >= 20) {
        frame[14] = 0x45;
        view.setUint16(16, bytes.length);
        view.setUint16(20, word);
        view.setUint16(24, 0);
        view.setUint16(24, ~fold(sumBytes(frame, 14, 20)) & 0xffff);
      } else if (bytes.length >= 60) {
        frame[20] = word % 3 === 0 ? 0 : 44;
        view.setUint16(18, bytes.length - 40);
      }
      load(frame);
      if (!isFragment(walk.key)) return;
      now += 100;
      fragments.expire(now);
      const parts = fragments.take(walk, 1, now);
      if (parts !== undefined && parts !== 'held') assemble(parts, newWalk(newPacket()));
      assert.ok(fragments.count <= 20);
      assert.equal(held(fragments), fragments.count);
    }),
    { numRuns: 3000 },
  );
  fragments.tick(now + 25_001);
  assert.equal(fragments.count, 0);
});

test('a packet is whole again, in whatever order its fragments come, up to the longest there is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 9, max: 65_515 }),
      fc.array(fc.nat(8000), { maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      (size, cuts, order) => {
        const fragments = new Fragments(0);
        fragments.ipv4.minSize = 0;
        const data = Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 8));
        const places = [...new Set([0, ...cuts.map((cut) => (cut % Math.ceil(size / 8)) * 8)])].sort((a, b) => a - b);
        const pieces = places.map((from, i) => fragment(7, data.subarray(from, places[i + 1] ?? size), from, i < places.length - 1));
        // One alone is no fragment.
        if (pieces.length === 1) return;
        while (pieces.length > 0) {
          const [frame] = pieces.splice(order.next().value % pieces.length, 1);
          load(frame!);
          assert.ok(isFragment(walk.key));
          const parts = fragments.take(walk, 1, 0);
          if (pieces.length > 0) {
            assert.equal(parts, 'held');
            continue;
          }
          assert.ok(Array.isArray(parts));
          const whole = newWalk(newPacket());
          assemble(parts, whole);
          const { bytes, start, length } = whole.packet;
          assert.deepEqual(bytes.subarray(start + 34, start + length), data);
          assert.equal(fold(sumBytes(bytes, start + 14, 20)), 0xffff);
          assert.equal(fragments.count, 0);
        }
      },
    ),
  );
});
