// Walks through the bytes of a large log record, `{TABLE:{UUID:{...},...},...,"_date":...}`, and parses one row at a time.
// It takes only text without space between the parts, as logs have it; at anything else it says no, and `parseJson` is to judge.
import { decodeText } from '../../base/byte-text.ts';
import { type Json, JsonError } from '../json/json.ts';
import { JsonParser } from '../json/json-parser.ts';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN = 123;
const CLOSE = 125;

export class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;
  #isFirst = true;
  #isBroken = false;
  #name = '';
  /** The value of `_is_diff`, known at the end. */
  isDiff = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.enter();
  }

  /** All of it was read and nothing was wrong. */
  get isAtEnd(): boolean {
    if (this.#isBroken || this.#bytes[this.#at] !== CLOSE) return false;
    const rest = this.#bytes.length - this.#at - 1;
    return rest === 0 || (rest === 1 && this.#bytes[this.#at + 1] === 10);
  }

  #broken(): undefined {
    this.#isBroken = true;
    return undefined;
  }

  /** Goes into the object that stands here. */
  enter(): boolean {
    if (this.#bytes[this.#at] !== OPEN) return false;
    this.#at++;
    this.#depth++;
    this.#isFirst = true;
    return true;
  }

  /** Goes out of the object whose members are read. */
  leave(): boolean {
    if (this.#isBroken || this.#bytes[this.#at] !== CLOSE || this.#depth === 0) return false;
    this.#at++;
    this.#depth--;
    this.#isFirst = false;
    return true;
  }

  /** The name of the next member, undefined when there is none. */
  next(): string | undefined {
    const bytes = this.#bytes;
    if (this.#isBroken) return undefined;
    if (!this.#isFirst) {
      if (bytes[this.#at] !== COMMA) return undefined;
      this.#at++;
    } else if (bytes[this.#at] === CLOSE) return undefined;
    this.#isFirst = false;
    if (bytes[this.#at] !== QUOTE) return this.#broken();
    const end = bytes.indexOf(QUOTE, this.#at + 1);
    if (end < 0 || bytes[end + 1] !== COLON) return this.#broken();
    this.#name = bytes.toString('latin1', this.#at + 1, end);
    // A name with an escape or beyond ASCII is no name of a table and no UUID.
    if (!/^[\w-]*$/.test(this.#name)) return this.#broken();
    this.#at = end + 2;
    return this.#name;
  }

  /** Where the value that stands here ends. */
  #valueEnd(): number {
    const bytes = this.#bytes;
    let depth = 0;
    let isInString = false;
    for (let i = this.#at; i < bytes.length; i++) {
      const c = bytes[i] as number;
      if (isInString) {
        if (c === 92) i++;
        else if (c === QUOTE) isInString = false;
      } else if (c === QUOTE) {
        isInString = true;
      } else if (c === OPEN || c === 91) {
        depth++;
      } else if (c === CLOSE || c === 93) {
        if (depth === 0) return i;
        depth--;
      } else if (c === COMMA && depth === 0) {
        return i;
      }
    }
    return -1;
  }

  /** The value that stands here; undefined when it is none. */
  value(): Json | undefined {
    const end = this.#valueEnd();
    if (end < 0) return this.#broken();
    const text = decodeText(this.#bytes.subarray(this.#at, end));
    const parser = new JsonParser(text);
    try {
      const value = parser.value();
      if (parser.at !== text.length) return this.#broken();
      this.#at = end;
      return value;
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return this.#broken();
    }
  }

  /** Passes over a value that is no table. */
  skipValue(): boolean {
    const name = this.#name;
    const value = this.value();
    if (value === undefined) return false;
    if (name === '_is_diff') this.isDiff = value === true;
    return true;
  }
}
