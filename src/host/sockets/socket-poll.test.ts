import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { check, libc } from '../ffi.ts';
import { Anticipation } from './anticipation.ts';
import { connectStream } from './socket.ts';
import { socketPoll } from './socket-poll.ts';
import { listenPolled } from './socket-polled.ts';

const QUESTIONS = 3000;

/** A server that echoes, its lone client in a thread, a timer, and another peer; what the last two had of the process meanwhile. */
async function besideALoneClient(t: TestContext): Promise<{ ticks: number; answers: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-poll-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 's');
  const listener = await listenPolled(`punix:${path}`, (stream) =>
    stream.start({ onData: (bytes) => stream.write(Buffer.from(bytes)), onClose: () => {} }),
  );
  let ticks = 0;
  let answers = 0;
  const timer = setInterval(() => ticks++, 1);
  const peer = await connectStream(`unix:${path}`);
  const over = new Promise((resolve) => {
    peer.start({
      onData: () => {
        answers++;
        setTimeout(() => peer.write(Buffer.from('x')), 1);
      },
      onClose: resolve,
    });
  });
  peer.write(Buffer.from('x'));
  const client = new Worker(new URL('./lone-client-fixture.ts', import.meta.url), { workerData: { path, count: QUESTIONS } });
  const exit = once(client, 'exit');
  await once(client, 'message');
  clearInterval(timer);
  peer.destroy();
  await over;
  await exit;
  listener.close();
  return { ticks, answers };
}

test('a lone client is served', async (t) => {
  await besideALoneClient(t);
});

test('however fast the next message is there, the runtime has its turn', async (t) => {
  const poll = socketPoll();
  for (const isWorthwhile of [false, true]) {
    t.mock.getter(Anticipation.prototype, 'isWorthwhile', () => isWorthwhile);
    const fd = check('eventfd', libc().eventfd(1, 0));
    let ticks = 0;
    let looks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => ticks++, 1);
      const onReadable = (): void => {
        looks++;
        if (ticks < 5 && looks < 1_000_000) return;
        clearInterval(timer);
        poll.release(fd);
        resolve();
      };
      poll.add(fd, { onReadable, onWritable: () => {} });
    });
    assert.equal(ticks, 5);
    t.mock.restoreAll();
  }
});

test('timers, other threads and other peers have their turn while a lone client is waited for awake', async (t) => {
  t.mock.getter(Anticipation.prototype, 'isWorthwhile', () => true);
  const failed = t.mock.method(Anticipation.prototype, 'failed');
  const { ticks, answers } = await besideALoneClient(t);
  assert.ok(ticks > 5, `${ticks} ticks`);
  assert.ok(answers > 5, `${answers} answers`);
  // Where nothing comes nothing is waited for.
  await sleep(10);
  const before = failed.mock.callCount();
  await sleep(50);
  assert.equal(failed.mock.callCount(), before);
});
