// Files of clustered databases: ovsdb-tool makes, reads, checks and converts them like Debian's, sound ones and damaged ones, and a server of Debian's
// runs what ours made. WEFT_CLUSTER_FILES sets how many random sets of files are compared, WEFT_CLUSTER_SEED where to start.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clusterFile, joining, memberLog, randomFiles } from './support/cluster-files.ts';
import { Dice } from './support/ovsdb-random-schema.ts';
import { anyOrder, compare, insert, skip, tool } from './support/ovsdb-sides.ts';
import { RawRpc } from './support/raw-rpc.ts';

const theirTool = '/usr/bin/ovsdb-tool';
const ourTool = join(import.meta.dirname, '../../bin/ovsdb-tool');
const count = Number(process.env['WEFT_CLUSTER_FILES'] ?? 8);
const firstSeed = Number(process.env['WEFT_CLUSTER_SEED'] ?? 1);
let dir = '';
const servers: ChildProcess[] = [];

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-cluster-'));
  for (const side of ['theirs', 'ours']) mkdirSync(join(dir, side));
});
after(() => {
  for (const server of servers) server.kill();
  rmSync(dir, { recursive: true, force: true });
});

/** Uninitialised memory that the reference prints; reals that it cannot print. */
const normal = (text: string): string => text.replaceAll(/"election_timer":-?\d+,/g, '');

function run(side: 'theirs' | 'ours', args: readonly string[]): Promise<string> {
  const cwd = join(dir, side);
  return new Promise((resolve) => {
    const child = spawn(side === 'theirs' ? theirTool : ourTool, args, {
      cwd,
      env: { ...process.env, TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // The reference counts to 2^64 for some files, and hears no signal meanwhile.
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString().replaceAll(/\d{4}-\d\d-\d\dT\S*?Z/g, 'TIME')));
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve(normal(`${out}|${err}|${status ?? signal}`));
    });
  });
}

const died = (result: string): boolean => /\|SIG[A-Z]+$/.test(result) || /\(backtrace: /.test(result);

test('random files of clusters: same words', { skip }, async () => {
  let [lines, sound] = [0, 0];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    // The first set is a sound one.
    const files = seed === firstSeed ? [memberLog(1), memberLog(2)].map(clusterFile) : randomFiles(new Dice(seed));
    const names = files.map((_, i) => `f${i}`);
    for (const side of ['theirs', 'ours']) for (const [i, bytes] of files.entries()) writeFileSync(join(dir, side, `f${i}`), bytes);
    const commands = [
      ['check-cluster', ...names],
      ['check-cluster', ...[...names].reverse()],
      ['-mm', 'show-log', 'f0'],
      [seed % 2 === 0 ? '-m' : '-mmm', 'show-log', names.at(-1) as string],
      ['show-log', 'f0'],
      ['cluster-to-standalone', `o${seed}`, 'f0'],
      ['db-cid', 'f0'],
      ['db-sid', names.at(-1) as string],
      ['db-local-address', 'f0'],
      ['db-name', 'f0'],
    ];
    const died0: boolean[] = await Promise.all(
      commands.map(async (args) => {
        const [theirs, ours] = await Promise.all([run('theirs', args), run('ours', args)]);
        const what = `seed ${seed}: ${args.join(' ')}`;
        if (died(theirs)) {
          assert.ok(!died(ours), `${what}: ${ours}`);
          return true;
        }
        assert.equal(ours, theirs, what);
        if (args[0] === 'check-cluster' && theirs.endsWith('|0')) sound++;
        lines++;
        return false;
      }),
    );
    if (died0[5] === true) continue;
    const [theirs, ours] = await Promise.all([
      run('theirs', ['-mm', 'show-log', `o${seed}`]),
      run('ours', ['-mm', 'show-log', `o${seed}`]),
    ]);
    assert.equal(ours, theirs, `seed ${seed}: the standalone database`);
    lines++;
  }
  assert.ok(lines > count * 8 && sound > 0, `${lines} lines, ${sound} sound`);
});

test('what makes files of clusters: same words', { skip }, async () => {
  const local = 'tcp:127.0.0.1:6641';
  const addresses = [
    'x',
    'tcp:',
    'tcp:1.2.3.4',
    'tcp:1.2.3.4:x',
    'tcp:1.2.3.4:99999',
    'tcp::1:2',
    'ssl:[::1]:0',
    'tcp:host:5',
    'unix:sock',
    'ptcp:5',
    '',
  ];
  await compare([
    tool('create', 'db', 'small'),
    tool('transact', 'db', insert({ name: 'a', n: ['set', [1, 2]], x: 1.5 })),
    tool('create-cluster', 'c1', 'db', local),
    tool('create-cluster', 'c1', 'db', local),
    tool('create-cluster', 'c2', 'small2', local),
    tool('create-cluster', 'c3', 'c1', local),
    tool('create-cluster', 'c4', 'garbage', local),
    tool('create-cluster', 'c5', 'nosuch', local),
    tool('create-cluster', '/nosuch/c6', 'db', local),
    tool('--election-timer=2000', 'create-cluster', 'c7', 'small2', 'ssl:[::1]:6641'),
    tool('--election-timer=99', 'create-cluster', 'c8', 'small2', local),
    tool('--election-timer=x', 'create-cluster', 'c8', 'small2', local),
    ...addresses.map((address, i) => tool('create-cluster', `a${i}`, 'small2', address)),
    ...addresses.map((address, i) => tool('join-cluster', `b${i}`, 'Small', local, address)),
    tool('join-cluster', 'j1', 'Small', 'tcp:127.0.0.1:6642', local),
    tool('join-cluster', 'j1', 'Small', 'tcp:127.0.0.1:6642', local),
    tool(
      '--cid=12345678-1111-4111-8111-111111111111',
      'join-cluster',
      'j2',
      'Small',
      'tcp:127.0.0.1:6643',
      local,
      'tcp:127.0.0.1:6642',
      local,
    ),
    tool('--cid=x', 'join-cluster', 'j3', 'Small', 'tcp:127.0.0.1:6643', local),
    tool('join-cluster', 'j3', 'Sm-all', 'tcp:127.0.0.1:6643', local),
    tool('join-cluster', 'j3', 'Small', local, local),
    tool('join-cluster', 'j3', 'Small', local),
    anyOrder(
      ...['c1', 'c2', 'c7', 'j1', 'j2'].flatMap((file) => [
        ...['db-name', 'db-cid', 'db-sid', 'db-local-address', 'db-is-clustered', 'db-is-standalone', 'check-cluster', 'show-log'].map(
          (command) => tool(command, file),
        ),
        tool('-mm', 'show-log', file),
        tool('cluster-to-standalone', `${file}.standalone`, file),
      ]),
    ),
    tool('-mm', 'show-log', 'c1.standalone'),
    tool('show-log', 'j1.standalone'),
    tool('check-cluster', 'c2', 'c7'),
    tool('check-cluster', 'c7', 'nosuch'),
    tool('check-cluster', 'db'),
    tool('cluster-to-standalone', 'd', 'db'),
    tool('cluster-to-standalone', 'd', 'db'),
    ...[
      ['convert', 'c1', 'small'],
      ['compact', 'c1'],
      ['transact', 'c1', '["Small"]'],
      ['query', 'c1', '["Small"]'],
      ['db-cksum', 'c1'],
      ['needs-conversion', 'c1', 'small'],
    ].map((words) => tool(...words)),
  ]);
});

async function serve(path: string, socket: string): Promise<ChildProcess> {
  const args = [`--remote=punix:${socket}`, `--unixctl=${socket}.ctl`, '-vconsole:off', path];
  const server = spawn('/usr/sbin/ovsdb-server', args, { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' });
  servers.push(server);
  for (let i = 0; i < 1200 && !existsSync(socket); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  return server;
}

test("Debian's server runs the cluster that our file begins, and ours makes a standalone database of it", { skip }, async () => {
  const schema = join(dir, 'schema');
  writeFileSync(
    schema,
    JSON.stringify({ name: 'S', version: '1.0.0', tables: { T: { isRoot: true, columns: { n: { type: 'integer' } } } } }),
  );
  const database = join(dir, 'db');
  execFileSync(ourTool, ['create', database, schema]);
  execFileSync(ourTool, ['transact', database, '["S",{"op":"insert","table":"T","row":{"n":5}}]']);
  const clustered = join(dir, 'clustered');
  execFileSync(ourTool, ['--election-timer=100', 'create-cluster', clustered, database, `unix:${join(dir, 'raft')}`]);
  const server = await serve(clustered, join(dir, 'sock'));
  const client = await RawRpc.open(join(dir, 'sock'));
  const change = '["S",{"op":"mutate","table":"T","where":[],"mutations":[["n","+=",37]]}]';
  // It is no leader at once.
  let answer = '';
  for (let i = 0; i < 400 && !answer.includes('"count":1'); i++) {
    answer = await client.call('transact', change);
    if (!answer.includes('"count":1')) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.match(answer, /"count":1/);
  client.close();
  const ended = new Promise((resolve) => server.on('exit', resolve));
  server.kill();
  await ended;
  assert.equal(spawnSync(ourTool, ['check-cluster', clustered]).status, 0);
  for (const [i, program] of [theirTool, ourTool].entries())
    execFileSync(program, ['cluster-to-standalone', join(dir, `alone${i}`), clustered]);
  const found = [0, 1].map((i) =>
    execFileSync(ourTool, ['query', join(dir, `alone${i}`), '["S",{"op":"select","table":"T","where":[],"columns":["n"]}]'], {
      encoding: 'utf8',
    }),
  );
  assert.deepEqual(found, ['[{"rows":[{"n":42}]}]\n', '[{"rows":[{"n":42}]}]\n']);
});

test('our server says that it serves no clustered database', () => {
  for (const [name, records] of [
    ['member', memberLog(1)],
    ['joining', [joining(1)]],
  ] as const) {
    const path = join(dir, name);
    writeFileSync(path, clusterFile(records));
    const { status, stderr } = spawnSync(join(import.meta.dirname, '../../bin/ovsdb-server'), [path], {
      encoding: 'utf8',
      env: { ...process.env, OVS_RUNDIR: dir },
    });
    assert.equal(status, 1);
    assert.match(stderr, /clustered databases are not served.*cluster-to-standalone/);
    assert.deepEqual(readFileSync(path), clusterFile(records));
  }
});
