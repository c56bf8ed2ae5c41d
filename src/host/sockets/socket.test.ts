import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KernelError } from '../../base/errors.ts';
import type { Stream } from '../../base/stream.ts';
import { closeFd, libc, setSocketInt } from '../ffi.ts';
import { connectStream, listenStream } from './socket.ts';
import { internetAddress, SOCK_STREAM_NONBLOCK } from './socket-address.ts';

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

/** The IP header of the first packet that came to a listener which was made for it. */
function savedSyn(host: string): { port: number; take: () => Uint8Array } {
  const [IPPROTO_TCP, TCP_SAVE_SYN, TCP_SAVED_SYN] = [6, 27, 28];
  const c = libc();
  const address = internetAddress(host, 0) ?? new Uint8Array(0);
  const fd = c.socket(address[0] ?? 0, SOCK_STREAM_NONBLOCK, 0);
  setSocketInt(fd, IPPROTO_TCP, TCP_SAVE_SYN, 1);
  assert.equal(c.bind(fd, address, address.length), 0);
  assert.equal(c.listen(fd, 1), 0);
  const name = new Uint8Array(28);
  c.getsockname(fd, name, new Uint8Array([28, 0, 0, 0]));
  return {
    port: new DataView(name.buffer).getUint16(2),
    take: () => {
      const accepted = c.accept4(fd, new Uint8Array(28), new Uint8Array([28, 0, 0, 0]), 0);
      const header = new Uint8Array(120);
      assert.equal(c.getsockopt(accepted, IPPROTO_TCP, TCP_SAVED_SYN, header, new Uint8Array([120, 0, 0, 0])), 0);
      closeFd(accepted);
      closeFd(fd);
      return header;
    },
  };
}

test('connections have their DSCP from the first packet on', async () => {
  for (const [host, dscp] of [
    ['127.0.0.1', 48],
    ['127.0.0.1', 10],
    ['::1', 13],
  ] as const) {
    const syn = savedSyn(host);
    const isIpv6 = host.includes(':');
    const stream = await connectStream(`tcp:${isIpv6 ? `[${host}]` : host}:${syn.port}`, 0, dscp);
    const [first = 0, second = 0] = syn.take();
    assert.equal(isIpv6 ? (((first & 15) << 4) | (second >> 4)) >> 2 : second >> 2, dscp);
    stream.destroy();
  }
});
