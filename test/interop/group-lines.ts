// Command lines about groups and meters for test/interop/ofctl-groups.test.ts: fixed ones for every command and fault, and generated
// groups and meters. No line may insert no buckets at a place that is first or last: the reference then never answers again. Nor may a bundle
// that fails have deleted a group with flows: the reference ends on an assertion.
import { Dice } from '../compare/random.ts';

const of = (version: number, line: string): string => `ovs-ofctl -OOpenFlow1${version} ${line}`;
const VERSIONS = [0, 1, 3, 5] as const;
/** The reference lists groups in the order of a hash table. */
const sorted = (line: string): string => `${line} | sort`;
/** Meters stand in blocks with a blank line between, in the order of a hash table. */
const meters = (line: string): string =>
  `${line} | tail -n +2 | python3 -c 'import sys; print(*sorted(sys.stdin.read().strip().split("\\n\\n")), sep="\\n\\n")'`;

const ACTIONS = [
  '1',
  'output:2',
  'output:3,output:1',
  'drop',
  'actions=',
  'mod_dl_src:50:54:00:00:00:05,1',
  'set_field:10.0.0.1->ip_dst,2',
  'dec_ttl,1',
  'resubmit(,1)',
  'load:5->NXM_NX_REG0[],3',
  'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],2',
  'strip_vlan,1',
  'mod_nw_tos:32,3',
  'actions=output:1,group:2',
  'controller',
  'LOCAL',
  'IN_PORT',
  'ct(commit,table=1)',
  'set_queue:3,2',
  'note:00.11.22.33.44.55',
  'push:NXM_NX_REG0[],pop:NXM_NX_REG1[],1', // biome-ignore format: a list of words
];
const HASHED = [
  'ip_src',
  'ip_dst',
  'eth_src',
  'eth_dst=ff:ff:ff:00:00:00',
  'tcp_src',
  'tcp_dst=0xff0',
  'ipv6_src',
  'ip_dst=255.255.0.0',
  'nw_proto',
  'vlan_vid=0xfff',
  'in_port',
  'reg0=0xff',
  'metadata=0xffff',
  'tun_id',
  'nw_ttl',
  'eth_type',
  'udp_src',
  'arp_op',
  'icmp_type',
  'ct_mark=0xf0', // biome-ignore format: a list of words
];

function bucket(d: Dice, type: string, withId: boolean, id: number): string {
  const parts: string[] = [];
  if (withId) parts.push(`bucket_id:${id}`);
  if (type === 'select' && d.chance(1, 2)) parts.push(`weight:${d.pick([0, 1, 2, 7, 100, 65535])}`);
  const watches = type === 'ff' || (type === 'select' && d.chance(1, 3));
  if (watches)
    parts.push(d.chance(1, 2) ? `watch_port:${d.pick(['1', '2', '3', '99', '65279'])}` : `watch_group:${d.pick([1, 5, 77, 4294967040])}`);
  return `bucket=${[...parts, d.pick(ACTIONS)].join(',')}`;
}

/** One group. */
export function groupText(d: Dice, id: number): string {
  const type = d.pick(['all', 'select', 'select', 'select', 'indirect', 'ff', 'fast_failover']);
  const kind = type === 'fast_failover' ? 'ff' : type;
  const count = kind === 'indirect' ? 1 : d.below(5);
  const head = [`group_id=${id}`, `type=${type}`];
  if (kind === 'select' && d.chance(1, 2)) {
    const method = d.pick(['hash', 'dp_hash']);
    head.push(`selection_method=${method}`);
    if (d.chance(1, 2)) head.push(`selection_method_param=${d.pick(['0', '7', '4294967296', '18446744073709551615', '0x1234'])}`);
    if (method === 'hash' && d.chance(2, 3)) {
      const fields = HASHED.filter(() => d.chance(1, 5)).filter(
        (one, i, all) => all.findIndex((other) => other.split('=')[0] === one.split('=')[0]) === i,
      );
      if (fields.length === 1) head.push(`fields=${fields[0]}`);
      else if (fields.length > 1) head.push(`fields(${fields.join(',')})`);
    }
  }
  const withIds = d.chance(1, 2);
  const buckets = Array.from({ length: count }, (_, i) => bucket(d, kind, withIds, i * 3 + d.below(3)));
  return [...head, ...buckets].join(',');
}

/** One meter. */
export function meterText(d: Dice, id: number | string): string {
  const burst = d.chance(1, 2);
  const flags = [d.pick(['kbps', 'pktps']), burst ? 'burst' : '', d.chance(1, 2) ? 'stats' : ''].filter((one) => one !== '');
  const bands = Array.from({ length: 1 + d.below(8) }, () => {
    const size = burst ? `,burst_size=${1 + d.number(31)}` : '';
    return `type=drop,rate=${1 + d.number(31)}${size}`;
  });
  return `meter=${id},${flags.join(',')},${d.pick(['band', 'bands'])}=${bands.join(d.pick([',', ' ']))}`;
}

const here = (lines: readonly string[]): string => `- <<'END'\n${lines.join('\n')}\nEND`;

/** Generated groups: many to a command, shown in every version; and each printed as it would be sent. */
function generated(seed: number): [string, string[]] {
  const d = new Dice(seed);
  const version = d.pick(VERSIONS);
  const texts = Array.from({ length: 25 }, (_, i) => groupText(d, i + 1));
  const changes = Array.from({ length: 10 }, () => `${d.pick(['modify', 'add_or_mod'])} ${groupText(d, 1 + d.below(25))}`);
  const edits = Array.from({ length: 6 }, () => {
    const id = 1 + d.below(25);
    const place = d.pick(['first', 'last', '0', '3', '4']);
    const isRemoval = d.chance(1, 2);
    return isRemoval
      ? `remove_bucket group_id=${id},command_bucket_id=${place}`
      : `insert_bucket group_id=${id},command_bucket_id=${place},${bucket(d, 'all', true, 40 + d.below(3))}`;
  });
  return [
    `generated groups ${seed}`,
    [
      of(version, `add-groups br0 ${here(texts)}`),
      ...VERSIONS.map((shown) => sorted(of(shown, 'dump-groups br0'))),
      of(version, `add-groups br0 ${here(changes)}`),
      sorted(of(5, 'dump-groups br0')),
      ...edits.map((edit) => of(5, `add-groups br0 ${here([edit])}`)),
      sorted(of(5, 'dump-groups br0')),
      ...VERSIONS.map((shown) => sorted(of(shown, 'dump-group-stats br0'))),
      of(d.pick(VERSIONS), `parse-group '${d.pick(texts)}'`),
    ],
  ];
}

function generatedMeters(seed: number): [string, string[]] {
  const d = new Dice(seed);
  const version = d.pick([3, 4, 5]);
  const ids = [1, 2, 70000, 4294901760, 'controller', 'slowpath'];
  return [
    `generated meters ${seed}`,
    [
      ...ids.map((id) => of(version, `add-meter br0 '${meterText(d, id)}'`)),
      meters(of(3, 'dump-meters br0')),
      of(version, `mod-meter br0 '${meterText(d, d.pick(ids))}'`),
      meters(of(5, 'dump-meters br0')),
      meters(of(4, 'meter-stats br0')),
      of(version, `del-meters br0 meter=${d.pick(ids)}`),
      meters(of(3, 'dump-meters br0')),
    ],
  ];
}

const add = (text: string): string => of(5, `add-group br0 '${text}'`);

const faults = [
  '',
  'group_id=1',
  'type=all',
  'group_id=1,type=zz',
  'group_id=all,type=all',
  'group_id=4294967041,type=all',
  'group_id=x,type=all',
  'group_id=1,type=indirect',
  'group_id=1,type=indirect,bucket=1,bucket=2',
  'group_id=1,type=ff,bucket=1',
  'group_id=2,type=all,bucket=weight:5,1',
  'group_id=3,type=select,bucket=weight:70000,1',
  'group_id=4,type=all,selection_method=hash,bucket=1',
  'group_id=4,type=select,selection_method=zz,bucket=1',
  'group_id=4,type=select,selection_method=aaaaaaaaaaaaaaaa,bucket=1',
  'group_id=4,type=select,selection_method_param=5,bucket=1',
  'group_id=4,type=select,fields=ip_src,bucket=1',
  'group_id=4,type=select,selection_method=hash,fields=zz,bucket=1',
  'group_id=4,type=select,selection_method=hash,fields(ip_src,ip_src),bucket=1',
  'group_id=4,type=select,selection_method=hash,fields(in_port=1),bucket=1',
  'group_id=4,type=select,selection_method=hash,fields(tcp_src=0),bucket=1',
  'group_id=4,type=select,selection_method=hash,fields(tcp_src=5/6),bucket=1',
  'group_id=6,type=select,zz=1,bucket=1',
  'group_id=6,type=select,bucket=bucket_id:4294967041,1',
  'group_id=6,type=select,bucket=bucket_id:1,1,bucket=bucket_id:1,2',
  'group_id=6,type=select,bucket=zz',
  'group_id=6,type=select,bucket=watch_port:p9,1',
  'group_id=8,type=select,bucket=watch_group:any,1',
  'group_id=13,type=all,bucket=goto_table:1',
  'group_id=16,type=all,bucket=',
  'group_id=17,type=all,bucket=1,type=select',
  'group_id=21,type=all,command_bucket_id=1,bucket=1',
  'group_id=30,type=all,bucket=watch_port:1,1',
  'group_id=31,type=all,bucket=p1', // biome-ignore format: a list of texts
];

const frame = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';
const trace = (group: number, flow: string): string => `ovs-appctl ofproto/trace br0 reg1=${group},in_port=LOCAL,${flow}`;

const traced = [
  'type=all,bucket=1,bucket=mod_dl_src:50:54:00:00:00:05,2,bucket=3',
  'type=ff,bucket=watch_port:1,1,bucket=watch_port:2,2',
  'type=ff,bucket=watch_port:99,1,bucket=watch_group:2,2',
  'type=ff,bucket=watch_port:99,1',
  'type=all',
  'type=select,selection_method=hash,fields(ip_src),bucket=1,bucket=2,bucket=3',
  'type=select,selection_method=hash,bucket=1,bucket=weight:5,2,bucket=3',
  'type=select,selection_method=dp_hash,bucket=1,bucket=2',
  'type=select,bucket=1,bucket=2,bucket=3',
  'type=select',
  'type=select,bucket=weight:0,1',
  'type=all,bucket=group:77,1',
  'type=all,bucket=group:1,bucket=group:2',
  'type=select,selection_method=hash,selection_method_param=9,fields(tcp_src,eth_src),bucket=1,bucket=2',
  'type=all,bucket=resubmit(,1),1',
  'type=all,bucket=load:5->reg0[],resubmit(,2)',
  'type=select,selection_method=hash,selection_method_param=8589934599,fields(ip_dst=255.0.0.0,metadata),bucket=1,bucket=2', // biome-ignore format: a list of texts
];

/** The sections; `runs` generated ones of each kind. */
export function groupSections(runs: number, seed: number): (readonly [string, readonly string[]])[] {
  // The whole of it takes minutes: without being asked for more, one old and one new version stand for all.
  const versions = runs > 1 ? VERSIONS : [0, 5];
  return [
    ['faults of groups', faults.map(add)],
    [
      'group commands',
      [
        ...versions.flatMap((version) => [
          of(version, "add-group br0 'group_id=1,type=select,bucket=bucket_id:1,1,bucket=weight:3,2'"),
          of(version, "add-group br0 'group_id=1,type=all'"),
          of(version, 'dump-groups br0'),
          of(version, 'dump-groups br0 7'),
          of(version, 'dump-group-stats br0 group_id=1'),
          of(version, 'dump-group-features br0'),
          of(version, "mod-group br0 'group_id=2,type=all'"),
          of(version, "--may-create mod-group br0 'group_id=2,type=all,bucket=3'"),
          of(version, "insert-buckets br0 'group_id=2,command_bucket_id=last,bucket=bucket_id:9,1'"),
          of(version, "remove-buckets br0 'group_id=2,command_bucket_id=0'"),
          of(version, 'dump-groups br0 2'),
          of(version, 'del-groups br0 group_id=2'),
          of(version, 'del-groups br0'),
        ]),
        of(5, 'del-groups br0 group_id=1,type=all'),
        of(5, 'del-groups br0 99'),
        of(5, 'dump-group-stats br0 7'),
        of(5, 'dump-groups br0 zz'),
        of(5, "insert-buckets br0 'group_id=99,command_bucket_id=all'"),
        of(5, "insert-buckets br0 'group_id=1'"),
        of(5, "remove-buckets br0 'group_id=1,bucket=1'"),
        of(
          5,
          `add-groups br0 ${here(['group_id=1,type=all,bucket=1', 'add group_id=2,type=all,bucket=2 # x', '', '# c', 'modify group_id=2,type=all,bucket=3', 'delete group_id=1'])}`,
        ),
        of(5, 'dump-groups br0'),
        of(5, `add-groups br0 ${here(['group_id=1,type=all,bucket=1', 'zz group_id=2,type=all'])}`),
        of(5, 'add-groups br0 /nonexistent'),
        of(5, `--bundle add-groups br0 ${here(['group_id=71,type=all,bucket=1', 'group_id=71,type=all'])}`),
        of(5, `--bundle add-groups br0 ${here(['group_id=71,type=all,bucket=1', 'group_id=72,type=all'])}`),
        sorted(of(5, 'dump-groups br0')),
        of(
          5,
          `bundle br0 ${here(['group group_id=81,type=all,bucket=1', 'flow in_port=3,actions=group:81', 'group modify group_id=81,type=all,bucket=2'])}`,
        ),
        of(5, `bundle br0 ${here(['group group_id=83,type=all', 'flow in_port=2,actions=group:84'])}`),
        sorted(of(5, 'dump-groups br0 81')),
        of(5, '--no-stats dump-flows br0 in_port=3'),
        add('group_id=82,type=ff,bucket=watch_port:LOCAL,1'),
      ],
    ],
    [
      'groups in translation',
      [
        ...traced.map((text, i) => add(`group_id=${i + 1},${text}`)),
        of(
          5,
          `add-flows br0 ${here([...traced.map((_, i) => `reg1=${i + 1},actions=group:${i + 1},output:3`), 'table=2,reg0=5,actions=output:2', 'reg1=99,actions=write_actions(group:8)'])}`,
        ),
        ...traced.map((_, i) => trace(i + 1, 'tcp,nw_ttl=64,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=5,tp_dst=6,dl_src=50:54:00:00:00:01')),
        trace(99, 'udp'),
        trace(9, 'udp,dp_hash=0x5'),
        trace(6, 'arp'),
        of(5, 'add-flow br0 reg1=103,actions=group:78'),
        of(5, 'del-groups br0 group_id=1'),
        of(5, '--no-stats dump-flows br0 reg1=1'),
        of(5, 'dump-group-stats br0 group_id=2'),
      ],
    ],
    [
      'groups count frames',
      [
        add('group_id=1,type=all,bucket=2,bucket=3'),
        add('group_id=2,type=ff,bucket=watch_port:99,1,bucket=watch_port:2,2'),
        add('group_id=3,type=indirect,bucket=group:1'),
        add('group_id=4,type=select,selection_method=hash,bucket=weight:0,1,bucket=2'),
        ...[1, 2, 3, 4].map((group) => of(3, `packet-out br0 1 group:${group} ${frame} ${frame}`)),
        ...[1, 2, 3, 4].map((group) => of(3, `dump-group-stats br0 group_id=${group}`)),
        of(3, "mod-group br0 'group_id=2,type=all,bucket=1'"),
        of(5, "insert-buckets br0 'group_id=1,command_bucket_id=first,bucket=bucket_id:9,1'"),
        of(5, "remove-buckets br0 'group_id=4,command_bucket_id=first'"),
        ...[1, 2, 4].map((group) => of(5, `dump-group-stats br0 group_id=${group}`)),
        of(3, `packet-out br0 1 group:9 ${frame}`),
      ],
    ],
    [
      'meters',
      [
        ...[0, 2].map((version) => of(version, "add-meter br0 'meter=1,kbps,band=type=drop,rate=5'")),
        ...(runs > 1 ? [3, 4, 5] : [5]).flatMap((version) => [
          of(version, "add-meter br0 'meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=50'"),
          of(version, "add-meter br0 'meter=1,pktps,bands=type=drop,rate=10'"),
          of(version, "add-meter br0 'meter=3,pktps,band=type=dscp_remark,rate=10,prec_level=2'"),
          of(version, "mod-meter br0 'meter=4,kbps,band=type=drop,rate=20'"),
          of(version, 'dump-meters br0'),
          of(version, 'dump-meters br0 meter=1'),
          of(version, 'meter-stats br0'),
          of(version, 'meter-stats br0 meter=17'),
          of(version, 'meter-features br0'),
          of(version, "add-flow br0 'in_port=1,actions=meter:1,2'"),
          of(version, 'meter-stats br0 meter=1'),
          'ovs-appctl ofproto/trace br0 in_port=1',
          of(version, "add-flow br0 'in_port=2,actions=meter:9,2'"),
          of(version, 'del-meters br0 meter=1'),
          of(version, 'dump-flows br0'),
          of(version, 'del-meters br0'),
        ]),
        ...[
          '',
          'meter=1',
          'meter=1,bands=type=drop,rate=1',
          'meter=1,kbps,bands=',
          'meter=1,kbps,band=type=drop',
          'meter=1,kbps,band=rate=4',
          'meter=1,kbps,band=type=zz,rate=4',
          'meter=1,kbps,pktps,band=type=drop,rate=4',
          'meter=1,kbps,band=type=drop,rate=4,burst_size=5',
          'meter=1,kbps,burst,band=type=drop,rate=4',
          'meter=1,kbps,zz=1,band=type=drop,rate=4',
          'meter=0,kbps,band=type=drop,rate=4',
          'meter=4294901761,kbps,band=type=drop,rate=4',
          'meter=all,kbps,band=type=drop,rate=4',
          'kbps,band=type=drop,rate=4',
          'meter=1,kbps,band=type=drop,rate=1,zz=1', // biome-ignore format: a list of texts
        ].map((text) => of(3, `add-meter br0 '${text}'`)),
        of(3, 'dump-meters br0 20'),
        of(3, "meter-stats br0 'meter=20,kbps'"),
        of(5, "add-meter br0 'meter=controller,pktps,band=type=drop,rate=7'"),
        of(5, 'add-flow br0 actions=controller'),
        'ovs-appctl ofproto/trace br0 in_port=1 | grep Datapath',
      ],
    ],
    ...Array.from({ length: runs }, (_, i) => generated(seed + i)),
    ...Array.from({ length: runs }, (_, i) => generatedMeters(seed + i)),
  ];
}
