// What programs by chance brought to light: which flows are taken, and what a trace says of the set of actions, of the frame and of what
// was read of it, on Debian's ovs-vswitchd and on ours.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;

const SETUP =
  'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 fail-mode=secure other-config:hwaddr=aa:55:aa:55:00:00' +
  ' -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2';
const CLEAR = 'ovs-ofctl del-flows br0';
const add = (flow: string): string => `ovs-ofctl -O OpenFlow15 add-flow br0 "${flow}" 2>&1 | sed "s/xid=0x[0-9a-f]*//; s/^[0-9TZ:-]*|//"`;
const trace = (flow: string): string => `ovs-appctl ofproto/trace br0 in_port=LOCAL,${flow}`;
const PACKETS =
  'tcp tcp,tcp_flags=+syn udp icmp,icmp_type=8 sctp ip,nw_proto=2 ip,nw_proto=89 tcp6 udp6 icmp6,icmpv6_type=135 icmp6,icmpv6_type=135,nd_target=fe80::1 ' +
  'arp,arp_op=1 dl_type=0x1234 ip,nw_proto=6,ip_frag=later sctp,ip_frag=later icmp,ip_frag=later,icmp_type=8 icmp,ip_frag=first,icmp_type=8 dl_vlan=5,udp ipv6,nw_proto=50';
const PROGRAMS: readonly (readonly string[])[] = [
  // Neighbour discovery, ARP's hardware addresses and TCP flags are read last, with the ports.
  ['arp,arp_op=0,arp_sha=00:00:00:00:00:01,actions=2', 'tcp,nw_dst=1.2.3.4,tcp_flags=+ack,tcp_dst=7,nw_ttl=5,actions=2'],
  ['icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=::5,actions=2', 'icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=::6,actions=1'],
  ['tcp,tcp_src=7,tcp_flags=+syn-ack,actions=2', 'tcp,nw_tos=32,nw_ttl=0,tcp_flags=+fin,actions=1'],
  ['icmp,icmp_type=8,icmp_code=1,actions=2', 'sctp,sctp_dst=7,actions=1'],
  ...['hrw,ofport,members:2', 'hrw,ofport,members:9', 'active_backup,ofport,members:2'].map((rest) => [
    `actions=bundle(symmetric_l4,5,${rest})`,
  ]),
  ['actions=multipath(symmetric_l4,1,hrw,4,0,NXM_NX_REG0[0..3])'],
  ...['symmetric_l3', 'symmetric_l3l4'].map((fields) => [`ip,actions=multipath(${fields},22,modulo_n,64,0,NXM_NX_REG0[0..7])`]),
  // A prefix that was read anyway says that no flow to 224.0.0.0/16 applies.
  ['tcp,nw_dst=0.0.0.0,nw_src=1.2.3.4,tcp_dst=7,priority=9,actions=1', 'udp,nw_dst=224.0.0.0/16,nw_ecn=2,udp_src=67,priority=5,actions=2'],
  ['recirc_id=0,priority=7,actset_output=0,actions=2', 'actions=1'],
];
const SETS: readonly string[] = [
  'pop_vlan',
  'set_field:5->tcp_dst',
  'dec_ttl',
  'output:1',
  'dec_ttl,output:1',
  'resubmit(,4)',
  'ct(commit)',
  'set_field:5->ip_dscp,set_field:6->ip_dscp,output:1',
];

test('programs that differed', { skip }, async (t) => {
  compare(await pair(world(t), ['--enable-dummy=override']), [
    SETUP,
    ...PROGRAMS.flatMap((program) => [CLEAR, ...program.map(add), ...PACKETS.split(' ').map(trace)]),
    CLEAR,
    add('table=2,tcp,actions=write_actions(set_field:7->tcp_src)'),
    ...SETS.flatMap((set) => [add(`tcp,actions=write_actions(${set}),goto_table:2`), trace('tcp')]),
    CLEAR,
    ...[
      'recirc_id=0,actions=2',
      'recirc_id=5,actions=2',
      'dp_hash=0,actions=2',
      'actions=clone(delete_field:tun_metadata0)',
      'ip,actions=ct(exec(set_field:2->ct_mark))',
      'ip,actions=ct(nat,exec(set_field:2->ct_mark))',
      'ip,actions=ct(alg=ftp)',
      'ip,actions=ct(nat)',
      'ipv6,actions=ct(commit,nat(src=10.0.0.1))',
      'ipv6,actions=ct(commit,zone=NXM_NX_REG0[0..15],nat(src=10.0.0.1))',
    ].map(add),
    'ovs-ofctl dump-flows br0 | sed "s/duration=[^,]*, //; s/idle_age=[^,]*, //"',
  ]);
});
