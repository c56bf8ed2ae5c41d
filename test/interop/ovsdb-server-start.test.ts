// How ovsdb-server starts, or says why not, beside Debian's.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { client, compare, server, skip, tool } from './support/ovsdb-sides.ts';

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
    // Several that are at fault: which is told first, and the others.
    server(...common, '-', 'nosuch', 'd', 'c'),
    server(...common, 'c', 'd', 'nosuch', '-'),
    server(...common, '--no-dbs', ...['a', 'b', 'c', 'd', 'e', 'f,g,h', 'g'].map((place) => `--remote=db:${place}`)),
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

test('a file whose last record is damaged: said until the next record is written', { skip }, async () => {
  const damage = (change: (bytes: Buffer) => Uint8Array) => (side: { dir: string }) => {
    rmSync(join(side.dir, 'db'), { force: true });
    execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir });
    writeFileSync(join(side.dir, 'db'), change(Buffer.concat([readFileSync(join(side.dir, 'db')), Buffer.from(record)])));
  };
  const body = '{"_date":1,"_comment":"c"}\n';
  const record = `OVSDB JSON ${body.length} ${createHash('sha1').update(body).digest('hex')}\n${body}`;
  const damages: ((bytes: Buffer) => Uint8Array)[] = [
    (bytes) => bytes.subarray(0, -5),
    (bytes) => bytes.subarray(0, 10 - record.length),
    (bytes) => bytes.map((byte, at) => (at === bytes.length - 5 ? 0x58 : byte)),
    (bytes) => Buffer.concat([bytes, Buffer.from('hello there\n')]),
    (bytes) => bytes,
  ];
  await compare(damages.flatMap((change) => [damage(change), server('--unixctl=none', '--run=sleep 0.5', 'db')]));
  // Once more while the server rests, and no more when it has written.
  const insert = `["Open_vSwitch",{"op":"insert","table":"Open_vSwitch","row":{}}]`;
  const run = `sleep 3; ovsdb-client transact unix:sock '${insert}' >out 2>&1; sleep 3`;
  await compare([damage((bytes) => bytes.subarray(0, -5)), server('--unixctl=none', '--run=sleep 3', 'db')]);
  const counts = ['/usr/sbin/ovsdb-server', join(import.meta.dirname, '../../bin/ovsdb-server')].map((program) => {
    const dir = mkdtempSync(join(tmpdir(), 'weft-torn-'));
    try {
      copyFileSync('/usr/share/openvswitch/vswitch.ovsschema', join(dir, 'schema'));
      execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'schema'], { cwd: dir });
      writeFileSync(join(dir, 'db'), Buffer.concat([readFileSync(join(dir, 'db')), Buffer.from(record).subarray(0, -5)]));
      const { stderr } = spawnSync(program, ['--unixctl=none', '--remote=punix:sock', `--run=${run}`, 'db'], {
        cwd: dir,
        env: { ...process.env, OVS_RUNDIR: dir },
        encoding: 'utf8',
      });
      const times = stderr.split('\n').filter((line) => line.includes('error reading'));
      const last = Date.parse(times.at(-1)?.split('|')[0] ?? '') - Date.parse(times[0]?.split('|')[0] ?? '');
      return [times.length >= 4, last < 5000];
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
  assert.deepEqual(counts, [
    [true, true],
    [true, true],
  ]);
});

test('tools look who --user is, and say that one log file makes way for another', { skip }, async () => {
  const users = [
    'nosuch',
    'nosuch:x',
    'nobody:adm',
    ':root',
    ':adm',
    'nobody:nogroup',
    'nobody:',
    'root:nogroup',
    'nobody:nogroup:x',
    '::',
    ':',
    '',
  ];
  const files = (...names: string[]): string[] => ['ovs-appctl', ...names.map((name) => `--log-file=DIR/${name}`), '--target'];
  await compare([
    ...users.flatMap((user) => [client(`--user=${user}`, '1x'), ['ovs-ofctl', `--user=${user}`, '1x']]),
    client('--user=nosuch', '--bogus'),
    (side) => mkdirSync(join(side.dir, 'folder')),
    files('a', 'b'),
    files('a', 'a'),
    files('a', 'folder'),
    files('a', 'b', 'c'),
  ]);
});

test('places where nothing can listen', { skip }, async () => {
  const long = 'x'.repeat(120);
  const remote = (place: string): string[] => server('--unixctl=none', '--run=sleep 0.5', `--remote=${place}`, 'db');
  const names = ['punix:', 'punix:DIR/folder', 'punix:DIR/plain/x', 'punix:DIR/nosuch/x', `punix:DIR/${long}`, `punix:DIR/nosuch/${long}`];
  await compare([
    (side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }),
    (side) => mkdirSync(join(side.dir, 'folder')),
    (side) => writeFileSync(join(side.dir, 'plain'), ''),
    ...names.map(remote),
    remote('ptcp:1:1.2.3.4'),
    ...['folder', 'plain/x', 'nosuch/x', `${long}`].map((place) => server(`--unixctl=DIR/${place}`, '--run=true', 'db')),
    ...[...names, 'ptcp:1:1.2.3.4', 'pssl:1:1.2.3.4', 'ptcp:x'].map((place) => client('list-dbs', place)),
    client('list-dbs', `unix:DIR/${long}`),
    client('list-dbs', `unix:DIR/nosuch/${long}`),
    // What is no folder makes way.
    remote('punix:DIR/plain'),
    (side) => writeFileSync(join(side.dir, 'plain'), ''),
    server('--unixctl=DIR/plain', '--run=true', 'db'),
  ]);
});

test('ovsdb-server: options of the manual page that need no running server', { skip }, async () => {
  const run = (...args: string[]): string[] => server('--unixctl=none', '--run=true', ...args, 'db');
  await compare([
    (side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }),
    run('--active'),
    server('--service', 'db'),
    server('--service-monitor', 'db'),
    run('--sync-from=strange'),
    run('--sync-from=tcp:127.0.0.1:1', '--active'),
    run('--sync-exclude-tables=x'),
    run('--sync-exclude-tables=x', '--sync-from=unix:x'),
    run('--disable-file-column-diff'),
    run('relay:x'),
    run('relay:Small:strange'),
    run('relay:Small:'),
    run('--ca-cert=nosuch', '--syslog-method=strange'),
    run('--syslog-method=null', '--syslog-method=strange'),
    run('relay::unix:x'),
    run('relay:Small:unix:x'),
    server('--run'),
    server('--run=', '--unixctl=none', 'db'),
    server('--unixctl=/nosuch/x', '--run=true', 'db'),
    run('--pidfile=/nosuch/x'),
    run('--syslog-target=x'),
    run('--syslog-target=1.2.3.4:x'),
    run('--syslog-method=strange'),
    run('--record=/nosuch'),
    run('--replay=/nosuch'),
    run('--remote=db:'),
    run('--remote=db:,,'),
    run('--remote=db:Small,T,m'),
  ]);
});

test('ovsdb-server: keys and columns that name them', { skip }, async () => {
  const run = (...args: string[]): string[] => server('--unixctl=none', '--run=true', ...args, 'db');
  await compare([
    (side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }),
    run('-pnosuch'),
    run('-Cnosuch'),
    run('-Cnone'),
    run('-pnosuch', '-cnosuch', '-Cnosuch'),
    run('--peer-ca-cert=nosuch'),
    run('--bootstrap-ca-cert=nosuch'),
    run('--ssl-ciphers=strange'),
    run('--ssl-ciphers='),
    run('-p', 'db:Small,T,name'),
    run('-p', 'db:Small,T,nosuch'),
    run('-p', 'db:Small,T,n'),
    run('-c', 'db:Small'),
    run('-C', 'db:Nosuch,T,x'),
    run('--bootstrap-ca-cert=db:Small,X,x'),
    run('--ssl-protocols=db:Small,T,nosuch'),
    run('--ssl-ciphers=db:Small,T,nosuch'),
    run('-p', 'db:x', '-c', 'db:y', '-C', 'db:Small,T,n'),
    run('-p', 'db:x', '--remote=db:x'),
  ]);
});

test('ovsdb-server: what it connects to', { skip }, async () => {
  const targets = ['tcp:127.0.0.1', 'ssl:127.0.0.1', 'ssl:127.0.0.1:1', 'tcp:127.0.0.1:x', 'tcp:127.0.0.1:70000'];
  targets.push('tcp:[::1', 'tcp:[::1]', 'tcp:[::1]x:1', 'tcp:', 'tcp:x:y:z', 'tcp::1', 'tcp:127.0.0.1:', 'strange:x', '');
  const run = (option: string): string[] => server('--unixctl=none', '--run=sleep 0.4', option, 'db');
  await compare([
    (side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }),
    ...targets.flatMap((target) => [`--remote=${target}`, `--sync-from=${target}`].map(run)),
    ...['ptcp:99999', 'ptcp:abc', 'pssl:66000:1.2.3.4', 'ptcp:-1'].map((target) => run(`--remote=${target}`)),
    client('list-dbs', 'tcp:127.0.0.1'),
    ...targets.filter((target) => /^(tcp|strange)/.test(target)).map((target) => client('list-dbs', target)),
    ...targets.filter((target) => target.startsWith('tcp')).map((target) => ['ovs-vsctl', '--no-wait', `--db=${target}`, 'show']),
  ]);
});

test('ovsdb-server says which port it listens on only where the kernel chose it', { skip }, () => {
  // One after the other, for it is the same port.
  for (const remote of ['ptcp:', 'ptcp::127.0.0.1', 'ptcp:0:127.0.0.1']) {
    const [want, have] = ['/usr/sbin/ovsdb-server', join(import.meta.dirname, '../../bin/ovsdb-server')].map((program) => {
      const { stderr, status } = spawnSync(program, ['--no-dbs', '--unixctl=none', '--run=true', `--remote=${remote}`], {
        encoding: 'utf8',
      });
      return [stderr.replace(/^\S+Z/gm, 'TIME').replace(/port \d+/, 'port N'), status];
    });
    assert.deepEqual(have, want);
  }
});
