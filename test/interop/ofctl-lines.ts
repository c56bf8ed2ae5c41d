// The command lines that test/interop/ofctl-live.test.ts gives to ovs-ofctl, in sections: each begins with an empty switch.

const both = (line: string): string[] => [`ovs-ofctl ${line}`, `ovs-ofctl -OOpenFlow13 ${line}`];
const all = (line: string): string[] => [
  `ovs-ofctl ${line}`,
  ...['OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'].map((version) => `ovs-ofctl -O${version} ${line}`),
];

const frame = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';

const matches = [
  '',
  'in_port=1',
  'in_port=p2',
  'in_port=LOCAL',
  'dl_src=50:54:00:00:00:01',
  'dl_dst=50:54:00:00:00:02',
  'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00',
  'dl_type=0x88cc',
  'dl_vlan=5',
  'dl_vlan=0xffff',
  'dl_vlan=5,dl_vlan_pcp=3',
  'vlan_tci=0x1000/0x1000',
  'arp',
  'arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/8',
  'arp,arp_sha=50:54:00:00:00:01,arp_tha=50:54:00:00:00:02',
  'rarp',
  'ip',
  'ip,nw_src=10.0.0.1',
  'ip,nw_dst=10.0.0.0/8',
  'ip,nw_proto=47',
  'ip,nw_tos=32',
  'ip,nw_ecn=1',
  'ip,nw_ttl=64',
  'ip,nw_frag=yes',
  'tcp',
  'tcp,tp_dst=80',
  'tcp,nw_src=192.168.2.1,tp_src=80',
  'tcp,tcp_flags=+syn-ack',
  'tcp,tp_src=0x0/0xffc0',
  'udp,tp_dst=53',
  'sctp,tp_dst=9',
  'icmp',
  'icmp,icmp_type=8,icmp_code=0',
  'ipv6',
  'ipv6,ipv6_src=2001:db8::/32,ipv6_dst=::1',
  'ipv6,ipv6_label=5',
  'tcp6,tp_dst=22',
  'udp6',
  'sctp6',
  'icmp6,icmp_type=135,nd_target=fe80::1',
  'mpls,mpls_label=5,mpls_bos=1',
  'tun_id=5',
  'metadata=7',
  'reg0=5,reg1=0x10/0xf0',
  'ct_state=+trk+est',
  'pkt_mark=3',
];

/** Actions of OpenFlow 1.0 and of 1.3 alone. */
const actions10 = ['goto_table:1', 'mod_vlan_vid:5,NORMAL', 'mod_vlan_pcp:3,2', 'strip_vlan,2', 'enqueue:2:1'];
const actions13 = [
  'goto_table:1',
  'push_vlan:0x8100,set_field:4101->vlan_vid,2',
  'write_metadata:5,goto_table:2',
  'write_actions(output:2)',
  'clear_actions,2',
];

const actions = [
  'drop',
  'output:2',
  '2',
  'p2',
  'output:p3',
  'NORMAL',
  'FLOOD',
  'ALL',
  'LOCAL',
  'IN_PORT',
  'CONTROLLER',
  'controller:64',
  'controller(max_len=128,reason=no_match)',
  'resubmit:2',
  'resubmit(,1)',
  'resubmit(1,2)',
  'pop_vlan,2',
  'mod_dl_src:50:54:00:00:00:05,2',
  'mod_dl_dst:50:54:00:00:00:06,2',
  'set_field:50:54:00:00:00:07->eth_dst,2',
  'set_field:5->tun_id,2',
  'load:5->NXM_NX_REG0[],2',
  'load:5->reg0[0..15],2',
  'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],2',
  'set_queue:3,2,pop_queue',
  'set_tunnel:5,2',
  'dec_ttl,2',
  'note:00.11.22,2',
  'learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
  'bundle(eth_src,50,hrw,ofport,members:1,2)',
  'multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])',
  'exit',
  'ct(commit,table=1)',
  'output:NXM_NX_REG0[]',
  'output(port=2,max_len=100)',
];
const ipActions = [
  'mod_nw_src:10.0.0.9,2',
  'mod_nw_dst:10.0.0.8,2',
  'mod_nw_tos:32,2',
  'mod_nw_ttl:9,2',
  'set_field:10.0.0.7->ip_dst,2',
  'dec_ttl(1,2),2',
];
const tcpActions = ['mod_tp_src:25,2', 'mod_tp_dst:80,2', 'set_field:25->tcp_dst,2'];

/** Adds all of these flows in one go (each with a priority of its own) and shows them, for a version. */
const shown = (flows: readonly string[], versions = ['OpenFlow10', 'OpenFlow13']): string[] =>
  versions.flatMap((version) => [
    `ovs-ofctl -O${version} add-flows br0 - <<'END'\n${flows.map((flow, i) => `priority=${1000 - i},${flow}`).join('\n')}\nEND`,
    `ovs-ofctl -O${version} dump-flows br0`,
    'ovs-ofctl -OOpenFlow15 --no-stats dump-flows br0',
    'ovs-ofctl --names --no-stats dump-flows br0',
    'ovs-ofctl del-flows br0',
  ]);

/** A file for a command, as its standard input. */
const fed = (command: string, ...lines: string[]): string => `ovs-ofctl ${command} - <<'END'\n${lines.join('\n')}\nEND`;
const shownPlain = 'ovs-ofctl -OOpenFlow14 --no-stats dump-flows br0';
const twoFlows = ['in_port=1,actions=2', 'table=1,priority=7,tcp,tp_dst=80,actions=drop'];

const control: readonly string[] = [
  'ovs-ofctl dump-table-desc br0',
  ...['OpenFlow13', 'OpenFlow14', 'OpenFlow15'].flatMap((version) => [
    `ovs-ofctl -O${version} mod-table br0 3 evict`,
    `ovs-ofctl -O${version} mod-table br0 3 vacancy:20,80`,
    `ovs-ofctl -O${version} dump-table-desc br0`,
    `ovs-ofctl -O${version} mod-table br0 3 noevict`,
    `ovs-ofctl -O${version} mod-table br0 3 novacancy`,
  ]),
  ...['zz', 'vacancy', 'vacancy:1', 'vacancy:80,20', 'vacancy:1,101', 'vacancy:1,300', 'controller'].map(
    (setting) => `ovs-ofctl -OOpenFlow14 mod-table br0 3 ${setting}`,
  ),
  'ovs-ofctl mod-table br0 3 drop',
  'ovs-ofctl -OOpenFlow11 mod-table br0 3 drop',
  'ovs-ofctl -OOpenFlow12 mod-table br0 all continue',
  'ovs-ofctl -OOpenFlow11 mod-table br0 all controller',
  'ovs-ofctl -OOpenFlow14 mod-table br0 254 evict',
  'ovs-ofctl -OOpenFlow14 mod-table br0 300 evict',
  'ovs-ofctl -OOpenFlow14 mod-table br0 x evict',
  ...['', ' 1', ' p2', ' 99', ' any', ' LOCAL']
    .flatMap((port) => (port === '' ? ['queue-get-config br0 1'] : [`queue-get-config br0${port}`]))
    .map((line) => `ovs-ofctl -OOpenFlow14 ${line}`),
  ...all('queue-get-config br0 1'),
  'ovs-ofctl -OOpenFlow13 queue-get-config br0 99',
  'ovs-ofctl -OOpenFlow15 queue-get-config br0 1 5',
  'ovs-ofctl -OOpenFlow15 queue-get-config br0 1 0',
  ...both('ct-flush-zone br0 5'),
  'ovs-ofctl ct-flush-zone br0 zz',
  'ovs-ofctl ct-flush-zone br0 99999',
  ...both('ct-flush br0'),
  'ovs-ofctl ct-flush br0 zone=5',
  'ovs-ofctl ct-flush br0 ct_nw_src=10.0.0.1,ct_nw_proto=6,ct_tp_src=5 ct_nw_dst=10.0.0.2',
  ...[
    'zone=5 zone=6',
    'ct_nw_src=zz',
    'ct_nw_src=1.1.1.1,ct_ipv6_dst=::1',
    'ct_foo=1',
    'ct_tp_src=5',
    'icmp_id=5',
    'x',
    'ct_nw_proto=300',
  ].map((tuple) => `ovs-ofctl ct-flush br0 ${tuple}`),
];

const tlv = (type: string | number, size: number, field: string | number): string =>
  `{class=0xffff,type=${type},len=${size}}->tun_metadata${field}`;

const tlvMaps: readonly string[] = [
  'ovs-ofctl del-tlv-map br0',
  `ovs-ofctl add-tlv-map br0 '${tlv(0, 4, 0)},${tlv(1, 8, 1)}'`,
  ...both('dump-tlv-map br0'),
  `ovs-ofctl add-tlv-map br0 '${tlv(0, 4, 0)}'`,
  `ovs-ofctl add-tlv-map br0 '${tlv(7, 4, 0)}'`,
  `ovs-ofctl add-tlv-map br0 '${tlv(0, 4, 9)}'`,
  `ovs-ofctl -OOpenFlow13 add-tlv-map br0 '${tlv('0x80', 124, 3)},${tlv(2, 124, 4)},${tlv(3, 124, 5)}'`,
  `ovs-ofctl add-tlv-map br0 '${tlv(2, 4, 3)},${tlv(2, 4, 4)}'`,
  `ovs-ofctl add-tlv-map br0 '${tlv(2, 4, 3)},${tlv(3, 4, 3)}'`,
  `ovs-ofctl del-tlv-map br0 '${tlv(0, 4, 0)}'`,
  `ovs-ofctl del-tlv-map br0 '${tlv(0, 4, 9)}'`,
  'ovs-ofctl dump-tlv-map br0',
  'ovs-ofctl add-tlv-map br0 zz',
  `ovs-ofctl add-tlv-map br0 '${tlv(0, 4, 0).replace('tun_metadata', 'reg')}'`,
  'ovs-ofctl del-tlv-map br0',
  ...both('dump-tlv-map br0'),
];

const bundles: readonly string[] = [
  ...['', '-OOpenFlow13 ', '-OOpenFlow15 '].flatMap((version) => [
    fed(`${version}--bundle add-flows br0`, ...twoFlows),
    shownPlain,
    `ovs-ofctl ${version}--bundle mod-flows br0 in_port=1,actions=3`,
    `ovs-ofctl ${version}--bundle --strict mod-flows br0 priority=9,in_port=1,actions=11`,
    shownPlain,
    `ovs-ofctl ${version}--bundle add-flow br0 in_port=2,actions=1`,
    `ovs-ofctl ${version}--bundle --strict del-flows br0 in_port=1`,
    shownPlain,
    `ovs-ofctl ${version}--bundle del-flows br0 tcp`,
    shownPlain,
    `ovs-ofctl ${version}--bundle del-flows br0`,
  ]),
  // One that is refused takes all with it.
  fed('--bundle add-flows br0', 'ip,actions=2', 'check_overlap,tcp,actions=1', 'arp,actions=3'),
  fed('-OOpenFlow13 --bundle add-flows br0', 'ip,actions=2', 'check_overlap,tcp,actions=1', 'check_overlap,udp,actions=1'),
  fed('--bundle add-flows br0', 'in_port=1,actions=2', 'table=254,actions=2', 'in_port=2,actions=2'),
  fed('--bundle add-flows br0', 'in_port=1,actions=group:9', 'in_port=2,actions=2'),
  shownPlain,
  fed('--bundle add-flows br0'),
  fed('--bundle add-flows br0', 'in_port=1,actions=2', 'delete in_port=1', 'add in_port=2,actions=3', 'modify in_port=2,actions=2'),
  fed(
    'add-flows br0',
    'in_port=1,actions=2',
    'delete in_port=2',
    'modify_strict in_port=1,actions=3',
    'delete_strict in_port=9',
    'zz in_port=1',
  ),
  fed('add-flows br0', 'in_port=1,actions=2', 'delete in_port=2', 'modify_strict in_port=1,actions=3', 'delete_strict in_port=9'),
  shownPlain,
  // Without a bundle, what stands before the refused one stays.
  fed('add-flows br0', 'in_port=3,actions=2', 'ip,actions=1', 'check_overlap,tcp,actions=1', 'in_port=LOCAL,actions=2'),
  shownPlain,
  'ovs-ofctl del-flows br0',
  fed(
    'bundle br0',
    'flow in_port=1,actions=2',
    'flow delete in_port=9',
    `packet-out in_port=1 packet=${frame} actions=2`,
    'flow add table=2,actions=p3',
  ),
  fed('-OOpenFlow13 bundle br0', 'flow modify in_port=1,actions=3', `packet-out in_port=LOCAL,packet=${frame},actions=table`),
  fed('-OOpenFlow15 bundle br0', '# nothing', '', 'flow delete_strict in_port=1'),
  shownPlain,
  fed('bundle br0', 'flow in_port=1,actions=2', 'zz in_port=1'),
  fed('bundle br0', 'in_port=1,actions=2'),
  fed('bundle br0', 'flow in_port=1,actions=zz'),
  fed('bundle br0', 'flow in_port=p9,actions=2'),
  fed('bundle br0', 'packet-out in_port=1 actions=2'),
  fed('bundle br0', 'flow in_port=1,actions=2', `packet-out in_port=99 packet=${frame} actions=2`),
  fed('bundle br0', 'flow in_port=1,actions=2', 'flow check_overlap,ip,actions=2', 'flow table=3,actions=2'),
  'ovs-ofctl bundle br0 /nonexistent',
  'ovs-ofctl bundle br9 /dev/null',
  'ovs-ofctl bundle br0 /dev/null',
  shownPlain,
  'ovs-ofctl -OOpenFlow13 --bundle add-flow br0 actions=mod_tp_dst:80',
  'ovs-ofctl -OOpenFlow13 --bundle add-flow br0 tcp,actions=mod_tp_dst:80',
  'ovs-ofctl --bundle add-flow br0 actions=enqueue:1:2',
];

/** For commands to which `-` is no file. */
const fedAs = (command: string, ...lines: string[]): string => fed(command, ...lines).replace(' - <<', ' /dev/stdin <<');

const differences: readonly string[] = [
  fed(
    'add-flows br0',
    'in_port=1,actions=2',
    'in_port=2,cookie=7,actions=3',
    'table=5,priority=7,tcp,actions=drop',
    'send_flow_rem,arp,actions=1',
  ),
  fedAs('diff-flows br0', 'in_port=1,actions=2', 'in_port=2,cookie=7,actions=3', 'table=5,priority=7,tcp,actions=drop', 'arp,actions=1'),
  fedAs(
    'diff-flows br0',
    'in_port=1,actions=3',
    'in_port=2,actions=3',
    'in_port=3,idle_timeout=5,hard_timeout=6,importance=7,actions=drop',
  ),
  ...['OpenFlow11', 'OpenFlow13', 'OpenFlow15'].map((version) =>
    fedAs(`-O${version} diff-flows br0`, 'in_port=1,actions=3', 'table=5,tcp,actions=1,2'),
  ),
  fedAs('--names diff-flows br0', 'in_port=1,actions=3', 'table=5,tcp,actions=1,2'),
  'ovs-ofctl diff-flows br0 br0',
  'ovs-ofctl diff-flows br9 br0',
  'ovs-ofctl diff-flows br0 /nonexistent',
  'ovs-ofctl diff-flows br0 ./nonexistent',
  fedAs('diff-flows br0', 'in_port=p1,actions=2'),
  fedAs('diff-flows br0', 'delete in_port=1'),
  fedAs('diff-flows br0', 'in_port=1,actions=2', 'in_port=1,actions=3'),
  fedAs('-Fopenflow10 diff-flows br0', 'reg0=1,actions=2'),
  fed('replace-flows br0', 'in_port=1,actions=2', 'in_port=2,actions=1,3', 'table=3,tcp,actions=drop'),
  shownPlain,
  fed('--bundle replace-flows br0', 'in_port=1,actions=p2', 'in_port=p3,actions=1', 'priority=5,actions=drop'),
  shownPlain,
  fed('-OOpenFlow13 replace-flows br0', 'in_port=1,actions=write_actions(output:2)', 'table=7,cookie=8,idle_timeout=90,actions=2'),
  fed(
    '-OOpenFlow13 --bundle --readd replace-flows br0',
    'in_port=1,actions=write_actions(output:2)',
    'table=7,cookie=8,idle_timeout=90,actions=2',
  ),
  shownPlain,
  fed('replace-flows br0', 'actions=zz'),
  fed('replace-flows br0', 'actions=2', 'delete in_port=1'),
  fed('--bundle replace-flows br0', 'in_port=1,actions=2', 'in_port=2,actions=group:7'),
  shownPlain,
  fed('-Fopenflow10 replace-flows br0', 'reg0=1,actions=2'),
  'ovs-ofctl replace-flows br0 /nonexistent',
  'ovs-ofctl replace-flows br9 /dev/null',
  'ovs-ofctl replace-flows br0 /dev/null',
  shownPlain,
];

/** Fields without their prerequisites: OpenFlow 1.0 and 1.1 carry them all the same. */
const bare = ['tp_src=80', 'nw_src=10.0.0.1', 'nw_proto=6', 'nw_tos=32', 'ip,tp_dst=5', 'ipv6,nw_src=1.2.3.4'];
const lacking = ['OpenFlow10', 'OpenFlow11', 'OpenFlow13'].flatMap((version) => [
  `ovs-ofctl -O${version} add-flow br0 actions=2`,
  ...bare.map((match, i) => `ovs-ofctl -O${version} add-flow br0 '${match},actions=${(i % 3) + 1}'`),
  'ovs-ofctl dump-flows br0 | sed "s/duration=[^,]*,//;s/[a-z]*_age=[^,]*,//g" | sort',
  'ovs-ofctl dump-aggregate br0',
  'ovs-ofctl del-flows br0',
]);

/** OpenFlow 1.1 and 1.2 describe what tables can do here: not done yet. */
const tables = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'].map((version) => `ovs-ofctl -O${version} dump-tables br0`);

export const ofctlSections: readonly (readonly [string, readonly string[]])[] = [
  ['ports', [...all('show br0'), ...all('dump-ports br0'), ...all('dump-ports br0 1'), ...all('dump-ports br0 p2')]],
  ['descriptions', [...all('dump-ports-desc br0'), ...all('dump-ports-desc br0 1'), ...all('dump-ports-desc br0 p11')]],
  ['description', all('dump-desc br0')],
  ['tables', [...tables, 'ovs-ofctl add-flow br0 table=3,actions=2', ...tables]],
  [
    'fragments',
    [
      ...all('get-frags br0'),
      'ovs-ofctl set-frags br0 drop',
      ...both('get-frags br0'),
      'ovs-ofctl set-frags br0 nx-match',
      ...both('get-frags br0'),
      'ovs-ofctl set-frags br0 reassemble',
      'ovs-ofctl set-frags br0 zz',
    ],
  ],
  [
    'mod-port',
    [
      ...['no-flood', 'no-forward', 'no-receive', 'no-packet-in', 'no-stp', 'no-receive-stp'].map(
        (change) => `ovs-ofctl mod-port br0 1 ${change}`,
      ),
      ...both('show br0'),
      ...['flood', 'forward', 'receive', 'packet-in', 'stp', 'receive-stp'].map(
        (change) => `ovs-ofctl -OOpenFlow13 mod-port br0 p1 ${change}`,
      ),
      'ovs-ofctl show br0',
      'ovs-ofctl mod-port br0 p9 up',
      'ovs-ofctl mod-port br0 99 up',
      'ovs-ofctl mod-port br0 1 zz',
    ],
  ],
  ['matches', shown(matches.map((match) => `${match} actions=2`))],
  [
    'actions of 1.0',
    shown(
      [...actions, ...actions10].map((list) => `actions=${list}`),
      ['OpenFlow10'],
    ),
  ],
  [
    'actions of 1.3',
    shown(
      [...actions, ...actions13].map((list) => `actions=${list}`),
      ['OpenFlow13'],
    ),
  ],
  [
    'actions with prerequisites',
    shown([...ipActions.map((list) => `ip,actions=${list}`), ...tcpActions.map((list) => `tcp,actions=${list}`)]),
  ],
  [
    'flow settings',
    [
      ...shown(
        [
          'table=2,cookie=0x77,idle_timeout=60,hard_timeout=90,actions=drop',
          'send_flow_rem,actions=2',
          'check_overlap,actions=2',
          'reset_counts,actions=2',
          'no_packet_counts,no_byte_counts,actions=2',
        ],
        ['OpenFlow10', 'OpenFlow12', 'OpenFlow13'],
      ),
      ...all("add-flow br0 'importance=3,actions=2'"),
      ...all('dump-flows br0'),
    ],
  ],
  [
    'many flows',
    [
      "printf 'priority=1,in_port=1,actions=2\\n# comment\\n\\npriority=1,in_port=2 actions=1 # end\\ntable=1,priority=7,tcp,tp_dst=80,actions=drop\\ntable=1,priority=7,tcp,tp_dst=25,actions=mod_tp_dst:80,normal\\ncookie=5,arp,actions=flood\\n' | ovs-ofctl add-flows br0 -",
      ...all('dump-flows br0'),
      ...both('dump-flows br0 table=1'),
      ...both('dump-flows br0 tcp'),
      ...both('dump-flows br0 cookie=5/-1'),
      ...both('dump-flows br0 out_port=2'),
      'ovs-ofctl --sort dump-flows br0',
      'ovs-ofctl --rsort=tp_dst dump-flows br0',
      'ovs-ofctl --sort=in_port --names dump-flows br0',
      'ovs-ofctl --sort=zz dump-flows br0',
      ...all('dump-aggregate br0'),
      ...all('dump-aggregate br0 table=1'),
      ...all('dump-aggregate br0 arp'),
      'sleep 1.1',
      ...both("mod-flows br0 'arp,actions=3'"),
      ...both('dump-flows br0'),
      ...both("mod-flows br0 'tcp,actions=3'"),
      ...both('dump-flows br0'),
      "ovs-ofctl --strict mod-flows br0 'priority=1,in_port=1,actions=11'",
      "ovs-ofctl mod-flows br0 'cookie=5/-1,actions=11'",
      "ovs-ofctl mod-flows br0 'udp,actions=11'",
      // A modified flow moves to another place in the reference's list.
      ...both('dump-flows br0 | sed "s/duration=[^,]*,//;s/[a-z]*_age=[^,]*,//g" | sort'),
      'ovs-ofctl --strict del-flows br0 priority=1,in_port=2',
      'ovs-ofctl del-flows br0 tcp',
      ...both('dump-flows br0 | sed "s/duration=[^,]*,//;s/[a-z]*_age=[^,]*,//g" | sort'),
      'ovs-ofctl del-flows br0 out_port=11',
      'ovs-ofctl dump-flows br0',
      'ovs-ofctl del-flows br0 table=0',
      ...both('dump-flows br0'),
    ],
  ],
  [
    'overlap',
    [
      'ovs-ofctl add-flow br0 ip,actions=2',
      ...both('add-flow br0 check_overlap,tcp,actions=2'),
      ...both('add-flow br0 check_overlap,priority=7,tcp,actions=2'),
      'ovs-ofctl dump-flows br0',
    ],
  ],
  [
    'faults',
    [
      'ovs-ofctl',
      'ovs-ofctl nope',
      'ovs-ofctl show',
      'ovs-ofctl show br0 x',
      'ovs-ofctl show br9',
      'ovs-ofctl add-flow br9 zz',
      'ovs-ofctl --no-names add-flow br9 zz',
      'ovs-ofctl dump-flows br9 zz',
      'ovs-ofctl show tcp:127.0.0.1:1',
      'ovs-ofctl -Ozz show br0',
      'ovs-ofctl -Fzz show br0',
      'ovs-ofctl --zz',
      'ovs-ofctl -t 0 show br0',
      'ovs-ofctl add-flow br0 foo',
      'ovs-ofctl add-flow br0 tcp',
      'ovs-ofctl add-flow br0 actions=foo',
      'ovs-ofctl add-flow br0 in_port=p9,actions=2',
      'ovs-ofctl add-flow br0 actions=p9',
      'ovs-ofctl add-flow br0 tp_src=80,actions=2',
      'ovs-ofctl add-flow br0 nw_src=10.0.0.1,actions=2',
      'ovs-ofctl add-flow br0 table=256,actions=2',
      'ovs-ofctl add-flow br0 table=255,actions=2',
      'ovs-ofctl add-flow br0 table=254,actions=2',
      'ovs-ofctl -OOpenFlow13 add-flow br0 actions=mod_vlan_vid:5',
      'ovs-ofctl add-flow br0 actions=resubmit:p9',
      'ovs-ofctl add-flow br0 actions=output:65280',
      'ovs-ofctl -OOpenFlow13 add-flow br0 actions=output:65280',
      'ovs-ofctl -OOpenFlow13 add-flow br0 table=5,actions=goto_table:3',
      'ovs-ofctl -OOpenFlow13 add-flow br0 actions=group:1',
      'ovs-ofctl -OOpenFlow13 add-flow br0 actions=meter:1,2',
      'ovs-ofctl -OOpenFlow10 -Fopenflow10 add-flow br0 reg0=1,actions=2',
      'ovs-ofctl -OOpenFlow12 add-flow br0 actions=dec_mpls_ttl',
      'ovs-ofctl add-flows br0 /nonexistent',
      "printf 'in_port=1,actions=2\\nzz\\n' | ovs-ofctl add-flows br0 -",
      'ovs-ofctl mod-flows br0 tcp',
      'ovs-ofctl del-flows br0 zz',
      'ovs-ofctl dump-flows br0 zz',
      'ovs-ofctl dump-aggregate br0 zz',
      'ovs-ofctl dump-ports br0 p9',
      'ovs-ofctl dump-ports br0 99',
      'ovs-ofctl -OOpenFlow13 dump-ports br0 99',
      'ovs-ofctl dump-ports-desc br0 p9',
      'ovs-ofctl -OOpenFlow15 dump-ports-desc br0 99',
      'ovs-ofctl packet-out br0 1 zz 00',
      'ovs-ofctl packet-out br0 p9 2 00',
      'ovs-ofctl packet-out br0 1 2 zz',
    ],
  ],
  [
    'packet-out',
    [
      ...all(`packet-out br0 none 2 ${frame}`),
      ...both(`packet-out br0 1 2,3 ${frame} ${frame}`),
      ...both(`packet-out br0 1 'mod_dl_src:50:54:00:00:00:05,normal' ${frame}`),
      ...both(`packet-out br0 'in_port=1 packet=${frame} actions=2'`),
      'ovs-ofctl add-flow br0 actions=2',
      ...both(`packet-out br0 LOCAL table ${frame}`),
      'ovs-ofctl dump-flows br0',
    ],
  ],
  [
    'probe',
    [...all('probe br0'), ...both('ping br0'), 'ovs-ofctl ping br0 10', 'ovs-ofctl ping br0 70000', 'ovs-ofctl queue-stats br0 1 5'],
  ],
];

/** Of the control plane around flows. */
export const controlSections: readonly (readonly [string, readonly string[]])[] = [
  ['control of tables', control],
  ['TLV maps', tlvMaps],
  ['bundles', bundles],
  ['differences', differences],
  ['lacking prerequisites', lacking],
];
