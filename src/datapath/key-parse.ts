// A datapath flow's text as key and mask, the other way round from `key-text.ts`: what `ovs-dpctl add-flow`, `netdev-dummy/receive` and
// filters take. One table says which fields stand in which group and where in the key. Facts: ovs-dpctl(8), the running reference.
import { parseIpv4, parseIpv6, parseMac } from '../base/addresses.ts';
import { FRAG, type Key, newKey, setKeyBits, TUN_FLAG, VLAN_CFI, W } from '../flow/key.ts';

/** Where a field stands, and how its value is written. */
interface FieldPlace {
  at: number;
  bits: number;
  kind: 'number' | 'mac' | 'ipv4' | 'ipv6' | 'frag' | 'cfi';
}

const number = (at: number, bits: number): FieldPlace => ({ at, bits, kind: 'number' });
const mac = (at: number): FieldPlace => ({ at, bits: 48, kind: 'mac' });
const ipv4 = (word: number): FieldPlace => ({ at: word * 32, bits: 32, kind: 'ipv4' });
const ipv6 = (word: number): FieldPlace => ({ at: word * 32, bits: 128, kind: 'ipv6' });

const PROTO = number(W.TYPE * 32 + 24, 8);
const TOS = number(W.TOS * 32, 8);
const TTL = number(W.TOS * 32 + 8, 8);
const FRAGMENT: FieldPlace = { at: W.TYPE * 32 + 16, bits: 8, kind: 'frag' };
const PORTS: Readonly<Record<string, FieldPlace>> = { src: number(W.TP * 32, 16), dst: number(W.TP * 32 + 16, 16) };
const ICMP: Readonly<Record<string, FieldPlace>> = { type: number(W.TP * 32, 16), code: number(W.TP * 32 + 16, 16) };
const ARP: Readonly<Record<string, FieldPlace>> = {
  sip: ipv4(W.NW_SRC),
  tip: ipv4(W.NW_DST),
  op: PROTO,
  sha: mac(W.ARP_HW * 32),
  tha: mac(W.ARP_HW * 32 + 48),
};

/** Tags by their words, with the names of their groups. */
const TAGS = [
  [W.VLAN0, 'vlan'],
  [W.VLAN1, 'cvlan'],
] as const;

/** Groups of `name=value` fields. */
const GROUPS: ReadonlyMap<string, Readonly<Record<string, FieldPlace>>> = new Map(
  Object.entries({
    eth: { src: mac(W.ETH * 32 + 48), dst: mac(W.ETH * 32) },
    ipv4: { src: ipv4(W.NW_SRC), dst: ipv4(W.NW_DST), proto: PROTO, tos: TOS, ttl: TTL, frag: FRAGMENT },
    ipv6: {
      src: ipv6(W.IPV6_SRC),
      dst: ipv6(W.IPV6_DST),
      label: number(W.IPV6_LABEL * 32 + 12, 20),
      proto: PROTO,
      tclass: TOS,
      hlimit: TTL,
      frag: FRAGMENT,
    },
    tcp: PORTS,
    udp: PORTS,
    sctp: PORTS,
    icmp: ICMP,
    icmpv6: ICMP,
    arp: ARP,
    nd: { target: ipv6(W.ND_TARGET), sll: mac(W.ARP_HW * 32), tll: mac(W.ARP_HW * 32 + 48) },
    nd_ext: { nd_reserved: number(W.ND_RESERVED * 32, 32), nd_options_type: number(W.ND_OPTIONS * 32, 8) },
    packet_type: { ns: number(W.PACKET_TYPE * 32, 16), id: number(W.PACKET_TYPE * 32 + 16, 16) },
    ct_tuple4: {
      src: ipv4(W.CT_NW_SRC),
      dst: ipv4(W.CT_NW_DST),
      proto: number(W.CT_ZONE * 32 + 16, 8),
      tp_src: number(W.CT_TP * 32, 16),
      tp_dst: number(W.CT_TP * 32 + 16, 16),
    },
    ct_tuple6: {
      src: ipv6(W.CT_IPV6_SRC),
      dst: ipv6(W.CT_IPV6_DST),
      proto: number(W.CT_ZONE * 32 + 16, 8),
      tp_src: number(W.CT_TP * 32, 16),
      tp_dst: number(W.CT_TP * 32 + 16, 16),
    },
    tunnel: {
      tun_id: number(W.TUN_ID * 32, 64),
      src: ipv4(W.TUN_SRC),
      dst: ipv4(W.TUN_DST),
      ipv6_src: ipv6(W.TUN_IPV6_SRC),
      ipv6_dst: ipv6(W.TUN_IPV6_DST),
      tos: number(W.TUN_FLAGS * 32 + 16, 8),
      ttl: number(W.TUN_FLAGS * 32 + 24, 8),
      tp_src: number(W.TUN_TP * 32, 16),
      tp_dst: number(W.TUN_TP * 32 + 16, 16),
    },
  }),
);

/** Groups whose whole inside is one value. */
const SINGLE: ReadonlyMap<string, FieldPlace> = new Map([
  ['skb_priority', number(W.SKB_PRIORITY * 32, 32)],
  ['skb_mark', number(W.PKT_MARK * 32, 32)],
  ['recirc_id', number(W.RECIRC_ID * 32, 32)],
  ['dp_hash', number(W.DP_HASH * 32, 32)],
  ['ct_zone', number(W.CT_ZONE * 32, 16)],
  ['ct_mark', number(W.CT_MARK * 32, 32)],
  ['ct_label', number(W.CT_LABEL * 32, 128)],
]);

type FlagNames = readonly (readonly [string, number])[];
const CT_FLAGS: FlagNames = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'].map((name, i) => [name, 1 << i]);
const TCP_FLAGS: FlagNames = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'].map((name, i) => [name, 1 << i]);
const TUNNEL_FLAGS: FlagNames = [
  ['df', TUN_FLAG.DONT_FRAGMENT],
  ['csum', TUN_FLAG.CSUM],
  ['key', TUN_FLAG.KEY],
  ['oam', TUN_FLAG.OAM],
];
const FRAGMENTS: ReadonlyMap<string, number> = new Map([
  ['no', 0],
  ['first', FRAG.ANY],
  ['later', FRAG.ANY | FRAG.LATER],
]);

export interface ParseOptions {
  /** Whether `/mask` is allowed, and what is not named is not matched. Otherwise the text is a key alone. */
  masked: boolean;
  /** The port of that name. */
  port?(name: string): number | undefined;
  /** How many VLAN tags are told. */
  vlanLimit: number;
}

export interface ParsedKey {
  key: Key;
  mask: Key;
  /** Names of the groups that were there, those within `encap` too. */
  groups: Set<string>;
  /** From `ufid:`. */
  ufid: string | undefined;
  /** A tag was there with nothing behind it. */
  encapsIsEmpty: boolean;
}

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

function parseNumber(text: string): bigint | undefined {
  if (!/^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.test(text)) return undefined;
  return BigInt(/^0\d/.test(text) ? `0o${text.slice(1)}` : text);
}

function parseValue(place: FieldPlace, text: string): bigint | undefined {
  switch (place.kind) {
    case 'number': {
      const value = parseNumber(text);
      return value === undefined || value > ones(place.bits) ? undefined : value;
    }
    case 'mac': {
      const parsed = parseMac(text);
      return parsed === undefined ? undefined : (BigInt(parsed[0]) << 16n) | BigInt(parsed[1]);
    }
    case 'ipv4': {
      const parsed = parseIpv4(text);
      return parsed === undefined ? undefined : BigInt(parsed);
    }
    case 'ipv6':
      return parseIpv6(text)?.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);
    case 'frag': {
      const value = FRAGMENTS.get(text);
      return value === undefined ? undefined : BigInt(value);
    }
    case 'cfi':
      return parseNumber(text);
  }
}

/** Reads one text; every method gives false for a syntax error. */
class Reader {
  readonly key = newKey();
  readonly mask = newKey();
  readonly groups = new Set<string>();
  readonly #options: ParseOptions;
  ufid: string | undefined;
  /** The text from the group on that could not be read. */
  failedAt = '';
  #depth = 0;
  encapsIsEmpty = false;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  read(text: string): boolean {
    let rest = text;
    for (;;) {
      rest = rest.replace(/^[\s,]+/, '');
      if (rest === '') return true;
      const size = this.#group(rest);
      if (size === 0) {
        this.failedAt ||= rest;
        return false;
      }
      rest = rest.slice(size);
    }
  }

  /** Reads the group that the text begins with; gives its length, 0 for a syntax error. */
  #group(text: string): number {
    const ufid = /^ufid:([0-9a-f-]+)/i.exec(text);
    if (ufid !== null) {
      this.ufid = ufid[1];
      return ufid[0].length;
    }
    const open = /^([a-z0-9_]+)\(/.exec(text);
    if (open === null) return 0;
    let depth = 1;
    let at = open[0].length;
    for (; at < text.length && depth > 0; at++) depth += text[at] === '(' ? 1 : text[at] === ')' ? -1 : 0;
    if (depth > 0) return 0;
    const name = open[1]!;
    const inside = text.slice(open[0].length, at - 1);
    return this.#inside(name, inside, text.slice(open[0].length)) ? at : 0;
  }

  #inside(name: string, inside: string, rest: string): boolean {
    if (name !== 'encap' && name !== 'vlan') this.groups.add(name);
    const single = SINGLE.get(name);
    if (single !== undefined) return this.#put(single, inside);
    switch (name) {
      case 'in_port':
        return this.#port(inside);
      case 'ct_state':
        return this.#flags(W.CT_STATE * 32 + 24, 8, CT_FLAGS, inside);
      case 'tcp_flags':
        return this.#flags(W.TOS * 32 + 20, 12, TCP_FLAGS, inside);
      case 'eth_type':
        return this.#etherType(inside);
      case 'vlan':
        return this.#vlan(inside);
      case 'mpls':
        return this.#mpls(inside);
      case 'encap': {
        this.encapsIsEmpty ||= this.#depth === 0 && inside === '';
        this.#depth++;
        const isRead = this.#depth > this.#options.vlanLimit || this.read(inside);
        if (!isRead && this.failedAt !== '') this.failedAt += rest.slice(inside.length);
        return isRead;
      }
    }
    const fields = GROUPS.get(name);
    return fields !== undefined && this.#fields(fields, inside);
  }

  #fields(fields: Readonly<Record<string, FieldPlace>>, inside: string): boolean {
    if (inside === '') return true;
    for (const part of splitOutside(inside)) {
      const flags = /^flags\((.*)\)$/.exec(part);
      if (flags !== null && Object.hasOwn(fields, 'tun_id')) {
        if (!this.#flags(W.TUN_FLAGS * 32, 16, TUNNEL_FLAGS, flags[1]!)) return false;
        continue;
      }
      const cut = part.indexOf('=');
      const name = part.slice(0, cut);
      if (cut < 0 || !Object.hasOwn(fields, name) || !this.#put(fields[name]!, part.slice(cut + 1))) return false;
    }
    return true;
  }

  /** `value` or `value/mask`. */
  #put(place: FieldPlace, text: string): boolean {
    const slash = text.indexOf('/');
    if (slash >= 0 && (!this.#options.masked || place.kind === 'frag')) return false;
    const value = parseValue(place, slash < 0 ? text : text.slice(0, slash));
    const mask = slash < 0 ? ones(place.bits) : parseValue(place, text.slice(slash + 1));
    if (value === undefined || mask === undefined) return false;
    setKeyBits(this.key, place.at, place.bits, value);
    setKeyBits(this.mask, place.at, place.bits, mask);
    return true;
  }

  #port(text: string): boolean {
    const [name = '', ...rest] = text.split('/');
    const port = this.#options.port?.(name) ?? parseNumber(name);
    if (port === undefined || (rest.length > 0 && !this.#options.masked)) return false;
    this.key[W.IN_PORT] = Number(port);
    this.mask[W.IN_PORT] = 0xffffffff;
    return true;
  }

  /** A number with a mask, `name|name`, or `+name-name`. */
  #flags(at: number, bits: number, names: FlagNames, text: string): boolean {
    if (/^(0x|\d)/.test(text)) return this.#put(number(at, bits), text);
    let value = 0;
    let mask = Number(ones(bits));
    const known = new Map(names);
    if (/^[+-]/.test(text)) {
      mask = 0;
      for (const [, sign, name = ''] of text.matchAll(/([+-])([^+-]*)/g)) {
        const bit = known.get(name);
        if (bit === undefined) return false;
        mask |= bit;
        if (sign === '+') value |= bit;
      }
    } else if (text !== '') {
      for (const name of text.split('|')) {
        const bit = known.get(name);
        if (bit === undefined) return false;
        value |= bit;
      }
    }
    setKeyBits(this.key, at, bits, BigInt(value));
    setKeyBits(this.mask, at, bits, BigInt(mask));
    return true;
  }

  /** The type before a tag is the tag's; what `encap` holds comes after it. */
  #etherType(text: string): boolean {
    return this.#put(number(W.TYPE * 32, 16), text);
  }

  #vlan(inside: string): boolean {
    // A tag beyond the limit is payload.
    if (this.#depth >= this.#options.vlanLimit) return true;
    const word = this.#depth === 0 ? W.VLAN0 : W.VLAN1;
    let tci = VLAN_CFI;
    let mask = VLAN_CFI;
    for (const part of splitOutside(inside)) {
      const match = /^(vid|pcp|cfi|tci)=([^/]+)(?:\/(.+))?$/.exec(part);
      if (match === null || (match[3] !== undefined && !this.#options.masked)) return false;
      const value = parseNumber(match[2]!);
      const [shift, bits] = match[1] === 'vid' ? [0, 12] : match[1] === 'pcp' ? [13, 3] : match[1] === 'cfi' ? [12, 1] : [0, 16];
      const bitsMask = match[3] === undefined ? ones(bits) : parseNumber(match[3]);
      if (value === undefined || bitsMask === undefined || value > ones(bits)) return false;
      const place = Number(ones(bits)) << shift;
      tci = (tci & ~place) | (Number(value) << shift);
      mask = (mask & ~place) | (Number(bitsMask) << shift);
    }
    this.key[word] = ((this.key[W.TYPE]! & 0xffff0000) | tci) >>> 0;
    this.mask[word] = (0xffff0000 | mask) >>> 0;
    this.key[W.TYPE] = this.key[W.TYPE]! & 0xffff;
    this.mask[W.TYPE] = this.mask[W.TYPE]! & 0xffff;
    this.groups.add(this.#depth === 0 ? 'vlan' : 'cvlan');
    return true;
  }

  /** Entries one after the other, each begun by its label. */
  #mpls(inside: string): boolean {
    let entry = -1;
    for (const part of splitOutside(inside)) {
      const match = /^(label|tc|ttl|bos)=([^/]+)(?:\/(.+))?$/.exec(part);
      if (match === null || (match[3] !== undefined && !this.#options.masked)) return false;
      if (match[1] === 'label') entry++;
      if (entry < 0 || entry > 2) return false;
      const [at, bits] = match[1] === 'label' ? [0, 20] : match[1] === 'tc' ? [20, 3] : match[1] === 'bos' ? [23, 1] : [24, 8];
      if (!this.#put(number((W.MPLS + entry) * 32 + at, bits), part.slice(match[1]!.length + 1))) return false;
    }
    return true;
  }
}

/** Parts between commas that stand outside of parentheses; none of nothing. */
function splitOutside(text: string): string[] {
  if (text === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** The key and mask that the text says, or the error text as the reference words it. */
export function parseDpKey(text: string, options: ParseOptions): ParsedKey | string {
  const reader = new Reader(options);
  if (!reader.read(text)) return `syntax error at ${reader.failedAt}`;
  const { key, mask, groups, ufid, encapsIsEmpty } = reader;
  return { key, mask, groups, ufid, encapsIsEmpty };
}

/** IP protocols with the group that holds their ports or types, and the Ethernet type that they stand over, where that is one alone. */
const TRANSPORTS: ReadonlyMap<number, readonly [group: string, type?: number]> = new Map([
  [6, ['tcp']],
  [17, ['udp']],
  [132, ['sctp']],
  [1, ['icmp', 0x0800]],
  [58, ['icmpv6', 0x86dd]],
]);

/** Takes out of a key what its own types say it cannot have, as a frame would be read back; gives why it is none, if so. */
export function normalizeDpKey({ key, groups, encapsIsEmpty }: ParsedKey, text: string): string | undefined {
  const fault = (words: string): string => `${words}; the flow key in error is: ${text}`;
  for (const [word, name] of TAGS) {
    const tci = key[word]! & 0xffff;
    if (groups.has(name) && (tci & VLAN_CFI) === 0 && tci !== 0) {
      return fault(`OVS_KEY_ATTR_VLAN 0x${tci.toString(16).padStart(4, '0')} is nonzero but CFI bit is not set`);
    }
  }
  if (encapsIsEmpty) {
    key[W.VLAN0] = 0;
    key[W.VLAN1] = 0;
    key[W.TYPE] = 0x05ff0000;
    return undefined;
  }
  const type = key[W.TYPE]! >>> 16;
  if (groups.has('eth_type') && type < 0x600 && key[W.VLAN0] === 0) return fault(`invalid Ethertype ${type} in flow key`);
  // A tag's type without a tag is no type.
  if ((type === 0x8100 || type === 0x88a8) && key[W.VLAN0] === 0) key[W.TYPE] = 0;
  else if (!groups.has('eth_type')) key[W.TYPE] = (key[W.TYPE]! & 0xffff) | 0x05ff0000;
  const isMpls = type === 0x8847 || type === 0x8848;
  for (let i = 0; isMpls && i < 2; i++) {
    if ((key[W.MPLS + i]! & 0x100) !== 0 && key[W.MPLS + i + 1] !== 0) return fault('MPLS BOS set in non-innermost label');
  }
  const isIp = type === 0x0800 || type === 0x86dd;
  if (!isIp && type !== 0x0806 && type !== 0x8035) key[W.TYPE] = (key[W.TYPE]! & 0xffff0000) >>> 0;
  const transport = TRANSPORTS.get(key[W.TYPE]! & 0xff);
  const hasTransport = isIp && transport !== undefined && groups.has(transport[0]) && (transport[1] ?? type) === type;
  if (!hasTransport || !groups.has('tcp')) key[W.TOS] = (key[W.TOS]! & 0xffff0000) >>> 0;
  if (!hasTransport) key[W.TP] = 0;
  return undefined;
}
