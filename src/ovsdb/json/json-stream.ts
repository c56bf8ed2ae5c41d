// Cuts a stream of bytes into JSON texts: objects and arrays that follow one another with or without space between, as JSON-RPC peers send them.
//
// Only brackets and quotes are watched, so that each byte is looked at once; the text is parsed when its last bracket has come.
// A text that is still short is parsed as far as it goes after each piece, so that a peer that sends nonsense is told so at once.
import { type Json, JsonError, MAX_JSON_DEPTH, parseJson } from './json.ts';

/** Below this many bytes an unfinished text is checked with every piece. */
const EAGER_CHECK_SIZE = 4096;
/** A message that grows beyond this ends the connection. */
export const MAX_MESSAGE_SIZE = 256 * 1024 * 1024;

/** Push bytes in, take values out. After a JsonError it must not be used again. */
export class JsonStream {
  #pieces: Buffer[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Bytes of an unfinished text. */
  get pendingSize(): number {
    return this.#size;
  }

  /** Calls `onValue` for each text completed by these bytes; throws JsonError at the first fault. */
  push(bytes: Uint8Array, onValue: (value: Json) => void): void {
    let start = 0;
    for (let i = 0; i < bytes.length; i++) {
      const c = bytes[i] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (c === 92) this.#escaped = true;
        else if (c === 34) this.#inString = false;
      } else if (c === 34) {
        this.#inString = true;
        if (this.#depth === 0) this.#fail(bytes.subarray(start, i + 1));
      } else if (c === 123 || c === 91) {
        if (++this.#depth > MAX_JSON_DEPTH) this.#fail(bytes.subarray(start, i + 1));
      } else if (c === 125 || c === 93) {
        if (--this.#depth <= 0) {
          const value = parseJson(this.#text(bytes.subarray(start, i + 1)));
          this.#pieces = [];
          this.#size = 0;
          this.#depth = 0;
          start = i + 1;
          onValue(value);
        }
      } else if (this.#depth === 0) {
        if (c === 32 || c === 10 || c === 13 || c === 9) start = this.#size === 0 ? i + 1 : start;
        else this.#fail(bytes.subarray(start, i + 1));
      }
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  #text(last: Uint8Array): string {
    if (this.#pieces.length === 0) return Buffer.from(last.buffer, last.byteOffset, last.length).toString('utf8');
    return Buffer.concat([...this.#pieces, last]).toString('utf8');
  }

  #keep(rest: Uint8Array): void {
    this.#pieces.push(Buffer.from(rest));
    this.#size += rest.length;
    if (this.#size > MAX_MESSAGE_SIZE) throw new JsonError(`message exceeds ${MAX_MESSAGE_SIZE} bytes`, false);
    if (this.#size > EAGER_CHECK_SIZE) return;
    try {
      parseJson(this.#text(new Uint8Array(0)));
    } catch (error) {
      if (!(error instanceof JsonError && error.isIncomplete)) throw error;
    }
  }

  #fail(last: Uint8Array): never {
    parseJson(this.#text(last));
    throw new JsonError('syntax error', false);
  }
}
