// What makes a process a daemon: its pidfile, and letting go of the terminal.
import { closeSync, constants, ftruncateSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { strerror, systemErrno } from '../base/errno.ts';
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import { libc } from './ffi.ts';
import { lockHolder, tryLock } from './file-lock.ts';

const log = logger('daemon_unix');

/** Points descriptors 0, 1 and 2 at /dev/null, so that whoever waits for our output sees its end; some may be kept. */
export function releaseStdio(kept: readonly number[] = []): void {
  const fd = openSync('/dev/null', constants.O_RDWR);
  for (const target of [0, 1, 2]) if (!kept.includes(target) && libc().dup2(fd, target) < 0) break;
  if (fd > 2) closeSync(fd);
}

/** What `ps` shows of this process: its command line and, as `comm`, the program's name, by which ovs-ctl tells whose a pidfile is. */
export function nameProcess(program: string, commandLine: string): void {
  process.title = commandLine;
  try {
    // The title has put its own beginning there.
    writeFileSync('/proc/self/comm', program);
  } catch {
    // No /proc here: nobody can look there either.
  }
}

/** The process that holds the pidfile's lock, 0 when none does or there is no such file. Throws ConfigError when it cannot be read. */
export function pidfileHolder(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR);
  } catch (error) {
    const errno = systemErrno(error);
    // Who may not read it may not make one either, and hears so then.
    if (errno === 2 || errno === 13) return 0;
    log.warn(`${path}: open: ${strerror(errno)}`);
    throw new ConfigError(`${path}: pidfile check failed (${strerror(errno)}), aborting`);
  }
  try {
    return lockHolder(fd);
  } finally {
    closeSync(fd);
  }
}

/** A pidfile of ours; its lock lives until `remove` or the end of the process. */
export interface Pidfile {
  remove(): void;
}

/** Writes and locks a pidfile in one step: nobody sees it unlocked or empty. Throws ConfigError. */
export function createPidfile(path: string, mayOverwrite: boolean): Pidfile {
  const holder = mayOverwrite ? 0 : pidfileHolder(path);
  if (holder !== 0) throw new ConfigError(`${path}: already running as pid ${holder}, aborting`);
  const temporary = `${path}.tmp${process.pid}`;
  let fd: number;
  try {
    fd = openSync(temporary, constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC, 0o644);
  } catch (error) {
    throw new ConfigError(`${path}.tmp: create failed (${strerror(systemErrno(error))})`);
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
    if (!tryLock(fd)) throw new ConfigError(`${temporary}: fcntl(F_SETLK) failed`);
    renameSync(temporary, path);
  } catch (error) {
    closeSync(fd);
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`failed to rename "${temporary}" to "${path}": ${strerror(systemErrno(error))}`);
  }
  return {
    remove: () => {
      try {
        unlinkSync(path);
      } catch {
        // Somebody removed it before us.
      }
    },
  };
}
