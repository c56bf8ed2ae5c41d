// Hostile JSON for all that reads it as OVSDB: schemas, values, conditions, transactions, updates of other servers, log records, files of clusters.
import assert from 'node:assert/strict';
import { decodeText } from '../../src/base/byte-text.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { type StreamHandlers, streamPair } from '../../src/base/stream.ts';
import { checkAddress } from '../../src/cli/ovsdb-tool/cluster.ts';
import { applyTableUpdates } from '../../src/daemon/ovsdb-server/table-updates.ts';
import { UnixctlServer } from '../../src/daemon/plumbing/unixctl.ts';
import { connectIdl } from '../../src/ovsdb/client/replica.ts';
import { recordBytesTransaction, replayRecord, snapshotToJson } from '../../src/ovsdb/engine/commit-json.ts';
import { parseCondition } from '../../src/ovsdb/engine/condition.ts';
import { Database } from '../../src/ovsdb/engine/database.ts';
import { applyDiff, datumDiff, datumsEqual, datumToJson, parseDatum } from '../../src/ovsdb/engine/datum.ts';
import { formatDatum } from '../../src/ovsdb/engine/datum-text.ts';
import { OvsdbError } from '../../src/ovsdb/engine/error.ts';
import { executeTransaction } from '../../src/ovsdb/engine/execute.ts';
import { parseMutation } from '../../src/ovsdb/engine/mutation.ts';
import { parseSchema, schemaToJson } from '../../src/ovsdb/engine/schema.ts';
import type { ColumnType } from '../../src/ovsdb/engine/types.ts';
import { parseDatumText } from '../../src/ovsdb/engine/value-text.ts';
import { type Json, JsonError } from '../../src/ovsdb/json/json.ts';
import { formatJson } from '../../src/ovsdb/json/json-format.ts';
import { JsonStream } from '../../src/ovsdb/json/json-stream.ts';
import { parseJson } from '../../src/ovsdb/json/json-text.ts';
import { parseRpcMessage } from '../../src/ovsdb/json/jsonrpc-message.ts';
import { encodeRecord, encodeRecordText, scanRecords } from '../../src/ovsdb/log/log-record.ts';
import { parseRaftHeader, parseRaftRecord } from '../../src/ovsdb/log/raft-file.ts';
import { spoil } from '../compare/flow-lines.ts';
import type { Dice } from '../compare/random.ts';
import { anyJson, hostileJson, mutateJson, spoiltText, UUIDS } from './json-maker.ts';
import type { Target } from './runner.ts';

const SCHEMA =
  '{"name":"D","version":"1.0.0","tables":{"A":{"isRoot":true,"maxRows":40,"indexes":[["n"]],"columns":{"n":{"type":"integer"},"s":{"type":{"key":"string","min":0}},' +
  '"e":{"type":{"key":{"type":"string","enum":["set",["a","b"]]},"min":0,"max":2}},"i":{"type":{"key":{"type":"integer","minInteger":-3,"maxInteger":9}}},"f":{"type":{"key":{"type":"real","minReal":0.5}}},' +
  '"m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},"constructor":{"type":"string","ephemeral":true},"r":{"type":{"key":{"type":"uuid","refTable":"B"},"min":0,"max":"unlimited"}},' +
  '"w":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},"min":0,"max":2},"mutable":false}}},"B":{"columns":{"n":{"type":"integer"},"r":{"type":{"key":{"type":"uuid","refTable":"B"},"min":0,"max":2}},' +
  '"w":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},"min":0,"max":"unlimited"}}}}}}';
const schema = parseSchema(parseJson(SCHEMA));
const [u0, u1, u2] = UUIDS as [string, string, string];

const OPERATIONS = [
  `[{"op":"insert","table":"A","row":{"n":1,"s":"x","r":["set",[["uuid","${u1}"]]]},"uuid":"${u0}"},{"op":"insert","table":"B","row":{"n":2},"uuid":"${u1}"}]`,
  `[{"op":"insert","table":"A","row":{"n":3,"m":["map",[["a","b"]]],"w":["uuid","${u0}"]},"uuid-name":"x"},{"op":"select","table":"A","where":[["_uuid","==",["named-uuid","x"]]]}]`,
  '[{"op":"update","table":"A","where":[["n","<",5],["s","includes","x"]],"row":{"s":["set",[]],"e":["set",["a","b"]]}}]',
  '[{"op":"mutate","table":"A","where":[],"mutations":[["n","*=",3],["m","insert",["map",[["k","v"]]]],["m","delete",["set",["a"]]],["i","+=",1]]}]',
  '[{"op":"delete","table":"A","where":[["m","excludes",["map",[["k","v"]]]]]}]',
  '[{"op":"wait","table":"A","where":[["n","!=",1]],"columns":["n","s"],"until":"==","rows":[{"n":1}],"timeout":0},{"op":"comment","comment":"c"}]',
  '[{"op":"commit","durable":true},{"op":"abort"},{"op":"assert","lock":"l"}]',
];
const UPDATES = [
  `{"A":{"${u0}":{"new":{"n":1,"s":"x","m":["map",[["a","b"]]]}}}}`,
  `{"A":{"${u0}":{"old":{"n":1},"new":{"n":2}}},"B":{"${u1}":{"old":{"n":1}}}}`,
  `{"A":{"${u0}":{"initial":{"n":1,"e":["set",["a"]]}},"${u2}":{"insert":{"n":7}}}}`,
  `{"A":{"${u0}":{"modify":{"n":4,"m":["map",[["a","c"]]],"e":["set",["b"]]}},"${u2}":{"delete":null}}}`,
];
const RECORDS = [
  `{"A":{"${u0}":{"n":1,"s":"x","r":["uuid","${u1}"]}},"B":{"${u1}":{"n":2}},"_date":1700000000000,"_comment":"c"}`,
  `{"A":{"${u0}":{"m":["map",[["a","b"]]],"e":["set",["a","b"]]}},"_date":1,"_is_diff":true}`,
  `{"A":{"${u0}":null,"${u2}":{"w":["set",[["uuid","${u0}"]]]}}}`,
  `{"B":{"${u1}":null}}`,
];
const RAFT = [
  `{"server_id":"${u0}","name":"D","local_address":"tcp:1.2.3.4:5","prev_servers":{"${u0}":"tcp:1.2.3.4:5"},"prev_index":1,"prev_eid":"${u1}","prev_term":1,"prev_data":[null,{}],"cluster_id":"${u2}"}`,
  `{"server_id":"${u0}","name":"D","local_address":"ssl:[::1]:5","remote_addresses":["tcp:1.2.3.4:6","unix:x"],"cluster_id":"${u2}"}`,
  `{"term":1,"index":2,"servers":{"${u0}":"tcp:1.2.3.4:5"},"election_timer":1000,"data":[null,{}],"eid":"${u1}"}`,
  `{"term":2,"vote":"${u0}","comment":"c"}`,
  `{"term":2,"leader":"${u0}"}`,
  '{"commit_index":3}',
  '{"note":"left"}',
];
const MESSAGES = [
  '{"id":1,"method":"m","params":["D",{}]}',
  '{"id":null,"method":"update","params":["D",{}]}',
  '{"id":1,"result":{},"error":null}',
  '{"id":"echo","result":null,"error":{"error":"x"}}',
];
const types = [...schema.tables.values()].flatMap((table) => table.columnList.slice(2).map(({ type }) => type));

/** Text whole and in pieces, also of a server that looks at each byte. */
function json(d: Dice): void {
  const pad = d.chance(1, 20) ? [' '.repeat(2000)] : d.chance(1, 50) ? ['x'.repeat(5000)] : [];
  const bytes = spoiltText(d, [...pad, hostileJson(d, [...OPERATIONS, ...MESSAGES, ...RAFT])]);
  let whole: string | undefined;
  try {
    whole = formatJson(parseJson(decodeText(bytes)));
  } catch (error) {
    assert.ok(error instanceof JsonError);
  }
  const stream = new JsonStream(undefined, d.chance(1, 2));
  const said: string[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + d.below(bytes.length);
      stream.push(bytes.subarray(at, at + size));
      for (let one = stream.next(); one !== undefined; one = stream.next()) said.push(formatJson(one));
      stream.keep();
      at += size;
    }
  } catch (error) {
    assert.ok(error instanceof JsonError);
  }
  if (whole !== undefined) assert.deepEqual(said, [whole]);
}

function schemas(d: Dice): void {
  const parsed = parseSchema(hostileJson(d, [SCHEMA]));
  const again = schemaToJson(parsed);
  assert.equal(formatJson(schemaToJson(parseSchema(again))), formatJson(again));
}

/** An atom that the type may allow. */
function anyAtom(d: Dice, type: string): Json {
  if (type === 'integer') return d.pick<Json>([d.below(12) - 4, 2n ** 63n - 1n, -(2n ** 63n), 2 ** 40]);
  if (type === 'real') return d.pick([0.5, 1e300, -0.25, d.below(9), 1 / 3]);
  if (type === 'boolean') return d.chance(1, 2);
  return type === 'uuid' ? ['uuid', d.pick(UUIDS)] : d.pick(['a', 'b', '', '\u20ac', '__proto__', 'x'.repeat(30)]);
}

/** A value of a type, now and then with something else in it. */
function anyValue(d: Dice, { key, value, max }: ColumnType): Json {
  const count = max === 1 && d.chance(2, 3) ? 1 : d.below(Math.min(max, 5) + 1);
  const atoms = Array.from({ length: count }, (): Json => {
    const first = anyAtom(d, key.type);
    return value === undefined ? first : [first, anyAtom(d, value.type)];
  });
  const json: Json = value !== undefined ? ['map', atoms] : count === 1 && d.chance(1, 2) ? atoms[0]! : ['set', atoms];
  return d.chance(1, 4) ? mutateJson(d, json) : json;
}

/** A value that is read is written as what is read as the same, and the difference of two leads from one to the other. */
function values(d: Dice): void {
  const type = d.pick(types);
  const datum = parseDatum(anyValue(d, type), type);
  assert.ok(datumsEqual(parseDatum(datumToJson(datum, type), type), datum));
  const other = parseDatum(anyValue(d, type), type);
  assert.ok(datumsEqual(applyDiff(datum, datumDiff(datum, other, type), type), other));
}

const TEXTS = ['[3, 1-2]', 'a "b c"', '{b=1, a="x=y"}', '[]', '{}', 'a=b,c=d', '"\\u00e9\\n"', '-5', '0.25', u0, '@x', 'true', '[a, b]'];

function valueText(d: Dice): void {
  let text = d.pick(TEXTS);
  for (let i = d.below(4); i > 0; i--) text = spoil(d, `${text} `);
  const type = d.pick(types);
  const symbols = (name: string): string => (name.startsWith('@') ? u1 : u0);
  formatDatum(parseDatumText(text, type, symbols), type);
}

function clauses(d: Dice): void {
  const table = d.pick([...schema.tables.values()]);
  if (d.chance(1, 2))
    parseCondition(hostileJson(d, ['[["n","==",1],["m","includes",["map",[["a","b"]]]]]', '[true,["_uuid","!=",["uuid","x"]]]']), table);
  else parseMutation(hostileJson(d, ['["n","+=",1]', '["m","insert",["map",[["a","b"]]]]', '["r","delete",["set",[]]]']), table);
}

/** A database that many runs change, and begin anew now and then. */
class Shelf {
  #database = new Database(schema);
  #uses = 0;
  take(): Database {
    if (++this.#uses % 500 === 0) this.#database = new Database(schema);
    return this.#database;
  }
}
const [transactShelf, updateShelf] = [new Shelf(), new Shelf()];

function transact(d: Dice): void {
  const operations = hostileJson(d, OPERATIONS);
  const outcome = executeTransaction(transactShelf.take(), Array.isArray(operations) ? operations : [operations]);
  if (outcome.kind === 'done') for (const result of outcome.result) formatJson(result);
}

/** Another server's updates, of either version: taken as a whole, or refused and nothing is changed. */
function updates(d: Dice): void {
  const database = updateShelf.take();
  const before = formatJson(snapshotToJson(database, '', 0));
  try {
    applyTableUpdates(database, hostileJson(d, UPDATES), d.chance(1, 10) ? database.tables.values() : []);
  } catch (error) {
    assert.equal(formatJson(snapshotToJson(database, '', 0)), before);
    throw error;
  }
}

/** Records one by one: by value and by bytes the database becomes the same, or the record is refused by both. */
function records(d: Dice): void {
  const [byValue, byBytes] = [new Database(schema), new Database(schema)];
  for (let i = 1 + d.below(3); i > 0; i--) {
    const text = formatJson(hostileJson(d, RECORDS));
    const outcome = (run: () => unknown): string => {
      try {
        return run() === false ? 'not for this' : '';
      } catch (error) {
        if (!(error instanceof OvsdbError)) throw error;
        return 'refused';
      }
    };
    const bytes = outcome(() => {
      const transaction = recordBytesTransaction(byBytes, Buffer.from(`${text}\n`));
      transaction?.commit();
      return transaction !== undefined;
    });
    const value = outcome(() => replayRecord(byValue, parseJson(text)));
    if (bytes === 'not for this')
      assert.equal(
        outcome(() => replayRecord(byBytes, parseJson(text))),
        value,
      );
    else assert.equal(bytes, value, text);
    assert.equal(formatJson(snapshotToJson(byBytes, '', 0)), formatJson(snapshotToJson(byValue, '', 0)));
  }
}

/** The bytes of a log, with something wrong in some of them: what is read is the beginning of what was written. */
function log(d: Dice): void {
  const written = d.some(4, () => hostileJson(d, RECORDS));
  const bytes = Buffer.concat(written.map((one) => (d.chance(1, 20) ? encodeRecordText('{"a":', 'JSON') : encodeRecord(one))));
  const isWhole = d.chance(1, 2);
  const damaged = isWhole ? bytes : spoiltBytes(d, bytes);
  const read: string[] = [];
  const { end } = scanRecords(damaged, 'f', (one) => void read.push(formatJson(one)));
  assert.ok(end <= damaged.length);
  assert.deepEqual(
    read,
    written.slice(0, read.length).map((one) => formatJson(one)),
  );
}

/** A database's file; whole records may say anything. */
export function databaseBytes(d: Dice): Buffer {
  const records = [d.chance(1, 4) ? hostileJson(d, [SCHEMA]) : parseJson(SCHEMA), ...d.some(5, () => hostileJson(d, RECORDS))];
  const bytes = Buffer.concat(records.map((one) => encodeRecord(one)));
  return d.chance(1, 3) ? spoiltBytes(d, bytes) : bytes;
}

/** The same of a server of a cluster. */
export function clusterBytes(d: Dice): Buffer {
  const header = d.chance(1, 2) ? (parseJson(RAFT[0]!) as Json) : hostileJson(d, RAFT.slice(0, 2));
  const entry = (index: number): Json => {
    const text = RAFT[2]!.replace('"index":2', `"index":${index}`).replace('[null,{}]', `[null,${d.pick(RECORDS)}]`);
    return d.chance(1, 2) ? (parseJson(text) as Json) : hostileJson(d, [text, ...RAFT.slice(3)]);
  };
  const records = [header, ...Array.from({ length: d.below(6) }, (_, i) => entry(2 + i))];
  const bytes = Buffer.concat(records.map((one) => encodeRecordText(formatJson(one), 'CLUSTER')));
  return d.chance(1, 3) ? spoiltBytes(d, bytes) : bytes;
}

function spoiltBytes(d: Dice, bytes: Buffer): Buffer {
  if (bytes.length === 0 || d.chance(1, 3)) return bytes.subarray(0, d.below(bytes.length + 1));
  bytes[d.below(bytes.length)]! ^= 1 << d.below(8);
  return bytes;
}

const SERVER_ROWS = ['standalone', 'clustered', 'relay'].map(
  (model) => `{"Database":{"${u0}":{"initial":{"name":"D","model":"${model}","connected":true,"leader":true,"index":5}}}}`,
);

/** A server that answers a client's requests with anything, and tells it anything. */
async function replica(d: Dice): Promise<void> {
  const [client, peer] = streamPair('test');
  const ANSWERS = [SCHEMA, '{"locked":true}', ...UPDATES, ...UPDATES.map((one) => `[${d.chance(1, 2)},"${u0}",${one}]`)];
  const send = (value: Json): void => peer.write(d.chance(1, 20) ? spoiltText(d, value) : Buffer.from(formatJson(value)));
  const notice = (): Json => {
    const method = d.pick(['update', 'update2', 'update3', 'locked', 'stolen', 'x']);
    const params: Json[] = [
      d.pick<Json>(['replica', 'server', null, 'l']),
      ...(method === 'update3' ? [u1] : []),
      hostileJson(d, d.chance(1, 6) ? SERVER_ROWS : UPDATES),
    ];
    return new Map<string, Json>([
      ['id', null],
      ['method', method],
      ['params', d.chance(1, 10) ? (hostileJson(d, UPDATES) as Json) : params],
    ]);
  };
  let requests = 0;
  const input = new JsonStream();
  peer.start({
    onData: (bytes) => {
      input.push(bytes);
      for (let one = input.next(); one !== undefined; one = input.next()) {
        if (!(one instanceof Map) || one.get('id') == null || requests++ > 6) continue;
        const fits =
          one.get('method') === 'get_schema'
            ? [SCHEMA]
            : one.get('method') === 'monitor_cond' && formatJson(one.get('params')!).startsWith('["_Server"')
              ? SERVER_ROWS
              : one.get('method') === 'monitor_cond_since'
                ? ANSWERS.slice(-UPDATES.length)
                : ANSWERS;
        const result = d.chance(1, 12) ? anyJson(d) : hostileJson(d, d.chance(1, 8) ? ANSWERS : fits);
        const error: Json = d.chance(1, 12) ? hostileJson(d, ['{"error":"unknown method","details":"x"}', '"unknown method"']) : null;
        send(
          new Map<string, Json>([
            ['id', d.chance(1, 20) ? anyJson(d) : one.get('id')!],
            ['result', error === null ? result : null],
            ['error', error],
          ]),
        );
        for (let i = d.below(3); i > 0; i--) send(notice());
      }
      input.keep();
    },
    onClose: () => {},
  });
  const options = { remotes: ['unix:x'], database: 'D', tables: 'all' as const, ...(d.chance(1, 2) ? { lock: 'l' } : {}) };
  let opened = 0;
  const idl = connectIdl(options, {
    connect: () => (opened++ === 0 ? Promise.resolve(client) : new Promise(() => {})),
    clock: new VirtualClock(),
  });
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    for (let n = d.below(3); n > 0; n--) send(notice());
  }
  await new Promise(setImmediate);
  for (const name of ['A', 'B'])
    for (const row of idl.rows(name).values())
      for (const column of ['n', 'm', 'r', 'constructor']) void [row.optional(column), row.set(column), row.map(column)];
  idl.close();
  peer.close();
  await new Promise(setImmediate);
}

/** A daemon's control socket. */
async function control(d: Dice): Promise<void> {
  const server = new UnixctlServer('testd');
  server.register('greet', 'NAME', 1, 2, ([name]) => `hello ${name}`);
  const [client, far] = streamPair('unix');
  server.accept(far);
  let replies = 0;
  const handlers: StreamHandlers = { onData: () => void replies++, onClose: () => {} };
  client.start(handlers);
  const samples = [
    '{"id":1,"method":"greet","params":["you"]}',
    '{"id":[1],"method":"list-commands","params":[]}',
    '{"id":2,"method":"version","params":["x"]}',
  ];
  for (let i = 1 + d.below(3); i > 0; i--) client.write(spoiltText(d, hostileJson(d, samples)));
  await new Promise(setImmediate);
  client.close();
  await new Promise(setImmediate);
}

export const OVSDB_TARGETS: Readonly<Record<string, Target>> = {
  json,
  rpc: (d) => parseRpcMessage(hostileJson(d, MESSAGES)),
  schemas,
  values,
  valueText,
  clauses,
  transact,
  updates,
  records,
  log,
  raft: (d) => {
    const record = hostileJson(d, RAFT);
    if (d.chance(1, 2)) parseRaftHeader(record, checkAddress);
    else parseRaftRecord(record, checkAddress);
  },
  replica,
  control,
};
