// Random inputs to a whole server inside this process: JSON-RPC and transactions, sound and damaged (text whole and in pieces is a target of test/fuzz). Nothing but an answer or an end of the
// connection may come of them, the references must count right afterwards, and nothing may be found where no row put it.
// WEFT_OVSDB_FUZZ sets how many (the project's proof: 1,000,000 together).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { type StreamHandlers, streamPair } from '../../base/stream.ts';
import { Database } from '../engine/database.ts';
import { parseSchema } from '../engine/schema.ts';
import { parseJson } from '../json/json-text.ts';
import { OvsdbServer } from './server.ts';

const count = Number(process.env['WEFT_OVSDB_FUZZ'] ?? 6000);
const clock: Clock = { now: () => 0, wall: () => 0, after: () => () => {} };

let state = 1;
function below(n: number): number {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
  const x = Math.imul(state ^ (state >>> 13), 0x297a2d39);
  return ((x ^ (x >>> 16)) >>> 0) % n;
}
const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
const some = (most: number, make: () => string): string => Array.from({ length: below(most + 1) }, make).join(',');

const NAMES = [
  'A',
  'B',
  'n',
  's',
  'm',
  'r',
  'w',
  '_uuid',
  '_version',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'nope',
  '',
];
const TEXTS = ['', 'a', '__proto__', 'constructor', '\u20ac', '\ud83d\ude00', 'x'.repeat(40), '\\u0000', '\\ud800', '"'];
const uuids = Array.from({ length: 12 }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);

const atom = (): string =>
  pick([
    () => String(below(10) - 3),
    () => pick(['0.5', '-0', '1e400', '1e3', '9223372036854775807', '9223372036854775808', '-9223372036854775808']),
    () => pick(['true', 'false', 'null', '{}', '[]']),
    () => `"${pick(TEXTS)}"`,
    () => `["uuid","${pick(uuids)}"]`,
    () => `["named-uuid","${pick(['x', 'y', '__proto__'])}"]`,
  ])();
const value = (): string =>
  pick([
    atom,
    atom,
    () => `["set",[${some(4, atom)}]]`,
    () => `["map",[${some(3, () => `[${atom()},${atom()}]`)}]]`,
    () => `[${some(3, atom)}]`,
  ])();
const where = (): string =>
  `[${some(2, () => pick([() => `["${pick(NAMES)}","${pick(['==', '!=', '<', '>=', 'includes', 'excludes', '~'])}",${value()}]`, () => atom()])())}]`;
const row = (): string => `{${some(4, () => `"${pick(NAMES)}":${value()}`)}}`;
const operation = (): string =>
  pick([
    () =>
      `{"op":"insert","table":"${pick(NAMES)}","row":${row()}${pick(['', `,"uuid":"${pick(uuids)}"`, ',"uuid-name":"x"', ',"uuid-name":"__proto__"'])}}`,
    () =>
      `{"op":"insert","table":"${pick(['A', 'B'])}","row":{"n":${below(5)},"r":["set",[["uuid","${pick(uuids)}"]]]},"uuid":"${pick(uuids)}"}`,
    () => `{"op":"update","table":"${pick(['A', 'B'])}","where":${where()},"row":${row()}}`,
    () =>
      `{"op":"mutate","table":"${pick(['A', 'B'])}","where":${where()},"mutations":[${some(2, () => `["${pick(NAMES)}","${pick(['+=', '*=', '%=', 'insert', 'delete'])}",${value()}]`)}]}`,
    () => `{"op":"delete","table":"${pick(['A', 'B'])}","where":${where()}}`,
    () => `{"op":"select","table":"${pick(['A', 'B'])}","where":${where()}${pick(['', ',"columns":["n","s"]'])}}`,
    () => `{"op":"wait","table":"A","where":${where()},"columns":["n"],"until":"==","rows":[${row()}],"timeout":${pick(['0', '1', '-1'])}}`,
    () => `{"op":"${pick(['commit', 'abort', 'comment', 'assert', 'x', '__proto__'])}","durable":true}`,
  ])();
const monitor = (): string =>
  `["D",${atom()},{"${pick(NAMES)}":[{${pick(['', '"columns":["n","w"],'])}"where":${where()}}]}${pick(['', `,"${pick(uuids)}"`])}]`;
const request = (): string =>
  pick([
    () => `{"id":${below(50)},"method":"transact","params":["D",${some(3, operation) || operation()}]}`,
    () => `{"id":${below(50)},"method":"transact","params":["D",${operation()}]}`,
    () =>
      `{"id":1,"method":"${pick(['monitor', 'monitor_cond', 'monitor_cond_since', 'monitor_cond_change', 'monitor_cancel'])}","params":${monitor()}}`,
    () =>
      `{"id":${atom()},"method":"${pick([...NAMES, 'echo', 'lock', 'steal', 'unlock', 'cancel', 'get_schema'])}","params":[${some(2, value)}]}`,
  ])();
function damage(text: string): Buffer {
  const bytes = Buffer.from(text);
  for (let i = below(3); i > 0 && bytes.length > 0; i--) bytes[below(bytes.length)] = pick([below(256), ...Buffer.from('{}[]",:\\0e-')]);
  return bytes;
}

const SCHEMA =
  '{"name":"D","version":"1.0.0","tables":{"A":{"isRoot":true,"maxRows":40,"indexes":[["n"]],"columns":{"n":{"type":"integer"},"s":{"type":{"key":"string","min":0}},' +
  '"m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},"constructor":{"type":"string"},"r":{"type":{"key":{"type":"uuid","refTable":"B"},"min":0,"max":"unlimited"}},' +
  '"w":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},"min":0,"max":2}}}},"B":{"columns":{"n":{"type":"integer"},"r":{"type":{"key":{"type":"uuid","refTable":"B"},"min":0,"max":2}},' +
  '"w":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},"min":0,"max":"unlimited"}}}}}}';

/** What the engine keeps beside the rows must be what counting all of them anew gives. */
function audit(database: Database): void {
  const fresh = new Database(database.schema);
  const changes = [...database.tables.values()].flatMap((table) =>
    [...table.rows.values()].map((one) => ({
      table: fresh.tables.get(table.schema.name)!,
      uuid: one.uuid,
      before: undefined,
      after: { ...one, table: fresh.tables.get(table.schema.name)! },
    })),
  );
  fresh.apply({ changes, comment: '', isDurable: false });
  for (const [name, table] of database.tables) {
    const other = fresh.tables.get(name)!;
    const sorted = (map: ReadonlyMap<string, unknown>): unknown[] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(sorted(table.strongCount), sorted(other.strongCount), `${name}: strong references`);
    assert.deepEqual([...table.weakSources.keys()].sort(), [...other.weakSources.keys()].sort(), `${name}: weak references`);
    assert.deepEqual(table.indexes.map(sorted), other.indexes.map(sorted), `${name}: indexes`);
    for (const uuid of table.strongCount.keys()) assert.ok(table.rows.has(uuid), `${name}: ${uuid} is referred to and is not there`);
    if (!table.schema.isRoot)
      for (const uuid of table.rows.keys()) assert.ok(table.strongCount.has(uuid), `${name}: ${uuid} should be gone`);
  }
}

test(`${count} requests, sound and damaged, to a server with two clients`, async () => {
  const turns: (() => void)[] = [];
  const server = new OvsdbServer(clock, { atTurnEnd: (fn) => void turns.push(fn) });
  const database = new Database(parseSchema(parseJson(SCHEMA)));
  server.add('D', database);
  let replies = 0;
  let ends = 0;
  const connect = (): { handlers: StreamHandlers; isOpen: boolean } => {
    const client = { handlers: undefined as unknown as StreamHandlers, isOpen: true };
    const over = (): void => {
      if (!client.isOpen) return;
      client.isOpen = false;
      ends++;
      client.handlers.onClose('');
    };
    server.accept({
      ...streamPair()[0],
      name: 'fuzz',
      queuedBytes: 0,
      start: (handlers) => {
        client.handlers = handlers;
      },
      write: () => void replies++,
      pause: () => {},
      resume: () => {},
      close: () => turns.push(over),
      destroy: () => turns.push(over),
    });
    return client;
  };
  const clients = [connect(), connect()];
  for (let i = 0; i < count; i++) {
    const at = below(2);
    let client = clients[at]!;
    if (!client.isOpen) {
      client = connect();
      clients[at] = client;
    }
    client.handlers.onData(below(4) === 0 ? damage(request()) : Buffer.from(request()));
    while (turns.length > 0) turns.shift()?.();
    if (i % 500 === 0) audit(database);
  }
  audit(database);
  assert.ok(replies > count / 4 && ends > 10, `${replies} replies, ${ends} ends`);
  for (const name of ['n', 's', 'r', 'id', 'uuid']) assert.equal(Object.hasOwn(Object.prototype, name), false);
});
