// Values of fields as text, both ways, as ovs-ofctl reads and writes them (ovs-fields(7)). Faults are ConfigErrors in its words.
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../base/addresses.ts';
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import { type Field, wholeMask } from './fields.ts';
import { FRAG } from './key.ts';

const log = logger('ofp_port');

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Ports and tables by the names that text may use, and how names of real ones are looked up. */
export interface PortNames {
  /** The number of a port's name; undefined when there is none. */
  number?(name: string): number | undefined;
  /** What to print for a number; undefined prints the number. */
  name?(port: number): string | undefined;
  /** The same for tables. */
  tableNumber?(name: string): number | undefined;
  tableName?(table: number): string | undefined;
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
  const number = /^[ \t\n\v\f\r]*\+?\d+$/.test(text) ? BigInt(text.trim().replace('+', '')) : undefined;
  if (number !== undefined) {
    if (number >= 0xff00n && number <= 0xffffn) warnReserved(Number(number));
    if (number <= 0xffffn) return Number(number);
    if (number >= 0xffffff00n && number <= 0xffffffffn) return Number(number - 0xffff0000n);
    if (number <= 0xffffffffn) log.warn(`port ${number} is outside the supported range 0 through ffff or 0xffffff00 through 0xffffffff`);
    return undefined;
  }
  // A port of such a name is meant by the name in quotes.
  const reserved = RESERVED.get(text.toUpperCase());
  if (reserved !== undefined) return reserved;
  if (text.startsWith('-')) {
    log.warn(`Negative value ${text} is not a valid port number.`);
    return undefined;
  }
  const name = text.startsWith('"') ? unquote(text) : text;
  return name === undefined ? undefined : names?.number?.(name);
}

function warnReserved(port: number): void {
  const name = RESERVED_NAMES.get(port);
  if (name !== undefined) log.warn(`referring to port ${name} as ${port} is deprecated for compatibility with OpenFlow 1.1 and later`);
  else
    log.warn(
      `port ${port} is a reserved OF1.0 port number that will be translated to ${port + 0xffff0000} when talking to an OF1.1 or later controller`,
    );
}

/** The text between quotes; undefined when they do not end. */
function unquote(text: string): string | undefined {
  if (text.length < 2 || !text.endsWith('"')) return undefined;
  try {
    return String(JSON.parse(text));
  } catch {
    const inner = text.slice(1, -1);
    return inner.includes('"') ? undefined : inner;
  }
}

/** Writes a port: reserved names in capitals, else its name or number. A name that could be misread is quoted. */
export function formatPort(port: number, names?: PortNames): string {
  const reserved = RESERVED_NAMES.get(port);
  if (reserved !== undefined) return reserved;
  const name = names?.name?.(port);
  return name === undefined ? String(port) : quoteName(name);
}

/** Writes a table. */
export function formatTable(table: number, names?: PortNames): string {
  const name = names?.tableName?.(table);
  return name === undefined ? String(table) : quoteName(name);
}

const quoteName = (name: string): string => (/^[A-Za-z]\w*$/.test(name) ? name : JSON.stringify(name));

/** The number of a table that is written by its name. */
export function tableNamed(text: string, names?: PortNames): number | undefined {
  if (!text.startsWith('"')) return names?.tableNumber?.(text);
  // What is no string stands for the first table, as in the reference.
  const name = unquote(text);
  return name === undefined ? 0 : names?.tableNumber?.(name);
}

const U64 = 1n << 64n;

/**
 * Reads an integer as strtoull with base 0 does: decimal, 0x hexadecimal, 0 octal, after blanks and a sign. A negative number stands for
 * what it is in 64 bits; one that is too large is given as it is, for the caller to refuse.
 */
export function parseInteger(text: string): bigint | undefined {
  const [, sign, digits = ''] = /^[ \t\n\v\f\r]*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text) ?? [];
  if (digits === '') return undefined;
  const value = BigInt(/^0[0-7]/.test(digits) ? `0o${digits}` : digits);
  return sign === '-' && value < U64 ? BigInt.asUintN(64, -value) : value;
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
      if (port === undefined) {
        const what = field.format === 'port16' ? 'invalid or unknown port' : 'port value out of range';
        throw new ConfigError(`${text}: ${what} for ${field.name}`);
      }
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
      return parseFlags(text, TCP_FLAGS, 12, 'TCP', wholeMask(field));
    case 'tunFlags':
      return parseFlags(text, TUN_FLAGS, 1, 'tunnel');
    case 'ctState':
      return parseFlags(text, CT_FLAGS, 8, 'ct_state');
    case 'packetType':
      return parsePacketType(text);
  }
}

/** Reads `(namespace,type)`. Throws ConfigError. */
function parsePacketType(text: string): Masked {
  const bad = (rest: string, missing: string): never => {
    throw new ConfigError(`${rest}: bad syntax for packet type missing '${missing}'`);
  };
  if (!text.startsWith('(')) bad(text, '(');
  const first = text.slice(1);
  const ns = leadingValue(first);
  if (ns === undefined || ns.value > 0xffffn) throw new ConfigError(`${first}: bad syntax for packet type ns`);
  if (first.charAt(ns.length) !== ',') bad(first, ',');
  const second = first.slice(ns.length + 1);
  const type = leadingValue(second);
  if (type === undefined || type.value > 0xffffn) throw new ConfigError(`${second}: bad syntax for packet type ns_type`);
  if (second.charAt(type.length) !== ')') bad(second, ')');
  return { value: (ns.value << 16n) | type.value, mask: ones(32) };
}

/** How much of a text is a number, in the eyes of strtoull, and that number. */
function leadingInteger(text: string): { value: bigint; length: number } | undefined {
  const digits = /^(?:0x[0-9a-f]*|[ \t\n\v\f\r]*[+-]?(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*))/i.exec(text)?.[0];
  const value = digits === undefined ? undefined : /^0x$/i.test(digits) ? 0n : parseInteger(digits);
  return value === undefined || digits === undefined ? undefined : { value, length: digits.length };
}

/** As `leadingInteger`, as values of fields are read: between and behind the digits of a hexadecimal there may be blanks. */
function leadingValue(text: string): { value: bigint; length: number } | undefined {
  const [spaced, digits = ''] = /^0x([0-9a-f \t\n\v\f\r]*)/i.exec(text) ?? [];
  if (spaced === undefined) return leadingInteger(text);
  const joined = digits.replace(/[^0-9a-f]/gi, '');
  return { value: joined === '' ? 0n : BigInt(`0x${joined}`), length: spaced.length };
}

/** A number that a text begins with; what follows it is not looked at. */
export const scanInteger = (text: string): bigint | undefined => leadingInteger(text)?.value;

/** A number of at most `bytes` bytes that is all of a text; a decimal has 64 bits at most. Undefined when it is none. */
export function wholeInteger(text: string, bytes: number): bigint | undefined {
  const { value = 0n, length } = leadingValue(text) ?? {};
  const isTooLarge = value > ones(bytes * 8) || (value > ones(64) && !/^0x/i.test(text));
  return length === text.length && length > 0 && !isTooLarge ? value : undefined;
}

/** Reads one number of a field to the end or a slash. Throws ConfigError. */
function fieldNumber(field: Field, text: string, from: number, what: 'value' | 'mask'): { value: bigint; end: number } {
  const found = leadingValue(text.slice(from));
  const bad = (): never => {
    throw new ConfigError(`${text}: bad syntax for ${field.name} ${what}`);
  };
  if (found === undefined) return bad();
  const end = from + found.length;
  const isHex = /^0x/i.test(text.slice(from));
  const isWhole = end === text.length || (what === 'value' && text.charAt(end) === '/');
  // Decimals are read as 64 bits at most; hexadecimals are measured as far as they go.
  const isTooLarge = found.value > ones(field.wireBytes * 8) || (found.value > ones(64) && !isHex);
  if (isTooLarge) {
    throw new ConfigError(`${text}: ${what} too large for ${field.wireBytes}-byte field ${field.name}`);
  }
  if (!isWhole) return bad();
  return { value: found.value, end };
}

function parseNumber(field: Field, text: string, bits: number): Masked {
  const { value, end } = fieldNumber(field, text, 0, 'value');
  let mask = ones(bits);
  if (text.charAt(end) === '/') {
    mask = fieldNumber(field, text, end + 1, 'mask').value & ones(bits);
    if (mask !== ones(bits) && mask !== 0n && !field.maskable) throw new ConfigError(`${text}: invalid mask for field ${field.name}`);
  }
  return { value: value & ones(bits), mask };
}

/** An Ethernet address as the reference scans it: of numbers that are too long it keeps what fits. */
export const scannedMac = (text: string): string =>
  text
    .replace(/-([0-9a-f]+)/gi, (_, digits: string) => (-Number.parseInt(digits, 16) & 0xff).toString(16))
    .replace(/[0-9a-f]{3,}/gi, (digits) => digits.slice(-2));

function parseMacField(text: string): Masked {
  const [valueText = '', maskText] = scannedMac(text).split('/');
  const value = parseMac(valueText);
  const mask = maskText === undefined ? ([0xffffffff, 0xffff] as const) : parseMac(maskText);
  if (value === undefined || mask === undefined) throw new ConfigError(`${text}: invalid Ethernet address`);
  const big = (mac: readonly [number, number]): bigint => (BigInt(mac[0]) << 16n) | BigInt(mac[1]);
  return { value: big(value), mask: big(mask) };
}

/** Of numbers that are too long the reference keeps what fits. */
const lowBytes = (text: string): string => text.replace(/-\d+|\d{3,}/g, (digits) => String(BigInt.asUintN(8, BigInt(digits))));

function parseIpv4Field(text: string): Masked {
  const slash = text.indexOf('/');
  const value = parseIpv4(lowBytes(slash < 0 ? text : text.slice(0, slash)));
  if (value === undefined) throw new ConfigError(`${text}: invalid IP address`);
  if (slash < 0) return { value: BigInt(value), mask: ones(32) };
  const maskText = text.slice(slash + 1);
  const dotted = parseIpv4(lowBytes(maskText));
  if (dotted !== undefined) return { value: BigInt(value), mask: BigInt(dotted) };
  // What looks like an address is no length, whatever follows it.
  if (!/^\d/.test(maskText) || /^\d+\.\d+\.\d+\.\d/.test(maskText)) throw new ConfigError(`${text}: invalid IP address`);
  if (Number.parseInt(maskText, 10) > 32) throw new ConfigError(`${text}: IPv4 network prefix bits not between 0 and 32, inclusive`);
  if (!/^\d+$/.test(maskText)) throw new ConfigError(`${text}: invalid IP address`);
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
  // A prefix length as scanf reads one, or what looks like an address.
  const length = /^[ \t\n\v\f\r]*[+-]?\d+/.exec(maskText)?.[0];
  if (length !== undefined) {
    const bits = Number(BigInt.asIntN(32, BigInt(length.trim().replace(/^\+/, ''))));
    if (bits < 0 || bits > 128) throw new ConfigError(`${text}: IPv6 network prefix bits not between 0 and 128, inclusive`);
    if (length !== maskText) throw new ConfigError(`${text}: invalid IPv6 address`);
    return { value: joinWords(value), mask: prefix(bits, 128) };
  }
  const scanned = /^[\da-f:.]+/i.exec(maskText)?.[0];
  const mask = parseIpv6(scanned ?? '');
  if (scanned !== undefined && mask === undefined) throw new ConfigError(`${text}: Invalid IPv6 mask`);
  if (mask === undefined || scanned !== maskText) throw new ConfigError(`${text}: invalid IPv6 address`);
  return { value: joinWords(value), mask: joinWords(mask) };
}

function parseFlags(text: string, flags: readonly string[], bits: number, what: string, whole = ones(bits)): Masked {
  const bitOf = (name: string, from = name): bigint => {
    const index = flags.indexOf(name);
    if (index < 0) throw new ConfigError(`${from}: unknown ${what} flag(s)`);
    return 1n << BigInt(index);
  };
  if (text.startsWith('+') || text.startsWith('-')) {
    let value = 0n;
    let mask = 0n;
    for (const { 0: part, index } of text.matchAll(/[+-][^+-]*/g)) {
      const rest = text.slice(index + 1);
      const bit = bitOf(part.slice(1), rest);
      if ((mask & bit) !== 0n) throw new ConfigError(`${rest}: Each ${what} flag can be specified only once`);
      mask |= bit;
      if (part.startsWith('+')) value |= bit;
    }
    return { value, mask };
  }
  const [valueText = '', maskText] = text.split('/');
  const number = parseInteger(valueText);
  if (number !== undefined) {
    if (number > ones(bits)) throw new ConfigError(`${text}: unknown ${what} flag(s)`);
    // What follows the mask's number is not looked at.
    if (maskText === undefined) return { value: number, mask: whole };
    const mask = leadingFlags(maskText)?.value;
    if (mask === undefined || mask > ones(bits)) throw new ConfigError(`${text}: unknown ${what} flag(s)`);
    return { value: number, mask };
  }
  const value = flagsIn(text, flags) ?? bitOf('', text);
  return { value: value > ones(bits) ? bitOf('', text) : value, mask: whole };
}

/** As `leadingInteger`: of flags `0x` is a number and a letter behind it, and no number. */
const leadingFlags = (text: string): { value: bigint; length: number } | undefined =>
  /^0x(?![\da-f])/i.test(text) ? undefined : leadingInteger(text);

/** Names and numbers that follow each other, all of their bits; a bar may stand behind each. Undefined when there is something else. */
function flagsIn(text: string, flags: readonly string[]): bigint | undefined {
  let value = 0n;
  for (let at = 0; at < text.length; ) {
    const found = leadingFlags(text.slice(at));
    const name = found === undefined ? (/^[^|]+/.exec(text.slice(at))?.[0] ?? '') : '';
    const bit = flags.indexOf(name);
    if (found === undefined && bit < 0) return undefined;
    value |= found?.value ?? 1n << BigInt(bit);
    at += found?.length ?? name.length;
    if (text.charAt(at) === '|') at++;
  }
  return value;
}

function formatFlags({ value, mask }: Masked, flags: readonly string[], bits: number): string {
  const bitName = (bit: number): string => flags[bit] ?? `[${(1 << bit).toString(16)}]`;
  let text = '';
  if ((mask & ones(bits)) === ones(bits)) {
    const names: string[] = [];
    for (let bit = 0; bit < bits; bit++) if (((value >> BigInt(bit)) & 1n) !== 0n) names.push(bitName(bit));
    return names.length === 0 ? '0' : names.join('|');
  }
  for (let bit = 0; bit < bits; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    text += (((value >> BigInt(bit)) & 1n) !== 0n ? '+' : '-') + bitName(bit);
  }
  // Asked for bits alone that there are not.
  return text === '' ? '0/0' : text;
}

/** Hexadecimal with 0x, but plain 0. */
export const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

/** Digits as they are, more in hexadecimal. */
export const shortHex = (value: bigint): string => (value < 10n ? String(value) : hex(value));

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
      // Masks that no word stands for, told by the words of others.
      if (value === 0n && mask === BigInt(FRAG.ANY)) return 'no';
      if (value === mask && mask === BigInt(FRAG.LATER)) return 'later';
      return '<error>';
    case 'tcpFlags':
      return formatFlags({ value, mask }, TCP_FLAGS, 12);
    case 'tunFlags':
      // One bit stands for sixteen on the wire: it is always written as masked.
      return (value !== 0n ? '+' : '-') + (TUN_FLAGS[0] ?? '');
    case 'ctState':
      return formatFlags({ value: value & 0xffn, mask: mask & 0xffn }, CT_FLAGS, 8);
    case 'packetType':
      return `(${shortHex(value >> 16n)},${shortHex(value & 0xffffn)})`;
  }
}
