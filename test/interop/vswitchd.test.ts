// ovs-vswitchd on real devices, driven by Debian's ovs-vsctl, ovs-ofctl and ovs-appctl.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ping') || false;
const debian = { tools: 'debian' } as const;

async function switchHost(w: World, name: string): Promise<Host> {
  const host = w.host(name);
  await host.startOvsdb('debian');
  await host.startVswitchd('weft');
  return host;
}

function station(w: World, host: Host, name: string, port: string, address: string): Host {
  const made = w.host(name);
  w.wire(host, port, made, 'eth0');
  made.ok(`ip addr add ${address} dev eth0`);
  return made;
}

const pings = (from: Host, to: string): boolean => from.run(`ping -c 2 -i 0.2 -W 1 ${to}`).code === 0;

/** Faults that a healthy run must not log. */
function assertHealthy(host: Host): void {
  const bad = host
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /\|(WARN|ERR|EMER)\|/.test(line) && !line.includes('terminating with signal'));
  assert.deepEqual(bad, []);
}

test('two stations, an internal port, VLANs and a drop flow', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
    debian,
  );
  assert.ok(pings(a, '10.0.0.2'), 'station to station');
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  assert.ok(pings(a, '10.0.0.3'), 'station to the bridge itself');
  h.ok('ovs-vsctl --timeout=10 set port va tag=5', debian);
  assert.ok(!pings(a, '10.0.0.2'), 'another VLAN');
  h.ok('ovs-vsctl --timeout=10 set port vb tag=5', debian);
  assert.ok(pings(a, '10.0.0.2'), 'the same VLAN');
  h.ok('ovs-vsctl --timeout=10 clear port va tag -- clear port vb tag', debian);
  h.ok('ovs-ofctl add-flow br0 priority=5,icmp,actions=drop', debian);
  assert.ok(!pings(a, '10.0.0.2'), 'dropped');
  h.ok('ovs-ofctl del-flows br0 icmp', debian);
  assert.ok(pings(a, '10.0.0.2'), 'no longer dropped');
  assert.match(h.ok('ovs-appctl fdb/show br0', debian), /LOCAL {5}0 {2}/);
  assert.match(h.ok('ovs-appctl dpctl/dump-flows', debian), /eth_type\(0x0800\),ipv4\(frag=no\), packets:\d+/);
  assertHealthy(h);
});

test('patch ports join two bridges', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 va -- add-br br1 -- add-port br1 vb', debian);
  h.ok('ovs-vsctl --timeout=10 add-port br0 p0 -- set interface p0 type=patch options:peer=p1', debian);
  assert.equal(h.ok('ovs-vsctl get interface p0 error', debian), `"No usable peer 'p1' exists in 'system' datapath."\n`);
  h.ok('ovs-vsctl --timeout=10 add-port br1 p1 -- set interface p1 type=patch options:peer=p0', debian);
  assert.equal(h.ok('ovs-vsctl get interface p0 error', debian), '[]\n');
  assert.ok(pings(a, '10.0.0.2'));
  assertHealthy(h);
});

for (const [type, options] of [
  ['gre', ''],
  ['gre', 'options:key=7 options:csum=true'],
  ['vxlan', 'options:key=7'],
  ['geneve', 'options:key=7'],
] as const) {
  test(`${type} ${options} between two hosts`, { skip }, async (t) => {
    const w = world(t);
    const h1 = await switchHost(w, 'h1');
    const h2 = await switchHost(w, 'h2');
    w.wire(h1, 'wan', h2, 'wan');
    h1.ok('ip addr add 172.16.0.1/24 dev wan');
    h2.ok('ip addr add 172.16.0.2/24 dev wan');
    const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
    station(w, h2, 'b', 'vb', '10.0.0.2/24');
    for (const [host, port, remote] of [
      [h1, 'va', '172.16.0.2'],
      [h2, 'vb', '172.16.0.1'],
    ] as const) {
      host.ok(
        `ovs-vsctl --timeout=10 add-br br0 -- add-port br0 ${port} -- add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=${remote} ${options}`,
        debian,
      );
    }
    assert.ok(pings(a, '10.0.0.2'), `${h1.log('ovs-vswitchd')}`);
    assert.match(h1.ok('ovs-vsctl get interface t0 status', debian), /tunnel_egress_iface=wan, tunnel_egress_iface_carrier=up/);
    assertHealthy(h1);
  });
}

test('a device that is not there, appears, vanishes and comes back', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = w.host('b');
  const port = (): string =>
    h.ok('ovs-vsctl --columns=ofport,error --format=csv --data=bare --no-headings list interface vb', debian).trim();
  h.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 va', debian);
  const said = h.run('ovs-vsctl --timeout=10 add-port br0 vb', debian);
  assert.equal(said.code, 0);
  assert.match(said.stderr, /^ovs-vsctl: Error detected while setting up 'vb': could not open network device vb \(No such device\)\./);
  assert.equal(port(), '-1,could not open network device vb (No such device)');
  for (let round = 0; round < 2; round++) {
    w.wire(h, 'vb', b, 'eth0');
    b.ok('ip addr add 10.0.0.2/24 dev eth0');
    a.ok('ip neigh flush all');
    await eventually('picked up', () => port() === '2,');
    assert.ok(pings(a, '10.0.0.2'));
    h.ok('ip link del vb');
    await eventually('noticed', () => port().startsWith('-1,'));
  }
});

test('restarts: from the database alone, also after kill -9; addresses of the host stay', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2 -- set interface vb ofport_request=9',
    debian,
  );
  h.ok('ovs-vsctl --timeout=10 add-br gone', debian);
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  assert.ok(pings(a, '10.0.0.3'));
  const facts = (): string => h.ok('ovs-vsctl --columns=name,ofport,error,mac_in_use list interface va vb br0', debian);
  const before = facts();
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  h.ok('ovs-vsctl --no-wait --timeout=10 del-br gone', debian);
  await h.startVswitchd('weft');
  assert.equal(facts(), before);
  assert.ok(pings(a, '10.0.0.2'), 'after kill -9');
  assert.ok(pings(a, '10.0.0.3'), "the bridge's own address after kill -9");
  assert.ok(!h.ok('ip -br link').includes('gone'), 'no stale device');
  const pid = h.pidOf('ovs-vswitchd');
  process.kill(pid, 'SIGTERM');
  await eventually(
    'pidfile removed',
    () => h.run('test -e ovs-vswitchd.pid', {}).code !== 0 && h.ok('ls $OVS_RUNDIR').indexOf('br0.mgmt') < 0,
  );
  process.kill(h.pidOf('ovsdb-server'), 'SIGTERM');
  await eventually('server gone', () => !h.ok('ls $OVS_RUNDIR').includes('ovsdb-server.pid'));
  await h.startOvsdb('debian');
  await h.startVswitchd('weft');
  assert.equal(facts(), before);
  assert.ok(pings(a, '10.0.0.2'), 'after both restarted');
  assert.ok(pings(a, '10.0.0.3'));
  h.ok('ovs-appctl exit --cleanup', debian);
  await eventually('devices gone', () => !h.ok('ip -br link').includes('br0'));
});

test('a second daemon waits for the lock and takes over', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  h.ok('ovs-vsctl --timeout=10 add-br br0', debian);
  assert.match(h.run('ovs-vswitchd --pidfile').stderr, /^ovs-vswitchd: .*already running as pid \d+, aborting$/m);
  const second = h.start(`ovs-vswitchd --pidfile=${h.dir}/second.pid --unixctl=${h.dir}/second.ctl`);
  await eventually('refused', () => second.output().includes('another ovs-vswitchd process is running, disabling this process'));
  h.ok('ovs-appctl exit', debian);
  await eventually('took over', () => second.output().includes('bridge br0: added interface br0'));
});
