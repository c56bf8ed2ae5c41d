// JSON text as the reference prints it: no spaces, reals with 15 significant digits, members in the order given or sorted, or indented.
import type { Json } from './json.ts';

/** How C's `%.15g` prints a real. */
export function formatReal(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const [mantissa = '', power = '0'] = value.toExponential(14).split('e');
  const exponent = Number(power);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent < -4 || exponent >= 15) {
    const sign = exponent < 0 ? '-' : '+';
    return `${trim(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  return trim(value.toFixed(Math.max(0, 14 - exponent)));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped
const escapable = /["\\\u0000-\u001f]/g;
const escapes = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function escapeCharacter(c: string): string {
  return escapes.get(c) ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A string in quotes, with the escapes of the reference: the control characters, the quote and the backslash. */
export function formatJsonString(text: string): string {
  return text.search(escapable) < 0 ? `"${text}"` : `"${text.replace(escapable, escapeCharacter)}"`;
}

/** Byte order of UTF-8, which is the reference's order of strings; JavaScript compares UTF-16 units. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others.
    const isHighX = x >= 0xd800 && x <= 0xdfff;
    const isHighY = y >= 0xd800 && y <= 0xdfff;
    if (isHighX !== isHighY) return isHighX ? 1 : -1;
    return x < y ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

export interface JsonFormat {
  /** Members in order of their names. */
  sort?: boolean;
  /** Indented, a member a line. */
  pretty?: boolean;
}

/** A number that is printed as a real, also where it has no fraction: 1e+15, not 1000000000000000. */
export class JsonReal {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What can be printed: JSON with reals that say so. */
export type PrintableJson = Json | JsonReal | PrintableJson[] | Map<string, PrintableJson>;

/** The text of a value. */
export function formatJson(value: PrintableJson, format: JsonFormat = {}): string {
  return format.pretty === true ? formatPretty(value, format.sort === true, '') : formatCompact(value, format.sort === true);
}

function formatScalar(value: Exclude<PrintableJson, PrintableJson[] | Map<string, PrintableJson>>): string {
  if (typeof value === 'string') return formatJsonString(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : formatReal(value);
  return value instanceof JsonReal ? formatReal(value.value) : String(value);
}

function members(value: Map<string, PrintableJson>, sort: boolean): Iterable<[string, PrintableJson]> {
  return sort ? [...value].sort((a, b) => compareText(a[0], b[0])) : value;
}

function formatCompact(value: PrintableJson, sort: boolean): string {
  if (Array.isArray(value)) {
    let out = '[';
    for (let i = 0; i < value.length; i++) out += (i === 0 ? '' : ',') + formatCompact(value[i] as PrintableJson, sort);
    return `${out}]`;
  }
  if (value instanceof Map) {
    let out = '{';
    let first = true;
    for (const [name, member] of members(value, sort)) {
      out += `${first ? '' : ','}${formatJsonString(name)}:${formatCompact(member, sort)}`;
      first = false;
    }
    return `${out}}`;
  }
  return formatScalar(value);
}

function formatPretty(value: PrintableJson, sort: boolean, indent: string): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + formatPretty(item, sort, inner)).join(',\n')}]`;
  }
  if (value instanceof Map) {
    // As the reference has it.
    if (value.size === 0) return `{\n${inner}}`;
    const lines = [...members(value, sort)].map(
      ([name, member]) => `${inner}${formatJsonString(name)}: ${formatPretty(member, sort, inner)}`,
    );
    return `{\n${lines.join(',\n')}}`;
  }
  return formatScalar(value);
}
