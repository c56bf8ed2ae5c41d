// What a controller is told without asking, from the hello on, message by message: the same as the reference in each version.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl') || false;
const vsctl = 'ovs-vsctl --timeout=10';

/** Messages as text, without what differs from run to run. */
function textOf(host: Host, bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += bytes.readUInt16BE(at + 2)) {
    messages.push(bytes.subarray(at, at + bytes.readUInt16BE(at + 2)).toString('hex'));
  }
  // Probes come when the clock says so.
  const told = messages.filter((message) => message.slice(2, 4) !== '02');
  return told.map((message) =>
    host
      .ok(['ovs-ofctl', 'ofp-print', message, '2'], { tools: 'debian' })
      .replaceAll(/xid=0x[0-9a-f]+/g, 'xid')
      .replaceAll(/addr:[0-9a-f:]+/g, 'addr'),
  );
}

/** Everything that a controller of that version hears while the lines run. */
async function heard(host: Host, version: number, lines: readonly string[]): Promise<string[]> {
  const path = join(host.dir, `c${version}.sock`);
  const server = createServer().listen(path);
  await once(server, 'listening');
  try {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    await host.runAsync(`${vsctl} set-controller br0 unix:${path}`, { tools: 'debian' });
    const [socket] = await accepted;
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const until = async (isThere: (all: Buffer) => boolean): Promise<void> => {
      for (let tries = 0; tries < 400 && !isThere(Buffer.concat(chunks)); tries++) await new Promise((resolve) => setTimeout(resolve, 25));
    };
    socket.write(Uint8Array.of(version, 0, 0, 8, 0, 0, 0, 1));
    await until((all) => all.length >= 8);
    // A barrier's answer says that the hello was taken.
    const barrier = version === 1 ? 18 : 20;
    socket.write(Uint8Array.of(version, barrier, 0, 8, 0, 0, 0, 77));
    await until((all) => all.includes(Uint8Array.of(version, barrier + 1, 0, 8, 0, 0, 0, 77)));
    for (const line of lines) await host.runAsync(line, { tools: 'debian' });
    socket.write(Uint8Array.of(version, barrier, 0, 8, 0, 0, 0, 78));
    await until((all) => all.includes(Uint8Array.of(version, barrier + 1, 0, 8, 0, 0, 0, 78)));
    socket.destroy();
    return textOf(host, Buffer.concat(chunks));
  } finally {
    server.close();
    host.run(`${vsctl} del-controller br0`, { tools: 'debian' });
  }
}

test('hello, then ports that come, change and go: the same messages as the reference', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [
    `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2`,
  ]);
  // Each line leaves the daemon time for what follows from it.
  const lines = [
    'ovs-ofctl mod-port br0 p1 down; sleep 0.7',
    'ovs-ofctl mod-port br0 p1 up; sleep 0.7',
    'ovs-ofctl mod-port br0 p2 no-flood; sleep 0.2',
    `${vsctl} add-port br0 q -- set interface q ofport_request=9; sleep 0.7`,
    `${vsctl} del-port br0 q; sleep 0.2`,
    'ovs-ofctl mod-port br0 p2 flood; sleep 0.2',
  ];
  for (const version of [1, 4, 6]) {
    const [wanted, got] = await Promise.all(hosts.map((host) => heard(host, version, lines)));
    assert.deepEqual(got, wanted, `version ${version}`);
  }
});

test('with vconn at debug level ovs-ofctl logs every message as the reference does', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const debug = (version: number, command: string): string => `ovs-ofctl -vvconn:dbg --no-names -O OpenFlow${version} ${command}`;
  const normal = (text: string): string[] =>
    text
      .replaceAll(/^.*?Z\|[0-9]+\|/gm, '')
      .replaceAll(/xid=0x[0-9a-f]+/g, 'xid')
      .replaceAll(/addr:[0-9a-f:]+/g, 'addr')
      .replaceAll(/(duration|idle_age)=[0-9.]+/g, '$1')
      .split('\n');
  const setup = `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00 -- add-port br0 p1 -- set interface p1 ofport_request=1`;
  compare(hosts, [setup]);
  const lines = [10, 13, 15].flatMap((version) => [
    debug(version, 'add-flow br0 "table=1,tcp,tp_dst=80,actions=drop"'),
    debug(version, 'dump-flows br0'),
    debug(version, 'dump-ports-desc br0'),
    debug(version, '--bundle add-flow br0 "table=2,udp,actions=1" | grep -v "bundle_id\\|^ *xid"'),
    debug(version, `add-group br0 group_id=${version},type=all,bucket=output:1`),
    debug(version, 'add-flow br0 actions=group:999'),
  ]);
  compare(hosts, lines, normal, true);
});

/** What a daemon's vconn module has logged, connection by connection, without what differs from run to run. */
function vconnLog(host: Host): string[] {
  const connections = new Map<string, string>();
  for (const message of host
    .log('ovs-vswitchd')
    .trimEnd()
    .split(/\n(?=\d{4}-\d\d-\d\dT)/)) {
    const [, module = '', rest = ''] = /^[^|]*\|[^|]*\|(vconn|vconn_stream)\|([\s\S]*)/.exec(message) ?? [];
    const name = /unix#\d+/.exec(rest)?.[0] ?? module;
    if (module !== '') connections.set(name, `${connections.get(name) ?? ''}${module}|${rest.replaceAll(name, 'PEER')}\n`);
  }
  return [...connections.values()].map((text) =>
    text
      .replaceAll(/xid=0x[0-9a-f]+/g, 'xid')
      .replaceAll(/bundle_id=0x[0-9a-f]+/g, 'bundle_id')
      .replaceAll(/addr:[0-9a-f:]+/g, 'addr')
      .replaceAll(/(duration|idle_age|hard_age)([=:])[0-9.]+/g, '$1$2'),
  );
}

const FRAME = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';
/** What is sent in every version; many of these are refused in some. */
const commands = [
  'add-flow br0 table=1,tcp,tp_dst=80,actions=drop',
  '--bundle add-flow br0 table=1,udp,tp_dst=80,actions=2',
  ...['dump-flows', 'dump-tables', 'dump-ports-desc', 'dump-ports', 'dump-desc', 'dump-aggregate', 'show', 'probe', 'queue-stats'].map(
    (command) => `${command} br0`,
  ),
  'dump-table-features br0',
  'dump-table-desc br0',
  'queue-get-config br0 1',
  'add-meter br0 meter=7,kbps,band=type=drop,rate=10',
  ...['dump-meters', 'meter-stats', 'meter-features', 'del-meters'].map((command) => `${command} br0`),
  'add-group br0 group_id=7,type=all,bucket=output:1',
  ...['dump-groups', 'dump-group-stats', 'dump-group-features', 'del-groups'].map((command) => `${command} br0`),
  'add-flow br0 actions=group:999',
  `packet-out br0 "in_port=1 packet=${FRAME} actions=2"`,
  'mod-port br0 1 no-flood',
  'mod-table br0 3 evict',
  'ct-flush br0',
  'ct-flush br0 zone=5 ct_nw_src=10.0.0.1,ct_nw_proto=6',
  'dump-ipfix-bridge br0',
  'set-frags br0 normal',
  'ping br0 8',
  'add-tlv-map br0 "{class=0xffff,type=0,len=4}->tun_metadata0"',
  'add-flow br0 tun_metadata0=5,actions=drop',
  ...['dump-flows', 'dump-tlv-map', 'del-flows', 'del-tlv-map'].map((command) => `${command} br0`),
];
const raw = (bytes: string): string => `printf '${bytes}' | timeout 1 socat - UNIX-CONNECT:$OVS_RUNDIR/br0.mgmt`;

test('vconn of the daemon logs the same text as the reference’s, message by message', { skip, timeout: 300_000 }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const setup =
    `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00 other_config:datapath-id=00000000deadbeef` +
    ' -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2';
  const lines = [
    `${setup}; ovs-appctl vlog/set vconn:file:dbg; ovs-appctl vlog/disable-rate-limit vconn`,
    ...[10, 11, 12, 13, 14, 15].map((version) => `${commands.map((one) => `ovs-ofctl -O OpenFlow${version} ${one}`).join('; ')}; true`),
    ...[10, 13, 14].map(
      (version) =>
        `timeout 2 ovs-ofctl -O OpenFlow${version} monitor br0 64 watch: & sleep 0.7; ovs-ofctl add-flow br0 in_port=2,actions=drop` +
        `; ovs-ofctl packet-out br0 none controller ${FRAME}; wait; ovs-ofctl del-flows br0`,
    ),
    // What comes in place of a hello.
    ...[
      '\\11\\12\\0\\10\\0\\0\\0\\1',
      '\\1\\12\\0\\10\\0\\0\\0\\1',
      '\\1\\0\\0\\4\\0\\0\\0\\1',
      '\\7\\0\\0\\10\\0\\0\\0\\1\\6\\377\\0\\10\\0\\0\\0\\2',
    ].map(raw),
  ];
  await Promise.all(
    hosts.map(async (host) => {
      for (const line of lines) await host.runAsync(line, { tools: 'debian', timeout: 120_000 });
    }),
  );
  const [wanted = [], got = []] = hosts.map(vconnLog);
  assert.ok(wanted.length > 200, `${wanted.length} connections`);
  for (const [i, text] of wanted.entries()) assert.deepEqual(got[i]?.split('\n'), text.split('\n'), `connection ${i}`);
  assert.equal(got.length, wanted.length);
});
