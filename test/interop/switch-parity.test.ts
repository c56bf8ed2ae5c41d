// Command lines on Debian's ovs-vswitchd and ours over dummy datapaths: fragments, refused controllers, ports that receive nothing, the
// last table's features, what megaflows read of a VLAN tag.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl') || false;
const ETHERNET = 'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)';
const IPV4 = 'ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)';

test('the same as the reference for the same command lines', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const receive = (frame: string): string => `ovs-appctl netdev-dummy/receive p1 'in_port(1),${ETHERNET},${frame}'`;
  const trace = (flow: string): string => `ovs-appctl ofproto/trace br0 ${flow}`;
  compare(hosts, [
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00' +
      ' -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2',
    'ovs-ofctl add-flow br0 tcp,tcp_dst=80,priority=19,in_port=2,actions=1',
    ...['normal', 'drop', 'nx-match'].flatMap((mode) => [
      `ovs-ofctl set-frags br0 ${mode}`,
      trace('in_port=2,tcp,ip_frag=first,tcp_dst=80'),
    ]),
    'ovs-ofctl set-frags br0 normal',
    'ovs-ofctl mod-port br0 p1 no-receive',
    trace('in_port=1'),
    'ovs-ofctl add-flow br0 tcp,priority=9,in_port=1,actions=2',
    trace('in_port=1,tcp'),
    'ovs-ofctl mod-port br0 p1 receive',
    'ovs-ofctl del-flows br0',
    'ovs-ofctl add-flow br0 actions=2',
    ...[5, 0].map((vid) => receive(`eth_type(0x8100),vlan(vid=${vid},pcp=3),encap(eth_type(0x0800),${IPV4})`)),
    receive('eth_type(0x8100),vlan(vid=6,pcp=0),encap(eth_type(0x1234))'),
    'sleep 0.3; ovs-appctl dpctl/dump-flows | sed "s/, packets.*actions/ actions/" | sort',
  ]);
  for (const version of [13, 14, 15]) compare(hosts, [`ovs-ofctl -O OpenFlow${version} dump-table-features br0 | grep -A9 "table 253"`]);
  // Customer VLANs in a tunnel's VLAN, and ports that keep priority tags; the station is known, so that one port alone is sent to.
  const set = (p1: string, p2: string): string =>
    `ovs-vsctl --timeout=10 clear port p1 tag cvlans vlan_mode other_config -- clear port p2 tag cvlans vlan_mode other_config -- set port p1 vlan_mode=${p1} -- set port p2 vlan_mode=${p2}; ovs-appctl fdb/add br0 p2 5 50:54:00:00:00:0a`;
  compare(hosts, [
    'ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 actions=normal',
    ...[
      set('dot1q-tunnel tag=5', 'trunk'),
      set('dot1q-tunnel tag=5 cvlans=0,7', 'dot1q-tunnel tag=5'),
      set('trunk', 'access tag=5 other_config:priority-tags=always'),
      set('access tag=5', 'access tag=5 other_config:priority-tags=always'),
    ].flatMap((change) => [
      change,
      ...['vlan_tci=0', 'dl_vlan=5,dl_vlan_pcp=2', 'dl_vlan=7'].map(
        (tag) =>
          `${trace(`in_port=1,${tag},dl_src=50:54:00:00:00:09,dl_dst=50:54:00:00:00:0a`)} | grep -e dropping -e Megaflow -e actions: | grep -v 100`,
      ),
    ]),
  ]);
  const refused = (target: string): string =>
    `ovs-vsctl --timeout=10 set-controller br0 ${target}; sleep 0.3; ovs-vsctl del-controller br0; grep -o "bridge|ERR|.*" "$OVS_LOGDIR"/ovs-vswitchd.log`;
  compare(hosts, [refused('punix:$OVS_RUNDIR/x.sock'), refused('unix:/etc/passwd')]);
});
