import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { streamPair } from '../../base/stream.ts';
import { connectIdl } from './replica.ts';

const schema = { name: 'D', version: '1.0.0', tables: { T: { columns: { n: { type: 'integer' } } } } };
const uuid = '00000000-0000-4000-8000-000000000001';

/** A server that answers each request, and sends `behind(method)` in the same packet as the answer. */
function server(behind: (method: string) => unknown[]) {
  const [client, peer] = streamPair('test');
  const answers: Record<string, unknown> = {
    get_schema: schema,
    lock: { locked: false },
    monitor_cond_since: [false, '00000000-0000-0000-0000-000000000000', { T: { [uuid]: { initial: { n: 1 } } } }],
  };
  peer.start({
    onData: (bytes) => {
      for (const text of new TextDecoder().decode(bytes).split(/(?<=\})(?=\{"id)/)) {
        const request = JSON.parse(text) as { id: unknown; method: string };
        if (request.id === null) continue;
        const reply = { id: request.id, result: answers[request.method] ?? {}, error: null };
        const packet = [reply, ...behind(request.method)].map((message) => JSON.stringify(message)).join('');
        peer.write(new TextEncoder().encode(packet));
      }
    },
    onClose: () => {},
  });
  return client;
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('an update in the same packet as the first contents is not lost', async () => {
  const update = { id: null, method: 'update3', params: ['monid', uuid, { T: { [uuid]: { modify: { n: 2 } } } }] };
  const stream = server((method) => (method === 'monitor_cond_since' ? [update] : []));
  const idl = connectIdl({ remotes: ['unix:x'], database: 'D', tables: 'all' }, { connect: async () => stream, clock: new VirtualClock() });
  await settle();
  assert.equal(idl.rows('T').get(uuid)?.scalar('n'), 2);
  idl.close();
});

test('a lock granted in the same packet as its refusal is held', async () => {
  const locked = { id: null, method: 'locked', params: ['l'] };
  const stream = server((method) => (method === 'lock' ? [locked] : []));
  const options = { remotes: ['unix:x'], database: 'D', tables: 'all' as const, lock: 'l' };
  const idl = connectIdl(options, { connect: async () => stream, clock: new VirtualClock() });
  await settle();
  assert.equal(idl.hasLock, true);
  idl.close();
});
