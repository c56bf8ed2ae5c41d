// Where the server can be reached: listeners, connections it makes itself, and those that rows of a database ask for (`db:DB,TABLE,COLUMN`).
import type { Clock } from '../../base/clock.ts';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { connectStream } from '../../host/socket.ts';
import { listenPolled } from '../../host/socket-polled.ts';
import { isPassiveTarget } from '../../host/socket-target.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import type { ServerSession } from '../../ovsdb/server/server-session.ts';

const log = logger('ovsdb_jsonrpc_server');
const socketLog = logger('socket_util');
const reconnectLog = logger('reconnect');
const streamLog = logger('stream_unix');
const DEFAULT_PORT = 6640;
const LISTEN_RETRY_MS = 1000;
const DEFAULT_PROBE_MS = 5000;
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 8000;

export interface RemoteOptions {
  probeIntervalMs?: number;
  maxBackoffMs?: number;
  isReadOnly?: boolean;
  role?: string;
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
  readonly #options: RemoteOptions;
  readonly #sessions = new Set<ServerSession>();
  #listener: Listener | undefined;
  #isClosed = false;
  #backoffMs = MIN_BACKOFF_MS;
  #cancelRetry: () => void = () => {};
  #state = 'VOID';
  #lastError = '';
  #connectedMs = -1;
  #disconnectedMs = -1;

  constructor(server: OvsdbServer, target: string, options: RemoteOptions = {}) {
    this.#server = server;
    this.#clock = server.clock;
    this.target = target;
    this.#options = options;
  }

  /** Begins; settles when a listener listens, or at once for an active connection. Gives the fault, '' when there is none. */
  async start(isFirst = true): Promise<string> {
    if (!isPassiveTarget(this.target)) {
      void this.#connect();
      return '';
    }
    try {
      this.#listener = await listenPolled(this.target, (stream) => this.#accept(stream), DEFAULT_PORT);
      if (this.#isClosed) this.#listener.close();
      if (this.#listener.boundPort !== 0)
        socketLog.info(`${this.target.replace(/^p(tcp|ssl):/, '')}: listening on port ${this.#listener.boundPort}`);
      this.#state = 'ACTIVE';
      return '';
    } catch (error) {
      this.#lastError = error instanceof KernelError && error.errno !== 0 ? strerror(error.errno) : errorText(error);
      if (isFirst) {
        this.#sayBind();
        log.err(`${this.target}: listen failed: ${this.#lastError}`);
      }
      if (!this.#isClosed) this.#cancelRetry = this.#clock.after(LISTEN_RETRY_MS, () => void this.start(false));
      return this.#lastError;
    }
  }

  /** What the reference says of the system call that failed. */
  #sayBind(): void {
    const place = this.target.replace(/^p\w+:/, '');
    if (this.target.startsWith('punix:')) streamLog.err(`${place}: binding failed: ${this.#lastError}`);
    else socketLog.err(`${place}: bind: ${this.#lastError}`);
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return;
    this.#state = 'CONNECTING';
    reconnectLog.info(`${this.target}: connecting...`);
    try {
      const stream = await connectStream(this.target, DEFAULT_PORT);
      if (this.#isClosed) {
        stream.destroy();
        return;
      }
      reconnectLog.info(`${this.target}: connected`);
      this.#backoffMs = MIN_BACKOFF_MS;
      this.#state = 'ACTIVE';
      this.#connectedMs = this.#clock.now();
      this.#accept(stream);
    } catch (error) {
      this.#lastError = errorText(error).replace(/^.*: /, '');
      reconnectLog.info(`${this.target}: connection attempt failed (${this.#lastError})`);
      this.#retry();
    }
  }

  #retry(): void {
    if (this.#isClosed) return;
    this.#state = 'BACKOFF';
    this.#cancelRetry = this.#clock.after(this.#backoffMs, () => void this.#connect());
    this.#backoffMs = Math.min(this.#backoffMs * 2, this.#options.maxBackoffMs ?? MAX_BACKOFF_MS);
  }

  #accept(stream: Stream): void {
    const isUnix = stream.name.startsWith('unix');
    const session: ServerSession = this.#server.accept(stream, {
      // A peer on this machine that is gone is known to be gone; only others are probed.
      probeIntervalMs: this.#options.probeIntervalMs ?? (isUnix ? 0 : DEFAULT_PROBE_MS),
      isReadOnly: this.#options.isReadOnly === true,
      role: this.#options.role ?? '',
      onClose: (reason) => {
        this.#sessions.delete(session);
        this.#disconnectedMs = this.#clock.now();
        if (this.#listener !== undefined || this.#isClosed) return;
        if (reason !== '') this.#lastError = reason;
        this.#retry();
      },
    });
    this.#sessions.add(session);
  }

  get status(): RemoteStatus {
    const now = this.#clock.now();
    return {
      isConnected: this.#sessions.size > 0,
      sessions: this.#sessions.size,
      state: this.#state,
      lastError: this.#lastError,
      boundPort: this.#listener?.boundPort ?? 0,
      sinceConnectMs: this.#connectedMs < 0 ? -1 : now - this.#connectedMs,
      sinceDisconnectMs: this.#disconnectedMs < 0 ? -1 : now - this.#disconnectedMs,
    };
  }

  /** Ends all connections; active ones come back. */
  reconnect(): void {
    for (const session of this.#sessions) session.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#listener?.close();
    this.reconnect();
  }
}
