// A journal beside a database file that is brought to the disk many times a second: syncing a file that grows writes the file system's own journal
// too and waits for both, writing into room that is already there takes two thirds of the time. The records are in the database file all the
// same; it is brought to the disk in the background. Only a machine that stops at once makes a difference, and then the next opening takes from the
// journal what the file lacks (docs/decisions/011).
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  open,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  write,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { libc, mapMemory, unmapMemory } from '../../host/ffi.ts';
import { mapScratch, SCRATCH_SIZE, type Scratch } from '../../host/scratch.ts';
import {
  decodeJournalHead,
  ENTRY_HEAD_SIZE,
  encodeJournalHead,
  entryRoom,
  JOURNAL_HEAD_SIZE,
  type JournalEntry,
  missingBytes,
  scanJournal,
  sealEntry,
} from '../../ovsdb/log/sync-journal.ts';

const HALF_SIZE = 1024 * 1024;
const FILE_MODE = 0o600;
/** A file changed later than this after its journal's last entry was changed by somebody else: a journal is gone before then. */
const SAME_TIME_MS = 10_000;

/** Rooms of journals that are gone: each is mapped once, and used again by the next. */
const rooms: Scratch[] = [];

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

/**
 * Opens a journal for writes that are on the disk when they return: past the kernel's cache where file system and disk take sectors of 512 bytes, which
 * saves a tenth of the time, or through it.
 */
function openForEntries(path: string, size: number): number {
  const { O_RDWR, O_DSYNC, O_DIRECT } = constants;
  try {
    const fd = openSync(path, O_RDWR | O_DSYNC | O_DIRECT);
    const zeros = mapMemory(entryRoom(1));
    const written = Number(libc().pwriteAt(fd, zeros.address, entryRoom(1), size - entryRoom(1)));
    unmapMemory(zeros);
    if (written === entryRoom(1)) return fd;
    closeSync(fd);
  } catch {
    // Not on this file system.
  }
  return openSync(path, O_RDWR | O_DSYNC);
}

export class SyncJournal {
  readonly #path: string;
  readonly #fileFd: number;
  readonly #onFault: (error: unknown) => void;
  readonly #room: Scratch = rooms.pop() ?? mapScratch();
  /** Up to where the file's bytes wait in the room, behind space for the head of an entry. */
  #staged = ENTRY_HEAD_SIZE;
  /** Where in the file those begin; NaN when what the file was given was not staged whole, so that only syncing the file itself helps. */
  #from = Number.NaN;
  #fd = -1;
  #isClosed = false;
  /** Whether it has been made, or could not be. */
  #isSettled = false;
  #at = JOURNAL_HEAD_SIZE;
  #end = JOURNAL_HEAD_SIZE + HALF_SIZE;
  /** Whether all that the other half says is on the disk in the file itself. */
  #isOtherFree = true;
  /** Counted up whenever the file itself was synced: a sync in the background that ends later says nothing new. */
  #syncs = 0;

  /** Begins to make a journal at `path` for an open file; until it is there, `commit` gives false. */
  constructor(path: string, fileFd: number, onFault: (error: unknown) => void) {
    this.#path = path;
    this.#fileFd = fileFd;
    this.#onFault = onFault;
    void this.#make();
  }

  /** Whether nothing more happens at its path by itself: before that, no other may be made there. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  async #make(): Promise<void> {
    let fd = -1;
    try {
      const id = bootId();
      if (id === '') return;
      const head = encodeJournalHead({ bootId: id, inode: fstatSync(this.#fileFd, { bigint: true }).ino, half: HALF_SIZE });
      // Written and not only reserved: what is reserved is noted in the file system's journal once it is written.
      const bytes = Buffer.concat([head], JOURNAL_HEAD_SIZE + 2 * HALF_SIZE);
      const { O_RDWR, O_CREAT, O_TRUNC } = constants;
      fd = await promisify(open)(this.#path, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE);
      for (let at = 0; at < bytes.length; ) at += (await promisify(write)(fd, bytes, at, bytes.length - at, at)).bytesWritten;
      await promisify(fsync)(fd);
      const folder = await promisify(open)(dirname(this.#path), constants.O_RDONLY);
      await promisify(fsync)(folder).finally(() => promisify(close)(folder));
      if (this.#isClosed) throw new Error('closed meanwhile');
      this.#fd = openForEntries(this.#path, bytes.length);
      closeSync(fd);
    } catch {
      // Without a journal the file itself is synced each time, as before.
      if (fd >= 0) closeSync(fd);
      unlinkQuietly(this.#path);
    } finally {
      this.#isSettled = true;
    }
  }

  /** The file has these bytes, too, behind those staged before. */
  stage(bytes: Buffer, start: number, end: number): void {
    if (Number.isNaN(this.#from)) return;
    if (this.#staged + end - start > SCRATCH_SIZE) {
      this.#from = Number.NaN;
      return;
    }
    this.#staged += bytes.copy(this.#room.bytes, this.#staged, start, end);
  }

  /** The file was given more than is worth to be written twice. */
  skip(): void {
    this.#from = Number.NaN;
  }

  /** Brings what was staged to the disk. Gives false when the file itself has to be synced instead. */
  commit(): boolean {
    if (this.#fd < 0 || Number.isNaN(this.#from)) return false;
    const size = this.#staged;
    if (size === ENTRY_HEAD_SIZE) return true;
    const taken = entryRoom(size);
    if (this.#at + taken > this.#end && !this.#turn()) return false;
    sealEntry(this.#room.bytes, size, this.#from, Date.now());
    if (Number(libc().pwriteAt(this.#fd, this.#room.address, taken, this.#at)) !== taken) return false;
    this.#at += taken;
    this.#from += size - ENTRY_HEAD_SIZE;
    this.#staged = ENTRY_HEAD_SIZE;
    return true;
  }

  /** Goes on in the other half, while the file is brought to the disk; false when that is still needed. */
  #turn(): boolean {
    if (!this.#isOtherFree) return false;
    const isFirst = this.#end === JOURNAL_HEAD_SIZE + HALF_SIZE;
    this.#at = isFirst ? this.#end : JOURNAL_HEAD_SIZE;
    this.#end = this.#at + HALF_SIZE;
    this.#isOtherFree = false;
    const mine = ++this.#syncs;
    fdatasync(this.#fileFd, (error) => {
      if (this.#isClosed) return;
      // The kernel tells a fault once: who else synced the file meanwhile did not hear of it.
      if (error !== null) this.#onFault(error);
      else if (mine === this.#syncs) this.#isOtherFree = true;
    });
    return true;
  }

  /** The file itself is on the disk, with all its `size` bytes. */
  synced(size: number): void {
    this.#from = size;
    this.#staged = ENTRY_HEAD_SIZE;
    this.#syncs++;
    this.#isOtherFree = true;
  }

  /** Takes the journal away; the file must be on the disk. */
  remove(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    rooms.push(this.#room);
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    unlinkQuietly(this.#path);
  }
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is not there, or may not be taken away; one that stays is found to be old.
  }
}

/** What a file lacks after its machine stopped at once: bytes that follow its first `intact` ones. */
export interface Loss {
  readonly intact: number;
  readonly bytes: Buffer;
}

/**
 * What a database file lacks by the journal that an earlier server left beside it; undefined when there is none, or it is not of this file. `measure`
 * gives how many of the file's bytes are intact records.
 */
export function findLoss(journalPath: string, path: string, measure: (file: Buffer) => number): Loss | undefined {
  let journal: Buffer;
  try {
    journal = readFileSync(journalPath);
  } catch {
    return undefined;
  }
  const owner = decodeJournalHead(journal);
  const { ino, mtimeMs } = statSync(path, { bigint: true });
  if (owner === undefined || owner.inode !== ino || owner.bootId === bootId()) return undefined;
  const entries = scanJournal(journal, owner.half);
  const last = entries.reduce((latest, { timeMs }: JournalEntry) => Math.max(latest, timeMs), 0);
  if (Number(mtimeMs) > last + SAME_TIME_MS) return undefined;
  const file = readFileSync(path);
  const intact = measure(file);
  const bytes = missingBytes(file, intact, entries);
  return bytes === undefined || bytes.length === 0 ? undefined : { intact, bytes };
}
