// The process's keys and certificates for `ssl:` and `pssl:`, as Open vSwitch has them: one set for all connections, given on the command
// line or by a row of the SSL table. Only names of files are kept here; `socket-tls.ts` reads them when a connection is made.
import { existsSync } from 'node:fs';
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

/** What the reference says at once of a file that is not there, though only a connection by TLS would need it. */
export const absentKeys = {
  'private-key': (_path: string) => 'SSL_use_PrivateKey_file: error:80000002:system library::No such file or directory',
  certificate: (_path: string) => 'SSL_use_certificate_file: error:10080002:BIO routines::system lib',
  'ca-cert': (path: string) => `failed to load client certificates from ${path}: error:0A080002:SSL routines::system lib`,
  'peer-ca-cert': (path: string) => `failed to open ${path} for reading: No such file or directory`,
};
const isKeyOption = (name: string): name is keyof typeof absentKeys => Object.hasOwn(absentKeys, name);

/** Files that the log has been told are missing. */
export const saidAbsent = new Set<string>();

/** Says which files of keys that a command line names are missing. */
export function reportAbsentKeys(options: readonly ParsedOption[]): void {
  for (const { name, value = '' } of options) {
    if (!isKeyOption(name) || value === 'none' || existsSync(value)) continue;
    log.err(absentKeys[name](value));
    saidAbsent.add(value);
  }
}
