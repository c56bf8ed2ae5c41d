// Values of fields as text, both ways, as ovs-ofctl reads and writes them (ovs-fields(7)). Faults are ConfigErrors in its words.
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../base/addresses.ts';
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import type { Field } from './fields.ts';

const log = logger('ofp_port');

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Ports by the names that text may use, and how names of real ports are looked up. */
export interface PortNames {
  /** The number of a port's name; undefined when there is none. */
  number?(name: string): number | undefined;
  /** What to print for a number; undefined prints the number. */
  name?(port: number): string | undefined;
}

const RESERVED: ReadonlyMap<string, number> = new Map([
  ['UNSET', 0xfff7],
  ['IN_PORT', 0xfff8],
  ['TABLE', 0xfff9],
  ['NORMAL', 0xfffa],
  ['FLOOD', 0xfffb],
  ['ALL', 0xfffc],
  ['CONTROLLER', 0xfffd],
  ['LOCAL', 0xfffe],
  ['ANY', 0xffff],
  ['NONE', 0xffff],
]);
const RESERVED_NAMES = new Map([...RESERVED].filter(([name]) => name !== 'NONE').map(([name, port]) => [port, name]));

/** Reads a port's number, reserved name or name; undefined when it is none. */
export function parsePort(text: string, names?: PortNames): number | undefined {
  const number = /^\d+$/.test(text) ? BigInt(text) : undefined;
  if (number !== undefined) {
    if (number >= 0xff00n && number <= 0xfff7n) warnReserved(Number(number));
    if (number <= 0xffffn) return Number(number);
    if (number >= 0xffffff00n && number <= 0xffffffffn) return Number(number - 0xffff0000n);
    if (number <= 0xffffffffn) log.warn(`port ${number} is outside the supported range 0 through ffff or 0xffffff00 through 0xffffffff`);
    return undefined;
  }
  const named = names?.number?.(text.startsWith('"') ? unquote(text) : text);
  return named ?? RESERVED.get(text.toUpperCase());
}

function warnReserved(port: number): void {
  if (port === 0xfff7) log.warn(`referring to port UNSET as ${port} is deprecated for compatibility with OpenFlow 1.1 and later`);
  else
    log.warn(
      `port ${port} is a reserved OF1.0 port number that will be translated to ${port + 0xffff0000} when talking to an OF1.1 or later controller`,
    );
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Writes a port: reserved names in capitals, else its name or number. A name that could be misread is quoted. */
export function formatPort(port: number, names?: PortNames): string {
  const reserved = RESERVED_NAMES.get(port);
  if (reserved !== undefined) return reserved;
  const name = names?.name?.(port);
  if (name === undefined) return String(port);
  return /^[A-Za-z_][\w-]*$/.test(name) ? name : JSON.stringify(name);
}

/** Reads an integer as strtoull with base 0 does: decimal, 0x hexadecimal, 0 octal. */
export function parseInteger(text: string): bigint | undefined {
  if (/^0x[0-9a-f]+$/i.test(text) || /^[1-9][0-9]*$/.test(text) || text === '0') return BigInt(text);
  if (/^0[0-7]+$/.test(text)) return BigInt(`0o${text}`);
  if (/^-[1-9][0-9]*$/.test(text)) return BigInt.asUintN(64, BigInt(text));
  return undefined;
}

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
const CT_FLAGS = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const TUN_FLAGS = ['oam'];
const FRAGS: ReadonlyMap<string, [number, number]> = new Map([
  ['no', [0, 3]],
  ['yes', [1, 1]],
  ['first', [1, 3]],
  ['later', [3, 3]],
  ['not_later', [0, 2]],
]);

/** A value with its mask, right-aligned. */
export interface Masked {
  value: bigint;
  mask: bigint;
}

/** Reads a field's value and mask. Throws ConfigError. */
export function parseField(field: Field, text: string, names?: PortNames): Masked {
  const bits = field.name === 'vlan_vid' ? 13 : field.name === 'nw_tos' ? 8 : field.name === 'dl_vlan' ? 16 : field.bits;
  switch (field.format) {
    case 'decimal':
    case 'hex':
      return parseNumber(field, text, bits);
    case 'mac':
      return parseMacField(text);
    case 'ipv4':
      return parseIpv4Field(text);
    case 'ipv6':
      return parseIpv6Field(text);
    case 'port16':
    case 'port32': {
      const port = parsePort(text, names);
      if (port === undefined) throw new ConfigError(`${text}: invalid or unknown port for ${field.name}`);
      return { value: BigInt(port), mask: ones(field.bits) };
    }
    case 'frag': {
      const found = FRAGS.get(text);
      if (found === undefined) {
        throw new ConfigError(`${text}: unknown fragment type (valid types are "no", "yes", "first", "later", "not_later"`);
      }
      return { value: BigInt(found[0]), mask: BigInt(found[1]) };
    }
    case 'tcpFlags':
      return parseFlags(text, TCP_FLAGS, 12, 'TCP flag(s)');
    case 'tunFlags':
      return parseFlags(text, TUN_FLAGS, 1, 'tunnel flag(s)');
    case 'ctState':
      return parseFlags(text, CT_FLAGS, 8, 'ct_state flag(s)');
    case 'packetType': {
      const m = /^\(([^,]*),([^)]*)\)$/.exec(text);
      const ns = m === null ? undefined : parseInteger((m[1] ?? '').trim());
      const type = m === null ? undefined : parseInteger((m[2] ?? '').trim());
      if (ns === undefined || type === undefined) throw new ConfigError(`${text}: bad syntax for packet type value`);
      return { value: (ns << 16n) | type, mask: ones(32) };
    }
  }
}

function parseNumber(field: Field, text: string, bits: number): Masked {
  const slash = text.indexOf('/');
  const valueText = slash < 0 ? text : text.slice(0, slash);
  const value = parseInteger(valueText);
  if (value === undefined) throw new ConfigError(`${text}: bad syntax for ${field.name} value`);
  const limit = ones(field.wireBytes * 8);
  // Decimals are read as 64 bits at most.
  const tooLarge = (number: bigint, numberText: string): boolean => number > limit || (number > ones(64) && !/^0x/i.test(numberText));
  if (tooLarge(value, valueText)) throw new ConfigError(`${text}: value too large for ${field.wireBytes}-byte field ${field.name}`);
  let mask = ones(bits);
  if (slash >= 0) {
    const maskText = text.slice(slash + 1);
    const given = parseInteger(maskText);
    if (given === undefined) throw new ConfigError(`${text}: bad syntax for ${field.name} mask`);
    if (tooLarge(given, maskText)) throw new ConfigError(`${text}: mask too large for ${field.wireBytes}-byte field ${field.name}`);
    mask = given & ones(bits);
    if (mask !== ones(bits) && !field.maskable) throw new ConfigError(`${text}: invalid mask for field ${field.name}`);
  }
  return { value: value & ones(bits), mask };
}

function parseMacField(text: string): Masked {
  const [valueText = '', maskText] = text.split('/');
  const value = parseMac(valueText);
  const mask = maskText === undefined ? ([0xffffffff, 0xffff] as const) : parseMac(maskText);
  if (value === undefined || mask === undefined) throw new ConfigError(`${text}: invalid Ethernet address`);
  const big = (mac: readonly [number, number]): bigint => (BigInt(mac[0]) << 16n) | BigInt(mac[1]);
  return { value: big(value), mask: big(mask) };
}

function parseIpv4Field(text: string): Masked {
  const slash = text.indexOf('/');
  const value = parseIpv4(slash < 0 ? text : text.slice(0, slash));
  if (value === undefined) throw new ConfigError(`${text}: invalid IP address`);
  if (slash < 0) return { value: BigInt(value), mask: ones(32) };
  const maskText = text.slice(slash + 1);
  const dotted = parseIpv4(maskText);
  if (dotted !== undefined) return { value: BigInt(value), mask: BigInt(dotted) };
  if (!/^\d+$/.test(maskText)) throw new ConfigError(`${text}: invalid IP address`);
  if (Number(maskText) > 32) throw new ConfigError(`${text}: IPv4 network prefix bits not between 0 and 32, inclusive`);
  return { value: BigInt(value), mask: prefix(Number(maskText), 32) };
}

const prefix = (length: number, bits: number): bigint => (ones(length) << BigInt(bits - length)) & ones(bits);

const joinWords = (words: readonly number[]): bigint => words.reduce((value, word) => (value << 32n) | BigInt(word), 0n);

function parseIpv6Field(text: string): Masked {
  const slash = text.indexOf('/');
  const value = parseIpv6(slash < 0 ? text : text.slice(0, slash));
  if (value === undefined) throw new ConfigError(`${text}: invalid IPv6 address`);
  if (slash < 0) return { value: joinWords(value), mask: ones(128) };
  const maskText = text.slice(slash + 1);
  const length = /^\d+/.exec(maskText)?.[0];
  if (length !== undefined) {
    if (Number(length) > 128) throw new ConfigError(`${text}: IPv6 network prefix bits not between 0 and 128, inclusive`);
    if (length !== maskText) throw new ConfigError(`${text}: invalid IPv6 address`);
    return { value: joinWords(value), mask: prefix(Number(maskText), 128) };
  }
  const mask = parseIpv6(maskText);
  if (mask === undefined) throw new ConfigError(`${text}: invalid IPv6 address`);
  return { value: joinWords(value), mask: joinWords(mask) };
}

function parseFlags(text: string, flags: readonly string[], bits: number, what: string): Masked {
  const bitOf = (name: string): bigint => {
    const index = flags.indexOf(name.toLowerCase());
    if (index < 0) throw new ConfigError(`${name}: unknown ${what}`);
    return 1n << BigInt(index);
  };
  if (text.startsWith('+') || text.startsWith('-')) {
    let value = 0n;
    let mask = 0n;
    for (const part of text.match(/[+-][^+-]*/g) ?? []) {
      const bit = bitOf(part.slice(1));
      if ((mask & bit) !== 0n) throw new ConfigError(`${text}: Each TCP flag can be specified only once`);
      mask |= bit;
      if (part.startsWith('+')) value |= bit;
    }
    return { value, mask };
  }
  const [valueText = '', maskText] = text.split('/');
  const number = parseInteger(valueText);
  if (number !== undefined) {
    const mask = maskText === undefined ? ones(bits) : parseInteger(maskText);
    if (mask === undefined) throw new ConfigError(`${maskText}: unknown ${what}`);
    return { value: number & ones(bits), mask: mask & ones(bits) };
  }
  return { value: text.split('|').reduce((value, name) => value | bitOf(name), 0n), mask: ones(bits) };
}

function formatFlags({ value, mask }: Masked, flags: readonly string[], bits: number): string {
  const bitName = (bit: number): string => flags[bit] ?? `[${(1 << bit).toString(16)}]`;
  let text = '';
  if (mask === ones(bits)) {
    const names: string[] = [];
    for (let bit = 0; bit < bits; bit++) if (((value >> BigInt(bit)) & 1n) !== 0n) names.push(bitName(bit));
    return names.length === 0 ? '0' : names.join('|');
  }
  for (let bit = 0; bit < bits; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    text += (((value >> BigInt(bit)) & 1n) !== 0n ? '+' : '-') + bitName(bit);
  }
  return text;
}

/** Hexadecimal with 0x, but plain 0. */
export const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

/** The length of a prefix mask; undefined when the mask is none. */
function prefixLength(mask: bigint, bits: number): number | undefined {
  const free = ~mask & ones(bits);
  if ((free & (free + 1n)) !== 0n) return undefined;
  return bits - free.toString(2).replace(/^0$/, '').length;
}

const splitWords = (value: bigint): number[] => [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn));

const macText = (value: bigint): string => formatMac(Number(value >> 16n), Number(value & 0xffffn));

/** An IPv4 address with its mask as a prefix, dotted, or not at all. */
export function formatMaskedIpv4(value: bigint, mask: bigint): string {
  const text = formatIpv4(Number(value));
  if (mask === ones(32)) return text;
  const length = prefixLength(mask, 32);
  return length === undefined ? `${text}/${formatIpv4(Number(mask))}` : `${text}/${length}`;
}

/** Writes a field's value and mask. */
export function formatField(field: Field, { value, mask }: Masked, names?: PortNames): string {
  const bits = field.name === 'vlan_vid' ? 13 : field.bits;
  const all = mask === ones(bits);
  switch (field.format) {
    case 'decimal':
      return all ? String(value) : `0x${value.toString(16)}/0x${mask.toString(16)}`;
    case 'hex':
      return all ? hex(value) : `${hex(value)}/${hex(mask)}`;
    case 'mac':
      return all ? macText(value) : `${macText(value)}/${macText(mask)}`;
    case 'ipv4':
      return formatMaskedIpv4(value, mask);
    case 'ipv6': {
      const text = formatIpv6(splitWords(value));
      if (all) return text;
      const length = prefixLength(mask, 128);
      return `${text}/${length ?? formatIpv6(splitWords(mask))}`;
    }
    case 'port16':
    case 'port32':
      return formatPort(Number(value), names);
    case 'frag':
      for (const [name, [v, m]] of FRAGS) if (BigInt(v) === value && BigInt(m) === mask) return name;
      return '<error>';
    case 'tcpFlags':
      return formatFlags({ value, mask }, TCP_FLAGS, 12);
    case 'tunFlags':
      // One bit stands for sixteen on the wire: it is always written as masked.
      return (value !== 0n ? '+' : '-') + (TUN_FLAGS[0] ?? '');
    case 'ctState':
      return formatFlags({ value: value & 0xffn, mask: mask & 0xffn }, CT_FLAGS, 8);
    case 'packetType':
      return `(${value >> 16n},${hex(value & 0xffffn)})`;
  }
}
