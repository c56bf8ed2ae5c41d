// Control commands about the network below tunnels, over devices, addresses and routes of the host's that come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, eventually, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
const SETTLE = 'sleep 0.3';

/** Two devices whose addresses are only those that are given here, without a time when they are not yet theirs. */
const DEVICES = [
  'sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 net.ipv6.conf.default.accept_dad=0',
  'ip link add v0 address 50:54:00:00:00:05 type veth peer name v1 address 50:54:00:00:00:06',
  'ip link set v0 up && ip link set v1 up',
  'ip addr add 10.1.0.1/16 dev v0 && ip addr add 10.1.0.9/24 dev v0 && ip addr add fd00:1::1/64 dev v0 nodad',
  'ip addr add 10.2.0.1/24 dev v1 && ip addr add 10.3.0.1/24 dev lo',
];

const ROUTES = [
  'ip route add 10.55.0.0/16 dev v0 src 10.1.0.9',
  'ip route add 10.56.0.0/16 via 10.1.0.77 dev v0 src 10.1.0.9',
  'ip route add 10.57.0.0/16 via 10.1.5.77 dev v0',
  'ip route add blackhole 10.58.0.0/16 && ip route add unreachable 10.59.0.0/16 && ip route add throw 10.79.0.0/16',
  'ip route add 10.60.0.0/16 nexthop via 10.1.0.78 dev v0 nexthop via 10.2.0.78 dev v1',
  'ip route add 10.61.0.0/16 via 10.1.0.80 dev v0 table 100',
  'ip route add 10.62.0.0/16 via 10.1.0.80 dev v0 metric 5 && ip route add 10.62.0.0/16 via 10.1.0.81 dev v0 metric 3',
  'ip route add 10.63.0.0/16 via 192.0.2.1 dev v0 onlink',
  'ip route add 10.2.0.7/32 dev v1 && ip route add 10.2.0.0/25 dev v1',
  'ip route add local 10.77.0.0/16 dev lo',
  'ip -6 route add default via fd00:1::ff',
  'ip -6 route add fd00:2::/48 via fd00:1::fe dev v0 && ip -6 route add fd00:3::/48 dev v1',
  'ip -6 route add fd00:1::/56 dev v0 && ip -6 route add blackhole fd00:5::/48',
  'ip -6 route add fd00:6::/48 nexthop via fd00:1::fd dev v0 nexthop via fd00:1::fc dev v0',
];

const LOOKUPS = ['10.1.5.5', '10.1.5.5 pkt_mark=5', '10.1.0.1', '10.2.0.3', '10.60.0.1', '127.0.0.1', '::1', 'fd00:1::7', '8.8.8.8'].map(
  (words) => `ovs-appctl ovs/route/lookup ${words}`,
);

const COMMANDS = [
  ...[
    '10.1.0.0/24 v0 pkt_mark=5',
    '10.1.0.0/24 v0 10.1.0.3 pkt_mark=5',
    '10.1.0.0/16 v1 10.2.0.5',
    '10.1.0.0/16 v0',
    '10.1.0.1/32 v0',
    'fd00:1::/64 v0',
    'fd00:1::/120 v0 fd00:1::55 pkt_mark=7',
    '0.0.0.0/0 v0 10.1.0.99',
    '::/0 v0 fd00:1::99',
    'fd00:5::/64 nope fd00:1::99',
    '127.0.0.0/8 lo',
    '127.0.0.0/16 lo',
  ].map((words) => `ovs-appctl ovs/route/add ${words}`),
  'ovs-appctl ovs/route/show',
  ...LOOKUPS,
  ...['10.2.0.0/24', '10.1.0.1/32', '10.62.0.0/16', '10.1.0.0/24 pkt_mark=5'].map((words) => `ovs-appctl ovs/route/del ${words}`),
  'ovs-appctl ovs/route/show',
];

/** The host changes; what users have said stands. */
const CHANGES = [
  `ip addr add 10.99.0.1/24 dev v1; ${SETTLE}`,
  `ip addr del 10.1.0.9/24 dev v0; ${SETTLE}`,
  `ip route add default via 10.1.0.254; ${SETTLE}`,
  `ip link set v1 down; ${SETTLE}`,
  `ip link set v0 name v9; ${SETTLE}`,
  `ip link del v9; ${SETTLE}`,
].flatMap((line) => [line, 'ovs-appctl ovs/route/show', ...LOOKUPS]);

test('the routes of the host, and those of users among them', { skip }, async (t) => {
  const hosts = await pair(world(t), []);
  compare(hosts, [...DEVICES, ...ROUTES, SETTLE, 'ovs-appctl ovs/route/show', ...LOOKUPS, ...COMMANDS, ...CHANGES]);
});

test('without the routes of the host', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--disable-system-route']);
  compare(hosts, [...DEVICES, ...ROUTES, SETTLE, 'ovs-appctl ovs/route/show', ...LOOKUPS, ...COMMANDS]);
});

test('the ports that tunnels of netdev share', { skip }, async (t) => {
  const hosts = await pair(world(t), []);
  const tunnel = (bridge: string, name: string, words: string): string =>
    `ovs-vsctl --timeout=10 add-port ${bridge} ${name} -- set interface ${name} ${words}`;
  const show = ['ovs-appctl tnl/ports/show', 'ovs-appctl tnl/ports/show x', 'ovs-appctl tnl/ports/show -v'];
  // The reference's matches stand in the order of a classifier that devices have come to and gone from.
  const sorted = (text: string): string[] => text.split('\n').sort();
  compare(
    hosts,
    [
      ...DEVICES,
      'ip tuntap add tt0 mode tun && ip link set tt0 up && ip addr add 10.8.0.1/24 dev tt0',
      'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev',
      'ovs-vsctl --timeout=10 add-br br1 -- set bridge br1 datapath_type=netdev',
      ...show,
      tunnel('br0', 'vx0', 'type=vxlan options:remote_ip=10.1.0.2'),
      tunnel('br0', 'gre0', 'type=gre options:remote_ip=10.1.0.2'),
      tunnel('br1', 'vx1', 'type=vxlan options:remote_ip=10.1.0.3'),
      tunnel('br1', 'gn0', 'type=geneve options:remote_ip=flow options:key=flow'),
      tunnel('br0', 'vx2', 'type=vxlan options:remote_ip=10.1.0.3 options:dst_port=5000'),
      ...show,
      'ovs-vsctl --timeout=10 set interface vx0 options:dst_port=4790',
      ...show,
      `ip addr del 10.1.0.9/24 dev v0; ${SETTLE}`,
      ...show,
      'ovs-vsctl --timeout=10 del-port vx1',
      ...show,
      'ovs-vsctl --timeout=10 del-br br1',
      ...show,
      `ip link del v0; ${SETTLE}`,
      ...show,
    ],
    sorted,
  );
});

test('neighbours behind a bridge of netdev, by whichever network stack they were found', { skip: cannot('ping') || false }, async (t) => {
  const w = world(t);
  const hosts = await pair(w, []);
  for (const h of hosts) {
    const far = w.host(`far-${h.name}`);
    w.wire(h, 'p0', far, 'eth0');
    far.ok('ip link set eth0 address 02:00:00:00:00:02; ip addr add 10.1.0.2/24 dev eth0');
  }
  const show = 'ovs-appctl tnl/neigh/show';
  const ping = 'ping -c 1 -W 2 10.1.0.2 >/dev/null';
  compare(hosts, [
    'ovs-vsctl --timeout=10 add-br phys -- set bridge phys datapath_type=netdev other_config:hwaddr=02:00:00:00:00:01 -- add-port phys p0',
    'ip addr add 10.1.0.1/24 dev phys && ip link set phys up',
    ping,
    show,
    'ip neigh flush dev phys',
    'ovs-vsctl --timeout=10 add-br int -- set bridge int datapath_type=netdev -- add-port int vx0 -- set interface vx0 type=vxlan options:remote_ip=10.1.0.2',
    `sleep 1; ${ping}; sleep 0.3; ${show}`,
    show.replace('neigh', 'arp'),
  ]);
});

test("packets of netdev's tunnels have source ports of the range that was set", { skip: cannot('tcpdump', 'ping') || false }, async (t) => {
  const w = world(t);
  const [h, peer] = [w.host('h'), w.host('peer')];
  w.wire(h, 'u0', peer, 'u0');
  h.ok('ip addr add 10.1.0.1/24 dev u0 && ip neigh add 10.1.0.2 lladdr 50:54:00:00:00:02 dev u0');
  await h.startOvsdb('weft');
  await h.startVswitchd('weft');
  h.ok('ovs-appctl tnl/egress_port_range 4001 4000');
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev');
  h.ok('ovs-vsctl add-port br0 vx0 -- set interface vx0 type=vxlan options:remote_ip=10.1.0.2');
  const heard = peer.start('tcpdump -lnni u0 udp dst port 4789');
  await eventually('tcpdump listens', () => heard.output().includes('listening'));
  h.ok('ip link set br0 up && ip addr add 192.0.2.1/24 dev br0 && ip neigh add 192.0.2.2 lladdr 50:54:00:00:00:03 dev br0');
  const pings = h.start('ping -i 0.05 192.0.2.2');
  const ports = (): string[] => [...heard.output().matchAll(/10\.1\.0\.1\.(\d+) > /g)].map(([, port]) => port ?? '');
  await eventually('packets', () => ports().length > 3);
  assert.deepEqual([...new Set(ports())], ['4000']);
  h.ok('ovs-appctl tnl/egress_port_range 5000 5001');
  await eventually('packets of the other range', () => ports().at(-1) === '5000');
  await pings.stop();
  await heard.stop();
});
