import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitText, replayRecord, snapshotToJson } from '../engine/commit-json.ts';
import { Database } from '../engine/database.ts';
import { executeTransaction } from '../engine/execute.ts';
import { parseSchema } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';
import { encodeRecordText, placeRecord, scanRecords } from './log-record.ts';

const schema = parseSchema(
  parseJson(
    '{"name":"T","version":"1.0.0","tables":{"A":{"isRoot":true,"columns":{"n":{"type":"integer"},"s":{"type":{"key":"string","min":0,"max":"unlimited"}},' +
      '"m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}},"b":{"type":{"key":{"type":"uuid","refTable":"B"},"min":0,"max":"unlimited"}}}},"B":{"columns":{"x":{"type":"real"}}}}}',
  ),
);
const content = (database: Database): string => formatJson(snapshotToJson(database, '', 0), { sort: true });

/** A log of some transactions, with the database's content after each record. */
function writeLog(): { bytes: Buffer; ends: number[]; contents: string[] } {
  const database = new Database(schema);
  const pieces: Buffer[] = [];
  const ends: number[] = [];
  const contents: string[] = [];
  let size = 0;
  database.store = (commit) => {
    const text = commitText(commit, 1);
    if (text !== undefined) pieces.push(encodeRecordText(text));
  };
  const transactions = [
    '[{"op":"insert","table":"B","row":{"x":1.5},"uuid-name":"b"},{"op":"insert","table":"A","row":{"n":1,"s":["set",["a","b"]],"b":["named-uuid","b"]}}]',
    '[{"op":"mutate","table":"A","where":[],"mutations":[["s","insert",["set",["c","__proto__"]]],["m","insert",["map",[["k",1],["l",2]]]]]}]',
    '[{"op":"mutate","table":"A","where":[],"mutations":[["s","delete",["set",["a"]]],["m","delete",["set",["k"]]]]},{"op":"comment","comment":"x"}]',
    '[{"op":"update","table":"A","where":[],"row":{"m":["map",[["l",3]]],"n":9007199254740993}}]',
    '[{"op":"delete","table":"A","where":[]}]',
  ];
  for (const text of transactions) {
    const before = pieces.length;
    const outcome = executeTransaction(database, parseJson(text) as Json[]);
    assert.ok(outcome.kind === 'done' && outcome.succeeded);
    assert.equal(pieces.length, before + 1);
    size += pieces.at(-1)?.length ?? 0;
    ends.push(size);
    contents.push(content(database));
  }
  return { bytes: Buffer.concat(pieces), ends, contents };
}

function replay(bytes: Buffer): { end: number; content: string } {
  const database = new Database(schema);
  const { end } = scanRecords(bytes, 'log', (json) => replayRecord(database, json));
  return { end, content: content(database) };
}

test('a log cut at any byte gives the state after its last whole record', () => {
  const { bytes, ends, contents } = writeLog();
  const empty = content(new Database(schema));
  for (let cut = 0; cut <= bytes.length; cut++) {
    const whole = ends.filter((end) => end <= cut).length;
    const { end, content: got } = replay(bytes.subarray(0, cut));
    assert.equal(end, whole === 0 ? 0 : ends[whole - 1]);
    assert.equal(got, whole === 0 ? empty : contents[whole - 1]);
  }
});

test('a flipped bit anywhere is never taken for data', () => {
  const { bytes, ends, contents } = writeLog();
  const empty = content(new Database(schema));
  const inHash = (at: number): boolean => /^OVSDB JSON \d+ /.test(bytes.toString('latin1', bytes.lastIndexOf(10, at - 1) + 1, at));
  for (let at = 0; at < bytes.length; at++) {
    const bad = Buffer.from(bytes);
    bad[at] = (bad[at] as number) ^ (1 << (at % 8));
    // A hash with a capital letter is the same hash: then nothing is lost.
    const isCase =
      bad[at] !== bytes[at] && String.fromCharCode(bad[at] ?? 0).toLowerCase() === String.fromCharCode(bytes[at] ?? 0) && inHash(at);
    const whole = isCase ? ends.length : ends.filter((end) => end <= at).length;
    assert.equal(replay(bad).content, whole === 0 ? empty : contents[whole - 1], `byte ${at}`);
  }
});

test('a record put into a room is the record', () => {
  const room = Buffer.alloc(8192);
  for (const text of ['{}', '{"A":"\u00fc\u20ac\ud83d\ude00"}', `{"A":"${'x'.repeat(2000)}"}`, '{"B":null}']) {
    const { start, end } = placeRecord(room, text);
    assert.deepEqual(room.subarray(start, end), encodeRecordText(text));
  }
});
