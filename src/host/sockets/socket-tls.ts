// TLS over a connected socket. Both sides show a certificate and judge the other's by the CA certificate; names of hosts are not looked at,
// as in Open vSwitch. The keys are read anew for each connection, so that changed files need no restart; while a file cannot be read, what it
// or the one named before it held counts on.
//
// Bootstrap: while the CA certificate's file does not exist, the self-signed certificate at the top of the first server's chain becomes that file, and the
// connection ends, so that the next one judges the server by it (ovsdb-server(1), --bootstrap-ca-cert). A server cannot learn from its clients, for it asks for no certificate that it could not judge.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type DetailedPeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls';
import { strerror, systemErrno } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { absentKeys, checkTlsKeys, holds, isCipherList, namedVersions, saidAbsent, sayUnjudged, tlsKeys } from './tls-keys.ts';

const log = logger('stream_ssl');
const ENOPROTOOPT = 92;
const EPROTO = 71;
/** A peer must have proved itself within this time. */
const HANDSHAKE_PATIENCE_MS = 10_000;

function fail(name: string, errno: number): never {
  throw new KernelError(name, errno, strerror(errno));
}

/** What the files held when they could last be read. */
const lastRead = new Map<keyof typeof absentKeys, string>();

/** The text of a file of keys, or what counted before when it cannot be read, of which the log tells once. */
function read(option: keyof typeof absentKeys, path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    lastRead.set(option, text);
    saidAbsent.delete(path);
    return text;
  } catch {
    if (!saidAbsent.has(path)) log.err(absentKeys[option](path));
    saidAbsent.add(path);
    return lastRead.get(option);
  }
}

/** An error of OpenSSL as the reference, which has another version of it, words it. */
function opensslText(error: unknown): string {
  const text = errorText(error);
  const [, code, library, reason] = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:]*)/.exec(text) ?? [];
  if (code !== undefined) return `error:${code}:${library}::${reason}`;
  if (/disconnected before secure|connection closed during handshake/.test(text))
    return 'error:0A000126:SSL routines::unexpected eof while reading';
  const kind = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  if (typeof kind === 'string' && JUDGEMENTS.test(kind)) return 'error:0A000086:SSL routines::certificate verify failed';
  return text;
}

/** The runtime's names for what is wrong with a certificate. */
const JUDGEMENTS = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|INVALID_|PATH_LENGTH_|ERROR_IN_CERT)/;

const isBootstrapping = (): boolean => tlsKeys.isBootstrap && !existsSync(tlsKeys.caCert);
const judgesPeers = (): boolean => tlsKeys.caCert !== 'none' && !isBootstrapping();

function contextOptions(name: string): SecureContextOptions {
  checkTlsKeys(name);
  const { privateKey, certificate, caCert, peerCaCert, protocols, ciphers } = tlsKeys;
  if (caCert === 'none') sayUnjudged();
  const cert = read('certificate', certificate);
  const peerCa = peerCaCert === '' ? '' : read('peer-ca-cert', peerCaCert);
  const key = read('private-key', privateKey);
  if (cert === undefined || key === undefined) {
    log.err(`${key === undefined ? 'Private key' : 'Certificate'} must be configured to use SSL`);
    fail(name, ENOPROTOOPT);
  }
  const [first, ...others] = namedVersions(protocols);
  const options: SecureContextOptions = {
    key,
    cert: `${cert}\n${peerCa ?? ''}`,
    // Without the file there is nobody to be believed.
    ...(judgesPeers() ? { ca: existsSync(caCert) && !holds(caCert, 'CERTIFICATE') ? [] : (read('ca-cert', caCert) ?? []) } : {}),
    ...(first === undefined ? {} : { minVersion: first, maxVersion: others.at(-1) ?? first }),
    ...(ciphers !== '' && isCipherList(ciphers) ? { ciphers } : {}),
  };
  try {
    createSecureContext(options);
    return options;
  } catch (error) {
    if (/key values mismatch/.test(errorText(error))) {
      log.err('Private key does not match certificate public key: error:0A0000BE:SSL routines::no private key assigned');
    } else {
      log.err(`SSL_use_PrivateKey_file: ${opensslText(error)}`);
      log.err('Private key must be configured to use SSL');
    }
    return fail(name, ENOPROTOOPT);
  }
}

/** A name as OpenSSL writes it in one line. */
const oneLine = (subject: object): string =>
  Object.entries(subject)
    .flatMap(([name, value]) => [value].flat().map((one) => `/${name}=${one}`))
    .join('');

/** Keeps the self-signed certificate at the top of the peer's chain; always throws, for the connection has served its purpose. */
function bootstrap(socket: TLSSocket, name: string): never {
  let top: DetailedPeerCertificate = socket.getPeerCertificate(true);
  for (let i = 0; i < 10 && top.issuerCertificate !== undefined && top.issuerCertificate !== top; i++) {
    if (top.issuerCertificate.fingerprint256 === top.fingerprint256) break;
    top = top.issuerCertificate;
  }
  const isSelfSigned = top.raw !== undefined && top.issuerCertificate?.fingerprint256 === top.fingerprint256;
  if (!isSelfSigned) {
    log.err('could not bootstrap CA cert: obtained certificate is not self-signed (subject issuer mismatch)');
    if (top.issuerCertificate === undefined || top.issuerCertificate.raw === undefined)
      log.err('only one certificate was received, so probably the peer is not configured to send its CA certificate');
    fail(name, EPROTO);
  }
  const lines = top.raw.toString('base64').match(/.{1,64}/g) ?? [];
  try {
    writeFileSync(tlsKeys.caCert, `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`, { flag: 'wx' });
    log.info(`successfully bootstrapped CA cert to ${tlsKeys.caCert}`);
    log.info(`Trusting CA cert from ${tlsKeys.caCert} (${oneLine(top.subject)}) (fingerprint ${top.fingerprint.toLowerCase()})`);
    log.info('killing successful connection to retry using CA cert');
  } catch (error) {
    log.err(`could not bootstrap CA cert: creating ${tlsKeys.caCert} failed: ${strerror(systemErrno(error))}`);
  }
  fail(name, EPROTO);
}

/** The common name in the peer's certificate, once that has been judged good. */
export function peerIdentity(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return undefined;
  const name = socket.getPeerCertificate().subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}

/** Makes TLS of a connected socket; rejects with a KernelError when the handshake fails. */
export function secureSocket(socket: Socket, name: string, isServer: boolean): Promise<TLSSocket> {
  let options: SecureContextOptions;
  try {
    options = contextOptions(name);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const judges = judgesPeers();
  const mustBootstrap = tlsKeys.caCert !== 'none' && !judges;
  return new Promise((resolve, reject) => {
    let tls: TLSSocket | undefined;
    let isDone = false;
    const giveUp = (error: unknown): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      if (!(error instanceof KernelError)) log.warn(`${isServer ? 'SSL_accept' : 'SSL_connect'}: ${opensslText(error)}`);
      tls?.destroy();
      socket.destroy();
      reject(error instanceof KernelError ? error : new KernelError(name, EPROTO, strerror(EPROTO)));
    };
    const secured = (made: TLSSocket): void => {
      if (isDone) return;
      tls = made;
      try {
        if (isServer && mustBootstrap) {
          log.err('could not bootstrap CA cert: no certificate presented by peer');
          fail(name, EPROTO);
        }
        if (mustBootstrap) bootstrap(made, name);
        if (isServer && judges && !made.authorized)
          throw new Error(
            made.getPeerCertificate().raw === undefined
              ? 'error:0A0000C7:SSL routines::peer did not return a certificate'
              : 'error:0A000086:SSL routines::certificate verify failed',
          );
      } catch (error) {
        giveUp(error);
        return;
      }
      isDone = true;
      clearTimeout(timer);
      made.off('error', giveUp);
      resolve(made);
    };
    const timer = setTimeout(() => giveUp(new Error('handshake takes too long')), HANDSHAKE_PATIENCE_MS);
    if (isServer) {
      // The runtime would not say why it refuses a certificate, so that it is judged above.
      // A server of its own for each socket, for the keys may have changed since the last; it never listens.
      const server = createServer({ ...options, requestCert: judges, rejectUnauthorized: false });
      server.once('secureConnection', secured);
      server.once('tlsClientError', giveUp);
      server.emit('connection', socket);
    } else {
      tls = connect({ socket, ...options, rejectUnauthorized: judges, checkServerIdentity: () => undefined });
      tls.on('error', giveUp);
      tls.once('secureConnect', () => secured(tls as TLSSocket));
    }
    socket.once('close', () => giveUp(new Error('connection closed during handshake')));
  });
}
