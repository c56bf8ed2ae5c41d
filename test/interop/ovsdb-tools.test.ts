// ovsdb-tool beside Debian's: the same command lines give the same words, exit codes and files.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeText } from '../../src/base/byte-text.ts';
import { encodeRecordText } from '../../src/ovsdb/log/log-record.ts';
import { endProcess } from './support/end-process.ts';
import { anyOrder, compare, insert, server, skip, tool } from './support/ovsdb-sides.ts';

test('ovsdb-tool: same lines, same words', { skip }, async () => {
  await compare([
    tool('--help'),
    tool('-V'),
    tool(),
    tool('nosuch'),
    tool('--nosuch'),
    tool('create', 'db', 'small'),
    tool('create', 'db', 'small'),
    tool('create', 'db', 'small', 'more'),
    tool('create', 'x', 'nosuch'),
    tool('create', 'x', 'nojson'),
    tool('create', 'x', 'noschema'),
    tool('create', '/nosuch/db', 'small'),
    tool('create', 'vswitch'),
    tool('db-name', 'db'),
    tool('db-version', 'db'),
    tool('db-cksum', 'db'),
    tool('schema-name', 'small'),
    tool('schema-version', 'small'),
    tool('schema-cksum', 'small'),
    tool('schema-name', 'nosuch'),
    tool('schema-name'),
    tool('db-name', 'nosuch'),
    tool('db-name', 'garbage'),
    tool('db-name', 'empty'),
    tool('db-is-standalone', 'db'),
    tool('db-is-clustered', 'db'),
    tool('db-is-standalone', 'garbage'),
    tool('db-is-clustered', 'nosuch'),
    tool('db-cid', 'db'),
    tool('db-sid', 'db'),
    tool('db-local-address', 'db'),
    tool('compare-versions', '1.2.3', '<', '1.10.0'),
    tool('compare-versions', '1.2.3', '>', '1.10.0'),
    tool('compare-versions', '1.2.3', '~', '1.10.0'),
    tool('compare-versions', '1.2', '<', '1.10.0'),
    tool('needs-conversion', 'db', 'small'),
    tool('needs-conversion', 'db', 'small2'),
    tool('needs-conversion', 'nosuch', 'small2'),
    tool('transact', 'db', insert({ name: 'a', n: ['set', [1, 2]], m: ['map', [['k', 'v w']]] })),
    tool('transact', 'db', insert({ name: 'b', x: 1.5, e: 'a' })),
    tool('transact', 'db', insert({ name: 'b' })),
    tool('transact', 'db', insert({ name: 'c', e: 'z' })),
    tool('transact', 'db', insert({ name: 'c', n: 10 })),
    tool('transact', 'db', '["Small",{"op":"update","table":"T","where":[["name","==","a"]],"row":{"n":["set",[2,3]]}}]'),
    tool(
      'transact',
      'db',
      '["Small",{"op":"mutate","table":"T","where":[["name","==","a"]],"mutations":[["m","insert",["map",[["z","1"]]]]]}]',
    ),
    tool('transact', 'db', '["Small",{"op":"wait","table":"T","where":[],"columns":["name"],"until":"==","rows":[]}]'),
    tool('transact', 'db', '["Other"]'),
    tool('transact', 'db', '{}'),
    tool('transact', 'db', '[1'),
    tool('transact', 'db', '["Small"'),
    tool('transact', 'nosuch', '["Small"]'),
    tool('query', 'nosuch', '[1'),
    tool('query', 'db', '["Small",{"op":"select","table":"T","where":[["name","==","a"]]}]'),
    tool('query', 'db', insert({ name: 'q' })),
    tool('query', 'db', '["Small",{"op":"select","table":"T","where":[],"columns":["name"]}]'),
    tool('query', 'db', '["Small",{"op":"delete","table":"T","where":[]}]'),
    tool('show-log', 'db'),
    tool('-m', 'show-log', 'db'),
    tool('-mm', 'show-log', 'db'),
    tool('-m', '-m', '-m', 'show-log', 'db'),
    tool('show-log', 'nosuch'),
    tool('show-log', 'garbage'),
    tool('show-log', 'empty'),
    (side) => writeFileSync(join(side.dir, 'torn'), readFileSync(join(side.dir, 'db')).subarray(0, -7)),
    tool('show-log', 'torn'),
    tool('query', 'torn', '["Small",{"op":"select","table":"T","where":[],"columns":["name"]}]'),
    tool('compact', 'db', 'copy'),
    tool('compact', 'db', 'copy'),
    tool('-mm', 'show-log', 'copy'),
    tool('compact', 'db'),
    tool('-mm', 'show-log', 'db'),
    tool('convert', 'db', 'small2', 'converted'),
    tool('-mm', 'show-log', 'converted'),
    tool('convert', 'db', 'small2'),
    tool('db-version', 'db'),
    tool('convert', 'db', 'noschema'),
    tool('convert', 'garbage', 'small'),
    tool('query', 'db', '["Small",{"op":"select","table":"T","where":[["name","==","a"]]}]'),
    tool('convert', 'vswitch', 'small', 'mismatch'),
    tool('cluster-to-standalone', 'x', 'db'),
  ]);
});

test('ovsdb-tool: the manual page from top to bottom', { skip }, async () => {
  const versions = ['1.2.3', '1.2.10', '01.2.3', '1.2', '1.2.3.4', '', 'a.b.c', '1.2.-3', '2.0.0', '1.2.3 ', '99999999999.0.0'];
  const operators = ['<', '<=', '==', '>=', '>', '!=', '=', '<>', 'lt'];
  const comparisons = versions.flatMap((a, i) =>
    versions
      .filter((_, j) => (i + j) % 3 === 0)
      .map((b, j) => tool('compare-versions', a, operators[(i * versions.length + j) % operators.length] ?? '', b)),
  );
  await compare([
    tool('help'),
    tool('--version'),
    tool('create'),
    tool('db-name'),
    tool('show-log'),
    tool('schema-version'),
    tool('needs-conversion'),
    tool('--strange'),
    tool('-m'),
    tool('--more', 'db-name', 'nosuch'),
    tool('create', 'db', 'small'),
    tool('compare-versions', '1.2.3', '<'),
    tool('compare-versions', '1.2.3', '<', '1.2.3', 'x'),
    anyOrder(...comparisons),
    tool('schema-version', 'noschema'),
    tool('schema-cksum', 'nojson'),
    tool('schema-name', 'empty'),
    tool('schema-name', 'garbage'),
    tool('schema-version', 'db'),
    tool('db-version', 'small'),
    tool('db-cksum', 'garbage'),
    tool('db-cksum', 'empty'),
    tool('db-name', 'db', 'more'),
    tool('db-cid', 'db'),
    tool('db-cid', 'nosuch'),
    tool('db-cid', 'garbage'),
    tool('db-cid'),
    tool('db-sid', 'empty'),
    tool('check-cluster', 'empty'),
    tool('db-local-address', 'db'),
    tool('check-cluster', 'db'),
    tool('check-cluster', 'nosuch'),
    tool('check-cluster'),
    tool('cluster-to-standalone'),
    tool('cluster-to-standalone', 'x', 'nosuch'),
    tool('cluster-to-standalone', 'db', 'db'),
    tool('create-cluster', 'cl'),
    tool('create-cluster', 'cl', 'nosuch', 'tcp:127.0.0.1:6644'),
    tool('create-cluster', 'cl', 'small', 'strange'),
    tool('create-cluster', 'cl', 'small', 'tcp:127.0.0.1'),
    tool('--election-timer=5', 'create-cluster', 'cl', 'small', 'tcp:127.0.0.1:6644'),
    tool('--election-timer=x', 'create-cluster', 'cl', 'small', 'tcp:127.0.0.1:6644'),
    tool('join-cluster', 'cl', 'Small'),
    tool('join-cluster', 'cl', 'Small', 'strange', 'tcp:127.0.0.1:6645'),
    tool('join-cluster', 'cl', 'Small', 'tcp:127.0.0.1:6645', 'strange'),
    tool('join-cluster', 'cl', '9x', 'tcp:127.0.0.1:6645', 'tcp:127.0.0.1:6644'),
    tool('--cid=strange', 'join-cluster', 'cl', 'Small', 'tcp:127.0.0.1:6645', 'tcp:127.0.0.1:6644'),
    tool('join-cluster', 'db', 'Small', 'tcp:127.0.0.1:6645', 'tcp:127.0.0.1:6645'),
    tool('--rbac-role=r', 'transact', 'db', insert({ name: 'a' })),
    tool('--rbac-role=r', 'query', 'db', insert({ name: 'a' })),
    tool('--rbac-role', 'query', 'db'),
    tool('transact', 'db', insert({ name: 'a' })),
    tool('transact', 'db', '["Small",{"op":"comment","comment":"alone"}]'),
    tool('transact', 'db', '["Small",{"op":"insert","table":"U","row":{"b":true}}]'),
    tool(
      'transact',
      'db',
      '["Small",{"op":"insert","table":"U","row":{"b":true},"uuid-name":"u"},{"op":"insert","table":"T","row":{"name":"r","r":["named-uuid","u"]}}]',
    ),
    tool('transact', 'db', '["Small",{"op":"update","table":"T","where":[["name","==","r"]],"row":{"r":["set",[]]}}]'),
    tool('transact', 'db', '["Small",{"op":"delete","table":"T","where":[["name","==","a"]]},{"op":"comment","comment":"two\\nlines"}]'),
    tool('transact', 'db', '["Small",{"op":"insert","table":"T","row":{"name":"e","e":"b","x":2.5,"m":["map",[["a","b"],["c",""]]]}}]'),
    tool('transact', 'db', '["Small",{"op":"abort"}]'),
    tool('transact', 'db', '["Small",{"op":"assert","lock":"l"}]'),
    tool('transact', 'db', '["Small",{"op":"commit","durable":true}]'),
    tool('transact', 'db', '["Small",{"op":"nosuch"}]'),
    tool('transact', 'db', '["Small",[]]'),
    tool('transact', 'db', '[]'),
    tool('transact', 'db', '["Small",{"op":"select","table":"T","where":[]}] x'),
    tool('transact', 'db'),
    tool('query', 'db', '["Small",{"op":"select","table":"T","where":[],"columns":["name","e","n"]}]'),
    tool('show-log', 'db'),
    tool('-m', 'show-log', 'db'),
    tool('-mm', 'show-log', 'db'),
    tool('-mmm', 'show-log', 'db'),
    tool('--more', '--more', 'show-log', 'db'),
    tool('compact', 'db', 'c1'),
    tool('-mmm', 'show-log', 'c1'),
    tool('compact', 'nosuch'),
    tool('compact', 'garbage'),
    tool('compact', 'nosuch', 'c2'),
    tool('compact', 'db', 'small'),
    tool('convert', 'db', 'nosuch'),
    tool('convert', 'db', 'small', 'c1'),
    tool('convert', 'nosuch', 'small', 'c3'),
    tool('convert', 'db', 'small2', 'c4'),
    tool('-mmm', 'show-log', 'c4'),
    tool('db-version', 'c4'),
    tool('needs-conversion', 'c4', 'small'),
    tool('convert', 'c4', 'small'),
    tool('needs-conversion', 'c4', 'small'),
    tool('--log-file=x', 'db-name', 'db'),
    tool('-t', '5', 'db-name', 'db'),
    tool('--timeout=5', 'db-name', 'db'),
    tool('--v', 'db-name', 'db'),
    tool('--e', 'db-name', 'db'),
    tool('--cid', 'x', 'db-name', 'db'),
    tool('-vstrange', 'db-name', 'db'),
    tool('-vconsole:off', 'db-name', 'nosuch'),
  ]);
});

test('ovsdb-tool: files of clusters that Debian made', { skip }, async () => {
  const cid = '0b308153-c1aa-4a3c-9b77-a51e61d79be7';
  const addresses = ['tcp:127.0.0.1:6644', 'tcp:127.0.0.1:6645'];
  const about = (file: string): string[][] => [
    ...['db-name', 'db-cid', 'db-sid', 'db-local-address', 'db-is-clustered', 'db-is-standalone', 'db-version', 'db-cksum'].map((name) =>
      tool(name, file),
    ),
    tool('query', file, '["Small"]'),
    tool('needs-conversion', file, 'small'),
  ];
  const files = ['first', 'second', 'third'];
  await compare([
    (side) => {
      const make = (...args: string[]): void => void execFileSync('/usr/bin/ovsdb-tool', args, { cwd: side.dir, stdio: 'ignore' });
      make('create-cluster', 'first', 'small', addresses[0] as string);
      make('join-cluster', 'second', 'Small', addresses[1] as string, addresses[0] as string);
      make(`--cid=${cid}`, 'join-cluster', 'third', 'Small', addresses[1] as string, addresses[0] as string);
    },
    anyOrder(...files.flatMap(about)),
    // These lock the file.
    anyOrder(...files.map((file) => tool('compact', file))),
    anyOrder(...files.map((file) => tool('transact', file, '["Small"]'))),
    anyOrder(...files.map((file) => tool('convert', file, 'small'))),
  ]);
});

test('ovsdb-tool: default files, links, folders and clusters', { skip }, async () => {
  const local = 'tcp:127.0.0.1:6644';
  await compare([
    tool('create', 'conf.db', 'small'),
    ...[
      'db-name',
      'db-version',
      'db-cksum',
      'show-log',
      'compact',
      'needs-conversion',
      'schema-name',
      'schema-version',
      'schema-cksum',
    ].map((command) => tool(command)),
    tool('query', '["Small"]'),
    tool('transact', '["Small"]'),
    tool('create', 'db', 'small'),
    (side) => {
      symlinkSync('db', join(side.dir, 'link'));
      mkdirSync(join(side.dir, 'folder'));
    },
    tool('compact', 'link'),
    tool('create', 'link', 'small'),
    // Links that lead nowhere yet, nowhere at all, and in circles.
    (side) => {
      for (const [target, link] of [
        ['later', 'link1'],
        ['link1', 'link2'],
        ['absent/x', 'link3'],
        ['circle', 'circle'],
      ] as const)
        symlinkSync(target, join(side.dir, link));
    },
    ...['link2', 'link1', 'link3', 'circle'].map((link) => tool('create', link, 'small')),
    tool('db-name', 'later'),
    // Whoever comes by a link and whoever comes by the name keep each other out.
    (side) => {
      const args = ['--detach', '--no-chdir', `--pidfile=${side.dir}/db.pid`, '-vconsole:off', '--unixctl=none', 'link2'];
      execFileSync(side.program('ovsdb-server'), args, { cwd: side.dir, stdio: 'ignore' });
    },
    tool('transact', 'later', '["Small"]'),
    (side) => endProcess(Number(readFileSync(join(side.dir, 'db.pid'), 'utf8'))),
    tool('convert', 'link', 'small2'),
    tool('db-version', 'db'),
    ...['create', 'compact', 'db-name', 'schema-name', 'show-log'].map((command) => tool(command, 'folder')),
    ...['99', '100', '600000', '600001'].map((timer) => tool(`--election-timer=${timer}`, 'create-cluster', `c${timer}`, 'small', local)),
    tool('create-cluster', 'six', 'db', 'ssl:[::1]:6644'),
    tool('db-local-address', 'six'),
    tool('-m', 'show-log', 'six'),
    tool('-mm', 'show-log', 'c100'),
    tool('check-cluster', 'c100'),
    tool('check-cluster', 'c100', 'c600000'),
    tool('check-cluster', 'db'),
    tool('cluster-to-standalone', 'alone', 'c100'),
    tool('-mm', 'show-log', 'alone'),
    tool('cluster-to-standalone', 'alone', 'c100'),
    tool('--rbac-role', 'x', 'query', 'db', '["Small"]'),
    tool('--syslog-target=x', 'db-name', 'db'),
    tool('-vPATTERN:console:%m', 'db-name', 'nosuch'),
    tool('--', 'db-name', 'db'),
    tool('db-name', '--', 'db'),
  ]);
});

test('ovs-appctl: options and targets', { skip }, async () => {
  const appctl = (...args: string[]): string[] => ['ovs-appctl', ...args];
  const seconds = ['x', '-1', '1.5', '0x5', '', ' 1', '+1', '99999999999', '0'];
  const targets = ['nosuch', '/nosuch', '/etc/passwd', '', '.', '../x', 'a b', 'ovs-vswitchd'];
  await compare([
    appctl(),
    ...['-t', '--target', '-T', '--strange', '-Z', '--list', '-l', '--h', '--v', '--ver', '-v', '-hV'].map((word) => appctl(word)),
    ...seconds.map((text) => appctl('-T', text, 'version')),
    ...targets.map((target) => appctl('-t', target, 'version')),
    appctl('--timeout=5', '--target=nosuch', 'version'),
    appctl('--t=x', 'version'),
    appctl('--ta=x', 'version'),
    appctl('--help', 'x'),
    appctl('-V', 'x'),
    appctl('--version=1'),
    appctl('list-commands', '-h'),
    appctl('-vconsole:off', '-t', 'nosuch', 'version'),
    appctl('-vstrange', 'version'),
    appctl('--log-file=/nosuch/x', '-t', 'nosuch', 'version'),
    appctl('--syslog-target=x', 'version'),
    appctl('--format=json', 'version'),
  ]);
});

test('ovsdb-tool: bytes that are no UTF-8, in words, names, headers and records', { skip }, async () => {
  const word = 'x\udcff\udcfey';
  const record = (side: { dir: string }, name: string, ...bodies: string[]): void => {
    const small = readFileSync(join(side.dir, 'small'), 'latin1');
    const bytes = [small, ...bodies].map((body) => encodeRecordText(decodeText(Buffer.from(body, 'latin1'))));
    writeFileSync(join(side.dir, name), Buffer.concat(bytes));
  };
  const row = '11111111-1111-1111-1111-111111111111';
  const select = '["Small",{"op":"select","table":"T","where":[],"columns":["name"]}]';
  const bad = ['comment', 'text', 'column', 'many', 'member', 'behind'];
  await compare([
    tool('create', 'db', 'small'),
    tool('transact', 'db', insert({ name: word })),
    tool('query', 'db', `["${word}"]`),
    tool('query', 'db', `{"${word}":1}`),
    tool('query', 'db', word),
    tool(word),
    tool(`--${word}`),
    tool(`-v${word}`, 'db-name', 'db'),
    tool(`--cid=${word}`, 'db-name', 'db'),
    tool('db-name', word),
    tool('create', word, 'small'),
    tool('create', word, 'small'),
    tool('transact', word, insert({ name: 'a' })),
    tool('compact', word),
    tool('-m', 'show-log', word),
    tool('compare-versions', word, '<', '1.2.3'),
    tool('join-cluster', `j${word}`, `N${word}`, 'tcp:1.2.3.4:1', 'tcp:1.2.3.4:5'),
    (side) => {
      writeFileSync(join(side.dir, 'header'), Buffer.from('OVSDB J\xffN 5 0000000000000000000000000000000000000000\n{}', 'latin1'));
      record(side, 'comment', `{"_comment":"a\xff\xfeb","_date":1,"T":{"${row}":{"name":"q"}}}`);
      record(side, 'text', `{"_date":1,"T":{"${row}":{"name":"q\xff"}}}`);
      record(side, 'column', `{"_date":1,"T":{"${row}":{"n\xc0e":"q"}}}`);
      record(side, 'many', '{"_comment":"\xed\xa0\x80 \xf4\x90\x80\x80 \xc1\x81 \xe2\x82","_date":1}');
      record(side, 'member', '{"_com-ent":"ok","_date":1}');
      record(side, 'behind', '{"_comment":"ok","_date":1}\xff');
    },
    tool('show-log', 'header'),
    ...bad.flatMap((name) => [tool('-mm', 'show-log', name), tool('query', name, select)]),
  ]);
});

test('ovs-vsctl: several servers, and which of them will do', { skip }, async () => {
  const vsctl = (db: string, ...words: string[]): string[] => ['ovs-vsctl', '--no-wait', `--db=${db}`, ...words];
  const at = (name: string): string => `unix:DIR/${name}.sock`;
  const daemon = (name: string): string[] => [
    '--detach',
    '--no-chdir',
    `--pidfile=${name}.pid`,
    `--remote=punix:${name}.sock`,
    `--unixctl=${name}`,
  ];
  await compare([
    tool('create', 'vswitch'),
    server(...daemon('db'), 'vswitch'),
    server(...daemon('second'), `relay:Open_vSwitch:${at('db')}`),
    ['ovsdb-client', 'wait', at('second'), 'Open_vSwitch', 'connected'],
    vsctl(`${at('nosuch')},${at('db')}`, 'add-br', 'br0'),
    vsctl(`${at('db')}, ${at('nosuch')}`, 'list-br'),
    vsctl(`foo,${at('db')}`, 'list-br'),
    vsctl(`${at('nosuch')},${at('none')}`, 'list-br'),
    vsctl(at('second'), 'list-br'),
    vsctl(`${at('second')},${at('second')}`, '-vovsdb_cs:info', 'list-br'),
    vsctl(`${at('second')},${at('db')}`, 'list-br'),
    vsctl(`${at('second')},${at('nosuch')}`, 'list-br'),
    ['ovs-appctl', '-t', 'DIR/db', 'ovsdb-server/remove-db', 'Open_vSwitch'],
    vsctl(at('db'), '-vovsdb_cs:info', 'list-br'),
    vsctl('tcp:127.0.0.1:1', 'list-br'),
  ]);
});

test('ovs-vsctl: bytes that are no UTF-8 are no value, and what `comment` is given is in the command line', { skip }, async () => {
  const word = 'x\udcff\udcfey';
  const vsctl = (...words: string[]): string[] => ['ovs-vsctl', '--no-wait', '--db=unix:DIR/db.sock', ...words];
  await compare([
    tool('create', 'vswitch'),
    server('--detach', '--no-chdir', '--pidfile=db.pid', '--remote=punix:db.sock', '--unixctl=db', 'vswitch'),
    vsctl('add-br', 'br0'),
    vsctl('add-port', 'br0', word),
    vsctl('set', 'bridge', 'br0', `external_ids:a=${word}`),
    vsctl('set', 'bridge', 'br0', 'external_ids:a="\\udc80"'),
    vsctl('get', 'bridge', 'br0', `external_ids:${word}`),
    vsctl('find', 'bridge', `name=${word}`),
    vsctl('list', 'bridge', word),
    vsctl('list', word),
    vsctl(word),
    vsctl(`--id=@${word}`, 'create', 'qos', 'type=x'),
    vsctl('comment', 'hello', 'there', '--', 'add-br', 'br1'),
    vsctl('comment', 'alone'),
    tool('show-log', 'vswitch'),
  ]);
});
