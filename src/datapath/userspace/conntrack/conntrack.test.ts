// Properties of the tracker: any bytes are no more than invalid, memory is bounded, what the table says is what a plain map would say, a
// connection that is over is found no more, and translation is undone by its own answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extractKey } from '../../../flow/extract.ts';
import { CT_STATE, KEY_WORDS, type Key, W } from '../../../flow/key.ts';
import { newPacket, type Packet } from '../../../netdev/packet.ts';
import { fold, sumBytes } from '../../../wire/checksum.ts';
import { parseFtp } from './expectation.ts';
import { Connection, ConnectionTable } from './table.ts';
import { hasImpossibleFlags, newTcpConnection, openTcp, TCP_STATE, updateTcp } from './tcp-state.ts';
import { Conntrack, type CtRequest } from './tracker.ts';
import { newTuple, reverseTuple, sameTuple, T, type Tuple } from './tuple.ts';

const request = (more: Partial<CtRequest> = {}): CtRequest => ({
  zone: 1,
  commit: true,
  force: false,
  markValue: 0,
  markMask: 0,
  label: undefined,
  labelMask: undefined,
  helper: '',
  nat: undefined,
  ...more,
});
const nat = (direction: 'src' | 'dst', address: number, portMin = 0, portMax = 0): CtRequest['nat'] => ({
  direction,
  addrMin: [0, 0, 0, address],
  addrMax: [0, 0, 0, 0],
  portMin,
  portMax,
  persistent: false,
  hash: false,
  random: false,
});

/** A UDP packet with right checksums. */
function udp(source: number, destination: number, sourcePort: number, destinationPort: number): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  view.setUint16(12, 0x0800);
  frame.set([0x45, 0, 0, 32], 14);
  frame.set([64, 17], 22);
  view.setUint32(26, source);
  view.setUint32(30, destination);
  view.setUint16(24, ~sumBytes(frame, 14, 20) & 0xffff);
  view.setUint16(34, sourcePort);
  view.setUint16(36, destinationPort);
  view.setUint16(38, 12);
  view.setUint16(40, ~fold(sumBytes(frame, 34, 12, sumBytes(frame, 26, 8, 17 + 12))) & 0xffff || 0xffff);
  return frame;
}

/** Runs ct on a frame; gives its state and what became of it. */
function track(tracker: Conntrack, frame: Uint8Array, what: CtRequest): { state: number; key: Key; packet: Packet } {
  const packet = newPacket();
  packet.length = frame.length;
  packet.bytes.set(frame, packet.start);
  const key = new Uint32Array(KEY_WORDS);
  const layout = extractKey(packet.bytes, packet.start, packet.length, key);
  tracker.execute(packet, key, layout, what);
  return { state: key[W.CT_STATE]!, key, packet };
}

test('any bytes are at worst invalid, and never more than the frame is touched', () => {
  const tracker = new Conntrack();
  tracker.nowMs = 1;
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 120 }),
      fc.constantFrom(0x0800, 0x86dd, 0x0806),
      fc.constantFrom(1, 6, 17, 58, 132, 2),
      fc.constantFrom(undefined, nat('src', 0x0a090909), nat('dst', 0x0a090908, 80, 90)),
      (bytes, type, proto, translation) => {
        const frame = new Uint8Array(14 + bytes.length);
        frame.set(bytes, 14);
        frame[12] = type >>> 8;
        frame[13] = type & 255;
        // Enough of a header that more than its beginning is read.
        if (bytes.length > 40) {
          frame[14] = type === 0x0800 ? 0x45 : 0x60;
          if (type === 0x0800) {
            frame.set([0, bytes.length, 0, 0, 0, 0, 64, proto, 0, 0], 16);
            const sum = ~sumBytes(frame, 14, 20) & 0xffff;
            frame.set([sum >>> 8, sum & 255], 24);
          } else {
            frame.set([0, bytes.length - 40, proto], 18);
          }
        }
        const helper = proto === 6 ? 'ftp' : proto === 17 ? 'tftp' : '';
        const packet = newPacket();
        packet.length = frame.length;
        packet.bytes.set(frame, packet.start);
        packet.csumStart = 34;
        const key = new Uint32Array(KEY_WORDS);
        const layout = extractKey(packet.bytes, packet.start, packet.length, key);
        tracker.execute(packet, key, layout, request({ nat: translation, helper }));
        assert.ok((key[W.CT_STATE]! & CT_STATE.TRK) !== 0);
        const end = packet.start + packet.length;
        assert.ok(packet.bytes.subarray(end, end + 64).every((byte) => byte === 0));
        assert.ok(packet.bytes.subarray(packet.start - 64, packet.start).every((byte) => byte === 0));
      },
    ),
    { numRuns: 3000 },
  );
});

test('the table finds what a map finds, and forgets what is over', () => {
  const arbTuple = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 5, max: 7 }), fc.integer({ min: 0, max: 5 }))
    .map(([a, b, port]) => {
      const tuple = newTuple();
      tuple[3] = a;
      tuple[7] = b;
      tuple[T.PORTS] = (port << 16) | 80;
      tuple[T.WHAT] = (1 << 16) | (4 << 8) | 17;
      return tuple;
    });
  const arbStep = fc.record({
    what: fc.constantFrom('add', 'remove', 'wait', 'find'),
    tuple: arbTuple,
    ms: fc.integer({ min: 0, max: 60 }),
  });
  fc.assert(
    fc.property(fc.array(arbStep, { maxLength: 80 }), (steps) => {
      const table = new ConnectionTable(7);
      const model = new Map<string, Connection>();
      let now = 0;
      const alive = (tuple: Tuple): Connection | undefined => {
        const found = model.get(tuple.join());
        return found !== undefined && found.expiresMs > now ? found : undefined;
      };
      for (const { what, tuple, ms } of steps) {
        const found = alive(tuple);
        if (what === 'wait') {
          now += ms;
          table.sweep(now, 3);
        } else if (what === 'remove' && found !== undefined) {
          table.remove(found);
          model.delete(tuple.join());
        } else if (what === 'add' && found === undefined && table.find(tuple, now) === undefined) {
          const original = newTuple();
          original.set(tuple);
          const reply = newTuple();
          reverseTuple(original, reply);
          const made = new Connection(original, reply);
          made.expiresMs = now + 50;
          table.insert(made);
          model.set(tuple.join(), made);
        }
        assert.equal(table.find(tuple, now)?.connection, alive(tuple));
        const answer = newTuple();
        reverseTuple(tuple, answer);
        assert.equal(table.find(answer, now)?.connection, alive(tuple));
      }
      now += 1000;
      table.sweep(now, 1000);
      table.sweep(now, 1000);
      assert.equal(table.count, 0);
    }),
  );
});

test('reversing twice gives the tuple', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffffffff), { minLength: 9, maxLength: 9 }), fc.constantFrom(6, 17, 132), (words, proto) => {
      const tuple = newTuple();
      tuple.set(words);
      tuple[T.WHAT] = 0x50400 | proto;
      const once = newTuple();
      const twice = newTuple();
      reverseTuple(tuple, once);
      reverseTuple(once, twice);
      assert.ok(sameTuple(tuple, twice));
    }),
  );
});

test('memory is bounded by the whole and by the zone', () => {
  const tracker = new Conntrack();
  tracker.nowMs = 1;
  tracker.table.maxConnections = 50;
  tracker.table.zoneLimits.set(1, 10);
  for (let port = 1; port <= 100; port++) track(tracker, udp(1, 2, port, 80), request());
  assert.equal(tracker.table.count, 10);
  for (let port = 1; port <= 100; port++) track(tracker, udp(1, 2, port, 80), request({ zone: 2 }));
  assert.equal(tracker.table.count, 50);
  // A packet of no connection is new all the same, and is forgotten.
  assert.equal(track(tracker, udp(9, 9, 9, 9), request()).state, CT_STATE.TRK | CT_STATE.NEW);
});

test('what is translated on its way is translated back by its answer, checksums and all', () => {
  fc.assert(
    fc.property(
      fc.nat(0xfffffff),
      fc.nat(0xfffffff),
      fc.integer({ min: 1024, max: 65535 }),
      fc.integer({ min: 1, max: 65535 }),
      fc.constantFrom('src' as const, 'dst' as const),
      (source, destination, sourcePort, destinationPort, direction) => {
        fc.pre(source !== destination);
        const tracker = new Conntrack();
        tracker.nowMs = 1;
        const frame = udp(source, destination, sourcePort, destinationPort);
        const first = track(tracker, frame, request({ nat: nat(direction, 0x7fffff01) }));
        const seen = first.packet.bytes.slice(first.packet.start, first.packet.start + frame.length);
        assert.equal(fold(sumBytes(seen, 34, 12, sumBytes(seen, 26, 8, 17 + 12))), 0xffff);
        assert.equal(fold(sumBytes(seen, 14, 20)), 0xffff);
        const view = new DataView(seen.buffer);
        const answer = udp(view.getUint32(30), view.getUint32(26), view.getUint16(36), view.getUint16(34));
        const back = track(tracker, answer, request({ commit: false, nat: { ...nat('src', 0)!, direction: '' } }));
        assert.ok((back.state & (CT_STATE.EST | CT_STATE.RPL)) === (CT_STATE.EST | CT_STATE.RPL));
        const arrived = back.packet.bytes.slice(back.packet.start, back.packet.start + frame.length);
        assert.deepEqual(arrived, udp(destination, source, destinationPort, sourcePort));
      },
    ),
    { numRuns: 300 },
  );
});

test('two connections never share an answer', () => {
  const tracker = new Conntrack();
  tracker.nowMs = 1;
  const seen = new Set<string>();
  for (let client = 1; client <= 40; client++) {
    const { packet } = track(tracker, udp(client, 2, 5000, 80), request({ nat: nat('src', 0x0a090909, 6000, 6029) }));
    const view = new DataView(packet.bytes.buffer);
    if (view.getUint32(packet.start + 26) !== 0x0a090909) continue;
    seen.add(String(view.getUint16(packet.start + 34)));
  }
  // Thirty ports serve thirty clients; the others are not translated and not remembered.
  assert.equal(seen.size, 30);
  assert.equal(tracker.table.count, 30);
});

test('a connection without packets ends', () => {
  const tracker = new Conntrack();
  tracker.tick(1000);
  track(tracker, udp(1, 2, 3, 4), request());
  tracker.tick(59_000);
  assert.equal(tracker.table.count, 1);
  for (let now = 61_001; now < 110_000; now += 1000) tracker.tick(now);
  assert.equal(tracker.table.count, 0);
});

test('TCP states are among the known, whatever segments come', () => {
  const arbSegment = fc.record({
    flags: fc.nat(63),
    seq: fc.oneof(fc.nat(3000), fc.nat(0xffffffff)),
    ack: fc.oneof(fc.nat(3000), fc.nat(0xffffffff)),
    window: fc.nat(65535),
    payload: fc.nat(2000),
    scale: fc.constantFrom(0, 0x80, 0x87, 0x8e),
  });
  fc.assert(
    fc.property(arbSegment, fc.array(fc.tuple(arbSegment, fc.boolean()), { maxLength: 30 }), (first, rest) => {
      const connection = newTcpConnection();
      openTcp(connection, first);
      for (const [segment, isReply] of rest) {
        const verdict = updateTcp(connection, segment, isReply);
        if (hasImpossibleFlags(segment.flags)) assert.equal(verdict, 0);
        for (const { state, maxWindow } of connection.peers) {
          assert.ok(state >= TCP_STATE.CLOSED && state <= TCP_STATE.TIME_WAIT);
          assert.ok(Number.isInteger(maxWindow) && maxWindow >= 0);
        }
        assert.ok(connection.timeout >= 0 && connection.timeout <= 5);
      }
    }),
  );
});

test('what FTP announces is read, whatever the line', () => {
  assert.deepEqual(parseFtp('PORT 10,0,0,1,4,1\r\n', false), { address: '10.0.0.1', port: 1025 });
  assert.deepEqual(parseFtp('227 Entering Passive Mode (10,0,0,2,200,10).\r\n', true), { address: '10.0.0.2', port: 51210 });
  assert.deepEqual(parseFtp('229 Entering Extended Passive Mode (|||6446|)\r\n', true), { address: undefined, port: 6446 });
  assert.equal(parseFtp('PORT 10,0,0,1,999,1\r\n', false), undefined);
  fc.assert(fc.property(fc.string({ maxLength: 100 }), fc.boolean(), (line, isReply) => void parseFtp(`227 ${line}`, isReply)));
});
