// The records of a database file: `OVSDB JSON LENGTH SHA1`, then that many bytes of JSON. Pure: bytes in, values out.
//
// A record is believed when its whole length is there, its SHA-1 agrees and its JSON parses. At the first that is not, reading stops:
// what came before is the database, what follows is cut off before the next record is written.
import { cryptography } from '../../base/cryptography.ts';
import { type Json, parseJson } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';

const MAX_HEADER_SIZE = 128;

/** A record's bytes. */
export function encodeRecord(json: Json): Buffer {
  const body = Buffer.from(`${formatJson(json)}\n`);
  const header = `OVSDB JSON ${body.length} ${cryptography().createHash('sha1').update(body).digest('hex')}\n`;
  return Buffer.concat([Buffer.from(header), body]);
}

export interface LogScan {
  /** Offset of the first byte not believed. */
  end: number;
  /** What was wrong there; '' when the file ended in order. */
  fault: string;
  /** The kind of fault: the file ended too early, or what it holds is wrong. */
  faultTag: 'I/O error' | 'syntax error';
}

/** Reads records from the start, in order. `name` is the file's, for messages. */
export function scanRecords(bytes: Buffer, name: string, onRecord: (json: Json, offset: number) => void): LogScan {
  let at = 0;
  while (at < bytes.length) {
    const newline = bytes.indexOf(10, at);
    const header =
      newline < 0 || newline - at > MAX_HEADER_SIZE
        ? null
        : /^OVSDB JSON (\d+) ([0-9a-f]{40})$/.exec(bytes.toString('latin1', at, newline));
    if (header === null)
      return { end: at, faultTag: 'syntax error', fault: `${name}: parse error at offset ${at} in header line "${headLine(bytes, at)}"` };
    const start = newline + 1;
    const size = Number(header[1]);
    if (start + size > bytes.length)
      return { end: at, faultTag: 'I/O error', fault: `${name}: error reading ${size} bytes starting at offset ${start} (End of file)` };
    const body = bytes.subarray(start, start + size);
    const sha1 = cryptography().createHash('sha1').update(body).digest('hex');
    if (sha1 !== header[2]) {
      return {
        end: at,
        faultTag: 'syntax error',
        fault: `${name}: ${size} bytes starting at offset ${start} have SHA-1 hash ${sha1} but should have hash ${header[2]}`,
      };
    }
    let json: Json;
    try {
      json = parseJson(body.toString('utf8'));
    } catch (error) {
      return {
        end: at,
        faultTag: 'syntax error',
        fault: `${name}: ${size} bytes starting at offset ${start} are not valid JSON (${(error as Error).message})`,
      };
    }
    onRecord(json, at);
    at = start + size;
  }
  return { end: at, faultTag: 'syntax error', fault: '' };
}

function headLine(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, Math.min(bytes.length, at + 80)).split('\n')[0] ?? '';
}
