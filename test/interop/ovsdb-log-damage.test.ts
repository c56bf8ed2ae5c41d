// A log of many records cut at every byte, and with a bit flipped in every byte: every intact prefix is recovered, and nothing wrong is ever taken for
// data. Of a sample Debian's ovsdb-tool must say the same. Content is compared by a digest of what the engine holds after each record.
// WEFT_OVSDB_RECORDS sets how many records (the project's proof: 1,000), WEFT_OVSDB_STEP looks at every n-th byte only.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { captureRows, commitText, replayRecord, snapshotPieces } from '../../src/ovsdb/engine/commit-json.ts';
import { Database } from '../../src/ovsdb/engine/database.ts';
import { executeTransaction } from '../../src/ovsdb/engine/execute.ts';
import { parseSchema } from '../../src/ovsdb/engine/schema.ts';
import type { Json } from '../../src/ovsdb/json/json.ts';
import { parseJson } from '../../src/ovsdb/json/json-text.ts';
import { encodeRecordText, scanRecords } from '../../src/ovsdb/log/log-record.ts';

const records = Number(process.env['WEFT_OVSDB_RECORDS'] ?? 60);
const step = Number(process.env['WEFT_OVSDB_STEP'] ?? 1);
const samples = Number(process.env['WEFT_OVSDB_SAMPLES'] ?? 16);
const reference = '/usr/bin/ovsdb-tool';
const SCHEMA =
  '{"name":"D","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"s":{"type":{"key":"string","min":0,"max":"unlimited"}},' +
  '"m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}}}}}';

function digest(database: Database): string {
  const hash = createHash('sha1');
  for (const piece of snapshotPieces(captureRows(database), '', 0)) hash.update(piece);
  return hash.digest('hex');
}

/** A log, where each record ends, and the digest of the content after it. */
function writeLog(): { bytes: Buffer; ends: number[]; digests: string[] } {
  const database = new Database(parseSchema(parseJson(SCHEMA)));
  const pieces = [encodeRecordText(SCHEMA)];
  database.store = (commit) => {
    const text = commitText(commit, 1_700_000_000_000);
    if (text !== undefined) pieces.push(encodeRecordText(text));
  };
  const digests = [digest(database)];
  for (let i = 1; i < records; i++) {
    const text =
      i % 3 === 1
        ? `[{"op":"insert","table":"T","row":{"n":${i},"s":["set",["a","${i}"]]}}]`
        : i % 3 === 2
          ? `[{"op":"mutate","table":"T","where":[["n","==",${i - 1}]],"mutations":[["s","insert","x${i}"],["m","insert",["map",[["k",${i}]]]]]}]`
          : `[{"op":"update","table":"T","where":[["n","==",${i - 2}]],"row":{"m":["map",[["k",${-i}],["\\u20ac",1]]]}}${i % 9 === 0 ? `,{"op":"delete","table":"T","where":[["n","<",${String(i - 20)}]]}` : ''}]`;
    const before = pieces.length;
    const outcome = executeTransaction(database, parseJson(text) as Json[]);
    assert.ok(outcome.kind === 'done' && outcome.succeeded, text);
    assert.equal(pieces.length, before + 1, text);
    digests.push(digest(database));
  }
  let end = 0;
  return { bytes: Buffer.concat(pieces), ends: pieces.map(({ length }) => (end += length)), digests };
}

const { bytes, ends, digests } = writeLog();

/** How many records of the damaged bytes are believed, from the record with this number on; the ones before are as they were. */
function believed(damaged: Buffer, from: number): { count: number; same: boolean } {
  const start = from === 0 ? 0 : (ends[from - 1] as number);
  let count = from;
  let same = true;
  scanRecords(damaged.subarray(start), 'log', (json) => {
    // A record that is believed must be the one that was written.
    same &&= isSame(json, count);
    count++;
  });
  return { count, same };
}

const texts: string[] = [];
function isSame(json: Json, number: number): boolean {
  if (texts.length === 0) scanRecords(bytes, 'log', (record) => void texts.push(JSON.stringify(record, plain)));
  return JSON.stringify(json, plain) === texts[number];
}
function plain(_: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}

const recordAt = (offset: number): number => ends.findIndex((end) => end > offset);

test(`a log of ${records} records (${bytes.length} bytes): all of it gives the content after each record`, () => {
  let database: Database | undefined;
  let number = 0;
  scanRecords(bytes, 'log', (json) => {
    if (number === 0) database = new Database(parseSchema(json));
    else if (database !== undefined) replayRecord(database, json);
    assert.equal(database === undefined ? '' : digest(database), digests[number++]);
  });
  assert.equal(number, records);
});

test('cut at every byte it gives the records before the cut', () => {
  for (let cut = 0; cut <= bytes.length; cut += step) {
    const whole = cut === bytes.length ? records : recordAt(cut);
    const got = believed(bytes.subarray(0, cut), Math.max(0, whole - 1));
    assert.deepEqual(got, { count: whole, same: true }, `cut at ${cut}`);
  }
});

test('with a bit flipped in any byte it gives the records before that', () => {
  for (let at = 0; at < bytes.length; at += step) {
    const whole = recordAt(at);
    const bit = 1 << (at % 8);
    bytes[at] = (bytes[at] as number) ^ bit;
    const got = believed(bytes, whole);
    const isCase =
      bit === 32 && /[A-F]/.test(String.fromCharCode(bytes[at] as number)) && bytes.lastIndexOf(10, at) === (ends[whole - 1] ?? 0) - 1;
    bytes[at] = (bytes[at] as number) ^ bit;
    // A hash with a capital letter is the same hash.
    assert.deepEqual(got, { count: isCase ? records : whole, same: true }, `bit flipped at ${at}`);
  }
});

test('Debian judges damaged logs as we do', { skip: !existsSync(reference) }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-damage-'));
  const ours = join(import.meta.dirname, '../../bin/ovsdb-tool');
  try {
    for (let i = 0; i < samples; i++) {
      // Every other one in a header: at its start, its length, its hash, its end.
      const record = Math.floor((records * (i + 0.5)) / samples);
      const start = record === 0 ? 0 : (ends[record - 1] as number);
      const at =
        start +
        (i % 4 < 2
          ? [0, 2, 5, 7, 10, 11, 12, 13, 14, 15, 20, 54, 55, 56, 57][(i >> 1) % 15]!
          : (i * 7) % ((ends[record] as number) - start));
      const damaged = i % 2 === 0 ? bytes.subarray(0, at) : Buffer.from(bytes);
      if (i % 2 === 1) damaged[at] = (damaged[at] as number) ^ (1 << (i % 8));
      const path = join(dir, 'db');
      writeFileSync(path, damaged);
      const say = (program: string, ...args: string[]): string => {
        const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
        return `${status} ${stdout} ${stderr.replace(/^\S+Z\|\d+\|/gm, '')}`;
      };
      for (const args of [
        ['show-log', path],
        ['query', path, '["D",{"op":"select","table":"T","where":[["n",">",0]],"columns":["n"]}]'],
      ]) {
        const normal = (text: string): string => text.replace(/\{"n":(-?\d+)\},?/g, '').replace(/"rows":\[\]/, '"rows"');
        assert.equal(
          normal(say(ours, ...args)),
          normal(say(reference, ...args)),
          `${args[0]} of ${i % 2 === 0 ? 'a cut' : 'a flip'} at ${at}`,
        );
      }
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
