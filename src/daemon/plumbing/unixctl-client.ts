// The asking end of a daemon's control socket, for ovs-appctl and the other tools that talk to a running daemon.
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { runDir } from '../../host/directories.ts';
import { lockHolder } from '../../host/file-lock.ts';
import { connectStream } from '../../host/sockets/socket.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { RpcClosed, RpcError, RpcSession } from '../../ovsdb/json/jsonrpc.ts';

const pidLog = logger('daemon_unix');
const log = logger('unixctl');
const ESRCH = 3;

/** What a daemon answered. */
export type ControlReply = { kind: 'result'; text: string } | { kind: 'error'; text: string };

/**
 * The process that a pidfile names, which must hold its lock: what a process that is no more has left may say anything. The kernel's own list of locks
 * (/proc/locks) is not asked, for it makes its reader wait 15 ms for all processors. Throws ConfigError.
 */
function pidfileProcess(path: string): number {
  const refused = (errno: number): ConfigError => new ConfigError(`cannot read pidfile "${path}" (${strerror(errno)})`);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR);
  } catch (error) {
    const errno = systemErrno(error);
    pidLog.warn(`${path}: open: ${strerror(errno)}`);
    throw refused(errno);
  }
  try {
    const holder = lockHolder(fd);
    if (holder === 0) throw refused(ESRCH);
    // As the reference has it, the line's end belongs to what is named.
    const [line = ''] = /^.*\n?/.exec(readFileSync(fd, 'latin1')) ?? [];
    if (line === '') {
      pidLog.warn(`${path}: read: unexpected end of file`);
      throw refused(ESRCH);
    }
    if (Number.parseInt(line, 10) === holder) return holder;
    pidLog.warn(`${path}: stale pidfile for pid ${line} being deleted by pid ${holder}`);
    throw refused(ESRCH);
  } finally {
    closeSync(fd);
  }
}

/** The socket that `-t TARGET` means: an absolute path, or the socket of the process in TARGET's pidfile. Throws ConfigError. */
export function controlSocket(target: string): string {
  if (target.startsWith('/')) return target;
  const pid = pidfileProcess(`${runDir()}/${target}.pid`);
  return `${runDir()}/${target}.${pid}.ctl`;
}

function replyText(value: Json): string {
  return typeof value === 'string' ? value : '';
}

/** Sends one command and waits for its answer. Throws ConfigError with the reference's words when there is none. */
export async function controlCall(target: string, command: string, args: readonly string[]): Promise<ControlReply> {
  const socket = controlSocket(target);
  let stream: Awaited<ReturnType<typeof connectStream>>;
  try {
    stream = await connectStream(`unix:${socket}`);
  } catch (error) {
    log.warn(`failed to connect to ${socket}`);
    const reason = error instanceof KernelError ? strerror(error.errno) : String(error);
    throw new ConfigError(`cannot connect to "${socket}" (${reason})`);
  }
  const session = new RpcSession(stream, { onRequest: () => {}, onNotify: () => {}, onClose: () => {} });
  try {
    return { kind: 'result', text: replyText(await session.call(command, [...args])) };
  } catch (error) {
    if (error instanceof RpcError) return { kind: 'error', text: replyText(error.error) };
    if (error instanceof RpcClosed) throw new ConfigError(`${target}: transaction error (${error.message})`);
    throw error;
  } finally {
    session.close();
  }
}
