// --record and --replay: what Debian's ovsdb-server and ovsdb-client recorded and what ours recorded both run from, with the same rows, UUIDs and output;
// and what is said of a folder that is not there.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const skip = existsSync('/usr/sbin/ovsdb-server') ? false : 'needs openvswitch-switch';
const bin = join(import.meta.dirname, '../../bin');
const THEIRS = { server: '/usr/sbin/ovsdb-server', client: '/usr/bin/ovsdb-client' };
const OURS = { server: join(bin, 'ovsdb-server'), client: join(bin, 'ovsdb-client') };
const SCHEMA = {
  name: 'X',
  version: '1.0.0',
  tables: { A: { isRoot: true, columns: { k: { type: 'integer' }, s: { type: { key: 'string', min: 0, max: 'unlimited' } } } } },
};
const TRANSACTIONS: readonly (readonly object[])[] = [
  [
    { op: 'insert', table: 'A', row: { k: 1 } },
    { op: 'insert', table: 'A', row: { k: 3, s: 'x'.repeat(9000) } },
  ],
  [
    { op: 'insert', table: 'A', row: { k: 4 }, 'uuid-name': 'x' },
    { op: 'update', table: 'A', where: [['k', '<', 3]], row: { k: 7 } },
    { op: 'comment', comment: 'a remark' },
  ],
  [{ op: 'select', table: 'A', where: [] }],
  [{ op: 'insert', table: 'A', row: {} }, { op: 'abort' }],
  [{ op: 'insert', table: 'A', uuid: '550e8400-e29b-41d4-a716-446655440000', 'uuid-name': 'y', row: { k: 9 } }],
  [{ op: 'delete', table: 'A', where: [['k', '==', 3]] }],
  [{ op: 'insert', table: 'A', row: { k: 5 } }],
];

/** A database, the folders of records, and the programs of one side. */
class Place {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-replay-'));

  constructor() {
    writeFileSync(join(this.dir, 'schema'), JSON.stringify(SCHEMA));
    for (const name of ['server', 'dump', 'transact']) mkdirSync(join(this.dir, name));
  }

  get socket(): string {
    return `unix:${this.dir}/s`;
  }

  /** Runs a server on an empty database while `work` goes on, or until it ends by itself; gives the log of what it did. */
  async serve(program: string, mode: string, work?: () => void | Promise<void>): Promise<string> {
    rmSync(`${this.dir}/db`, { force: true });
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${this.dir}/db`, `${this.dir}/schema`]);
    const args = [
      `--${mode}=${this.dir}/server`,
      `--remote=punix:${this.dir}/s`,
      `--unixctl=${this.dir}/ctl`,
      '-vconsole:off',
      `${this.dir}/db`,
    ];
    const server = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: this.dir }, stdio: 'ignore' });
    const ended = new Promise((resolve) => server.once('exit', resolve));
    try {
      if (work !== undefined) {
        for (let i = 0; i < 400 && !(existsSync(`${this.dir}/s`) && existsSync(`${this.dir}/ctl`)); i++) await sleep(25);
        await work();
        execFileSync('/usr/bin/ovs-appctl', ['-t', `${this.dir}/ctl`, 'exit']);
      }
      assert.equal(await Promise.race([ended, sleep(30_000, 'never', { ref: false })]), 0, `${program} --${mode} does not end`);
      if (mode === 'replay') assert.ok(!existsSync(`${this.dir}/s`), 'a replay listens nowhere');
      // The rows of a record stand in the order of a hash table.
      return execFileSync('/usr/bin/ovsdb-tool', ['-mm', 'show-log', `${this.dir}/db`], { encoding: 'utf8' })
        .split(/^(?=record \d+:)/m)
        .map((record) => {
          const [title = '', ...rows] = record.trimEnd().split(/\n(?= {2}table )/);
          return [title.replace(/^(record \d+:) [-\d]+ [:.\d]+/, '$1'), ...rows.sort()].join('\n');
        })
        .join('\n');
    } finally {
      server.kill('SIGKILL');
      await ended;
    }
  }

  /** Sends requests at once, and one more; ends when that has been answered. */
  async say(requests: string): Promise<void> {
    const socket = createConnection(`${this.dir}/s`, () => socket.write(`${requests}{"id":"end","method":"list_dbs","params":[]}`));
    let text = '';
    for await (const bytes of socket.setEncoding('utf8')) {
      text += bytes as string;
      if (text.includes('"id":"end"')) break;
    }
    socket.destroy();
  }

  client(program: string, mode: string, ...args: string[]): string {
    const options = ['--timeout=20', ...(mode === '' ? [] : [`--${mode}=${this.dir}/${args[0]}`])];
    const { stdout, stderr, status } = spawnSync(program, [...options, ...args], { encoding: 'utf8' });
    return `${stdout}${stderr}${status}`;
  }
}

test('what one recorded the other runs from', { skip }, async () => {
  for (const recorders of [THEIRS, OURS]) {
    const place = new Place();
    try {
      let dump = '';
      const transact = ['transact', place.socket, JSON.stringify(['X', ...(TRANSACTIONS.at(-1) ?? [])])];
      let inserted = '';
      const log = await place.serve(recorders.server, 'record', async () => {
        for (const operations of TRANSACTIONS.slice(0, -1))
          place.client(THEIRS.client, '', 'transact', place.socket, JSON.stringify(['X', ...operations]));
        const insert = (i: number): string => `{"id":${i},"method":"transact","params":["X",{"op":"insert","table":"A","row":{"k":${i}}}]}`;
        const monitor = '{"id":9,"method":"monitor_cond","params":["X","m",{"A":[{}]}]}';
        await place.say(`${monitor}${insert(10)}${insert(11)}${insert(12)}`);
        await place.say(insert(20).repeat(30));
        inserted = place.client(recorders.client, 'record', ...transact);
        dump = place.client(recorders.client, 'record', 'dump', place.socket, 'X');
      });
      assert.match(log, /record 5/);
      assert.match(inserted, /"uuid","[-0-9a-f]{36}"\]\}\]\n0$/);
      const title = `recorded by ${recorders.server}`;
      for (const players of [OURS, THEIRS])
        assert.equal(await place.serve(players.server, 'replay'), log, `${title}, played by ${players.server}`);
      for (const players of [OURS, THEIRS]) {
        assert.equal(place.client(players.client, 'replay', 'dump', place.socket, 'X'), dump, `${title}, played by ${players.client}`);
        assert.equal(place.client(players.client, 'replay', ...transact), inserted, `${title}, played by ${players.client}`);
      }
      assert.deepEqual(
        readdirSync(`${place.dir}/dump`),
        [`replay_${place.socket.replaceAll(/[^a-z]+/gi, '_')}_0`],
        'a file is named after the connection',
      );
    } finally {
      rmSync(place.dir, { recursive: true, force: true });
    }
  }
});

test('what cannot be recorded or replayed', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-replay-'));
  try {
    for (const mode of ['record', 'replay']) {
      for (const folder of [dir, `${dir}/absent`]) {
        const [want, have] = [THEIRS, OURS].map(({ client }) => {
          const done = spawnSync(client, [`--${mode}=${folder}`, 'list-dbs', `unix:${dir}/nobody${mode}.sock`], { encoding: 'utf8' });
          return `${done.stdout}${done.stderr.replaceAll(/^\S+Z\|\d+\|/gm, '')}${done.status}`;
        });
        assert.equal(have, want);
        assert.match(String(want), /No such file or directory\)\n1$/);
      }
    }
    for (const program of [THEIRS.client, OURS.client]) {
      // The failure itself can be replayed.
      const { stderr } = spawnSync(program, [`--replay=${dir}`, 'list-dbs', `unix:${dir}/nobodyrecord.sock`], { encoding: 'utf8' });
      assert.match(stderr, /failed to connect to ".*" \(No such file or directory\)\n$/);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
