// The process's keys and certificates for `ssl:` and `pssl:`, as Open vSwitch has them: one set for all connections, given on the command
// line or by a row of the SSL table. Only names of files are kept here; `socket-tls.ts` reads them when a connection is made.
import { existsSync, readFileSync } from 'node:fs';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import type { ParsedOption } from '../../base/getopt.ts';
import { logger } from '../../base/log.ts';

const log = logger('stream_ssl');

export interface TlsKeys {
  privateKey: string;
  certificate: string;
  /** What peers are judged by; 'none' judges nobody. */
  caCert: string;
  /** A missing `caCert` is taken from the first peer. */
  isBootstrap: boolean;
  /** Sent along with our certificate, for peers that bootstrap. */
  peerCaCert: string;
  protocols: string;
  ciphers: string;
}

const keys: TlsKeys = { privateKey: '', certificate: '', caCert: '', isBootstrap: false, peerCaCert: '', protocols: '', ciphers: '' };

/** The keys in use. */
export const tlsKeys: Readonly<TlsKeys> = keys;

/** Changes some of them; connections made from now on use the new ones. What is named no more counts on, as with the reference. */
export function setTlsKeys(changes: Partial<TlsKeys>): void {
  Object.assign(keys, Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== '')));
}

/** What a command line says about keys; `resolve` turns a value into a file's name. */
export function keysFromOptions(options: readonly ParsedOption[], resolve: (value: string) => string = (value) => value): Partial<TlsKeys> {
  const found: Partial<TlsKeys> = {};
  for (const { name, value = '' } of options) {
    if (name === 'private-key') found.privateKey = resolve(value);
    else if (name === 'certificate') found.certificate = resolve(value);
    else if (name === 'peer-ca-cert') found.peerCaCert = resolve(value);
    else if (name === 'ssl-protocols') found.protocols = resolve(value);
    else if (name === 'ssl-ciphers') found.ciphers = resolve(value);
    else if (name === 'ca-cert' || name === 'bootstrap-ca-cert') {
      found.caCert = resolve(value);
      found.isBootstrap = name === 'bootstrap-ca-cert';
    }
  }
  return found;
}

const ENOPROTOOPT = 92;

type KeyKind = 'CERTIFICATE' | 'PRIVATE KEY';
/** Files of key and certificate that the log has been told are none. */
const unusable = new Set<string>();

/** Refuses what cannot work before a byte is sent. */
export function checkTlsKeys(name: string): void {
  const isUnusable = (path: string, kind: KeyKind): boolean => {
    if (unusable.has(path) && holds(path, kind)) unusable.delete(path);
    return path === '' || unusable.has(path);
  };
  const missing: [boolean, string][] = [
    [isUnusable(keys.privateKey, 'PRIVATE KEY'), 'Private key'],
    [isUnusable(keys.certificate, 'CERTIFICATE'), 'Certificate'],
    [keys.caCert === '', 'CA certificate'],
  ];
  const absent = missing.filter(([isMissing]) => isMissing);
  for (const [, what] of absent) log.err(`${what} must be configured to use SSL`);
  if (absent.length > 0) throw new KernelError(name, ENOPROTOOPT, strerror(ENOPROTOOPT));
}

/** What the reference says at once of a file that is not there, though only a connection by TLS would need it. */
export const absentKeys = {
  'private-key': (_path: string) => 'SSL_use_PrivateKey_file: error:80000002:system library::No such file or directory',
  certificate: (_path: string) => 'SSL_use_certificate_file: error:10080002:BIO routines::system lib',
  'ca-cert': (path: string) => `failed to load client certificates from ${path}: error:0A080002:SSL routines::system lib`,
  'peer-ca-cert': (path: string) => `failed to open ${path} for reading: No such file or directory`,
};

/** Files that the log has been told are missing. */
export const saidAbsent = new Set<string>();

const told = new Set<string>();
/** What is wrong with an option is told once, not with each connection. */
export function tellOnce(text: string, level: 'err' | 'warn' = 'err'): void {
  if (told.has(text)) return;
  told.add(text);
  log[level](text);
}

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const UNJUDGED = 'Peer certificate validation disabled (this is a security risk)';
export const sayUnjudged = (): void => tellOnce(UNJUDGED, 'warn');

/** The versions of TLS that a list names; one that is no version makes the list count for nothing. */
export function namedVersions(protocols: string): readonly (typeof TLS_VERSIONS)[number][] {
  const words = protocols.split(/[\s,]+/).filter((word) => word !== '');
  const strange = words.find((word) => !(TLS_VERSIONS as readonly string[]).includes(word));
  if (strange === undefined) return TLS_VERSIONS.filter((version) => words.includes(version));
  tellOnce(`${strange}: SSL protocol not recognized`);
  return [];
}

/** A list that no cipher is in counts for nothing. */
export function isCipherList(ciphers: string): boolean {
  try {
    // The runtime would take its own list instead.
    if (ciphers === '') throw new Error('no cipher');
    process.getBuiltinModule('node:tls').createSecureContext({ ciphers });
    return true;
  } catch (error) {
    const [text = NO_CIPHER] = /^error:[0-9A-F]{8}:.*/.exec(errorText(error)) ?? [];
    tellOnce(`SSL_CTX_set_cipher_list: ${oldestFault([text])}`);
    return false;
  }
}

/** What OpenSSL says of a file that is not there, from the cause outwards. */
const NO_FILE = [
  'error:80000002:system library::No such file or directory',
  'error:10080002:BIO routines::system lib',
  'error:0A080002:SSL routines::system lib',
] as const;
/** What it says of a file without what it should hold. */
const NO_CERTIFICATE = ['error:0480006C:PEM routines::no start line', 'error:0A080009:SSL routines::PEM lib'] as const;
const NO_KEY = ['error:1E08010C:DECODER routines::unsupported', 'error:0A080009:SSL routines::PEM lib'] as const;
const NO_CIPHER = 'error:0A0000B9:SSL routines::no cipher match';
/** The reference's queue of such faults: each failure adds its own, each line of the log takes the oldest, whatever it was about. */
const faults: string[] = [];
function oldestFault(added: readonly string[]): string {
  faults.push(...added);
  return faults.shift() ?? '';
}

/** What the start says of a file of each option; the texts of `absentKeys` are those of a connection. */
const startFaults = {
  'private-key': (_path: string, why: string) => `SSL_use_PrivateKey_file: ${why}`,
  certificate: (_path: string, why: string) => `SSL_use_certificate_file: ${why}`,
  'ca-cert': (path: string, why: string) => `failed to load client certificates from ${path}: ${why}`,
  'bootstrap-ca-cert': (path: string, why: string) => `failed to load client certificates from ${path}: ${why}`,
};
const isStartFault = (name: string): name is keyof typeof startFaults => Object.hasOwn(startFaults, name);

/** Whether a file has something of the kind between its lines of dashes. */
export function holds(path: string, kind: KeyKind): boolean {
  try {
    return new RegExp(`^-----BEGIN [A-Z0-9 ]*${kind}-----`, 'm').test(readFileSync(path, 'latin1'));
  } catch {
    return false;
  }
}

/** Says at once what is wrong with one option of a command line's keys, though only a connection by TLS would need it. */
export function reportKeyFault({ name, value = '' }: ParsedOption): void {
  if (name === 'ca-cert' && value === 'none') sayUnjudged();
  else if (name === 'ssl-protocols' && namedVersions(value).length === 0) {
    if (value.trim() === '') tellOnce('SSL protocol settings invalid');
  } else if (name === 'ssl-ciphers') isCipherList(value);
  else if (name === 'peer-ca-cert') {
    if (!existsSync(value)) {
      log.err(absentKeys[name](value));
      saidAbsent.add(value);
    } else if (!holds(value, 'CERTIFICATE')) log.err(`PEM_read_X509 failed reading ${value}: ${oldestFault(NO_CERTIFICATE.slice(0, 1))}`);
  } else if (isStartFault(name)) {
    const isAbsent = !existsSync(value);
    // One that is to be written is not missed.
    if (isAbsent && name === 'bootstrap-ca-cert') return;
    const isKey = name === 'private-key';
    if (!isAbsent && holds(value, isKey ? 'PRIVATE KEY' : 'CERTIFICATE')) return;
    log.err(startFaults[name](value, oldestFault(isAbsent ? NO_FILE : isKey ? NO_KEY : NO_CERTIFICATE)));
    if (isAbsent) saidAbsent.add(value);
    if (isKey || name === 'certificate') unusable.add(value);
  }
}

/** The same of all of them, in their order. */
export function reportKeyFaults(options: readonly ParsedOption[]): void {
  faults.length = 0;
  for (const option of options) reportKeyFault(option);
}
