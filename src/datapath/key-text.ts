// A datapath flow's key and mask as Open vSwitch's tools print them: `recirc_id(0),in_port(1),eth(...),eth_type(0x0800),ipv4(...)`.
// Brief text leaves out what the mask does not cover; full text (`-m`) shows it with its mask. Facts: the running reference.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import { FRAG, type Key, keyBits, TUN_FLAG, VLAN_CFI, W } from '../flow/key.ts';
import { formatOptions } from './option-text.ts';

/** How to print. `port` gives a port's text: its number, or its name. */
export interface KeyTextOptions {
  full: boolean;
  port(port: number): string;
}

const NO_PORT = 0xffffffff;

/** C's `%#x`: zero has no prefix. */
export const hex = (value: number | bigint): string => (value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`);

/** With a prefix even for zero. */
const zeroHex = (value: number): string => `0x${value.toString(16)}`;

const u32 = (value: number | undefined): number => (value ?? 0) >>> 0;
const high = (value: number | undefined): number => u32(value) >>> 16;
const low = (value: number | undefined): number => u32(value) & 0xffff;

/** Collects `name=value/mask` parts of one group. */
class Group {
  readonly #full: boolean;
  readonly #parts: string[] = [];
  constructor(full: boolean) {
    this.#full = full;
  }
  number(name: string, value: number, mask: number, exact: number, format: (n: number) => string = String): this {
    if (mask === 0 && !this.#full) return this;
    this.#parts.push(`${name}=${format(value)}${mask === exact ? '' : `/${hex(mask)}`}`);
    return this;
  }
  address(name: string, value: string, mask: string, isZero: boolean, isExact: boolean): this {
    if (isZero && !this.#full) return this;
    this.#parts.push(`${name}=${value}${isExact ? '' : `/${mask}`}`);
    return this;
  }
  ipv4(name: string, value: number, mask: number): this {
    return this.address(name, formatIpv4(value), formatIpv4(mask), mask === 0, mask >>> 0 === 0xffffffff);
  }
  ipv6(name: string, key: Key, mask: Key, word: number): this {
    const words = mask.subarray(word, word + 4);
    return this.address(
      name,
      formatIpv6(key, word),
      formatIpv6(mask, word),
      words.every((w) => w === 0),
      words.every((w) => w === 0xffffffff),
    );
  }
  mac(name: string, key: Key, mask: Key, bit: number): this {
    const value = keyBits(key, bit, 48);
    const bits = keyBits(mask, bit, 48);
    const text = (n: bigint): string => formatMac(Number(n >> 16n), Number(n & 0xffffn));
    return this.address(name, text(value), text(bits), bits === 0n, bits === 0xffffffffffffn);
  }
  raw(part: string): this {
    this.#parts.push(part);
    return this;
  }
  /** `name(parts)`, or nothing when there are no parts. */
  text(name: string): string[] {
    return this.#parts.length === 0 ? [] : [`${name}(${this.#parts.join(',')})`];
  }
}

function plain(name: string, value: number, mask: number, full: boolean, format: (n: number) => string = hex): string[] {
  if (mask === 0 && !full) return [];
  return [`${name}(${format(value)}${mask === 0xffffffff ? '' : `/${hex(mask)}`})`];
}

/** Names of the flags that are set, `0` when none is. */
const setNames = (flags: number, names: readonly (readonly [number, string])[]): string =>
  names.flatMap(([bit, name]) => (flags & bit ? [name] : [])).join('|') || '0';

const flagNames = (flags: number, names: readonly (readonly [number, string])[], mask: number): string =>
  names.map(([bit, name]) => (mask & bit ? `${flags & bit ? '+' : '-'}${name}` : '')).join('');

const CT_STATE_NAMES: readonly (readonly [number, string])[] = [
  [1, 'new'],
  [2, 'est'],
  [4, 'rel'],
  [8, 'rpl'],
  [16, 'inv'],
  [32, 'trk'],
  [64, 'snat'],
  [128, 'dnat'],
];
const TCP_FLAG_NAMES: readonly (readonly [number, string])[] = [
  [1, 'fin'],
  [2, 'syn'],
  [4, 'rst'],
  [8, 'psh'],
  [16, 'ack'],
  [32, 'urg'],
  [64, 'ece'],
  [128, 'cwr'],
  [256, 'ns'],
  [512, '[200]'],
  [1024, '[400]'],
  [2048, '[800]'],
];
const TUNNEL_FLAG_NAMES: readonly (readonly [number, string])[] = [
  [TUN_FLAG.OAM, 'oam'],
  [TUN_FLAG.DONT_FRAGMENT, 'df'],
  [TUN_FLAG.CSUM, 'csum'],
  [TUN_FLAG.KEY, 'key'],
];
const TUNNEL_FLAGS = TUN_FLAG.OAM | TUN_FLAG.DONT_FRAGMENT | TUN_FLAG.CSUM | TUN_FLAG.KEY;

const isZero = (key: Key, word: number): boolean => key.subarray(word, word + 4).every((one) => one === 0);

function tunnelText(key: Key, mask: Key, full: boolean): string[] {
  const isTunnel = u32(key[W.TUN_SRC]) !== 0 || u32(key[W.TUN_DST]) !== 0 || key.subarray(W.TUN_IPV6_SRC, W.TUN_FLAGS).some((w) => w !== 0);
  if (!isTunnel) return [];
  const group = new Group(full);
  const id = keyBits(key, W.TUN_ID * 32, 64);
  const idMask = keyBits(mask, W.TUN_ID * 32, 64);
  const hasId = id !== 0n || ((u32(key[W.TUN_FLAGS]) >>> 16) & TUN_FLAG.KEY) !== 0;
  if (idMask !== 0n || (full && hasId)) group.raw(`tun_id=0x${id.toString(16)}${idMask === 0xffffffffffffffffn ? '' : `/${hex(idMask)}`}`);
  // What is zero is not there.
  if (u32(key[W.TUN_SRC]) !== 0) group.ipv4('src', u32(key[W.TUN_SRC]), u32(mask[W.TUN_SRC]));
  if (u32(key[W.TUN_DST]) !== 0) group.ipv4('dst', u32(key[W.TUN_DST]), u32(mask[W.TUN_DST]));
  if (!isZero(key, W.TUN_IPV6_SRC)) group.ipv6('ipv6_src', key, mask, W.TUN_IPV6_SRC);
  if (!isZero(key, W.TUN_IPV6_DST)) group.ipv6('ipv6_dst', key, mask, W.TUN_IPV6_DST);
  const word = u32(key[W.TUN_FLAGS]);
  const bits = u32(mask[W.TUN_FLAGS]);
  const [tos, from, to] = [(word >>> 8) & 255, high(key[W.TUN_TP]), low(key[W.TUN_TP])];
  if (tos !== 0) group.number('tos', tos, (bits >>> 8) & 255, 255, hex);
  group.number('ttl', word & 255, bits & 255, 255);
  if (from !== 0) group.number('tp_src', from, high(mask[W.TUN_TP]), 0xffff);
  if (to !== 0) group.number('tp_dst', to, low(mask[W.TUN_TP]), 0xffff);
  if (u32(mask[W.TUN_METADATA_MAP]) === 0 && u32(key[W.TUN_METADATA_MAP]) !== 0 && !full) group.raw('geneve({})');
  else if (u32(key[W.TUN_METADATA_MAP]) !== 0) {
    const count = Math.min(63, u32(key[W.TUN_METADATA_MAP]) >> 2);
    const at = (from: Key): Key => from.subarray(W.TUN_METADATA, W.TUN_METADATA + count);
    group.raw(formatOptions(at(key), count, at(mask)));
  }
  const isExact = ((bits >>> 16) & TUNNEL_FLAGS) === TUNNEL_FLAGS;
  const flags = isExact ? setNames(word >>> 16, TUNNEL_FLAG_NAMES) : flagNames(word >>> 16, TUNNEL_FLAG_NAMES, bits >>> 16);
  if (flags !== '') group.raw(`flags(${flags})`);
  else if (full) group.raw('flags(0/0)');
  return group.text('tunnel');
}

function ports(name: string, key: Key, mask: Key, full: boolean): string[] {
  return new Group(full)
    .number('src', high(key[W.TP]), high(mask[W.TP]), 0xffff)
    .number('dst', low(key[W.TP]), low(mask[W.TP]), 0xffff)
    .text(name);
}

function icmp(name: string, key: Key, mask: Key, full: boolean): string[] {
  return new Group(full)
    .number('type', high(key[W.TP]), high(mask[W.TP]) & 255, 255)
    .number('code', low(key[W.TP]), low(mask[W.TP]) & 255, 255)
    .text(name);
}

function transport(key: Key, mask: Key, isIpv6: boolean, full: boolean): string[] {
  // Only the first fragment has a transport header.
  if ((u32(key[W.TYPE]) >>> 8) & FRAG.LATER) return [];
  switch (u32(key[W.TYPE]) & 255) {
    case 6: {
      const flagMask = low(mask[W.TOS]) & 0xfff;
      const isExact = flagMask === 0xfff;
      const names = isExact ? setNames(low(key[W.TOS]), TCP_FLAG_NAMES) : flagNames(low(key[W.TOS]), TCP_FLAG_NAMES, flagMask);
      // A frame without flags has no such part, as in the reference.
      const hasFlags = (low(key[W.TOS]) & 0xfff) !== 0;
      const flags = flagMask === 0 ? (full && hasFlags ? ['tcp_flags(0/0)'] : []) : [`tcp_flags(${names})`];
      return [...ports('tcp', key, mask, full), ...flags];
    }
    case 17:
      return ports('udp', key, mask, full);
    case 132:
      return ports('sctp', key, mask, full);
    case 1:
      return isIpv6 ? [] : icmp('icmp', key, mask, full);
    case 58: {
      if (!isIpv6) return [];
      const type = high(key[W.TP]);
      // Where the type is not known whole, nothing is said of what only its messages have.
      if (!full && (u32(mask[W.TP]) & 0x00ff00ff) !== 0x00ff00ff) return icmp('icmpv6', key, mask, full);
      const nd = new Group(full && (type === 135 || type === 136));
      nd.ipv6('target', key, mask, W.ND_TARGET)
        .mac('sll', key, mask, W.ARP_HW * 32)
        .mac('tll', key, mask, W.ARP_HW * 32 + 48);
      return [...icmp('icmpv6', key, mask, full), ...(type === 135 || type === 136 ? nd.text('nd') : [])];
    }
  }
  return [];
}

/** The header groups of the network layer; `withFrag` is false for the argument of a set action. */
export function networkText(key: Key, mask: Key, etherType: number, full: boolean, withFrag = true): string[] {
  const type = u32(key[W.TYPE]);
  const typeMask = u32(mask[W.TYPE]);
  const tos = u32(key[W.TOS]);
  const tosMask = u32(mask[W.TOS]);
  const frag = (type >>> 8) & 3;
  const fragText = `frag=${frag === 0 ? 'no' : frag === FRAG.ANY ? 'first' : 'later'}`;
  switch (etherType) {
    case 0x0800: {
      const group = new Group(full)
        .ipv4('src', u32(key[W.NW_SRC]), u32(mask[W.NW_SRC]))
        .ipv4('dst', u32(key[W.NW_DST]), u32(mask[W.NW_DST]));
      group.number('proto', type & 255, typeMask & 255, 255).number('tos', tos >>> 24, tosMask >>> 24, 255, hex);
      group.number('ttl', (tos >>> 16) & 255, (tosMask >>> 16) & 255, 255);
      if (withFrag && (typeMask & 0xff00) !== 0) group.raw(fragText);
      return group.text('ipv4');
    }
    case 0x86dd: {
      const group = new Group(full).ipv6('src', key, mask, W.IPV6_SRC).ipv6('dst', key, mask, W.IPV6_DST);
      group.number('label', u32(key[W.IPV6_LABEL]), u32(mask[W.IPV6_LABEL]), 0xfffff, hex);
      group.number('proto', type & 255, typeMask & 255, 255).number('tclass', tos >>> 24, tosMask >>> 24, 255, hex);
      group.number('hlimit', (tos >>> 16) & 255, (tosMask >>> 16) & 255, 255);
      if (withFrag && (typeMask & 0xff00) !== 0) group.raw(fragText);
      return group.text('ipv6');
    }
    case 0x0806:
    case 0x8035:
      return new Group(full)
        .ipv4('sip', u32(key[W.NW_SRC]), u32(mask[W.NW_SRC]))
        .ipv4('tip', u32(key[W.NW_DST]), u32(mask[W.NW_DST]))
        .number('op', type & 255, typeMask & 255, 255)
        .mac('sha', key, mask, W.ARP_HW * 32)
        .mac('tha', key, mask, W.ARP_HW * 32 + 48)
        .text('arp');
    case 0x8847:
    case 0x8848:
      return mplsText(key, mask, full);
    case 0x894f:
      return nshText(key, mask);
  }
  return [];
}

/** All entries down to the bottom of the stack, as soon as one of their bits matters. */
function mplsText(key: Key, mask: Key, full: boolean): string[] {
  if (mask.subarray(W.MPLS, W.MPLS + 3).every((word) => word === 0) && !full) return [];
  // A frame that ends before its labels has none to tell.
  if (key.subarray(W.MPLS, W.MPLS + 3).every((word) => word === 0)) return full ? ['mpls((bad key length 0)'] : [];
  const entries: string[] = [];
  const isBottom = (i: number): boolean => (u32(key[W.MPLS + i]) & 0x100) !== 0;
  const depth = isBottom(0) ? 1 : isBottom(1) ? 2 : 3;
  const isExact = mask.subarray(W.MPLS, W.MPLS + depth).every((word) => u32(word) === 0xffffffff);
  for (let i = 0; i < depth; i++) {
    const lse = u32(key[W.MPLS + i]);
    const bits = u32(mask[W.MPLS + i]);
    if (isExact) {
      entries.push(`label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1}`);
      continue;
    }
    const label = `label=${lse >>> 12}/${zeroHex(bits >>> 12)}`;
    const tc = `tc=${(lse >>> 9) & 7}/${((bits >>> 9) & 7).toString(16)}`;
    entries.push(`${label},${tc},ttl=${lse & 255}/${zeroHex(bits & 255)},bos=${(lse >>> 8) & 1}/${(bits >>> 8) & 1}`);
  }
  return [`mpls(${entries.join(',')})`];
}

/** Network service header. Metadata of other types than 1 counts as four words of it that are zero. */
function nshText(key: Key, mask: Key): string[] {
  const group = new Group(false);
  const [word, bits, path, pathBits] = [u32(key[W.NSH]), u32(mask[W.NSH]), u32(key[W.NSH_PATH]), u32(mask[W.NSH_PATH])];
  group.number('flags', word >>> 24, bits >>> 24, 255).number('ttl', (word >>> 16) & 255, (bits >>> 16) & 255, 255);
  group.number('mdtype', (word >>> 8) & 255, (bits >>> 8) & 255, 255).number('np', word & 255, bits & 255, 255);
  group.number('spi', path >>> 8, pathBits >>> 8, 0xffffff, zeroHex).number('si', path & 255, pathBits & 255, 255);
  const isFixed = ((word >>> 8) & 255) === 1;
  for (let i = 0; i < 4; i++) {
    if (isFixed) group.number(`c${i + 1}`, u32(key[W.NSH_C + i]), u32(mask[W.NSH_C + i]), 0xffffffff, zeroHex);
    else group.raw(`c${i + 1}=0x0`);
  }
  const text = group.text('nsh');
  return text.length === 0 ? ['nsh()'] : text;
}

/** The addresses and ports that a tracked connection began with. */
function ctTupleText(key: Key, mask: Key, full: boolean): string[] {
  const proto = (u32(key[W.CT_ZONE]) >>> 8) & 255;
  const protoMask = (u32(mask[W.CT_ZONE]) >>> 8) & 255;
  // Only of IP, and of the family that the frame has.
  const type = high(key[W.TYPE]);
  const isIpv6 = type === 0x86dd;
  if (proto === 0) return [];
  if (type !== 0x0800 && !isIpv6) return [];
  const group = new Group(full);
  if (isIpv6) group.ipv6('src', key, mask, W.CT_IPV6_SRC).ipv6('dst', key, mask, W.CT_IPV6_DST);
  else {
    group.ipv4('src', u32(key[W.CT_NW_SRC]), u32(mask[W.CT_NW_SRC])).ipv4('dst', u32(key[W.CT_NW_DST]), u32(mask[W.CT_NW_DST]));
  }
  group.number('proto', proto, protoMask, 255);
  const [src, dst] = isIpv6 ? ['src_port', 'dst_port'] : ['tp_src', 'tp_dst'];
  group.number(src!, high(key[W.CT_TP]), high(mask[W.CT_TP]), 0xffff).number(dst!, low(key[W.CT_TP]), low(mask[W.CT_TP]), 0xffff);
  return group.text(isIpv6 ? 'ct_tuple6' : 'ct_tuple4');
}

/** The Ethernet addresses, `eth(src=...,dst=...)`. */
export function ethernetText(key: Key, mask: Key, full: boolean): string[] {
  return new Group(full)
    .mac('src', key, mask, W.ETH * 32 + 48)
    .mac('dst', key, mask, W.ETH * 32)
    .text('eth');
}

/** The transport header, as an argument of a set action or of a flow. */
export const transportText = transport;

/** A tag, `vlan(vid=...,pcp=...)`. */
export function vlanText(tag: number, mask: number, full: boolean): string[] {
  const tci = tag & 0xffff;
  const bits = mask & 0xffff;
  if (bits === 0 && !full) return [];
  const group = new Group(true);
  const part = (name: string, value: number, valueBits: number, exact: number): void => {
    if (full || value !== 0 || valueBits !== 0) group.raw(`${name}=${value}${valueBits === exact ? '' : `/${zeroHex(valueBits)}`}`);
  };
  part('vid', tci & 0xfff, bits & 0xfff, 0xfff);
  part('pcp', tci >>> 13, bits >>> 13, 7);
  if ((tci & VLAN_CFI) === 0) group.raw('cfi=0');
  const text = group.text('vlan');
  return text.length === 0 ? ['vlan()'] : text;
}

function typeText(type: number, bits: number, full: boolean): string[] {
  const digits = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
  if (type < 0x600) return ['eth_type(0/0xffff)'];
  if (bits === 0 && !full) return [];
  return [`eth_type(${digits(type)}${bits === 0xffff ? '' : `/${digits(bits)}`})`];
}

/** A key under its mask as text. */
export function formatDpKey(key: Key, mask: Key, options: KeyTextOptions): string {
  const { full } = options;
  const ctZone = high(key[W.CT_ZONE]);
  const ctMask = high(mask[W.CT_ZONE]);
  const parts = [...plain('skb_priority', u32(key[W.SKB_PRIORITY]), u32(mask[W.SKB_PRIORITY]), full), ...tunnelText(key, mask, full)];
  parts.push(...plain('skb_mark', u32(key[W.PKT_MARK]), u32(mask[W.PKT_MARK]), full));
  const stateMask = u32(mask[W.CT_STATE]);
  if (full) parts.push(`ct_state(${hex(u32(key[W.CT_STATE]) & 255)}/${hex(stateMask & 255)})`);
  else if (stateMask !== 0) parts.push(`ct_state(${flagNames(u32(key[W.CT_STATE]), CT_STATE_NAMES, stateMask)})`);
  if (ctMask !== 0 || full) parts.push(`ct_zone(${hex(ctZone)}${ctMask === 0xffff ? '' : `/${hex(ctMask)}`})`);
  parts.push(...plain('ct_mark', u32(key[W.CT_MARK]), u32(mask[W.CT_MARK]), full));
  const label = keyBits(key, W.CT_LABEL * 32, 128);
  const labelMask = keyBits(mask, W.CT_LABEL * 32, 128);
  if (labelMask !== 0n || full) parts.push(`ct_label(${hex(label)}${labelMask === (1n << 128n) - 1n ? '' : `/${hex(labelMask)}`})`);
  parts.push(...ctTupleText(key, mask, full));
  parts.push(`recirc_id(${hex(u32(key[W.RECIRC_ID]))})`);
  parts.push(...plain('dp_hash', u32(key[W.DP_HASH]), u32(mask[W.DP_HASH]), full));
  if (u32(key[W.IN_PORT]) !== NO_PORT) parts.push(`in_port(${options.port(u32(key[W.IN_PORT]))})`);
  const packetType = u32(key[W.PACKET_TYPE]);
  const ethernet = packetType === 0 ? ethernetText(key, mask, full) : [];
  const packetMask = u32(mask[W.PACKET_TYPE]);
  if (packetMask !== 0) {
    const group = new Group(full).number('ns', packetType >>> 16, packetMask >>> 16, 0xffff);
    parts.push(...group.number('id', packetType & 0xffff, packetMask & 0xffff, 0xffff, hex).text('packet_type'));
  } else {
    // That it is an Ethernet frame then shows by the header alone.
    if (full) parts.push(`packet_type(ns=${packetType >>> 16}/0,id=${hex(packetType & 0xffff)}/0)`);
    if (ethernet.length === 0 && packetType === 0) ethernet.push('eth()');
  }
  parts.push(...ethernet);
  const etherType = high(key[W.TYPE]);
  // A tag that the frame ends in is told as an empty one.
  const isCut = u32(key[W.VLAN0]) === 0 && (etherType === 0x8100 || etherType === 0x88a8);
  const inner = [
    ...typeText(etherType, high(mask[W.TYPE]), full),
    ...networkText(key, mask, etherType, full),
    ...(etherType === 0x0800 || etherType === 0x86dd ? transport(key, mask, etherType === 0x86dd, full) : []),
  ];
  if (isCut) inner.push(...vlanText(0, VLAN_CFI | 0xfff, full), 'encap()');
  let text = u32(key[W.VLAN0]) !== 0 && etherType < 0x600 ? '' : inner.join(',');
  for (const word of [W.VLAN1, W.VLAN0]) {
    const tag = u32(key[word]);
    if (tag === 0) continue;
    const vlan = vlanText(tag, u32(mask[word]), full);
    text = [`eth_type(0x${(tag >>> 16).toString(16).padStart(4, '0')})`, ...vlan, `encap(${text})`].join(',');
  }
  if (text !== '') parts.push(text);
  return parts.join(',');
}
