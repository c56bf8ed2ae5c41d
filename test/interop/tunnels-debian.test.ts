// Our tunnels against other people's: Debian's Open vSwitch with its native tunnelling, and the Linux vxlan device.
// Debian's side neither fragments nor completes checksums: its underlay has a larger MTU, and checksum offload is off where it listens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pings, station, switchHost, tcp, watch } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tcpdump', 'ethtool', 'ovs-vswitchd') || false;
const debian = { tools: 'debian' } as const;

/** Debian's switch with `wan` in br-phy, which has the underlay's addresses, and `vb` in br0. */
function debianBridges(host: Host): void {
  host.ok('ovs-vsctl --timeout=10 add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy wan', debian);
  host.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 vb', debian);
  host.ok('ip link set br-phy mtu 1700 up && ip addr add 172.16.0.2/24 dev br-phy && ip addr add fd00::2/64 dev br-phy nodad');
}

for (const type of ['gre', 'vxlan', 'geneve']) {
  test(`${type} to Debian's Open vSwitch`, { skip }, async (t) => {
    const w = world(t);
    const h1 = await switchHost(w, 'h1', 'weft');
    const h2 = await switchHost(w, 'h2', 'debian');
    w.wire(h1, 'wan', h2, 'wan');
    for (const host of [h1, h2]) host.ok('ethtool -K wan tx off && ip link set wan mtu 1700');
    h1.ok('ip addr add 172.16.0.1/24 dev wan && ip addr add fd00::1/64 dev wan nodad');
    const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
    const b = station(w, h2, 'b', 'vb', '10.0.0.2/24');
    b.ok('ethtool -K eth0 tx off');
    debianBridges(h2);
    h1.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va');
    for (const [remote1, remote2, options] of [
      ['172.16.0.2', '172.16.0.1', ''],
      ['172.16.0.2', '172.16.0.1', 'options:key=0x77 options:csum=true'],
      ['172.16.0.2', '172.16.0.1', 'options:key=3 options:ttl=7 options:tos=0x20'],
      ['fd00::2', 'fd00::1', 'options:key=9'],
    ] as const) {
      const add = (remote: string): string =>
        `ovs-vsctl --timeout=10 --if-exists del-port t0 -- add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=${remote} ${options}`;
      h1.ok(add(remote1));
      h2.ok(add(remote2), debian);
      const underlay = await watch(h1, 'wan', '');
      const what = `${options} to ${remote1}`;
      // The first frames of Debian's side are lost while it resolves the other end's address.
      h2.run(`ping -c 3 -i 0.2 -W 1 ${remote2}`);
      const works = await eventually('both ways', () => pings(a, '10.0.0.2'), 5000).catch(() => false);
      const text = await underlay.stop();
      assert.ok(works, `${what}\n${text}\n${h2.log('ovs-vswitchd')}`);
      assert.doesNotMatch(text, /bad udp cksum/, what);
      assert.ok(pings(b, '10.0.0.1', 1472), `${what}: 1472 bytes from Debian's side`);
      assert.ok(pings(a, '10.0.0.2', 1472), `${what}: 1472 bytes from our side`);
      await tcp(b, a, '10.0.0.1', 16);
      await tcp(a, b, '10.0.0.2', 16);
    }
  });
}

test('vxlan to the Linux device, over IPv4 and IPv6', { skip }, async (t) => {
  const w = world(t);
  const h1 = await switchHost(w, 'h1', 'weft');
  const h2 = w.host('h2');
  w.wire(h1, 'wan', h2, 'wan');
  h1.ok('ip addr add 172.16.0.1/24 dev wan && ip addr add fd00::1/64 dev wan nodad');
  h2.ok('ip addr add 172.16.0.2/24 dev wan && ip addr add fd00::2/64 dev wan nodad');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
  h1.ok('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va');
  if (h2.run('ip link add vx0 type vxlan id 7 remote 172.16.0.1 dstport 4789').code !== 0) {
    t.diagnostic('this kernel has no vxlan device');
    return;
  }
  for (const [local, remote] of [
    ['172.16.0.1', '172.16.0.2'],
    ['fd00::1', 'fd00::2'],
  ] as const) {
    h2.run('ip link del vx0');
    h2.ok(`ip link add vx0 type vxlan id 7 remote ${local} local ${remote} dstport 4789`);
    h2.ok('ip link set vx0 mtu 1500 && ip addr add 10.0.0.2/24 dev vx0 && ip link set vx0 up');
    h1.ok(
      `ovs-vsctl --timeout=10 --if-exists del-port t0 -- add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=${remote} options:key=7`,
    );
    a.ok('ip neigh flush all');
    await eventually(`ping over ${local}`, () => pings(a, '10.0.0.2'), 5000);
    assert.ok(pings(a, '10.0.0.2', 1472) && pings(h2, '10.0.0.1', 1472), `1472 bytes over ${local}`);
    await tcp(a, h2, '10.0.0.2');
    await tcp(h2, a, '10.0.0.1');
  }
});
