// JSON as OVSDB needs it: exact 64-bit integers, members in a Map (so that `__proto__` is data), a nesting limit, the reference's error text.
//
// A number without fraction that fits 64 bits is an integer: a JavaScript number while that is exact, else a bigint. All else is a real.
// The parser takes text; `JsonStream` in json-stream.ts cuts a byte stream into texts.
import { byteText, decodeText, encodeText } from '../../base/byte-text.ts';
import { parseNatively } from './json-native.ts';

export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

/** A text that is no JSON; the message is the reference's, with its position. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  /** The text ended too early: more of it might have been right. */
  readonly isIncomplete: boolean;
  constructor(message: string, isIncomplete: boolean) {
    super(message);
    this.isIncomplete = isIncomplete;
  }
}

/** Arrays and objects inside one another, at most. */
export const MAX_JSON_DEPTH = 1000;

export const MIN_INTEGER = -(2n ** 63n);
export const MAX_INTEGER = 2n ** 63n - 1n;

/** An integer as OVSDB holds it: a number while exact, else a bigint. */
export function exactInteger(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** A JSON object from pairs. */
export function jsonObject(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const object: JsonObject = new Map();
  for (const [name, value] of Object.entries(members)) if (value !== undefined) object.set(name, value);
  return object;
}

/** The value as an object, or undefined. */
export function asObject(value: Json | undefined): JsonObject | undefined {
  return value instanceof Map ? value : undefined;
}

// Names of members, operations, tables and columns come again and again: the same string each time is neither made anew nor hashed again where it is
// looked up. A place in the table belongs to a name sooner than to a value.
const MAX_WORD_LENGTH = 24;
const words: (string | undefined)[] = new Array(1024).fill(undefined);

function word(text: string, start: number, length: number, hash: number, isName: boolean): string {
  const place = hash & (words.length - 1);
  const known = words[place];
  if (known !== undefined && known.length === length && text.startsWith(known, start)) return known;
  const made = text.slice(start, start + length);
  if (known !== undefined && !isName) return made;
  // A copy, for a piece would keep the whole text alive.
  const own = ownText(made);
  words[place] = own;
  return own;
}

/** White space that was taken and let go. */
export interface Blank {
  lines: number;
  column: number;
  size: number;
}

const NO_BLANK: Blank = { lines: 0, column: 0, size: 0 };

/** Reads values from a text, one after another. */
export class JsonParser {
  readonly text: string;
  /** The place of the next character. */
  at: number;
  depth = 0;
  /** Counted as taken beyond the text. */
  extra = 0;
  /** Each character stands for a byte. */
  readonly isBytes: boolean;
  /** What stood before the text and counts for positions. */
  readonly blank: Blank;

  constructor(text: string, at = 0, isBytes = false, blank = NO_BLANK) {
    this.text = text;
    this.at = at;
    this.isBytes = isBytes;
    this.blank = blank;
  }

  fail(message: string, isIncomplete = false): never {
    // The reference counts lines from 0, and columns and bytes of what it has taken.
    const taken = this.text.slice(0, this.at);
    const lines = taken.split('\n');
    const size = (text: string): number => (this.isBytes ? text.length : Buffer.byteLength(text)) + this.extra;
    const { blank } = this;
    const column = size(lines.at(-1) ?? '') + (lines.length === 1 ? blank.column : 0);
    throw new JsonError(
      `line ${lines.length - 1 + blank.lines}, column ${column}, byte ${size(taken) + blank.size}: ${message}`,
      isIncomplete,
    );
  }

  skipSpace(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c === 32 || c === 10 || c === 13 || c === 9) this.at++;
      else return;
    }
  }

  value(): Json {
    this.skipSpace();
    const c = this.text.charCodeAt(this.at);
    if (c === 34) return this.string();
    if (c === 123) return this.object();
    if (c === 91) return this.array();
    if (c === 45 || (c >= 48 && c <= 57)) return this.number();
    return this.keyword();
  }

  keyword(): Json {
    const start = this.at;
    const { text } = this;
    // A keyword as it should be, and nothing behind it that would make it another word.
    const length = text.startsWith('true', start) || text.startsWith('null', start) ? 4 : text.startsWith('false', start) ? 5 : 0;
    const behind = text.charCodeAt(start + length) | 32;
    if (length > 0 && !(behind >= 97 && behind <= 122)) {
      this.at = start + length;
      return length === 5 ? false : text.charCodeAt(start) === 116 ? true : null;
    }
    const word = this.word();
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
    if (word !== '') this.fail(`invalid keyword '${word}'`, this.at === this.text.length);
    if (this.at >= this.text.length) this.fail('unexpected end of input', true);
    this.invalidCharacter('syntax error expecting value');
  }

  /** Takes the letters of a keyword, right or wrong. */
  word(): string {
    const start = this.at;
    if (/[a-z]/.test(this.text.charAt(start))) while (/[a-z]/i.test(this.text.charAt(this.at))) this.at++;
    return this.text.slice(start, this.at);
  }

  /** The fault of a character that starts no token, or of a token in the wrong place: of a token only once all of it is there and sound. */
  invalidCharacter(syntax: string): never {
    const c = this.text.charAt(this.at);
    if (c === '') this.endOfInput();
    if (/["a-z0-9-]/.test(c)) {
      this.value();
      // A string is known to be one at its closing quote, which is not counted yet.
      if (c === '"') this.at--;
      else if (this.at === this.text.length) this.fail(syntax, true);
      this.fail(syntax);
    }
    if (/[[\]{},:]/.test(c)) this.fail(syntax);
    this.fail(c > ' ' && c < '\x7f' ? `invalid character '${c}'` : `invalid character U+${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  }

  /** A number or word at the end is only known to be over when the end is taken too. */
  endOfInput(): never {
    const isOpen = /[-+.0-9a-z]$/i.test(this.text);
    if (isOpen) this.extra = 1;
    this.fail('unexpected end of input', true);
  }

  enter(): void {
    this.at++;
    if (++this.depth > MAX_JSON_DEPTH) this.fail(`input exceeds maximum nesting depth ${MAX_JSON_DEPTH}`);
  }

  array(): Json[] {
    this.enter();
    const items: Json[] = [];
    this.skipSpace();
    if (this.text.charCodeAt(this.at) === 93) {
      this.at++;
      this.depth--;
      return items;
    }
    for (;;) {
      items.push(this.value());
      this.skipSpace();
      const c = this.text.charCodeAt(this.at);
      if (c === 93) break;
      if (c !== 44) this.invalidCharacter("syntax error expecting ']' or ','");
      this.at++;
    }
    this.at++;
    this.depth--;
    return items;
  }

  object(): JsonObject {
    this.enter();
    const members: JsonObject = new Map();
    this.skipSpace();
    if (this.text.charCodeAt(this.at) === 125) {
      this.at++;
      this.depth--;
      return members;
    }
    for (;;) {
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== 34) this.invalidCharacter('syntax error parsing object expecting string');
      const name = this.string(true);
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== 58) this.invalidCharacter("syntax error parsing object expecting ':'");
      this.at++;
      members.set(name, this.value());
      this.skipSpace();
      const c = this.text.charCodeAt(this.at);
      if (c === 125) break;
      if (c !== 44) this.invalidCharacter("syntax error expecting '}' or ','");
      this.at++;
    }
    this.at++;
    this.depth--;
    return members;
  }

  string(isName = false): string {
    const start = ++this.at;
    const { text } = this;
    let plain = true;
    let hash = 0;
    for (;;) {
      const c = text.charCodeAt(this.at);
      if (c === 34) break;
      if (Number.isNaN(c)) this.fail('unexpected end of input in quoted string', true);
      if (c < 32) this.fail(`U+${c.toString(16).padStart(4, '0').toUpperCase()} must be escaped in quoted string`);
      if (c === 92) {
        plain = false;
        this.at++;
      }
      hash = (Math.imul(hash, 31) + c) | 0;
      this.at++;
    }
    const length = this.at - start;
    const value =
      plain && length <= MAX_WORD_LENGTH
        ? word(text, start, length, hash, isName)
        : plain
          ? text.slice(start, start + length)
          : this.unescape(text.slice(start, start + length));
    this.at++;
    return value;
  }

  unescape(raw: string): string {
    let out = '';
    for (let i = 0; i < raw.length; ) {
      const slash = raw.indexOf('\\', i);
      if (slash < 0) return out + raw.slice(i);
      out += raw.slice(i, slash);
      const c = raw.charAt(slash + 1);
      i = slash + 2;
      const simple = simpleEscapes.get(c);
      if (simple !== undefined) {
        out += simple;
      } else if (c === 'u') {
        const [text, next] = this.unicodeEscape(raw, i);
        out += text;
        i = next;
      } else {
        this.fail(`bad escape \\${c}`);
      }
    }
    return out;
  }

  unicodeEscape(raw: string, at: number): [string, number] {
    const unit = this.hexUnit(raw, at);
    if (unit < 0xd800 || unit > 0xdbff) {
      if (unit === 0) this.fail('null bytes not supported in quoted strings');
      // A trailing half by itself is let through, as the reference does: as three bytes, which are no UTF-8.
      if (unit >= 0xdc00 && unit <= 0xdfff) return [byteText(0xed, 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)), at + 4];
      return [String.fromCharCode(unit), at + 4];
    }
    const low = raw.slice(at + 4, at + 6) === '\\u' ? this.hexUnit(raw, at + 6) : -1;
    if (low < 0) this.fail('malformed escaped surrogate pair');
    if (low < 0xdc00 || low > 0xdfff) this.fail('second half of escaped surrogate pair is not trailing surrogate');
    return [String.fromCharCode(unit, low), at + 10];
  }

  hexUnit(raw: string, at: number): number {
    const digits = raw.slice(at, at + 4);
    if (digits.length < 4) this.fail('quoted string ends within \\u escape');
    if (!/^[0-9a-f]{4}$/i.test(digits)) this.fail('malformed \\u escape');
    return Number.parseInt(digits, 16);
  }

  number(): number | bigint {
    const start = this.at;
    const { text } = this;
    let c = text.charCodeAt(this.at);
    // Most numbers are short and have neither sign nor fraction.
    if (c >= 49 && c <= 57) {
      let at = start;
      let small = 0;
      while (c >= 48 && c <= 57 && at < start + 15) {
        small = small * 10 + c - 48;
        c = text.charCodeAt(++at);
      }
      if (c === 44 || c === 93 || c === 125 || c === 32) {
        this.at = at;
        return small;
      }
      c = text.charCodeAt(start);
    }
    if (c === 45) c = text.charCodeAt(++this.at);
    if (!(c >= 48 && c <= 57)) this.numberFault(start, "'-' must be followed by digit");
    if (c === 48) {
      c = text.charCodeAt(++this.at);
      if (c >= 48 && c <= 57) this.numberFault(start, 'leading zeros not allowed');
    } else {
      while (c >= 48 && c <= 57) c = text.charCodeAt(++this.at);
    }
    let isReal = false;
    if (c === 46) {
      isReal = true;
      c = text.charCodeAt(++this.at);
      if (!(c >= 48 && c <= 57)) this.numberFault(start, 'decimal point must be followed by digit');
      while (c >= 48 && c <= 57) c = text.charCodeAt(++this.at);
    }
    if (c === 101 || c === 69) {
      isReal = true;
      c = text.charCodeAt(++this.at);
      if (c === 43 || c === 45) c = text.charCodeAt(++this.at);
      if (!(c >= 48 && c <= 57)) this.numberFault(start, 'exponent must contain at least one digit');
      for (let exponent = 0; c >= 48 && c <= 57; c = text.charCodeAt(++this.at)) {
        if (exponent >= MAX_EXPONENT) this.numberFault(start, 'exponent outside valid range');
        exponent = exponent * 10 + c - 48;
      }
    }
    if (isNumberByte(c)) this.numberFault(start, 'syntax error in number');
    const digits = text.slice(start, this.at);
    const value = Number(digits);
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    if (!isReal || Number.isInteger(value)) {
      const exact = isReal ? exactFromReal(digits) : BigInt(digits);
      if (exact !== undefined && exact >= MIN_INTEGER && exact <= MAX_INTEGER) return exactInteger(exact);
    }
    // As the reference's strtod has it, a number too small to be kept whole is outside too, and one so small that it is zero is zero.
    if (!Number.isFinite(value) || Math.abs(value) < MIN_NORMAL) this.fail('number outside valid range', this.at === text.length);
    return value;
  }

  numberFault(start: number, message: string): never {
    // The lexer takes the whole run of number characters before it judges them.
    this.at = start;
    while (isNumberByte(this.text.charCodeAt(this.at))) this.at++;
    this.fail(message, this.at === this.text.length);
  }
}

/** Whether a character goes on with a number, rightly or not. */
const isNumberByte = (c: number): boolean => (c >= 48 && c <= 57) || c === 43 || c === 45 || c === 46 || c === 69 || c === 101;

/** With another digit behind it an exponent may have no place in 32 bits: the reference goes no further. */
const MAX_EXPONENT = 214748364;
const MIN_NORMAL = 2 ** -1022;

/** The exact value of a decimal with a fraction or an exponent, if it is an integer of at most 19 digits. */
function exactFromReal(digits: string): bigint | undefined {
  const m = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(digits);
  if (m === null) return undefined;
  const fraction = (m[3] ?? '').replace(/0+$/, '');
  const exponent = Number(m[4] ?? 0) - fraction.length;
  const significand = (m[2] ?? '') + fraction;
  if (exponent < 0 || exponent > 19 || significand.length + exponent > 40) return undefined;
  const value = BigInt(significand) * 10n ** BigInt(exponent);
  return m[1] === '-' ? -value : value;
}

const simpleEscapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** Parses one object or array; a JsonError counts characters, where the reference counts bytes. */
export function parseText(text: string): Json {
  return parseNatively(text, MAX_JSON_DEPTH) ?? parseOwn(new JsonParser(text));
}

/** Parses one object or array; throws JsonError. */
export function parseJson(text: string): Json {
  try {
    return parseText(text);
  } catch (error) {
    if (error instanceof JsonError) failOfBytes(encodeText(text));
    throw error;
  }
}

/** Throws the fault of a text that is known to have one, as the reference words it, which looks at bytes. */
export function failOfBytes(bytes: Uint8Array, blank?: Blank): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  parseOwn(new JsonParser(text, 0, true, blank));
}

function parseOwn(parser: JsonParser): Json {
  const { text } = parser;
  parser.skipSpace();
  if (parser.at === text.length) parser.fail('empty input stream', true);
  const c = text.charCodeAt(parser.at);
  if (c !== 123 && c !== 91) parser.invalidCharacter('syntax error at beginning of input');
  const value = parser.value();
  parser.skipSpace();
  if (parser.at < text.length) parser.invalidCharacter('trailing garbage at end of input');
  return value;
}

const scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The text in memory of its own. What is cut out of a longer text keeps all of that alive: whatever is stored for long must not be such a piece.
 */
export function ownText(text: string): string {
  // The runtime copies what is shorter.
  if (text.length < 13) return text;
  if (!text.isWellFormed()) return decodeText(encodeText(text));
  if (text.length > 1300) return Buffer.from(text).toString();
  return scratch.toString('utf8', 0, scratch.write(text));
}
