// `ofproto/trace` and `ofproto/trace-packet-out` by hand: every form of their arguments, and every action that says more than its name, on
// Debian's ovs-vswitchd and on ours.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;

const TCP =
  'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(syn)';
const UDP = '50540000000a50540000000908004500001c00000000401166cf0a0000010a000002000800090008e2fe';

const SETUP = [
  'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure other-config:hwaddr=aa:55:aa:55:00:00',
  'ovs-vsctl --timeout=10 add-port br0 p1 -- set interface p1 type=dummy ofport_request=1',
  'ovs-vsctl --timeout=10 add-port br0 p2 -- set interface p2 type=dummy ofport_request=2',
  'ovs-vsctl --timeout=10 add-br br1 -- set bridge br1 datapath_type=dummy other-config:hwaddr=aa:55:aa:55:00:01',
  'ovs-vsctl --timeout=10 add-port br1 p3 -- set interface p3 type=dummy ofport_request=7',
  'ovs-vsctl --timeout=10 add-port br0 pa -- set interface pa type=patch options:peer=pb ofport_request=10 -- add-port br1 pb -- set interface pb type=patch options:peer=pa ofport_request=11',
];

test('forms of the arguments', { skip }, async (t) => {
  const trace = (...words: string[]): string =>
    `ovs-appctl ofproto/trace ${words.map((word) => (word.startsWith('-') ? word : `'${word}'`)).join(' ')}`;
  const out = (...words: string[]): string => trace(...words).replace('ofproto/trace', 'ofproto/trace-packet-out');
  compare(await pair(world(t), ['--enable-dummy']), [
    ...SETUP,
    "ovs-ofctl add-flow br0 'tcp,in_port=1,actions=ct(commit,table=1),2'",
    "ovs-ofctl add-flow br0 'table=1,actions=p2,local,controller'",
    trace('--names', 'br0', 'in_port=p1,tcp'),
    trace('br0', 'in_port=p1,tcp', '--names'),
    trace('--no-names', 'br0', 'in_port=1,tcp'),
    trace('br0', '--names', 'in_port=1,tcp'),
    trace(TCP),
    trace('dummy@ovs-dummy', TCP),
    trace('ovs-dummy', TCP),
    trace('ovs-dummy', TCP, '-generate'),
    trace(TCP, '--names'),
    trace(TCP, UDP),
    trace('ovs-dummy', TCP, UDP),
    trace('in_port(p1),eth_type(0x1234)'),
    trace('in_port(99),eth_type(0x1234)'),
    trace('in_port(1),skb_mark(5),eth_type(0x1234)'),
    trace('in_port(1),eth_type(0x1234'),
    trace('foo'),
    trace('br0', TCP),
    trace('br0'),
    trace('br0', 'in_port=1,tcp', 'foo', 'bar', 'baz'),
    ...['1234', 'zz', '-generate 123456', '--ct-next', '--ct-next foo', '--foo', '-l7', '--l7-len 5', UDP].map(
      (rest) => `ovs-appctl ofproto/trace br0 in_port=1,tcp ${rest}`,
    ),
    "ovs-appctl ofproto/trace br0 in_port=1,tcp --ct-next 'trk,est' --ct-next 'trk,rel'",
    ...[
      'tcp,in_port=1,vlan_tci=0x1123,dl_vlan=7',
      'dl_vlan=7,dl_vlan=8',
      'in_port=1,ip,ip',
      'in_port=1,tcp,udp',
      'in_port=1,nw_src=1.2.3.4',
      'in_port=1,ip,nw_src=1.2.3.4/24',
      'in_port=1,ip,nw_proto=300',
      'in_port=nope,ip',
      'in_port=1,ip,priority=5',
      'in_port=1,icmp,icmp_type=8,icmp_code=0',
      'in_port=1,icmp6,icmpv6_type=135,nd_target=fe80::1,nd_sll=1:2:3:4:5:6',
      'in_port=1,sctp,sctp_src=5',
      'in_port=1,ip,ip_frag=later',
      'in_port=1,tcp,tcp_flags=+syn-ack',
      'in_port=1,ct_state=new,tcp',
      'in_port=1,ct_state=+new+trk,tcp',
      'in_port=1,reg0=5,metadata=7,pkt_mark=3,xreg1=0x55',
      'in_port=1 tcp',
      'in_port=1, tcp, tcp_dst=80',
      'tun_id=5,tun_src=1.1.1.1,in_port=1',
      'in_port=LOCAL',
      '',
      'in_port=1,mpls,mpls_label=3,mpls_bos=1',
      'in_port=1,arp,arp_spa=1.2.3.4',
      'in_port="p1",arp',
    ].map((flow) => trace('br0', flow)),
    ...['resubmit(,0)', '2,3,normal', 'p2,normal', '', 'drop', 'foo', 'goto_table:3'].map((actions) =>
      out('br0', 'in_port=1,tcp', actions),
    ),
    out('-consistent', 'br0', 'in_port=1', 'dec_ttl,2'),
    out('-consistent', 'br0', 'in_port=1,ip', 'dec_ttl,2'),
    out(TCP, 'resubmit(,0)'),
    out('ovs-dummy', TCP, 'resubmit(,0)'),
    out('br0', 'in_port=1,tcp', '-generate', 'resubmit(,0)'),
    out('br0', 'in_port=1', UDP, 'resubmit(,0)'),
    out('--names', 'br0', 'in_port=1,tcp', '2,3,normal'),
  ]);
});

test('what actions say', { skip }, async (t) => {
  const traced = (actions: string, port: string | number = 1): string[] => [
    `ovs-ofctl -O OpenFlow14 del-flows br0; ovs-ofctl -O OpenFlow14 add-flow br0 'ip,actions=${actions}'`,
    `ovs-appctl ofproto/trace br0 in_port=${port},dl_src=2:2:2:2:2:2,dl_dst=3:3:3:3:3:3,tcp,nw_src=1.2.3.4,tcp_src=5`,
  ];
  compare(await pair(world(t), ['--enable-dummy']), [
    ...SETUP,
    ...['in_port', '1', '10', '99', 'local', 'table', 'normal'].flatMap((port) => traced(`output(port=${port},max_len=64)`)),
    ...traced('output(port=local,max_len=64)', 'LOCAL'),
    ...traced('output(port=in_port,max_len=64)', 10),
    ...['0xffff', '0xfffe', '0xfffffffe', '1', '10'].flatMap((value) => traced(`load:${value}->NXM_NX_REG0[],output:NXM_NX_REG0[]`)),
    ...[
      'push:NXM_NX_REG0[],pop:NXM_NX_REG1[]',
      'push:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[]',
      'push:NXM_OF_ETH_SRC[0..7],pop:NXM_OF_ETH_DST[8..15]',
      'pop:NXM_OF_ETH_DST[8..15]',
      'bundle_load(symmetric_l4,50,hrw,ofport,NXM_NX_REG1[0..15],members:1,2,9)',
      'multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG1[0..15])',
      'bundle(symmetric_l4,50,hrw,ofport,members:1,10,9)',
      'dec_ttl,10',
      'dec_ttl(1),10',
      'enqueue:1:5',
      'enqueue:10:5',
      '1,in_port,2,99,10',
      'group:77',
      'push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,10',
      'set_field:1->tun_id,set_tunnel:5,set_field:1.1.1.1->tun_dst,move:NXM_NX_TUN_ID[0..31]->NXM_NX_REG0[]',
      'set_field:1.1.1.1->tun_dst,set_field:7->tun_gbp_id,set_field:fe80::1->tun_ipv6_src',
      'set_field:fe80::1->tun_ipv6_dst',
      'check_pkt_larger(100)->NXM_NX_REG0[0],10',
      'write_actions(group:10),clear_actions',
      'clone(10),note:1.2.3',
    ].flatMap((actions) => traced(actions)),
  ]);
});

test('tables that go on to the next one where nothing matches', { skip }, async (t) => {
  const asked = ['ovs-appctl ofproto/trace br0 in_port=1,ip', "ovs-ofctl dump-flows br0 | sed -E 's/(duration|idle_age)=[^,]*,//g'"];
  const after = (flow: string): string[] => [`ovs-ofctl -O OpenFlow13 add-flow br0 '${flow}'`, ...asked];
  compare(await pair(world(t), ['--enable-dummy']), [
    ...SETUP,
    'ovs-vsctl set bridge br0 protocols=OpenFlow10,OpenFlow11,OpenFlow13',
    ...[0, 1, 3].map((table) => `ovs-ofctl -O OpenFlow11 mod-table br0 ${table} continue`),
    ...asked,
    ...after('table=2,cookie=3,actions=2'),
    ...after('table=0,actions=resubmit(,1),2'),
    ...after('table=0,actions=resubmit(,3),2'),
    ...after('table=0,actions=1,goto_table:1'),
    ...after('table=0,actions=1,goto_table:3'),
    ...after('table=0,actions=write_actions(output:2),goto_table:3'),
    ...after('table=4,actions=goto_table:5'),
    'ovs-ofctl -O OpenFlow11 mod-table br0 5 controller',
    ...asked,
  ]);
});

test('what ends a clone, and a walk with an action set', { skip }, async (t) => {
  compare(await pair(world(t), ['--enable-dummy']), [
    ...SETUP,
    "ovs-ofctl -O OpenFlow10 add-flow br0 'in_port=1,actions=clone(2,exit),2'",
    'ovs-appctl ofproto/trace br0 in_port=1',
    "ovs-ofctl add-flow br0 'table=0,in_port=2,actions=write_actions(output:1),goto_table:2'",
    "ovs-ofctl add-flow br0 'table=2,actions=exit'",
    'ovs-appctl ofproto/trace br0 in_port=2',
  ]);
});
