// The bytes of a sync journal: what a database file was given since it was last brought to the disk, in a file whose room is there in advance.
// Pure: bytes in, values out. Why there is one: docs/decisions/011.
//
// A head of 4,096 bytes says which file it belongs to and in which boot of the machine it was written. Behind it are two halves, written in turn from their
// beginnings, each a sequence of entries: `SYNC SHA1 FROM SIZE TIME`, then SIZE bytes, which the database file has from offset FROM on. The hash is of
// all that follows it. An entry is true for as long as the file is the one that the head names; an old one, not yet written over, says nothing wrong.
import { sha1Hex } from '../../base/cryptography.ts';

export const JOURNAL_HEAD_SIZE = 4096;

/** Which file a journal belongs to. */
export interface JournalOwner {
  /** /proc/sys/kernel/random/boot_id: what the file was given in the boot that goes on is in the kernel's memory, if not yet on the disk. */
  readonly bootId: string;
  readonly inode: bigint;
  /** Bytes of each half. */
  readonly half: number;
}

export interface JournalEntry {
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly bytes: Buffer;
}

const HEAD = /^OVSDB SYNC 1 ([0-9a-f-]{1,64}) (\d{1,20}) (\d{1,10}) ([0-9a-f]{40})\n/;

export function encodeJournalHead({ bootId, inode, half }: JournalOwner): Buffer {
  const text = `OVSDB SYNC 1 ${bootId} ${inode} ${half}`;
  const head = Buffer.alloc(JOURNAL_HEAD_SIZE);
  head.write(`${text} ${sha1Hex(Buffer.from(text))}\n`);
  return head;
}

/** Undefined when this is no head, or a torn one. */
export function decodeJournalHead(bytes: Buffer): JournalOwner | undefined {
  const found = HEAD.exec(bytes.toString('latin1', 0, Math.min(bytes.length, 256)));
  if (found === null) return undefined;
  const [line, bootId, inode, half, hash] = found as unknown as [string, string, string, string, string];
  if (sha1Hex(Buffer.from(line.slice(0, -42))) !== hash) return undefined;
  return { bootId, inode: BigInt(inode), half: Number(half) };
}

const MARK = 'SYNC ';
const SHA1_SIZE = 40;
const HASHED_FROM = MARK.length + SHA1_SIZE;
const [FROM_SIZE, SIZE_SIZE, TIME_SIZE] = [16, 8, 14];
/** Each number is preceded by a space, the last followed by the end of the line. */
export const ENTRY_HEAD_SIZE = HASHED_FROM + 1 + FROM_SIZE + 1 + SIZE_SIZE + 1 + TIME_SIZE + 1;

/** Makes an entry of the bytes that `room` has between ENTRY_HEAD_SIZE and `end`. */
export function sealEntry(room: Buffer, end: number, from: number, timeMs: number): void {
  const size = String(end - ENTRY_HEAD_SIZE).padStart(SIZE_SIZE);
  room.write(` ${String(from).padStart(FROM_SIZE)} ${size} ${String(timeMs).padStart(TIME_SIZE)}\n`, HASHED_FROM, 'latin1');
  room.write(MARK + sha1Hex(room.subarray(HASHED_FROM, end)), 0, 'latin1');
}

function entryAt(bytes: Buffer, at: number, end: number): JournalEntry | undefined {
  const body = at + ENTRY_HEAD_SIZE;
  if (body > end || bytes.toString('latin1', at, at + MARK.length) !== MARK) return undefined;
  const fields = /^ ( *\d+) ( *\d+) ( *\d+)\n$/.exec(bytes.toString('latin1', at + HASHED_FROM, body));
  if (fields === null) return undefined;
  const [from, size, timeMs] = fields.slice(1).map(Number) as [number, number, number];
  if (!Number.isSafeInteger(from) || size === 0 || body + size > end) return undefined;
  const hash = bytes.toString('latin1', at + MARK.length, at + HASHED_FROM);
  if (sha1Hex(bytes.subarray(at + HASHED_FROM, body + size)) !== hash) return undefined;
  return { from, timeMs, bytes: bytes.subarray(body, body + size) };
}

/** All entries of a journal that are whole, in the order of the file they belong to. */
export function scanJournal(bytes: Buffer, half: number): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (let start = JOURNAL_HEAD_SIZE; half > 0 && start < bytes.length && start <= JOURNAL_HEAD_SIZE + half; start += half) {
    const end = Math.min(start + half, bytes.length);
    for (let at = start; ; ) {
      const entry = entryAt(bytes, at, end);
      if (entry === undefined) break;
      entries.push(entry);
      at += ENTRY_HEAD_SIZE + entry.bytes.length;
    }
  }
  return entries.sort((a, b) => a.from - b.from);
}

/** What belongs into `file` behind its first `intact` bytes, by the entries of its journal. Undefined when they contradict those bytes: it is another file's. */
export function missingBytes(file: Buffer, intact: number, entries: readonly JournalEntry[]): Buffer | undefined {
  const pieces: Buffer[] = [];
  let end = intact;
  for (const { from, bytes } of entries) {
    const known = Math.min(intact - from, bytes.length);
    if (known > 0 && bytes.compare(file, from, from + known, 0, known) !== 0) return undefined;
    if (from > end || from + bytes.length <= end) continue;
    pieces.push(bytes.subarray(end - from));
    end = from + bytes.length;
  }
  return Buffer.concat(pieces);
}
