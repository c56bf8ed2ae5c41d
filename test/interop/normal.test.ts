// NORMAL on real devices: access and trunk VLANs over a second bridge, a station that moves, ageing, flooding, fail_mode secure; and the
// statistics and commands that show it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pings, station, switchHost, tcp, watch } from './support/traffic.ts';
import { cannot, eventually, world } from './support/world.ts';

const skip = cannot('ping', 'tcpdump', 'ovs-vsctl') || false;

test('access ports, a trunk through a second bridge and through patch ports', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const x5 = station(w, h, 'x5', 'v1', '10.0.0.1/24');
  const x6 = station(w, h, 'x6', 'v2', '10.0.0.1/24');
  const y5 = station(w, h, 'y5', 'v3', '10.0.0.2/24');
  station(w, h, 'y6', 'v4', '10.0.0.2/24');
  h.ok('ip link add c1 type veth peer name c2 && ip link set c1 up && ip link set c2 up');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-br br1 -- set bridge br1 datapath_type=netdev' +
      ' -- add-port br0 v1 tag=5 -- add-port br0 v2 tag=6 -- add-port br1 v3 tag=5 -- add-port br1 v4 tag=6' +
      ' -- add-port br0 c1 trunks=5,6 -- add-port br1 c2 trunks=5,6',
  );
  const cable = await watch(h, 'c1', '');
  assert.ok(pings(x5, '10.0.0.2') && pings(x6, '10.0.0.2', 1472));
  assert.match(await cable.stop(), /vlan 5, .*vlan 6, /s);
  await tcp(x5, y5, '10.0.0.2', 16);
  assert.match(h.ok('ovs-appctl fdb/show br0'), / {5}6 {2}/);
  // Only one VLAN is carried on.
  h.ok('ovs-vsctl --timeout=10 set port c1 trunks=5');
  assert.ok(pings(x5, '10.0.0.2') && !pings(x6, '10.0.0.2'));
  // The same through patch ports, with VLAN 6 native and untagged between the bridges.
  h.ok(
    'ovs-vsctl --timeout=10 del-port c1 -- del-port c2 -- add-port br0 p0 tag=6 vlan_mode=native-untagged -- set interface p0 type=patch options:peer=p1' +
      ' -- add-port br1 p1 tag=6 vlan_mode=native-untagged -- set interface p1 type=patch options:peer=p0',
  );
  assert.ok(pings(x5, '10.0.0.2') && pings(x6, '10.0.0.2', 1472));
  // An internal port is a device like any other.
  h.ok('ovs-vsctl --timeout=10 add-port br1 i5 tag=5 -- set interface i5 type=internal');
  h.ok('ip addr add 10.0.0.5/24 dev i5 && ip link set i5 up');
  assert.ok(pings(x5, '10.0.0.5') && !pings(x6, '10.0.0.5'));
  await tcp(x5, h, '10.0.0.5', 16);
});

test('a station that moves, ageing, flooding, secure without flows, and counters', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  const c = station(w, h, 'c', 'vc');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2 -- add-port br0 vc -- set interface vc ofport_request=3 -- set open . other_config:stats-update-interval=1000',
  );
  assert.ok(pings(a, '10.0.0.2'));
  // What is known goes to one port, what is not to all.
  const quiet = await watch(c, 'eth0', 'icmp');
  assert.ok(pings(a, '10.0.0.2'));
  assert.doesNotMatch(await quiet.stop(), /echo/);
  h.ok('ovs-appctl fdb/flush br0');
  // A frame of b's own, sent in between, teaches where b is; then c hears nothing, which is right too.
  for (let tries = 1; ; tries++) {
    const heard = await watch(c, 'eth0', 'icmp');
    h.ok('ovs-appctl fdb/flush br0');
    // Until then flows that stand may still go where the station was.
    h.ok('ovs-appctl revalidator/wait');
    a.run('ping -c 1 -W 1 10.0.0.2');
    const text = await heard.stop();
    if (tries < 5 && !text.includes('echo request')) continue;
    assert.match(text, /echo request/);
    break;
  }
  // b's address appears at c.
  const mac = b.ok('cat /sys/class/net/eth0/address').trim();
  b.ok('ip link set eth0 down');
  c.ok(`ip link set eth0 down && ip link set eth0 address ${mac} up && ip addr add 10.0.0.2/24 dev eth0`);
  c.run('ping -c 1 -W 1 10.0.0.1');
  assert.ok(pings(a, '10.0.0.2'), 'moved');
  assert.match(h.ok('ovs-appctl fdb/show br0'), new RegExp(` 3 {5}0 {2}${mac}`));
  assert.match(h.ok('ovs-appctl fdb/stats-show br0'), /port moved MAC entries {2}: [1-9]/);
  // Ageing: the least the column takes is 15 s, so that the entry is older than that before it goes.
  h.ok('ovs-vsctl --timeout=10 set bridge br0 other_config:mac-aging-time=15');
  c.ok('ip link set eth0 down');
  // Counters in the database, in OpenFlow and in the datapath agree.
  const counted = (): number => Number(h.ok('ovs-vsctl get interface va statistics:rx_packets'));
  await eventually('statistics written', () => counted() > 5);
  assert.match(h.ok('ovs-ofctl dump-ports br0 va'), /rx pkts=[1-9]\d*, bytes=[1-9]/);
  const shown = h.ok('ovs-appctl dpctl/show -s');
  assert.match(shown, /^netdev@ovs-netdev:\n {2}lookups: hit:\d+ missed:\d+ lost:0\n/);
  assert.match(shown, /port \d+: va\n {4}RX packets:[1-9]\d* errors:0 dropped:0 overruns:0 frame:0\n {4}TX packets:[1-9]\d* /);
  assert.match(h.ok('ovs-appctl bridge/dump-flows br0'), /^duration=\d+s, n_packets=\d+, n_bytes=\d+, priority=0,actions=NORMAL$/m);
  const entries = (): string => h.ok('ovs-appctl fdb/show br0');
  await eventually('aged out', () => !entries().includes(mac), 20_000);
  // Secure: no flow, no frame; an own flow is enough.
  b.ok('ip link set eth0 up');
  h.ok('ovs-vsctl --timeout=10 set-fail-mode br0 secure -- set-controller br0 tcp:127.0.0.1:1');
  h.ok('ovs-ofctl del-flows br0');
  assert.ok(!pings(a, '10.0.0.2'), 'secure');
  h.ok('ovs-appctl bridge/reconnect br0');
  assert.match(h.run('ovs-appctl bridge/reconnect nobr').stderr, /^Unknown bridge\n/);
  h.ok('ovs-ofctl add-flow br0 actions=normal');
  assert.ok(pings(a, '10.0.0.2'), 'secure with a flow');
});

test('vlan-limit of the database reaches keys and flows, as in Debian', { skip }, async (t) => {
  const w = world(t);
  const told = [];
  for (const tools of ['debian', 'weft'] as const) {
    const h = w.host(tools);
    await h.startOvsdb(tools);
    await h.startVswitchd(tools, ['--enable-dummy']);
    h.ok(
      'ovs-vsctl --timeout=10 set open . other_config:vlan-limit=2 -- add-br br0 -- set bridge br0 datapath_type=dummy -- add-port br0 p1 -- set interface p1 type=dummy -- add-port br0 p2 -- set interface p2 type=dummy',
      { tools },
    );
    h.ok(
      'ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 in_port=p1,dl_vlan=5,actions=pop_vlan,resubmit:4 && ovs-ofctl add-flow br0 in_port=4,dl_vlan=6,actions=p2',
      { tools },
    );
    const frame = `${'5054000000025054000000018100000588a80006'.replace('88a8', '8100')}0800${'45000014000000004011000001020304050607080000000000000000'}`;
    h.ok(`ovs-appctl netdev-dummy/receive p1 ${frame.padEnd(140, '0')}`, { tools });
    await new Promise((resolve) => setTimeout(resolve, 300));
    told.push(
      h
        .ok('ovs-appctl dpctl/dump-flows', { tools })
        .replaceAll(/used:[^,]*/g, 'used:X')
        .replaceAll(/in_port\(\d+\)/g, 'in_port(N)')
        .replace(/flow-dump from .*\n/, ''),
    );
  }
  assert.match(String(told[0]), /encap\(/);
  assert.equal(told[1], told[0]);
});

test('vlan-limit reaches the frame path of real devices', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va');
  const b = station(w, h, 'b', 'vb');
  h.ok(
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  // Only a key of two tags can tell the inner one.
  h.ok('ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 in_port=va,dl_vlan=5,actions=pop_vlan,resubmit:vb');
  h.ok('ovs-ofctl add-flow br0 in_port=vb,dl_vlan=6,actions=vb');
  const send = `import socket; s=socket.socket(17,3); s.bind(("eth0",0)); [s.send(bytes.fromhex("505400000002505400000001810000058100000688b5"+"00"*60)) for _ in range(3)]`;
  const hears = async (): Promise<boolean> => {
    const heard = await watch(b, 'eth0', 'ether src 50:54:00:00:00:01');
    a.ok(['python3', '-c', send]);
    return (await heard.stop()).includes('50:54:00:00:00:01 >');
  };
  assert.equal(await hears(), false);
  h.ok('ovs-vsctl --timeout=10 set open . other_config:vlan-limit=2');
  assert.equal(await hears(), true);
  h.ok('ovs-vsctl --timeout=10 remove open . other_config vlan-limit');
  assert.equal(await hears(), false);
});
