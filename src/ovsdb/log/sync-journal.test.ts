import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeJournalHead,
  ENTRY_HEAD_SIZE,
  encodeJournalHead,
  entryRoom,
  JOURNAL_HEAD_SIZE,
  missingBytes,
  scanJournal,
  sealEntry,
} from './sync-journal.ts';

const owner = { bootId: '0b0c', inode: 12345678901234567890n, half: 8192 };

/** A journal as it is written, in turns through its halves, of pieces that make up a file from `base` on. */
function journalOf(base: number, pieces: readonly Buffer[]): Buffer {
  const journal = Buffer.alloc(JOURNAL_HEAD_SIZE + 2 * owner.half);
  encodeJournalHead(owner).copy(journal);
  let [at, end, from] = [JOURNAL_HEAD_SIZE, JOURNAL_HEAD_SIZE + owner.half, base];
  for (const piece of pieces) {
    const room = Buffer.concat([Buffer.alloc(ENTRY_HEAD_SIZE), piece]);
    sealEntry(room, room.length, from, 1000 + from);
    if (at + entryRoom(room.length) > end) {
      at = end === journal.length ? JOURNAL_HEAD_SIZE : end;
      end = at + owner.half;
    }
    room.copy(journal, at);
    at += entryRoom(room.length);
    from += piece.length;
  }
  return journal;
}

const piece = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));

test('a head says which file and boot it is of; a torn one nothing', () => {
  const head = encodeJournalHead(owner);
  assert.equal(head.length, JOURNAL_HEAD_SIZE);
  assert.deepEqual(decodeJournalHead(head), owner);
  for (let i = 0; i < head.indexOf(10); i++) {
    const torn = Buffer.from(head);
    torn[i] = (torn[i] ?? 0) ^ 4;
    assert.equal(decodeJournalHead(torn), undefined, `byte ${i}`);
  }
  assert.equal(decodeJournalHead(Buffer.alloc(0)), undefined);
});

test('whatever the file lost since its own last sync is in the journal', () => {
  fc.assert(
    fc.property(piece, fc.array(piece, { maxLength: 40 }), fc.nat(), fc.nat(1), (base, pieces, cut, isTail) => {
      const whole = Buffer.concat([base, ...pieces]);
      const entries = scanJournal(journalOf(base.length, pieces), owner.half);
      // What the journal still has begins at the latest half that was written whole; before that, the file itself is on the disk.
      let oldest = whole.length;
      for (const entry of [...entries].reverse()) if (entry.from + entry.bytes.length === oldest) oldest = entry.from;
      const intact = oldest + (cut % (whole.length - oldest + 1));
      const file = isTail === 1 ? Buffer.concat([whole.subarray(0, intact), Buffer.alloc(50)]) : whole.subarray(0, intact);
      assert.deepEqual(missingBytes(file, intact, entries), whole.subarray(intact));
    }),
    { numRuns: 500 },
  );
});

test("another file's journal is told from this one's by what both have", () => {
  const entries = scanJournal(journalOf(10, [Buffer.from('abc'), Buffer.from('def')]), owner.half);
  assert.deepEqual(missingBytes(Buffer.from('0123456789abX'), 13, entries), undefined);
  assert.deepEqual(missingBytes(Buffer.from('0123456789ab'), 12, entries)?.toString(), 'cdef');
  // A gap between the file and the journal cannot be closed.
  assert.deepEqual(missingBytes(Buffer.from('01234567'), 8, entries)?.length, 0);
});

test('a bit that turned, or a page that was not written, takes its entry and those behind it and makes none', () => {
  const pieces = Array.from({ length: 8 }, (_, n) => Buffer.from(`piece ${n} `.repeat(5)));
  const journal = journalOf(100, pieces);
  const good = scanJournal(journal, owner.half);
  assert.equal(good.length, 8);
  const size = ENTRY_HEAD_SIZE + (pieces[0]?.length ?? 0);
  for (let at = JOURNAL_HEAD_SIZE; at < JOURNAL_HEAD_SIZE + 8 * entryRoom(size); at++) {
    const damaged = Buffer.from(journal);
    damaged[at] = (damaged[at] ?? 0) ^ 16;
    const left = scanJournal(damaged, owner.half);
    const isFiller = (at - JOURNAL_HEAD_SIZE) % entryRoom(size) >= size;
    assert.ok(isFiller ? left.length === 8 : left.length < 8);
    for (const [i, entry] of left.entries()) assert.deepEqual(entry, good[i]);
  }
});

test('any bytes are read as a journal without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6000 }), fc.integer({ min: -1, max: 1e9 }), (bytes, half) => {
      decodeJournalHead(Buffer.from(bytes));
      assert.deepEqual(scanJournal(Buffer.from(bytes), half), []);
    }),
  );
});
