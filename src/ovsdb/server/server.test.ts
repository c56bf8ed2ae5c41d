import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { type Stream, streamPair } from '../../base/stream.ts';
import { OvsdbServer } from './server.ts';

const clock: Clock = { now: () => 0, wall: () => 0, after: () => () => {} };

/** Connects; what was answered and whether the connection has ended. */
function connect(server: OvsdbServer): { stream: Stream; heard: () => string; isClosed: () => boolean } {
  const [near, far] = streamPair();
  let text = '';
  let closed = false;
  near.start({
    onData: (bytes) => {
      text += Buffer.from(bytes).toString();
    },
    onClose: () => {
      closed = true;
    },
  });
  server.accept(far);
  return { stream: near, heard: () => text, isClosed: () => closed };
}

/** Waits for something that comes at the end of some turn; on a busy machine that takes long. */
async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !isDone(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a connection too many is closed; when another has ended there is room again', async () => {
  const server = new OvsdbServer(clock);
  server.maxSessions = 2;
  const clients = [connect(server), connect(server), connect(server)];
  for (const { stream } of clients) stream.write(Buffer.from('{"id":1,"method":"list_dbs","params":[]}'));
  await until(() => clients[0]?.heard() !== '' && clients[1]?.heard() !== '' && clients[2]?.isClosed() === true);
  assert.deepEqual(
    clients.map((client) => [client.heard(), client.isClosed()]),
    [
      ['{"id":1,"result":["_Server"],"error":null}', false],
      ['{"id":1,"result":["_Server"],"error":null}', false],
      ['', true],
    ],
  );
  clients[0]?.stream.close();
  await until(() => server.sessions.size === 1);
  const next = connect(server);
  next.stream.write(Buffer.from('{"id":2,"method":"echo","params":[]}'));
  await until(() => next.heard() !== '');
  assert.match(next.heard(), /"id":2/);
  for (const { stream } of [...clients, next]) stream.close();
});
