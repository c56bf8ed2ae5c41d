// Things that end without a word: daemons killed, devices pulled out under traffic. Everything must be there again by itself.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { pings, station, switchHost, tcp } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;
const devices = (host: Host): string[] =>
  host
    .ok('ip -br link')
    .split('\n')
    .flatMap((line) => line.split(/[ @]/)[0] || []);
const ports = (host: Host): string =>
  host.ok('ovs-vsctl --timeout=9 --columns=name,ofport,error --format=csv list interface').split('\n').sort().join('\n');

interface Net {
  h: Host;
  a: Host;
  b: Host;
}

/** Two bridges joined by patch ports, a station at each, and an address on br0. */
async function net(w: World): Promise<Net> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-br br1 -- set bridge br1 datapath_type=netdev' +
      ' -- add-port br1 vb -- set interface vb ofport_request=7 -- add-port br0 p0 -- set interface p0 type=patch options:peer=p1' +
      ' -- add-port br1 p1 -- set interface p1 type=patch options:peer=p0 -- add-port br0 va -- add-port br0 i0 -- set interface i0 type=internal',
  );
  h.ok('ip addr add 10.0.0.9/24 dev br0 && ip link set br0 up');
  assert.ok(pings(a, '10.0.0.2') && pings(a, '10.0.0.9'));
  return { h, a, b };
}

test('both daemons killed with -9, one after the other and together', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  const before = { ports: ports(h), devices: devices(h) };
  const same = (when: string): void => {
    assert.equal(ports(h), before.ports, when);
    assert.deepEqual(devices(h), before.devices, when);
  };

  // The database goes: frames go on, and the switch takes up what the next one says.
  process.kill(h.pidOf('ovsdb-server'), 'SIGKILL');
  assert.ok(pings(a, '10.0.0.2'), 'forwards without a database');
  await h.startOvsdb('weft');
  h.ok('ovs-vsctl --timeout=15 add-port br0 i1 -- set interface i1 type=internal');
  assert.ok(devices(h).includes('i1'));
  h.ok('ovs-vsctl --timeout=15 del-port i1');
  same('database killed');

  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  h.ok(
    'ovs-vsctl --no-wait --timeout=9 add-br late -- del-br late -- add-port br0 t9 -- set interface t9 type=gre options:remote_ip=172.16.9.9',
  );
  await h.startVswitchd('weft');
  h.ok('ovs-vsctl --timeout=9 del-port t9');
  same('switch killed');
  assert.ok(pings(a, '10.0.0.2') && pings(a, '10.0.0.9'), 'switch killed');

  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  process.kill(h.pidOf('ovsdb-server'), 'SIGKILL');
  await h.startOvsdb('weft');
  h.ok('ovs-vsctl --no-wait --timeout=9 del-port i0');
  await h.startVswitchd('weft');
  assert.deepEqual(
    devices(h),
    before.devices.filter((name) => name !== 'i0'),
    'a port deleted meanwhile leaves no device',
  );
  await tcp(a, b, '10.0.0.2', 16);

  // In order: nothing of the processes stays.
  h.ok('ovs-appctl exit --cleanup');
  h.ok('ovs-appctl -t ovsdb-server exit');
  const left = (): string[] => readdirSync(h.dir).filter((name) => /\.(pid|ctl|sock|mgmt|snoop)$/.test(name));
  // A process that was killed cannot remove its control socket, nor the reference's.
  const live = await eventually('files are gone', () => {
    const files = left();
    return files.filter((name) => !/\.\d+\.ctl$/.test(name)).length === 0 ? files : undefined;
  });
  assert.equal(live?.length, 4, `one control socket for each kill: ${live}`);
  assert.deepEqual(
    devices(h).filter((name) => /^(br|i|ovs)/.test(name)),
    [],
  );
});

test('SIGTERM ends both and leaves no file; the devices stay for the next', { skip }, async (t) => {
  const { h } = await net(world(t));
  const before = ports(h);
  for (const daemon of ['ovs-vswitchd', 'ovsdb-server'] as const) {
    const pid = h.pidOf(daemon);
    process.kill(pid, 'SIGTERM');
    await eventually(`${daemon} ended`, () => h.run(`test -d /proc/${pid}`).code !== 0);
  }
  assert.deepEqual(
    readdirSync(h.dir).filter((name) => /\.(pid|ctl|sock|mgmt|snoop)$/.test(name)),
    [],
  );
  await h.startOvsdb('weft');
  await h.startVswitchd('weft');
  assert.equal(ports(h), before);
});

test('a device pulled out under traffic comes back with its number, and the rest goes on meanwhile', { skip }, async (t) => {
  const w = world(t);
  const { h, a, b } = await net(w);
  const c = station(w, h, 'c', 'vc', '10.0.0.3/24');
  h.ok('ovs-vsctl --timeout=9 add-port br0 vc');
  const number = (name: string): string => h.ok(`ovs-vsctl --timeout=9 get interface ${name} ofport`).trim();
  const before = number('vc');
  const flood = c.start('ping -f -s 1400 10.0.0.2');
  const steady = a.start('ping -i 0.1 10.0.0.2');
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    h.ok('ip link del vc');
    await eventually('noticed', () => number('vc') === '-1');
    w.wire(h, 'vc', c, 'eth0');
    c.ok('ip addr add 10.0.0.3/24 dev eth0');
    await eventually('back', () => number('vc') === before);
  }
  await flood.stop('SIGKILL');
  await eventually('forwards again', () => pings(c, '10.0.0.2'));
  await steady.stop('SIGINT');
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(steady.output()) ?? [];
  assert.ok(Number(received) >= Number(sent) - 1, steady.output().slice(-200));
  await tcp(c, b, '10.0.0.2', 16);
});
