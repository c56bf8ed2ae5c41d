// Actions whose parts are sound or faulty, each for itself: which of several faults is told, and how. One entry an action; a part is drawn
// from what it may be and, once in a while, from what it may not.
import type { Dice } from './random.ts';

/** How often a part is faulty: one in so many. */
const RARITY = 4;

type Part = (d: Dice) => string;

const part =
  (sound: readonly string[], faulty: readonly string[]): Part =>
  (d) =>
    d.pick(d.chance(1, RARITY) ? faulty : sound);

const SUBFIELD_FAULTS = [
  '',
  'what',
  'what[]',
  'NXM_NX_REG0[',
  'NXM_NX_REG0[]x',
  'NXM_NX_REG0[0..32]',
  'NXM_NX_REG0[32]',
  'NXM_NX_REG0[5..2]',
  'NXM_NX_REG0[a]',
  'NXM_NX_REG0]',
  'reg0[0..',
  'NXM_OF_IN_PORT[]',
  'NXM_NX_CT_STATE[0]',
  'OXM_OF_TCP_SRC[]',
  'NXM_OF_IP_SRC[]',
  'NXM_NX_REG1[-1]',
  'NXM_NX_REG1[-1..3]',
  'tcp_flags[]',
  'NXM_NX_ND_TARGET[]',
  'nsh_spi[]',
  'nsh_flags',
  'dl_vlan[]',
  'vlan_vid[]',
  'vlan_vid[0..12]',
  'tun_metadata0[0..5]',
  'tun_metadata0[]',
  'metadata',
  'NXM_NX_REG0[0..15]',
  'NXM_NX_REG0[0]',
  'reg0[0]]',
  'reg0 []',
  'xreg0[40]',
];
/** A part of a field that can be written. */
const destination = part(
  ['NXM_NX_REG0[]', 'reg1[]', 'reg2', 'NXM_NX_REG3[0..15]', 'OXM_OF_METADATA[0..31]', 'NXM_NX_REG0[0..31]'],
  SUBFIELD_FAULTS,
);
const bit = part(['NXM_NX_REG0[0]', 'reg1[5]', 'OXM_OF_METADATA[63]', 'NXM_NX_REG0[0..0]'], SUBFIELD_FAULTS);
const port = part(
  ['1', '7', 'LOCAL', 'in_port', '0xfffe', 'CONTROLLER'],
  ['', 'nobody', '-1', '70000', '0x', '1x', 'ANY', 'NORMAL', 'TABLE', '65280', '"x"', '0xffffff01'],
);
const table = part(['0', '5', '254', '255', ''], ['256', '-1', 'nobody', '0x1', '1x', ' 1']);
const u16 = part(['0', '10', '65535', '0x10'], ['', '65536', '-1', 'x', '1x', '0x', '99999999999999999999']);
const u32 = part(['1', '4294967295', '0xff'], ['', '-1', 'x', '5x', '99999999999', '99999999999999999999']);
const hash = part(
  ['eth_src', 'symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'symmetric_l3', 'nw_src', 'nw_dst'],
  ['', 'what', 'ETH_SRC', 'eth_src ', 'fields'],
);
const arrow = part(['->'], ['', '-', '->->', '=>', '->', ' -> ']);

/** Parts between commas, now and then one too few or many, or other separators. */
function list(d: Dice, parts: readonly string[]): string {
  const all = [...parts];
  if (d.chance(1, 10)) all.splice(d.below(all.length + 1), 1);
  if (d.chance(1, 16)) all.splice(d.below(all.length + 1), 0, d.pick(['', 'what', '1']));
  return all.join(d.chance(1, 12) ? d.pick([' ', ', ', ',,', ':']) : ',');
}

const some = (d: Dice, most: number, make: () => string): string[] => Array.from({ length: d.below(most + 1) }, make);
const anyOf = (d: Dice, choices: Readonly<Record<string, Part>>): string => {
  const key = d.pick(Object.keys(choices));
  return `${key}${d.chance(1, 20) ? '' : `=${choices[key]?.(d) ?? ''}`}`;
};
const maybe = (d: Dice, text: string): string[] => (d.chance(2, 3) ? [text] : []);
const bracketed = (d: Dice, name: string, inside: string): string =>
  d.chance(1, 25) ? `${name}${d.pick([':', '=', '(', ''])}${inside}` : `${name}(${inside})`;

const members = (d: Dice): string =>
  `${d.chance(1, RARITY * 2) ? d.pick(['', 'member', 'ports', 'MEMBERS', 'slave']) : d.pick(['members', 'slaves'])}${d.chance(1, 16) ? d.pick(['', ' ', '=', ',']) : ':'}${some(d, 3, () => port(d)).join(d.chance(1, 12) ? d.pick([' ', ', ']) : ',')}`;

const specification = (d: Dice): string => {
  const field = part(
    [
      'NXM_OF_VLAN_TCI[0..11]',
      'NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]',
      'eth_type=0x800',
      'nw_proto=6',
      'reg0[0..7]=5',
      'reg1=7',
      'ip_dst=1.2.3.4',
      'in_port=1',
    ],
    [
      'NXM_OF_VLAN_TCI[0..11]=NXM_OF_VLAN_TCI[]',
      'what',
      'what=1',
      'reg0[0..3]=99',
      'tcp_dst=tcp_src',
      'NXM_OF_TCP_DST[]=NXM_OF_TCP_SRC[]',
      'ip_src=1.2.3',
      'eth_src=1',
      'reg0=1/1',
      'eth_type=',
      '=1',
      'vlan_vid=5',
      'dl_vlan=5',
      'ip',
      'tcp',
      'in_port=nobody',
      'nsh_spi=1',
      'ct_state=+trk',
      'conj_id=1',
      'tun_metadata0=1',
      'reg0[]=what[]',
      'NXM_OF_IP_DST[]=0',
    ],
  );
  switch (d.below(4)) {
    case 0:
      return `load:${part(['1', '0', 'NXM_OF_IN_PORT[]', 'reg0[0..15]', 'reg3[]'], ['', 'x', '-1', '99999999999', '1x', 'NXM_OF_TCP_SRC[]', 'what[]', 'nsh_spi[]', '0x', '123456789012345678901'])(d)}${arrow(d)}${destination(d)}`;
    case 1:
      return `output:${destination(d)}`;
    default:
      return field(d);
  }
};

const nested = (d: Dice): string => Array.from({ length: 1 + d.below(2) }, () => faultyAction(d, true)).join(',');

const MAKERS: Readonly<Record<string, Part>> = {
  multipath: (d) =>
    bracketed(
      d,
      'multipath',
      list(d, [
        hash(d),
        u16(d),
        part(['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'], ['', 'what', 'HRW', 'active_backup'])(d),
        part(['1', '2', '64', '65536'], ['', '0', '-1', '65537', 'x', '99999999999'])(d),
        u16(d),
        destination(d),
      ]),
    ),
  bundle: (d) =>
    bracketed(
      d,
      'bundle',
      `${list(d, [hash(d), u16(d), part(['hrw', 'active_backup'], ['', 'what', 'HRW', 'modulo_n'])(d), part(['ofport'], ['', 'what', 'OFPORT'])(d)])},${members(d)}`,
    ),
  bundle_load: (d) =>
    bracketed(
      d,
      'bundle_load',
      `${list(d, [hash(d), u16(d), part(['hrw', 'active_backup'], ['', 'what', 'HRW', 'modulo_n'])(d), part(['ofport'], ['', 'what', 'OFPORT'])(d), destination(d)])},${members(d)}`,
    ),
  learn: (d) =>
    bracketed(
      d,
      'learn',
      list(d, [
        ...some(d, 2, () =>
          anyOf(d, {
            table,
            priority: u16,
            idle_timeout: u16,
            hard_timeout: u16,
            fin_idle_timeout: u16,
            fin_hard_timeout: u16,
            cookie: u32,
            limit: u32,
            result_dst: bit,
            send_flow_rem: u16,
            delete_learned: u16,
            importance: u16,
          }),
        ),
        ...some(d, 3, () => specification(d)),
      ]),
    ),
  resubmit: (d) =>
    d.chance(1, 4)
      ? `resubmit:${port(d)}`
      : bracketed(d, 'resubmit', list(d, [port(d), table(d), ...(d.chance(1, 3) ? [part(['ct'], ['what', ''])(d)] : [])])),
  output: (d) =>
    d.chance(1, 3)
      ? `output:${d.chance(1, 2) ? port(d) : destination(d)}`
      : bracketed(
          d,
          'output',
          list(d, [
            ...maybe(d, `port=${port(d)}`),
            ...maybe(d, `max_len=${part(['14', '64', '0xffff'], ['13', '0', 'x', '', '-1', '99999999999'])(d)}`),
          ]),
        ),
  enqueue: (d) => d.pick([`enqueue:${port(d)}:${u32(d)}`, `enqueue(${list(d, [port(d), u32(d)])})`]),
  note: (d) => `note:${part(['00.11.22', '0011', '', 'ff'], ['0', 'gg', '00.1', '00..11', '.00', '00.', '0 1', 'zz.0'])(d)}`,
  sample: (d) =>
    bracketed(
      d,
      'sample',
      list(d, [
        ...maybe(d, `probability=${part(['1', '65535'], ['0', '', '65536', '-1', 'x'])(d)}`),
        ...maybe(d, `collector_set_id=${u32(d)}`),
        ...maybe(d, `obs_domain_id=${u32(d)}`),
        ...maybe(d, `obs_point_id=${u32(d)}`),
        ...maybe(d, `sampling_port=${port(d)}`),
        ...maybe(d, part(['ingress', 'egress'], ['what', 'ingress=1', 'what=1', 'ingress,egress'])(d)),
      ]),
    ),
  ct: (d) =>
    bracketed(
      d,
      'ct',
      list(d, [
        ...maybe(d, part(['commit'], ['force', 'commit=1', 'what', 'what=1'])(d)),
        ...some(d, 3, () =>
          anyOf(d, {
            force: () => '',
            table,
            zone: d.chance(1, 2) ? u16 : destination,
            alg: part(['ftp', 'tftp'], ['', 'what', 'FTP']),
            nat: part([''], ['x']),
          }),
        ),
        ...maybe(
          d,
          `nat(${list(d, [part(['src=1.2.3.4', 'dst=1.2.3.4-1.2.3.9', 'src', 'dst', 'src=1.2.3.4:80-90'], ['src=', 'dst=x', 'src=1.2.3.9-1.2.3.4', 'src=1.2.3.4:', 'src=1.2.3.4:9-5', 'src=::1-1.2.3.4', 'src=[::1]:x', 'what', 'src=1.2.3.4:70000', 'src=1.2.3.4:80x'])(d), ...maybe(d, part(['random', 'hash', 'persistent'], ['what', 'random=1', 'src', 'hash,random'])(d))])})`,
        ),
        ...maybe(
          d,
          `exec(${d.chance(1, 2) ? nested(d) : d.pick(['set_field:1->ct_mark', 'load:1->NXM_NX_CT_MARK[]', 'set_field:1->reg0', 'output:1', 'ct()', '', 'nat(src)', 'move:NXM_NX_REG0[]->NXM_NX_CT_MARK[]', 'clone(output:1)'])})`,
        ),
      ]),
    ),
  check_pkt_larger: (d) => `check_pkt_larger(${u16(d)})${arrow(d)}${bit(d)}`,
  fin_timeout: (d) =>
    bracketed(
      d,
      'fin_timeout',
      list(
        d,
        some(d, 3, () => anyOf(d, { idle_timeout: u16, hard_timeout: u16, what: u16 })),
      ),
    ),
  conjunction: (d) =>
    `conjunction(${u32(d)}${part([','], ['', ':', ', ', ',,'])(d)}${part(['1/2', '2/2', '1/64', ' 1 / 2'], ['0/2', '3/2', '1/1', '1/65', '1', '/2', '1/', 'x/2', '1/2/3', '257/2', '-1/2'])(d)})`,
  clone: (d) => `clone(${nested(d)})`,
  write_actions: (d) => `write_actions(${nested(d)})`,
  load: (d) => `load:${u32(d)}${arrow(d)}${destination(d)}`,
  move: (d) => `move:${destination(d)}${arrow(d)}${destination(d)}`,
  set_field: (d) =>
    `set_field:${part(['1', '0xff', '1.2.3.4', '00:11:22:33:44:55'], ['', 'x', '1/1', '1/x', '-1', '99999999999', '1 ', ' 1'])(d)}${arrow(d)}${part(['reg0', 'ip_dst', 'eth_src', 'metadata'], ['what', 'in_port_oxm', 'tcp_dst', 'eth_type', 'vlan_vid', 'reg0[]', 'reg0 ', 'NXM_NX_REG0', 'ip_proto', 'nsh_spi', 'tun_metadata0', 'ct_mark', ''])(d)}`,
  controller: (d) =>
    bracketed(
      d,
      'controller',
      list(
        d,
        some(d, 4, () =>
          anyOf(d, {
            max_len: u16,
            id: u16,
            reason: part(['action', 'no_match', 'invalid_ttl', ''], ['what', 'NO_MATCH']),
            userdata: part(['00.11', ''], ['0', 'zz', '00.1']),
            meter_id: u32,
            pause: u16,
            what: u16,
          }),
        ),
      ),
    ),
  encap: (d) =>
    `encap(${part(['ethernet', 'nsh', 'mpls', 'nsh(md_type=1)', 'nsh(md_type=2,tlv(0x1000,10,0x12345678))'], ['', 'what', 'nsh(md_type=3)', 'nsh(what=1)', 'nsh(md_type=2,tlv(0x1000,10))', 'nsh(tlv(1,1,1))', 'nsh(md_type=1,tlv(1,1,1))', 'mpls(ether_type=1)', 'mpls(what=1)', 'ethernet(what=1)', 'nsh(md_type=2,tlv(1,1,0x1))', 'nsh(md_type=2,tlv(x,1,0x11))', 'nsh(md_type=)', 'ethernet,nsh'])(d)})`,
  decap: (d) =>
    `decap(${part(['', 'packet_type(ns=0,type=0)', 'packet_type(ns=1,type=0x894f)'], ['what', 'packet_type', 'packet_type(ns=0)', 'packet_type(type=0)', 'packet_type(ns=0,type=x)', 'packet_type(ns=9,type=0)', 'packet_type(what=1)', 'packet_type(ns=0,type=0,what=1)'])(d)})`,
  dec_ttl: (d) =>
    `dec_ttl(${list(
      d,
      some(d, 3, () => u16(d)),
    )})`,
  push: (d) => `${d.pick(['push', 'pop'])}:${destination(d)}`,
  group: (d) => `group:${u32(d)}`,
  meter: (d) => `meter:${u32(d)}`,
  goto_table: (d) => `goto_table:${table(d)}`,
  write_metadata: (d) => `write_metadata:${u32(d)}${d.chance(1, 2) ? `/${u32(d)}` : ''}`,
  vlan: (d) =>
    `${d.pick(['mod_vlan_vid', 'set_vlan_vid', 'mod_vlan_pcp', 'set_vlan_pcp', 'push_vlan', 'push_mpls', 'pop_mpls', 'set_mpls_label', 'set_mpls_tc', 'set_mpls_ttl', 'mod_nw_tos', 'mod_nw_ecn', 'mod_nw_ttl', 'mod_tp_src', 'mod_tp_dst', 'set_queue', 'set_tunnel', 'set_tunnel64', 'delete_field'])}${d.pick([':', ':', '(', '='])}${d.chance(1, 3) ? destination(d) : d.chance(1, 2) ? u16(d) : u32(d)}`,
  address: (d) =>
    `${d.pick(['mod_dl_src', 'mod_dl_dst', 'mod_nw_src', 'mod_nw_dst'])}:${part(['1.2.3.4', '00:11:22:33:44:55'], ['', '1.2.3', '1.2.3.4.5', '00:11:22:33:44', '00:11:22:33:44:55:66', '1.2.3.4/8', '::1', '01.2.3.4', '0:1:2:3:4:5'])(d)}`,
  word: (d) =>
    d.pick([
      'drop',
      'exit',
      'ct_clear',
      'pop_queue',
      'strip_vlan',
      'dec_nsh_ttl',
      'dec_mpls_ttl',
      'clear_actions',
      'apply_actions',
      'apply_actions(output:1)',
      'normal',
      'flood',
      'all',
      'local',
      'what',
      'what:1',
      'drop:1',
      'exit(1)',
      'strip_vlan:5',
      '1',
      '-1',
      '70000',
      'NORMAL:1',
      'LOCAL(1)',
    ]),
};
const NAMES = Object.keys(MAKERS);

/** One action, of whose parts some are faulty. */
export function faultyAction(d: Dice, isNested = false): string {
  const name = isNested && d.chance(2, 3) ? d.pick(['word', 'output', 'load', 'set_field', 'resubmit']) : d.pick(NAMES);
  return MAKERS[name]?.(d) ?? '';
}

/** A flow with one or two such actions. */
export function faultyFlow(d: Dice): string {
  const head = part(
    ['', '', 'tcp', 'ip', 'table=5', 'nsh', 'mpls', 'ip,ct_state=+trk', 'udp6', 'arp', 'sctp'],
    [
      'what',
      'tcp_dst=1',
      'table=256',
      'priority=x',
      'what=1',
      'in_port=nobody',
      'ip=1',
      'cookie=1/1',
      'tcp,udp',
      'reg0[]=1',
      'packet_type=(1,0x800)',
      'arp,arp_op=6',
      'icmp6',
      'ip,nw_proto=6,nw_frag=later',
    ],
  )(d);
  const actions = Array.from({ length: 1 + d.below(2) }, () => faultyAction(d)).join(',');
  return `${head}${head === '' ? '' : ' '}actions=${actions}`;
}
