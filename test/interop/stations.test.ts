// Stations that are put by hand: Debian's ovs-vswitchd and ours, side by side, over dummy ports.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;

const add = (vlan: string, end: string, port = 'p1'): string => `ovs-appctl fdb/add br0 ${port} '${vlan}' 50:54:00:00:00:${end}`;
const receive = (port: number, end: string): string =>
  `ovs-appctl netdev-dummy/receive p${port} 'in_port(${port}),eth(src=50:54:00:00:00:${end},dst=50:54:00:00:00:0a),eth_type(0x1234)'`;
const trace = (port: number, src: string, dst: string): string =>
  `ovs-appctl ofproto/trace br0 in_port=${port},dl_src=50:54:00:00:00:${src},dl_dst=50:54:00:00:00:${dst}`;
const show = 'ovs-appctl fdb/show br0 | grep -v "[0-9]$"';
const statistics = 'ovs-appctl fdb/stats-show br0';

const odd = ['4095', 'x', '-1', '70000', '5x', '', '0x10', '010', ' 7', '99999999999', '99999999999999999999'];
const lines = [
  ...odd.map((vlan, i) => add(vlan, String(10 + i))),
  'ovs-appctl fdb/add br0 p1 7 505400000009',
  'ovs-appctl fdb/add br0 p1 0 01:54:00:00:00:56',
  ...['px', '1', 'br0'].map((port) => add('7', '08', port)),
  ...[show, statistics],
  // What stands there already.
  ...[receive(2, '77'), add('0', '77', 'p2'), add('0', '77', 'p2'), add('0', '77'), statistics],
  ...[receive(2, '77'), trace(2, '77', '0b'), trace(2, '78', '77'), show],
  // A VLAN without learning.
  ...['ovs-vsctl set bridge br0 flood_vlans=7', add('7', '19', 'p2'), 'ovs-appctl fdb/del br0 7 50:54:00:00:00:19'],
  ...['ovs-vsctl clear bridge br0 flood_vlans', 'ovs-appctl fdb/del br0 7 50:54:00:00:00:19', 'ovs-appctl fdb/del br0 x junk'],
  ...[receive(2, '78'), 'ovs-appctl fdb/del br0 0 50:54:00:00:00:78'],
  // What stays.
  ...['ovs-appctl fdb/flush br0', show, 'ovs-vsctl del-port p1', show, statistics],
];

test('stations put by hand are as in the reference', { skip }, async (t) => {
  const both = await pair(world(t), ['--enable-dummy=override']);
  const port = (n: number): string => `-- add-port br0 p${n} -- set interface p${n} type=dummy ofport_request=${n}`;
  compare(both, [`ovs-vsctl add-br br0 -- set bridge br0 other-config:hwaddr=aa:55:aa:55:00:00 ${port(1)} ${port(2)}`]);
  compare(both, lines, (text) => text.replace(/^Datapath actions: .*$/gm, (found) => found.split(/[ ,]/).sort().join(' ')));
});

test('control commands that are not listed answer as in the reference', { skip }, async (t) => {
  const both = await pair(world(t), ['--enable-dummy=override']);
  const bond = 'ovs-vsctl add-bond br0 bond0 b1 b2 -- set interface b1 type=dummy -- set interface b2 type=dummy';
  compare(both, [
    `ovs-vsctl add-br br0 -- add-port br0 p1 -- set interface p1 type=dummy -- ${bond.slice('ovs-vsctl '.length)}`,
    ...['enable-slave bond0 b1', 'disable-slave bond0 b1', 'disable-slave bond0', 'enable-slave bond0 bx', 'set-active-slave bond9 b1'].map(
      (words) => `ovs-appctl bond/${words}`,
    ),
    ...['revalidator/pause', 'revalidator/pause x', 'revalidator/resume', 'dpif-netdev/subtable-lookup-prio-get', 'echo x', 'cancel'].map(
      (words) => `ovs-appctl ${words}`,
    ),
  ]);
});
