// Open vSwitch's connection names: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT` and the passive `punix:PATH`, `ptcp:[PORT][:IP]`, `pssl:[PORT][:IP]`.

import { strerror } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { runDir } from '../directories.ts';

const log = logger('socket_util');

const EAFNOSUPPORT = 97;

/** A parsed connection name. A host without brackets; a path made absolute. */
export type SocketTarget =
  | { kind: 'unix'; passive: boolean; path: string }
  | { kind: 'tcp' | 'ssl'; passive: boolean; host: string; port: number };

function fail(target: string, errno: number): never {
  throw new KernelError(target, errno, strerror(errno));
}

/** The reference says what is wrong with a port; of a host it says nothing here. Undefined for a name that no resolver could know. */
function splitPair(text: string): [host: string, port: string] | undefined {
  const bracketed = /^\[([^\]]*)(?:\](.*))?$/.exec(text);
  if (bracketed === null) {
    const colon = text.indexOf(':');
    // With two colons it is an address of IPv6 and nothing else.
    return colon >= 0 && colon === text.lastIndexOf(':') ? [text.slice(0, colon), text.slice(colon + 1)] : [text, ''];
  }
  const [, host = '', rest = ''] = bracketed;
  if (rest !== '' && !rest.startsWith(':')) return undefined;
  return [host, rest.slice(1)];
}

function parsePort(text: string, target: string): number {
  if (/^\d+$/.test(text) && Number(text) <= 65535) return Number(text);
  const rest = target.slice(target.indexOf(':') + 1);
  log.err(text === '' ? `${rest}: port must be specified` : `${rest}: bad port number "${text}"`);
  fail(target, EAFNOSUPPORT);
}

/** An active name with the usual port where it has none: the reference counts the parts between colons that are not empty. */
export function withDefaultPort(target: string, defaultPort: number): string {
  const isInternet = target.startsWith('tcp:') || target.startsWith('ssl:');
  if (!isInternet || defaultPort === 0 || target.split(':').filter((part) => part !== '').length >= 3) return target;
  return `${target}:${defaultPort}`;
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
      const name = withDefaultPort(target, defaultPort);
      const [host, port] = splitPair(name.slice(colon + 1)) ?? fail(target, EAFNOSUPPORT);
      return { kind: scheme as 'tcp' | 'ssl', passive: false, host, port: parsePort(port, name) };
    }
    case 'ptcp':
    case 'pssl': {
      // A colon before an address without brackets.
      if (/^:[^[]*:/.test(rest)) parsePort('', target);
      const first = rest.indexOf(':');
      const port = first < 0 ? rest : rest.slice(0, first);
      const host = first < 0 ? '' : rest.slice(first + 1).replace(/^\[([^\]]*)\]?$/, '$1');
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
