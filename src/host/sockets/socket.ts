// Connections and listeners of the operating system behind the `Stream` and `Listener` of base. Sockets know nothing of what they carry.
import { chmodSync, existsSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { strerror, systemErrno } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream, StreamHandlers } from '../../base/stream.ts';
import { closeFd, libc, setSocketInt } from '../ffi.ts';
import { fileName } from '../file-name.ts';
import { replayHooks } from '../replay/replay-hooks.ts';
import { connectUnix } from './polled-stream.ts';
import { AF_INET6, internetAddress, SOCK_STREAM_NONBLOCK } from './socket-address.ts';
import { setSocketDscp } from './socket-dscp.ts';
import { clearPlace, removeSocketFile, SOCKET_MODE, sayUnboundAddress, shortPath, unboundPlace } from './socket-place.ts';
import { isPassiveTarget, parseSocketTarget, withDefaultPort } from './socket-target.ts';
import { checkTlsKeys } from './tls-keys.ts';

/** Peers that may be proving themselves at the same time: with one more, whoever has been at it for longest is cut off. */
const MAX_HANDSHAKES = 64;
const EAFNOSUPPORT = 97;
const ENETUNREACH = 101;
const ENOENT = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** Differentiated services codepoint of connections that were given none: CS6, network control, as in Open vSwitch. */
export const DEFAULT_DSCP = 48;

/** Streams of the runtime's own take six milliseconds to load: tools that speak to a daemon over a Unix socket do without. */
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net');

function kernelError(call: string, error: unknown): KernelError {
  const errno = systemErrno(error);
  return new KernelError(call, errno, errno === 0 ? String((error as Error).message) : strerror(errno));
}

class SocketStream implements Stream {
  readonly name: string;
  readonly peerIdentity: string | undefined;
  readonly #socket: Socket;
  #reason = '';
  #closed = false;
  #onClose: ((reason: string) => void) | undefined;
  #onDrain: (() => void) | undefined;
  /** The runtime's own `drain` comes only after more than it likes to hold. */
  readonly #taken = (): void => {
    if (this.#socket.writableLength === 0) this.#onDrain?.();
  };

  constructor(name: string, socket: Socket, peerIdentity?: string) {
    this.name = name;
    this.peerIdentity = peerIdentity;
    this.#socket = socket;
    // Listen from the first moment: an error without a listener would end the process.
    socket.on('error', (error) => {
      const errno = systemErrno(error);
      this.#reason = errno === 0 ? error.message : strerror(errno);
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#onClose?.(this.#reason);
    });
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#closed && this.#socket.writable) this.#socket.write(bytes, this.#taken);
  }

  start(handlers: StreamHandlers): void {
    this.#onClose = handlers.onClose.bind(handlers);
    if (this.#closed) {
      queueMicrotask(() => this.#onClose?.(this.#reason));
      return;
    }
    this.#socket.on('data', (bytes: Buffer) => handlers.onData(bytes));
    this.#onDrain = handlers.onDrain?.bind(handlers);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#closed) return;
    // A peer that never reads must not keep the socket for ever.
    this.#socket.end(() => this.#socket.destroy());
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Connects to `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT`; rejects with a KernelError. `defaultPort` is for a TCP name without a port. */
export function connectStream(target: string, defaultPort = 0, dscp = DEFAULT_DSCP): Promise<Stream> {
  const hooks = replayHooks();
  return hooks === undefined ? connect(target, defaultPort, dscp) : hooks.connect(target, () => connect(target, defaultPort, dscp));
}

/** The usual ports were others in the past; that is said once, where one is left to be the usual. */
const MOVED_PORTS: ReadonlyMap<number, string> = new Map([
  [6640, 'OVSDB port number has changed from 6632 to 6640'],
  [6653, 'OpenFlow port number has changed from 6633 to 6653'],
]);
const saidMoved = new Set<number>();
function sayPortMoved(port: number): void {
  const text = MOVED_PORTS.get(port);
  if (text === undefined || saidMoved.has(port)) return;
  saidMoved.add(port);
  logger('stream').warn(`The default ${text}`);
}

function parseActive(target: string, name: string, defaultPort: number): ReturnType<typeof parseSocketTarget> {
  try {
    const parsed = parseSocketTarget(target, defaultPort);
    if (parsed.passive) throw new KernelError(target, EAFNOSUPPORT, strerror(EAFNOSUPPORT));
    if (parsed.kind !== 'unix' && parsed.host === '') throw new KernelError(target, EAFNOSUPPORT, strerror(EAFNOSUPPORT));
    return parsed;
  } catch (error) {
    if (name.startsWith('tcp:')) sayUnconnected(name);
    throw error;
  }
}

async function connect(target: string, defaultPort: number, dscp: number): Promise<Stream> {
  const name = withDefaultPort(target, defaultPort);
  if (name !== target) sayPortMoved(defaultPort);
  const parsed = parseActive(target, name, defaultPort);
  if (parsed.kind === 'unix') {
    const short = shortPath(parsed.path);
    try {
      return connectUnix(target, short.path);
    } catch (error) {
      logger('stream_unix').dbg(() => `${parsed.path}: connection failed (${strerror(error instanceof KernelError ? error.errno : 0)})`);
      throw error;
    } finally {
      short.release();
    }
  }
  // TLS is loaded only where it is used.
  if (parsed.kind === 'ssl') checkTlsKeys(target);
  const tls = parsed.kind === 'ssl' ? await import('./socket-tls.ts') : undefined;
  const connected = await new Promise<Socket>((resolve, reject) => {
    const { host, port } = parsed;
    const socket =
      markedSocket(host, port, dscp)?.connect({ host, port }) ?? net().connect({ host, port, noDelay: true, typeOfService: dscp << 2 });
    const failed = (error: Error): void => {
      // Refused by the kernel before anything was sent.
      if (parsed.kind === 'tcp' && systemErrno(error) === ENETUNREACH) sayUnconnected(target, ENETUNREACH);
      reject(kernelError(target, isNameFault(error) ? unknownHost(name) : error));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
  if (tls === undefined) return new SocketStream(target, connected);
  const secured = await tls.secureSocket(connected, target, false);
  return new SocketStream(target, secured, tls.peerIdentity(secured));
}

/**
 * A socket whose packets all have the DSCP, the first of them too: the runtime sets it only when there is a connection. Undefined where the host is
 * a name, whose addresses the runtime finds and tries.
 */
function markedSocket(host: string, port: number, dscp: number): Socket | undefined {
  const address = internetAddress(host, port);
  if (address === undefined) return undefined;
  const family = address[0] as number;
  const fd = libc().socket(family, SOCK_STREAM_NONBLOCK, 0);
  if (fd < 0) return undefined;
  try {
    setSocketDscp(fd, family === AF_INET6, dscp);
    setSocketInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    const { Socket } = net();
    // Nothing is read before there is a connection; the runtime's own sockets are made so, too.
    return new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
  } catch (error) {
    closeFd(fd);
    if (!(error instanceof KernelError)) throw error;
    return undefined;
  }
}

function isNameFault(error: Error): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'getaddrinfo';
}

const sayUnconnected = (target: string, errno = EAFNOSUPPORT): void => logger('stream_tcp').err(`${target}: connect: ${strerror(errno)}`);

/** A host that no resolver knows is, as the reference has it, of no address family. */
function unknownHost(target: string): Error {
  sayUnconnected(target);
  return Object.assign(new Error(strerror(EAFNOSUPPORT)), { errno: -EAFNOSUPPORT });
}

/** A peer that is gone already needs none. */
function setDscp(socket: Socket, dscp: number): void {
  try {
    socket.setTypeOfService(dscp << 2);
  } catch {
    // Its end is told by the socket itself.
  }
}

function peerName(socket: Socket, kind: string): string {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return `${kind}:${net().isIPv6(address) ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
}

function bind(server: Server, options: { path: string } | { host: string; port: number }, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      // The runtime makes "no such folder" a lack of permission.
      const isMissing = 'path' in options && (error as NodeJS.ErrnoException).code === 'EACCES' && !existsSync(dirname(options.path));
      reject(isMissing ? new KernelError(name, ENOENT, strerror(ENOENT)) : kernelError(name, error));
    });
    server.listen({ ...options, backlog: 64 }, resolve);
  });
}

let unixPeers = 0;

/** The name of the next peer on a Unix socket, which has no address. */
export const nextUnixPeer = (): string => `unix#${unixPeers++}`;

/** Told of a peer that was not let in: `isPeer` when the name is the peer's. */
export type ListenFault = (name: string, error: KernelError, isPeer: boolean) => void;

export interface ListenSettings {
  /** For a TCP name without a port. */
  defaultPort?: number | undefined;
  /** Differentiated services codepoint of the connections. */
  dscp?: number | undefined;
  /**
   * Told of a connection that was closed because there are no keys for TLS, with the name of the listener as bound, or because the peer did not
   * prove itself, with the peer's name.
   */
  onFault?: ListenFault | undefined;
}

/** Listens on `punix:PATH`, `ptcp:[PORT][:IP]` or `pssl:[PORT][:IP]` and hands over each connection; rejects with a KernelError. */
export function listenStream(target: string, onStream: (stream: Stream) => void, settings: ListenSettings = {}): Promise<Listener> {
  const hooks = replayHooks();
  if (hooks === undefined) return listen(target, onStream, settings);
  return hooks.listen(target, onStream, (onStream) => listen(target, onStream, settings));
}

async function listen(target: string, onStream: (stream: Stream) => void, settings: ListenSettings): Promise<Listener> {
  const { defaultPort = 0, onFault = () => {} } = settings;
  let { dscp = DEFAULT_DSCP } = settings;
  const parsed = parseSocketTarget(target, defaultPort);
  if (!parsed.passive) throw new KernelError(target, EAFNOSUPPORT, strerror(EAFNOSUPPORT));
  const isUnix = parsed.kind === 'unix';
  const tls = parsed.kind === 'ssl' ? await import('./socket-tls.ts') : undefined;
  const handshakes = new Set<Socket>();
  const server = net().createServer({ noDelay: !isUnix, allowHalfOpen: false }, (socket) => {
    const name = isUnix ? nextUnixPeer() : peerName(socket, parsed.kind);
    if (!isUnix) setDscp(socket, dscp);
    if (tls === undefined) {
      onStream(new SocketStream(name, socket));
      return;
    }
    socket.on('error', () => {});
    // The keys may be missing or wrong today: that is the peer's loss, and ours to log, but no end of the listener.
    try {
      checkTlsKeys(name);
    } catch (error) {
      socket.destroy();
      if (error instanceof KernelError) onFault(`pssl:${boundPort}:${boundHost}`, error, false);
      return;
    }
    const [oldest] = handshakes;
    if (handshakes.size >= MAX_HANDSHAKES) oldest?.destroy();
    handshakes.add(socket);
    (async () => tls.secureSocket(socket, name, true))()
      .then((secured) => onStream(new SocketStream(name, secured, tls.peerIdentity(secured))))
      .catch((error) => {
        socket.destroy();
        if (error instanceof KernelError) onFault(name, error, true);
      })
      .finally(() => handshakes.delete(socket));
  });
  let boundPort = 0;
  let boundHost = '';
  let release = (): void => {};
  if (isUnix) {
    try {
      const short = shortPath(parsed.path);
      release = short.release;
      clearPlace(parsed.path);
      await bind(server, { path: short.path }, target);
      chmodSync(fileName(parsed.path), SOCKET_MODE);
    } catch (error) {
      release();
      server.close();
      throw unboundPlace(target, parsed.path, error);
    }
  } else {
    // The reference listens on IPv4 unless an address says otherwise.
    const host = parsed.host === '' ? '0.0.0.0' : parsed.host;
    try {
      await bind(server, { host, port: parsed.port }, target);
    } catch (error) {
      sayUnboundAddress(target, error);
      throw error;
    }
    boundHost = net().isIPv6(host) ? `[${host}]` : host;
    boundPort = (server.address() as { port: number }).port;
  }
  server.on('error', () => {});
  return {
    name: target,
    boundPort,
    setDscp: (next) => {
      dscp = next;
    },
    close: () => {
      server.close(release);
      if (isUnix) removeSocketFile(parsed.path);
    },
  };
}

/** Connects, or for a passive name waits for the other side to come to us. */
export function openStream(target: string, defaultPort = 0): Promise<Stream> {
  if (!isPassiveTarget(target)) return connectStream(target, defaultPort);
  return new Promise((resolve, reject) => {
    const listening = listenStream(
      target,
      (stream) => {
        void listening.then((listener) => listener.close());
        resolve(stream);
      },
      {
        defaultPort,
        onFault: (_name, error) => {
          void listening.then((listener) => listener.close());
          reject(error);
        },
      },
    );
    listening.catch(reject);
  });
}
