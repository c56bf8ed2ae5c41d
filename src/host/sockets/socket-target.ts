// Open vSwitch's connection names: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT` and the passive `punix:PATH`, `ptcp:[PORT][:IP]`, `pssl:[PORT][:IP]`.

import { strerror } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { runDir } from '../directories.ts';

const EAFNOSUPPORT = 97;
const EINVAL = 22;

/** A parsed connection name. A host without brackets; a path made absolute. */
export type SocketTarget =
  | { kind: 'unix'; passive: boolean; path: string }
  | { kind: 'tcp' | 'ssl'; passive: boolean; host: string; port: number };

function fail(target: string, errno: number): never {
  throw new KernelError(target, errno, strerror(errno));
}

/** Splits `[::1]:80`, `1.2.3.4:80` and `1.2.3.4`; a part not given is ''. */
function splitPair(text: string): [string, string] | undefined {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return [bracketed[1] ?? '', bracketed[2] ?? ''];
  const colon = text.indexOf(':');
  if (colon < 0) return [text, ''];
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function parsePort(text: string, target: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65535) fail(target, EINVAL);
  return Number(text);
}

/** Parses a connection name; `defaultPort` fills in a TCP port that was left out. A relative socket path is below the run directory. */
export function parseSocketTarget(target: string, defaultPort = 0): SocketTarget {
  const colon = target.indexOf(':');
  const scheme = target.slice(0, colon);
  const rest = target.slice(colon + 1);
  switch (colon < 0 ? '' : scheme) {
    case 'unix':
    case 'punix':
      return { kind: 'unix', passive: scheme === 'punix', path: rest.startsWith('/') ? rest : `${runDir()}/${rest}` };
    case 'tcp':
    case 'ssl': {
      const [host, port] = splitPair(rest) ?? fail(target, EINVAL);
      if (host === '' || (port === '' && defaultPort === 0)) fail(target, EINVAL);
      return { kind: scheme as 'tcp' | 'ssl', passive: false, host, port: port === '' ? defaultPort : parsePort(port, target) };
    }
    case 'ptcp':
    case 'pssl': {
      const first = rest.indexOf(':');
      const port = first < 0 ? rest : rest.slice(0, first);
      const host = first < 0 ? '' : rest.slice(first + 1).replace(/^\[(.*)\]$/, '$1');
      return { kind: scheme === 'ptcp' ? 'tcp' : 'ssl', passive: true, host, port: port === '' ? defaultPort : parsePort(port, target) };
    }
    default:
      fail(target, EAFNOSUPPORT);
  }
}

/** Whether the name is of a listening kind (`punix:`, `ptcp:`, `pssl:`). */
export function isPassiveTarget(target: string): boolean {
  return /^p(unix|tcp|ssl):/.test(target);
}
