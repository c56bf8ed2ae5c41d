import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KernelError } from '../../base/errors.ts';
import type { Stream } from '../../base/stream.ts';
import { connectStream, listenStream } from './socket.ts';

function text(stream: Stream): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    stream.start({ onData: (bytes) => void pieces.push(Buffer.from(bytes)), onClose: () => resolve(Buffer.concat(pieces).toString()) });
  });
}

async function exchange(listenName: string, connectName: (port: number) => string): Promise<string> {
  const { promise: seen, resolve } = Promise.withResolvers<string>();
  const listener = await listenStream(listenName, (stream) => resolve(text(stream)));
  const client = await connectStream(connectName(listener.boundPort));
  client.write(new TextEncoder().encode('hello'));
  const closed = text(client);
  client.close();
  await closed;
  const got = await seen;
  listener.close();
  return got;
}

test('bytes go through unix and tcp sockets, also with a path longer than sun_path', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-socket-'));
  try {
    const path = join(dir, 's.sock');
    assert.equal(await exchange(`punix:${path}`, () => `unix:${path}`), 'hello');
    assert.ok(!existsSync(path), 'the socket file goes with the listener');
    const long = join(dir, 'x'.repeat(120), 's.sock');
    mkdirSync(join(dir, 'x'.repeat(120)));
    assert.equal(await exchange(`punix:${long}`, () => `unix:${long}`), 'hello');
    assert.equal(await exchange('ptcp:0:127.0.0.1', (port) => `tcp:127.0.0.1:${port}`), 'hello');
    assert.equal(await exchange('ptcp:0:[::1]', (port) => `tcp:[::1]:${port}`), 'hello');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('failures carry the errno and the text of the C library', async () => {
  await assert.rejects(connectStream('unix:/nonexistent/x.sock'), (error: KernelError) => {
    assert.ok(error instanceof KernelError);
    assert.equal(error.errno, 2);
    assert.match(error.message, /No such file or directory/);
    return true;
  });
  await assert.rejects(connectStream('bogus:1'), KernelError);
  await assert.rejects(
    listenStream('punix:/nonexistent/x.sock', () => {}),
    KernelError,
  );
});

test('who has to wait for a small piece to be taken hears when it was', async () => {
  const drained = Promise.withResolvers<string>();
  const filled = Promise.withResolvers<void>();
  const listener = await listenStream('ptcp:0:127.0.0.1', (stream) => {
    stream.start({ onData: () => {}, onClose: () => drained.resolve('closed'), onDrain: () => drained.resolve('drained') });
    // The peer does not read: in the end one piece is more than the kernel takes.
    for (let i = 0; i < 100_000 && stream.queuedBytes === 0; i++) stream.write(new Uint8Array(1000));
    filled.resolve();
  });
  const client = await connectStream(`tcp:127.0.0.1:${listener.boundPort}`);
  const late = setTimeout(() => drained.resolve('never'), 5000);
  try {
    await filled.promise;
    client.start({ onData: () => {}, onClose: () => {} });
    assert.equal(await drained.promise, 'drained');
  } finally {
    clearTimeout(late);
    client.destroy();
    listener.close();
  }
});
