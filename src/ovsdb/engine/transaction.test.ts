// What the reference's answers showed to be otherwise than one would think; each found by random transactions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';
import { parseMonitorSpec } from '../server/monitor-spec.ts';
import { initialUpdates } from '../server/monitor-update.ts';
import { commitText, replayRecord } from './commit-json.ts';
import { type Commit, Database } from './database.ts';
import { executeTransaction } from './execute.ts';
import { parseSchema } from './schema.ts';

const SCHEMA =
  '{"name":"S","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"k":{"type":"integer"},"x":{"type":"real"},"i":{"type":{"key":"integer","min":0,"max":"unlimited"}},' +
  '"c":{"type":{"key":"string","min":1,"max":3}},"r":{"type":{"key":"real","min":0,"max":3}},"w":{"type":{"key":{"type":"uuid","refTable":"T","refType":"weak"},"min":0,"max":1}}}},' +
  '"M":{"isRoot":true,"maxRows":1,"columns":{"w":{"type":{"key":{"type":"uuid","refTable":"T","refType":"weak"},"min":1,"max":1}}}}}}';
const database = (): Database => new Database(parseSchema(parseJson(SCHEMA)));
const run = (db: Database, text: string): string => {
  const outcome = executeTransaction(db, parseJson(`[${text}]`) as Json[]);
  return outcome.kind === 'done' ? formatJson(outcome.result) : 'wait';
};
const rows = (db: Database, column: string): string => run(db, `{"op":"select","table":"T","where":[],"columns":["${column}"]}`);

test('arithmetic that makes two elements of a set equal is an error', () => {
  const db = database();
  run(db, '{"op":"insert","table":"T","row":{"i":["set",[1,2]],"r":["set",[1,-1]]}}');
  assert.match(
    run(db, '{"op":"mutate","table":"T","where":[],"mutations":[["i","*=",0]]}'),
    /Result of \\"\*=\\" operation contains duplicates\./,
  );
  assert.match(run(db, '{"op":"mutate","table":"T","where":[],"mutations":[["r","*=",0]]}'), /constraint violation/);
  assert.equal(run(db, '{"op":"mutate","table":"T","where":[],"mutations":[["i","+=",1]]}'), '[{"count":1}]');
});

test('a real is printed with 15 digits whether it is whole or not, and zero with its sign', () => {
  const db = database();
  run(db, '{"op":"insert","table":"T","row":{"x":1e15}}');
  const texts: string[] = [];
  db.store = (commit: Commit) => void texts.push(commitText(commit, 0) ?? '');
  run(db, '{"op":"mutate","table":"T","where":[],"mutations":[["x","*=",2]]},{"op":"update","table":"T","where":[],"row":{"k":1}}');
  run(
    db,
    '{"op":"update","table":"T","where":[],"row":{"x":5}},{"op":"mutate","table":"T","where":[],"mutations":[["x","*=",0],["x","*=",-1]]}',
  );
  assert.match(texts[0] ?? '', /"x":2e\+15/);
  assert.match(texts[1] ?? '', /"x":-0[,}]/);
});

test('maxRows is looked at before weak references', () => {
  const m = '{"op":"insert","table":"M","row":{"w":["uuid","10000001-1111-4111-8111-000206854765"]}}';
  assert.match(run(database(), `${m},${m}`), /greater than the schema-defined limit of 1 row/);
  assert.match(run(database(), m), /Deletion of 1 weak reference/);
});

test('a difference that the reference would misread is not written', () => {
  const db = database();
  const texts: string[] = [];
  db.store = (commit) => void texts.push(commitText(commit, 0) ?? '');
  run(db, '{"op":"insert","table":"T","row":{}}');
  run(db, '{"op":"update","table":"T","where":[],"row":{"k":1,"c":"a"}}');
  assert.match(texts[1] ?? '', /"c":"a"\}/);
  assert.doesNotMatch(texts[1] ?? '', /_is_diff/);
  run(db, '{"op":"update","table":"T","where":[],"row":{"c":["set",["b","c"]]}}');
  assert.match(texts[2] ?? '', /"c":\["set",\["a","b","c"\]\]\}.*_is_diff/);
  run(db, '{"op":"update","table":"T","where":[],"row":{"c":["set",["d","e"]]}}');
  assert.match(texts[3] ?? '', /"c":\["set",\["d","e"\]\]\}/);
  assert.doesNotMatch(texts[3] ?? '', /_is_diff/);
  const other = database();
  for (const text of texts) replayRecord(other, parseJson(text));
  assert.equal(rows(other, 'c'), rows(db, 'c'));
});

test('of several monitor requests for a table the first has the condition', () => {
  const db = database();
  run(db, '{"op":"insert","table":"T","row":{"k":1}},{"op":"insert","table":"T","row":{"k":2}}');
  const count = (requests: string): number => {
    let text = '';
    initialUpdates(parseMonitorSpec(parseJson(`{"T":${requests}}`), db, 2), (piece) => {
      text += piece;
    });
    return text.match(/initial/g)?.length ?? 0;
  };
  assert.equal(count('[{"columns":["k"],"where":[["k","==",1]]},{"columns":["x"],"where":[["k","==",2]]}]'), 1);
  assert.equal(count('[{"columns":["k"]},{"columns":["x"],"where":[["k","==",2]]}]'), 2);
  assert.throws(() => count('[{"columns":["k"]},{"columns":["x"],"where":[["nosuch","==",2]]}]'));
});

test('products at the end of 64 bits are those of the reference', () => {
  const product = (x: string, op: string, y: string): string => {
    const db = database();
    run(db, `{"op":"insert","table":"T","row":{"k":${x}}}`);
    const said = run(db, `{"op":"mutate","table":"T","where":[],"mutations":[["k","${op}",${y}]]}`);
    return said.includes('range error') ? 'range error' : (/"k":(-?\d+)/.exec(rows(db, 'k'))?.[1] ?? said);
  };
  const max = '9223372036854775807';
  const min = '-9223372036854775808';
  assert.equal(product(max, '*=', '1'), 'range error');
  assert.equal(product('9223372036854775806', '*=', '1'), '9223372036854775806');
  assert.equal(product('4611686018427387903', '*=', '2'), 'range error');
  assert.equal(product('3037000499', '*=', '3037000499'), '9223372030926249001');
  assert.equal(product(min, '*=', '-1'), min);
  assert.equal(product('-1', '*=', min), 'range error');
  assert.equal(product(max, '*=', '-1'), '-9223372036854775807');
  assert.equal(product('2', '*=', min), 'range error');
  assert.equal(product(min, '%=', '-1'), 'range error');
});
