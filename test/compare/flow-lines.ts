// Flows as text: matches of every field with its prerequisites, every action with every form of its arguments, in the head everything that a
// flow may say. Built from the tables of the code under test, so that a new row is compared without being asked for.
import type { Field } from '../../src/flow/fields.ts';
import { FIELDS } from '../../src/flow/fields.ts';
import type { Dice } from './random.ts';

export const mac = (d: Dice): string => [...d.bytes(6)].map((b) => b.toString(16).padStart(2, '0')).join(':');
export const ipv4 = (d: Dice): string => [...d.bytes(4)].join('.');
export const ipv6 = (d: Dice): string => {
  const words = Array.from({ length: 8 }, () => (d.chance(1, 2) ? 0 : d.number(16)).toString(16));
  const text = words.join(':');
  return d.chance(1, 2) ? text : text.replace(/(^|:)0(:0)+(:|$)/, '::');
};
const PORTS = ['1', '7', '255', '65279', 'LOCAL', 'local', 'IN_PORT', 'CONTROLLER', 'ANY', 'NORMAL', 'FLOOD', 'ALL', 'TABLE', '0xfffe'];
export const port = (d: Dice): string => (d.chance(2, 3) ? String(1 + d.below(0xfe00)) : d.pick(PORTS));
const number = (d: Dice, bits: number): string => {
  const value = d.bits(bits);
  return d.chance(1, 2) ? String(value) : `0x${value.toString(16)}`;
};
const CT = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const TCP = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
const flags = (d: Dice, names: readonly string[]): string => {
  const parts = names.filter(() => d.chance(1, 3)).map((name) => `${d.pick(['+', '-'])}${name}`);
  return parts.length === 0 ? `+${names[0]}` : parts.join('');
};

/** A value of a field as text, masked now and then where the field may be. */
export function valueText(d: Dice, field: Field): string {
  const masked = field.maskable && d.chance(1, 3);
  const bits = field.name.startsWith('tun_metadata') ? 32 : field.bits;
  switch (field.format) {
    case 'mac':
      return masked ? `${mac(d)}/${d.chance(1, 2) ? '01:00:00:00:00:00' : mac(d)}` : mac(d);
    case 'ipv4':
      return masked ? `${ipv4(d)}/${d.chance(2, 3) ? d.below(33) : ipv4(d)}` : ipv4(d);
    case 'ipv6':
      return masked ? `${ipv6(d)}/${d.chance(2, 3) ? d.below(129) : ipv6(d)}` : ipv6(d);
    case 'port16':
    case 'port32':
      return port(d);
    case 'frag':
      return d.pick(['no', 'yes', 'first', 'later', 'not_later']);
    case 'tcpFlags':
      return d.chance(1, 2) ? flags(d, TCP) : masked ? `${number(d, 9)}/${number(d, 12)}` : number(d, 12);
    case 'ctState':
      return d.chance(2, 3) ? flags(d, CT) : masked ? `${number(d, 8)}/${number(d, 8)}` : d.pick(CT);
    case 'tunFlags':
      return d.pick(['+oam', '-oam', 'oam', '0', '1']);
    case 'packetType':
      return d.pick(['(0,0)', '(1,0x800)', '(1,0x86dd)', '(1,0x8847)', '(1,0x894f)']);
    default:
      return masked ? `${number(d, bits)}/${number(d, bits)}` : number(d, bits);
  }
}

const PREREQS: Readonly<Record<string, readonly string[]>> = {
  vlan: ['dl_vlan=5', 'vlan_vid=0x1000/0x1000', 'dl_vlan_pcp=3'],
  ct: ['ct_state=+trk', 'ct_state=+trk+est', 'ct_state=+trk-inv', 'ct_state=+trk+new'],
  mpls: ['mpls', 'mplsm', 'eth_type=0x8847'],
  ipv4: ['ip', 'dl_type=0x800', 'tcp', 'udp', 'sctp', 'icmp'],
  ipv6: ['ipv6', 'tcp6', 'udp6', 'icmp6', 'eth_type=0x86dd'],
  ip: ['ip', 'ipv6', 'tcp', 'udp6', 'ip,nw_proto=47'],
  arp: ['arp', 'rarp'],
  nsh: ['dl_type=0x894f'],
  tcp: ['tcp', 'tcp6', 'ip,nw_proto=6'],
  udp: ['udp', 'udp6'],
  sctp: ['sctp', 'sctp6'],
  icmpv4: ['icmp'],
  icmpv6: ['icmp6'],
  nd: ['icmp6,icmp_type=135,icmp_code=0', 'icmp6,icmp_type=136,icmp_code=0'],
  ndSolicit: ['icmp6,icmp_type=135,icmp_code=0'],
  ndAdvert: ['icmp6,icmp_type=136,icmp_code=0'],
};

/** What a match must say for a field to be there, one way of several. */
export function prerequisite(d: Dice, field: Field): string {
  const needs = PREREQS[field.prereq];
  if (needs === undefined) return '';
  // Addresses and ports of a connection are those of a kind of packet too.
  const kind = field.name.startsWith('ct_ipv6') ? ',ipv6' : /^ct_nw_[sd]/.test(field.name) ? ',ip' : '';
  if (field.name.startsWith('ct_tp_')) return `${d.pick(needs)},${d.pick(['ip', 'ipv6'])},ct_nw_proto=${d.pick([6, 17, 132])}`;
  return `${d.pick(needs)}${kind}`;
}

const name = (d: Dice, field: Field): string => (field.alias !== undefined && d.chance(1, 2) ? field.alias : field.name);
/** Names that the table has twice or that text does not know. */
const MATCHED = FIELDS.filter((field) => field.name !== 'in_port_oxm' && !field.name.startsWith('tun_metadata'));

/** A match: prerequisites, mostly, and some fields that go with them. */
export function matchText(d: Dice, hostile = 0): string {
  const parts: string[] = [];
  const main = d.pick(MATCHED);
  const needs = PREREQS[main.prereq];
  if (needs !== undefined && !d.chance(hostile, 20)) parts.push(d.pick(needs));
  else if (d.chance(1, 3)) parts.push(d.pick(Object.values(PREREQS).flat()));
  const same = MATCHED.filter((field) => field.prereq === main.prereq || field.prereq === 'none' || field.prereq === 'ethernet');
  const chosen = new Set<Field>(d.chance(1, 10) ? [] : [main]);
  for (const field of d.some(3, () => d.pick(same))) chosen.add(field);
  for (const field of chosen) parts.push(`${name(d, field)}=${valueText(d, field)}`);
  return parts.join(',');
}

const WRITABLE = MATCHED.filter((field) => field.writable && field.codes.length > 0 && !field.name.startsWith('tun_metadata'));
const CODED = MATCHED.filter((field) => field.codes.length > 0 && !field.name.startsWith('tun_metadata'));

function subfield(d: Dice, fields: readonly Field[], width?: number): { text: string; bits: number } {
  const usable = width === undefined ? fields : fields.filter((field) => field.bits >= width);
  const field = d.pick(usable);
  const bits = width ?? (d.chance(1, 2) ? field.bits : 1 + d.below(field.bits));
  const offset = d.below(field.bits - bits + 1);
  const label = d.chance(2, 3) ? d.pick(field.codes).label : field.name;
  if (bits === field.bits && d.chance(1, 2)) return { text: `${label}[]`, bits };
  return { text: bits === 1 ? `${label}[${offset}]` : `${label}[${offset}..${offset + bits - 1}]`, bits };
}

const hexBytes = (d: Dice, most: number): string =>
  [...d.bytes(d.below(most + 1))].map((b) => b.toString(16).padStart(2, '0')).join(d.pick(['', '.']));
/** Labels that fit the layouts with 32 bits for a field. */
const SHORT = WRITABLE.filter((field) => field.codes.every(({ cls }) => cls === 'nxm0' || cls === 'nxm1' || cls === 'oxm'));
const HASHES = ['eth_src', 'symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'nw_src', 'nw_dst', 'symmetric_l3'];

function move(d: Dice): string {
  const dst = subfield(d, WRITABLE);
  return `move:${subfield(d, CODED, dst.bits).text}->${dst.text}`;
}

function load(d: Dice): string {
  const dst = subfield(d, WRITABLE);
  return `load:${number(d, Math.min(dst.bits, 64))}->${dst.text}`;
}

function nat(d: Dice): string {
  if (d.chance(1, 4)) return 'nat';
  const ports = d.chance(1, 2) ? `:${1 + d.below(60000)}${d.chance(1, 2) ? '-65000' : ''}` : '';
  const v4 = `${ipv4(d)}${d.chance(1, 2) ? '-255.255.255.255' : ''}${ports}`;
  const six = `${ipv6(d)}${d.chance(1, 2) ? '-ffff:ffff::1' : ''}`;
  const range = d.pick(['', `=${v4}`, `=[${six}]${ports}`, `=${ipv4(d)}`, `=${ports}`, `=${six}`]);
  return `nat(${d.pick(['src', 'dst'])}${range}${d.pick(['', ',random', ',hash', ',persistent', ',persistent,hash'])})`;
}

function learn(d: Dice): string {
  const parts = [`table=${d.below(255)}`];
  const maybe = (text: string): void => void (d.chance(1, 5) && parts.push(text));
  maybe(`idle_timeout=${d.number(16)}`);
  maybe(`hard_timeout=${d.number(16)}`);
  maybe(`fin_idle_timeout=${d.number(16)}`);
  maybe(`fin_hard_timeout=${d.number(16)}`);
  maybe(`priority=${d.number(16)}`);
  maybe(`cookie=${number(d, 64)}`);
  maybe('send_flow_rem');
  maybe('delete_learned');
  maybe(`limit=${d.number(32)}`);
  maybe(`result_dst=${d.pick(['reg0[5]', 'NXM_NX_REG3[31]', 'tun_id[0]'])}`);
  for (const spec of d.some(3, () => d.below(6))) {
    if (spec === 0) parts.push(`output:${subfield(d, CODED, 16).text}`);
    else if (spec === 1) parts.push(`load:${number(d, 16)}->${subfield(d, WRITABLE, 16).text}`);
    else if (spec === 2) parts.push(`load:${subfield(d, CODED, 8).text}->${subfield(d, WRITABLE, 8).text}`);
    else if (spec === 3) parts.push(subfield(d, CODED).text);
    else if (spec === 4) {
      const bits = 1 + d.below(32);
      parts.push(`${subfield(d, CODED, bits).text}=${d.chance(1, 2) ? number(d, bits) : subfield(d, CODED, bits).text}`);
    } else {
      parts.push(
        d.pick(['eth_type=0x800', 'ip,nw_proto=6'.split(',')[1] ?? '', `nw_src=${ipv4(d)}`, `reg1=${number(d, 32)}`, `eth_src=${mac(d)}`]),
      );
    }
  }
  return `learn(${parts.join(',')})`;
}

type Make = (d: Dice, depth: number) => string;
const u8 = (d: Dice): string => number(d, 8);
const u16 = (d: Dice): string => number(d, 16);
const u32 = (d: Dice): string => number(d, 32);

/** One maker for each action's name. */
export const ACTION_MAKERS: Readonly<Record<string, Make>> = {
  output: (d) => d.pick([`output:${port(d)}`, port(d), `output:${subfield(d, CODED).text}`]),
  output_trunc: (d) => `output(port=${port(d)},max_len=${14 + d.below(60000)})`,
  reserved: (d) => d.pick(['NORMAL', 'normal', 'flood', 'all', 'in_port', 'LOCAL', 'controller', 'CONTROLLER:7', 'TABLE']),
  controller: (d) =>
    `controller(${[
      d.chance(1, 2) ? `max_len=${u16(d)}` : '',
      d.chance(1, 2) ? `id=${u16(d)}` : '',
      d.chance(1, 2) ? `reason=${d.pick(['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'])}` : '',
      d.chance(1, 3) ? `userdata=${hexBytes(d, 9)}` : '',
      d.chance(1, 3) ? 'pause' : '',
      d.chance(1, 3) ? `meter_id=${d.below(9)}` : '',
    ]
      .filter((text) => text !== '')
      .join(',')})`,
  enqueue: (d) => d.pick([`enqueue:${port(d)}:${u32(d)}`, `enqueue(${port(d)},${u32(d)})`]),
  group: (d) => `group:${d.pick([u32(d), String(d.below(9)), 'all'])}`,
  bundle: (d) =>
    `bundle(${d.pick(HASHES)},${d.number(16)},${d.pick(['hrw', 'active_backup'])},ofport,members:${d.some(4, () => String(1 + d.below(99))).join(',')})`,
  bundle_load: (d) =>
    `bundle_load(${d.pick(HASHES)},${d.number(16)},hrw,ofport,${subfield(d, d.chance(1, 6) ? WRITABLE : SHORT, 16).text},${d.pick(['members', 'slaves'])}:1,2)`,
  multipath: (d) =>
    `multipath(${d.pick(HASHES)},${d.number(16)},${d.pick(['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'])},${1 + d.below(64)},${d.number(16)},${subfield(d, WRITABLE, 16).text})`,
  set_field: (d) => {
    const field = d.pick(WRITABLE);
    return `set_field:${valueText(d, field)}->${name(d, field)}`;
  },
  load,
  move,
  mod_vlan_vid: (d) => `${d.pick(['mod_vlan_vid', 'set_vlan_vid'])}:${d.below(4097)}`,
  mod_vlan_pcp: (d) => `${d.pick(['mod_vlan_pcp', 'set_vlan_pcp'])}:${d.below(8)}`,
  strip_vlan: (d) => d.pick(['strip_vlan', 'pop_vlan']),
  push_vlan: (d) => `push_vlan:${d.pick(['0x8100', '0x88a8', '33024'])}`,
  mod_dl: (d) => `mod_dl_${d.pick(['src', 'dst'])}:${mac(d)}`,
  mod_nw: (d) => `mod_nw_${d.pick(['src', 'dst'])}:${ipv4(d)}`,
  mod_nw_tos: (d) => `mod_nw_tos:${d.below(64) * 4}`,
  mod_nw_ecn: (d) => `mod_nw_ecn:${d.below(4)}`,
  mod_nw_ttl: (d) => `mod_nw_ttl:${u8(d)}`,
  mod_tp: (d) => `mod_tp_${d.pick(['src', 'dst'])}:${u16(d)}`,
  dec_ttl: (d) => d.pick(['dec_ttl', `dec_ttl(${d.some(3, () => String(d.below(9))).join(',')})`]),
  set_mpls_label: (d) => d.pick([`set_mpls_label:${number(d, 20)}`, `set_mpls_label(${number(d, 20)})`]),
  set_mpls_tc: (d) => `set_mpls_tc:${d.below(8)}`,
  set_mpls_ttl: (d) => `set_mpls_ttl:${u8(d)}`,
  dec_mpls_ttl: () => 'dec_mpls_ttl',
  push_mpls: (d) => `push_mpls:${d.pick(['0x8847', '0x8848'])}`,
  pop_mpls: (d) => `pop_mpls:${d.pick(['0x800', '0x8847', '0x86dd', u16(d)])}`,
  dec_nsh_ttl: () => 'dec_nsh_ttl',
  delete_field: (d) => `delete_field:tun_metadata${d.below(64)}`,
  set_tunnel: (d) => d.pick([`set_tunnel:${number(d, 32)}`, `set_tunnel64:${number(d, 64)}`, `set_tunnel:${number(d, 64)}`]),
  set_queue: (d) => `set_queue:${u32(d)}`,
  pop_queue: () => 'pop_queue',
  fin_timeout: (d) =>
    `fin_timeout(${d.pick([`idle_timeout=${u16(d)}`, `hard_timeout=${u16(d)}`, `idle_timeout=${u16(d)},hard_timeout=${u16(d)}`, ''])})`,
  resubmit: (d) =>
    d.pick([`resubmit:${port(d)}`, `resubmit(,${d.below(256)})`, `resubmit(${port(d)},${d.below(255)})`, `resubmit(,${d.below(255)},ct)`]),
  learn,
  conjunction: (d) => `conjunction(${u32(d)},${1 + d.below(2)}/${2 + d.below(63)})`,
  note: (d) => `note:${hexBytes(d, 20)}`,
  exit: () => 'exit',
  sample: (d) =>
    `sample(probability=${1 + d.below(65535)},collector_set_id=${d.number(32)}${d.chance(1, 2) ? `,obs_domain_id=${d.number(32)}` : ''}${d.chance(1, 2) ? `,obs_point_id=${d.number(32)}` : ''}${d.chance(1, 2) ? `,sampling_port=${1 + d.below(99)}` : ''}${d.pick(['', ',ingress', ',egress'])})`,
  push: (d) => `push:${subfield(d, CODED).text}`,
  pop: (d) => `pop:${subfield(d, WRITABLE).text}`,
  clone: (d, depth) => `clone(${actionsText(d, depth + 1)})`,
  check_pkt_larger: (d) => `check_pkt_larger(${u16(d)})->${subfield(d, WRITABLE, 1).text}`,
  ct: (d) => {
    const parts: string[] = [];
    const maybe = (text: string): void => void (d.chance(1, 3) && parts.push(text));
    const commit = d.chance(1, 2);
    if (commit) parts.push('commit');
    if (commit && d.chance(1, 3)) parts.push('force');
    maybe(`table=${d.below(255)}`);
    maybe(`zone=${d.pick([number(d, 16), subfield(d, CODED, 16).text])}`);
    maybe(nat(d));
    if (commit)
      maybe(
        `exec(${d.pick([`set_field:${number(d, 32)}->ct_mark`, `set_field:${number(d, 32)}/0xff->ct_mark`, `set_field:${number(d, 128)}->ct_label`, 'load:1->NXM_NX_CT_MARK[]', 'move:NXM_NX_REG0[]->NXM_NX_CT_LABEL[0..31]'])})`,
      );
    maybe(`alg=${d.pick(['ftp', 'tftp'])}`);
    return parts.length === 0 ? d.pick(['ct()', 'ct']) : `ct(${parts.join(',')})`;
  },
  ct_clear: () => 'ct_clear',
  encap: (d) =>
    d.pick([
      'encap(ethernet)',
      'encap(nsh)',
      'encap(nsh(md_type=1))',
      'encap(nsh(md_type=2))',
      'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))',
      'encap(mpls)',
      'encap(mpls_mc)',
      'encap(mpls(ether_type=0x8847))',
    ]),
  decap: (d) => d.pick(['decap()', 'decap(packet_type(ns=0,type=0))', 'decap(packet_type(ns=1,type=0x894f))']),
  debug: (d) => d.pick(['debug_recirc', 'debug_slow']),
};

const NAMES = Object.keys(ACTION_MAKERS);

export function actionText(d: Dice, depth = 0): string {
  const make = ACTION_MAKERS[depth > 2 ? 'output' : d.pick(NAMES)];
  return make === undefined ? 'output:1' : make(d, depth);
}

export function actionsText(d: Dice, depth = 0): string {
  return Array.from({ length: 1 + d.below(3) }, () => actionText(d, depth)).join(',');
}

/** Actions with the instructions of OpenFlow 1.1 and later around them. */
export function instructionsText(d: Dice): string {
  const parts: string[] = [];
  if (d.chance(1, 12)) parts.push(`meter:${1 + d.below(999)}`);
  if (d.chance(7, 8)) parts.push(actionsText(d));
  if (d.chance(1, 12)) parts.push('clear_actions');
  if (d.chance(1, 12)) parts.push(`write_actions(${actionsText(d, 1)})`);
  if (d.chance(1, 12)) parts.push(`write_metadata:${number(d, 64)}${d.chance(1, 2) ? `/${number(d, 64)}` : ''}`);
  if (d.chance(1, 12)) parts.push(`goto_table:${1 + d.below(254)}`);
  return parts.length === 0 ? 'drop' : parts.join(',');
}

/** A whole flow for add-flow. */
export function flowText(d: Dice, hostile = 0): string {
  const head: string[] = [];
  const maybe = (text: string): void => void (d.chance(1, 8) && head.push(text));
  maybe(`table=${d.below(255)}`);
  maybe(`priority=${u16(d)}`);
  maybe(`cookie=${number(d, 64)}`);
  maybe(`idle_timeout=${u16(d)}`);
  maybe(`hard_timeout=${u16(d)}`);
  maybe(`importance=${u16(d)}`);
  maybe(d.pick(['send_flow_rem', 'check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts']));
  const match = matchText(d, hostile);
  if (match !== '') head.push(match);
  return `${head.join(',')}${head.length === 0 ? '' : d.pick([' ', ','])}actions=${instructionsText(d)}`;
}

/** A text with something wrong in it: a character gone, doubled or changed, or a word put elsewhere. */
export function spoil(d: Dice, text: string): string {
  const at = d.below(text.length);
  switch (d.below(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.charAt(at) + text.slice(at);
    case 2:
      return text.slice(0, at) + d.pick(['0', 'x', ',', '(', ')', '[', ']', '/', '=', ':', '-', '>', 'a', '9', ' ']) + text.slice(at + 1);
    case 3:
      return text.slice(0, at);
    default:
      return text.replace(/\d+/, String(d.bits(d.pick([8, 16, 17, 32, 33, 64]))));
  }
}
