// Tunnels through our daemons alone: two hosts and an underlay of MTU 1500, all offloads as the kernel has them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faults, pings, station, switchHost, tcp, watch } from './support/traffic.ts';
import { cannot, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tcpdump') || false;

interface Pair {
  w: World;
  h1: Host;
  h2: Host;
  a: Host;
  b: Host;
}

/** Two switches joined by `wan`, each with a station at its br0. */
async function pair(w: World): Promise<Pair> {
  const h1 = await switchHost(w, 'h1');
  const h2 = await switchHost(w, 'h2');
  w.wire(h1, 'wan', h2, 'wan');
  h1.ok('ip addr add 172.16.0.1/24 dev wan && ip addr add fd00::1/64 dev wan nodad && ip addr add 172.16.0.11/24 dev wan');
  h2.ok('ip addr add 172.16.0.2/24 dev wan && ip addr add fd00::2/64 dev wan nodad');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24', 'fd01::1/64');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24', 'fd01::2/64');
  h1.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va');
  h2.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 vb');
  return { w, h1, h2, a, b };
}

function tunnel(host: Host, type: string, remote: string, options = ''): void {
  host.ok(
    `ovs-vsctl --timeout=10 --if-exists del-port t0 -- add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=${remote} ${options}`,
  );
}

for (const type of ['gre', 'vxlan', 'geneve']) {
  test(`${type}: keys, checksums, addresses, ttl and tos over IPv4 and IPv6`, { skip }, async (t) => {
    const { h1, h2, a, b } = await pair(world(t));
    const filter = { gre: 'proto 47', vxlan: 'udp port 4789', geneve: 'udp port 6081' }[type]!;
    for (const [name, remote1, remote2, options1, options2, seen] of [
      ['plain', '172.16.0.2', '172.16.0.1', '', '', [/ttl 64/]],
      [
        'key and checksum',
        '172.16.0.2',
        '172.16.0.1',
        'options:key=77 options:csum=true',
        'options:key=77',
        [/(0x|key=0x|VNI |vni )4d|vni 77/i],
      ],
      [
        'local_ip, ttl, tos',
        '172.16.0.2',
        '172.16.0.11',
        'options:local_ip=172.16.0.11 options:ttl=9 options:tos=0x20 options:df_default=false',
        '',
        [/172\.16\.0\.11/, /tos 0x20, ttl 9/, /flags \[none\]/],
      ],
      ['IPv6', 'fd00::2', 'fd00::1', 'options:key=5 options:csum=true', 'options:key=5', [/fd00::1.* > fd00::2/]],
      ['IPv6 without checksum', 'fd00::2', 'fd00::1', 'options:local_ip=fd00::1', '', [/fd00::1.* > fd00::2/]],
    ] as const) {
      tunnel(h1, type, remote1, options1);
      tunnel(h2, type, remote2, options2);
      const underlay = await watch(h2, 'wan', remote1.includes(':') ? 'ip6 and not icmp6' : filter);
      assert.ok(pings(a, '10.0.0.2'), `${name}: ping\n${h1.log('ovs-vswitchd')}`);
      const text = await underlay.stop();
      for (const pattern of seen) assert.match(text, pattern, name);
      assert.ok(pings(a, '10.0.0.2', 1472), `${name}: ping with 1472 bytes`);
      assert.ok(pings(b, 'fd01::1', 1452), `${name}: IPv6 ping with 1452 bytes`);
      await tcp(a, b, '10.0.0.2');
      await tcp(b, a, 'fd01::1');
    }
    assert.deepEqual(faults(h1), []);
    assert.deepEqual(faults(h2), []);
  });
}

for (const type of ['gre', 'vxlan', 'geneve']) {
  test(`${type}: key=flow with set_tunnel, and several tunnels to several remotes`, { skip }, async (t) => {
    const w = world(t);
    const { h1, h2, a, b } = await pair(w);
    // Many keys over one port: what set_tunnel says goes out, what came in can be matched.
    tunnel(h1, type, '172.16.0.2', 'options:key=flow');
    tunnel(h2, type, '172.16.0.1', 'options:key=flow');
    const flows = (host: Host, port: string, out: number, take: number): void => {
      host.ok('ovs-ofctl del-flows br0');
      host.ok(`ovs-ofctl add-flow br0 in_port=${port},actions=set_tunnel:${out},output:t0`);
      host.ok(`ovs-ofctl add-flow br0 in_port=t0,tun_id=${take},actions=output:${port}`);
    };
    flows(h1, 'va', 0x123456, 99);
    flows(h2, 'vb', 99, 0x123456);
    assert.ok(pings(a, '10.0.0.2'), 'set_tunnel');
    await tcp(a, b, '10.0.0.2', 16);
    assert.match(h1.ok('ovs-appctl dpctl/dump-flows'), /set\(tunnel\(tun_id=0x123456,/);
    flows(h2, 'vb', 98, 0x123456);
    assert.ok(!pings(a, '10.0.0.2'), 'another key is not ours');
    for (const host of [h1, h2]) host.ok('ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 actions=normal');

    // A third host; h1 is joined to both by tunnels of one protocol, and twice to h2 by keys.
    const h3 = await switchHost(w, 'h3');
    w.wire(h1, 'wan3', h3, 'wan');
    h1.ok('ip addr add 172.16.3.1/24 dev wan3');
    h3.ok('ip addr add 172.16.3.3/24 dev wan');
    const c = station(w, h3, 'c', 'vc', '10.0.0.3/24');
    h3.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 vc');
    h3.ok(`ovs-vsctl --timeout=10 add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=172.16.3.1 options:key=5`);
    tunnel(h1, type, '172.16.0.2', 'options:key=5');
    tunnel(h2, type, '172.16.0.1', 'options:key=5');
    h1.ok(`ovs-vsctl --timeout=10 add-port br0 t3 -- set interface t3 type=${type} options:remote_ip=172.16.3.3 options:key=5`);
    for (const [host, remote] of [
      [h1, '172.16.0.2'],
      [h2, '172.16.0.1'],
    ] as const) {
      host.ok(
        `ovs-vsctl --timeout=10 add-br br6 -- set bridge br6 datapath_type=netdev -- add-port br6 t6 -- set interface t6 type=${type} options:remote_ip=${remote} options:key=6`,
      );
    }
    h1.ok('ip addr add 10.6.0.1/24 dev br6 && ip link set br6 up');
    h2.ok('ip addr add 10.6.0.2/24 dev br6 && ip link set br6 up');
    assert.ok(pings(a, '10.0.0.2') && pings(a, '10.0.0.3') && pings(b, '10.0.0.3'), 'three hosts by one segment');
    assert.ok(pings(h1, '10.6.0.2', 1472), 'a second bridge over the same two hosts');
    await tcp(c, b, '10.0.0.2', 16);
    await tcp(h1, h2, '10.6.0.2', 16);
    const said = h1.run(
      `ovs-vsctl --timeout=10 add-port br6 t7 -- set interface t7 type=${type} options:remote_ip=172.16.0.2 options:key=6`,
    );
    assert.match(said.stderr, /Error detected while setting up 't7'.*File exists/);
    assert.ok(pings(h1, '10.6.0.2'), 'the tunnel that was there first still works');
    h1.ok('ovs-vsctl --timeout=10 del-port t0');
    assert.ok(!pings(a, '10.0.0.2') && pings(a, '10.0.0.3') && pings(h1, '10.6.0.2'), 'only the deleted tunnel stopped');
  });
}
