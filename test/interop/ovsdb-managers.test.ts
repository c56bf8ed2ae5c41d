// Remotes that rows ask for (`--remote=db:DB,TABLE,COLUMN`): listeners and connections of our own, IPv4 and IPv6, their status columns,
// options changed while they run. Our server beside Debian's.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
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
        other_config: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
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
      .split('\n')
      // Of a listener it says 0, and otherwise how long this machine took.
      .map((line) => (line.includes('state=') ? line.replaceAll(/(sec_since_\w+=)""\d+""/g, '$1N') : line))
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

/** How urgent the sockets of a server are, by `ss`; ports as PORTn. */
function urgency(server: ChildProcess, base: number): string {
  const lines = execFileSync('ss', ['-tnape', '--tos'], { encoding: 'utf8' }).split('\n');
  const places = lines.flatMap((line) => {
    const [state, , , local = ''] = line.split(/\s+/);
    const port = Number(/:(\d+)$/.exec(local)?.[1]);
    if (!line.includes(`pid=${server.pid},`)) return [];
    const isOwn = port >= base && port < base + 10;
    return [`${state} ${isOwn ? local.replace(String(port), `PORT${port - base}`) : 'CHOSEN'} ${line.match(/\b(?:tos|tclass):\S+/g)}`];
  });
  return places.sort().join('\n');
}

async function tellOptions(program: string, base: number): Promise<string[]> {
  /** Ports by their place in our range; others are chosen by the kernel. */
  const ownPorts = (text: string): string =>
    text.replaceAll(/\b\d{5}\b/g, (digits) =>
      Number(digits) >= base && Number(digits) < base + 10 ? `PORT${Number(digits) - base}` : 'CHOSEN',
    );
  const dir = mkdtempSync(join(tmpdir(), 'weft-managers-'));
  const said: string[] = [];
  let server: ChildProcess | undefined;
  let peer: Awaited<ReturnType<typeof manager>> | undefined;
  const watchers: ChildProcess[] = [];
  const silent: Socket[] = [];
  const own = `unix:${dir}/db.sock`;
  const client = (...args: string[]): Promise<string> =>
    new Promise((resolve) => {
      execFile('/usr/bin/ovsdb-client', ['-t20', '-vconsole:off', ...args], { encoding: 'utf8' }, (_, out, err) => resolve(`${out}${err}`));
    });
  const transact = (...operations: object[]): Promise<string> => client('transact', own, JSON.stringify(['M', ...operations]));
  const status = (): Promise<string> => client('--format=csv', 'dump', own, 'M', 'Manager', 'target', 'is_connected', 'status');
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      if (await holds()) return;
      await pause(100);
    }
    assert.fail(`${program}: never ${what}: ${await status()}`);
  };
  try {
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA));
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/db`, `${dir}/schema`]);
    const args = [
      `--remote=punix:${dir}/db.sock`,
      '--remote=db:M,Root,managers',
      '-vconsole:off',
      `--log-file=${dir}/log`,
      '--unixctl=none',
    ];
    server = spawn(program, [...args, `${dir}/db`], { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' });
    const running = server;
    await until('up', async () => /^M$/m.test(await client('list-dbs', own)));
    peer = await manager('127.0.0.1', base);
    const dscp = (text: string) => ({ other_config: ['map', [['dscp', text]]] });
    const rows = [
      { target: `tcp:127.0.0.1:${base}`, inactivity_probe: 0, max_backoff: 1000, ...dscp('12') },
      { target: `ptcp:${base + 1}:127.0.0.1`, ...dscp(' 13x') },
      { target: `ptcp:${base + 2}:[::1]`, ...dscp('63') },
      { target: `ptcp:${base + 3}:127.0.0.1`, inactivity_probe: 1000, ...dscp('64') },
      { target: `ptcp:${base + 4}:127.0.0.1`, ...dscp('x') },
      { target: 'ptcp:0:127.0.0.1' },
    ];
    await transact(...rows.map((row, i) => ({ op: 'insert', table: 'Manager', 'uuid-name': `m${i}`, row })), {
      op: 'insert',
      table: 'Root',
      row: { managers: ['set', rows.map((_, i) => ['named-uuid', `m${i}`])] },
    });
    await until('listening', async () => ((await status()).match(/bound_port/g) ?? []).length === 5 && /^true/m.test(await status()));
    said.push(
      ownPorts(await status())
        .replaceAll(/(sec_since_\w+=)""\d+""/g, '$1N')
        .split('\n')
        .sort()
        .join('\n'),
    );
    for (const place of [`127.0.0.1:${base + 1}`, `[::1]:${base + 2}`, `127.0.0.1:${base + 4}`])
      watchers.push(spawn('/usr/bin/ovsdb-client', ['-t60', '-vconsole:off', 'monitor', `tcp:${place}`, 'M', 'T'], { stdio: 'ignore' }));
    await until(
      'connected',
      async () => ((await status()).match(/,true,/g) ?? []).length + ((await status()).match(/^true,/gm) ?? []).length >= 4,
    );
    said.push(`at first\n${urgency(running, base)}`);
    // One that never says a word is asked, and then let go.
    const mute = createConnection(base + 3, '127.0.0.1').on('error', () => {});
    silent.push(mute);
    let heard = '';
    mute.on('data', (bytes) => (heard += bytes));
    await new Promise((resolve) => mute.once('close', resolve));
    said.push(`the silent one heard ${heard}`);
    await transact({ op: 'update', table: 'Manager', where: [], row: dscp('20') });
    for (const watcher of watchers)
      await new Promise((resolve) => (watcher.exitCode === null ? watcher.once('exit', resolve) : resolve(0)));
    await until('back', async () => /true/.test(await status()));
    said.push(`then\n${urgency(running, base)}`);
    said.push(
      readFileSync(`${dir}/log`, 'utf8')
        .split('\n')
        .filter((line) => /reconnect/.test(line) && !/unix#/.test(line))
        .map((line) => ownPorts(line.replace(/^\S+Z\|\d+\|/, '').replace(/after [\d.]+ seconds/, 'after N seconds')))
        .join('\n'),
    );
    return said;
  } finally {
    peer?.close();
    for (const socket of silent) socket.destroy();
    for (const watcher of watchers) watcher.kill('SIGKILL');
    if (server !== undefined && server.exitCode === null) {
      const ended = new Promise((resolve) => server?.once('exit', resolve));
      server.kill('SIGKILL');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

test('managers: how urgent packets are, how long silence is borne, which port was chosen', {
  skip: skip || (existsSync('/usr/bin/ss') ? false : 'needs iproute2'),
}, async () => {
  const [want, have] = await Promise.all([
    tellOptions('/usr/sbin/ovsdb-server', 27120),
    tellOptions(join(import.meta.dirname, '../../bin/ovsdb-server'), 27130),
  ]);
  assert.deepEqual(have, want);
  assert.match(String(want), /tos:0x30.*tos:0x50/s);
});

test("managers: our server's rows say what Debian's say", { skip }, async () => {
  const [want, have] = await Promise.all([
    tell('/usr/sbin/ovsdb-server', 27100),
    tell(join(import.meta.dirname, '../../bin/ovsdb-server'), 27110),
  ]);
  assert.deepEqual(have, want);
  assert.match(String(want), /read only mode/);
});
