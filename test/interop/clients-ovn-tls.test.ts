// OVN's tools and northd with databases of Debian's ovsdb-server and of ours: over TLS with keys and remotes that the database names, with the role that
// northd sets up for ovn-controller, for chassis that may and may not, and with the options about leaders that mean nothing to a standalone server.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const needed = [
  '/usr/bin/ovn-nbctl',
  '/usr/bin/ovn-northd',
  '/usr/sbin/ovsdb-server',
  '/usr/bin/openssl',
  '/usr/share/ovn/ovn-sb.ovsschema',
];
const skip = needed.every(existsSync) ? false : 'needs ovn-central, openvswitch-switch and openssl';
const SERVERS = ['/usr/sbin/ovsdb-server', join(import.meta.dirname, '../../bin/ovsdb-server')];

/** What a chassis says to the southbound database, and who says it. */
const CHASSIS_LINES = `
a chassis-add a geneve 1.1.1.1
a chassis-add b geneve 1.1.1.2
b chassis-add b geneve 1.1.1.2
a chassis-del b
a set chassis a external_ids:a=b
a set chassis b external_ids:a=b
a set chassis a name=c
a lsp-bind p1 a
b lsp-bind p1 b
a set port_binding p1 up=true
a set port_binding p1 mac=x
a destroy datapath_binding .
a set sb_global . options:x=y
a create mac_binding logical_port=p1 ip=1.2.3.4
a lsp-unbind p1
a chassis-del a
a show
b --leader-only show
b --no-leader-only list-ports
`;

async function tell(program: string, base: number): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ovn-tls-'));
  const env = { ...process.env, OVN_RUNDIR: dir, OVS_RUNDIR: dir, OVN_LOGDIR: dir, OVS_LOGDIR: dir };
  const running: ChildProcess[] = [];
  const said: string[] = [];
  const openssl = (line: string): void => void execFileSync('openssl', line.split(' '), { cwd: dir, stdio: 'ignore' });
  const run = (name: string, ...args: string[]): void => void running.push(spawn(name, args, { cwd: dir, env, stdio: 'ignore' }));
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 400 && !holds(); i++) await sleep(50);
    assert.ok(holds(), `${program}: never ${what}`);
  };
  const ask = (tool: string, ...args: string[]): void => {
    const { stdout, stderr, status } = spawnSync(tool, ['-t', '20', ...args], { cwd: dir, env, encoding: 'utf8' });
    const text = `${args.slice(1).join(' ')}\n${stdout}${stderr}${status}`
      .replaceAll(dir, 'DIR')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
      .replaceAll(/^\S+Z\|\d+\|/gm, '')
      .replaceAll(String(base), 'NBPORT')
      .replaceAll(String(base + 1), 'SBPORT')
      // Of two rows that it must not insert the tool sends either first.
      .replaceAll(/row insertion into table \\"(Chassis|Encap)\\"/g, 'row insertion');
    said.push(text);
  };
  try {
    openssl('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem');
    for (const name of ['server', 'a', 'b']) {
      openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
      openssl(`x509 -req -days 2 -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ${name}.pem`);
    }
    for (const [side, database, table] of [
      ['nb', 'OVN_Northbound', 'NB_Global'],
      ['sb', 'OVN_Southbound', 'SB_Global'],
    ] as const) {
      execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/${side}.db`, `/usr/share/ovn/ovn-${side}.ovsschema`]);
      const keys = ['private_key', 'certificate', 'ca_cert'].map((column) => `--${column.replace('_', '-')}=db:${database},SSL,${column}`);
      const remotes = [`--remote=punix:${dir}/${side}.sock`, `--remote=db:${database},${table},connections`];
      run(
        program,
        ...remotes,
        ...keys,
        `--unixctl=${dir}/${side}.ctl`,
        `--log-file=${dir}/${side}.log`,
        '-vconsole:off',
        `${dir}/${side}.db`,
      );
      await until('a database', () => existsSync(`${dir}/${side}.sock`));
    }
    const [nb, sb] = ['nb', 'sb'].map((side) => `unix:${dir}/${side}.sock`) as [string, string];
    run('/usr/bin/ovn-northd', `--ovnnb-db=${nb}`, `--ovnsb-db=${sb}`, `--unixctl=${dir}/northd.ctl`, '-vconsole:off');
    ask(
      'ovn-nbctl',
      `--db=${nb}`,
      '--wait=sb',
      'ls-add',
      's1',
      '--',
      'lsp-add',
      's1',
      'p1',
      '--',
      'lsp-set-addresses',
      'p1',
      '00:00:00:00:00:01 10.0.0.1',
    );
    for (const option of ['--leader-only', '--no-leader-only']) ask('ovn-nbctl', `--db=${nb}`, option, 'show');
    for (const [tool, db, remote] of [
      ['ovn-nbctl', nb, [`pssl:${base}:127.0.0.1`]],
      ['ovn-sbctl', sb, ['role=ovn-controller', `pssl:${base + 1}:127.0.0.1`]],
    ] as const) {
      ask(tool, `--db=${db}`, 'set-ssl', `${dir}/server.key`, `${dir}/server.pem`, `${dir}/ca.pem`);
      ask(tool, `--db=${db}`, 'set-connection', ...remote);
      ask(tool, `--db=${db}`, 'get-connection');
    }
    await sleep(1000);
    const keys = (who: string): string[] => ['-p', `${who}.key`, '-c', `${who}.pem`, '-C', 'ca.pem'];
    ask('ovn-nbctl', `--db=ssl:127.0.0.1:${base}`, ...keys('a'), 'lsp-list', 's1');
    ask('ovn-nbctl', `--db=ssl:127.0.0.1:${base}`, ...keys('a'), '--wait=sb', 'acl-add', 's1', 'to-lport', '1000', 'ip4', 'allow-related');
    for (const line of CHASSIS_LINES.trim().split('\n')) {
      const [who = '', ...words] = line.split(' ');
      ask('ovn-sbctl', `--db=ssl:127.0.0.1:${base + 1}`, ...keys(who), ...words);
    }
    ask('ovn-sbctl', `--db=${sb}`, 'show');
    // A load: a thousand ports and a hundred rules in one transaction, and away again.
    const load = ['ls-add', 'big'];
    for (let i = 0; i < 1000; i++) load.push('--', 'lsp-add', 'big', `b${i}`);
    for (let i = 0; i < 100; i++) load.push('--', 'acl-add', 'big', 'to-lport', String(1000 + i), `tcp.dst == ${i}`, 'allow');
    const count = (table: string): string => {
      const text = execFileSync('ovn-sbctl', [`--db=${sb}`, '--bare', '--columns=_uuid', 'list', table], { encoding: 'utf8' });
      return `${table} ${text.split('\n').filter((line) => line !== '').length}`;
    };
    for (const args of [load, ['ls-del', 'big']]) {
      const { status, stderr } = spawnSync('ovn-nbctl', [`--db=${nb}`, '-t', '60', '--wait=sb', ...args], { encoding: 'utf8' });
      said.push(`${status}${stderr} ${['Port_Binding', 'Logical_Flow', 'Datapath_Binding'].map(count).join(' ')}`);
    }
    return said;
  } finally {
    for (const child of running.reverse()) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

test("OVN over TLS with roles: the same from our server as from Debian's", { skip, timeout: 240_000 }, async () => {
  const told: string[][] = [];
  for (const [i, program] of SERVERS.entries()) told.push(await tell(program, 27_400 + 10 * i));
  const [want, have] = told;
  assert.deepEqual(have, want);
  assert.match(String(want), /RBAC rules for client \\"a\\" role \\"ovn-controller\\" prohibit/);
  assert.match(String(want), /Port_Binding 1001 /);
});
