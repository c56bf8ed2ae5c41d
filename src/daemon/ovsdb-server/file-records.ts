// The records of a database's file, read as they stand: what kind of file it is, all records, or the schema alone.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { systemErrno } from '../../base/errno.ts';
import { fileName } from '../../host/file-name.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { type BodyReader, type LogKind, scanRecords } from '../../ovsdb/log/log-record.ts';

/** A schema is rarely larger. */
const SCHEMA_SIZE = 64 * 1024;
/** A file's first line is shorter. */
const HEAD_SIZE = 128;

export function ioError(details: string, error: unknown): OvsdbError {
  return new OvsdbError('I/O error', details, { errno: systemErrno(error) });
}

export interface FileScan {
  end: number;
  size: number;
  fault: string;
  faultTag: string;
}

/** A folder can be opened, but not read. */
export function unreadable(path: string, error: unknown): OvsdbError {
  return ioError(`${path}: ${(error as NodeJS.ErrnoException).syscall === 'read' ? 'read error' : 'open failed'}`, error);
}

/** Reads a database's records. The first is its schema. */
export function readDatabaseFile(path: string, onRecord: (json: Json, number: number) => void, onBody?: BodyReader): FileScan {
  let bytes: Buffer;
  try {
    bytes = readFileSync(fileName(path));
  } catch (error) {
    throw unreadable(path, error);
  }
  return readRecords(bytes, path, onRecord, onBody);
}

/** Which kind of file it is, from its first line. */
export function logKind(path: string, flags: 'r' | 'r+' = 'r'): LogKind {
  let bytes: Buffer;
  try {
    const fd = openSync(fileName(path), flags);
    try {
      bytes = Buffer.alloc(HEAD_SIZE);
      bytes = bytes.subarray(0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return kindOf(bytes, path);
}

/** Reads a clustered database's records, strictly: what is torn is an error, which is thrown behind the records before it. */
export function readClusterRecords(path: string, onRecord: (json: Json, number: number) => void): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(fileName(path));
  } catch (error) {
    throw unreadable(path, error);
  }
  if (kindOf(bytes, path) !== 'CLUSTER') throw new OvsdbError('ovsdb error', `${path}: cannot identify file type`);
  let count = 0;
  const { fault, faultTag } = scanRecords(bytes, path, (json) => onRecord(json, count++), undefined, 'CLUSTER');
  if (fault !== '') throw new OvsdbError(faultTag, fault);
}

/** Reads a database's first record, which is its schema, and nothing behind it. */
export function readDatabaseSchema(path: string): Json {
  let bytes: Buffer = Buffer.alloc(SCHEMA_SIZE);
  try {
    const fd = openSync(fileName(path), 'r');
    try {
      const have = readSync(fd, bytes);
      const header = /^OVSDB JSON (\d{1,9}) [0-9a-f]{40}\n/i.exec(bytes.toString('latin1', 0, Math.min(have, 128)));
      const end = header === null ? have : header[0].length + Number(header[1]);
      bytes = end > have ? readFileSync(fileName(path)).subarray(0, end) : bytes.subarray(0, end);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  let schema: Json = null;
  readRecords(bytes, path, (json) => {
    schema = json;
  });
  return schema;
}

function kindOf(bytes: Buffer, path: string): LogKind {
  if (bytes.length === 0) throw new OvsdbError('ovsdb error', `${path}: cannot identify file type`);
  const head = bytes.subarray(0, HEAD_SIZE).toString('latin1').split('\n', 2);
  const kind = head.length < 2 ? undefined : /^OVSDB ([^ ]*) \d+ [0-9a-f]{40}$/i.exec(head[0] ?? '')?.[1];
  if (kind === undefined) throw new OvsdbError('ovsdb error', `${path}: unexpected file format`);
  if (kind !== 'JSON' && kind !== 'CLUSTER') throw new OvsdbError('ovsdb error', `${path}: cannot identify file type`);
  return kind;
}

function readRecords(bytes: Buffer, path: string, onRecord: (json: Json, number: number) => void, onBody?: BodyReader): FileScan {
  if (kindOf(bytes, path) === 'CLUSTER') throw new OvsdbError('ovsdb error', `${path}: cannot open file with magic CLUSTER`);
  let count = 0;
  const body: BodyReader = (bytes, offset) => {
    if (count === 0 || onBody?.(bytes, offset) !== true) return false;
    count++;
    return true;
  };
  const scan = scanRecords(bytes, path, (json) => onRecord(json, count++), body);
  if (count === 0) throw new OvsdbError(scan.faultTag, scan.fault);
  return { end: scan.end, size: bytes.length, fault: scan.fault, faultTag: scan.faultTag };
}
