import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../json/json-text.ts';
import { convertDatabase } from './conversion.ts';
import { Database } from './database.ts';
import { executeTransaction } from './execute.ts';
import { type DatabaseSchema, parseSchema } from './schema.ts';

const schema = (columns: string, more = ''): DatabaseSchema =>
  parseSchema(parseJson(`{"name":"T","version":"1.0.0","tables":{"A":{"isRoot":true,"columns":{${columns}}${more}}}}`));
const K = '"k":{"type":"integer"}';
const V = '"v":{"type":{"key":"integer","value":{"type":"boolean","enum":["set",[true]]},"min":1}}';

function twoRows(): Database {
  const database = new Database(schema(K));
  executeTransaction(
    database,
    [1, 1].map((k) => parseJson(`{"op":"insert","table":"A","row":{"k":${k}}}`)),
  );
  return database;
}

test('a conversion that breaks an index is refused and leaves the database as it was', () => {
  const database = twoRows();
  assert.throws(
    () => convertDatabase(database, schema(K, ',"indexes":[["k"]]')),
    /multiple rows in "A" table to have identical values \(1\)/,
  );
  assert.equal(database.tables.get('A')?.rows.size, 2);
});

test('a default that is none of the values allowed is borne until the next conversion', () => {
  const converted = convertDatabase(twoRows(), schema(`${K},${V}`));
  const outcome = executeTransaction(converted, [parseJson('{"op":"mutate","table":"A","where":[],"mutations":[["v","delete",5]]}')]);
  assert.ok(outcome.kind === 'done' && outcome.succeeded);
  assert.throws(() => convertDatabase(converted, schema(`${K},${V}`)), /false is not one of the allowed values/);
});
