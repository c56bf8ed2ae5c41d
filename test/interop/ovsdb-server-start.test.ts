// How ovsdb-server starts, or says why not, beside Debian's.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compare, server, skip, tool } from './support/ovsdb-sides.ts';

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
