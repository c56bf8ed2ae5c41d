// A connection to another OVSDB server that is kept up: what replication and relays stand on.
import type { Clock } from '../../base/clock.ts';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { Reconnect } from '../../base/reconnect.ts';
import { connectStream } from '../../host/sockets/socket.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { RpcClosed, RpcSession } from '../../ovsdb/json/jsonrpc.ts';

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

  constructor(remotes: readonly string[], clock: Clock, probeIntervalMs: number, events: UpstreamEvents) {
    this.#remotes = remotes;
    this.#events = events;
    const name = remotes.join(',');
    this.#reconnect = new Reconnect(
      name,
      clock,
      { connect: () => void this.#open(), probe: () => this.#probe(), drop: () => this.#drop() },
      { maxBackoffMs: MAX_BACKOFF_MS, probeIntervalMs, voice: 'reconnect' },
    );
  }

  get session(): RpcSession | undefined {
    return this.#session;
  }

  start(): void {
    this.#reconnect.enable();
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
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.close();
    this.#events.disconnected();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const remote = this.#remotes[this.#at % this.#remotes.length] ?? '';
    try {
      const stream = await connectStream(remote, DEFAULT_PORT);
      if (attempt !== this.#attempt) {
        stream.destroy();
        return;
      }
      const session: RpcSession = new RpcSession(stream, {
        onRequest: (method, _params, id) => session.replyError(id, `unknown method ${method}`),
        onNotify: (method, params) => {
          this.#reconnect.activity();
          if (session === this.#session) this.#events.notified(method, params);
        },
        onClose: (reason) => {
          if (session === this.#session) this.#ended(reason);
        },
      });
      this.#session = session;
      this.#reconnect.connected();
      this.#events.connected(session).catch((error: unknown) => {
        if (session !== this.#session || error instanceof RpcClosed) return;
        this.#events.failed(error instanceof Error ? error : new Error(errorText(error)));
      });
    } catch (error) {
      if (attempt === this.#attempt) this.#ended(error instanceof KernelError ? strerror(error.errno) : errorText(error));
    }
  }

  #ended(reason: string): void {
    const wasConnected = this.#session !== undefined;
    this.#session = undefined;
    this.#at++;
    if (wasConnected) this.#events.disconnected();
    this.#reconnect.ended(reason);
  }
}
