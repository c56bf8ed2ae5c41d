// Where the server can be reached: listeners, connections it makes itself, and those that rows of a database ask for (`db:DB,TABLE,COLUMN`).
import type { Clock } from '../../base/clock.ts';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { LogLimit } from '../../base/log-limit.ts';
import { Reconnect } from '../../base/reconnect.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { connectStream } from '../../host/sockets/socket.ts';
import { FIRST_NAME_FAULT } from '../../host/sockets/socket-place.ts';
import { listenPolled } from '../../host/sockets/socket-polled.ts';
import { isPassiveTarget } from '../../host/sockets/socket-target.ts';
import { faultKind } from '../../ovsdb/json/jsonrpc-faults.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import type { ServerSession } from '../../ovsdb/server/server-session.ts';

const log = logger('ovsdb_jsonrpc_server');
const socketLog = logger('socket_util');
const rpcLog = logger('jsonrpc');
const reconnectLog = logger('reconnect');
const DEFAULT_PORT = 6640;
const acceptFaults = new LogLimit(5, 5);
const handshakeFaults = new LogLimit(5, 5);
const listenFaults = new LogLimit(1, 5);
const MAX_PORT = 65535;
/** The reference tries with each turn of its loop, of which an idle server has one so often. */
const LISTEN_RETRY_MS = 2500;
const DEFAULT_PROBE_MS = 5000;
const MAX_BACKOFF_MS = 8000;

const PROTOCOL_ERROR = strerror(71);

function sayPeerGone(name: string, kind: ReturnType<typeof faultKind>): void {
  if (kind === 'protocol') reconnectLog.warn(`${name}: connection dropped (${PROTOCOL_ERROR})`);
  else if (kind === 'none') reconnectLog.dbg(() => `${name}: connection closed by peer`);
  else if (kind === 'silence') reconnectLog.dbg(() => `${name}: connection dropped`);
  else for (const text of ['entering RECONNECT', 'connection attempt timed out']) reconnectLog.dbg(() => `${name}: ${text}`);
  reconnectLog.dbg(() => `${name}: entering VOID`);
}

export interface RemoteOptions {
  probeIntervalMs?: number;
  maxBackoffMs?: number;
  isReadOnly?: boolean;
  role?: string;
  /** The differentiated services code point of its packets. */
  dscp?: number;
}

/** How a remote fares, for the status columns of its row. */
export interface RemoteStatus {
  isConnected: boolean;
  sessions: number;
  state: string;
  lastError: string;
  boundPort: number;
  sinceConnectMs: number;
  sinceDisconnectMs: number;
}

/** One remote, listening or connecting. */
export class Remote {
  readonly target: string;
  readonly #server: OvsdbServer;
  readonly #clock: Clock;
  #options: RemoteOptions;
  readonly #sessions = new Set<ServerSession>();
  #listener: Listener | undefined;
  /** For a connection that we make. */
  #reconnect: Reconnect | undefined;
  #attempt = 0;
  #isClosed = false;
  #cancelRetry: () => void = () => {};
  #listenError = '';
  #hasBadName = false;
  /** Why the last connection that we made broke; an attempt that failed does not count. */
  #lastError = '';

  constructor(server: OvsdbServer, target: string, options: RemoteOptions = {}) {
    this.#server = server;
    this.#clock = server.clock;
    this.target = target;
    this.#options = options;
  }

  /** Takes other intervals. As with the reference, what a remote may do stays as it was when it began. */
  configure(options: RemoteOptions): void {
    const { isReadOnly = false, role = '', dscp } = this.#options;
    this.#options = { ...options, isReadOnly, role };
    this.#reconnect?.configure(this.#timing);
    if (dscp === options.dscp) return;
    this.#listener?.setDscp?.(options.dscp ?? 0);
    this.reconnect(false);
  }

  get #timing(): { maxBackoffMs: number; probeIntervalMs: number } {
    const { maxBackoffMs = MAX_BACKOFF_MS, probeIntervalMs = this.target.startsWith('unix:') ? 0 : DEFAULT_PROBE_MS } = this.#options;
    return { maxBackoffMs, probeIntervalMs };
  }

  #probe(): void {
    for (const session of this.#sessions) session.probe();
  }

  /** Begins; settles when a listener listens, or at once for an active connection. Gives the fault, '' when there is none. */
  async start(isFirst = true): Promise<string> {
    if (!isPassiveTarget(this.target)) {
      this.#reconnect = new Reconnect(
        this.target,
        this.#clock,
        { connect: () => void this.#connect(), probe: () => this.#probe(), drop: () => this.#drop() },
        { ...this.#timing, voice: 'reconnect' },
      );
      this.#reconnect.enable();
      return '';
    }
    try {
      this.#listener = await listenPolled(this.target, (stream) => this.#accept(stream), {
        defaultPort: DEFAULT_PORT,
        dscp: this.#options.dscp ?? 0,
        onFault: (name, error, isPeer) => this.#sayRefused(name, strerror(error.errno), isPeer),
      });
      this.#listenError = '';
      if (this.#isClosed) this.#listener.close();
      // Only of a port that the kernel chose.
      if (this.#listener.boundPort !== 0 && /^p(tcp|ssl):0+(:|$)/.test(this.target))
        socketLog.info(`${this.target.replace(/^p(tcp|ssl):/, '')}: listening on port ${this.#listener.boundPort}`);
      return '';
    } catch (error) {
      this.#listenError = error instanceof KernelError && error.errno !== 0 ? strerror(error.errno) : errorText(error);
      const sayBadName = this.#badName(error);
      this.#hasBadName = sayBadName !== undefined;
      if (sayBadName === undefined) listenFaults.write(log, 'err', `${this.target}: listen failed: ${this.#listenError}`);
      else if (isFirst) sayBadName();
      if (!this.#isClosed) this.#cancelRetry = this.#clock.after(LISTEN_RETRY_MS, () => void this.start(false));
      return this.#listenError;
    }
  }

  /** Tries anew to listen, if that has failed so far. What makes no sense is tried more rarely. */
  async retry(): Promise<void> {
    if (this.#listenError === '' || this.#hasBadName) return;
    this.#cancelRetry();
    await this.start(false);
  }

  #sayRefused(name: string, why: string, isPeer: boolean): void {
    if (!isPeer) {
      acceptFaults.write(log, 'warn', `${name}: accept failed: ${why}`);
      return;
    }
    handshakeFaults.write(rpcLog, 'warn', `${name}: receive error: ${why}`);
    reconnectLog.warn(`${name}: connection dropped (${why})`);
  }

  /** Of a name that makes no sense: what the reference says, which tries a connection that waits for its peer. */
  #badName(error: unknown): (() => void) | undefined {
    const [, port, host = ''] = /^p(?:tcp|ssl):([^:]*)(?::(.*))?$/.exec(this.target) ?? [];
    if (port === undefined) return undefined;
    if (error instanceof KernelError && error.errno >= FIRST_NAME_FAULT)
      return () => logger('dns_resolve').warn(`${host}: failed to resolve`);
    if (/^\d*$/.test(port) && Number(port) <= MAX_PORT) return undefined;
    return () => {
      socketLog.err(`${port}${host === '' ? '' : `:${host}`}: bad port number "${port}"`);
      reconnectLog.info(`${this.target}: listening...`);
      reconnectLog.info(`${this.target}: listen attempt failed (${this.#listenError})`);
    };
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    try {
      const stream = await connectStream(this.target, DEFAULT_PORT, this.#options.dscp ?? 0);
      if (attempt !== this.#attempt) {
        stream.destroy();
        return;
      }
      this.#reconnect?.connected();
      this.#accept(stream);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#reconnect?.ended(error instanceof KernelError && error.errno !== 0 ? strerror(error.errno) : errorText(error));
    }
  }

  #drop(): void {
    this.#attempt++;
    for (const session of this.#sessions) session.close();
  }

  #accept(stream: Stream): void {
    const isUnix = stream.name.startsWith('unix');
    const attempt = this.#attempt;
    const session: ServerSession | undefined = this.#server.accept(stream, {
      // A peer on this machine that is gone is known to be gone; only others are probed.
      probeIntervalMs: this.#reconnect === undefined ? (this.#options.probeIntervalMs ?? (isUnix ? 0 : DEFAULT_PROBE_MS)) : 0,
      onHeard: () => this.#reconnect?.activity(),
      isReadOnly: this.#options.isReadOnly === true,
      role: this.#options.role ?? '',
      onClose: (reason) => {
        if (session !== undefined) this.#sessions.delete(session);
        const kind = faultKind(reason);
        const text = kind === 'protocol' ? PROTOCOL_ERROR : reason;
        if (this.#reconnect !== undefined && reason !== '') this.#lastError = text;
        if (attempt === this.#attempt) this.#reconnect?.ended(text);
        if (this.#reconnect === undefined) sayPeerGone(stream.name, kind);
      },
    });
    if (session === undefined) return;
    this.#sessions.add(session);
    if (this.#reconnect !== undefined) return;
    // Of a peer that came to us the reference says the same as of one that it sought, at a lower level.
    for (const text of ['connecting...', 'entering CONNECTING', 'connected', 'entering ACTIVE'])
      reconnectLog.dbg(() => `${stream.name}: ${text}`);
  }

  get status(): RemoteStatus {
    const reconnect = this.#reconnect;
    if (reconnect === undefined) {
      // Of a listener the reference tells no times, but says 0.
      return {
        isConnected: this.#sessions.size > 0,
        sessions: this.#sessions.size,
        state: '',
        lastError: '',
        boundPort: this.#listener?.boundPort ?? 0,
        sinceConnectMs: 0,
        sinceDisconnectMs: 0,
      };
    }
    const now = this.#clock.now();
    const since = (at: number | undefined): number => (at === undefined ? -1 : now - at);
    return {
      isConnected: reconnect.isConnected,
      sessions: 1,
      state: reconnect.state,
      lastError: this.#lastError,
      boundPort: 0,
      sinceConnectMs: since(reconnect.connectedAt),
      sinceDisconnectMs: since(reconnect.disconnectedAt),
    };
  }

  /** Ends all connections; active ones come back. */
  reconnect(isTold = true): void {
    if (this.#reconnect !== undefined) {
      this.#reconnect.reconnect(isTold);
      return;
    }
    for (const session of this.#sessions) session.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#listener?.close();
    this.#reconnect?.disable();
    this.#drop();
  }
}
