// Tunnels of the default datapath, which the kernel's program wraps and unwraps: two hosts, an underlay of MTU 1500, offloads as found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faults, pings, station, switchHost, tcp, watch } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'iperf3') || false;

interface Pair {
  h1: Host;
  h2: Host;
  a: Host;
  b: Host;
}

async function pair(w: World, mtu = 1500): Promise<Pair> {
  const h1 = await switchHost(w, 'h1');
  const h2 = await switchHost(w, 'h2');
  w.wire(h1, 'wan', h2, 'wan');
  h1.ok(`ip link set wan mtu ${mtu} && ip addr add 172.16.0.1/24 dev wan && ip addr add fd00::1/64 dev wan nodad`);
  h2.ok(`ip link set wan mtu ${mtu} && ip addr add 172.16.0.2/24 dev wan && ip addr add fd00::2/64 dev wan nodad`);
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24', 'fd01::1/64');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24', 'fd01::2/64');
  h1.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 va');
  h2.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 vb');
  return { h1, h2, a, b };
}

function tunnel(host: Host, type: string, remote: string, options = ''): void {
  host.ok(
    `ovs-vsctl --timeout=10 --if-exists del-port t0 -- add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=${remote} ${options}`,
  );
}

/** Gbit/s of a second of TCP. */
async function rate(from: Host, to: Host, address: string): Promise<number> {
  const server = to.start(['iperf3', '-s', '-1']);
  try {
    return await eventually('iperf3', () => {
      const text = from.ok(['iperf3', '-c', address, '-t', '1', '-J'], { timeout: 15_000 });
      return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
    });
  } finally {
    await server.stop();
  }
}

/** The flows of TCP as `dpctl/dump-flows -m` shows them. */
const tcpFlows = (host: Host): string[] =>
  host
    .ok('ovs-appctl dpctl/dump-flows -m')
    .split('\n')
    .filter((line) => /eth_type\(0x(0800|86dd)\)/.test(line) && /packets:[1-9]\d{2,}/.test(line));

for (const type of ['gre', 'vxlan', 'geneve']) {
  test(`${type}: the kernel carries TCP both ways over IPv4 and IPv6`, { skip }, async (t) => {
    const { h1, h2, a, b } = await pair(world(t));
    for (const [remote1, remote2] of [
      ['172.16.0.2', '172.16.0.1'],
      ['fd00::2', 'fd00::1'],
    ] as const) {
      tunnel(h1, type, remote1, 'options:key=77');
      tunnel(h2, type, remote2, 'options:key=77');
      await eventually(`ping over ${remote1}`, () => pings(a, '10.0.0.2'));
      assert.ok(pings(a, '10.0.0.2', 1472), 'what does not fit is fragmented by user space');
      await tcp(a, b, '10.0.0.2', 256);
      await tcp(b, a, 'fd01::1', 256);
      const gbits = await rate(a, b, '10.0.0.2');
      t.diagnostic(`${type} over ${remote1}: ${gbits.toFixed(1)} Gbit/s`);
      for (const host of [h1, h2]) {
        const flows = tcpFlows(host);
        const received = flows.filter((line) => line.includes('tunnel(tun_id=0x4d'));
        assert.ok(received.length > 0, host.ok('ovs-appctl dpctl/dump-flows -m'));
        for (const flow of flows) assert.match(flow, /offloaded:yes/);
      }
      // Only the kernel takes super-segments whole out of a tunnel: in user space no frame is longer than the underlay's MTU.
      const sizes = tcpFlows(h2).map((line) => Number(/bytes:(\d+)/.exec(line)?.[1]) / Number(/packets:(\d+)/.exec(line)?.[1]));
      assert.ok(Math.max(...sizes) > 3000, String(sizes));
    }
    assert.deepEqual(faults(h1), []);
    assert.deepEqual(faults(h2), []);
  });
}

for (const datapath of ['system', 'netdev']) {
  test(`${datapath}: flows have UDP source ports of their own`, { skip: cannot('tcpdump') || skip }, async (t) => {
    const { h1, h2, a, b } = await pair(world(t));
    for (const host of [h1, h2]) {
      host.ok(`ovs-vsctl --timeout=10 set bridge br0 datapath_type=${datapath}`);
    }
    tunnel(h1, 'geneve', '172.16.0.2');
    tunnel(h2, 'geneve', '172.16.0.1');
    await eventually('ping', () => pings(a, '10.0.0.2'));
    const underlay = await watch(h2, 'wan', 'udp port 6081 and src 172.16.0.1');
    for (let i = 0; i < 5; i++) await tcp(a, b, '10.0.0.2', 1);
    const text = await underlay.stop();
    // The five flows that data went by; each has more packets than ARP and the like.
    const counts = new Map<string, number>();
    for (const [, port] of text.matchAll(/172\.16\.0\.1\.(\d+) > 172\.16\.0\.2\.6081/g)) counts.set(port!, (counts.get(port!) ?? 0) + 1);
    const ports = [...counts].filter(([, count]) => count > 2).map(([port]) => Number(port));
    assert.ok(ports.length >= 4, text);
    assert.ok(
      ports.every((port) => port >= 32_768 && port < 61_000),
      String(ports),
    );
  });
}

test('geneve options: set, matched on and carried by the kernel', { skip }, async (t) => {
  const { h1, h2, a, b } = await pair(world(t), 1600);
  for (const [host, device, remote] of [
    [h1, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const) {
    tunnel(host, 'geneve', remote, 'options:key=flow');
    host.ok(`ovs-vsctl set bridge br0 fail_mode=secure -- set interface ${device} ofport_request=1 -- set interface t0 ofport_request=2`);
    host.ok(['ovs-ofctl', 'add-tlv-map', 'br0', '{class=0x102,type=0x80,len=4}->tun_metadata0']);
    for (const flow of [
      'in_port=1,actions=set_field:5->tun_id,set_field:0x12345678->tun_metadata0,output:2',
      'in_port=2,tun_id=5,tun_metadata0=0x12345678,actions=output:1',
    ]) {
      host.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', flow]);
    }
  }
  await eventually('ping', () => pings(a, '10.0.0.2'));
  await tcp(a, b, '10.0.0.2', 256);
  for (const host of [h1, h2]) {
    const flows = tcpFlows(host);
    const received = flows.filter((line) => /geneve\(\{class=0x102,type=0x80,len=4,0x12345678/.test(line));
    assert.ok(received.length > 0, host.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const flow of flows) assert.match(flow, /offloaded:yes/);
  }
  // Another value is another flow.
  h2.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'del-flows', 'br0', 'in_port=2']);
  h2.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', 'in_port=2,tun_metadata0=0x12345679,actions=output:1']);
  await eventually('no longer', () => !pings(a, '10.0.0.2'));
});

test('as many geneve options as a header can have are set, matched on and carried by the kernel', { skip }, async (t) => {
  const { h1, h2, a, b } = await pair(world(t), 1900);
  for (const [host, device, remote] of [
    [h1, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const) {
    tunnel(host, 'geneve', remote, 'options:key=flow');
    host.ok(`ovs-vsctl set bridge br0 fail_mode=secure -- set interface ${device} ofport_request=1 -- set interface t0 ofport_request=2`);
    host.ok([
      'ovs-ofctl',
      'add-tlv-map',
      'br0',
      '{class=0x102,type=0x80,len=124}->tun_metadata0,{class=0x102,type=0x81,len=116}->tun_metadata1',
    ]);
    for (const flow of [
      'in_port=1,actions=set_field:5->tun_id,set_field:0x12345678->tun_metadata0,set_field:0x9abcdef0->tun_metadata1,output:2',
      'in_port=2,tun_id=5,tun_metadata0=0x12345678,tun_metadata1=0x9abcdef0,actions=output:1',
    ]) {
      host.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', flow]);
    }
  }
  await eventually('ping', () => pings(a, '10.0.0.2'));
  await tcp(a, b, '10.0.0.2', 256);
  for (const host of [h1, h2]) {
    const flows = tcpFlows(host);
    const received = flows.filter((line) => /geneve\(\{.*0x12345678.*0x9abcdef0/.test(line));
    assert.ok(received.length > 0, host.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const flow of flows) assert.match(flow, /offloaded:yes/);
    // Whole super-segments: none of it went through a socket.
    assert.ok(flows.some((line) => Number(/bytes:(\d+)/.exec(line)?.[1]) / Number(/packets:(\d+)/.exec(line)?.[1]) > 3000));
    assert.deepEqual(faults(host), []);
  }
  // The last bit of all counts.
  h2.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'del-flows', 'br0', 'in_port=2']);
  h2.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', 'in_port=2,tun_metadata1=0x9abcdef1,actions=output:1']);
  await eventually('no longer', () => !pings(a, '10.0.0.2'));
});

for (const [type, inner, net] of [
  ['gre', 1400, '172.16.0.'],
  ['vxlan', 1400, 'fd00::'],
  ['geneve', 1500, '172.16.0.'],
] as const) {
  test(`${type}, csum=true: every packet has its checksum, segments of super-segments too`, {
    skip: cannot('tcpdump', 'ethtool') || skip,
  }, async (t) => {
    const { h1, h2, a, b } = await pair(world(t));
    for (const station of [a, b]) station.ok(`ip link set eth0 mtu ${inner}`);
    const [remote1, remote2] = [`${net}2`, `${net}1`];
    tunnel(h1, type, remote1, 'options:csum=true');
    tunnel(h2, type, remote2, 'options:csum=true');
    // Segments are made, and inner checksums filled in, before the cable.
    h1.ok('ethtool -K wan tx off tso off gso off');
    await eventually(`ping over ${remote1}`, () => pings(a, '10.0.0.2'));
    const underlay = await watch(h2, 'wan', `-vv ${type === 'gre' ? 'proto gre' : 'udp'} and src ${remote2}`);
    await tcp(a, b, '10.0.0.2', 64);
    await tcp(a, b, 'fd01::2', 64);
    const text = await underlay.stop();
    if (type !== 'gre') {
      assert.doesNotMatch(text, /bad udp cksum|no cksum/);
      assert.ok((text.match(/udp sum ok/g) ?? []).length > 100, text);
    }
    h1.ok('ethtool -K wan tx on tso on gso on');
    await tcp(b, a, '10.0.0.1', 256);
    // Where segments would have to become shorter to fit, they are user space's; otherwise they stay in super-segments.
    const received = tcpFlows(h1).filter((line) => line.includes('tunnel(tun_id'));
    const sizes = received.map((line) => Number(/bytes:(\d+)/.exec(line)?.[1]) / Number(/packets:(\d+)/.exec(line)?.[1]));
    assert.equal(Math.max(...sizes) > 3000, inner === 1400, String(sizes));
    assert.deepEqual(faults(h1), []);
    assert.deepEqual(faults(h2), []);
  });
}

test('copies that are cut off go into a tunnel with checksums, right ones, whatever was left to the device', {
  skip: cannot('tcpdump', 'ethtool') || skip,
}, async (t) => {
  const w = world(t);
  const { h1, h2, a } = await pair(w);
  const b = station(w, h1, 'c', 'vc', '10.0.0.3/24');
  tunnel(h1, 'vxlan', '172.16.0.2', 'options:csum=true');
  h1.ok('ethtool -K wan tx off tso off gso off');
  h1.ok('ovs-vsctl add-port br0 vc -- set interface va ofport_request=1 -- set interface vc ofport_request=2');
  h1.ok('ovs-vsctl set interface t0 ofport_request=3 -- set bridge br0 fail_mode=secure');
  // Super-segments too; shorter than any header with a checksum may be, and longer.
  for (const length of [100, 400]) {
    h1.ok('ovs-ofctl del-flows br0');
    h1.ok(['ovs-ofctl', 'add-flow', 'br0', `in_port=1,actions=output(port=3,max_len=${length}),output:2`]);
    h1.ok(['ovs-ofctl', 'add-flow', 'br0', 'in_port=2,actions=output:1']);
    await eventually('ping', () => pings(a, '10.0.0.3'));
    const underlay = await watch(h2, 'wan', '-vv udp and src 172.16.0.1');
    await tcp(a, b, '10.0.0.3', 256);
    const text = await underlay.stop();
    assert.doesNotMatch(text, /bad udp cksum|no cksum/);
    assert.ok((text.match(/udp sum ok/g) ?? []).length > 50, text);
    const flows = h1.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
    const sent = flows.filter((line) => /in_port\(va\).*eth_type\(0x0800\).*packets:\d\d.*trunc/.test(line));
    assert.ok(sent.length > 0, h1.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const flow of sent) assert.match(flow, /offloaded:yes/);
  }
  assert.deepEqual(faults(h1), []);
});
