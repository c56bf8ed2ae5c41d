// What `-vjsonrpc:dbg` and `-vreconnect:dbg` show of good and bad clients, beside Debian's; and that options are obeyed up to the first that is wrong.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { anyOrder, client, compare, schema, server, skip, tool } from './support/ovsdb-sides.ts';

const bin = join(import.meta.dirname, '../../bin');
const sides = [
  { name: 'theirs', server: '/usr/sbin/ovsdb-server', tools: '/usr/bin' },
  { name: 'ours', server: join(bin, 'ovsdb-server'), tools: bin },
] as const;
let dir = '';
const children: ChildProcess[] = [];

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-traces-'));
});
after(() => {
  for (const child of children) child.kill();
  rmSync(dir, { recursive: true, force: true });
});

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Connects; a socket's file is there before its owner listens. */
async function connected(to: { path: string } | { port: number }): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = createConnection(to);
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.on('error', resolve);
    });
    if (error === undefined) return socket;
    if (tries === 100) throw error;
    await wait(25);
  }
}

/** Sends a text; ends in order once the peer has answered, closed or had its time. */
async function say(to: { path: string } | { port: number }, text: string, patienceMs: number): Promise<void> {
  const socket = await connected(to);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const answered = new Promise((resolve) => socket.once('data', resolve));
  socket.resume();
  socket.write(Buffer.from(text, 'latin1'));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race(patienceMs === 0 ? [closed, answered] : [closed, late]);
  clearTimeout(timer);
  socket.end();
  await closed;
}

const TEXTS: readonly (readonly [text: string, patienceMs: number])[] = [
  ['{"id":1,"method":"list_dbs","params":[]}', 0],
  ['{"id":"x","method":"echo","params":[1,{"a":null}]}', 0],
  ['{"id":1,"method":"nosuch","params":[1]}', 0],
  ['{"id":null,"method":"cancel","params":[1]}', 300],
  ['{"id":1,"method":"list_dbs"}', 0],
  ['[1]', 0],
  ['{"id":5,"result":1,"error":null}', 0],
  ['{"id":5,"meth', 300],
  ['garbage', 300],
  ['garbage ', 0],
  ['nul', 300],
];

/** The lines of each connection, without times and what is drawn at random. */
function traces(log: string): Map<string, string[]> {
  const byPeer = new Map<string, string[]>();
  for (const line of log.split('\n')) {
    const [, module, level, peer, text] =
      /^[^|]*\|\d+\|(jsonrpc|reconnect|ovsdb_jsonrpc_server)\|(\w+)\|((?:unix#\d+|tcp:[\d.:]+)): (.*)$/.exec(line) ?? [];
    if (module === undefined || peer === undefined || text === undefined) continue;
    const name = peer.replace(/^tcp:.*/, 'tcp');
    const lines = byPeer.get(name) ?? [];
    byPeer.set(name, lines);
    lines.push(`${module}|${level}|${text.replace(/idle \d+ ms|after [\d.]+ seconds/, 'N')}`);
  }
  return byPeer;
}

test('each message and each step of a connection is in the log as there', { skip }, async () => {
  const found = await Promise.all(
    sides.map(async (side, i) => {
      const place = join(dir, side.name);
      mkdirSync(place);
      execFileSync('/usr/bin/ovsdb-tool', ['create', join(place, 'db'), schema]);
      const set =
        '["Open_vSwitch",{"op":"insert","table":"Manager","uuid-name":"m","row":{"target":"ptcp:PORT:127.0.0.1","inactivity_probe":1000}},{"op":"insert","table":"Open_vSwitch","row":{"manager_options":["named-uuid","m"]}}]';
      const port = 7461 + i;
      execFileSync('/usr/bin/ovsdb-tool', ['transact', join(place, 'db'), set.replace('PORT', String(port))]);
      const levels = ['-vconsole:off', '-vsyslog:off', '-vfile:info', ...['jsonrpc', 'reconnect'].map((module) => `-v${module}:file:dbg`)];
      const path = join(place, 's');
      const args = [`--remote=punix:${path}`, '--remote=db:Open_vSwitch,Open_vSwitch,manager_options', `--unixctl=${join(place, 'ctl')}`];
      const env = { ...process.env, OVS_RUNDIR: place, OVS_LOGDIR: place };
      const child = spawn(side.server, [...args, ...levels, `--log-file=${join(place, 'log')}`, join(place, 'db')], {
        env,
        stdio: 'ignore',
      });
      children.push(child);
      for (let tries = 0; tries < 1200 && !existsSync(path); tries++) await wait(25);
      for (const [text, patienceMs] of TEXTS) await say({ path }, text, patienceMs);
      const listDbs = spawnSync(join(side.tools, 'ovsdb-client'), ['-vjsonrpc:dbg', 'list-dbs', `unix:${path}`], { encoding: 'utf8' });
      const version = spawnSync(join(side.tools, 'ovs-appctl'), ['-vjsonrpc:dbg', '-t', join(place, 'ctl'), 'version'], {
        encoding: 'utf8',
      });
      // A peer that says nothing more is asked after a second and dropped after another.
      await say({ port }, '{"id":1,"method":"list_dbs","params":[]}', 30_000);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      const shown = [listDbs, version].map(({ stderr }) => stderr.replaceAll(/^[^|]*\|/gm, '').replaceAll(place, 'DIR'));
      return { shown, lines: traces(readFileSync(join(place, 'log'), 'utf8')) };
    }),
  );
  const [theirs, ours] = found;
  assert.deepEqual(ours?.shown, theirs?.shown);
  assert.match(ours?.shown[0] ?? '', /send request, method="list_dbs".*\n.*received reply, result=\[/);
  for (const name of ['tcp', ...TEXTS.map((_, i) => `unix#${i}`)]) {
    assert.ok((theirs?.lines.get(name)?.length ?? 0) > 3, `${name} is in their log`);
    assert.deepEqual(ours?.lines.get(name), theirs?.lines.get(name), name);
  }
});

test('options are obeyed up to the first that is wrong', { skip }, async () => {
  const vsctl = (...args: string[]): string[] => ['ovs-vsctl', ...args];
  const words = [
    '--help --strange',
    '--version --strange',
    '--strange --help',
    '--timeout=x --strange',
    '--strange --timeout=x',
    '-d x -Q',
    '-f x --help',
  ];
  await compare([anyOrder(...words.flatMap((line) => [vsctl, client, tool, server].map((of) => of(...line.split(' ')))))]);
});
