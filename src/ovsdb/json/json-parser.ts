// Reads JSON from text, character by character, with the reference's error text.
import { exactInteger, type Json, JsonError, type JsonObject, MAX_INTEGER, MAX_JSON_DEPTH, MIN_INTEGER } from './json.ts';
import { unescapeText } from './json-escape.ts';
import { ownText } from './own-text.ts';

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

/** Whether a character goes on with a number, rightly or not. */
const isNumberByte = (c: number): boolean => (c >= 48 && c <= 57) || c === 43 || c === 45 || c === 46 || c === 69 || c === 101;

/** With another digit behind it an exponent may have no place in 32 bits: the reference goes no further. */
const MAX_EXPONENT = 214748364;
const MIN_NORMAL = 2 ** -1022;

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
          : unescapeText(text.slice(start, start + length), (message) => this.fail(message));
    this.at++;
    return value;
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
