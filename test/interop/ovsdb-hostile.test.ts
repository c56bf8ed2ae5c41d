// Peers that mean ill, over TCP and over TLS: many that say nothing, some that read nothing, any bytes, nesting without end. Whoever means well is served
// all the while, and the server's memory stays where it was.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

const bin = join(import.meta.dirname, '../../bin');
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const skip = existsSync(schema) ? false : 'needs openvswitch-common';
let dir = '';
let server: ChildProcess | undefined;
const ports = { tcp: 0, ssl: 0 };
/** By which the log tells them apart. */
const hosts = { tcp: '127.0.0.1', ssl: '127.0.0.2' };

before(async () => {
  if (skip !== false) return;
  dir = mkdtempSync(join(tmpdir(), 'weft-hostile-'));
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=x', '-keyout', 'key', '-out', 'cert'];
  execFileSync('openssl', request, { cwd: dir, stdio: 'ignore' });
  execFileSync(join(bin, 'ovsdb-tool'), ['create', `${dir}/db`, schema]);
  const remotes = [`--remote=ptcp:0:${hosts.tcp}`, `--remote=pssl:0:${hosts.ssl}`, `--remote=punix:${dir}/s`];
  const keys = [`--private-key=${dir}/key`, `--certificate=${dir}/cert`, `--ca-cert=${dir}/cert`];
  const options = ['--unixctl=none', '-vconsole:off', `--log-file=${dir}/log`];
  server = spawn(join(bin, 'ovsdb-server'), [...remotes, ...keys, ...options, `${dir}/db`], {
    env: { ...process.env, OVS_RUNDIR: dir },
    stdio: 'ignore',
  });
  for (let i = 0; i < 400 && (ports.tcp === 0 || ports.ssl === 0); i++) {
    await sleep(25);
    const said = existsSync(`${dir}/log`) ? readFileSync(`${dir}/log`, 'utf8') : '';
    for (const kind of ['tcp', 'ssl'] as const)
      ports[kind] = Number(new RegExp(`0:${hosts[kind]}: listening on port (\\d+)`).exec(said)?.[1] ?? 0);
  }
});
after(() => {
  server?.kill('SIGKILL');
  if (dir !== '') rmSync(dir, { recursive: true, force: true });
});

const memoryMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server?.pid}/status`, 'utf8'))?.[1]) / 1024;

/** What one who means well is told, within five seconds. */
function ask(kind: 'tcp' | 'ssl'): string {
  const keys = kind === 'ssl' ? ['-p', `${dir}/key`, '-c', `${dir}/cert`, '-C', `${dir}/cert`] : [];
  const args = ['--timeout=15', ...keys, 'list-dbs', `${kind}:${hosts[kind]}:${ports[kind]}`];
  const { stdout, stderr } = spawnSync(join(bin, 'ovsdb-client'), args, { encoding: 'utf8' });
  return stdout + stderr;
}

async function open(kind: 'tcp' | 'ssl'): Promise<Socket> {
  const socket =
    kind === 'tcp'
      ? createConnection(ports.tcp, hosts.tcp)
      : connectTls({
          host: hosts.ssl,
          port: ports.ssl,
          rejectUnauthorized: false,
          key: readFileSync(`${dir}/key`),
          cert: readFileSync(`${dir}/cert`),
        });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once(kind === 'tcp' ? 'connect' : 'secureConnect', resolve));
  return socket;
}

const closed = (socket: Socket): Promise<boolean> =>
  Promise.race([new Promise<boolean>((resolve) => socket.once('close', () => resolve(true))), sleep(10_000, false, { ref: false })]);

test('peers that begin a handshake and say nothing hinder nobody', { skip }, async () => {
  const silent = Array.from({ length: 200 }, () => createConnection(ports.ssl, hosts.ssl).on('error', () => {}));
  await sleep(300);
  assert.equal(ask('ssl'), 'Open_vSwitch\n_Server\n');
  for (const socket of silent) socket.destroy();
});

for (const kind of ['tcp', 'ssl'] as const) {
  test(`${kind}: any bytes, nesting without end, many at once`, { skip }, async () => {
    assert.equal(ask(kind), 'Open_vSwitch\n_Server\n');
    const start = memoryMb();
    for (const bytes of [
      randomBytes(100_000),
      Buffer.from('['.repeat(1_000_000)),
      Buffer.from('{"a":'.repeat(200_000)),
      Buffer.from('"'),
    ]) {
      const socket = await open(kind);
      const end = closed(socket);
      socket.resume();
      socket.write(bytes);
      // A string alone is none yet: it could go on.
      if (bytes.length > 1) assert.ok(await end, `${bytes.subarray(0, 10)} is borne`);
      socket.destroy();
    }
    const idle = await Promise.all(Array.from({ length: 200 }, () => open(kind)));
    assert.equal(ask(kind), 'Open_vSwitch\n_Server\n');
    for (const socket of idle) socket.destroy();
    assert.ok(memoryMb() < start + 120, `from ${start} to ${memoryMb()} MB`);
  });

  test(`${kind}: who reads nothing is told the last state, not all that was`, { skip }, async () => {
    const writer = createConnection(`${dir}/s`);
    writer.setEncoding('utf8');
    const commit = async (operations: string): Promise<void> => {
      const answered = new Promise((resolve) => writer.once('data', resolve));
      writer.write(`{"id":1,"method":"transact","params":["Open_vSwitch",${operations}]}`);
      await answered;
    };
    const value = (i: number): string => `["map",[["__proto__","${String(i % 10).repeat(300_000)}"],["constructor","x"]]]`;
    await commit(`{"op":"insert","table":"Open_vSwitch","row":{"other_config":${value(0)}}}`);
    const deaf = await Promise.all(Array.from({ length: 5 }, () => open(kind)));
    for (const socket of deaf) {
      socket.pause();
      socket.write('{"id":0,"method":"monitor_cond","params":["Open_vSwitch","__proto__",{"Open_vSwitch":{"columns":["other_config"]}}]}');
      socket.write('{"id":1,"method":"transact","params":["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[]}]}'.repeat(300));
    }
    await sleep(300);
    const start = memoryMb();
    for (let i = 1; i <= 100; i++)
      await commit(`{"op":"update","table":"Open_vSwitch","where":[],"row":{"other_config":${value(i === 100 ? 9 : i)}}}`);
    assert.ok(memoryMb() < start + 200, `from ${start} to ${memoryMb()} MB; what is unread would be 600`);
    let nines = 0;
    deaf[0]?.on('data', (piece: Buffer) => {
      for (const c of piece) if (c === 57) nines++;
    });
    deaf[0]?.resume();
    for (let i = 0; i < 600 && nines < 250_000; i++) await sleep(25);
    assert.ok(nines >= 250_000, `${nines} characters of the last state came`);
    for (const socket of deaf) socket.destroy();
    await commit('{"op":"delete","table":"Open_vSwitch","where":[]}');
    writer.destroy();
    assert.equal(ask(kind), 'Open_vSwitch\n_Server\n');
  });
}
