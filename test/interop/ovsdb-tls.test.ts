// TLS between our OVSDB programs and Debian's: certificates on both sides, a stranger refused, bootstrap, keys named in the database.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import { DummyDaemons } from './support/dummy-daemons.ts';
import { compare } from './support/ovsdb-sides.ts';

const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const skip =
  existsSync('/usr/sbin/ovsdb-server') && existsSync('/usr/bin/openssl') && existsSync(schema)
    ? false
    : 'needs openvswitch-switch and openssl';
const bin = join(import.meta.dirname, '../../bin');
const servers = new Map([
  ['ours', join(bin, 'ovsdb-server')],
  ["Debian's", '/usr/sbin/ovsdb-server'],
]);
const clients = new Map([
  ['ours', join(bin, 'ovsdb-client')],
  ["Debian's", '/usr/bin/ovsdb-client'],
]);

/** A CA and a certificate signed by it, for each name. */
function makeKeys(dir: string, name: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name} ca`,
    '-keyout',
    `${name}-ca.key`,
    '-out',
    `${name}-ca.pem`,
  );
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    `${name}.csr`,
    '-CA',
    `${name}-ca.pem`,
    '-CAkey',
    `${name}-ca.key`,
    '-CAcreateserial',
    '-out',
    `${name}.pem`,
  );
}

const keys = (dir: string, name: string): string[] => [`--private-key=${dir}/${name}.key`, `--certificate=${dir}/${name}.pem`];

async function withServer(
  program: string,
  dir: string,
  args: string[],
  fn: (port: number) => void | Promise<void>,
  place = '127.0.0.1',
): Promise<void> {
  rmSync(join(dir, 'server.log'), { force: true });
  const server: ChildProcess = spawn(
    program,
    [
      `--remote=pssl:0:${place}`,
      `--remote=punix:${dir}/db.sock`,
      `--log-file=${dir}/server.log`,
      '-vconsole:off',
      '--unixctl=none',
      ...args,
      `${dir}/conf.db`,
    ],
    { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' },
  );
  const exited = new Promise((resolve) => server.on('exit', resolve));
  try {
    let port = 0;
    for (let i = 0; i < 400 && port === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      const log = existsSync(`${dir}/server.log`) ? readFileSync(`${dir}/server.log`, 'utf8') : '';
      port = Number(/listening on port (\d+)/.exec(log)?.[1] ?? 0);
    }
    assert.ok(port > 0, 'the server never listened');
    await fn(port);
  } finally {
    server.kill();
    await exited;
  }
}

test('TLS both ways, strangers refused, bootstrap', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    const ask = (client: string, port: number, ...args: string[]): string => {
      const { status, stdout } = spawnSync(client, ['--timeout=15', '-vconsole:off', ...args, 'list-dbs', `ssl:127.0.0.1:${port}`], {
        encoding: 'utf8',
      });
      return `${stdout}${status}`;
    };
    const good = 'Open_vSwitch\n_Server\n0';
    for (const [whoServes, server] of servers) {
      await withServer(server, dir, [...keys(dir, 'a'), `--ca-cert=${dir}/b-ca.pem`, `--peer-ca-cert=${dir}/a-ca.pem`], (port) => {
        for (const [whoAsks, client] of clients) {
          const title = `${whoServes} serves, ${whoAsks} asks`;
          assert.equal(ask(client, port, ...keys(dir, 'b'), `--ca-cert=${dir}/a-ca.pem`), good, title);
          assert.notEqual(ask(client, port, ...keys(dir, 'a'), `--ca-cert=${dir}/a-ca.pem`), good, `${title}: a certificate of a stranger`);
          assert.notEqual(ask(client, port, ...keys(dir, 'b'), `--ca-cert=${dir}/b-ca.pem`), good, `${title}: a server not believed`);
          const fresh = join(dir, 'fresh.pem');
          rmSync(fresh, { force: true });
          ask(client, port, ...keys(dir, 'b'), `--bootstrap-ca-cert=${fresh}`);
          assert.ok(existsSync(fresh), `${title}: bootstrap`);
          assert.equal(ask(client, port, ...keys(dir, 'b'), `--bootstrap-ca-cert=${fresh}`), good, `${title}: after bootstrap`);
          rmSync(fresh);
        }
      });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

const CLIENTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['all in order', ['-p', 'b.key', '-c', 'b.pem', '-C', 'a-ca.pem']],
  ['the server is a stranger', ['-p', 'b.key', '-c', 'b.pem', '-C', 'b-ca.pem']],
  ['no judgement', ['-p', 'b.key', '-c', 'b.pem', '-C', 'none']],
  ['no key', ['-C', 'a-ca.pem']],
  ['nothing', []],
  ['one protocol', ['-p', 'b.key', '-c', 'b.pem', '-C', 'a-ca.pem', '--ssl-protocols=TLSv1.2']],
  ['no protocol', ['-p', 'b.key', '-c', 'b.pem', '-C', 'a-ca.pem', '--ssl-protocols=foo']],
  ['one cipher', ['-p', 'b.key', '-c', 'b.pem', '-C', 'a-ca.pem', '--ssl-protocols=TLSv1.2', '--ssl-ciphers=ECDHE-RSA-AES128-GCM-SHA256']],
  ['no cipher', ['-p', 'b.key', '-c', 'b.pem', '-C', 'a-ca.pem', '--ssl-ciphers=NOSUCH']],
  ["another's key", ['-p', 'a.key', '-c', 'b.pem', '-C', 'a-ca.pem']],
  ['an absent key', ['-p', 'nosuch', '-c', 'b.pem', '-C', 'a-ca.pem']],
  ['a key that is none', ['-p', 'b.csr', '-c', 'b.pem', '-C', 'a-ca.pem']],
]);

test('keys, protocols and ciphers, good and bad, over IPv6: each pair does and says the same', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  const ask = (client: string, port: number, words: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn(client, ['--timeout=30', ...words, 'list-dbs', `ssl:[::1]:${port}`], {
        cwd: dir,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [out, err] = ['', ''];
      child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
      child.on('close', (status) => {
        const said = err
          .replaceAll(/^\S+Z\|\d+\|/gm, '')
          .replaceAll(String(port), 'PORT')
          .replaceAll(/error:[0-9A-F]{8}/g, 'error:N');
        resolve(`${out}|${said}|${status}`);
      });
    });
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    const found = new Map<string, string>();
    for (const server of servers.values()) {
      const args = [...keys(dir, 'a'), `--ca-cert=${dir}/b-ca.pem`];
      const askAll = async (port: number): Promise<void> => {
        for (const [what, words] of CLIENTS) {
          const answers = await Promise.all([...clients.values()].map((client) => ask(client, port, words)));
          for (const answer of answers) {
            if (!found.has(what)) found.set(what, answer);
            assert.equal(answer, found.get(what), what);
          }
        }
      };
      await withServer(server, dir, args, askAll, '[::1]');
    }
    assert.match(found.get('all in order') ?? '', /^Open_vSwitch\n_Server\n\|\|0$/);
    assert.match(found.get('no cipher') ?? '', /^Open_vSwitch.*no cipher match/s);
    assert.match(found.get("another's key") ?? '', /Protocol not available\)\n\|1$/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the server connects to a manager over TLS: as it shall, not to a stranger, and by bootstrap', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  const read = (...names: string[]): string => names.map((name) => readFileSync(join(dir, name), 'utf8')).join('');
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    const told: string[][] = [];
    for (const server of servers.values()) {
      const said: string[] = [];
      for (const authority of ['--ca-cert=a-ca.pem', '--ca-cert=b-ca.pem', '--ca-cert=none', '--bootstrap-ca-cert=boot.pem']) {
        rmSync(join(dir, 'conf.db'), { force: true });
        rmSync(join(dir, 'boot.pem'), { force: true });
        execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
        let answer = '';
        const manager = createServer(
          { key: read('a.key'), cert: read('a.pem', 'a-ca.pem'), ca: read('b-ca.pem'), requestCert: true, rejectUnauthorized: true },
          (socket) => {
            const { subject } = socket.getPeerCertificate();
            socket.on('error', () => {}).on('data', (bytes) => (answer = `${subject.CN} ${answer.split(' ')[1] ?? ''}${bytes.toString()}`));
            socket.write('{"id":1,"method":"list_dbs","params":[]}');
          },
        );
        manager.on('tlsClientError', () => {});
        await new Promise<void>((resolve) => manager.listen(0, '127.0.0.1', resolve));
        const { port } = manager.address() as AddressInfo;
        const args = [...keys(dir, 'b'), authority.replace('=', authority.endsWith('none') ? '=' : `=${dir}/`)];
        await withServer(server, dir, [...args, `--remote=ssl:127.0.0.1:${port}`], async () => {
          const isExpected = !authority.includes('b-ca');
          for (let i = 0; i < (isExpected ? 400 : 60) && !answer.includes('Open_vSwitch'); i++)
            await new Promise((resolve) => setTimeout(resolve, 50));
        });
        manager.close();
        const log = read('server.log').replaceAll(String(port), 'PORT').split('\n');
        const lines = log
          .flatMap((line) => /\|(?:stream_ssl|reconnect)\|(.*)/.exec(line)?.[1] ?? [])
          .map((line) => line.replace(/error:.*/, 'error'));
        said.push(authority, answer, ...(authority.includes('b-ca') ? [...new Set(lines)].slice(0, 3) : lines));
      }
      told.push(said);
    }
    const [ours, theirs] = told;
    assert.deepEqual(ours, theirs);
    assert.equal(ours?.filter((line) => line.startsWith('b {')).length, 3);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('key files named in the database', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    const insert = `["Open_vSwitch",{"op":"insert","table":"SSL","uuid-name":"s","row":{"private_key":"${dir}/a.key","certificate":"${dir}/a.pem","ca_cert":"${dir}/b-ca.pem"}},{"op":"insert","table":"Open_vSwitch","row":{"ssl":["named-uuid","s"]}}]`;
    execFileSync('/usr/bin/ovsdb-tool', ['transact', `${dir}/conf.db`, insert]);
    const args = ['private_key', 'certificate', 'ca_cert'].map((column) => `--${column.replace('_', '-')}=db:Open_vSwitch,SSL,${column}`);
    await withServer(servers.get('ours') ?? '', dir, args, (port) => {
      const { stdout } = spawnSync(
        '/usr/bin/ovsdb-client',
        [...keys(dir, 'b'), `--ca-cert=${dir}/a-ca.pem`, '--timeout=15', 'list-dbs', `ssl:127.0.0.1:${port}`],
        {
          encoding: 'utf8',
        },
      );
      assert.equal(stdout, 'Open_vSwitch\n_Server\n');
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('key files that the database comes to name, names otherwise and names no more', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  try {
    for (const name of ['a', 'b', 'c']) makeKeys(dir, name);
    const told: string[][] = [];
    for (const server of servers.values()) {
      rmSync(join(dir, 'conf.db'), { force: true });
      rmSync(join(dir, 'boot.pem'), { force: true });
      execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
      const said: string[] = [];
      let seen = 0;
      const transact = (...operations: object[]): string => {
        const done = spawnSync('/usr/bin/ovsdb-client', [
          'transact',
          `unix:${dir}/db.sock`,
          JSON.stringify(['Open_vSwitch', ...operations]),
        ]);
        return done.stdout.toString().replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID');
      };
      const name = (row: object) =>
        transact(
          { op: 'delete', table: 'Open_vSwitch', where: [] },
          { op: 'insert', table: 'SSL', 'uuid-name': 's', row },
          { op: 'insert', table: 'Open_vSwitch', row: { ssl: ['named-uuid', 's'] } },
        );
      const files = (who: string, ca: string) => ({
        private_key: `${dir}/${who}.key`,
        certificate: `${dir}/${who}.pem`,
        ca_cert: `${dir}/${ca}.pem`,
      });
      const args = ['private_key', 'certificate', 'ca_cert'].map((column) => `--${column.replace('_', '-')}=db:Open_vSwitch,SSL,${column}`);
      for (const options of [args, [...args.slice(0, 2), '--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert']]) {
        seen = 0;
        await withServer(server, dir, options, async (port) => {
          // What b, who believes a, makes of it, and what the server's log says.
          const ask = async (title: string, who = 'b', ca = 'a-ca'): Promise<void> => {
            await new Promise((resolve) => setTimeout(resolve, 300));
            const args = [
              '-vconsole:off',
              '--timeout=15',
              ...keys(dir, who),
              `--ca-cert=${dir}/${ca}.pem`,
              'list-dbs',
              `ssl:127.0.0.1:${port}`,
            ];
            const { status, stdout } = spawnSync('/usr/bin/ovsdb-client', args, { encoding: 'utf8' });
            await new Promise((resolve) => setTimeout(resolve, 300));
            const log = readFileSync(`${dir}/server.log`, 'utf8').trim().split('\n');
            const lines = log.slice(seen).map((line) =>
              line
                .replace(/^\S+Z\|\d+\|/, '')
                .replaceAll(/\b\d{5}\b/g, 'PORT')
                .replace(/error:.*/, 'error'),
            );
            seen = log.length;
            said.push(`${title}: ${stdout.replaceAll('\n', ' ')}${status}`, ...lines.filter((line) => !/^(memory|vlog)/.test(line)));
          };
          await ask('nothing named');
          said.push(name(files('a', 'b-ca')));
          await ask('named');
          said.push(name(files('a', 'c-ca')));
          await ask('another authority');
          await ask('one whom that knows', 'c');
          said.push(name(files('c', 'b-ca')));
          await ask('another key');
          await ask('believed by who knows it', 'b', 'c-ca');
          said.push(name(files('a', 'boot')));
          await ask('an authority that is not there');
          await ask('and again');
          said.push(`bootstrapped: ${existsSync(join(dir, 'boot.pem'))}`);
          said.push(transact({ op: 'delete', table: 'Open_vSwitch', where: [] }));
          await ask('named no more');
        });
      }
      told.push(said);
    }
    const [ours, theirs] = told;
    assert.deepEqual(ours, theirs);
    assert.match(String(ours), /named: Open_vSwitch _Server 0/);
    assert.match(String(ours), /accept failed: Protocol not available/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('ovs-vswitchd takes the keys for its controllers from the SSL table', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir, OVS_DBDIR: dir };
  const running: ChildProcess[] = [];
  const run = (program: string, ...args: string[]): void => void running.push(spawn(program, args, { env, stdio: 'ignore' }));
  const vsctl = (...args: string[]): string =>
    execFileSync('/usr/bin/ovs-vsctl', [`--db=unix:${dir}/db.sock`, '--no-wait', '-t20', ...args], { encoding: 'utf8' }).trim();
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(holds(), `never: ${what}`);
  };
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    run('/usr/sbin/ovsdb-server', `--remote=punix:${dir}/db.sock`, '--unixctl=none', '-vconsole:off', `${dir}/conf.db`);
    await until('a database', () => existsSync(`${dir}/db.sock`));
    run(
      '/usr/bin/ovs-testcontroller',
      ...keys(dir, 'b'),
      `--ca-cert=${dir}/a-ca.pem`,
      '--unixctl=none',
      '-vconsole:off',
      'pssl:16653:127.0.0.1',
    );
    vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', '--', 'set-controller', 'br0', 'ssl:127.0.0.1:16653');
    run(join(bin, 'ovs-vswitchd'), '--enable-dummy=override', '-vconsole:off', `--unixctl=${dir}/switch.ctl`, `unix:${dir}/db.sock`);
    await until('a switch', () => vsctl('get', 'interface', 'br0', 'ofport') === '65534');
    assert.equal(vsctl('get', 'controller', 'br0', 'is_connected'), 'false');
    vsctl('set-ssl', `${dir}/a.key`, `${dir}/a.pem`, `${dir}/b-ca.pem`);
    await until('a connection', () => vsctl('get', 'controller', 'br0', 'is_connected') === 'true');
  } finally {
    for (const child of running) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

test('ovs-ofctl says what is wrong with files of keys when it reads the option', { skip }, async () => {
  const line = (...args: string[]): string[] => ['ovs-ofctl', ...args, 'show', 'unix:nosuch'];
  await compare([
    (side) => writeFileSync(join(side.dir, 'plain'), ''),
    line('--private-key=DIR/nosuch'),
    line('--certificate=DIR/nosuch'),
    line('--ca-cert=DIR/nosuch'),
    line('--ca-cert=none'),
    line('--private-key=DIR/plain'),
    line('--certificate=DIR/plain'),
    line('--ca-cert=DIR/plain'),
    line('--private-key=DIR/plain', '--certificate=DIR/nosuch', '--ca-cert=DIR/plain'),
    line('--certificate=DIR/nosuch', '--private-key=DIR/nosuch', '-V'),
    line('--private-key=DIR/nosuch', '-vbad'),
    line('-vbad', '--private-key=DIR/nosuch'),
    line('--private-key=DIR/nosuch', '--bogus'),
    line('--private-key=DIR/nosuch', '--timeout=0'),
    line('--ssl-protocols=nosuch'),
    line('--ssl-ciphers=nosuch'),
  ]);
});

test('ovs-ofctl speaks to a switch over TLS', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  const switched = new DummyDaemons(join(bin, 'ovs-vswitchd'));
  try {
    for (const name of ['a', 'b']) makeKeys(dir, name);
    switched.startDaemons();
    switched.vsctl('set-ssl', `${dir}/a.key`, `${dir}/a.pem`, `${dir}/b-ca.pem`, '--', 'add-br', 'br0');
    switched.vsctl('set', 'bridge', 'br0', 'datapath_type=dummy', '--', 'set-controller', 'br0', 'pssl:16655:127.0.0.1');
    const run = (program: string, ...args: string[]): string => {
      const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
      return `${stdout}${stderr}`.replaceAll(/\(xid=0x[0-9a-f]+\)|^\S+Z\|/gm, '');
    };
    const [ours, theirs] = [join(bin, 'ovs-ofctl'), '/usr/bin/ovs-ofctl'].map((program) => [
      run(program, ...keys(dir, 'b'), `--ca-cert=${dir}/a-ca.pem`, 'dump-ports-desc', 'ssl:127.0.0.1:16655'),
      run(program, 'dump-ports-desc', 'ssl:127.0.0.1:16655'),
    ]);
    assert.deepEqual(ours, theirs);
    assert.match(String(ours?.[0]), /LOCAL\(br0\)/);
  } finally {
    switched.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
