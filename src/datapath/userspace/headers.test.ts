// The oracle law for rewriting: what the incremental update leaves is what computing from scratch gives, whole and partial alike.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extractKey, layoutL3, layoutL4 } from '../../flow/extract.ts';
import { newKey, W } from '../../flow/key.ts';
import { newPacket, type Packet } from '../../netdev/packet.ts';
import { completeChecksum } from '../../netdev/segment.ts';
import { crc32c, fold, sumBytes } from '../../wire/checksum.ts';
import { popVlan, pushVlan, setFields } from './headers.ts';

interface Frame {
  isIpv6: boolean;
  proto: number;
  bytes: Uint8Array;
}

const headerSizes = new Map([
  [6, 20],
  [17, 8],
  [132, 12],
  [1, 8],
  [58, 8],
]);
const checksumOffsets = new Map([
  [6, 16],
  [17, 6],
  [1, 2],
  [58, 2],
]);

/** A frame with room for its checksums, which are not filled in. */
function build(isIpv6: boolean, proto: number, noise: Uint8Array): Frame {
  const size = headerSizes.get(proto)! + noise.length;
  const ip = isIpv6
    ? [0x60, 0, 0, 0, size >> 8, size, proto, 64, ...noise.subarray(0, 32)]
    : [0x45, 0, (size + 20) >> 8, size + 20, 0, 1, 0, 0, 64, proto, 0, 0, ...noise.subarray(0, 8)];
  const transport = new Array<number>(headerSizes.get(proto)!).fill(0);
  if (proto === 6) transport[12] = 0x50;
  if (proto === 17) transport[5] = size;
  if (proto === 1 || proto === 58) transport[0] = 8;
  return {
    isIpv6,
    proto,
    bytes: Uint8Array.from([...new Array<number>(12).fill(2), ...(isIpv6 ? [0x86, 0xdd] : [8, 0]), ...ip, ...transport, ...noise]),
  };
}

/** The pseudo header's sum. */
const pseudo = (b: Uint8Array, l3: number, size: number, frame: Frame): number =>
  frame.proto === 1 ? 0 : fold(sumBytes(b, l3 + (frame.isIpv6 ? 8 : 12), frame.isIpv6 ? 32 : 8, frame.proto) + size);

/** Whether all checksums of a frame with whole ones are right. */
function isRight(b: Uint8Array, start: number, length: number, frame: Frame, tag: number): boolean {
  const l3 = start + 14 + tag;
  const l4 = l3 + (frame.isIpv6 ? 40 : 20);
  const size = start + length - l4;
  if (!frame.isIpv6 && sumBytes(b, l3, 20) !== 0xffff) return false;
  if (frame.proto === 132) {
    const stored = (b[l4 + 8]! | (b[l4 + 9]! << 8) | (b[l4 + 10]! << 16) | (b[l4 + 11]! << 24)) >>> 0;
    return stored === crc32c(b, l4, size, l4 + 8);
  }
  return sumBytes(b, l4, size, pseudo(b, l3, size, frame)) === 0xffff;
}

function load(frame: Frame, isPartial: boolean): Packet {
  const packet = newPacket();
  packet.point(packet.bytes, 0, 128, frame.bytes.length);
  packet.bytes.set(frame.bytes, 128);
  const b = packet.bytes;
  const l3 = 128 + 14;
  const l4 = l3 + (frame.isIpv6 ? 40 : 20);
  const size = 128 + packet.length - l4;
  if (!frame.isIpv6) {
    const sum = ~sumBytes(b, l3, 20) & 0xffff;
    b[l3 + 10] = sum >> 8;
    b[l3 + 11] = sum;
  }
  if (frame.proto === 132) {
    const crc = crc32c(b, l4, size, l4 + 8);
    for (let i = 0; i < 4; i++) b[l4 + 8 + i] = crc >>> (8 * i);
    return packet;
  }
  const at = l4 + checksumOffsets.get(frame.proto)!;
  if (isPartial) {
    packet.csumStart = l4 - 128;
    packet.csumOffset = checksumOffsets.get(frame.proto)!;
  }
  const sum = isPartial ? pseudo(b, l3, size, frame) : ~sumBytes(b, l4, size, pseudo(b, l3, size, frame)) & 0xffff;
  b[at] = sum >> 8;
  b[at + 1] = sum;
  return packet;
}

const kinds: [boolean, number][] = [
  [false, 6],
  [false, 17],
  [false, 132],
  [false, 1],
  [true, 6],
  [true, 17],
  [true, 132],
  [true, 58],
];
const word = fc.integer({ min: 0, max: 0xffffffff });
const fields = fc.constantFrom<number>(
  W.NW_SRC,
  W.NW_DST,
  W.TOS,
  W.TP,
  W.IPV6_SRC,
  W.IPV6_SRC + 3,
  W.IPV6_DST + 1,
  W.IPV6_LABEL,
  W.ETH,
  W.ETH + 1,
);
const triple = fc.tuple(fields, word, word);

test('after any sets and tags, checksums are right and the key is what was set', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.uint8Array({ minLength: 34, maxLength: 80 }),
      fc.array(triple, { maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      ([isIpv6, proto], noise, sets, wantsPartial, isTagged) => {
        const frame = build(isIpv6, proto, noise);
        const isPartial = wantsPartial && (proto === 6 || proto === 17);
        const packet = load(frame, isPartial);
        if (isTagged) assert.ok(pushVlan(packet, 0x8100, 0x1064));
        const key = newKey();
        const layout = extractKey(packet.bytes, packet.start, packet.length, key);
        assert.ok(layoutL3(layout) > 0 && layoutL4(layout) > 0);
        // Changing type or code of ICMPv6 to neighbour discovery is another matter.
        const words = Int32Array.from(sets.filter(([at]) => !(at === W.TP && proto === 58)).flat());
        setFields(packet, key, layout, words);
        completeChecksum(packet);
        assert.ok(isRight(packet.bytes, packet.start, packet.length, frame, isTagged ? 4 : 0), 'checksums');
        const after = newKey();
        extractKey(packet.bytes, packet.start, packet.length, after);
        const expected = key.slice();
        for (let i = 0; i < words.length; i += 3) {
          const at = words[i]!;
          let mask = words[i + 2]!;
          if (isIpv6 ? at === W.NW_SRC || at === W.NW_DST : at >= W.IPV6_LABEL && at < W.ND_TARGET) continue;
          if (at === W.TOS) mask &= 0xffff0000;
          if (at === W.IPV6_LABEL) mask &= 0xfffff;
          if (at === W.TP && proto === 1) mask &= 0x00ff00ff;
          expected[at] = (expected[at]! & ~mask) | (words[i + 1]! & mask);
        }
        assert.deepEqual(after.subarray(0, W.DP_END), expected.subarray(0, W.DP_END));
        if (!isTagged) return;
        popVlan(packet);
        assert.ok(isRight(packet.bytes, packet.start, packet.length, frame, 0), 'after popping');
      },
    ),
    { numRuns: 500 },
  );
});

test('sets on hostile frames stay within the frame', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 14, maxLength: 90 }),
      fc.array(fc.tuple(fc.nat(W.DP_END - 1), word, word), { maxLength: 4 }),
      (noise, sets) => {
        const packet = newPacket();
        packet.point(packet.bytes, 0, 128, noise.length);
        packet.bytes.set(noise, 128);
        packet.bytes[128 + 12] = noise[0]! & 1 ? 8 : 0x86;
        packet.bytes[128 + 13] = noise[0]! & 1 ? (noise[1]! & 1 ? 0 : 6) : 0xdd;
        const key = newKey();
        const layout = extractKey(packet.bytes, packet.start, packet.length, key);
        setFields(packet, key, layout, Int32Array.from(sets.flat()));
        assert.ok(packet.bytes.subarray(0, 128).every((b) => b === 0));
        assert.ok(packet.bytes.subarray(128 + noise.length, 128 + noise.length + 64).every((b) => b === 0));
      },
    ),
    { numRuns: 500 },
  );
});

test('an SCTP checksum follows new ports: behind it the padding does not count, a wrong one stays wrong, none stays none', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.uint8Array({ minLength: 34, maxLength: 60 }), word, fc.nat(20), (isIpv6, noise, value, padding) => {
      const frame = build(isIpv6, 132, noise);
      const packet = load(frame, false);
      const l4 = packet.start + (isIpv6 ? 54 : 34);
      const length = packet.length;
      packet.length += padding;
      packet.bytes.fill(0x55, packet.start + length, packet.start + packet.length);
      const key = newKey();
      const layout = extractKey(packet.bytes, packet.start, packet.length, key);
      const change = (): void => setFields(packet, key, layout, Int32Array.of(W.TP, value, 0xffffffff));
      const crc = (): number => new DataView(packet.bytes.buffer, packet.bytes.byteOffset).getUint32(l4 + 8, true);
      change();
      assert.ok(isRight(packet.bytes, packet.start, length, frame, 0));
      packet.bytes[l4 + 9]! ^= 1;
      setFields(packet, key, layout, Int32Array.of(W.TP, ~value, 0xffffffff));
      packet.bytes[l4 + 9]! ^= 1;
      assert.ok(isRight(packet.bytes, packet.start, length, frame, 0));
      packet.bytes.fill(0, l4 + 8, l4 + 12);
      change();
      assert.equal(crc(), 0);
    }),
  );
});
