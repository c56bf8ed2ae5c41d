import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { streamPair } from '../../base/stream.ts';
import { connectIdl } from './replica.ts';

const schema = { name: 'D', version: '1.0.0', tables: { T: { columns: { n: { type: 'integer' } } } } };
const uuid = '00000000-0000-4000-8000-000000000001';

type Row = Record<string, unknown>;
const told = (row: Row): object => ({ Database: { [uuid]: row } });

/** A server that answers each request, and sends `behind(method)` in the same packet as the answer. `row` is what it says it is to the database. */
function server(behind: (method: string) => unknown[], row: Row = {}) {
  const [client, peer] = streamPair('test');
  const answers: Record<string, unknown> = {
    get_schema: schema,
    monitor_cond: told({ initial: { name: 'D', model: 'standalone', connected: true, leader: true, ...row } }),
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

/** An IDL of three servers, which are what the rows say; tells which were tried, and gives a function that changes what a server is. */
function several(rows: readonly Row[], options: { mustLead?: boolean; retry?: boolean } = {}) {
  const tried: string[] = [];
  const tell: ((row: Row) => void)[] = [];
  const clock = new VirtualClock();
  const connect = async (remote: string) => {
    tried.push(remote);
    let update: Row | undefined;
    const stream = server(
      (method) => {
        const params = ['server', told({ modify: update })];
        return update !== undefined && method === 'echo' ? [{ id: null, method: 'update2', params }] : [];
      },
      rows[Number(remote.at(-1))],
    );
    tell.push((row) => {
      update = row;
    });
    return stream;
  };
  const idl = connectIdl(
    { remotes: ['unix:0', 'unix:1', 'unix:2'], database: 'D', tables: 'all', probeIntervalMs: 1000, ...options },
    { connect, clock },
  );
  return { idl, tried, tell, clock };
}

const follower: Row = { model: 'clustered', leader: false };

test('servers that will not do are passed over at once, and left when they will do no more', async () => {
  const { idl, tried, tell, clock } = several([
    { name: 'D', model: 'relay', leader: false },
    follower,
    { model: 'clustered', leader: true },
  ]);
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(0);
  }
  await settle();
  assert.deepEqual(tried, ['unix:0', 'unix:1', 'unix:2']);
  assert.equal(idl.isCurrent, true);
  tell.at(-1)?.({ leader: false });
  clock.advance(1000);
  await settle();
  assert.equal(idl.isCurrent, false);
  idl.close();
});

test('without retry each server is tried once', async () => {
  const { idl, tried } = several([follower, follower, { model: 'clustered', connected: false }], { retry: false });
  await assert.rejects(async () => {
    for (;;) await idl.changed();
  });
  assert.deepEqual(tried, ['unix:0', 'unix:1', 'unix:2']);
  assert.equal(idl.hasContent, false);
  idl.close();
});

test('who does not want to write takes a follower and a relay', async () => {
  const { idl, tried } = several([follower], { mustLead: false });
  await settle();
  assert.deepEqual([tried, idl.isCurrent], [['unix:0'], true]);
  idl.close();
});
