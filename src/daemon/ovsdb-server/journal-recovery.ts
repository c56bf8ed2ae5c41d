// What a file lacks after its machine stopped at once, and the journal beside it has.
import { closeSync, constants, existsSync, fsyncSync, ftruncateSync, openSync } from 'node:fs';
import { logger } from '../../base/log.ts';
import { fileName } from '../../host/file-name.ts';
import { scanRecords } from '../../ovsdb/log/log-record.ts';
import { besideFile, followLinks } from './file-places.ts';
import { ioError } from './file-records.ts';
import { writeAll } from './record-writer.ts';
import { findLoss, unlinkQuietly } from './sync-journal.ts';

const fileLog = logger('ovsdb_file');

/** Puts into a locked file what it lacks by the journal of an earlier server whose machine stopped at once. Throws OvsdbError. */
export function recoverFromJournal(path: string): void {
  const journal = besideFile(followLinks(path, false), 'sync');
  if (!existsSync(journal)) return;
  try {
    const loss = findLoss(
      journal,
      path,
      (bytes) =>
        scanRecords(
          bytes,
          path,
          () => {},
          () => true,
        ).end,
    );
    const fd = openSync(fileName(path), constants.O_RDWR);
    try {
      if (loss !== undefined) {
        ftruncateSync(fd, loss.intact);
        writeAll(fd, loss.bytes, loss.intact);
        fileLog.warn(`${path}: took ${loss.bytes.length} bytes from ${journal}, which the file lacked behind offset ${loss.intact}`);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError(`${path}: recovery from ${journal} failed`, error);
  }
  unlinkQuietly(journal);
}
