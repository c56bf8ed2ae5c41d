// The ways to a system log: the C library's /dev/log protocol, a Unix socket of one's own choice, UDP, or nowhere.
import { existsSync } from 'node:fs';
import { formatTime } from '../base/log-pattern.ts';
import { libc } from './ffi.ts';
import type { SyslogSender } from './log-output.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

function datagramSender(domain: number, address: Uint8Array): (line: string) => void {
  const c = libc();
  const fd = c.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return (line) => {
    const bytes = Buffer.from(line);
    // A log daemon that is away costs a line, not a wait.
    if (fd >= 0) c.sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
  };
}

function unixAddress(path: string): Uint8Array {
  const address = new Uint8Array(110);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(Buffer.from(path).subarray(0, 107), 2);
  return address;
}

function inetAddress(host: string, port: number): Uint8Array | undefined {
  const parts = host.split('.').map(Number);
  if (parts.length !== 4 || parts.some((p) => !Number.isInteger(p) || p < 0 || p > 255)) return undefined;
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  address.set(parts, 4);
  return address;
}

function udpSender(hostAndPort: string): ((line: string) => void) | undefined {
  const colon = hostAndPort.lastIndexOf(':');
  const address = inetAddress(hostAndPort.slice(0, colon), Number(hostAndPort.slice(colon + 1)));
  return address === undefined ? undefined : datagramSender(AF_INET, address);
}

/** Opens the way that `--syslog-method` names; undefined when lines go nowhere. */
export function openSyslog(program: string, method: string): SyslogSender | undefined {
  if (method === 'libc') {
    if (!existsSync('/dev/log')) return undefined;
    let send: ((line: string) => void) | undefined;
    return (priority, line) => {
      send ??= datagramSender(AF_UNIX, unixAddress('/dev/log'));
      send(`<${priority}>${formatTime('%b %e %T', Date.now(), false)} ${program}: ${line}`);
    };
  }
  const send = method.startsWith('unix:')
    ? datagramSender(AF_UNIX, unixAddress(method.slice(5)))
    : method.startsWith('udp:')
      ? udpSender(method.slice(4))
      : undefined;
  if (send === undefined) return undefined;
  return (priority, line) => send(`<${priority}>${formatTime('%h %e %T', Date.now(), true)} ${program}: ${line}`);
}

/** Opens `--syslog-target=HOST:PORT`; lines come with their prefix. */
export function openSyslogTarget(target: string): SyslogSender | undefined {
  const send = udpSender(target);
  return send === undefined ? undefined : (_, line) => send(line);
}
