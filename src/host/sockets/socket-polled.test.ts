import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KernelError } from '../../base/errors.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { Anticipation } from './anticipation.ts';
import { connectStream } from './socket.ts';
import { listenPolled } from './socket-polled.ts';

const SIZE = 5_000_000;

/** Declares a test twice: as peers are served at first, and as those are for whose next message the process stays awake. */
function bothWays(title: string, run: () => Promise<void>): void {
  test(title, run);
  test(`${title}, awake`, async (t) => {
    t.mock.getter(Anticipation.prototype, 'isWorthwhile', () => true);
    await run();
  });
}

/** Both ends of a connection; the listener takes one peer. */
async function pair(target: string, reach: (listener: Listener) => string): Promise<{ ours: Stream; peer: Stream; listener: Listener }> {
  const accepted: { resolve?: (stream: Stream) => void } = {};
  const arrival = new Promise<Stream>((resolve) => {
    accepted.resolve = resolve;
  });
  const listener = await listenPolled(target, (stream) => accepted.resolve?.(stream));
  const peer = await connectStream(reach(listener));
  return { ours: await arrival, peer, listener };
}

function collect(stream: Stream): Promise<{ bytes: Buffer; reason: string }> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    stream.start({
      onData: (bytes) => void pieces.push(Buffer.from(bytes)),
      onClose: (reason) => resolve({ bytes: Buffer.concat(pieces), reason }),
    });
  });
}

/** More than a socket buffer holds, both ways at once, then an end from one side. */
async function exchange(target: string, reach: (listener: Listener) => string): Promise<void> {
  const { ours, peer, listener } = await pair(target, reach);
  const big = Buffer.alloc(SIZE, 'abcdefg');
  const atPeer = collect(peer);
  let taken = 0;
  const over = new Promise<string>((resolve) => {
    ours.start({
      onData: (bytes) => {
        taken += bytes.length;
        if (taken === SIZE) ours.close();
      },
      onClose: resolve,
    });
  });
  ours.write(big.subarray(0, 7));
  ours.write(big.subarray(7));
  assert.ok(ours.queuedBytes > 0, 'the kernel does not take all at once');
  peer.write(big);
  const { bytes } = await atPeer;
  assert.ok(bytes.equals(big));
  assert.equal(await over, '');
  assert.equal(taken, SIZE);
  listener.close();
}

bothWays('text is UTF-8, also when the kernel takes a part of it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-polled-'));
  try {
    const { ours, peer, listener } = await pair(`punix:${dir}/s`, () => `unix:${dir}/s`);
    const line = '{"id":1,"\u00fc\u20ac":"\ud83d\ude00"}'.repeat(500);
    const wanted = line.repeat(200);
    ours.start({ onData: () => {}, onClose: () => {} });
    for (let i = 0; i < 200; i++) ours.writeText?.(line);
    assert.ok(ours.queuedBytes > 0, 'the kernel does not take all at once');
    ours.close();
    const { bytes } = await collect(peer);
    assert.ok(bytes.equals(Buffer.from(wanted)));
    listener.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

bothWays('five megabytes each way over a Unix socket and TCP, IPv4 and IPv6', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-polled-'));
  try {
    const path = join(dir, 's');
    await exchange(`punix:${path}`, () => `unix:${path}`);
    await exchange('ptcp:0:127.0.0.1', ({ boundPort }) => `tcp:127.0.0.1:${boundPort}`);
    await exchange('ptcp:0:[::1]', ({ boundPort }) => `tcp:[::1]:${boundPort}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

bothWays("what was promised before the peer's end of file still goes out, and the end is told once", async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-polled-'));
  try {
    const path = join(dir, 's');
    const { ours, peer, listener } = await pair(`punix:${path}`, () => `unix:${path}`);
    let ends = 0;
    const over = new Promise<void>((resolve) => {
      ours.start({
        onData: () => setImmediate(() => ours.write(Buffer.from('late'))),
        onClose: () => {
          ends++;
          ours.destroy();
          ours.close();
          resolve();
        },
      });
    });
    peer.start({ onData: () => {}, onClose: () => {} });
    peer.write(Buffer.from('x'));
    peer.close();
    await over;
    ours.write(Buffer.from('after the end'));
    assert.equal(ours.queuedBytes, 0);
    assert.equal(ends, 1);
    listener.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a place that cannot be listened on is a KernelError with its errno', async () => {
  await assert.rejects(
    listenPolled('punix:/nonexistent/s', () => {}),
    (error) => error instanceof KernelError && error.errno === 2,
  );
  const first = await listenPolled('ptcp:0:127.0.0.1', () => {});
  await assert.rejects(
    listenPolled(`ptcp:${first.boundPort}:127.0.0.1`, () => {}),
    (error) => error instanceof KernelError && error.errno === 98,
  );
  first.close();
});
