// What is asked of both daemons, by subject: stories of control commands, each of which begins with a datapath without flows.
import type { Dice } from '../random.ts';
import { actionText, plainActions, spoiltFlow } from './action-texts.ts';
import { flowText, ipv4, ipv6, spoil } from './flow-texts.ts';
import { packetOutLine, traceLine } from './trace-lines.ts';

/** A control command and its arguments. */
export type Call = readonly string[];
export type Story = readonly Call[];

const DATAPATH = 'dummy@ovs-dummy';
const DATAPATHS = [
  DATAPATH,
  DATAPATH,
  DATAPATH,
  'ovs-dummy',
  'system@ovs-system',
  'foo',
  'foo@bar',
  'dummy@',
  '@',
  'netdev@ovs-netdev',
  '',
];
const OPTIONS = ['-s', '--statistics', '-m', '--more', '--names', '--no-names', '--may-create', '--clear', '--read-only', '-x', '--', '-'];
const options = (d: Dice, usual: readonly string[]): string[] =>
  d.chance(1, 3) ? [d.pick(d.chance(9, 10) ? usual : OPTIONS)] : d.chance(1, 8) ? [d.pick(OPTIONS), d.pick(OPTIONS)] : [];
const datapath = (d: Dice): string[] => (d.chance(1, 5) ? [d.pick(DATAPATHS)] : []);
const most = <T>(d: Dice, usual: () => T, odd: () => T): T => (d.chance(6, 7) ? usual() : odd());

const ufid = (d: Dice): string => `ufid:00000000-0000-0000-0000-00000000000${d.below(8)}`;
const oddUfid = (d: Dice): string =>
  d.pick([
    'ufid:',
    'ufid:12',
    'ufid:00000000-0000-0000-0000-00000000000',
    'ufid:000000000000000000000000000000001',
    'ufid:00000000000000000000000000000001',
    '00000000-0000-0000-0000-000000000001',
    'ufid:0000000G-0000-0000-0000-000000000001',
    'UFID:00000000-0000-0000-0000-000000000001',
    'ufid:ABCDEF00-0000-0000-0000-000000000001',
    'ufid:0x000000-0000-0000-0000-000000000001',
    ' ufid:00000000-0000-0000-0000-000000000001',
    'ufid:00000000-0000-0000-0000-000000000001 ',
    'ufid:00000000-0000-0000-0000-000000000001,',
    '',
  ]);

const FLOW_SORTS = [
  (d: Dice) => flowText(d),
  (d: Dice) => flowText(d, 0),
  (d: Dice) => spoiltFlow(d),
  (d: Dice) => `${ufid(d)},${flowText(d)}`,
  (d: Dice) => `${oddUfid(d)},${flowText(d)}`,
];

/** Flows put, changed, asked for and deleted; what is once put is likely to be named again. */
function byHand(d: Dice): Story {
  const known: string[] = [];
  const flow = (): string => {
    if (known.length > 0 && d.chance(1, 2)) return d.pick(known);
    const text = d.pick(FLOW_SORTS)(d);
    known.push(text);
    return text;
  };
  const calls: Call[] = [];
  for (let i = 0; i < 20; i++) {
    const actions = (): string => (d.chance(3, 4) ? plainActions(d) : actionText(d));
    calls.push(
      d.pick([
        () => ['dpctl/add-flow', ...options(d, ['-s', '--may-create']), ...datapath(d), flow(), actions()],
        () => ['dpctl/add-flow', ...datapath(d), flow(), actions()],
        () => ['dpctl/add-flow', flow(), actions()],
        () => ['dpctl/mod-flow', ...options(d, ['-s', '--may-create', '--clear']), ...datapath(d), flow(), actions()],
        () => ['dpctl/mod-flow', '--may-create', flow(), actions()],
        () => [
          'dpctl/del-flow',
          ...options(d, ['-s']),
          ...datapath(d),
          most(d, flow, () =>
            most(
              d,
              () => ufid(d),
              () => oddUfid(d),
            ),
          ),
        ],
        () => [
          'dpctl/get-flow',
          ...options(d, ['-m', '--names', '--no-names']),
          ...datapath(d),
          most(
            d,
            () => ufid(d),
            () => oddUfid(d),
          ),
        ],
        () => ['dpctl/dump-flows', ...options(d, ['-m', '--names', '--no-names'])],
      ])(),
    );
  }
  calls.push(['dpctl/dump-flows', '-m'], ['dpctl/show']);
  return calls;
}

const FILTER_WORDS = [
  'in_port=1',
  'in_port=p1',
  'in_port=77',
  'in_port=LOCAL',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'arp',
  'icmp',
  'icmp6',
  'sctp',
  'mpls',
  'rarp',
  'nw_dst=10.0.0.2',
  'nw_src=10.0.0.0/8',
  'tp_dst=1',
  'tcp_dst=2',
  'dl_vlan=1',
  'dl_vlan=0',
  'vlan_tci=0',
  'dl_type=0x1234',
  'dl_src=50:54:00:00:00:09',
  'eth_dst=00:00:00:00:00:01',
  'ct_state=+trk',
  'ct_state=trk',
  'ct_zone=5',
  'recirc_id=0',
  'recirc_id=7',
  'tun_id=5',
  'mpls_label=3',
  'nw_ttl=64',
  'ip_frag=later',
  'frag=no',
  'tcp_flags=+syn',
  'reg0=1',
  'metadata=1',
  'zz=1',
  'zz',
  'eth()',
  'ipv6_src=fe80::1',
  'nd_target=::1',
  'arp_op=1',
  'pkt_mark=1',
  'skb_priority=0',
  'skb_mark=0',
  'in_port(1)',
  'actions=drop',
  'cookie=1',
  'table=0',
];

function filters(d: Dice): Story {
  const calls: Call[] = [];
  for (let i = 0; i < 12; i++)
    calls.push([
      'dpctl/add-flow',
      `${d.chance(1, 3) ? `ufid:00000000-0000-0000-0000-0000000000${i + 10},` : ''}${flowText(d)}`,
      plainActions(d),
    ]);
  for (let i = 0; i < 14; i++) {
    const filter = (): string => `filter=${d.some(3, () => d.pick(FILTER_WORDS)).join(d.pick([',', ',', ' ']))}`;
    const type = (): string =>
      `type=${d.some(2, () => d.pick(['ovs', 'tc', 'dpdk', 'offloaded', 'non-offloaded', 'partially-offloaded', 'all', 'foo', ''])).join(',')}`;
    const thread = (): string => `pmd=${d.pick(['0', '-1', '1', 'x', '', '4294967295', '-2', '2147483647', '0x1'])}`;
    const words = [...datapath(d)];
    if (d.chance(4, 5)) words.push(filter());
    if (d.chance(1, 4)) words.push(type());
    if (d.chance(1, 5)) words.push(thread());
    if (d.chance(1, 20)) words.push(d.pick(['foo', filter(), type(), thread(), 'filter', 'type']));
    calls.push(['dpctl/dump-flows', ...options(d, ['-m', '--names', '--no-names']), ...words]);
    if (d.chance(1, 6))
      calls.push(['dpif/dump-flows', ...options(d, ['-m', '--names', '--no-names']), d.pick(['br0', 'br0', 'br0', 'nope', ''])]);
  }
  return calls;
}

const zone = (d: Dice): string => `zone=${d.pick(['0', '1', '3', '9', '65535', '65536', '-1', 'x', '', '3,4', '0x3', ' 3'])}`;
const tuple = (d: Dice): string =>
  d
    .some(6, () =>
      d.pick([
        () => `ct_nw_src=${d.pick(['10.0.0.1', ipv4(d), 'x', ''])}`,
        () => `ct_nw_dst=${d.pick(['10.0.0.2', ipv4(d), '10.0.0.0/8'])}`,
        () => `ct_ipv6_src=${d.pick([ipv6(d), 'x', '1.2.3.4'])}`,
        () => `ct_ipv6_dst=${ipv6(d)}`,
        () => `ct_nw_proto=${d.pick(['6', '17', '1', '58', '0', '256', 'tcp', ''])}`,
        () => `ct_tp_src=${d.pick(['1024', '80', '65536', '-1', 'x', '0x50'])}`,
        () => `ct_tp_dst=${d.pick(['8080', '80', '65536'])}`,
        () => `icmp_id=${d.pick(['1', '65536', 'x'])}`,
        () => `icmp_type=${d.pick(['8', '256', '0'])}`,
        () => `icmp_code=${d.pick(['0', '256', 'x'])}`,
        () => d.pick(['foo=1', 'ct_nw_src', '=', ',', 'zone=1']),
      ])(),
    )
    .join(d.pick([',', ',', ' ', ',,']));

const limit = (d: Dice): string =>
  d.pick([
    () => `default=${d.pick(['0', '1000', '4294967295', '4294967296', '-1', 'x', ''])}`,
    () =>
      `zone=${d.pick(['0', '3', '65535', '65536', 'x', '-1', ''])},limit=${d.pick(['0', '7', '50', '4294967295', '4294967296', 'x', '-1', ''])}`,
    () =>
      d.pick([
        'zone=3',
        'limit=3',
        'limit=3,zone=1',
        'zone=1,limit=2,zone=3',
        'zone=1,foo=2',
        'foo',
        'foo=1',
        'zone',
        '',
        'zone=1,limit',
        'zone=1 limit=2',
      ]),
  ])();
const zones = (d: Dice): string =>
  d.pick([
    'zone=',
    'zone=3',
    'zone=3,9',
    'zone=9,3,1',
    'zone=x',
    'zone=3,x',
    'zone=65536',
    'zone=-1',
    'foo',
    '3',
    'zone=3,,4',
    'zone=3,',
    '',
  ]);

function tracking(d: Dice): Story {
  const flags = (): string[] => options(d, ['-m', '-s']);
  return Array.from(
    { length: 20 },
    (): Call =>
      d.pick([
        () => ['dpctl/dump-conntrack', ...flags(), ...datapath(d), ...(d.chance(1, 2) ? [zone(d)] : [])],
        () => [
          'dpctl/flush-conntrack',
          ...flags(),
          ...datapath(d),
          ...(d.chance(1, 3) ? [zone(d)] : []),
          ...(d.chance(3, 4) ? [tuple(d)] : []),
          ...(d.chance(1, 3) ? [tuple(d)] : []),
        ],
        () => [
          'dpctl/ct-stats-show',
          ...flags(),
          ...datapath(d),
          ...(d.chance(1, 2) ? [zone(d)] : []),
          ...(d.chance(1, 6) ? ['verbose'] : []),
        ],
        () => [
          'dpctl/ct-bkts',
          ...flags(),
          ...datapath(d),
          ...(d.chance(1, 2) ? [`gt=${d.pick(['0', '5', '1000', 'x', '-1', '', '0x2'])}`] : []),
        ],
        () => [
          'dpctl/ct-set-maxconns',
          ...flags(),
          ...datapath(d),
          d.pick(['1000', '3000000', '0', '4294967295', '4294967296', '-1', 'x', '', '10x', '0x10']),
        ],
        () => [
          d.pick([
            'dpctl/ct-get-maxconns',
            'dpctl/ct-get-nconns',
            'dpctl/ct-get-tcp-seq-chk',
            'dpctl/ct-enable-tcp-seq-chk',
            'dpctl/ct-disable-tcp-seq-chk',
          ]),
          ...flags(),
          ...datapath(d),
          ...(d.chance(1, 20) ? ['foo'] : []),
        ],
        () => ['dpctl/ct-set-limits', ...flags(), ...datapath(d), ...[limit(d), ...d.some(2, () => limit(d))]],
        () => ['dpctl/ct-del-limits', ...flags(), ...datapath(d), zones(d)],
        () => ['dpctl/ct-get-limits', ...flags(), ...datapath(d), ...(d.chance(1, 2) ? [zones(d)] : [])],
        () => [
          d.pick(['dpctl/ipf-set-enabled', 'dpctl/ipf-set-disabled']),
          ...flags(),
          ...datapath(d),
          d.pick(['v4', 'v6', 'v5', '', 'V4']),
        ],
        () => [
          'dpctl/ipf-set-min-frag',
          ...flags(),
          ...datapath(d),
          d.pick(['v4', 'v6', 'v5']),
          d.pick(['400', '399', '1200', '65535', '65536', '99999', 'x', '-5', '', '600x', '0x300']),
        ],
        () => [
          'dpctl/ipf-set-max-nfrags',
          ...flags(),
          ...datapath(d),
          d.pick(['0', '500', '5000', '5001', '-1', 'x', '', '5x', '4294967296']),
        ],
        () => ['dpctl/ipf-get-status', ...flags(), ...datapath(d)],
      ])(),
  );
}

const SPARES = ['dummy@d1', 'dummy@d1', 'dummy@d1', 'dummy@d2', DATAPATH, 'd1', 'foo@d1', 'system@d1', 'dummy@nope', 'netdev@d1', ''];
const TYPES = ['system', 'dummy', 'internal', 'tap', 'gre', 'vxlan', 'geneve', 'patch', 'foo', 'dummy-internal', 'lisp', 'erspan', 'gtpu'];
const device = (d: Dice): string => d.pick(['a0', 'a1', 'a2', 'b0', 'p1', 'br0', 'd1', '1', '2', '0', '7', '99', '', 'a0,']);
const deviceText = (d: Dice): string => {
  const more = d.some(2, () =>
    d.pick([
      () => `type=${d.pick(TYPES)}`,
      () => `port_no=${d.pick(['7', '8', '0', '1', '-1', 'x', '4294967295', ''])}`,
      () => d.pick(['foo=bar', 'foo', '=', 'remote_ip=1.2.3.4', 'remote_ip=x', 'dst_port=5', 'key=flow', 'port_no']),
    ])(),
  );
  return [device(d), ...more].join(',');
};

/** Devices come and go by command where a command made the datapath; those of bridges are left as they are, which the reference does not see to. */
const OWN_SPARES = SPARES.filter((name) => name !== DATAPATH);

function datapaths(d: Dice): Story {
  const calls: Call[] = [['dpctl/add-dp', 'dummy@d1']];
  for (let i = 0; i < 20; i++) {
    calls.push(
      d.pick([
        () => ['dpctl/add-dp', ...options(d, ['-s']).filter(() => d.chance(1, 4)), d.pick(SPARES), ...d.some(2, () => deviceText(d))],
        () => ['dpctl/add-if', d.pick(OWN_SPARES), deviceText(d), ...d.some(1, () => deviceText(d))],
        () => ['dpctl/add-if', 'dummy@d1', deviceText(d)],
        () => ['dpctl/set-if', d.pick(SPARES), deviceText(d), ...d.some(1, () => deviceText(d))],
        () => ['dpctl/del-if', d.pick(SPARES.slice(0, 4)), device(d), ...d.some(1, () => device(d))],
        () => ['dpctl/del-dp', d.pick(SPARES.filter((name) => name !== DATAPATH))],
        () => ['dpctl/show', ...options(d, ['-s']), ...d.some(2, () => d.pick(SPARES))],
        () => ['dpctl/dump-dps'],
        () => ['dpctl/add-flow', d.pick(SPARES), flowText(d), plainActions(d)],
        () => ['dpctl/dump-flows', d.pick(SPARES)],
      ])(),
    );
  }
  calls.push(['dpctl/show'], ['dpctl/del-dp', 'dummy@d2'], ['dpctl/del-dp', 'dummy@d1'], ['dpctl/dump-dps']);
  for (const spare of ['d1', 'dummy@nope', 'netdev@d1']) calls.push(['dpctl/del-dp', spare]);
  // Names of their own: the reference lets go of a device some time after its datapath.
  const own = d.below(100_000);
  const renamed = ([command = '', ...words]: Call): Call => [
    command,
    ...(/-(dp|if)$/.test(command) ? words.map((word) => word.replace(/^(?:[ab]\d|(?<=^)\d+(?=,))(?=,|$)/, `$&x${own}`)) : words),
  ];
  return calls.map(renamed);
}

const WORD_COMMANDS =
  `add-dp del-dp add-if del-if set-if dump-dps show dump-flows add-flow mod-flow get-flow del-flow add-flows mod-flows del-flows
  offload-stats-show dump-conntrack flush-conntrack cache-get-size cache-set-size ct-stats-show ct-bkts ct-set-maxconns ct-get-maxconns ct-get-nconns
  ct-enable-tcp-seq-chk ct-disable-tcp-seq-chk ct-get-tcp-seq-chk ct-set-limits ct-del-limits ct-get-limits ipf-set-enabled ipf-set-disabled
  ipf-set-min-frag ipf-set-max-nfrags ipf-get-status list-commands parse-actions normalize-actions`.split(/\s+/);

/** Every command with any words. */
function words(d: Dice): Story {
  return Array.from({ length: 20 }, (): Call => {
    const word = (): string =>
      d.pick([
        ...DATAPATHS,
        '1',
        'p1',
        'foo=bar',
        'in_port(1),eth(),eth_type(0x1234)',
        'zone=1',
        'v4',
        ufid(d),
        '/nope',
        ...OPTIONS.slice(0, 8),
      ]);
    return [`dpctl/${d.pick(WORD_COMMANDS)}`, ...d.some(2, () => d.pick(OPTIONS)), ...d.some(4, word)];
  });
}

const line = (d: Dice): string => {
  const verb = d.pick(['', '', '', 'add ', 'modify ', 'delete ', 'foo ', ' add  ', '\tadd\t']);
  const flow = d.chance(1, 2) ? 'in_port(1),eth(),eth_type(0x1234)' : d.pick(FLOW_SORTS)(d).replaceAll(' ', ',');
  return d.pick([
    () => `${verb}${flow} ${plainActions(d)}`,
    () => `${verb}${flow} ${plainActions(d)}`,
    () => `${verb}${flow} ${plainActions(d)} # end`,
    () => `${verb}${flow}`,
    () => `# ${flow}`,
    () => '',
    () => '   ',
    () => `${verb}${spoil(d, flow)} 1`,
  ])();
};

/** Files of flows: `FILE:` and what is in it stands for the path. */
function files(d: Dice): Story {
  const calls: Call[] = [];
  for (let i = 0; i < 8; i++) {
    const file = d.chance(1, 8)
      ? d.pick(['/nope', '/', 'nope', ''])
      : `FILE:${d.some(4, () => line(d)).join('\n')}${d.chance(5, 6) ? '\n' : ''}`;
    calls.push([d.pick(['dpctl/add-flows', 'dpctl/mod-flows', 'dpctl/del-flows']), ...options(d, ['-s']), ...datapath(d), file]);
    if (d.chance(1, 2)) calls.push(['dpctl/dump-flows']);
  }
  return calls;
}

const one = (call: Call): Story => [call];

/** Stories by subject. */
export const SECTIONS: Readonly<Record<string, (d: Dice) => Story>> = {
  actions: (d) =>
    one([
      'dpctl/parse-actions',
      ...options(d, ['-s']).filter(() => d.chance(1, 9)),
      actionText(d),
      ...(d.chance(1, 20) ? [actionText(d)] : []),
    ]),
  normalize: (d) =>
    one([
      'dpctl/normalize-actions',
      d.pick([() => flowText(d, 0), () => flowText(d, 0), () => flowText(d), () => spoiltFlow(d, 0)])(),
      d.pick([() => plainActions(d), () => actionText(d)])(),
      ...d.some(2, () => d.pick(['p1=1', 'br0=0', 'p2=2', 'p2=x', 'p3=', '=3', 'p4', 'p1=0x5', 'p1=1,p2=2', 'a b=3'])),
    ]),
  byHand,
  filters,
  tracking,
  datapaths,
  words,
  files,
  trace: (d) => one(traceLine(d)),
  packetOut: (d) => one(packetOutLine(d)),
};
