// Remotes that rows ask for (`--remote=db:DB,TABLE,COLUMN`): listeners and connections of our own, IPv4 and IPv6, their status columns,
// options changed while they run. Our server beside Debian's.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const skip = existsSync('/usr/sbin/ovsdb-server') ? false : 'needs openvswitch-switch';
const optional = { type: { key: 'integer', min: 0 } };
const SCHEMA = {
  name: 'M',
  tables: {
    T: { isRoot: true, columns: { name: { type: 'string' } } },
    Root: { isRoot: true, columns: { managers: { type: { key: { type: 'uuid', refTable: 'Manager' }, min: 0, max: 'unlimited' } } } },
    Manager: {
      columns: {
        target: { type: 'string' },
        read_only: { type: 'boolean' },
        max_backoff: optional,
        inactivity_probe: optional,
        is_connected: { type: 'boolean', ephemeral: true },
        status: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' }, ephemeral: true },
      },
    },
  },
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One controller of the server, which it connects to; `said` is what came. */
async function manager(host: string, port: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const ask = async (request: object): Promise<string> => {
    let text = '';
    const socket = sockets.at(-1);
    socket?.on('data', (chunk: string) => (text += chunk));
    socket?.write(JSON.stringify(request));
    for (let i = 0; i < 300 && !text.includes('"id":1'); i++) await pause(50);
    return text.replaceAll(/\{"id":"echo"[^}]*\}/g, '').replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
  };
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { ask, close, isConnected: () => sockets.length > 0 };
}

async function tell(program: string, base: number): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-managers-'));
  const said: string[] = [];
  let server: ChildProcess | undefined;
  let peer: Awaited<ReturnType<typeof manager>> | undefined;
  const client = (...args: string[]): Promise<string> =>
    new Promise((resolve) => {
      execFile('/usr/bin/ovsdb-client', ['-t20', '-vconsole:off', ...args], { encoding: 'utf8' }, (_, out, err) => resolve(`${out}${err}`));
    });
  const own = `unix:${dir}/db.sock`;
  const transact = (...operations: object[]): Promise<string> => client('transact', own, JSON.stringify(['M', ...operations]));
  const status = async (): Promise<string> =>
    (await client('--format=csv', 'dump', own, 'M', 'Manager', 'target', 'is_connected', 'status'))
      .replaceAll(dir, 'DIR')
      .replaceAll(/\b(\d{5})\b/g, (text) => (Number(text) >= base && Number(text) < base + 10 ? `PORT${Number(text) - base}` : text))
      .replaceAll(/(sec_since_\w+=)""[1-9]\d*""/g, '$1N')
      .split('\n')
      .sort()
      .join('\n');
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      if (await holds()) return;
      await pause(100);
    }
    assert.fail(`${program}: never ${what}: ${await status()}`);
  };
  // Status is written now and then: it may show a peer that is gone as waited for or as tried again.
  const note = async (title: string): Promise<void> =>
    void said.push(`${title}\n${(await status()).replaceAll('state=CONNECTING', 'state=BACKOFF')}`);
  try {
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA));
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/db`, `${dir}/schema`]);
    const args = [`--remote=punix:${dir}/db.sock`, '--remote=db:M,Root,managers', '-vconsole:off', '--unixctl=none', `${dir}/db`];
    server = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' });
    await until('up', async () => /^M$/m.test(await client('list-dbs', own)));
    const targets = [
      `ptcp:${base}:[::1]`,
      `ptcp:${base + 1}:127.0.0.1`,
      `tcp:[::1]:${base + 2}`,
      `tcp:127.0.0.1:${base + 3}`,
      `punix:${dir}/x.sock`,
    ];
    const rows = targets.map((target, i) => ({
      op: 'insert',
      table: 'Manager',
      'uuid-name': `m${i}`,
      row: { target, max_backoff: 1000, read_only: i === 1 },
    }));
    const list = ['set', targets.map((_, i) => ['named-uuid', `m${i}`])];
    await transact(...rows, { op: 'insert', table: 'Root', row: { managers: list } });
    await until('in backoff', async () => ((await status()).match(/BACKOFF/g) ?? []).length === 2);
    await note('nobody is there');
    peer = await manager('::1', base + 2);
    const watchers = [`tcp:[::1]:${base}`, `tcp:127.0.0.1:${base + 1}`, `tcp:127.0.0.1:${base + 1}`].map((place) =>
      spawn('/usr/bin/ovsdb-client', ['-t60', '-vconsole:off', 'monitor', place, 'M', 'T'], { stdio: 'ignore' }),
    );
    await until('connected', async () => /n_connections/.test(await status()) && ((await status()).match(/^true/gm) ?? []).length === 3);
    await note('all but one are there');
    const insert = { id: 1, method: 'transact', params: ['M', { op: 'insert', table: 'T', row: { name: 'x' } }] };
    said.push(await peer.ask(insert));
    // What a remote may do is decided when it begins.
    await transact({ op: 'update', table: 'Manager', where: [], row: { read_only: true } });
    said.push(await peer.ask(insert));
    said.push((await client('transact', `tcp:127.0.0.1:${base + 1}`, JSON.stringify(insert.params))).replaceAll(/\n/g, ' '));
    said.push(await client('list-dbs', `unix:${dir}/x.sock`));
    for (const watcher of watchers) watcher.kill('SIGKILL');
    peer.close();
    await until('left', async () => !/^true/m.test(await status()));
    await note('all have gone');
    await transact({ op: 'update', table: 'Root', where: [], row: { managers: ['set', []] } });
    await until('closed', async () => (await client('list-dbs', `tcp:[::1]:${base}`)).includes('Connection refused'));
    return said;
  } finally {
    peer?.close();
    if (server !== undefined && server.exitCode === null) {
      const ended = new Promise((resolve) => server?.once('exit', resolve));
      server.kill('SIGKILL');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

test("managers: our server's rows say what Debian's say", { skip }, async () => {
  const [want, have] = await Promise.all([
    tell('/usr/sbin/ovsdb-server', 27100),
    tell(join(import.meta.dirname, '../../bin/ovsdb-server'), 27110),
  ]);
  assert.deepEqual(have, want);
  assert.match(String(want), /read only mode/);
});
