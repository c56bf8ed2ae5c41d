// A connection to another OVSDB server that is kept up: what replication and relays stand on. By a name to listen on (`ptcp:`, `pssl:`, `punix:`) it is
// the other server that connects; of those that come one at a time is taken.
import type { Clock } from '../../base/clock.ts';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { Reconnect } from '../../base/reconnect.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { connectStream, listenStream } from '../../host/sockets/socket.ts';
import { isPassiveTarget } from '../../host/sockets/socket-target.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { RpcClosed, RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import { sayPeerFault } from '../../ovsdb/json/jsonrpc-faults.ts';

const serverLog = logger('ovsdb_cs');
const DEFAULT_PORT = 6640;
const MAX_BACKOFF_MS = 8000;

export interface UpstreamEvents {
  /** A connection stands; a rejection ends it, and it is tried again later. */
  connected(session: RpcSession): Promise<void>;
  notified(method: string, params: Json[]): void;
  disconnected(): void;
  /** What went wrong while `connected` ran. */
  failed(error: Error): void;
}

/** The connection to one of several servers, tried in turn. */
export class Upstream {
  readonly #events: UpstreamEvents;
  readonly #remotes: readonly string[];
  readonly #reconnect: Reconnect;
  #at = 0;
  #attempt = 0;
  #session: RpcSession | undefined;
  #listener: Listener | undefined;

  constructor(remotes: readonly string[], clock: Clock, probeIntervalMs: number, events: UpstreamEvents) {
    this.#remotes = remotes;
    this.#events = events;
    this.#reconnect = new Reconnect(
      remotes[0] ?? '',
      clock,
      { connect: () => void this.#open(), probe: () => this.#probe(), drop: () => this.#drop() },
      {
        maxBackoffMs: MAX_BACKOFF_MS,
        probeIntervalMs,
        voice: 'reconnect',
        isPassive: isPassiveTarget(remotes[0] ?? ''),
        peers: { count: remotes.length, next: () => this.#next() },
      },
    );
  }

  get session(): RpcSession | undefined {
    return this.#session;
  }

  start(): void {
    this.#reconnect.enable();
  }

  /** The server that we are connected to will not do, for the reason given: another is tried. */
  refuse(why: string): void {
    serverLog.info(`${this.#reconnect.name}: ${why}`);
    this.#reconnect.refuse();
  }

  #next(): string {
    this.#at++;
    return this.#remote;
  }

  get #remote(): string {
    return this.#remotes[this.#at % this.#remotes.length] ?? '';
  }

  close(): void {
    this.#reconnect.disable();
    this.#drop();
  }

  configure(probeIntervalMs: number): void {
    this.#reconnect.configure({ maxBackoffMs: MAX_BACKOFF_MS, probeIntervalMs });
  }

  #probe(): void {
    this.#session?.call('echo', []).then(
      () => this.#reconnect.activity(),
      () => {},
    );
  }

  #drop(): void {
    this.#attempt++;
    this.#stopListening();
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.close();
    this.#events.disconnected();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const remote = this.#remote;
    try {
      if (isPassiveTarget(remote)) await this.#listen(remote, attempt);
      else this.#begin(await connectStream(remote, DEFAULT_PORT), attempt);
    } catch (error) {
      if (attempt === this.#attempt) this.#ended(error instanceof KernelError ? strerror(error.errno) : errorText(error));
    }
  }

  async #listen(remote: string, attempt: number): Promise<void> {
    const listener = await listenStream(remote, (stream) => this.#begin(stream, attempt), { defaultPort: DEFAULT_PORT });
    if (attempt !== this.#attempt || this.#session !== undefined) listener.close();
    else this.#listener = listener;
  }

  #stopListening(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  #begin(stream: Stream, attempt: number): void {
    this.#stopListening();
    if (attempt !== this.#attempt || this.#session !== undefined) {
      stream.destroy();
      return;
    }
    const session: RpcSession = new RpcSession(
      stream,
      {
        onRequest: (method, _params, id) => session.replyError(id, `unknown method ${method}`),
        onNotify: (method, params) => {
          this.#reconnect.activity();
          if (session === this.#session) this.#events.notified(method, params);
        },
        onClose: (reason) => {
          if (session === this.#session) this.#ended(sayPeerFault(session.name, reason));
        },
      },
      { ignoresStrays: true },
    );
    this.#session = session;
    this.#reconnect.connected();
    this.#events.connected(session).catch((error: unknown) => {
      if (session !== this.#session || error instanceof RpcClosed) return;
      this.#events.failed(error instanceof Error ? error : new Error(errorText(error)));
    });
  }

  #ended(reason: string): void {
    const wasConnected = this.#session !== undefined;
    this.#session = undefined;
    if (wasConnected) this.#events.disconnected();
    this.#reconnect.ended(reason);
  }
}
