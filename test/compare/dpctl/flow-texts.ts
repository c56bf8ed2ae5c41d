// Datapath flows as text, as `ovs-dpctl add-flow` takes them: mostly sound, each field now and then left out, masked or in another notation.
import type { Dice } from '../random.ts';

export const number = (d: Dice, bits: number): string => {
  const value = d.chance(1, 2) ? BigInt(d.below(6)) & ((1n << BigInt(bits)) - 1n) : d.bits(bits);
  return d.chance(1, 2) ? `0x${value.toString(16)}` : String(value);
};
export const mac = (d: Dice): string =>
  d.chance(3, 4)
    ? d.pick(['00:00:00:00:00:01', '50:54:00:00:00:09', 'ff:ff:ff:ff:ff:ff', '01:80:c2:00:00:00', '00:00:00:00:00:00'])
    : [...d.bytes(6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
export const ipv4 = (d: Dice): string =>
  d.chance(3, 4) ? d.pick(['10.0.0.1', '10.0.0.2', '1.2.3.4', '0.0.0.0', '255.255.255.255', '224.0.0.1']) : [...d.bytes(4)].join('.');
export const ipv6 = (d: Dice): string =>
  d.pick(['fe80::1', '2001:cafe::88', '::', '::1', 'ff02::1:ff00:3', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8']);

const MASKS = {
  mac: ['ff:ff:ff:00:00:00', '01:00:00:00:00:00', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:fe'],
  ipv4: ['255.255.0.0', '255.0.0.255', '0.0.0.0', '255.255.255.255', '0.0.0.1'],
  ipv6: ['ffff:ffff::', '::', '::ff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
};

/** How often a value has a mask, in tenths. */
type Masks = number;

const masked = (d: Dice, masks: Masks, value: string, mask: () => string): string => (d.chance(masks, 10) ? `${value}/${mask()}` : value);
const num = (d: Dice, masks: Masks, bits: number): string => masked(d, masks, number(d, bits), () => number(d, bits));
const macs = (d: Dice, masks: Masks): string => masked(d, masks, mac(d), () => d.pick(MASKS.mac));
const ipv4s = (d: Dice, masks: Masks): string => masked(d, masks, ipv4(d), () => d.pick(MASKS.ipv4));
const ipv6s = (d: Dice, masks: Masks): string => masked(d, masks, ipv6(d), () => d.pick(MASKS.ipv6));

type Field = (d: Dice, masks: Masks) => string;
const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
const TUNNEL_FLAGS = ['df', 'csum', 'key', 'oam'];

function flags(d: Dice, masks: Masks, names: readonly string[], bits: number): string {
  const some = names.filter(() => d.chance(1, 3));
  if (d.chance(masks, 10)) return (some.length === 0 ? [names[0]!] : some).map((name) => `${d.pick(['+', '-'])}${name}`).join('');
  return d.chance(1, 2) ? some.join('|') : num(d, masks, bits);
}

const FRAGMENTS = ['no', 'no', 'no', 'no', 'first', 'later'];
const frag: Field = (d) => d.pick(FRAGMENTS);
const ports: Readonly<Record<string, Field>> = { src: (d, m) => num(d, m, 16), dst: (d, m) => num(d, m, 16) };
const icmp: Readonly<Record<string, Field>> = { type: (d, m) => num(d, m, 8), code: (d, m) => num(d, m, 8) };
const byte: Field = (d, m) => num(d, m, 8);

/** The fields of each group. What two depend on is made by `network`. */
export const GROUPS = {
  eth: { src: macs, dst: macs },
  ipv4: { src: ipv4s, dst: ipv4s, proto: byte, tos: byte, ttl: byte, frag },
  ipv6: { src: ipv6s, dst: ipv6s, label: (d, m) => num(d, m, 20), proto: byte, tclass: byte, hlimit: byte, frag },
  arp: { sip: ipv4s, tip: ipv4s, op: byte, sha: macs, tha: macs },
  tcp: ports,
  udp: ports,
  sctp: ports,
  icmp,
  icmpv6: icmp,
  nd: { target: ipv6s, sll: macs, tll: macs },
  nd_ext: { nd_reserved: (d, m) => num(d, m, 32), nd_options_type: byte },
  mpls: { label: (d, m) => num(d, m, 20), tc: (d, m) => num(d, m, 3), ttl: byte, bos: (d, m) => num(d, m, 1) },
  nsh: {
    flags: (d, m) => num(d, m, 2),
    ttl: (d, m) => num(d, m, 6),
    mdtype: (d) => d.pick(['1', '1', '2', '3']),
    np: byte,
    spi: (d, m) => num(d, m, 24),
    si: byte,
    c1: (d, m) => num(d, m, 32),
    c2: (d, m) => num(d, m, 32),
    c3: (d, m) => num(d, m, 32),
    c4: (d, m) => num(d, m, 32),
  },
  vlan: { vid: (d, m) => num(d, m, 12), pcp: (d, m) => num(d, m, 3) },
  ct_tuple4: { src: ipv4s, dst: ipv4s, proto: byte, tp_src: (d, m) => num(d, m, 16), tp_dst: (d, m) => num(d, m, 16) },
  ct_tuple6: { src: ipv6s, dst: ipv6s, proto: byte, tp_src: (d, m) => num(d, m, 16), tp_dst: (d, m) => num(d, m, 16) },
  packet_type: { ns: (d) => d.pick(['0', '0', '1', '2']), id: (d) => d.pick(['0', '0', '0x800', '0x86dd']) },
  tunnel: {
    tun_id: (d, m) => num(d, m, d.pick([8, 24, 64])),
    src: ipv4s,
    dst: ipv4s,
    tos: byte,
    ttl: byte,
    tp_src: (d, m) => num(d, m, 16),
    tp_dst: (d, m) => num(d, m, 16),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field>>>>;
export type GroupName = keyof typeof GROUPS;

/** A group with most of its fields; those in `given` have these values. */
export function group(d: Dice, masks: Masks, name: GroupName, given: Readonly<Record<string, string>> = {}, whole = false): string {
  const parts = Object.entries(GROUPS[name] as Readonly<Record<string, Field>>)
    .filter(([field]) => whole || field in given || d.chance(4, 5))
    .map(([field, make]) => `${field}=${given[field] ?? make(d, masks)}`);
  return `${name}(${parts.join(',')})`;
}

const TRANSPORTS = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 } as const;

/** What follows an IP header of that protocol. */
function transport(d: Dice, masks: Masks, name: keyof typeof TRANSPORTS): string[] {
  switch (name) {
    case 'tcp':
      return [group(d, masks, 'tcp'), ...(d.chance(1, 2) ? [`tcp_flags(${flags(d, masks, TCP_FLAGS, 12)})`] : [])];
    case 'icmpv6': {
      const type = d.pick(['128', '135', '135', '136', '143']);
      const isDiscovery = type === '135' || type === '136';
      const rest = isDiscovery && d.chance(5, 6) ? [group(d, masks, 'nd'), ...(d.chance(1, 4) ? [group(d, masks, 'nd_ext')] : [])] : [];
      return [group(d, 0, 'icmpv6', { type, code: '0' }), ...rest];
    }
    default:
      return [group(d, masks, name)];
  }
}

function network(d: Dice, masks: Masks): string[] {
  const type = (value: number): string => `eth_type(${d.chance(2, 3) ? `0x${value.toString(16).padStart(4, '0')}` : String(value)})`;
  switch (d.below(12)) {
    case 0:
      return [type(0x0806), group(d, masks, 'arp', { op: d.pick(['1', '2', '3']) })];
    case 1:
      return [type(0x8035), group(d, masks, 'arp')];
    case 2:
      return [type(d.pick([0x8847, 0x8848])), group(d, masks, 'mpls', { bos: '1' }, true)];
    case 3: {
      const upper = group(d, masks, 'mpls', { bos: '0' }, true).slice(0, -1);
      return [type(0x8847), `${upper},${group(d, masks, 'mpls', { bos: '1' }, true).slice('mpls('.length)}`];
    }
    case 4:
      return [type(0x894f), group(d, masks, 'nsh')];
    case 5:
      return [type(d.pick([0x1234, 0x0801, 0x600, 0x5ff, 0, 0x88cc, 0xffff]))];
    case 6:
      return [];
    default: {
      const is6 = d.chance(2, 5);
      const name = d.pick(is6 ? (['tcp', 'udp', 'sctp', 'icmpv6', 'icmpv6'] as const) : (['tcp', 'udp', 'sctp', 'icmp'] as const));
      const fragment = d.pick(FRAGMENTS);
      const proto = String(d.chance(5, 6) ? TRANSPORTS[name] : d.below(256));
      const header = group(d, masks, is6 ? 'ipv6' : 'ipv4', { proto, frag: fragment });
      return [type(is6 ? 0x86dd : 0x0800), header, ...(fragment === 'later' ? [] : transport(d, masks, name))];
    }
  }
}

const geneveOption = (d: Dice): string => {
  const size = d.pick([0, 4, 4, 8]);
  const value =
    size === 0
      ? ''
      : `,0x${Buffer.from(d.bytes(size))
          .toString('hex')
          .replace(/^0+(?=.)/, '')}`;
  return `{class=${number(d, 16)},type=${number(d, 8)},len=${size}${value}}`;
};

export function tunnel(d: Dice, masks: Masks, isAction = false): string {
  const parts = group(d, masks, 'tunnel', { dst: d.pick(['10.0.0.2', '1.2.3.4', '224.0.0.1']) }).slice('tunnel('.length, -1);
  const inner = d.chance(1, 5)
    ? parts.replace(/(^|,)src=[^,]*/, '').replace(/(^|,)dst=[^,]*/, `$1ipv6_src=${ipv6s(d, masks)},ipv6_dst=${ipv6s(d, masks)}`)
    : parts;
  const more: string[] = [];
  if (d.chance(1, 5)) more.push(`geneve(${geneveOption(d)}${d.some(2, () => geneveOption(d)).join('')})`);
  // Weft's tunnels have no such parts.
  if (isAction && d.chance(1, 8)) more.push(`vxlan(gbp(id=${num(d, masks, 16)},flags=${num(d, masks, 8)}))`);
  if (isAction && d.chance(1, 10)) more.push(`erspan(ver=${d.pick(['1', '2', '3'])},idx=${num(d, masks, 20)})`);
  more.push(`flags(${flags(d, masks, TUNNEL_FLAGS, 16)})`);
  return `tunnel(${[inner, ...more].filter((text) => text !== '').join(',')})`;
}

/** What stands before the headers. */
function metadata(d: Dice, masks: Masks): string[] {
  const maybe = (share: number, make: () => string): string[] => (d.chance(share, 20) ? [make()] : []);
  return [
    ...maybe(1, () => `skb_priority(${num(d, masks, 32)})`),
    ...maybe(1, () => tunnel(d, masks)),
    ...maybe(1, () => `skb_mark(${num(d, masks, 32)})`),
    ...maybe(2, () => `ct_state(${flags(d, masks, CT_STATES, 8)})`),
    ...maybe(1, () => `ct_zone(${num(d, masks, 16)})`),
    ...maybe(1, () => `ct_mark(${num(d, masks, 32)})`),
    ...maybe(1, () => `ct_label(${num(d, masks, 128)})`),
    ...maybe(1, () => group(d, masks, d.pick(['ct_tuple4', 'ct_tuple6']))),
    ...maybe(8, () => `recirc_id(${d.pick(['0', '0', '0', '0x1', '7', '0x7'])})`),
    ...maybe(1, () => `dp_hash(${num(d, masks, 32)})`),
    ...(d.chance(19, 20) ? [`in_port(${d.pick(['1', '1', '1', '2', '3', 'p1', 'p2', '0x2', '77', 'br0', 'nope'])})`] : []),
    ...maybe(1, () => group(d, 0, 'packet_type')),
  ];
}

/** A flow; with `masks` of 0 nothing of it is masked. */
export function flowText(d: Dice, masks: Masks = d.pick([0, 0, 2])): string {
  let inner = network(d, masks);
  let hasTag = false;
  for (let tags = d.pick([0, 0, 0, 0, 1, 1, 2]); tags > 0; tags--) {
    const tpid = d.pick(['0x8100', '0x88a8', '33024']);
    hasTag = true;
    const cfi = d.chance(1, 12) ? `,cfi=${d.below(2)}` : '';
    inner = [`eth_type(${tpid})`, group(d, masks, 'vlan').replace(/\)$/, `${cfi})`), `encap(${inner.join(',')})`];
  }
  return [...metadata(d, masks), ...(hasTag || d.chance(9, 10) ? [group(d, masks, 'eth')] : []), ...inner].join(
    d.chance(1, 20) ? ' ' : ',',
  );
}

/** One thing wrong or odd in a text of groups. */
export function spoil(d: Dice, text: string): string {
  const groups = text.match(/[a-z_0-9]+\([^()]*\)/g) ?? [text];
  const one = d.pick(groups);
  const at = d.below(text.length + 1);
  switch (d.below(12)) {
    case 0:
      return text.replace(one, '').replace(/,,|\(,|,$/g, (found) => (found === '(,' ? '(' : found === ',' ? '' : ','));
    case 1:
      return text.replace(one, `${one},${one}`);
    case 2:
      return text.replace(one, `${one.replace(/\(.*/, '')}()`);
    case 3:
      return text.replace(/=(0x)?[0-9a-f]+(?=[,)])/, (found) => `${found}${d.pick(['0', 'ffffffffffff', 'x', '/', '/0', '/0xf', ' '])}`);
    case 4:
      return `${text.slice(0, at)}${d.pick(['(', ')', ',', ' ', '=', '0', 'x', '/', '-', '+', '|'])}${text.slice(at)}`;
    case 5:
      return text.slice(0, at);
    case 6:
      return `${text.slice(0, at)}${text.slice(at + 1)}`;
    case 7:
      return text.replaceAll(',', d.pick([',,', ', ', ' ', ' ,']));
    case 8:
      return text.replace(
        /eth_type\([^)]*\)/,
        `eth_type(${d.pick(['0x0800/0xffff', '0x0800/0', '0x86dd', '0x1ffff', '-1', '', '0x8100', '0800'])})`,
      );
    case 9:
      return text.replace(
        /in_port\([^)]*\)/,
        `in_port(${d.pick(['1/0xffff', '', '-1', '0xffffffff', '4294967296', 'p1/1', '1 ', '01', '08'])})`,
      );
    case 10:
      return `${text}${d.pick([',', ' ', ')', ',,', ',foo', ',foo(1)', ' 1', ',encap()', ',eth()', ',ipv4()'])}`;
    default:
      return text.replace(one, d.pick(groups));
  }
}
