// A standalone database in a file: opened with recovery, appended to by commits, compacted beside itself and renamed.
//
// Promises: a commit is in the file before anyone hears of it; a durable one is on the disk before it is acknowledged. A torn tail, left by a crash in the middle
// of a record, is cut off before the next record is written.
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { strerror, systemErrno } from '../../base/errno.ts';
import { logger } from '../../base/log.ts';
import { lockHolder, tryLock } from '../../host/file-lock.ts';
import { commitToJson, replayRecord, snapshotToJson } from '../../ovsdb/engine/commit-json.ts';
import { type Commit, Database } from '../../ovsdb/engine/database.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { type DatabaseSchema, parseSchema, schemaToJson } from '../../ovsdb/engine/schema.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { encodeRecord, scanRecords } from '../../ovsdb/log/log-record.ts';

const fileLog = logger('ovsdb_file');
const lockLog = logger('lockfile');
const EAGAIN = 11;
const EINVAL = 22;
/** The server compacts by itself when a file has grown by this much and doubled, not more often than every ten minutes. */
const AUTO_COMPACT_SIZE = 10 * 1024 * 1024;
const AUTO_COMPACT_INTERVAL_MS = 10 * 60 * 1000;

function ioError(details: string, error: unknown): OvsdbError {
  return new OvsdbError('I/O error', details, { errno: systemErrno(error) });
}

/** The lock file that stands beside a database while it is written. */
export function lockFileName(path: string): string {
  return join(dirname(path), `.${basename(path)}.~lock~`);
}

/** Takes the lock of a database; the descriptor holds it. */
function lockDatabase(path: string): number {
  const name = lockFileName(path);
  let fd: number;
  try {
    fd = openSync(name, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    const why = strerror(systemErrno(error));
    lockLog.warn(`${name}: failed to open lock file: ${why}`);
    lockLog.warn(`${name}: failed to lock file: ${why}`);
    throw ioError(`${path}: failed to lock lockfile`, error);
  }
  if (!tryLock(fd)) {
    lockLog.warn(`${name}: cannot lock file because it is already locked by pid ${lockHolder(fd)}`);
    closeSync(fd);
    throw new OvsdbError('I/O error', `${path}: failed to lock lockfile`, { errno: EAGAIN });
  }
  return fd;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function syncFolder(path: string): void {
  const fd = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Reads a database's records. The first is its schema. */
export function readDatabaseFile(
  path: string,
  onRecord: (json: Json, number: number) => void,
): { end: number; size: number; fault: string; faultTag: string } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw ioError(`${path}: open failed`, error);
  }
  const magic = bytes.subarray(0, 11).toString('latin1');
  if (magic === 'OVSDB CLUST') throw new OvsdbError('ovsdb error', `${path}: cannot open file with magic CLUSTER`);
  if (bytes.length === 0) throw new OvsdbError('ovsdb error', `${path}: cannot identify file type`);
  if (magic !== 'OVSDB JSON ') throw new OvsdbError('ovsdb error', `${path}: unexpected file format`);
  let count = 0;
  const scan = scanRecords(bytes, path, (json) => onRecord(json, count++));
  if (count === 0) throw new OvsdbError(scan.faultTag, scan.fault);
  return { end: scan.end, size: bytes.length, fault: scan.fault, faultTag: scan.faultTag };
}

export class DatabaseFile {
  readonly path: string;
  readonly database: Database;
  readonly #lockFd: number;
  #fd: number;
  #needsSync = false;
  #size = 0;
  #compactSize = 0;
  #compactedMs = Date.now();
  /** Where the last intact record ends, when what follows is torn. */
  #cutAt: number | undefined;
  /** What keeps the database from being written; '' when nothing does. */
  fault = '';
  readonly #isDiff: boolean;

  private constructor(path: string, database: Database, fd: number, lockFd: number, isDiff: boolean) {
    this.path = path;
    this.database = database;
    this.#fd = fd;
    this.#lockFd = lockFd;
    this.#isDiff = isDiff;
  }

  /** Makes a file with a schema; it must not exist. */
  static create(path: string, schema: DatabaseSchema, snapshot?: Json): void {
    const lockFd = lockDatabase(path);
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640);
    } catch (error) {
      closeSync(lockFd);
      throw ioError(`${path}: create failed`, error);
    }
    try {
      writeAll(fd, encodeRecord(schemaToJson(schema)));
      if (snapshot !== undefined) writeAll(fd, encodeRecord(snapshot));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
      closeSync(lockFd);
    }
    syncFolder(path);
  }

  /** Opens a file; a read-only one is not locked, a strict one must not be torn. `convertTo` reads its rows as of another schema. */
  static open(
    path: string,
    options: { isReadOnly?: boolean; isStrict?: boolean; isDiff?: boolean; convertTo?: DatabaseSchema } = {},
  ): DatabaseFile {
    const lockFd = options.isReadOnly === true ? -1 : lockDatabase(path);
    try {
      let database: Database | undefined;
      const isConverting = options.convertTo !== undefined;
      const scan = readDatabaseFile(path, (json, number) => {
        if (number === 0) database = new Database(options.convertTo ?? parseSchema(json));
        else if (database !== undefined) replayRecord(database, json, isConverting);
      });
      if (database === undefined) throw new OvsdbError('ovsdb error', `${path}: unexpected file format`);
      const fd = lockFd < 0 ? -1 : openSync(path, constants.O_RDWR);
      const file = new DatabaseFile(path, database, fd, lockFd, options.isDiff !== false);
      file.#size = scan.end;
      file.#compactSize = scan.end;
      if (scan.fault !== '') {
        if (options.isStrict === true) throw new OvsdbError(scan.faultTag, scan.fault);
        fileLog.warn(`${scan.faultTag}: ${scan.fault}`);
        file.#cutAt = scan.end;
      }
      if (fd >= 0) database.store = (commit) => file.#append(commit);
      else {
        database.store = () => {
          throw new OvsdbError('I/O error', `${path}: cannot truncate to length ${scan.end}`, { errno: EINVAL });
        };
      }
      return file;
    } catch (error) {
      if (lockFd >= 0) closeSync(lockFd);
      throw error instanceof OvsdbError ? error : ioError(`${path}: open failed`, error);
    }
  }

  get size(): number {
    return this.#size;
  }

  #append(commit: Commit): void {
    if (this.fault !== '') throw new OvsdbError('I/O error', this.fault);
    const json = commitToJson(commit, Date.now(), this.#isDiff);
    if (json !== undefined) this.#write(json);
    if (commit.isDurable) this.#needsSync = true;
  }

  /** Brings durable commits to the disk, however many there were since the last time. */
  sync(): void {
    if (!this.#needsSync) return;
    this.#needsSync = false;
    try {
      fdatasyncSync(this.#fd);
    } catch (error) {
      // The kernel may have dropped what it could not write: nothing later can be promised either.
      this.fault = `${this.path}: fsync failed (${strerror(systemErrno(error))})`;
      throw ioError(`${this.path}: fsync failed`, error);
    }
  }

  #write(json: Json): void {
    const bytes = encodeRecord(json);
    try {
      if (this.#cutAt !== undefined) ftruncateSync(this.#fd, this.#cutAt);
      this.#cutAt = undefined;
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#size + at);
      this.#size += bytes.length;
    } catch (error) {
      // Half a record may be there; the next write begins by cutting it off.
      this.#cutAt = this.#size;
      throw ioError(`${this.path}: write failed`, error);
    }
  }

  /** Whether it is time to compact without being asked. */
  get wantsCompaction(): boolean {
    return (
      this.#size > AUTO_COMPACT_SIZE && this.#size > 2 * this.#compactSize && Date.now() - this.#compactedMs > AUTO_COMPACT_INTERVAL_MS
    );
  }

  /** Rewrites the file with one record for all that the database holds; the old file stays whole until the new one is on the disk. */
  compact(comment: string): void {
    const path = realpathSync(this.path);
    const temporary = `${path}.tmp`;
    try {
      unlinkSync(temporary);
    } catch {
      // None left over from an earlier crash.
    }
    let fd = -1;
    try {
      fd = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640);
      writeAll(fd, encodeRecord(schemaToJson(this.database.schema)));
      writeAll(fd, encodeRecord(snapshotToJson(this.database, comment, Date.now())));
      fsyncSync(fd);
      renameSync(temporary, path);
      syncFolder(path);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      throw ioError(`${temporary}: write failed`, error);
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#needsSync = false;
    this.#size = fstatSync(fd).size;
    this.#compactSize = this.#size;
    this.#compactedMs = Date.now();
    this.#cutAt = undefined;
  }

  close(): void {
    this.database.store = undefined;
    if (this.fault === '') this.sync();
    if (this.#fd >= 0) closeSync(this.#fd);
    if (this.#lockFd >= 0) closeSync(this.#lockFd);
  }
}

/** The content of a database in terms of another schema: tables and columns that it does not know are dropped. */
export function convertDatabase(database: Database, schema: DatabaseSchema): Database {
  const converted = new Database(schema);
  replayRecord(converted, snapshotToJson(database, '', 0, true), true);
  return converted;
}
