// When a served database is compacted without being asked: ovsdb-server(1), ovsdb-server/compact.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { executeTransaction } from '../../ovsdb/engine/execute.ts';
import { parseSchema } from '../../ovsdb/engine/schema.ts';
import { parseJson } from '../../ovsdb/json/json-text.ts';
import { DatabaseFile } from './file.ts';

const MINUTE_MS = 60_000;
const SCHEMA = '{"name":"T","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"s":{"type":"string"}}}}}';

test('compacted by itself: at twice its size and 10 MB, not before 100 commits and 10 minutes; after a day with 100 commits', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const dir = mkdtempSync(join(tmpdir(), 'weft-file-'));
  const path = join(dir, 'db');
  DatabaseFile.create(path, parseSchema(parseJson(SCHEMA)));
  const file = DatabaseFile.open(path);
  try {
    const put = (size: number): void =>
      void executeTransaction(file.database, [
        parseJson('{"op":"delete","table":"T","where":[]}'),
        parseJson(`{"op":"insert","table":"T","row":{"s":"${'x'.repeat(size)}"}}`),
      ]);
    for (let i = 0; i < 99; i++) put(120_000);
    now = 11 * MINUTE_MS;
    assert.equal(file.wantsCompaction, false, 'after 99 commits');
    put(10);
    assert.equal(file.wantsCompaction, true);
    now = 9 * MINUTE_MS;
    assert.equal(file.wantsCompaction, false, 'before 10 minutes have passed');
    now = 11 * MINUTE_MS;
    await file.compact('compacted');
    assert.ok(statSync(path).size < 1000);
    assert.equal(file.wantsCompaction, false, 'when it has been done');
    for (let i = 0; i < 100; i++) put(10);
    now += 23 * 60 * MINUTE_MS;
    assert.equal(file.wantsCompaction, false, 'a small one before the day is over');
    now += 61 * MINUTE_MS;
    assert.equal(file.wantsCompaction, true, 'a small one after a day');
  } finally {
    file.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
