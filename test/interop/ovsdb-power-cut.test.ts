// A machine that stops at once, under load: what was acknowledged as durable is there at the next boot, though the database file itself lacks it.
// The database is on a file system in an image. The server is stopped in the middle of its work, and the image copied: that is what the disk has of it.
// WEFT_OVSDB_CUTS sets how often.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatabaseFile, readDatabaseFile } from '../../src/daemon/ovsdb-server/file.ts';
import { connectStream } from '../../src/host/sockets/socket.ts';
import { parseSchema } from '../../src/ovsdb/engine/schema.ts';
import type { Json } from '../../src/ovsdb/json/json.ts';
import { parseJson } from '../../src/ovsdb/json/json-text.ts';
import { RpcSession } from '../../src/ovsdb/json/jsonrpc.ts';

const cuts = Number(process.env['WEFT_OVSDB_CUTS'] ?? 3);
const program = join(import.meta.dirname, '../../bin/ovsdb-server');
const schema = '{"name":"P","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"t":{"type":"string"}}}}}';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** More than the server needs to find that a journal is worth while. */
const LEAST_COMMITS = 300;
const sh = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8' });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function connect(socket: string): Promise<RpcSession> {
  for (let i = 0; ; i++) {
    try {
      return new RpcSession(await connectStream(`unix:${socket}`), { onRequest: () => {}, onNotify: () => {}, onClose: () => {} });
    } catch (error) {
      if (i > 800) throw error;
      await sleep(25);
    }
  }
}

const serve = (dir: string, db: string): { child: ChildProcess; ended: Promise<unknown>; socket: string } => {
  const socket = join(dir, 's');
  rmSync(socket, { force: true });
  const args = [`--remote=punix:${socket}`, '--unixctl=none', '-vconsole:off', db];
  const child = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: dir }, stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)), socket };
};

/** Writes rows one by one, durably, until told to stop; `n` from `first` on. */
function write(session: RpcSession, first: number): { acknowledged: () => number; stopped: Promise<void> } {
  let next = first;
  const one = async (): Promise<void> => {
    for (;;) {
      const row = { n: next, t: 'x'.repeat(next % 700) };
      await session.call(
        'transact',
        parseJson(JSON.stringify(['P', { op: 'insert', table: 'T', row }, { op: 'commit', durable: true }])) as Json[],
      );
      next++;
    }
  };
  return { acknowledged: () => next, stopped: one().catch(() => {}) };
}

/** The numbers of the rows in a database file, which was never compacted. */
function rowsInFile(path: string): Set<number> {
  const found = new Set<number>();
  readDatabaseFile(path, (json) => {
    const rows = (json as Map<string, Json>).get('T');
    if (rows instanceof Map) for (const row of rows.values()) found.add(Number((row as Map<string, Json>).get('n') ?? 0));
  });
  return found;
}

test(`${cuts} cuts of the power under load lose no durable commit`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-power-'));
  const [image, cut, disk, after] = ['image', 'cut', 'disk', 'after'].map((name) => join(dir, name)) as [string, string, string, string];
  let child: ChildProcess | undefined;
  let lacking = 0;
  try {
    mkdirSync(disk);
    mkdirSync(after);
    sh('truncate', '-s', '96M', image);
    sh('mkfs.ext4', '-q', image);
    for (let round = 0; round < cuts; round++) {
      sh('mount', '-o', 'loop', image, disk);
      const db = join(disk, 'db');
      if (round === 0) DatabaseFile.create(db, parseSchema(parseJson(schema)));
      const before = serve(dir, db);
      child = before.child;
      const session = await connect(before.socket);
      const rows = rowsInFile(db);
      const first = rows.size === 0 ? 0 : Math.max(...rows) + 1;
      const writing = write(session, first);
      while (writing.acknowledged() < first + LEAST_COMMITS) await sleep(5);
      await sleep(Math.random() * 1500);
      before.child.kill('SIGSTOP');
      const acknowledged = writing.acknowledged();
      sh('cp', image, cut);
      before.child.kill('SIGKILL');
      await Promise.all([before.ended, writing.stopped]);
      sh('umount', disk);

      // The next boot.
      writeFileSync(join(dir, 'boot'), `00000000-0000-0000-0000-00000000000${round % 10}\n`);
      sh('mount', '--bind', join(dir, 'boot'), BOOT_ID);
      sh('mount', '-o', 'loop', cut, after);
      const file = join(after, 'db');
      const has = rowsInFile(file);
      for (let n = 0; n < acknowledged; n++) if (!has.has(n)) lacking++;
      const next = serve(dir, file);
      child = next.child;
      const reader = await connect(next.socket);
      const select = parseJson('["P",{"op":"select","table":"T","where":[],"columns":["n"]}]') as Json[];
      const [answer] = (await reader.call('transact', select)) as Map<string, Json>[];
      const found = new Set(((answer?.get('rows') ?? []) as Map<string, Json>[]).map((row) => Number(row.get('n'))));
      for (let n = 0; n < acknowledged; n++) assert.ok(found.has(n), `cut ${round}: acknowledged commit ${n} of ${acknowledged} is lost`);
      for (const n of found) assert.ok(n <= acknowledged + 1, `cut ${round}: ${n} was not yet sent`);
      assert.ok(!existsSync(join(after, '.db.~sync~')), 'the journal is gone once the file has what it said');
      reader.close();
      next.child.kill('SIGTERM');
      await next.ended;
      assert.deepEqual([...rowsInFile(file)].sort(), [...found].sort(), 'the file itself has what the server has');
      sh('umount', after);
      sh('umount', BOOT_ID);
      sh('cp', cut, image);
    }
    assert.ok(lacking > 0, 'the file itself never lacked anything: no cut was one');
  } finally {
    child?.kill('SIGKILL');
    await sleep(50);
    for (const at of [disk, after, BOOT_ID]) {
      try {
        execFileSync('umount', [at], { stdio: 'ignore' });
      } catch {
        // Not mounted.
      }
    }
    rmSync(dir, { recursive: true, force: true });
  }
});
