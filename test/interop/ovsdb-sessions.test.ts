// Several sessions of one server, Debian's and ours: locks, waits, cancel, the database of databases, conversion and removal of a served database.
// What each session hears, in order, must be the same text; between sessions the order is open.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RawRpc } from './support/raw-rpc.ts';

const reference = '/usr/sbin/ovsdb-server';
const skip = !existsSync(reference);
const schema = (version: string, columns: string): string =>
  `{"name":"S","version":"${version}","tables":{"T":{"isRoot":true,"columns":{"k":{"type":"integer"},${columns}}}}}`;

/** A session, a method and its parameters; `later` for an answer that comes when something happens. */
type Step = readonly [session: number, method: string, params: string, 'later'?];

async function hear(program: string, dir: string, steps: readonly Step[]): Promise<string[][]> {
  mkdirSync(dir);
  writeFileSync(join(dir, 'schema'), schema('1.0.0', '"a":{"type":"integer"}'));
  execFileSync('/usr/bin/ovsdb-tool', ['create', join(dir, 'db'), join(dir, 'schema')]);
  const env = { ...process.env, OVS_RUNDIR: dir };
  const socket = join(dir, 's');
  const args = [`--remote=punix:${socket}`, `--unixctl=${join(dir, 'ctl')}`, '-vconsole:off', join(dir, 'db')];
  const server: ChildProcess = spawn(program, args, { env, stdio: 'ignore' });
  const heard: string[][] = [[], [], []];
  const clients: RawRpc[] = [];
  try {
    for (let i = 0; i < 3; i++) clients.push(await RawRpc.open(socket));
    for (const [at, method, params, later] of steps) {
      const answers = heard[at] as string[];
      if (method === 'appctl') execFileSync('ovs-appctl', ['-t', join(dir, 'ctl'), ...params.split(' ')], { stdio: 'ignore' });
      else if (method === 'cancel') clients[at]?.notify(method, params);
      else if (later !== undefined) void clients[at]?.call(method, params).then((text) => answers.push(`later: ${text}`));
      else answers.push((await clients[at]?.call(method, params)) ?? '');
      // Twice, so that what one session brings about at another has come there.
      for (const client of [...clients, ...clients]) await client.call('echo', '[]');
      for (const [i, client] of clients.entries()) heard[i]?.push(...client.takeNotices());
    }
    return heard.map((list) => list.map((text) => text.replace(/timed out after \d+ ms/, 'timed out after N ms')));
  } finally {
    for (const client of clients) client.close();
    server.kill();
  }
}

const insert = (k: number): string => `["S",{"op":"insert","table":"T","row":{"k":${k}},"uuid":"1000000${k}-1111-4111-8111-000000000000"}]`;
const waiting = (k: number, more = ''): string =>
  `["S",{"op":"wait","table":"T","where":[["k","==",${k}]],"columns":["k"],"until":"==","rows":[{"k":${k}}]}${more}]`;

const steps: readonly Step[] = [
  [0, 'list_dbs', '[]'],
  [0, 'get_server_id', '[]'],
  [0, 'get_schema', '["_Server"]'],
  [1, 'monitor', '["_Server","s",{"Database":[{"columns":["name","model","connected","leader","cid","sid","index"]}]}]'],
  [1, 'monitor_cond', '["_Server","c",{"Database":[{"where":[["name","==","S"]],"columns":["name","schema"]}]}]'],
  [0, 'set_db_change_aware', '[true]'],
  [0, 'monitor', '["S","m",{"T":{}}]'],
  [1, 'monitor_cond', '["S","m",{"T":[{}]}]'],
  // Locks.
  ...['a', 'b', 'constructor', '_x'].flatMap((name): Step[] => [
    [0, 'lock', `["${name}"]`],
    [1, 'lock', `["${name}"]`],
    [2, 'steal', `["${name}"]`],
    [1, 'lock', `["${name}"]`],
    [0, 'transact', `["S",{"op":"assert","lock":"${name}"}]`],
    [2, 'transact', `["S",{"op":"assert","lock":"${name}"}]`],
    [2, 'unlock', `["${name}"]`],
    [0, 'unlock', `["${name}"]`],
    [1, 'transact', `["S",{"op":"assert","lock":"${name}"}]`],
    [1, 'unlock', `["${name}"]`],
    [1, 'unlock', `["${name}"]`],
  ]),
  // Transactions that wait.
  [2, 'transact', waiting(5, `,{"op":"insert","table":"T","row":{"k":6},"uuid":"10000006-1111-4111-8111-000000000000"}`), 'later'],
  [1, 'transact', waiting(6), 'later'],
  [0, 'transact', insert(4)],
  [0, 'transact', insert(5)],
  [2, 'transact', '["S",{"op":"wait","table":"T","where":[],"columns":["k"],"until":"==","rows":[],"timeout":0}]'],
  [2, 'transact', '["S",{"op":"wait","table":"T","where":[],"columns":["k"],"until":"==","rows":[],"timeout":30}]'],
  // What is not there cannot be cancelled.
  [2, 'cancel', '[999]'],
  [2, 'cancel', '["x"]'],
  // The database of databases is read only.
  [
    0,
    'transact',
    '["_Server",{"op":"select","table":"Database","where":[["name","==","S"]],"columns":["name","model","connected","leader"]}]',
  ],
  [0, 'transact', '["_Server",{"op":"insert","table":"Database","row":{}}]'],
  [0, 'transact', '["_Server",{"op":"delete","table":"Database","where":[]}]'],
  [0, 'transact', '["_Server",{"op":"comment","comment":"x"}]'],
  // Conversions that are refused, and one that is not: who does not follow changes is cut off.
  ...['["S"]', '["S",1]', '["S",{}]', `["nosuch",{}]`, '["_Server",1]', '[1,1]', `["S",${schema('1', '"a":{"type":"integer"}')}]`].map(
    (params): Step => [0, 'convert', params],
  ),
  [0, 'convert', `["S",${schema('1.1.0', '"k2":{"type":"integer"}').replace('"S"', '"X"')}]`],
  [0, 'convert', `["S",${schema('1.1.0', '"a":{"type":"strange"}')}]`],
  [1, 'transact', waiting(8), 'later'],
  [0, 'convert', `["S",${schema('1.1.0', '"b":{"type":"string"}')}]`],
  [0, 'get_schema', '["S"]'],
  [0, 'transact', '["S",{"op":"select","table":"T","where":[]}]'],
  [0, 'monitor_cancel', '["m"]'],
  [0, 'monitor', '["S","m",{"T":{}}]'],
  [0, 'transact', insert(9)],
  [0, 'transact', waiting(3), 'later'],
  [0, 'appctl', 'ovsdb-server/remove-db S'],
  [0, 'list_dbs', '[]'],
  [0, 'transact', insert(9)],
  [0, 'monitor_cancel', '["m"]'],
];

test('what sessions do to one another', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-sessions-'));
  try {
    const [theirs, ours] = await Promise.all([
      hear(reference, join(dir, 'theirs'), steps),
      hear(join(import.meta.dirname, '../../bin/ovsdb-server'), join(dir, 'ours'), steps),
    ]);
    assert.deepEqual(ours, theirs);
    assert.ok((theirs?.flat().length ?? 0) > steps.length);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
