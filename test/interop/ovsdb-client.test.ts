// ovsdb-client, and the start of ovsdb-server, beside Debian's: the same command lines give the same words and exit codes.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { client, compare, insert, type Side, schema, server, skip, tool } from './support/ovsdb-sides.ts';

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

test('ovsdb-server that cannot start says why', { skip }, async () => {
  const common = ['--unixctl=none', '--run=true'];
  await compare([
    server('--help'),
    server('-V'),
    server('--nosuch'),
    (side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }),
    (side) => cpSync(join(side.dir, 'db'), join(side.dir, 'same')),
    (side) => writeFileSync(join(side.dir, 'cluster'), 'OVSDB CLUSTER 10 da39a3ee5e6b4b0d3255bfef95601890afd80709\n'),
    (side) => writeFileSync(join(side.dir, 'badschema'), `${String(readFileSync(join(side.dir, 'db'))).replace('"name"', '"nane"')}`),
    server(...common, 'nosuch'),
    server(...common, 'garbage'),
    server(...common, 'empty'),
    server(...common, 'badschema'),
    server(...common, 'db', 'db'),
    server(...common, 'db', 'same'),
    server(...common, '/'),
    server(...common, '--remote=strange:1', 'db'),
    server(...common, '--remote=ptcp:1:1.2.3.4', 'db'),
    server(...common, '--remote=punix:/nosuch/sock', 'db'),
    server(...common, '--remote=db:Small,T,nosuch', 'db'),
    server(...common, '--remote=db:Nosuch,T,nosuch', 'db'),
    server(...common, '--remote=db:Small,X,nosuch', 'db'),
    server(...common, '--remote=db:Small,T,n', 'db'),
    server(...common, '--remote=db:Small', 'db'),
    server(...common, '--run=exit 3', 'db'),
    server(...common, '--run=true', 'db'),
    server(...common, '--run=kill -9 $$', 'db'),
    (side) => {
      const { dir } = side;
      spawnSync(
        side.program('ovsdb-server'),
        ['--detach', '--no-chdir', `--pidfile=${dir}/db.pid`, '-vconsole:off', '--unixctl=none', 'db'],
        {
          cwd: dir,
          stdio: 'ignore',
        },
      );
    },
    server(...common, 'db'),
    server(...common, '--detach', '--pidfile=second.pid', 'db'),
    tool('compact', 'db'),
    tool('transact', 'db', '["Small"]'),
    tool('query', 'db', '["Small"]'),
  ]);
});
