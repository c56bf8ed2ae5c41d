// Roles: what a client with a certificate and a role may do, our server beside Debian's, and what ovsdb-tool says with `--rbac-role`.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const skip = existsSync('/usr/sbin/ovsdb-server') && existsSync('/usr/bin/openssl') ? false : 'needs openvswitch-switch and openssl';
const bin = join(import.meta.dirname, '../../bin');

const strings = { type: { key: 'string', min: 0, max: 'unlimited' } };
const stringMap = { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } };
const string = { type: 'string' };
const integer = { type: 'integer' };
const permissionMap = {
  type: { key: 'string', value: { type: 'uuid', refTable: 'RBAC_Permission', refType: 'weak' }, min: 0, max: 'unlimited' },
};
const SCHEMA = {
  name: 'R',
  version: '1.0.0',
  tables: {
    RBAC_Role: { isRoot: true, columns: { name: string, permissions: permissionMap } },
    RBAC_Permission: {
      isRoot: true,
      columns: { table: string, authorization: strings, insert_delete: { type: 'boolean' }, update: strings },
    },
    T: {
      isRoot: true,
      columns: { name: string, owner: strings, m: stringMap, n: integer, x: string, one: string, opt: { type: { key: 'string', min: 0 } } },
    },
    U: { isRoot: true, columns: { name: string } },
    V: { isRoot: true, columns: { name: string, n: integer, m: stringMap } },
    Connection: { isRoot: true, columns: { target: string, role: string, read_only: { type: 'boolean' } } },
    Connections: { isRoot: true, columns: { list: { type: { key: { type: 'uuid', refTable: 'Connection' }, min: 0, max: 'unlimited' } } } },
  },
};
const CONTENT = [
  'R',
  {
    op: 'insert',
    table: 'RBAC_Permission',
    'uuid-name': 'p1',
    row: {
      table: 'T',
      authorization: ['set', ['owner', 'm:who', 'one', 'opt']],
      insert_delete: true,
      update: ['set', ['n', 'm:k', 'owner']],
    },
  },
  {
    op: 'insert',
    table: 'RBAC_Permission',
    'uuid-name': 'p2',
    row: { table: 'V', authorization: '', insert_delete: false, update: ['set', ['n', 'm:k']] },
  },
  {
    op: 'insert',
    table: 'RBAC_Role',
    row: {
      name: 'r',
      permissions: [
        'map',
        [
          ['T', ['named-uuid', 'p1']],
          ['V', ['named-uuid', 'p2']],
        ],
      ],
    },
  },
  { op: 'insert', table: 'T', row: { name: 'mine', one: 'alice' } },
  { op: 'insert', table: 'T', row: { name: 'optional', opt: 'alice' } },
  { op: 'insert', table: 'T', row: { name: 'in set', owner: 'alice' } },
  { op: 'insert', table: 'T', row: { name: 'shared', owner: ['set', ['alice', 'bob']] } },
  { op: 'insert', table: 'T', row: { name: 'by key', m: ['map', [['who', 'alice']]] } },
  { op: 'insert', table: 'T', row: { name: 'theirs', owner: 'x', m: ['map', [['who', 'y']]] } },
  { op: 'insert', table: 'V', row: { name: 'v', m: ['map', [['k', '1']]] } },
  { op: 'insert', table: 'U', row: { name: 'u' } },
];

const where = (name: string): unknown[] => [['name', '==', name]];
const row = { m: ['map', [['k', 'b']]] };
/** Runs of operations, each to be tried by a client with a role. */
const TRIES: readonly (readonly object[])[] = [
  [{ op: 'insert', table: 'T', row: { name: 'z' } }],
  [{ op: 'insert', table: 'U', row: { name: 'z' } }],
  [{ op: 'insert', table: 'V', row: { name: 'z' } }],
  [{ op: 'select', table: 'U', where: [], columns: ['name'] }],
  ...['mine', 'optional', 'in set', 'shared', 'by key', 'theirs', 'none'].flatMap((name) => [
    [{ op: 'update', table: 'T', where: where(name), row: { n: 3 } }],
    [{ op: 'update', table: 'T', where: where(name), row: { x: 'q' } }],
    [{ op: 'update', table: 'T', where: where(name), row: { n: 4, x: 'q' } }],
    [{ op: 'update', table: 'T', where: where(name), row: {} }],
    [{ op: 'update', table: 'T', where: where(name), row }],
    [{ op: 'mutate', table: 'T', where: where(name), mutations: [['n', '+=', 1]] }],
    [{ op: 'mutate', table: 'T', where: where(name), mutations: [['m', 'insert', ['map', [['k', 'b']]]]] }],
    [{ op: 'mutate', table: 'T', where: where(name), mutations: [['m', 'insert', ['map', [['j', 'b']]]]] }],
    [{ op: 'mutate', table: 'T', where: where(name), mutations: [['m', 'delete', ['set', ['k']]]] }],
    [{ op: 'mutate', table: 'T', where: where(name), mutations: [] }],
    [{ op: 'delete', table: 'T', where: where(name) }, { op: 'abort' }],
  ]),
  [{ op: 'update', table: 'T', where: [], row: { n: 3 } }],
  [{ op: 'delete', table: 'T', where: [] }],
  [{ op: 'delete', table: 'U', where: where('none') }],
  [{ op: 'delete', table: 'V', where: [] }],
  [{ op: 'update', table: 'V', where: [], row: { n: 3 } }],
  [{ op: 'update', table: 'V', where: [], row: { name: 'k' } }],
  [{ op: 'update', table: 'V', where: [], row }],
  [
    {
      op: 'update',
      table: 'V',
      where: [],
      row: {
        m: [
          'map',
          [
            ['k', '2'],
            ['l', '3'],
          ],
        ],
      },
    },
  ],
  [{ op: 'mutate', table: 'V', where: [], mutations: [['m', 'insert', ['map', [['l', 'b']]]]] }],
  [{ op: 'mutate', table: 'V', where: [], mutations: [['m', 'insert', ['map', [['k', 'b']]]]] }],
  [{ op: 'update', table: 'U', where: [], row: {} }],
  [{ op: 'mutate', table: 'U', where: [], mutations: [] }],
  [
    { op: 'insert', table: 'T', row: { name: 'new', one: 'alice' } },
    { op: 'update', table: 'T', where: where('new'), row: { n: 9 } },
  ],
  [
    { op: 'insert', table: 'T', row: { name: 'foreign', owner: 'bob' } },
    { op: 'update', table: 'T', where: where('foreign'), row: { n: 9 } },
  ],
  [{ op: 'update', table: 'T', where: where('mine'), row: { n: 5 } }],
  [{ op: 'update', table: 'T', where: where('mine'), row: { n: 10 } }],
  [
    { op: 'comment', comment: 'c' },
    { op: 'wait', table: 'U', where: [], columns: ['name'], until: '!=', rows: [], timeout: 0 },
    { op: 'assert', lock: 'l' },
  ],
];

/** A CA, and a certificate of it for each name. */
function makeKeys(dir: string, names: readonly string[]): void {
  const openssl = (line: string): void => void execFileSync('openssl', line.split(' '), { cwd: dir, stdio: 'ignore' });
  openssl('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem');
  for (const name of names) {
    openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
    openssl(`x509 -req -days 2 -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ${name}.pem`);
  }
}

const keys = (dir: string, name: string): string[] => [`-p${dir}/${name}.key`, `-c${dir}/${name}.pem`, `-C${dir}/ca.pem`];

const plain = (text: string): string => text.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');

async function answersOf(program: string, target: string, connection: object, client: string): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-rbac-'));
  let server: ChildProcess | undefined;
  try {
    makeKeys(dir, ['server', 'alice']);
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA));
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/db`, `${dir}/schema`]);
    const rows = [
      { op: 'insert', table: 'Connection', 'uuid-name': 'c', row: { target, ...connection } },
      { op: 'insert', table: 'Connections', row: { list: ['named-uuid', 'c'] } },
    ];
    execFileSync('/usr/bin/ovsdb-tool', ['transact', `${dir}/db`, JSON.stringify([...CONTENT, ...rows])]);
    const args = ['--remote=db:R,Connections,list', `--log-file=${dir}/log`, '-vconsole:off', '--unixctl=none', ...keys(dir, 'server')];
    server = spawn(program, [...args, `${dir}/db`], { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' });
    let port = 0;
    for (let i = 0; i < 400 && port === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      port = Number(/listening on port (\d+)/.exec(existsSync(`${dir}/log`) ? readFileSync(`${dir}/log`, 'utf8') : '')?.[1] ?? 0);
    }
    assert.ok(port > 0, `${program} never listened`);
    const place = `${client}:127.0.0.1:${port}`;
    return TRIES.map((operations) => {
      const words = ['-t20', ...keys(dir, 'alice'), 'transact', place, JSON.stringify(['R', ...operations])];
      const { stdout, stderr } = spawnSync('/usr/bin/ovsdb-client', words, { encoding: 'utf8' });
      return `${JSON.stringify(operations)}\n  ${plain(stdout)}${stderr}`;
    });
  } finally {
    if (server !== undefined && server.exitCode === null) {
      const ended = new Promise((resolve) => server?.once('exit', resolve));
      server.kill();
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

const cases: readonly [title: string, target: string, connection: object, client: string][] = [
  ['a role, by certificate', 'pssl:0:127.0.0.1', { role: 'r' }, 'ssl'],
  ['a role that does not exist', 'pssl:0:127.0.0.1', { role: 'nosuch' }, 'ssl'],
  ['a role, by nobody known', 'ptcp:0:127.0.0.1', { role: 'r' }, 'tcp'],
  ['a remote for reading only', 'ptcp:0:127.0.0.1', { read_only: true }, 'tcp'],
];
for (const [title, target, connection, client] of cases) {
  test(`${title}: our server answers as Debian's`, { skip }, async () => {
    const [want, have] = await Promise.all(
      ['/usr/sbin/ovsdb-server', join(bin, 'ovsdb-server')].map((program) => answersOf(program, target, connection, client)),
    );
    assert.deepEqual(have, want);
    assert.match(String(want), /permission error|read only mode/);
  });
}
