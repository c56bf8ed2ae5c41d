// Where a database's file is in the end, and what stands beside it: its lock, which this takes, and the journal of its syncs.
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { strerror, systemErrno } from '../../base/errno.ts';
import { logger } from '../../base/log.ts';
import { lockHolder, tryLock } from '../../host/file-lock.ts';
import { fileName, readLink } from '../../host/file-name.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { ioError } from './file-records.ts';

const lockLog = logger('lockfile');
const EAGAIN = 11;
const MAX_LINKS = 10;

/** What a path is in the end, also where that is not there yet; a path that leads in circles is itself. */
export function followLinks(path: string, isTold = true): string {
  let at = path;
  for (let i = 0; i < MAX_LINKS; i++) {
    let link: string;
    try {
      link = readLink(at);
    } catch {
      return at;
    }
    at = isAbsolute(link) ? link : join(dirname(at), link);
  }
  if (isTold) logger('util').warn(`${path}: too many levels of symlinks`);
  return path;
}

/** The lock file that stands beside a database while it is written: beside the file itself, whatever links lead to it. */
export function lockFileName(path: string): string {
  return besideFile(followLinks(path), 'lock');
}

/** The place beside a file, for the file that serves it in one way. */
export const besideFile = (place: string, what: string): string => join(dirname(place), `.${basename(place)}.~${what}~`);

/** Takes the lock of a database; the descriptor holds it. */
export function lockFile(path: string): number {
  const name = lockFileName(path);
  let fd: number;
  try {
    fd = openSync(fileName(name), constants.O_RDWR | constants.O_CREAT, 0o600);
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
