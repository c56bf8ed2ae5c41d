// The asking end of a daemon's control socket, for ovs-appctl and the other tools that talk to a running daemon.
import { readFileSync, statSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { runDir } from '../../host/directories.ts';
import { connectStream } from '../../host/socket.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { RpcClosed, RpcError, RpcSession } from '../../ovsdb/json/jsonrpc.ts';

const pidLog = logger('daemon_unix');
const log = logger('unixctl');

/** What a daemon answered. */
export type ControlReply = { kind: 'result'; text: string } | { kind: 'error'; text: string };

/** Whether a process holds a lock on a file; as the kernel lists them, for asking by fcntl(2) would cost the time of loading what can call it. */
function isLocked(path: string): boolean {
  try {
    const { ino } = statSync(path);
    return readFileSync('/proc/locks', 'latin1').includes(`:${ino} 0 `);
  } catch {
    // Without such a list what the file says is as good as it gets.
    return true;
  }
}

/** The socket that `-t TARGET` means: an absolute path, or the socket of the process in TARGET's pidfile. Throws ConfigError. */
export function controlSocket(target: string): string {
  if (target.startsWith('/')) return target;
  const pidfile = `${runDir()}/${target}.pid`;
  let text: string;
  try {
    text = readFileSync(pidfile, 'latin1');
  } catch (error) {
    const reason = strerror(systemErrno(error));
    pidLog.warn(`${pidfile}: open: ${reason}`);
    throw new ConfigError(`cannot read pidfile "${pidfile}" (${reason})`);
  }
  // A process that is no more has left its lock: what the file says then may be anything.
  if (!isLocked(pidfile)) throw new ConfigError(`cannot read pidfile "${pidfile}" (${strerror(3)})`);
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) {
    pidLog.warn(`${pidfile}: does not contain a process ID`);
    throw new ConfigError(`cannot read pidfile "${pidfile}" (${strerror(22)})`);
  }
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
