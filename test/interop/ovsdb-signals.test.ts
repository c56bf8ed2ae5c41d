// What signals do to the programs, beside Debian's: those that end a tool which waits are told in the log, those that whoever started a daemon ignores
// do nothing. And sockets that are harder to reach: whose names are no UTF-8, whose queue is full.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, libc } from '../../src/host/ffi.ts';
import { AF_UNIX, SOCK_STREAM_NONBLOCK, unixAddress } from '../../src/host/sockets/socket-address.ts';
import { client, compare, ended, skip } from './support/ovsdb-sides.ts';

const bin = join(import.meta.dirname, '../../bin');

test('tools that a signal ends while they wait say so', { skip }, async () => {
  const servers: Server[] = [];
  const fds: number[] = [];
  try {
    await compare([
      (side) => servers.push(createServer(() => {}).listen(join(side.dir, 'mute'))),
      ended('ovs-appctl', '-t', 'DIR/mute', 'version'),
      ended('ovs-ofctl', 'show', 'unix:DIR/mute'),
      ended('ovs-ofctl', 'monitor', 'unix:DIR/mute', '1'),
      ended('ovs-ofctl', 'snoop', 'unix:DIR/mute'),
      ['ovs-appctl', '--execute', '--execute', 'version'],
      (side) => {
        const address = unixAddress(join(side.dir, 'full'));
        const socket = (): number => libc().socket(AF_UNIX, SOCK_STREAM_NONBLOCK, 0);
        const listener = socket();
        libc().bind(listener, address, address.length);
        libc().listen(listener, 0);
        const peer = socket();
        libc().connect(peer, address, address.length);
        fds.push(listener, peer);
      },
      client('list-dbs', 'unix:DIR/full'),
      ['ovs-vsctl', '--db=unix:DIR/full', 'show'],
      ['ovs-appctl', '-t', 'DIR/full', 'version'],
    ]);
  } finally {
    for (const server of servers) server.close();
    for (const fd of fds) closeFd(fd);
  }
});

/** Runs a server from the shell, as `start` says, and gives what a line of the shell prints while it runs. */
async function whileRuns(program: string, start: string, line: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-signals-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, PROGRAM: program };
  spawnSync('/usr/bin/ovsdb-tool', ['create', join(dir, 'db'), '/usr/share/openvswitch/vswitch.ovsschema']);
  const child: ChildProcess = spawn('/bin/sh', ['-c', start], { cwd: dir, env, stdio: 'ignore' });
  const over = new Promise((resolve) => child.on('exit', resolve));
  try {
    for (let i = 0; i < 400 && readdirSync(dir).length < 4; i++) await sleep(25);
    return spawnSync('/bin/sh', ['-c', line.replaceAll('PID', String(child.pid))], { cwd: dir, env, encoding: 'utf8' }).stdout;
  } finally {
    child.kill('SIGKILL');
    await over;
    rmSync(dir, { recursive: true, force: true });
  }
}

const run = 'exec "$PROGRAM" -vconsole:off --unixctl=ctl';
const cases: readonly [what: string, start: string, line: string, want: string][] = [
  ['SIGHUP with nohup', `trap '' HUP; ${run} --remote=punix:sock db`, 'kill -HUP PID; sleep 0.3; kill -0 PID && echo alive', 'alive\n'],
  ['SIGHUP without', `${run} --remote=punix:sock db`, 'kill -HUP PID; sleep 0.3; ls sock 2>&1', ''],
  ['SIGTERM that is ignored', `trap '' TERM; ${run} --remote=punix:sock db`, 'kill PID; sleep 0.3; kill -0 PID && echo alive', 'alive\n'],
  [
    'a socket whose name is no UTF-8',
    `${run} "--remote=punix:$(printf 's\\377')" db`,
    'ovsdb-client list-dbs "unix:$PWD/$(printf \'s\\377\')"',
    'Open_vSwitch\n_Server\n',
  ],
];

for (const [what, start, line, want] of cases) {
  test(`ovsdb-server: ${what}`, { skip }, async () => {
    for (const program of ['/usr/sbin/ovsdb-server', join(bin, 'ovsdb-server')]) {
      const have = await whileRuns(program, start, line);
      assert.equal(want === '' ? have.replace(/.*No such file.*\n/, '') : have, want, program);
    }
  });
}
