// kill -9 of ovsdb-server at random moments under load: what was acknowledged as durable is there after the next start.
// WEFT_OVSDB_KILLS sets how often it is killed (the project's proof: 500), WEFT_OVSDB_CLIENTS how many clients write at a time.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatabaseFile } from '../../src/daemon/ovsdb-server/file.ts';
import { connectStream } from '../../src/host/sockets/socket.ts';
import { parseSchema } from '../../src/ovsdb/engine/schema.ts';
import type { Json } from '../../src/ovsdb/json/json.ts';
import { parseJson } from '../../src/ovsdb/json/json-text.ts';
import { RpcSession } from '../../src/ovsdb/json/jsonrpc.ts';

const kills = Number(process.env['WEFT_OVSDB_KILLS'] ?? 4);
const clients = Number(process.env['WEFT_OVSDB_CLIENTS'] ?? 4);
const program = join(import.meta.dirname, '../../bin/ovsdb-server');
const schema =
  '{"name":"K","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"t":{"type":"string"}},"indexes":[["n"]]}}}';

async function open(socket: string): Promise<RpcSession> {
  for (let i = 0; ; i++) {
    try {
      const stream = await connectStream(`unix:${socket}`);
      return new RpcSession(stream, { onRequest: () => {}, onNotify: () => {}, onClose: () => {} });
    } catch (error) {
      if (i > 2400) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

test(`${kills} kills under load lose no durable commit`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-crash-'));
  const db = join(dir, 'db');
  const socket = join(dir, 's');
  let server: ChildProcess | undefined;
  const acknowledged = new Set<number>();
  const sent = new Set<number>();
  let next = 0;
  try {
    DatabaseFile.create(db, parseSchema(parseJson(schema)));
    const args = [`--remote=punix:${socket}`, '--unixctl=none', '-vconsole:off', db];
    const insert = (n: number): Json[] =>
      parseJson(
        JSON.stringify(['K', { op: 'insert', table: 'T', row: { n, t: 'x'.repeat(n % 300) } }, { op: 'commit', durable: true }]),
      ) as Json[];
    for (let round = 0; round <= kills; round++) {
      rmSync(socket, { force: true });
      const running = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: dir }, stdio: 'ignore' });
      server = running;
      const exited = new Promise((resolve) => running.on('exit', resolve));
      const reader = await open(socket);
      const [rows] = (await reader.call(
        'transact',
        parseJson('["K",{"op":"select","table":"T","where":[],"columns":["n"]}]') as Json[],
      )) as Map<string, Json>[];
      const found = new Set(((rows?.get('rows') ?? []) as Map<string, Json>[]).map((row) => row.get('n') as number));
      for (const n of acknowledged) assert.ok(found.has(n), `round ${round}: acknowledged commit ${n} is lost`);
      for (const n of found) assert.ok(sent.has(n), `round ${round}: ${n} was never sent`);
      reader.close();
      if (round === kills) break;
      const writers = await Promise.all(Array.from({ length: clients }, () => open(socket)));
      const before = acknowledged.size;
      const write = async (session: RpcSession): Promise<void> => {
        for (;;) {
          const n = next++;
          sent.add(n);
          const result = (await session.call('transact', insert(n))) as Json[];
          assert.equal(result.length, 2);
          acknowledged.add(n);
        }
      };
      const writing = writers.map((session) => write(session).catch(() => {}));
      while (acknowledged.size < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
      running.kill('SIGKILL');
      await Promise.all([exited, ...writing]);
    }
    assert.ok(acknowledged.size >= 5 * kills);
    assert.ok(existsSync(db) && readFileSync(db).length > 0);
  } finally {
    server?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});
