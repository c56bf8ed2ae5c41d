// One commit is turned into each distinct update once, however many clients watch the same thing, and into none where none is shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { type StreamHandlers, streamPair } from '../../base/stream.ts';
import { type Commit, Database, type Row, type Table } from '../engine/database.ts';
import { parseSchema } from '../engine/schema.ts';
import { parseJson } from '../json/json-text.ts';
import { SharedMonitor } from './monitor-changes.ts';
import { parseMonitorSpec } from './monitor-spec.ts';
import { OvsdbServer } from './server.ts';

const CLIENTS = 100;
const schema = '{"name":"D","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"s":{"type":"string"}}}}}';

/** A server of one empty table. `connect` sends a request and gives what is written to the client; nothing is before the turn ends. */
function serve(): { server: OvsdbServer; connect: (request: string) => Uint8Array[]; endTurn: () => void; timers: (() => void)[] } {
  const turns: (() => void)[] = [];
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    wall: () => 0,
    after: (_, fn) => {
      timers.push(fn);
      return () => {};
    },
  };
  const server = new OvsdbServer(clock, { atTurnEnd: (fn) => void turns.push(fn) });
  server.add('D', new Database(parseSchema(parseJson(schema))));
  return {
    server,
    timers,
    connect: (request) => {
      const written: Uint8Array[] = [];
      let handlers: StreamHandlers | undefined;
      server.accept({
        ...streamPair()[0],
        name: 'client',
        queuedBytes: 0,
        start: (given) => {
          handlers = given;
        },
        write: (bytes) => void written.push(bytes),
        pause: () => {},
        resume: () => {},
        close: () => {},
        destroy: () => {},
      });
      handlers?.onData(Buffer.from(request));
      return written;
    },
    endTurn: () => {
      while (turns.length > 0) turns.shift()?.();
    },
  };
}

const watch = (method: string, columns: string): string =>
  `{"id":0,"method":"${method}","params":["D","m",{"T":[{"columns":[${columns}]}]}]}`;
const insert = (s: string): string => `{"id":0,"method":"transact","params":["D",{"op":"insert","table":"T","row":{"n":1,"s":"${s}"}}]}`;

test(`of an update to ${CLIENTS} clients the bytes are made once, and once more for each other way to watch`, () => {
  const { connect, endTurn } = serve();
  const kinds = [watch('monitor_cond', '"n","s"'), watch('monitor_cond', '"n"'), watch('monitor', '"n","s"')];
  const clients = Array.from({ length: CLIENTS }, (_, i) => connect(kinds[i % kinds.length] as string));
  endTurn();
  for (const written of clients) written.length = 0;
  connect(insert('x'));
  endTurn();
  assert.ok(clients.every((written) => written.length === 1));
  assert.equal(new Set(clients.map(([bytes]) => bytes)).size, kinds.length, 'not the same bytes, but equal ones');
});

test('what clients begin with is made once for a moment, and anew once something has changed', () => {
  const { connect, endTurn, timers } = serve();
  const rows = (written: readonly Uint8Array[]): Uint8Array | undefined => written.find(({ length }) => length > 50_000);
  connect(insert('x'.repeat(50_000)));
  const first = connect(watch('monitor_cond', '"n","s"'));
  endTurn();
  const second = connect(watch('monitor_cond', '"n","s"'));
  connect(insert('y'.repeat(50_000)));
  const third = connect(watch('monitor_cond', '"n","s"'));
  endTurn();
  for (const timer of timers.splice(0)) timer();
  const fourth = connect(watch('monitor_cond', '"n","s"'));
  endTurn();
  assert.ok(rows(first) !== undefined && rows(first) === rows(second));
  assert.ok(rows(third) !== rows(first) && Buffer.from(rows(third) ?? []).includes('yyy'));
  assert.notEqual(rows(third), rows(fourth), 'kept for longer');
});

test('after a conversion nobody shares the monitor of one who is being cut off', () => {
  const { server, connect, endTurn } = serve();
  connect(insert('x'));
  connect(watch('monitor_cond', '"n","s"'));
  endTurn();
  const database = server.database('D') as Database;
  database.replaceWith(new Database(parseSchema(parseJson(schema))));
  server.databaseChanged(database);
  const written = connect(watch('monitor_cond', '"n","s"'));
  endTurn();
  assert.equal(Buffer.concat(written).toString(), '{"id":0,"result":{},"error":null}');
});

test('a monitor has nothing to tell of rows that its condition shows neither before nor after', () => {
  const database = new Database(parseSchema(parseJson(schema)));
  const spec = parseMonitorSpec(parseJson('{"T":{"where":[["n","==",1]]}}'), database, 2);
  const table = database.tables.get('T') as Table;
  const uuid = '00000000-0000-4000-8000-000000000001';
  const row = (n: number): Row => ({ table, uuid, fields: [{ keys: [uuid] }, { keys: [uuid] }, { keys: [n] }, { keys: [''] }] });
  const commit = (...numbers: [number | undefined, number | undefined]): Commit => {
    const [before, after] = numbers.map((n) => (n === undefined ? undefined : row(n)));
    return { changes: [{ table, uuid, before, after }], comment: '', isDurable: false };
  };
  const seen = [commit(undefined, 1), commit(1, 2), commit(2, 1), commit(1, undefined)];
  const hidden = [commit(undefined, 2), commit(2, 3), commit(3, undefined)];
  for (const one of seen) assert.equal(new SharedMonitor(spec, database).add(one), true);
  for (const one of hidden) assert.equal(new SharedMonitor(spec, database).add(one), false);
  // Where it counts whether there was a change at all.
  for (const one of hidden) assert.equal(new SharedMonitor(spec, database, true).add(one), true);
});
