// Where sockets are to listen: how the file of a Unix socket is made way for, reached where its name is long, and taken away; and what the log says
// of a place that cannot be had.
import { closeSync, constants, lstatSync, openSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { encodeText } from '../../base/byte-text.ts';
import { strerror, systemErrno } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { LogLimit } from '../../base/log-limit.ts';
import { fileName } from '../file-name.ts';

const log = logger('socket_util_unix');
const streamLog = logger('stream_unix');
const internetLog = logger('socket_util');
const signalLog = logger('fatal_signal');
const longNames = new LogLimit(1, 1);
const bindFaults = new LogLimit(1, 5);
const lostFolders = new LogLimit(1, 1);

/** What `sun_path` holds, without its closing zero. */
const MAX_SOCKET_PATH = 107;
const ENOENT = 2;
/** Numbers of the runtime's own, above those of the system: of names that nobody knows. */
export const FIRST_NAME_FAULT = 3000;
const ENAMETOOLONG = 36;
/** The reference makes its sockets for owner and group only. */
export const SOCKET_MODE = 0o750;

function unlinkErrno(path: string): number {
  try {
    unlinkSync(fileName(path));
    return 0;
  } catch (error) {
    return systemErrno(error);
  }
}

/** A path that fits `sun_path`: a long one is reached through an open descriptor of its folder. */
export function shortPath(path: string): { path: string; release: () => void } {
  if (encodeText(path).length <= MAX_SOCKET_PATH) return { path, release: () => {} };
  const fail = (errno: number): never => {
    longNames.write(log, 'warn', `Unix socket name ${path} is longer than maximum ${MAX_SOCKET_PATH} bytes`);
    throw new KernelError(path, errno, strerror(errno));
  };
  let fd: number;
  try {
    fd = openSync(fileName(dirname(path)), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    lostFolders.write(log, 'warn', `${dirname(path)}: open failed (${strerror(systemErrno(error))})`);
    return fail(systemErrno(error));
  }
  const short = `/proc/self/fd/${fd}/${basename(path)}`;
  if (encodeText(short).length <= MAX_SOCKET_PATH) return { path: short, release: () => closeSync(fd) };
  closeSync(fd);
  return fail(ENAMETOOLONG);
}

/** Takes away what stands where a socket is to be, whatever it is. */
export function clearPlace(path: string): void {
  const errno = unlinkErrno(path);
  if (errno !== 0 && errno !== ENOENT) log.warn(`unlinking "${path}": ${strerror(errno)}`);
}

/** Says that no socket could be made there. What the reference then calls the fault is that of taking away what it did not make. */
export function unboundPlace(target: string, path: string, error: unknown): KernelError {
  let errno = error instanceof KernelError ? error.errno : systemErrno(error);
  const left = unlinkErrno(path);
  if (left !== 0) {
    errno = left;
    signalLog.warn(`could not unlink "${path}" (${strerror(left)})`);
  }
  streamLog.err(`${path}: binding failed: ${strerror(errno)}`);
  return new KernelError(target, errno, strerror(errno));
}

/** Says that an address cannot be listened on. */
export function sayUnboundAddress(target: string, error: unknown): void {
  const errno = error instanceof KernelError ? error.errno : systemErrno(error);
  if (errno > 0 && errno < FIRST_NAME_FAULT)
    bindFaults.write(internetLog, 'err', `${target.slice(target.indexOf(':') + 1)}: bind: ${strerror(errno)}`);
}

/** Takes a socket away that is used no more; another's file in its place stays. */
export function removeSocketFile(path: string): void {
  try {
    const name = fileName(path);
    if (lstatSync(name).isSocket()) unlinkSync(name);
  } catch {
    // Nothing there, or no permission.
  }
}
