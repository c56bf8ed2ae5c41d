// ovsdb-client beside Debian's: the same command lines give the same words and exit codes.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { client, compare, insert, type Side, schema, skip } from './support/ovsdb-sides.ts';

test('ovsdb-client: same lines, same words', { skip }, async () => {
  const start = (side: Side): void => {
    execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir });
    execFileSync('/usr/bin/ovsdb-tool', ['create', 'conf.db', schema], { cwd: side.dir });
    const { dir } = side;
    const args = [`--remote=punix:${dir}/db.sock`, '--detach', '--no-chdir', `--pidfile=${dir}/db.pid`, `--unixctl=${dir}/ctl`];
    const { status } = spawnSync(side.program('ovsdb-server'), [...args, '--log-file', '-vconsole:off', `${dir}/db`, `${dir}/conf.db`], {
      env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir },
      stdio: 'ignore',
    });
    assert.equal(status, 0);
    spawnSync('/usr/bin/ovs-vsctl', [
      `--db=unix:${dir}/db.sock`,
      '--no-wait',
      'add-br',
      'br0',
      '--',
      'set',
      'bridge',
      'br0',
      'other_config:a=b',
    ]);
  };
  await compare([
    start,
    client('--help'),
    client('-V'),
    client(),
    client('nosuch'),
    client('list-dbs'),
    client('list-dbs', 'unix:nosuch'),
    client('list-dbs', 'tcp:127.0.0.1:1'),
    client('list-dbs', 'nosuch:1'),
    client('get-schema', 'Small'),
    client('get-schema-version', 'Small'),
    client('get-schema-cksum', 'Small'),
    client('get-schema-version'),
    client('get-schema', 'Nosuch'),
    client('list-tables', 'Small'),
    client('list-columns', 'Small'),
    client('list-columns', 'Small', 'T'),
    client('list-columns', 'Small', 'X'),
    client('list-columns', 'Open_vSwitch', 'Bridge'),
    client('--format=csv', 'list-tables', 'Small'),
    client('--format=html', 'list-tables', 'Small'),
    client('--format=json', 'list-tables', 'Small'),
    client('--format=list', 'list-tables', 'Small'),
    client('--format=strange', 'list-tables', 'Small'),
    client('transact', insert({ name: 'a', n: ['set', [1, 2]], m: ['map', [['k', 'v w']]] })),
    client('transact', insert({ name: 'b', x: 1.5, e: 'a' })),
    client('transact', insert({ name: 'b' })),
    client('transact', '["Nosuch"]'),
    client('transact', '[1'),
    client('transact', '{}'),
    client('query', insert({ name: 'q' })),
    client('query', '["Small",{"op":"select","table":"T","where":[["name","==","a"]]}]'),
    client('--pretty', 'query', '["Small",{"op":"select","table":"T","where":[["name","==","a"]]}]'),
    client('dump', 'Small'),
    client('dump', 'Small', 'T'),
    client('dump', 'Small', 'T', 'name', 'n'),
    client('dump', 'Small', 'X'),
    client('dump', 'Small', 'T', 'nosuch'),
    client('--format=json', 'dump', 'Small'),
    client('--format=csv', '--data=bare', 'dump', 'Small'),
    client('--format=list', '--data=json', 'dump', 'Small'),
    client('--format=html', '--no-headings', 'dump', 'Small'),
    client('--bare', 'dump', 'Small'),
    client('--data=strange', 'dump', 'Small'),
    client('dump', 'Open_vSwitch', 'Bridge', 'name', 'other_config', 'fail_mode'),
    client('dump', '_Server', 'Database', 'name', 'model', 'connected', 'leader'),
    client('needs-conversion', 'small'),
    client('needs-conversion', 'small2'),
    client('convert', 'small2'),
    client('convert', 'noschema'),
    client('needs-conversion', 'small2'),
    client('dump', 'Small'),
    client('wait', 'Small', 'added'),
    client('wait', 'Small', 'connected'),
    client('wait', 'Nosuch', 'removed'),
    client('wait', 'Small', 'strange'),
    client('--timeout=1', 'wait', 'Nosuch', 'added'),
    client('--timeout=1', 'monitor', 'Small', 'T', 'name'),
    client('--timeout=1', 'monitor', 'Small', 'T', 'name,n', 'U'),
    client('--timeout=1', 'monitor', 'Small', 'T', 'nosuch'),
    client('--timeout=1', 'monitor', 'Small', 'X'),
    client('--timeout=1', 'monitor', 'Small', 'T', '!initial'),
    client('--timeout=1', '--format=json', 'monitor', 'Small', 'ALL'),
    client('--timeout=1', 'monitor-cond', 'Small', '[["name","==","a"]]', 'T', 'name'),
    client('--timeout=1', 'monitor-cond', 'Small', '[["name","~","a"]]', 'T', 'name'),
    client('--timeout=1', 'monitor-cond-since', 'Small', '[["name","==","a"]]', 'T', 'name'),
    client('--timeout=1', 'lock', 'l1'),
    client('--timeout=1', 'steal', 'l1'),
    client('--timeout=1', 'unlock', 'l1'),
    client('--timeout=x', 'list-dbs'),
  ]);
});
