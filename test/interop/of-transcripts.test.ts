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
