// The journal beside a database: when it comes and goes, and whose it must not touch.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJournalHead, encodeJournalHead } from '../../ovsdb/log/sync-journal.ts';
import { FileLog } from './file-log.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const record = (n: number): string => `{"_date":${n}}`;

async function within(folder: (dir: string, path: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-journal-'));
  const path = join(dir, 'db');
  try {
    FileLog.create(path, [() => ['{"name":"J","tables":{}}']]);
    await folder(dir, path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** How many records behind the schema a file has. */
function count(path: string): number {
  let records = -1;
  FileLog.open(path, true, () => void records++).log.close();
  return records;
}

/** Appends durably until the journal is there and has something. */
async function untilJournal(log: FileLog, journal: string): Promise<number> {
  let n = 0;
  for (let inJournal = 0; inJournal < 3 && n < 20_000; n++) {
    log.append(record(n), true);
    log.sync();
    if (n % 20 < 19) continue;
    await sleep(1);
    if (existsSync(journal) && readFileSync(journal).includes('SYNC ', 4096)) inJournal++;
  }
  return n;
}

/** Makes a journal one of another boot. */
function fromOtherBoot(bytes: Buffer): Buffer {
  const owner = decodeJournalHead(bytes);
  assert.ok(owner !== undefined);
  return Buffer.concat([encodeJournalHead({ ...owner, bootId: 'f00d' }), bytes.subarray(4096)]);
}

test('a journal comes with many syncs in quick succession and is gone a while after the last', () =>
  within(async (dir, path) => {
    const { log } = FileLog.open(path, false, () => {});
    const journal = join(dir, '.db.~sync~');
    for (let n = 0; n < 20; n++) {
      log.append(record(n), true);
      log.sync();
    }
    assert.ok(!existsSync(journal), 'a few durable records need none');
    const more = await untilJournal(log, journal);
    assert.ok(existsSync(journal));
    for (let i = 0; i < 60 && existsSync(journal); i++) await sleep(100);
    assert.ok(!existsSync(journal));
    log.append(record(-1), true);
    log.sync();
    log.close();
    assert.equal(count(path), 20 + more + 1);
    assert.deepEqual(readdirSync(dir).sort(), ['.db.~lock~', 'db']);
  }));

test('closing and rewriting take the journal away', () =>
  within(async (dir, path) => {
    const { log } = FileLog.open(path, false, () => {});
    const journal = join(dir, '.db.~sync~');
    await untilJournal(log, journal);
    log.rewriteNow([() => ['{"name":"J","tables":{}}'], () => [record(7)]]);
    assert.ok(!existsSync(journal));
    assert.equal(count(path), 1);
    const more = await untilJournal(log, journal);
    log.close();
    assert.deepEqual(readdirSync(dir).sort(), ['.db.~lock~', 'db']);
    assert.equal(count(path), 1 + more);
  }));

test('what a file lacks is taken from the journal of an earlier boot, and only from its own', () =>
  within(async (dir, path) => {
    const { log } = FileLog.open(path, false, () => {});
    const journal = join(dir, '.db.~sync~');
    const all = await untilJournal(log, journal);
    const [file, kept] = [readFileSync(path), fromOtherBoot(readFileSync(journal))];
    const mtime = statSync(path).mtimeMs / 1000;
    log.close();
    const short = file.subarray(0, file.length - 500);
    const opened = (bytes: Buffer, journalBytes: Buffer | undefined, changed = mtime): number => {
      writeFileSync(path, bytes);
      utimesSync(path, changed, changed);
      if (journalBytes !== undefined) writeFileSync(journal, journalBytes);
      FileLog.open(path, false, () => {}).log.close();
      assert.ok(!existsSync(journal));
      return count(path);
    };
    const without = opened(short, undefined);
    assert.ok(without < all);
    assert.equal(opened(short, kept), all, 'lost and found');
    assert.deepEqual(readFileSync(path), file);
    assert.equal(opened(Buffer.concat([short, Buffer.alloc(500)]), kept), all, 'room that was never written');
    const ownBoot = Buffer.from(kept);
    encodeJournalHead({
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      inode: statSync(path, { bigint: true }).ino,
      half: 1 << 20,
    }).copy(ownBoot);
    assert.equal(opened(short, ownBoot), without, 'in this boot the file has what it was given: it was cut by somebody');
    assert.equal(opened(short, kept, mtime + 60), without, 'changed later by somebody else');
    assert.equal(opened(short, kept.subarray(0, 3000)), without, 'a torn journal');
    const other = Buffer.from(file.toString('latin1').replace(/"_date":\d/g, '"_date":9'), 'latin1').subarray(0, short.length);
    assert.ok(opened(other, kept) < all, 'another history');
  }));

test('where no journal can be made the file itself is synced', () =>
  within(async (dir, path) => {
    mkdirSync(join(dir, '.db.~sync~'));
    const { log } = FileLog.open(path, false, () => {});
    for (let n = 0; n < 300; n++) {
      log.append(record(n), true);
      log.sync();
      if (n % 50 === 0) await sleep(1);
    }
    log.close();
    assert.equal(count(path), 300);
  }));
