// Frames through a device's batch, by the program and by the socket. Run by emitter.test.ts inside a network namespace of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { closeEmitter, openEmitter } from '../../../src/datapath/userspace/emit-program.ts';
import { mapMemory } from '../../../src/host/ffi.ts';
import { Emitter } from '../../../src/netdev/emitter.ts';
import { MAX_FRAME, Packet } from '../../../src/netdev/packet.ts';
import { completeChecksum } from '../../../src/netdev/segment.ts';
import { PacketEnd } from './packet-end.ts';

const SPACING = 128 + 2048;
const LOOPBACK = 1;

function ip(command: string): void {
  const done = spawnSync('ip', command.split(' '), { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ip ${command}: ${done.stderr}`);
}

interface Sent {
  frame: Uint8Array;
  csumStart?: number;
  csumOffset?: number;
}

/** A frame whose bytes follow from `seed`. */
function frameOf(length: number, type: number, seed: number): Uint8Array {
  const frame = new Uint8Array(length);
  for (let i = 0; i < length; i++) frame[i] = (i * 31 + seed * 17) & 255;
  frame.set([0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, type >> 8, type & 255]);
  return frame;
}

spawnSync('sysctl', ['-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']);

/** A pair v-e, with a sender at v that counts what it is told and how many frames the program took, and a receiver at e. */
function pair(run: (world: ReturnType<typeof open>) => void): void {
  const world = open();
  try {
    run(world);
  } finally {
    world.close();
  }
}

function open() {
  ip('link add v type veth peer name e');
  ip('link set v up');
  ip('link set e up');
  const counted = { sent: 0, bytes: 0, failed: 0, dropped: 0 };
  const counters = {
    sent(packets: number, bytes: number) {
      counted.sent += packets;
      counted.bytes += bytes;
    },
    sendFailed(packets: number) {
      counted.failed += packets;
    },
    sendDropped(packets: number) {
      counted.dropped += packets;
    },
    receiveFailed() {},
    receiveDropped() {},
  };
  const emitted = { frames: 0 };
  const opened = openEmitter();
  const emitter = new Emitter(opened);
  const inner = emitter.run.bind(emitter);
  emitter.run = (ifindex, kind) => {
    const done = inner(ifindex, kind);
    emitted.frames += done;
    return done;
  };
  const sender = new PacketEnd('v', counters, emitter);
  const receiver = new PacketEnd('e', counters);
  const memory = mapMemory(64 * SPACING + MAX_FRAME);
  const packet = new Packet(memory.bytes, memory.address);
  return {
    counted,
    emitted,
    /** Sends all as one batch, and gives what came, with whole checksums. */
    exchange(frames: readonly Sent[]): Uint8Array[] {
      for (const [i, { frame, csumStart = 0, csumOffset = 0 }] of frames.entries()) {
        const at = 128 + i * SPACING;
        memory.bytes.set(frame, at);
        packet.point(memory.bytes, memory.address, at, frame.length);
        packet.csumStart = csumStart;
        packet.csumOffset = csumOffset;
        sender.send(packet);
      }
      sender.flush();
      const got: Uint8Array[] = [];
      receiver.receive(128, (one) => {
        completeChecksum(one);
        got.push(one.bytes.slice(one.start, one.start + one.length));
      });
      receiver.release();
      return got;
    },
    close() {
      sender.close();
      receiver.close();
      emitter.close();
      closeEmitter(opened);
      spawnSync('ip', ['link', 'del', 'v']);
    },
  };
}

/** The same frame with its checksum filled in by the software that all other ways use. */
function whole({ frame, csumStart = 0, csumOffset = 0 }: Sent): Uint8Array {
  const packet = new Packet(frame.slice(), 0);
  packet.point(packet.bytes, 0, 0, frame.length);
  packet.csumStart = csumStart;
  packet.csumOffset = csumOffset;
  completeChecksum(packet);
  return packet.bytes;
}

test('frames of all lengths arrive as they were, in order, by the program', () =>
  pair(({ exchange, emitted, counted }) => {
    const lengths = [60, 14, 15, 61, 1514, 64, 1513, 256, 257, 63, 1000, 100, 60, 60, 1514, 1514, 82, 83];
    const frames = lengths.map((length, i) => ({ frame: frameOf(length, 0x88b5, i) }));
    assert.deepEqual(
      exchange(frames),
      frames.map(({ frame }) => frame),
    );
    assert.equal(emitted.frames, frames.length);
    assert.deepEqual(counted, { sent: frames.length, bytes: lengths.reduce((a, b) => a + b, 0), failed: 0, dropped: 0 });
  }));

test('short partial checksums are filled in as everywhere else', () =>
  pair(({ exchange, emitted }) => {
    let checksums = 0;
    for (let round = 0; round < 60; round++) {
      const frames = Array.from({ length: 20 }, (_, i): Sent => {
        const csumStart = i % 3 === 0 ? 0 : 34 + ((round + i) % 5) * 4;
        const frame = frameOf(csumStart + 20 + ((round * 7 + i * 3) % 150), 0x0800, round * 20 + i);
        return { frame, csumStart, csumOffset: i % 2 === 0 ? 16 : 6 };
      });
      // A sum of nothing but zeros: UDP sends all ones for it.
      const zeros = frameOf(60, 0x0800, 1).fill(0, 34);
      zeros[41] = 0xff;
      zeros[40] = 0xff;
      frames.push({ frame: zeros, csumStart: 34, csumOffset: 6 }, { frame: zeros, csumStart: 34, csumOffset: 16 });
      const before = emitted.frames;
      assert.deepEqual(exchange(frames), frames.map(whole));
      assert.equal(emitted.frames - before, frames.length);
      checksums += frames.filter(({ csumStart = 0 }) => csumStart !== 0).length;
    }
    assert.ok(checksums > 500);
  }));

test('frames of several kinds in one batch stay in order', () =>
  pair(({ exchange, emitted, counted }) => {
    const frames: Sent[] = [];
    for (let i = 0; i < 60; i++) {
      // Runs of each Ethernet type, a few frames that only the socket takes, and runs too short for the program.
      const type = [0x0800, 0x86dd, 0x8100][Math.floor(i / 12) % 3]!;
      if (i % 10 === 9) frames.push({ frame: frameOf(700, type, i), csumStart: 34, csumOffset: 16 });
      else frames.push({ frame: frameOf(60 + i, i % 23 === 0 ? 0x88cc : type, i) });
    }
    const got = exchange(frames);
    assert.deepEqual(
      got.map((frame) => frame[20]),
      frames.map(({ frame }) => frame[20]),
    );
    assert.deepEqual(got, frames.map(whole));
    assert.ok(emitted.frames > 20 && emitted.frames < 60, `${emitted.frames}`);
    assert.equal(counted.sent, 60);
  }));

test('what a device does not take is counted, and the rest goes on', () =>
  pair(({ exchange, emitted, counted }) => {
    ip('link set v mtu 500');
    const frames = [100, 514, 515, 60, 518, 82, 514, 1514, 60].map((length, i) => ({ frame: frameOf(length, 0x8100, i) }));
    // A tagged frame may be longer by its tag.
    assert.deepEqual(
      exchange(frames).map((frame) => frame.length),
      [100, 514, 515, 60, 518, 82, 514, 60],
    );
    const untagged = frames.map(({ frame }, i) => ({ frame: frameOf(frame.length, 0x0800, i) }));
    assert.deepEqual(
      exchange(untagged).map((frame) => frame.length),
      [100, 514, 60, 82, 514, 60],
    );
    assert.deepEqual([counted.sent, counted.failed, emitted.frames], [14, 4, 18]);
    ip('link set v down');
    assert.deepEqual(exchange(untagged), []);
    assert.deepEqual([counted.sent, counted.failed + counted.dropped], [14, 13]);
    ip('link del v');
    assert.deepEqual(exchange(untagged), []);
    assert.deepEqual([counted.sent, counted.failed + counted.dropped], [14, 22]);
  }));

test('a run ends at a frame that cannot be fetched, and says so', () => {
  const opened = openEmitter();
  const emitter = new Emitter(opened);
  const memory = mapMemory(4096);
  // A page that was never written to is not there.
  memory.bytes.fill(1);
  for (const address of [memory.address, 4096, memory.address]) emitter.add(address, 60, 0);
  assert.equal(emitter.run(LOOPBACK, 0x10800), 1);
  emitter.close();
  closeEmitter(opened);
});
