// Cuts a stream of bytes into JSON texts: objects and arrays that follow one another with or without space between, as JSON-RPC peers send them.
//
// Usually a piece of the stream is plain ASCII and holds whole messages: those are parsed where they stand. Otherwise only brackets and quotes are
// watched, so that each byte is looked at once, and the text is parsed when its last bracket has come. A text that is still short is parsed as far
// as it goes after each piece, so that a peer that sends nonsense is told so at once; of a long one a server looks at each byte for that.
import { decodeText } from '../../base/byte-text.ts';
import { type Json, JsonError, MAX_JSON_DEPTH } from './json.ts';
import { JsonCheck } from './json-check.ts';
import { parseNatively } from './json-native.ts';
import { type Blank, JsonParser } from './json-parser.ts';
import { failOfBytes, parseText } from './json-text.ts';

/** Below this many bytes an unfinished text is checked with every piece. */
const EAGER_CHECK_SIZE = 4096;
/** A message that grows beyond this ends the connection. */
export const MAX_MESSAGE_SIZE = 256 * 1024 * 1024;

const NOTHING = new Uint8Array(0);

/** Whether a byte may be one of a number or a keyword. */
const isWordByte = (c: number): boolean =>
  (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 45 || c === 43 || c === 46;

/** Push bytes in, take values out until there is none, then `keep` what is left. After a JsonError it must not be used again. */
export class JsonStream {
  /** The piece at hand, taken up to `at`, and its text when that is ASCII. */
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #ascii: string | undefined;
  /** Whether the piece at hand may be one long message. */
  #isFresh = false;
  /** The beginning of an unfinished text, and where in it the scan stands. */
  #pieces: Buffer[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The white space before the text. */
  readonly #blank: Blank = { lines: 0, column: 0, size: 0 };
  readonly #maxSize: number;
  readonly #checksLong: boolean;
  /** Of an unfinished text that is long. */
  #check: JsonCheck | undefined;

  /** `checksLong`: a fault in a long text that is not finished is found as it comes, for a little time that every byte then costs. */
  constructor(maxSize = MAX_MESSAGE_SIZE, checksLong = false) {
    this.#maxSize = maxSize;
    this.#checksLong = checksLong;
  }

  /** Bytes not yet given out as values. */
  get pendingSize(): number {
    return this.#size + this.#bytes.length - this.#at;
  }

  /** Adds bytes; they must stay as they are until `keep`. */
  push(bytes: Uint8Array): void {
    this.#bytes = this.#at === this.#bytes.length ? bytes : Buffer.concat([this.#bytes.subarray(this.#at), bytes]);
    this.#at = 0;
    this.#look();
  }

  #look(): void {
    this.#ascii = undefined;
    if (this.#size > 0) return;
    const bytes = this.#bytes;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
    // As many characters as bytes: each is one byte, and none stands for a fault unless the text has it too.
    this.#ascii = text.length === bytes.length && !text.includes('\ufffd') ? text : undefined;
    this.#isFresh = true;
  }

  /** The next value, or undefined when more bytes are needed; throws JsonError at the first fault. */
  next(): Json | undefined {
    if (this.#size === 0 && this.#ascii !== undefined) {
      const text = this.#ascii;
      let at = this.#at;
      let c = text.charCodeAt(at);
      while (c === 32 || c === 10 || c === 13 || c === 9) {
        this.#skip(c);
        c = text.charCodeAt(++at);
      }
      this.#at = at;
      if (at === text.length) return undefined;
      if (c === 123 || c === 91) {
        const whole = this.#isFresh ? parseNatively(at === 0 ? text : text.slice(at), MAX_JSON_DEPTH) : undefined;
        this.#isFresh = false;
        if (whole !== undefined) {
          this.#at = text.length;
          this.#begin();
          return whole;
        }
        const parser = new JsonParser(text, at);
        try {
          const value = parser.value();
          this.#at = parser.at;
          this.#begin();
          return value;
        } catch (error) {
          if (!(error instanceof JsonError)) throw error;
          // Unfinished, or wrong: the careful way tells which.
          this.#ascii = undefined;
        }
      }
    }
    return this.#scan();
  }

  #scan(): Json | undefined {
    const bytes = this.#bytes;
    let start = this.#at;
    for (let i = start; i < bytes.length; i++) {
      const c = bytes[i] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (c === 92) this.#escaped = true;
        else if (c === 34) {
          this.#inString = false;
          if (this.#depth === 0) this.#fail(bytes.subarray(start, i + 1));
        }
      } else if (this.#depth === 0 && this.#size + i > start && !isWordByte(c)) {
        // What is neither object nor array is told to be wrong when its last character has come.
        this.#fail(bytes.subarray(start, i));
      } else if (c === 34) {
        this.#inString = true;
      } else if (c === 123 || c === 91) {
        if (++this.#depth > MAX_JSON_DEPTH) this.#fail(bytes.subarray(start, i + 1));
      } else if (c === 125 || c === 93) {
        if (--this.#depth <= 0) {
          const value = this.#parse(bytes.subarray(start, i + 1));
          this.#begin();
          this.#pieces = [];
          this.#size = 0;
          this.#check = undefined;
          this.#depth = 0;
          this.#at = i + 1;
          return value;
        }
      } else if (this.#depth === 0) {
        if (c === 32 || c === 10 || c === 13 || c === 9) {
          this.#skip(c);
          start = i + 1;
        } else if (!isWordByte(c)) this.#fail(bytes.subarray(start, i + 1));
      }
    }
    this.#at = bytes.length;
    if (start < bytes.length) this.#unfinished(bytes.subarray(start));
    return undefined;
  }

  /** Copies what is left, so that the bytes pushed may change. */
  keep(): void {
    this.#bytes = this.#at === this.#bytes.length ? NOTHING : Buffer.from(this.#bytes.subarray(this.#at));
    this.#at = 0;
    if (this.#ascii !== undefined) this.#look();
  }

  #skip(c: number): void {
    const blank = this.#blank;
    blank.size++;
    blank.column++;
    if (c !== 10) return;
    blank.lines++;
    blank.column = 0;
  }

  /** Counts lines, columns and bytes anew, for the next text. */
  #begin(): void {
    const blank = this.#blank;
    blank.lines = blank.column = blank.size = 0;
  }

  /** Of a text of which more may come a fault at its end is none yet. */
  #parse(last: Uint8Array, isWhole = true): Json {
    const bytes =
      this.#pieces.length === 0 ? Buffer.from(last.buffer, last.byteOffset, last.length) : Buffer.concat([...this.#pieces, last]);
    try {
      return parseText(decodeText(bytes));
    } catch (error) {
      if (error instanceof JsonError && (isWhole || !error.isIncomplete)) failOfBytes(bytes, this.#blank);
      throw error;
    }
  }

  #unfinished(rest: Uint8Array): void {
    this.#pieces.push(Buffer.from(rest));
    this.#size += rest.length;
    if (this.#size > this.#maxSize) throw new JsonError(`message exceeds ${this.#maxSize} bytes`, false);
    if (this.#size > EAGER_CHECK_SIZE && (!this.#checksLong || this.#isSound(rest))) return;
    try {
      this.#parse(NOTHING, false);
    } catch (error) {
      if (!(error instanceof JsonError && error.isIncomplete)) throw error;
    }
  }

  /** Whether a long text may still be right. */
  #isSound(rest: Uint8Array): boolean {
    if (this.#check !== undefined) return this.#check.push(rest);
    this.#check = new JsonCheck();
    return this.#check.push(Buffer.concat(this.#pieces));
  }

  #fail(last: Uint8Array): never {
    this.#parse(last);
    throw new JsonError('syntax error', false);
  }
}
