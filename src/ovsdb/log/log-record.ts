// The records of a database file: `OVSDB JSON LENGTH SHA1`, then that many bytes of JSON. Pure: bytes in, values out. A clustered database's say
// `CLUSTER` instead of `JSON`.
//
// A record is believed when its whole length is there, its SHA-1 agrees and its JSON parses. At the first that is not, reading stops:
// what came before is the database, what follows is cut off before the next record is written.
import { decodeText, encodeText } from '../../base/byte-text.ts';
import { sha1Hex } from '../../base/cryptography.ts';
import { type Json, JsonError } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';

const MAX_HEADER_SIZE = 128;

/** What a file's records are called: a standalone database's, or a clustered one's. */
export type LogKind = 'JSON' | 'CLUSTER';

/** The line before a record's body. */
export function recordHeader(size: number, sha1: string, kind: LogKind = 'JSON'): string {
  return `OVSDB ${kind} ${size} ${sha1}\n`;
}

/** A record's bytes, from the text of its JSON. */
export function encodeRecordText(text: string, kind: LogKind = 'JSON'): Buffer {
  const body = encodeText(`${text}\n`);
  return Buffer.concat([Buffer.from(recordHeader(body.length, sha1Hex(body), kind)), body]);
}

/** A header is shorter. */
const HEADER_ROOM = 64;

/** A comment may have bytes that are no UTF-8. */
function writeText(room: Buffer, text: string): number {
  if (text.isWellFormed()) return room.write(text, HEADER_ROOM);
  const bytes = encodeText(text);
  room.set(bytes, HEADER_ROOM);
  return bytes.length;
}

/** Puts a record into `room`; gives where it begins and ends there. The text must have room as UTF-8, behind 64 bytes for the header. */
export function placeRecord(room: Buffer, text: string): { start: number; end: number } {
  const newline = HEADER_ROOM + writeText(room, text);
  room[newline] = 10;
  const end = newline + 1;
  const header = recordHeader(end - HEADER_ROOM, sha1Hex(room.subarray(HEADER_ROOM, end)));
  const start = HEADER_ROOM - header.length;
  room.write(header, start, 'latin1');
  return { start, end };
}

/** A record's bytes. */
export function encodeRecord(json: Json): Buffer {
  return encodeRecordText(formatJson(json));
}

export interface LogScan {
  /** Offset of the first byte not believed. */
  end: number;
  /** What was wrong there; '' when the file ended in order. */
  fault: string;
  /** The kind of fault: the file ended too early, or what it holds is wrong. */
  faultTag: 'I/O error' | 'syntax error';
}

/** What is done with the body of a record: false when it wants the value instead. */
export type BodyReader = (body: Buffer, offset: number) => boolean;

const HEADERS = { JSON: /^OVSDB JSON (\d+) ([0-9a-fA-F]{40})$/, CLUSTER: /^OVSDB CLUSTER (\d+) ([0-9a-fA-F]{40})$/ };

/** Reads records from the start, in order. `name` is the file's, for messages. `onBody` may take a record as bytes before it is parsed. */
export function scanRecords(
  bytes: Buffer,
  name: string,
  onRecord: (json: Json, offset: number) => void,
  onBody?: BodyReader,
  kind: LogKind = 'JSON',
): LogScan {
  let at = 0;
  const format = HEADERS[kind];
  const wrong = (fault: string): LogScan => ({ end: at, faultTag: 'syntax error', fault: `${name}: ${fault}` });
  while (at < bytes.length) {
    const newline = bytes.indexOf(10, at);
    const header = newline < 0 || newline - at > MAX_HEADER_SIZE ? null : format.exec(bytes.toString('latin1', at, newline));
    if (header === null) return wrong(`parse error at offset ${at} in header line "${headLine(bytes, at)}"`);
    const start = newline + 1;
    const size = Number(header[1]);
    if (start + size > bytes.length)
      return { end: at, faultTag: 'I/O error', fault: `${name}: error reading ${size} bytes starting at offset ${start} (End of file)` };
    const body = bytes.subarray(start, start + size);
    const sha1 = sha1Hex(body);
    const wanted = (header[2] ?? '').toLowerCase();
    if (sha1 !== wanted) return wrong(`${size} bytes starting at offset ${start} have SHA-1 hash ${sha1} but should have hash ${wanted}`);
    if (onBody?.(body, at) !== true) {
      let json: Json;
      try {
        json = parseJson(decodeText(body));
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        return wrong(`${size} bytes starting at offset ${start} are not valid JSON (${error.message})`);
      }
      if (!(json instanceof Map)) return wrong(`${size} bytes starting at offset ${start} are not a JSON object`);
      onRecord(json, at);
    }
    at = start + size;
  }
  return { end: at, faultTag: 'syntax error', fault: '' };
}

/** What the reference shows of a header that is wrong: it has cut off the length and the hash by then, once it knew the kind of file. */
function headLine(bytes: Buffer, at: number): string {
  const line = decodeText(bytes.subarray(at, at + MAX_HEADER_SIZE)).split(/[\n\0]/)[0] ?? '';
  return /^OVSDB [^ ]*(?= )/.exec(line)?.[0] ?? line;
}
