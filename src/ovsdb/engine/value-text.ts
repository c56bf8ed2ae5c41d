// Values as people type them on a command line (ovs-vsctl(8), Database Values), with the reference's error texts.

import { decodeText, encodeText } from '../../base/byte-text.ts';
import { exactInteger, JsonError } from '../json/json.ts';
import { parseJson } from '../json/json-text.ts';
import { type Atom, isUuid, wellFormed } from './atom.ts';
import { makeMap, makeSet } from './datum.ts';
import { OvsdbError } from './error.ts';
import { type BaseType, type ColumnType, checkAtom, type Datum, describeType } from './types.ts';

/** Text that is no value; the message stands alone. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** Gives the row that `@name` stands for. */
export type RowSymbols = (name: string, base: BaseType) => string;

const DELIMITERS = ':=, []{}!<>';
const MAX_RANGE = 4096;

/** Takes a word from `text` at `at`: up to a delimiter outside quotes. Gives the word and where it ends. */
export function takeToken(text: string, at: number): { token: string; end: number } {
  let token = '';
  let inQuotes = false;
  let i = at;
  for (; i < text.length; i++) {
    const c = text.charAt(i);
    if (inQuotes) {
      token += c;
      if (c === '\\' && i + 1 < text.length) token += text.charAt(++i);
      else if (c === '"') inQuotes = false;
    } else if (c === '"') {
      inQuotes = true;
      token += c;
    } else if (c === '\\') {
      if (++i >= text.length) throw new ValueError(`${text.slice(at)}: backslash at end of argument`);
      token += text.charAt(i);
    } else if (DELIMITERS.includes(c)) {
      break;
    } else {
      token += c;
    }
  }
  if (inQuotes) throw new ValueError(`${text.slice(at)}: quoted string extends past end of argument`);
  return { token, end: i };
}

function checked(atom: Atom, base: BaseType): Atom {
  try {
    checkAtom(atom, base);
  } catch (error) {
    if (error instanceof OvsdbError) throw new ValueError(error.message);
    throw error;
  }
  return atom;
}

function parseStringText(text: string): string {
  if (text === '') throw new ValueError('An empty string is not valid as input; use "" to represent the empty string');
  if (!text.startsWith('"')) return text;
  if (text.length < 2 || !text.endsWith('"')) throw new ValueError(`${text}: missing quote at end of quoted string`);
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(text) && /^"(?:[^"\\]|\\.)*"./s.test(text)) {
    throw new ValueError(`${text}: quoted string may not include unescaped "`);
  }
  try {
    // The parser takes arrays and objects at the top; more than one string inside is no quoted string either.
    const parsed = parseJson(`[${text}]`) as string[];
    if (parsed.length === 1) return parsed[0] as string;
    throw new ValueError(`${text}: missing quote at end of quoted string`);
  } catch (error) {
    if (error instanceof JsonError) throw new ValueError(`${text}: ${error.message.replace(/^line \d+, column \d+, byte \d+: /, '')}`);
    throw error;
  }
}

function wellFormedText(text: string): string {
  try {
    return wellFormed(text);
  } catch (error) {
    throw error instanceof OvsdbError ? new ValueError(error.message) : error;
  }
}

/** What C takes for blank: not what Unicode does. */
const BLANK = /[ \t-\r]/;
const NOT_BLANK = /[^ \t-\r]/;

function parseInteger(text: string): Atom | undefined {
  if (!/^[ \t-\r]*[-+]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^[ \t-\r]*\+?/, ''));
  return value >= -(2n ** 63n) && value < 2n ** 63n ? exactInteger(value) : undefined;
}

/** Parses one atom from all of `text`. */
export function parseAtomText(text: string, base: BaseType, symbols?: RowSymbols): Atom {
  switch (base.type) {
    case 'integer': {
      const value = parseInteger(text);
      if (value === undefined) throw new ValueError(`"${text}" is not a valid integer or range`);
      return checked(value, base);
    }
    case 'real': {
      const value = NOT_BLANK.test(text) ? Number(text) : Number.NaN;
      if (!Number.isFinite(value)) throw new ValueError(`"${text}" is not a valid real number`);
      return checked(value, base);
    }
    case 'boolean':
      if (['true', 'yes', 'on', '1'].includes(text)) return true;
      if (['false', 'no', 'off', '0'].includes(text)) return false;
      throw new ValueError(`"${text}" is not a valid boolean (use "true" or "false")`);
    case 'string':
      return checked(wellFormedText(parseStringText(text)), base);
    case 'uuid':
      if (text.startsWith('@') && symbols !== undefined) return symbols(text, base);
      if (!isUuid(text)) throw new ValueError(`"${text}" is not a valid UUID`);
      return text.toLowerCase();
  }
}

/** An atom of a set or a key of a map, or for integers a range of them. */
function parseElement(token: string, base: BaseType, symbols: RowSymbols | undefined): Atom[] {
  if (base.type !== 'integer' || base.enum !== undefined) return [parseAtomText(token, base, symbols)];
  const single = parseInteger(token);
  if (single !== undefined) return [checked(single, base)];
  const range = /^(-?\d+)-(-?\d+)$/.exec(token);
  if (range === null) throw new ValueError(`"${token}" is not a valid integer or range`);
  const [from, to] = [Number(range[1]), Number(range[2])];
  checked(from, base);
  checked(to, base);
  if (to < from) throw new ValueError(`"${token}" is not a valid range. Range end cannot be before start.`);
  if (to - from >= MAX_RANGE)
    throw new ValueError(`constraint violation: Range "${token}" is too big. Maximum allowed size is ${MAX_RANGE}.`);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** A character as the reference quotes it: its first byte. */
const firstByte = (text: string): string => decodeText(encodeText(String.fromCodePoint(text.codePointAt(0) ?? 0)).subarray(0, 1));

/** Parses a whole value of a column. Sets may stand in brackets and maps in braces. */
export function parseDatumText(text: string, type: ColumnType, symbols?: RowSymbols): Datum {
  const isMap = type.value !== undefined;
  const [opening, closing] = isMap ? ['{', '}'] : ['[', ']'];
  const noun = isMap ? 'pair' : 'value';
  const keys: Atom[] = [];
  const values: Atom[] = [];
  let at = 0;
  const skip = (): void => {
    while (BLANK.test(text.charAt(at))) at++;
  };
  const word = (base: BaseType): Atom[] => {
    const { token, end } = takeToken(text, at);
    if (end === at) throw new ValueError(`${text}: unexpected "${text.charAt(at)}" parsing ${describeType(type)}`);
    at = end;
    return parseElement(token, base, symbols);
  };
  skip();
  const isEnclosed = text.charAt(at) === opening;
  if (isEnclosed) at++;
  else if (at === text.length) throw new ValueError(`use "${opening}${closing}" to specify the empty ${isMap ? 'map' : 'set'}`);
  skip();
  // A closing bracket that nothing opened ends no value.
  while (at < text.length && !(isEnclosed && text.charAt(at) === closing)) {
    if (isMap && type.value !== undefined) {
      const start = at;
      const range = word(type.key);
      skip();
      if (text.charAt(at) !== '=')
        throw new ValueError(
          `${text.slice(start)}: syntax error at "${at < text.length ? `${firstByte(text.slice(at))}" expecting "="` : ''}`,
        );
      at++;
      skip();
      // Nothing at all is judged as a value.
      const taken = takeToken(text, at);
      at = taken.end;
      const value = parseAtomText(taken.token, type.value, symbols);
      for (const key of range) {
        keys.push(key);
        values.push(value);
      }
    } else {
      keys.push(...word(type.key));
    }
    skip();
    if (text.charAt(at) === ',') {
      at++;
      skip();
    }
  }
  if (isEnclosed) {
    if (at >= text.length) throw new ValueError(`${text}: missing "${closing}" at end of data`);
    at++;
    skip();
  }
  if (at < text.length) throw new ValueError(`${text}: trailing garbage after "${closing}"`);
  if (keys.length > type.max) throw new ValueError(`${text}: ${keys.length} ${noun}(s) specified but the maximum number is ${type.max}`);
  if (keys.length < type.min) throw new ValueError(`${text}: ${keys.length} ${noun}(s) specified but the minimum number is ${type.min}`);
  if (new Set(keys).size !== keys.length)
    throw new ValueError(`${text}: ${isMap ? 'map contains duplicate key' : 'set contains duplicate value'}`);
  return isMap ? makeMap(keys.map((key, i) => [key, values[i] as Atom] as const)) : makeSet(keys);
}
