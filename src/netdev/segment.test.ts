import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, fold, sumBytes } from '../wire/checksum.ts';
import { GSO, Packet } from './packet.ts';
import {
  completeChecksum,
  needsPieces,
  newSegmentPlan,
  pieceLength,
  pieceStart,
  planSegments,
  recognizePartialChecksum,
  writePieceHeader,
} from './segment.ts';
import { readVirtioHeader } from './virtio-header.ts';

/** A TCP frame over IPv4 with a partial checksum. */
function superSegment(payload: Uint8Array, tagged: boolean): Packet {
  const tag = tagged ? [0x81, 0, 0, 5] : [];
  const head = [...new Array<number>(12).fill(2), ...tag, 8, 0];
  const total = 40 + payload.length;
  const ip = [0x45, 0, total >> 8, total & 255, 1, 2, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
  const tcp = [0, 20, 0, 80, 255, 255, 255, 0, 0, 0, 0, 1, 0x50, 0x99, 1, 0, 0, 0, 0, 0];
  const frame = Uint8Array.from([...head, ...ip, ...tcp, ...payload]);
  const l4 = head.length + 20;
  const pseudo = fold(sumBytes(frame, head.length + 12, 8, 6) + frame.length - l4);
  frame[l4 + 16] = pseudo >> 8;
  frame[l4 + 17] = pseudo;
  const packet = new Packet(frame, 0);
  packet.point(frame, 0, 0, frame.length);
  packet.csumStart = l4;
  packet.csumOffset = 16;
  return packet;
}

function isRight(piece: Uint8Array, l3: number): boolean {
  const l4 = l3 + 20;
  const pseudo = fold(sumBytes(piece, l3 + 12, 8, 6) + piece.length - l4);
  return sumBytes(piece, l3, 20) === 0xffff && sumBytes(piece, l4, piece.length - l4, pseudo) === 0xffff;
}

test('pieces are right TCP frames, and together the whole payload', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.integer({ min: 70, max: 1500 }),
      fc.boolean(),
      (payload, size, tagged) => {
        const packet = superSegment(payload, tagged);
        packet.gsoType = GSO.TCPV4;
        packet.gsoSize = size;
        const plan = newSegmentPlan();
        assert.ok(planSegments(packet, 800, plan));
        const got: number[] = [];
        for (let i = 0; i < plan.pieces; i++) {
          const piece = new Uint8Array(plan.headerSize + pieceLength(plan, packet, i));
          writePieceHeader(plan, packet, i, piece, 0);
          const from = packet.start + pieceStart(plan, i);
          piece.set(packet.bytes.subarray(from, from + pieceLength(plan, packet, i)), plan.headerSize);
          assert.ok(isRight(piece, plan.l3), 'checksums');
          assert.ok(piece.length <= 800);
          const sequence = new DataView(piece.buffer).getUint32(plan.l4 + 4);
          assert.equal(sequence, (0xffffff00 + got.length) % 2 ** 32);
          const flags = piece[plan.l4 + 13]!;
          assert.equal((flags & 9) !== 0, i === plan.pieces - 1);
          assert.equal((flags & 0x80) !== 0, i === 0);
          got.push(...piece.subarray(plan.headerSize));
        }
        assert.deepEqual(got, [...payload]);
      },
    ),
  );
});

test('completing in place gives a right checksum', () => {
  const packet = superSegment(Uint8Array.of(1, 2, 3), false);
  completeChecksum(packet);
  const l4 = 34;
  const pseudo = fold(sumBytes(packet.bytes, 26, 8, 6) + packet.length - l4);
  assert.equal(sumBytes(packet.bytes, l4, packet.length - l4, pseudo), 0xffff);
  assert.equal(packet.csumStart, 0);
});

test('hostile offload state is refused or harmless', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(0xffff),
      fc.nat(0xffff),
      fc.nat(255),
      fc.nat(0xffff),
      (frame, start, offset, type, size) => {
        const packet = new Packet(frame, 0);
        packet.point(frame, 0, 0, frame.length);
        packet.csumStart = start;
        packet.csumOffset = fc.sample(fc.constantFrom(6, 16, offset), 1)[0]!;
        packet.gsoType = type;
        packet.gsoSize = size;
        const plan = newSegmentPlan();
        if (planSegments(packet, 1400, plan)) {
          assert.ok(plan.headerSize <= frame.length && plan.pieces >= 1);
          assert.ok(plan.pieces * Math.max(1, plan.pieceSize) >= frame.length - plan.headerSize);
        }
        completeChecksum(packet);
      },
    ),
  );
});

test('a partial checksum is recognised without virtio_net_hdr, a whole one is left alone, and nothing reads outside the frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (payload, tagged) => {
      const packet = superSegment(payload, tagged);
      const { csumStart, csumOffset } = packet;
      packet.csumStart = packet.csumOffset = 0;
      recognizePartialChecksum(packet);
      assert.deepEqual([packet.csumStart, packet.csumOffset], [csumStart, csumOffset]);
      assert.equal(packet.gsoSize, payload.length > 1460 ? 1240 : 0);
      packet.gsoType = packet.gsoSize = 0;
      completeChecksum(packet);
      const whole = packet.bytes.slice();
      recognizePartialChecksum(packet);
      // One in 65536 has a whole checksum of the same value; finishing that changes nothing.
      completeChecksum(packet);
      assert.deepEqual(packet.bytes, whole);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 14, maxLength: 100 }), fc.constantFrom([8, 0], [0x86, 0xdd], [0x81, 0]), (frame, type) => {
      frame.set(type, 12);
      const packet = new Packet(frame, 0);
      packet.point(frame, 0, 0, frame.length);
      recognizePartialChecksum(packet);
      if (packet.csumStart !== 0) assert.ok(packet.csumStart + packet.csumOffset + 2 <= frame.length);
    }),
  );
});

test('the checksum that SCTP left to the device is there before the frame goes on', () => {
  const frame = Uint8Array.from({ length: 80 }, (_, i) => i);
  frame.fill(0, 42, 46);
  const expected = frame.slice();
  new DataView(expected.buffer).setUint32(42, crc32c(frame, 34, 46), true);
  const packet = new Packet(frame, 0);
  packet.point(frame, 0, 0, frame.length);
  // NEEDS_CSUM from byte 34, at 8 from there.
  readVirtioHeader(Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 8, 0), 0, packet);
  assert.deepEqual(packet.bytes, expected);
  assert.equal(packet.csumStart, 0);
  // Not where there is no room for it.
  packet.point(frame, 0, 0, 44);
  readVirtioHeader(Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 8, 0), 0, packet);
  assert.deepEqual(packet.bytes, expected);
});

test('pieces are the same behind labels and NSH, before a frame or an IP packet', () => {
  const nsh = [0x0f, 0xc6, 1, 3, ...new Array<number>(20).fill(7)];
  const mac = [0x45, 0x60, 0, 0, 0, 1, 0x66, 0, 0, 0, 0, 2];
  const ethernet = (type: number): number[] => [...mac, type >> 8, type & 255];
  const fronts = [
    [...ethernet(0x894f), ...nsh, ...mac],
    [...ethernet(0x8847), 0, 1, 1, 64, ...mac],
    [...mac, 0x81, 0, 0, 5, 0x88, 0x48, 0, 1, 0, 64, 0, 1, 1, 64],
    [...ethernet(0x8847), 0, 1, 0, 64, 0, 1, 1, 64],
    [...ethernet(0x8847), 0, 1, 1, 64, ...ethernet(0x894f), ...nsh, ...mac],
  ];
  const plan = newSegmentPlan();
  const pieces = (packet: Packet): string[] => {
    assert.ok(planSegments(packet, 0, plan));
    return Array.from({ length: plan.pieces }, (_, i) => {
      const out = new Uint8Array(plan.headerSize);
      writePieceHeader(plan, packet, i, out, 0);
      const from = packet.start + pieceStart(plan, i);
      return Buffer.concat([out, packet.bytes.subarray(from, from + pieceLength(plan, packet, i))]).toString('hex');
    });
  };
  for (const front of fronts) {
    const isFrame = front.at(-1) === 2;
    const plain = superSegment(new Uint8Array(3000).fill(5), false);
    plain.gsoType = GSO.TCPV4;
    plain.gsoSize = 1000;
    const skipped = isFrame ? 12 : 14;
    const bytes = Uint8Array.from([...front, ...plain.bytes.subarray(skipped)]);
    const packet = new Packet(bytes, 0);
    packet.point(bytes, 0, 0, bytes.length);
    Object.assign(packet, { csumStart: plain.csumStart + front.length - skipped, csumOffset: 16, gsoType: GSO.TCPV4, gsoSize: 1000 });
    assert.ok(needsPieces(packet) && !needsPieces(plain));
    const expected = pieces(plain).map((piece) => Buffer.from(front).toString('hex') + piece.slice(2 * skipped));
    assert.equal(expected.length, 3);
    assert.deepEqual(pieces(packet), expected);
  }
});
