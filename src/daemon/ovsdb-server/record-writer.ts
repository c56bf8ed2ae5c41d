// Records written into a file that is made new.
import { writeSync } from 'node:fs';
import { encodeText } from '../../base/byte-text.ts';
import { cryptography } from '../../base/cryptography.ts';
import { type LogKind, recordHeader } from '../../ovsdb/log/log-record.ts';

/** Writes all of the bytes, at a place in the file or where it stands. Throws the system's error. */
export function writeAll(fd: number, bytes: Uint8Array, position: number | null = null): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at);
}

/** The records that a rewrite puts in place of all: texts, each made piece by piece and the same each time. */
export type RewriteRecords = readonly (() => Iterable<string>)[];

/** Writes records one after another; gives the end of the file after each piece. Each is made twice: its header has the size and the hash of its body. */
export function* writeRecords(fd: number, records: RewriteRecords, kind: LogKind = 'JSON'): Generator<number, void> {
  let at = 0;
  for (const make of records) {
    const hash = cryptography().createHash('sha1');
    let size = 1;
    for (const piece of make()) {
      const bytes = encodeText(piece);
      hash.update(bytes);
      size += bytes.length;
      yield at;
    }
    const header = Buffer.from(recordHeader(size, hash.update('\n').digest('hex'), kind));
    writeAll(fd, header, at);
    at += header.length;
    for (const piece of make()) {
      const bytes = encodeText(piece);
      writeAll(fd, bytes, at);
      at += bytes.length;
      yield at;
    }
    writeAll(fd, Buffer.from('\n'), at);
    at++;
    yield at;
  }
}
