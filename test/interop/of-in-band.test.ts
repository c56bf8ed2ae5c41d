// In-band control's hidden flows, what they do to frames, and how much of headers megaflows read where the reference reads more or less
// than the change needs.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl') || false;

const vsctl = 'ovs-vsctl --timeout=10';
const hidden = 'ovs-appctl bridge/dump-flows br0 | sed "s/duration=[0-9]*s/D/" | sort';
const trace = (flow: string): string =>
  `ovs-appctl ofproto/trace br0 ${flow} | sed -n '/^ *[0-9]*\\. \\|Megaflow\\|actions:/p' | sed -E 's/2,(100|1)$/\\1,2/'`;
const forEach = (command: string): string => `for i in $(${vsctl} --bare -- --columns=_uuid list controller); do ${command}; done`;

test('hidden flows of in-band control, and masks of changed headers: the same as the reference', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [
    `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00 -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2`,
    `${vsctl} set-manager tcp:1.2.3.4:6641 ptcp:7777 ssl:1.2.3.5; ${hidden}`,
    `${vsctl} set-controller br0 tcp:127.0.0.1:6653 tcp:10.1.2.3 ssl:10.2.2.2:55 ptcp:7778 "tcp:[::1]:1" unix:$OVS_RUNDIR/x; ${hidden}`,
    'ovs-appctl bridge/dump-flows --offload-stats br0 | grep -c n_offload_bytes=0; ovs-appctl bridge/dump-flows br0 --offload-stats',
    `${vsctl} set bridge br0 other_config:in-band-queue=7; ${hidden}`,
    `${vsctl} set bridge br0 other_config:in-band-queue=foo; ${hidden}`,
    forEach(`${vsctl} set controller $i connection_mode=out-of-band`),
    hidden,
    `${vsctl} del-manager; ${hidden}`,
    forEach(`${vsctl} set controller $i connection_mode=in-band`),
    `${hidden} | wc -l; ovs-ofctl dump-aggregate br0; ovs-ofctl --no-stats dump-flows br0 table=254`,
    `${vsctl} set bridge br0 other_config:disable-in-band=true; ${hidden}`,
    `${vsctl} set bridge br0 other_config:hwaddr=aa:55:aa:55:00:77 other_config:disable-in-band=false; ${hidden}`,
    `${vsctl} set-controller br0 tcp:127.0.0.1:6653`,
    'ovs-ofctl add-flow br0 priority=5,udp,actions=2; ovs-ofctl add-flow br0 priority=4,actions=normal',
    ...[
      'in_port=1,udp,udp_src=67,udp_dst=68',
      'in_port=1,udp,udp_src=1,udp_dst=69',
      'in_port=1,tcp,nw_src=127.0.0.1,tcp_src=6653',
      'in_port=1,tcp,nw_src=127.0.0.1,tcp_src=6654',
      'in_port=1,arp,arp_op=2,dl_dst=aa:55:aa:55:00:77',
      'in_port=LOCAL,udp,dl_src=aa:55:aa:55:00:77,udp_src=68,udp_dst=67',
    ].map(trace),
    'ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 actions=drop',
    trace('in_port=1,udp,udp_src=67,udp_dst=68'),
    `ovs-ofctl add-flow br0 actions=local; ${trace('in_port=1,udp,udp_src=67,udp_dst=68')}`,
    `${vsctl} del-controller br0; ${hidden}`,
  ]);
  const set = (flow: string): string => `ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 '${flow},in_port'`;
  compare(hosts, [
    'ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 actions=normal',
    ...[0, 1, 2].flatMap((op) => ['aa:55:aa:55:00:77', 'ff:ff:ff:ff:ff:ff'].map((to) => trace(`in_port=1,arp,arp_op=${op},dl_dst=${to}`))),
    trace('in_port=1,tcp,ip_frag=later'),
    'ovs-appctl ofproto/trace br0 in_port=1,tcp,ip_frag=later,tcp_src=5',
    set('icmp,actions=set_field:2->icmp_type'),
    trace('in_port=1,icmp,icmp_type=8,icmp_code=3'),
    set('icmp,actions=set_field:2->icmp_code'),
    trace('in_port=1,icmp,icmp_type=8,icmp_code=3'),
    set('icmp6,actions=set_field:2->icmpv6_code'),
    trace('in_port=1,icmp6,icmpv6_type=8,icmpv6_code=3'),
    ...['set_field:1.2.3.4->arp_spa', 'set_field:2->arp_op', 'set_field:1:2:3:4:5:6->arp_tha'].flatMap((change) => [
      set(`arp,actions=${change}`),
      trace('in_port=1,arp,arp_op=1'),
    ]),
  ]);
  const text = (flow: string): string => `ovs-ofctl parse-flow '${flow}' 2>&1 | cut -d"|" -f2-`;
  compare(
    hosts,
    [
      'tcp,ip_frag=later,tcp_src=5,actions=1',
      'udp6,ip_frag=later,udp_src=5,actions=1',
      'sctp,ip_frag=first,sctp_src=5,actions=1',
      'icmp,ip_frag=later,icmp_type=3,actions=1',
      'tcp,ip_frag=later,actions=set_field:3->tcp_src',
      'tcp,ip_frag=later,actions=learn(NXM_OF_TCP_SRC[])',
      'actions=learn(load:7->NXM_NX_REG0[0..1])',
      'arp,actions=load:2->NXM_OF_ARP_OP[],move:NXM_OF_ARP_OP[]->NXM_NX_REG0[0..15],set_field:2->arp_op',
      'arp,actions=learn(eth_type=0x806,arp_op=1,load:2->NXM_OF_ARP_OP[],NXM_OF_ARP_OP[])',
    ].map(text),
    undefined,
    true,
  );
});

test('what the simulated datapath leaves to the switch, and what learning says in a trace', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const flow = 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)';
  const ip = (proto: number): string => `eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=${proto},tos=0,ttl=64,frag=no)`;
  const frames = [
    `${flow},${ip(1)},icmp(type=8,code=3)`,
    `${flow},${ip(6)},tcp(src=8,dst=9)`,
    `${flow},eth_type(0x0806),arp(sip=1.2.3.4,tip=1.2.3.5,op=1,sha=50:54:00:00:00:05,tha=00:00:00:00:00:00)`,
  ];
  compare(hosts, [
    `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00 -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2 options:tx_pcap=$OVS_RUNDIR/p2.pcap`,
    "ovs-ofctl add-flow br0 'icmp,actions=set_field:2->icmp_type,2'; ovs-ofctl add-flow br0 'tcp,actions=debug_slow,2'",
    "ovs-ofctl add-flow br0 'arp,actions=set_field:2->arp_op,2'",
    ...frames.flatMap((frame) => [
      `ovs-appctl ofproto/trace ovs-dummy '${frame}' || ovs-appctl ofproto/trace system@ovs-system '${frame}'`,
      `for i in 1 2 3; do ovs-appctl netdev-dummy/receive p1 '${frame}'; done; sleep 0.5`,
      'ovs-appctl dpctl/dump-flows -m | sed "s/ufid:[^,]*/U/; s/used:[0-9.]*s/used/" | sort; ovs-appctl dpctl/del-flows',
    ]),
    'ovs-pcap $OVS_RUNDIR/p2.pcap',
    ...[
      'learn(table=3,idle_timeout=5,hard_timeout=7,priority=5,cookie=0x9,send_flow_rem,fin_idle_timeout=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:1->NXM_NX_REG0[],output:NXM_OF_IN_PORT[])',
      'learn(table=3,cookie=0x9,limit=1,result_dst=reg0[0],eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[],load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]),2',
      'learn(table=3,eth_type=0x800,load:6->NXM_OF_IP_TOS[]),resubmit(,3)',
    ].flatMap((learn) => [
      `ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 'tcp,actions=${learn}'`,
      ...[5, 6].map((port) => `ovs-appctl ofproto/trace br0 in_port=1,tcp,tcp_src=${port} -generate`),
      'ovs-ofctl --no-stats dump-flows br0 table=3 2>&1 | cut -d"|" -f2-; ovs-ofctl -O OpenFlow13 --no-stats dump-flows br0 table=3 2>&1 | cut -d"|" -f2-',
    ]),
  ]);
});
