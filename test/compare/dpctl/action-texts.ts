// Datapath actions as text, as `ovs-dpctl add-flow` and `parse-actions` take them.
import type { Dice } from '../random.ts';
import { flowText, group, ipv4, ipv6, mac, number, spoil, tunnel } from './flow-texts.ts';

const port = (d: Dice): string => d.pick(['1', '2', '3', '0x2', '10', '99', '4294967295', 'p1', 'p2', 'br0']);
const options = (d: Dice, all: readonly (() => string)[], share = 1): string =>
  all
    .filter(() => d.chance(share, 2))
    .map((make) => make())
    .join(',');

function nat(d: Dice): string {
  if (d.chance(1, 4)) return 'nat';
  const address = (): string => (d.chance(3, 4) ? ipv4(d) : d.chance(1, 2) ? `[${ipv6(d)}]` : ipv6(d));
  const range = d.chance(2, 3) ? address() + (d.chance(1, 3) ? `-${address()}` : '') : '';
  const ports = d.chance(1, 2) ? `:${number(d, 16)}${d.chance(1, 2) ? `-${number(d, 16)}` : ''}` : '';
  const place = d.chance(9, 10) ? `${d.pick(['src', 'dst'])}${range + ports === '' ? '' : `=${range}${ports}`}` : '';
  const more = ['persistent', 'hash', 'random'].filter(() => d.chance(1, 5));
  return `nat(${[place, ...more].filter((text) => text !== '').join(',')})`;
}

const ct = (d: Dice): string => {
  const inside = options(d, [
    () => d.pick(['commit', 'commit', 'force_commit']),
    () => `zone=${number(d, d.pick([4, 16]))}`,
    () => `mark=${number(d, 32)}${d.chance(1, 2) ? `/${number(d, 32)}` : ''}`,
    () => `label=${number(d, 128)}${d.chance(1, 2) ? `/${number(d, 128)}` : ''}`,
    () => `helper=${d.pick(['ftp', 'tftp', 'sip', 'a-b'])}`,
    () => `timeout=${d.pick(['foo', 'ovs_tp_1_tcp4'])}`,
    () => nat(d),
  ]);
  return inside === '' && d.chance(1, 2) ? 'ct' : `ct(${inside})`;
};

function userspace(d: Dice): string {
  const cookie = (): string =>
    d.pick([
      () => `sFlow(vid=${number(d, 12)},pcp=${d.below(8)},output=${number(d, 32)})`,
      () => `slow_path(${d.pick(['', 'action', 'cfm', 'bfd', 'lacp', 'stp', 'lldp', 'controller', 'action|cfm', 'match', '0', '1'])})`,
      () =>
        `flow_sample(probability=${number(d, 16)},collector_set_id=${number(d, 32)},obs_domain_id=${number(d, 32)},obs_point_id=${number(d, 32)},output_port=${port(d)}${d.pick(['', ',ingress', ',egress'])})`,
      () => `ipfix(output_port=${port(d)})`,
      () =>
        `controller(reason=${d.below(7)},dont_send=${d.below(2)},continuation=${d.below(2)},recirc_id=${number(d, 32)},rule_cookie=${number(d, 64)},controller_id=${number(d, 16)},max_len=${number(d, 16)})`,
      () => `userdata(${Buffer.from(d.bytes(d.below(12))).toString('hex')})`,
      () => 'actions',
    ])();
  const parts = [
    `pid=${number(d, 32)}`,
    ...(d.chance(3, 4) ? [cookie()] : []),
    ...(d.chance(1, 6) ? ['actions'] : []),
    ...(d.chance(1, 4) ? [`tunnel_out_port=${port(d)}`] : []),
  ];
  return `userspace(${parts.join(',')})`;
}

function tunnelPush(d: Dice): string {
  const is6 = d.chance(1, 4);
  const outer = is6
    ? `ipv6(src=${ipv6(d)},dst=${ipv6(d)},label=${number(d, 20)},proto=17,tclass=${number(d, 8)},hlimit=${number(d, 8)})`
    : `ipv4(src=${ipv4(d)},dst=${ipv4(d)},proto=17,tos=${number(d, 8)},ttl=${number(d, 8)},frag=${d.pick(['0', '0x4000', '0x0'])})`;
  const ethernet = `eth(dst=${mac(d)},src=${mac(d)},dl_type=${is6 ? '0x86dd' : '0x0800'})`;
  const udp = `udp(src=${d.pick(['0', number(d, 16)])},dst=${number(d, 16)},csum=${d.pick(['0x0', '0xffff'])})`;
  const [type, tail, size] = d.pick([
    () => ['4', `${udp},vxlan(flags=0x8000000,vni=${number(d, 24)})`, 16],
    () => ['5', `${udp},geneve(${d.pick(['', 'oam,', 'crit,'])}vni=${number(d, 24)})`, 16],
    () => ['5', `${udp},geneve(${d.pick(['', 'oam,', 'crit,'])}vni=${number(d, 24)},options({class=0xffff,type=0x80,len=4,0xa}))`, 24],
    () => ['3', `gre((flags=0x0,proto=0x6558))`, 4],
    () => ['3', `gre((flags=0x2000,proto=0x6558),key=${number(d, 32)})`, 8],
    () => ['3', `gre((flags=0xa000,proto=0x6558),csum=0x0,key=${number(d, 32)})`, 12],
  ] as readonly (() => [string, string, number])[])();
  const whole = 14 + (is6 ? 40 : 20) + size;
  const header = `size=${d.chance(9, 10) ? whole : d.below(200)},type=${type},${ethernet},${outer},${tail}`;
  return `tnl_push(tnl_port(${d.pick(['4', '6081', '0'])}),header(${header}),out_port(${port(d)}))`;
}

const SET_GROUPS = ['eth', 'vlan', 'ipv4', 'ipv6', 'tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'arp', 'nd', 'mpls', 'nsh'] as const;

function set(d: Dice): string {
  switch (d.below(10)) {
    case 0:
      return `set(${d.pick(['skb_mark', 'skb_priority'])}(${number(d, 32)}${d.chance(1, 4) ? `/${number(d, 32)}` : ''}))`;
    case 1:
      return `set(${tunnel(d, d.pick([0, 0, 0, 2]), true)})`;
    case 2:
      return `set(${d.pick(['eth_type(0x800)', 'in_port(1)', 'recirc_id(1)', 'dp_hash(1)', 'ct_mark(1)', 'tcp_flags(1)', 'eth_type()', 'encap()', 'packet_type(ns=0,id=0)', 'ct_state(0)', 'ct_label(5)', 'nd_ext(nd_reserved=1)'])})`;
    default: {
      const name = d.pick(SET_GROUPS);
      const whole = group(d, d.pick([0, 0, 2, 10]), name, {}, d.chance(1, 2));
      return `set(${d.chance(4, 5) ? whole.replace(/,frag=\w+/, '') : whole})`;
    }
  }
}

type Maker = (d: Dice, depth: number) => string;
const MAKERS: readonly Maker[] = [
  port,
  port,
  port,
  set,
  set,
  set,
  set,
  ct,
  ct,
  ct,
  userspace,
  userspace,
  tunnelPush,
  (d) => `tnl_pop(${port(d)})`,
  (d) => `lb_output(${number(d, 32)})`,
  (d) => `recirc(${number(d, 32)})`,
  (d) => `hash(${d.pick(['hash_l4', 'l4', 'sym_l4', 'hash_sym_l4'])}(${number(d, 8)}))`,
  (d) => `meter(${number(d, 32)})`,
  (d) => `trunc(${d.pick(['14', '100', '0', '13', '65535', '4294967295', '0x20'])})`,
  (d) =>
    `push_vlan(${d.chance(1, 4) ? `tpid=${d.pick(['0x8100', '0x88a8', '0x9100', '33024'])},` : ''}vid=${number(d, 12)}${d.chance(4, 5) ? `,pcp=${d.below(8)}` : ''}${d.chance(1, 8) ? `,cfi=${d.below(2)}` : ''})`,
  () => 'pop_vlan',
  (d) =>
    `push_mpls(label=${number(d, 20)},tc=${d.below(8)},ttl=${number(d, 8)},bos=${d.below(2)},eth_type=${d.pick(['0x8847', '0x8848', '0x800'])})`,
  (d) => `add_mpls(label=${number(d, 20)},tc=${d.below(8)},ttl=${number(d, 8)},bos=${d.below(2)},eth_type=${d.pick(['0x8847', '0x8848'])})`,
  (d) => `pop_mpls(eth_type=${d.pick(['0x800', '0x0800', '2048', '0x8847'])})`,
  (d) => `push_eth(src=${mac(d)},dst=${mac(d)})`,
  () => 'pop_eth',
  (d) =>
    `push_nsh(${options(d, [() => `flags=${d.below(4)}`, () => `ttl=${d.below(64)}`, () => `mdtype=${d.pick(['1', '2'])}`, () => `np=${number(d, 8)}`, () => `spi=${number(d, 24)}`, () => `si=${number(d, 8)}`, () => `c1=${number(d, 32)}`, () => `c2=${number(d, 32)}`, () => `c3=${number(d, 32)}`, () => `c4=${number(d, 32)}`, () => `md2=0x${Buffer.from(d.bytes(4 * d.below(4))).toString('hex')}`], 1)})`,
  (d) => d.pick(['pop_nsh()', 'pop_nsh']),
  () => 'ct_clear',
  () => 'drop',
  (d) => `drop(${number(d, 16)})`,
  (d, depth) => `clone(${list(d, depth + 1)})`,
  (d, depth) =>
    `sample(sample=${d.pick(['0', '1', '10', '50', '33.3', '99.9', '100', '0.1', '101', '12.345'])}%,actions(${list(d, depth + 1)}))`,
  (d, depth) => `check_pkt_len(size=${number(d, 16)},gt(${list(d, depth + 1)}),le(${list(d, depth + 1)}))`,
];

function list(d: Dice, depth: number): string {
  const makers = depth > 2 ? MAKERS.slice(0, 7) : MAKERS;
  const parts = Array.from({ length: d.pick([0, 1, 1, 1, 2, 2, 3]) }, () => d.pick(makers)(d, depth));
  return parts.length === 0 ? d.pick(['drop', '']) : parts.join(d.chance(1, 20) ? d.pick([' ', ', ', ',,']) : ',');
}

/** Actions, one of which may be wrong. */
export const actionText = (d: Dice, faults = 6): string => {
  const text = d.chance(1, 12) ? d.pick(MAKERS)(d, 0) : list(d, 0);
  return d.chance(1, faults) ? spoil(d, text) : text;
};

/** Actions that are sound, of kinds that a datapath carries out. */
const PLAIN: readonly Maker[] = [
  (d) => d.pick(['1', '2', '3']),
  (d) => d.pick(['1', '2', '3']),
  (d) => `push_vlan(vid=${d.below(4096)},pcp=${d.below(8)})`,
  () => 'pop_vlan',
  (d) => `set(eth(src=${mac(d)},dst=${mac(d)}))`,
  (d) => `set(ipv4(ttl=${d.below(256)}))`,
  () => 'trunc(100),2',
  (d) => `ct(commit,zone=${d.below(9)})`,
  (d) => `clone(push_vlan(vid=${d.below(4096)},pcp=0),3)`,
  (d) => `sample(sample=50.0%,actions(${d.below(4)}))`,
];
export const plainActions = (d: Dice): string =>
  Array.from({ length: d.below(4) }, () => d.pick(PLAIN)(d, 0)).join(',') || d.pick(['drop', '']);

/** A flow that is likely to be wrong. */
export function spoiltFlow(d: Dice, masks?: number): string {
  const text = flowText(d, masks);
  const spoilt = spoil(d, text);
  // A tag without addresses before it is left out.
  return spoilt.includes('vlan(') && !spoilt.includes('eth(') ? text : spoilt;
}
