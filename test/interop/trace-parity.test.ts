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

/** Ports whose names mean something else, or hold more than ASCII. */
const NAMES = ['LOCAL', 'none', '-x', '-1', '*', 'é', '1', '"q', 'a b', 'xxxxxxxxxxxxxxx'];

test('names of ports', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const steady = (text: string): string => text.replace(/aa:55:aa:55:00:\S\S|duration=[^,]*|xid=\S*|^\S*\|0000\d\|/gm, '');
  compare(hosts, ['ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 other-config:hwaddr=aa:55:aa:55:00:00']);
  for (const name of NAMES) {
    compare(hosts, [`ovs-vsctl --timeout=10 add-port br0 '${name}'`]);
    const lines = ['show br0', `mod-port br0 '${name}' down`, '--names dump-ports br0', '--names dump-flows br0'];
    const both = [name, `"${name}"`].map((port) => `add-flow br0 'in_port=${port},actions=output:${port}'`);
    for (const withOwn of [false, true]) {
      for (const line of [...both, ...lines]) compare(hosts, [`ovs-ofctl ${line}`], steady, withOwn);
    }
    compare(
      hosts,
      [name, `"${name}"`].map((port) => `ovs-appctl ofproto/trace br0 'in_port=${port}'`),
    );
    compare(hosts, [CLEAR]);
  }
});

const ETHERNET = '505400000001505400000002';
/** Frames that end early, or hold what few do. */
const FRAMES: readonly string[] = [
  `${ETHERNET}810000050020424203${'00'.repeat(40)}`,
  `${ETHERNET}81000005`,
  `${ETHERNET}88a810058100`,
  `${ETHERNET}810010050010aaaa03000001080000${'00'.repeat(40)}`,
  `${ETHERNET}88470000`,
  `${ETHERNET}8847${'00000000'.repeat(4)}`,
  `${ETHERNET}894f0fc60103000001ff${'11'.repeat(60)}`,
  `${ETHERNET}894f0fc20203000001ff${'11'.repeat(60)}`,
  `${ETHERNET}894f0fc2`,
  `${ETHERNET}80350001080006040003${'5054000000010a0000015054000000020a000002'}`,
  `${ETHERNET}86dd6000000000183afffe80${'00'.repeat(13)}01ff02${'00'.repeat(13)}018700000000000000fe80${'00'.repeat(13)}05`,
];

test('datapath flows of odd frames', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [SETUP]);
  for (const flow of [
    'actions=2',
    'icmp6,icmp_type=128,actions=2',
    'mpls,mpls_label=5,actions=2',
    'dl_type=0x894f,nsh_mdtype=1,nsh_c1=5,actions=2',
  ]) {
    compare(hosts, [add(flow)]);
    for (const frame of FRAMES) {
      const wait = 'for i in $(seq 100); do ovs-appctl dpctl/dump-flows | grep -q actions && break; sleep 0.05; done';
      compare(hosts, [
        `ovs-appctl revalidator/purge; ovs-appctl netdev-dummy/receive p1 ${frame}; ${wait}`,
        ...['', '-m'].map((option) => `ovs-appctl dpctl/dump-flows ${option} | sed "s/ufid:[^ ]* //; s/, packets:.*actions:/ actions:/"`),
      ]);
    }
  }
});

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

/** Options of tunnels with places of every kind: none, 4 bytes, 8 bytes, and 4 bytes behind another. */
const OPTION_MAPS: readonly string[] = [
  '',
  '{class=0xffff,type=0,len=4}->tun_metadata0',
  '{class=0xffff,type=0,len=8}->tun_metadata0',
  '{class=0xffff,type=1,len=8}->tun_metadata1,{class=0xffff,type=0,len=4}->tun_metadata0',
];
const OPTION_ACTIONS: readonly string[] = [
  'set_field:0x1234567890->tun_metadata0',
  'set_field:0x1200000034/0xff000000ff->tun_metadata0',
  'set_field:0x99->tun_metadata0,move:tun_metadata0[0..63]->xreg3[]',
  'load:0xabcd->reg5[],move:reg5[]->tun_metadata0[16..47]',
  'set_field:0x99->tun_metadata0,delete_field:tun_metadata0',
  'set_field:1->tun_metadata1',
];
const TO_TUNNEL = 'set_field:1.1.2.92->tun_dst';
/** What only lists that are no bucket's do. */
const LISTED_ACTIONS: readonly string[] = [
  'load:0xabcd->reg5[],push:reg5[],pop:tun_metadata0[28..39]',
  'set_field:2->tun_metadata0,output:tun_metadata0[0..15]',
  'multipath(symmetric_l4,1024,modulo_n,16,0,tun_metadata0[20..40])',
  'set_field:0x99->tun_metadata0,clone(set_field:0x77->tun_metadata0,resubmit(,1))',
];

test('fields of options, named before they have a place, while they have one and afterwards', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const run = (...lines: string[]): void =>
    compare(hosts, lines, (text) => text.replace(/duration=\S+ |idle_age=\S+ |xid=\S*|^\S*\|0000\d\|/gm, '').trimEnd());
  const map = (maps: string): void => {
    run('ovs-ofctl del-flows br0 table=1', 'ovs-ofctl del-flows br0 table=5', 'ovs-ofctl del-tlv-map br0');
    if (maps !== '') run(`ovs-ofctl add-tlv-map br0 '${maps}'`);
    run(add(`table=1,actions=${maps === '' ? '' : 'move:tun_metadata0[0..31]->reg0[],'}2`));
  };
  const groups = OPTION_ACTIONS.flatMap((actions) => [`${actions},${TO_TUNNEL},resubmit(,1)`, `${actions},${TO_TUNNEL},output:3`]);
  run(
    `${SETUP} -- add-port br0 gv -- set interface gv type=geneve ofport_request=3 options:remote_ip=flow options:key=flow`,
    'ovs-appctl netdev-dummy/ip4addr br0 1.1.2.88/24',
    'ovs-appctl ovs/route/add 1.1.2.0/24 br0',
    'ovs-appctl tnl/arp/set br0 1.1.2.92 aa:aa:aa:aa:aa:aa',
  );
  for (const before of OPTION_MAPS) {
    run('ovs-ofctl del-flows br0', 'ovs-ofctl -O OpenFlow15 del-groups br0');
    map(before);
    groups.forEach((actions, i) => {
      run(`ovs-ofctl -O OpenFlow15 add-group br0 'group_id=${i},type=all,bucket=actions=${actions}'`, add(`reg7=${i},actions=group:${i}`));
    });
    for (const after of OPTION_MAPS) {
      map(after);
      run('ovs-ofctl -O OpenFlow15 dump-groups br0 | sort', ...groups.map((_, i) => trace(`udp,reg7=${i}`)));
    }
  }
  for (const maps of OPTION_MAPS) {
    map(maps);
    for (const actions of [...OPTION_ACTIONS, ...LISTED_ACTIONS])
      run(`ovs-appctl ofproto/trace-packet-out br0 in_port=1,udp '${actions},${TO_TUNNEL},resubmit(,1),output:3'`);
    const learn = 'set_field:0x99->tun_metadata0,learn(table=5,tun_metadata0[0..15],load:tun_metadata0[0..7]->reg1[0..7])';
    run(
      `ovs-ofctl packet-out br0 'in_port=1 packet=${FRAMES[0]} actions=${learn}'`,
      'ovs-ofctl -O OpenFlow15 dump-flows br0 table=5',
      'ovs-ofctl del-tlv-map br0',
      'ovs-ofctl dump-tlv-map br0',
    );
  }
  map('{class=0xffff,type=1,len=4}->tun_metadata1,{class=0xffff,type=2,len=8}->tun_metadata0');
  run(
    ...['tun_metadata0=5,actions=set_field:7->tun_metadata1,2', 'tun_metadata0=6/0xff,actions=delete_field:tun_metadata0,2'].map(add),
    ...['0=5', '0=6', '1=9', '0=6,tun_metadata1=9', '2=8'].map(
      (rest) => `ovs-appctl ofproto/trace br0 in_port=3,tun_dst=1.1.1.1,tun_metadata${rest}`,
    ),
  );
});
