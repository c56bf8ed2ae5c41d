// NXM and OXM entries as text, byte for byte: `NXM_OF_IN_PORT(0001), NXM_OF_IP_SRC_W(0a000000/ff000000)`, as parse-nxm and parse-oxm have
// it. Unlike a match's text it shows the codes and sizes that stand on the wire.
import { ConfigError } from '../../base/errors.ts';
import { ByteReader, ByteWriter } from '../codec/bytes.ts';
import { fieldByCode, fieldByLabel, OXM_CLASSES } from '../codec/fields/oxm-table.ts';

const OPTION_LABEL = 'NXM_NX_TUN_METADATA';
const OPTION_SIZE = 124;
const COOKIE = { cls: 1, num: 30, size: 8 } as const;

interface Header {
  cls: number;
  experimenter: number;
  num: number;
  hasMask: boolean;
  /** Bytes of value and mask. */
  size: number;
}

function headerOf(name: string): Header | undefined {
  const hasMask = name.endsWith('_W');
  const label = hasMask ? name.slice(0, -2) : name;
  if (label === 'NXM_NX_COOKIE')
    return { cls: COOKIE.cls, experimenter: 0, num: COOKIE.num, hasMask, size: COOKIE.size * (hasMask ? 2 : 1) };
  const coded = fieldByLabel(label);
  if (coded !== undefined && (!hasMask || coded.field.maskable)) {
    const { cls, experimenter } = OXM_CLASSES[coded.code.cls];
    return { cls, experimenter, num: coded.code.num, hasMask, size: coded.field.wireBytes * (hasMask ? 2 : 1) };
  }
  if (!/^[0-9a-f]{8}([0-9a-f]{8})?$/i.test(name)) return undefined;
  const number = Number.parseInt(name.slice(0, 8), 16);
  const experimenter = name.length === 16 ? Number.parseInt(name.slice(8), 16) : 0;
  const size = number & 0xff;
  const cls = number >>> 16;
  return { cls, experimenter, num: (number >> 9) & 0x7f, hasMask: (number & 0x100) !== 0, size: cls === 0xffff ? size - 4 : size };
}

/** Hexadecimal digits in pairs with blanks between, from the front; gives the bytes and what is left. */
export function takeHex(text: string): { bytes: number[]; rest: string } {
  const bytes: number[] = [];
  let rest = text;
  for (;;) {
    rest = rest.replace(/^[ \t\r\n]+/, '');
    const pair = /^[0-9a-f]{2}/i.exec(rest)?.[0];
    if (pair === undefined) return { bytes, rest };
    bytes.push(Number.parseInt(pair, 16));
    rest = rest.slice(2);
  }
}

function takeExactly(text: string, size: number): { bytes: number[]; rest: string } {
  const taken = takeHex(text);
  if (taken.bytes.length !== size) throw new ConfigError(`expected to read ${size} bytes but got ${taken.bytes.length}`);
  return taken;
}

function takeAtMost(text: string, size: number): { bytes: number[]; rest: string } {
  const taken = takeHex(text);
  if (taken.bytes.length > size) throw new ConfigError(`expected to read at most ${size} bytes but got ${taken.bytes.length}`);
  return taken;
}

/** As many bytes as a mask has, whatever follows them. */
function takeMask(text: string, size: number): { bytes: number[]; rest: string } {
  const bytes: number[] = [];
  let rest = text;
  while (bytes.length < size) {
    rest = rest.replace(/^[ \t\r\n]+/, '');
    const pair = /^[0-9a-f]{2}/i.exec(rest)?.[0];
    if (pair === undefined) throw new ConfigError(`${rest.slice(0, 2)}: hex digits expected`);
    bytes.push(Number.parseInt(pair, 16));
    rest = rest.slice(2);
  }
  const more = takeHex(rest);
  if (more.bytes.length > 0) throw new ConfigError(`${more.rest.slice(0, 2)}: hex digits expected`);
  return { bytes, rest };
}

/** Bytes of entries. Throws ConfigError. */
export function parseEntries(text: string): Uint8Array {
  const out = new ByteWriter();
  if (text.trim() === '<any>') return out.result();
  let rest = text.replace(/^[ ,]+/, '');
  while (rest !== '') {
    const open = rest.indexOf('(');
    if (open < 0) throw new ConfigError(`${text}: missing ( at end of nx_match`);
    const name = rest.slice(0, open);
    const header = headerOf(name);
    if (header === undefined) throw new ConfigError(`${text}: unknown field \`${rest.slice(0, open)}'`);
    const isLong = header.cls === 0xffff;
    // An option's value is as long as its digits.
    const isOption = name.startsWith(OPTION_LABEL);
    let taken = isOption
      ? takeAtMost(rest.slice(open + 1), OPTION_SIZE)
      : takeExactly(rest.slice(open + 1), header.hasMask ? header.size >> 1 : header.size);
    const each = taken.bytes.length;
    const size = isOption ? each * (header.hasMask ? 2 : 1) : header.size;
    out
      .u16(header.cls)
      .u8((header.num << 1) | (header.hasMask ? 1 : 0))
      .u8(size + (isLong ? 4 : 0));
    if (isLong) out.u32(header.experimenter);
    out.put(Uint8Array.from(taken.bytes));
    if (header.hasMask) {
      if (!taken.rest.startsWith('/')) throw new ConfigError(`${text}: missing / in masked field ${name}`);
      taken = takeMask(taken.rest.slice(1), each);
      out.put(Uint8Array.from(taken.bytes));
    }
    if (!taken.rest.startsWith(')')) throw new ConfigError(`${text}: missing ) following field ${name}`);
    rest = taken.rest.slice(1).replace(/^[ ,]+/, '');
  }
  return out.result();
}

/** The reference fills an option to its greatest size from the left, and shows as many bytes as there were from there. */
function optionStart(value: Uint8Array): Uint8Array {
  const whole = new Uint8Array(OPTION_SIZE);
  if (value.length > OPTION_SIZE) return value;
  whole.set(value, OPTION_SIZE - value.length);
  return whole.subarray(0, value.length);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Entries as text; what makes no sense is counted at the end. */
export function formatEntries(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<any>';
  const parts: string[] = [];
  const from = new ByteReader(bytes);
  while (from.left > 0) {
    const invalid = (): string => `<${from.left} invalid bytes>`;
    if (from.left < 4) return [...parts, invalid()].join(', ');
    const start = from.at;
    const cls = from.u16();
    const second = from.u8();
    let size = from.u8();
    let experimenter = 0;
    if (cls === 0xffff && size >= 4 && from.left >= 4) {
      experimenter = from.u32();
      size -= 4;
    }
    if (size > from.left) {
      from.at = start;
      return [...parts, invalid()].join(', ');
    }
    const hasMask = (second & 1) !== 0;
    const num = second >> 1;
    // The cookie shares its number with the time to live of a label, which is a byte.
    const isCookie = cls === COOKIE.cls && num === COOKIE.num && size === (hasMask ? 16 : 8);
    const label = isCookie ? 'NXM_NX_COOKIE' : fieldByCode(cls, experimenter, num)?.code.label;
    const name = label === undefined ? `${experimenter}:${cls}:${num}:${hasMask ? 1 : 0}:${size}` : `${label}${hasMask ? '_W' : ''}`;
    const each = hasMask ? size >> 1 : size;
    const isOption = label?.startsWith(OPTION_LABEL) === true;
    const shown = (): string => hex(isOption ? optionStart(from.take(each)) : from.take(each));
    const value = shown();
    parts.push(`${name}(${value}${hasMask ? `/${shown()}` : ''})`);
    from.skip(size - (hasMask ? 2 : 1) * each);
  }
  return parts.join(', ');
}
