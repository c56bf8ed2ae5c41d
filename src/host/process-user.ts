// Becoming another user for good, as daemons do that were started by root (ovs-vswitchd(8), `--user`): with the few capabilities that the
// daemon's work needs. A capability belongs to a thread; later threads have those of the one that starts them.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../base/errors.ts';
import { libc } from './ffi.ts';

/** Numbers of capabilities (capabilities(7)). */
export const CAPABILITY = {
  NET_BIND_SERVICE: 10,
  NET_BROADCAST: 11,
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_LOCK: 14,
  PERFMON: 38,
  BPF: 39,
} as const;

const SYSCALLS: Readonly<Record<string, { prctl: number; capset: number }>> = {
  x64: { prctl: 157, capset: 126 },
  arm64: { prctl: 167, capset: 91 },
};
const PR_SET_KEEPCAPS = 8;
const CAPABILITY_VERSION = 0x20080522;

export interface ProcessUser {
  name: string;
  uid: number;
  gid: number;
}

function entry(file: string, name: string): string[] | undefined {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.split(':');
    if (fields[0] === name) return fields;
  }
  return undefined;
}

/** Reads `USER[:[GROUP]]` or `:GROUP`. Throws ConfigError, whose message begins with the pidfile that was named before. */
export function parseProcessUser(text: string, pidfile = '(null)'): ProcessUser {
  if (process.getuid?.() !== 0) throw new ConfigError(`${pidfile}: only root can use --user option`);
  const colon = text.indexOf(':');
  const [userName, groupName] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  let [name, uid, gid] = ['root', process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  if (userName !== '') {
    const user = entry('/etc/passwd', userName);
    if (user === undefined) throw new ConfigError(`${pidfile}: user ${userName} not found, aborting.`);
    [name, uid, gid] = [userName, Number(user[2]), Number(user[3])];
  }
  if (groupName !== '') {
    const group = entry('/etc/group', groupName);
    if (group === undefined) throw new ConfigError(`${pidfile}: group ${groupName} not found, aborting.`);
    const members = (group[3] ?? '').split(',');
    if (Number(group[2]) !== gid && !members.includes(name))
      throw new ConfigError(`${pidfile}: Invalid --user option ${text} (user ${name} is not in group ${groupName}), aborting.`);
    gid = Number(group[2]);
  }
  return { name, uid, gid };
}

/** Becomes that user, keeping these capabilities. Throws what the system calls say. */
export function becomeUser(user: ProcessUser, capabilities: readonly number[]): void {
  const numbers = SYSCALLS[process.arch];
  if (numbers !== undefined) libc().syscall(numbers.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
  process.setgid?.(user.gid);
  (process as { initgroups?(user: string, group: number): void }).initgroups?.(user.name, user.gid);
  process.setuid?.(user.uid);
  if (numbers === undefined || user.uid === 0) return;
  const header = Uint32Array.of(CAPABILITY_VERSION, 0);
  // Effective, permitted and inheritable sets, the lower 32 capabilities first.
  const sets = new Uint32Array(6);
  for (const capability of capabilities) {
    const at = capability < 32 ? 0 : 3;
    const bit = 2 ** (capability % 32);
    sets[at] = (sets[at]! | bit) >>> 0;
    sets[at + 1] = (sets[at + 1]! | bit) >>> 0;
  }
  libc().syscallBuffers(numbers.capset, new Uint8Array(header.buffer), new Uint8Array(sets.buffer));
}
