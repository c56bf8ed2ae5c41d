// A log in a file: locked, opened with recovery, appended to, and rewritten beside itself while it goes on being appended to.
//
// Promises: a record is in the file when `append` returns, so that the end of this process does not lose it; after `sync` it is on the disk, in the file
// or, while syncs follow each other quickly, in a journal beside it (sync-journal.ts). A torn tail, left by a crash in the middle of a record, is cut
// off before the next record is written. A rewrite leaves the old file whole until the new one, with all that was appended meanwhile, is on the disk
// under its name.
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { strerror, systemErrno } from '../../base/errno.ts';
import { cpuLatency } from '../../host/cpu-latency.ts';
import { check, E, libc } from '../../host/ffi.ts';
import { fileName, realName } from '../../host/file-name.ts';
import { SCRATCH_TEXT_LENGTH, scratch } from '../../host/scratch.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { type BodyReader, encodeRecordText, type LogKind, placeRecord } from '../../ovsdb/log/log-record.ts';
import { besideFile, followLinks, lockFile } from './file-places.ts';
import { type FileScan, ioError, readDatabaseFile, unreadable } from './file-records.ts';
import { recoverFromJournal } from './journal-recovery.ts';
import { type RewriteRecords, writeAll, writeRecords } from './record-writer.ts';
import { SyncJournal } from './sync-journal.ts';

const EINVAL = 22;
const FILE_MODE = 0o640;
/** A rewrite gives way to other work after this time. */
const SLICE_MS = 4;
/** So many syncs, each within this time of the one before, make a journal worth while; */
const BUSY_SYNCS = 64;
const BUSY_MS = 10;
/** it is taken away when there was none for this time. */
const IDLE_MS = 1000;

function syncFolder(path: string): void {
  const fd = openSync(fileName(dirname(path)), constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export class FileLog {
  readonly path: string;
  #fd: number;
  readonly #lockFd: number;
  #size: number;
  /** Where the last intact record ends, when what follows is torn. */
  #cutAt: number | undefined;
  #needsSync = false;
  /** What was appended while a rewrite goes on; undefined when none does. */
  #tail: Buffer[] | undefined;
  #rewrite = 0;
  /** While syncs follow each other quickly. */
  #journal: SyncJournal | undefined;
  #lastJournal: SyncJournal | undefined;
  #syncedAt = 0;
  /** Records since then. */
  #unsynced = 0;
  #quickSyncs = 0;
  /** What keeps the file from being written; '' when nothing does. */
  fault = '';

  private constructor(path: string, fd: number, lockFd: number, scan: FileScan) {
    this.path = path;
    this.#fd = fd;
    this.#lockFd = lockFd;
    this.#size = scan.end;
    if (scan.fault !== '') this.#cutAt = scan.end;
  }

  /** Makes a file of some records; it must not exist. */
  static create(path: string, records: RewriteRecords, kind: LogKind = 'JSON'): void {
    const lockFd = lockFile(path);
    const place = followLinks(path, false);
    try {
      let fd: number;
      try {
        fd = openSync(fileName(place), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
      } catch (error) {
        throw ioError(`${path}: create failed`, error);
      }
      try {
        for (const _ of writeRecords(fd, records, kind));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(lockFd);
    }
    syncFolder(path);
  }

  /** Opens a file; a read-only one is not locked. */
  static open(
    path: string,
    isReadOnly: boolean,
    onRecord: (json: Json, number: number) => void,
    onBody?: BodyReader,
  ): { log: FileLog; scan: FileScan } {
    const lockFd = isReadOnly ? -1 : lockFile(path);
    try {
      if (!isReadOnly) recoverFromJournal(path);
      const scan = readDatabaseFile(path, onRecord, onBody);
      return { log: new FileLog(path, isReadOnly ? -1 : openSync(fileName(path), constants.O_RDWR), lockFd, scan), scan };
    } catch (error) {
      if (lockFd >= 0) closeSync(lockFd);
      throw error instanceof OvsdbError ? error : unreadable(path, error);
    }
  }

  /** Whether what stands behind the last intact record is still there. */
  get isTorn(): boolean {
    return this.#cutAt !== undefined;
  }

  get size(): number {
    return this.#size;
  }

  get isRewriting(): boolean {
    return this.#tail !== undefined;
  }

  /** Writes one record behind the others. */
  append(text: string, isDurable: boolean): void {
    if (this.fault !== '') throw new OvsdbError('I/O error', this.fault);
    if (this.#fd < 0) throw new OvsdbError('I/O error', `${this.path}: cannot truncate to length ${this.#size}`, { errno: EINVAL });
    let size: number;
    try {
      if (this.#cutAt !== undefined) ftruncateSync(this.#fd, this.#cutAt);
      this.#cutAt = undefined;
      size = text.length > SCRATCH_TEXT_LENGTH ? this.#writeLong(text) : this.#writeShort(text);
    } catch (error) {
      // Half a record may be there; the next write begins by cutting it off.
      this.#cutAt = this.#size;
      throw ioError(`${this.path}: write failed`, error);
    }
    this.#size += size;
    this.#unsynced++;
    if (isDurable) this.#needsSync = true;
  }

  #writeLong(text: string): number {
    const bytes = encodeRecordText(text);
    writeAll(this.#fd, bytes, this.#size);
    this.#journal?.skip();
    this.#tail?.push(bytes);
    return bytes.length;
  }

  /** Most records are short: those are neither made anew nor written through the runtime's own layers. */
  #writeShort(text: string): number {
    const { bytes, address } = scratch();
    const { start, end } = placeRecord(bytes, text);
    for (let at = start; at < end; ) {
      const written = Number(libc().pwriteAt(this.#fd, address + at, end - at, this.#size + at - start));
      if (written < 0 && libc().errno() === E.INTR) continue;
      at += check('write', written);
    }
    this.#journal?.stage(bytes, start, end);
    this.#tail?.push(Buffer.from(bytes.subarray(start, end)));
    return end - start;
  }

  /** What was appended so far must be on the disk at the next `sync`. */
  wantSync(): void {
    this.#needsSync = true;
  }

  /** Brings durable records to the disk, however many there were since the last time. */
  sync(): void {
    if (!this.#needsSync || this.#fd < 0) return;
    this.#needsSync = false;
    const now = performance.now();
    this.#quickSyncs = now - this.#syncedAt < BUSY_MS ? this.#quickSyncs + 1 : 0;
    this.#syncedAt = now;
    // One at a time: somebody waits for each.
    if (this.#journal !== undefined && this.#unsynced === 1) cpuLatency().answered(now);
    this.#unsynced = 0;
    if (this.#journal?.commit() === true) return;
    this.#syncFile();
    if (this.#journal === undefined && this.#quickSyncs >= BUSY_SYNCS && this.#lastJournal?.isSettled !== false) this.#beginJournal();
  }

  #syncFile(): void {
    try {
      // Straight to the kernel, as the write: a lone client waits for this, and whatever else is run through after a sleep is cold.
      check('fdatasync', libc().fdatasync(this.#fd));
    } catch (error) {
      this.#setFault(error);
      throw ioError(`${this.path}: fsync failed`, error);
    }
    this.#journal?.synced(this.#size);
  }

  /** The kernel may have dropped what it could not write: nothing later can be promised either. */
  #setFault(error: unknown): void {
    this.fault = `${this.path}: fsync failed (${strerror(systemErrno(error))})`;
  }

  #beginJournal(): void {
    // It names the file as text.
    if (!this.path.isWellFormed()) return;
    const journal = new SyncJournal(besideFile(followLinks(this.path, false), 'sync'), this.#fd, (error) => this.#setFault(error));
    this.#journal = journal;
    this.#lastJournal = journal;
    const timer = setInterval(() => {
      if (this.#journal !== journal || this.#fd < 0) clearInterval(timer);
      else if (performance.now() - this.#syncedAt > IDLE_MS) void this.#endJournal();
    }, IDLE_MS).unref();
  }

  /** Brings the file itself to the disk in the background, after which the journal is not needed. */
  async #endJournal(): Promise<void> {
    const journal = this.#journal;
    const since = this.#syncedAt;
    try {
      await promisify(fdatasync)(this.#fd);
    } catch (error) {
      if (this.#journal === journal) this.#setFault(error);
      return;
    }
    if (this.#journal === journal && this.#syncedAt === since) this.#dropJournal();
  }

  #dropJournal(): void {
    this.#journal?.remove();
    this.#journal = undefined;
    this.#quickSyncs = 0;
  }

  #openTemporary(): { temporary: string; path: string; fd: number } {
    const path = realName(this.path);
    const temporary = `${path}.tmp`;
    try {
      unlinkSync(fileName(temporary));
    } catch {
      // None left over from an earlier crash.
    }
    return { temporary, path, fd: openSync(fileName(temporary), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, FILE_MODE) };
  }

  /** Takes the new file's place. */
  #replace(temporary: string, path: string, fd: number, size: number): void {
    renameSync(fileName(temporary), fileName(path));
    syncFolder(path);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#size = size;
    this.#needsSync = false;
    this.#cutAt = undefined;
    this.#tail = undefined;
    this.#dropJournal();
  }

  /** Puts other records in place of all, at once. A rewrite that goes on meanwhile comes to nothing. */
  rewriteNow(records: RewriteRecords): void {
    this.#rewrite++;
    let fd = -1;
    try {
      const opened = this.#openTemporary();
      fd = opened.fd;
      let size = 0;
      for (const end of writeRecords(fd, records)) size = end;
      fsyncSync(fd);
      this.#replace(opened.temporary, opened.path, fd, size);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      throw error instanceof OvsdbError ? error : ioError(`${this.path}.tmp: write failed`, error);
    }
  }

  /**
   * The same in slices of a few milliseconds. The records stand for all that was appended before this call; what is appended meanwhile follows them.
   * Gives false when another rewrite took over or the log was closed.
   */
  async rewrite(records: RewriteRecords): Promise<boolean> {
    const mine = ++this.#rewrite;
    const tail: Buffer[] = [];
    this.#tail = tail;
    let fd = -1;
    try {
      const opened = this.#openTemporary();
      fd = opened.fd;
      let size = 0;
      let sliceEnd = performance.now() + SLICE_MS;
      for (const end of writeRecords(fd, records)) {
        size = end;
        if (performance.now() < sliceEnd) continue;
        await new Promise(setImmediate);
        if (mine !== this.#rewrite) return abandon(fd, opened.temporary);
        sliceEnd = performance.now() + SLICE_MS;
      }
      await promisify(fdatasync)(fd);
      if (mine !== this.#rewrite) return abandon(fd, opened.temporary);
      for (const bytes of tail) {
        writeAll(fd, bytes, size);
        size += bytes.length;
      }
      if (tail.length > 0) fdatasyncSync(fd);
      this.#replace(opened.temporary, opened.path, fd, size);
      return true;
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      if (mine === this.#rewrite) this.#tail = undefined;
      throw error instanceof OvsdbError ? error : ioError(`${this.path}.tmp: write failed`, error);
    }
  }

  close(): void {
    this.#rewrite++;
    try {
      if (this.fault === '' && this.#fd >= 0 && (this.#needsSync || this.#journal !== undefined)) {
        this.#syncFile();
        this.#dropJournal();
      }
    } finally {
      if (this.#fd >= 0) closeSync(this.#fd);
      if (this.#lockFd >= 0) closeSync(this.#lockFd);
      this.#fd = -1;
    }
  }
}

function abandon(fd: number, temporary: string): false {
  closeSync(fd);
  rmSync(fileName(temporary), { force: true });
  return false;
}
