// The text of a datapath flow as a list of attributes, `eth(src=...)`, each with the fields that were said. Facts: the running reference, which
// takes no blank within an attribute but before a number, fields in any order, and cuts most numbers to their bits.
import { parseIpv6 } from '../base/addresses.ts';
import { FRAG } from '../flow/key.ts';
import { type FieldPlace, type Fields, FLAGS, type FlagNames, GROUPS, SINGLE } from './key-groups.ts';
import { TextScan } from './text-scan.ts';

/** A value and its mask. */
export type FieldValue = readonly [value: bigint, mask: bigint];

/** A Geneve option: class, type and length in words as on the wire, and its data. */
export interface TunnelOption {
  header: number;
  value: bigint;
  mask: bigint;
}

export interface KeyAttribute {
  group: string;
  /** By name, in the order of the text; what has but one value has it under no name. */
  fields: ReadonlyMap<string, FieldValue>;
  /** Whether flags were given as `+name-name`, or with a mask. */
  isSigned?: boolean;
  /** What `encap` holds. */
  inner?: readonly KeyAttribute[];
  /** Label stack entries. */
  entries?: readonly ReadonlyMap<string, FieldValue>[];
  /** Of a tunnel: names of its parts in the order of the text, with repetitions, and those that are no fields. */
  extras?: { order: readonly string[]; options?: readonly TunnelOption[]; vxlan?: FieldMap; erspan?: FieldMap; gtpu?: FieldMap };
}
type FieldMap = ReadonlyMap<string, FieldValue>;

export interface AttributeOptions {
  /** Whether `/mask` is allowed, and what is not named is not matched. Otherwise the text is a key alone. */
  masked: boolean;
  /** The port of that name. */
  port?(name: string): number | undefined;
}

const MAX_DEPTH = 16;
const MAX_LABELS = 3;
const FRAGMENTS: ReadonlyMap<string, bigint> = new Map([
  ['no', 0n],
  ['first', BigInt(FRAG.ANY)],
  ['later', BigInt(FRAG.ANY | FRAG.LATER)],
]);
const OPTION_FIELDS = ['class', 'type', 'len'] as const;

export const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const wide = (words: readonly number[]): bigint => words.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);

/** A number that may be wider than 64 bits, in hexadecimal then. */
export function wideNumber(scan: TextScan, bits: number): bigint | undefined {
  const digits = scan.match(/0x[0-9a-f]+|\d+/iy)?.[0];
  if (digits === undefined) return undefined;
  const isHex = /^0x/i.test(digits);
  const isOctal = !isHex && /^0\d/.test(digits);
  if (isOctal && /[89]/.test(digits)) return undefined;
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  return value > ones(isHex ? bits : Math.min(bits, 64)) ? undefined : value;
}

/** A byte of an address, of which more digits are cut. */
const byteOf = (text: string): bigint => {
  const value = BigInt(`0x${text.replace(/^[+-]?(0x)?/i, '')}`);
  return (text.startsWith('-') ? -value : value) & 255n;
};

function flagBits(text: string, names: FlagNames): bigint | undefined {
  let value = 0;
  for (const name of text.split('|')) {
    const flag = names.find(([known]) => known === name);
    if (flag === undefined) return undefined;
    value |= flag[1];
  }
  return BigInt(value);
}

/** Reads attributes; every method gives undefined or false for a syntax error. */
class AttributeReader {
  readonly #scan: TextScan;
  readonly #options: AttributeOptions;

  constructor(scan: TextScan, options: AttributeOptions) {
    this.#scan = scan;
    this.#options = options;
  }

  /** Attributes up to the end of the text, or to the parenthesis that `encap` began with. */
  list(depth: number): KeyAttribute[] | undefined {
    const found: KeyAttribute[] = [];
    for (;;) {
      this.#scan.delimiters();
      if (depth > 0 ? this.#scan.word(')') : this.#scan.isAtEnd) return found;
      const attribute = this.one(depth);
      if (attribute === undefined) return undefined;
      found.push(attribute);
    }
  }

  /** The next attribute; where it is none, the text stays before it. */
  one(depth = 0): KeyAttribute | undefined {
    const start = this.#scan.at;
    const group = this.#scan.match(/([a-z_0-9]+)\(/y)?.[1];
    const attribute = group === undefined ? undefined : this.#inside(group, depth);
    if (attribute === undefined) this.#scan.at = start;
    return attribute;
  }

  #inside(group: string, depth: number): KeyAttribute | undefined {
    const single = SINGLE.get(group);
    if (single !== undefined) return this.#single(group, single);
    const flags = group === 'flags' ? undefined : FLAGS.get(group);
    if (flags !== undefined) {
      const read = this.#flags(flags.place, flags.names, false);
      return read && { group, fields: new Map([['', read.field]]), isSigned: read.isSigned };
    }
    if (group === 'encap') {
      const inner = depth >= MAX_DEPTH ? undefined : this.list(depth + 1);
      return inner && { group, fields: new Map(), inner };
    }
    if (group === 'mpls') return this.#mpls();
    if (group === 'tunnel') return this.#tunnel();
    const places = GROUPS.get(group);
    const fields = places && this.#fields(places);
    return fields && { group, fields };
  }

  /** `name=value,name=value)`. */
  #fields(places: Fields, canMask = this.#options.masked): FieldMap | undefined {
    const fields = new Map<string, FieldValue>();
    while (!this.#scan.word(')')) {
      const name = this.#scan.match(/([a-z_0-9]+)=/y)?.[1] ?? '';
      const field = Object.hasOwn(places, name) ? this.#field(places[name]!, canMask) : undefined;
      if (field === undefined || !this.#isSeparated()) return undefined;
      fields.set(name, field);
    }
    return fields;
  }

  /** A field ends by a comma, or the parenthesis of its group comes. */
  #isSeparated(): boolean {
    return this.#scan.word(',') || this.#scan.text[this.#scan.at] === ')';
  }

  #field(place: FieldPlace, canMask: boolean): FieldValue | undefined {
    const value = this.#value(place);
    if (value === undefined) return undefined;
    if (place.kind === 'frag' || !canMask || !this.#scan.word('/')) return [value, ones(place.bits)];
    const mask = this.#value(place);
    return mask === undefined ? undefined : [value, mask];
  }

  #value(place: FieldPlace): bigint | undefined {
    switch (place.kind) {
      case 'number':
        return this.#number(place);
      case 'mac': {
        const found = this.#scan.match(/[+-]?(?:0x)?[0-9a-f]+(?::[+-]?(?:0x)?[0-9a-f]+){5}/iy)?.[0];
        return found?.split(':').reduce((all, byte) => (all << 8n) | byteOf(byte), 0n);
      }
      case 'ipv4': {
        const found = this.#scan.match(/\d+\.\d+\.\d+\.\d+/y)?.[0];
        return found?.split('.').reduce((all, byte) => (all << 8n) | (BigInt(byte) & 255n), 0n);
      }
      case 'ipv6': {
        const words = parseIpv6(this.#scan.match(/[0-9a-f:.]+/iy)?.[0] ?? '');
        return words && wide([...words]);
      }
      case 'frag':
        return FRAGMENTS.get(this.#scan.match(/[a-z]+/y)?.[0] ?? '');
    }
  }

  #number({ bits, isLimited }: FieldPlace): bigint | undefined {
    if (bits > 64) {
      return wideNumber(this.#scan, bits);
    }
    const value = this.#scan.number(isLimited ? 32 : bits);
    return value === undefined || value > ones(bits) ? undefined : value;
  }

  #single(group: string, place: FieldPlace): KeyAttribute | undefined {
    // A mask is read even where it does not count; a recirculation has none.
    const field = this.#field(place, group !== 'recirc_id') ?? (group === 'in_port' ? this.#portName() : undefined);
    if (field === undefined || !this.#scan.word(')')) return undefined;
    return { group, fields: new Map([['', this.#options.masked ? field : [field[0], ones(place.bits)]]]) };
  }

  #portName(): FieldValue | undefined {
    const name = this.#scan.match(/[^)]+/y)?.[0] ?? '';
    const port = this.#options.port?.(name);
    return port === undefined ? undefined : [BigInt(port), ones(32)];
  }

  /** A number with a mask, `name|name`, or `+name-name`, and the parenthesis behind it. */
  #flags(place: FieldPlace, names: FlagNames, canBeEmpty: boolean): { field: FieldValue; isSigned: boolean } | undefined {
    const all = ones(place.bits);
    if (/[\d\s]/.test(this.#scan.text[this.#scan.at] ?? '')) {
      const start = this.#scan.at;
      const field = this.#field(place, true);
      const known = names.reduce((bits, [, bit]) => bits | BigInt(bit), 0n);
      const isMasked = this.#scan.text.slice(start, this.#scan.at).includes('/');
      const bits = field === undefined ? 0n : isMasked ? field[0] | field[1] : field[0];
      if (field === undefined || (bits & ~known) !== 0n || !this.#scan.word(')')) return undefined;
      return { field: this.#options.masked ? field : [field[0], all], isSigned: this.#options.masked && isMasked };
    }
    const text = this.#scan.match(/([^)]*)\)/y)?.[1];
    if (text === undefined || (text === '' && !canBeEmpty)) return undefined;
    if (!/^[+-]/.test(text)) {
      const value = text === '' ? 0n : flagBits(text.replace(/\|$/, ''), names);
      return value === undefined ? undefined : { field: [value, all], isSigned: false };
    }
    let [value, mask] = [0n, 0n];
    for (const [, sign, name = ''] of text.matchAll(/([+-])([^+-]*)/g)) {
      const bit = flagBits(name, names);
      if (bit === undefined || (mask & bit) !== 0n) return undefined;
      mask |= bit;
      if (sign === '+') value |= bit;
    }
    return { field: [value, this.#options.masked ? mask : all], isSigned: true };
  }

  /** Entries one after the other: what was said before begins the next. */
  #mpls(): KeyAttribute | undefined {
    const places = GROUPS.get('mpls')!;
    const entries: Map<string, FieldValue>[] = [new Map()];
    while (!this.#scan.word(')')) {
      const name = this.#scan.match(/([a-z]+)=/y)?.[1] ?? '';
      const field = Object.hasOwn(places, name) ? this.#field(places[name]!, this.#options.masked) : undefined;
      if (field === undefined || !this.#isSeparated()) return undefined;
      if (entries.at(-1)!.has(name)) entries.push(new Map());
      if (entries.length > MAX_LABELS) return undefined;
      entries.at(-1)!.set(name, field);
    }
    return { group: 'mpls', fields: new Map(), entries };
  }

  #tunnel(): KeyAttribute | undefined {
    const places = GROUPS.get('tunnel')!;
    const fields = new Map<string, FieldValue>();
    const order: string[] = [];
    const extras: { order: string[]; options?: TunnelOption[]; vxlan?: FieldMap; erspan?: FieldMap; gtpu?: FieldMap } = { order };
    let isSigned = false;
    while (!this.#scan.word(')')) {
      const name = this.#scan.match(/([a-z_0-9]+)[=(]/y)?.[1] ?? '';
      if (this.#scan.text[this.#scan.at - 1] === '=') {
        const field = Object.hasOwn(places, name) ? this.#field(places[name]!, true) : undefined;
        if (field === undefined) return undefined;
        fields.set(name, this.#options.masked ? field : [field[0], ones(places[name]!.bits)]);
      } else if (name === 'flags') {
        const { place, names } = FLAGS.get('flags')!;
        const read = this.#flags(place, names, true);
        if (read === undefined) return undefined;
        fields.set('flags', read.field);
        isSigned = read.isSigned;
      } else if (!this.#extra(name, extras)) return undefined;
      if (!this.#isSeparated()) return undefined;
      order.push(name);
    }
    return { group: 'tunnel', fields, extras, isSigned };
  }

  #extra(name: string, extras: { options?: TunnelOption[]; vxlan?: FieldMap; erspan?: FieldMap; gtpu?: FieldMap }): boolean {
    const part = (bits: number): FieldPlace => ({ at: 0, bits, kind: 'number' });
    switch (name) {
      case 'geneve':
        extras.options = this.#geneve() as TunnelOption[];
        return extras.options !== undefined;
      case 'vxlan': {
        if (!this.#scan.word('gbp(')) return false;
        const fields = this.#fields({ id: part(16), flags: part(8) }, true);
        if (fields === undefined || !this.#scan.word(')')) return false;
        extras.vxlan = fields;
        return true;
      }
      case 'gtpu': {
        const fields = this.#fields({ flags: part(8), msgtype: part(8) }, true);
        if (fields === undefined) return false;
        extras.gtpu = fields;
        return true;
      }
      case 'erspan': {
        const fields = this.#fields({ ver: part(8), idx: part(32), dir: part(8), hwid: part(8) }, true);
        const version = fields?.get('ver')?.[0];
        const wanted = version === 1n ? ['ver', 'idx'] : ['ver', 'dir', 'hwid'];
        if (fields === undefined || (version !== 1n && version !== 2n)) return false;
        if ([...fields.keys()].some((field) => !wanted.includes(field))) return false;
        extras.erspan = fields;
        return true;
      }
    }
    return false;
  }

  /** `{class=N,type=N,len=N,DATA}...` and the parenthesis behind them. */
  #geneve(): TunnelOption[] | undefined {
    const options: TunnelOption[] = [];
    while (!this.#scan.word(')')) {
      if (!this.#scan.word('{')) return undefined;
      const head = { class: 0, type: 0, len: 0 };
      let data: FieldValue | undefined;
      while (!this.#scan.word('}')) {
        const name = this.#scan.match(/(class|type|len)=/y)?.[1] as (typeof OPTION_FIELDS)[number] | undefined;
        if (name === undefined) {
          data = this.#optionData(head.len);
          if (data === undefined || !this.#scan.word('}')) return undefined;
          break;
        }
        const place: FieldPlace = { at: 0, bits: name === 'class' ? 16 : 8, kind: 'number' };
        const field = this.#field(place, true);
        if (field === undefined) return undefined;
        head[name] = Number(field[0]);
        if (head.len % 4 !== 0 || head.len > 124) return undefined;
        this.#scan.word(',');
      }
      const [value, mask] = data ?? [0n, ones(head.len * 8)];
      options.push({ header: ((head.class << 16) | (head.type << 8) | (head.len / 4)) >>> 0, value, mask });
    }
    return options;
  }

  #optionData(size: number): FieldValue | undefined {
    const number = (): bigint | undefined => (size === 0 ? undefined : wideNumber(this.#scan, size * 8));
    const value = number();
    if (value === undefined || !this.#scan.word('/')) return value === undefined ? undefined : [value, ones(size * 8)];
    const mask = number();
    return mask === undefined ? undefined : [value, mask];
  }
}

/** The attributes of a text, or the error text as the reference words it. */
export function parseAttributes(text: string, options: AttributeOptions): KeyAttribute[] | string {
  const scan = new TextScan(text);
  const attributes = new AttributeReader(scan, options).list(0);
  if (attributes !== undefined) return attributes;
  // A name is read, but does not belong there.
  scan.match(UFID);
  return `syntax error at ${scan.rest}`;
}

/** A flow's name of its own. */
export const UFID: RegExp = /ufid:([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})/y;

/** The one attribute that stands at a place of a text. */
export const parseAttribute = (scan: TextScan, options: AttributeOptions): KeyAttribute | undefined =>
  new AttributeReader(scan, options).one();
