// Whole JSON texts: one object or array and nothing else.
import { encodeText } from '../../base/byte-text.ts';
import { type Json, JsonError, MAX_JSON_DEPTH } from './json.ts';
import { parseNatively } from './json-native.ts';
import { type Blank, JsonParser } from './json-parser.ts';

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
