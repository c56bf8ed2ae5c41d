// A name on which controllers connect to the bridge: NAME.mgmt and what Controller rows with ptcp:, pssl: or punix: ask for.
// Each that comes is served until it goes; nobody is sought again.
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { Reconnect } from '../../base/reconnect.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import type { ControllerRequest, ControllerStatus, SwitchEnvironment } from '../contract.ts';
import { OpenFlowSession, type SessionHub } from './openflow-session.ts';

const log = logger('connmgr');

/** More peers than this at one name are turned away. */
const MAX_PEERS = 256;
const RETRY_MS = 1000;

export class PassiveConnections {
  readonly target: string;
  readonly peers = new Map<OpenFlowSession, Reconnect>();
  request: ControllerRequest;
  readonly #hub: SessionHub;
  readonly #environment: SwitchEnvironment;
  #listener: Listener | undefined;
  /** Of all connections that come: what the row said when listening began. */
  readonly #dscp: number;
  #isClosed = false;
  #lastError = '';
  #cancelRetry: (() => void) | undefined;

  constructor(request: ControllerRequest, hub: SessionHub, environment: SwitchEnvironment) {
    this.target = request.target;
    this.request = request;
    this.#dscp = request.dscp;
    this.#hub = hub;
    this.#environment = environment;
  }

  /** Resolves when peers can connect, or when that failed; it is tried again every second then. */
  async listen(): Promise<void> {
    try {
      const listener = await this.#environment.listen(this.target, (stream) => this.#accept(stream), this.#dscp);
      if (this.#isClosed) listener.close();
      else this.#listener = listener;
    } catch (error) {
      const text = errorText(error);
      const reason = error instanceof KernelError && text.startsWith(`${error.call}: `) ? text.slice(error.call.length + 2) : text;
      if (reason !== this.#lastError) log.err(`${this.#hub.core.name}: failed to listen on ${this.target}: ${reason}`);
      this.#lastError = reason;
      if (!this.#isClosed) this.#cancelRetry = this.#hub.core.clock.after(RETRY_MS, () => void this.listen());
    }
  }

  configure(request: ControllerRequest): void {
    this.request = request;
    for (const [session, reconnect] of this.peers) {
      session.configure(request);
      reconnect.configure({ maxBackoffMs: request.maxBackoffMs, probeIntervalMs: request.probeIntervalMs });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#listener?.close();
    for (const [session, reconnect] of this.peers) {
      reconnect.disable();
      session.abandon();
    }
    this.peers.clear();
  }

  /** Who is connected is not told for a listening name: there may be many. */
  status(): ControllerStatus {
    return { target: this.target, isConnected: false, role: 'nochange', status: new Map() };
  }

  #accept(stream: Stream): void {
    if (this.#isClosed || this.peers.size >= MAX_PEERS) {
      if (!this.#isClosed) log.warn(`${this.#hub.core.name}: too many connections to ${this.target}`);
      stream.destroy();
      return;
    }
    const { clock, name: bridge } = this.#hub.core;
    const name = `${bridge}<->${stream.name}`;
    let session: OpenFlowSession | undefined;
    const reconnect = new Reconnect(
      name,
      clock,
      {
        connect: () => {},
        probe: () => session?.notify({ kind: 'echoRequest', data: new Uint8Array(0) }),
        drop: () => {
          if (session === undefined) return;
          this.peers.delete(session);
          session.abandon();
        },
      },
      { maxBackoffMs: this.request.maxBackoffMs, probeIntervalMs: this.request.probeIntervalMs, voice: 'rconn', quiet: true },
    );
    reconnect.accept();
    session = new OpenFlowSession(name, stream, this.#hub, {
      kind: this.request.type,
      enableAsync: this.request.enableAsync,
      rateLimit: this.request.rateLimit,
      burstLimit: this.request.burstLimit,
      queueLength: this.request.queueLength,
    });
    this.peers.set(session, reconnect);
  }
}
