// The bytes of a sync journal: what a database file was given since it was last brought to the disk, in a file whose room is there in advance.
// Pure: bytes in, values out. Why there is one: docs/decisions/011.
//
// A head of 4,096 bytes says which file it belongs to and in which boot of the machine it was written. Behind it are two halves, written in turn from
// their beginnings, each a sequence of entries: a head of 32 bytes (`SYNC`, the CRC-32 of all that follows it, size, nothing, offset and time as
// doubles, least byte first), then as many bytes as it says, which the database file has from that offset on: whole records. An entry is true for as
// long as the file is the one that the head names; an old one, not yet written over, says nothing wrong. The checksum finds what was torn; the records
// have their own SHA-1 besides.
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

const HEAD = /^OVSDB SYNC 2 ([0-9a-f-]{1,64}) (\d{1,20}) (\d{1,10}) ([0-9a-f]{40})\n/;

export function encodeJournalHead({ bootId, inode, half }: JournalOwner): Buffer {
  const text = `OVSDB SYNC 2 ${bootId} ${inode} ${half}`;
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

/** `SYNC`, least byte first. */
const MARK = 0x434e5953;
const [CRC_AT, SIZE_AT, FROM_AT, TIME_AT] = [4, 8, 16, 24];
export const ENTRY_HEAD_SIZE = 32;
/** Where entries begin: multiples of a disk's sector. */
const ENTRY_STEP = 512;

/** Bytes that an entry takes, its head and what fills its last sector included; `size` is without the latter. */
export function entryRoom(size: number): number {
  return Math.ceil(size / ENTRY_STEP) * ENTRY_STEP;
}

let zlib: typeof import('node:zlib') | undefined;

/** CRC-32 of RFC 1952, section 8. Loaded at the first call: hardly any start of a server needs it. */
function crc32(bytes: Buffer): number {
  zlib ??= process.getBuiltinModule('node:zlib');
  return zlib.crc32(bytes);
}

/** Makes an entry of the bytes that `room` has between ENTRY_HEAD_SIZE and `end`. */
export function sealEntry(room: Buffer, end: number, from: number, timeMs: number): void {
  room.writeUInt32LE(MARK, 0);
  room.writeUInt32LE(end - ENTRY_HEAD_SIZE, SIZE_AT);
  room.writeUInt32LE(0, SIZE_AT + 4);
  room.writeDoubleLE(from, FROM_AT);
  room.writeDoubleLE(timeMs, TIME_AT);
  room.writeUInt32LE(crc32(room.subarray(SIZE_AT, end)), CRC_AT);
}

function entryAt(bytes: Buffer, at: number, end: number): JournalEntry | undefined {
  const body = at + ENTRY_HEAD_SIZE;
  if (body > end || bytes.readUInt32LE(at) !== MARK) return undefined;
  const size = bytes.readUInt32LE(at + SIZE_AT);
  const [from, timeMs] = [bytes.readDoubleLE(at + FROM_AT), bytes.readDoubleLE(at + TIME_AT)];
  if (size === 0 || body + size > end || !Number.isSafeInteger(from) || from < 0 || !Number.isFinite(timeMs)) return undefined;
  if (crc32(bytes.subarray(at + SIZE_AT, body + size)) !== bytes.readUInt32LE(at + CRC_AT)) return undefined;
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
      at += entryRoom(ENTRY_HEAD_SIZE + entry.bytes.length);
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
