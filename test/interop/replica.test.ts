// The IDL against Debian's ovsdb-server: fill, follow, transact, resume after the server's restart.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realClock } from '../../src/host/real-clock.ts';
import { connectStream } from '../../src/host/sockets/socket.ts';
import { connectIdl } from '../../src/ovsdb/client/replica.ts';

const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const skip = existsSync('/usr/sbin/ovsdb-server') && existsSync(schema) ? false : 'needs openvswitch-switch';

async function until(what: string, holds: () => boolean, state: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`never: ${what} ${state()}`);
}

test('a replica fills, follows, commits and resumes', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-replica-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  const socket = `unix:${dir}/db.sock`;
  const startServer = (): void => {
    const args = [`--remote=punix:${dir}/db.sock`, '--detach', `--pidfile=${dir}/db.pid`, '--log-file', `${dir}/conf.db`];
    assert.equal(spawnSync('ovsdb-server', args, { env, stdio: 'ignore' }).status, 0);
  };
  const stopServer = (): void => {
    const pid = Number(readFileSync(`${dir}/db.pid`, 'utf8'));
    process.kill(pid);
  };
  const vsctl = (...args: string[]): string =>
    execFileSync('/usr/bin/ovs-vsctl', [`--db=${socket}`, '--no-wait', ...args], { env }).toString();
  execFileSync('ovsdb-tool', ['create', `${dir}/conf.db`, schema], { env });
  startServer();
  const idl = connectIdl(
    { remotes: [socket], database: 'Open_vSwitch', tables: 'all', lock: 'weft_test' },
    { connect: connectStream, clock: realClock },
  );
  try {
    await until('content and lock', () => idl.hasContent && idl.hasLock);
    vsctl('init', '--', 'add-br', 'br0', '--', 'set', 'bridge', 'br0', 'other_config:a=b', 'other_config:c=d');
    await until('bridge seen', () => idl.rows('Bridge').size === 1);
    const [bridge] = idl.rows('Bridge').values();
    assert.equal(bridge?.scalar('name'), 'br0');
    assert.deepEqual(
      [...(bridge?.map('other_config') ?? [])],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    );
    vsctl('set', 'bridge', 'br0', 'other_config:a=x');
    await until('difference applied', () => bridge !== undefined && idl.row('Bridge', bridge.uuid)?.map('other_config').get('a') === 'x');
    assert.equal(
      idl
        .row('Bridge', bridge?.uuid ?? '')
        ?.map('other_config')
        .get('c'),
      'd',
    );

    const [root] = idl.rows('Open_vSwitch').values();
    const txn = idl.begin();
    const iface = txn.insert('Interface', { name: 'p1', type: 'internal' });
    const port = txn.insert('Port', { name: 'p1', interfaces: [iface] });
    txn.verify('Bridge', bridge?.uuid ?? '', 'ports');
    txn.mutate('Bridge', bridge?.uuid ?? '', 'ports', 'insert', port);
    txn.increment('Open_vSwitch', root?.uuid ?? '', 'next_cfg');
    txn.comment('test');
    assert.deepEqual(await txn.commit(), { status: 'success', error: '' });
    assert.ok(txn.incremented > 0);
    await until('own port seen', () => idl.row('Port', txn.insertedUuid(port) ?? '') !== undefined);
    assert.equal(vsctl('list-ports', 'br0'), 'p1\n');

    const stale = idl.begin();
    stale.verify('Bridge', bridge?.uuid ?? '', 'other_config');
    stale.set('Bridge', bridge?.uuid ?? '', 'datapath_type', 'netdev');
    vsctl('set', 'bridge', 'br0', 'other_config:a=y');
    assert.equal((await stale.commit()).status, 'try again');

    const bad = idl.begin();
    bad.set('Bridge', bridge?.uuid ?? '', 'fail_mode', 'nonsense');
    const refused = await bad.commit();
    assert.equal(refused.status, 'error');
    assert.match(refused.error, /constraint violation/);

    stopServer();
    await until('loss noticed', () => !idl.isConnected);
    startServer();
    await until('connected again', () => idl.isConnected && idl.hasLock);
    vsctl('del-port', 'p1');
    await until(
      'change after restart',
      () => idl.rows('Port').size === 1,
      () => `(${idl.rows('Port').size} ports, connected ${idl.isConnected}, ${idl.lastError})`,
    );
  } finally {
    idl.close();
    stopServer();
    rmSync(dir, { recursive: true });
  }
});
