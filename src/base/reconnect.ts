// When to connect, when to ask whether the peer still lives, when to give up and how long to wait then.
//
// A state machine on a `Clock`, without sockets. Its owner opens and drops the connection when told and reports what happened:
//
//   VOID --enable--> CONNECTING --connected--> ACTIVE --silence--> IDLE --activity--> ACTIVE
//                      |   ^                     |                  |
//                      v   | wait                v                  v
//                    BACKOFF <-------------------+------------------+
//
// Waiting starts at 1 s and doubles to `maxBackoffMs` while connections fail or end sooner than the last wait was long; a connection
// that lasted longer starts again at 1 s. An attempt may take as long as the last wait, at least 1 s. After `probeIntervalMs` of silence
// (0 = never) the owner is asked to send a probe; after as much silence again the connection is dropped.
//
// The log lines are those of Open vSwitch's two users of such a machine: `rconn` (OpenFlow) and `reconnect` (JSON-RPC).
import type { Clock } from './clock.ts';
import { type LogLevel, logger } from './log.ts';

export type ReconnectState = 'VOID' | 'BACKOFF' | 'CONNECTING' | 'ACTIVE' | 'IDLE' | 'DISCONNECTED';

/** What the owner does when told. */
export interface ReconnectActions {
  /** Opens a connection; answer with `connected` or `failed`. */
  connect(): void;
  /** Sends something that the peer has to answer. */
  probe(): void;
  /** Drops the connection, or the attempt. Nothing needs to be reported back. */
  drop(): void;
}

export interface ReconnectOptions {
  maxBackoffMs: number;
  /** Silence before a probe, 0 = never. */
  probeIntervalMs: number;
  /** The log module, which also decides the wording. */
  voice: 'rconn' | 'reconnect';
  /** Says "connecting..." and the like at debug level only: for peers that come to us. */
  quiet?: boolean;
  /** Listens for the peer instead of connecting to it: for as long as it takes, and again at once when a connection has ended. */
  isPassive?: boolean;
  /** Several peers to choose from: how many, so that each is tried once before any wait, and who is the next. */
  peers?: { count: number; next(): string };
}

const MIN_BACKOFF_MS = 1000;

export class Reconnect {
  #name: string;
  readonly #clock: Clock;
  readonly #actions: ReconnectActions;
  readonly #log: ReturnType<typeof logger>;
  readonly #voice: 'rconn' | 'reconnect';
  readonly #quiet: boolean;
  readonly #isPassive: boolean;
  #maxBackoffMs: number;
  #probeIntervalMs: number;
  #state: ReconnectState = 'VOID';
  #backoffMs = 0;
  #lastActivity = 0;
  #probedAt = 0;
  #connectedAt: number | undefined;
  #disconnectedAt: number | undefined;
  #lastError = '';
  readonly #next: (() => string) | undefined;
  #freeTries: number;
  #cancelTimer: (() => void) | undefined;

  constructor(name: string, clock: Clock, actions: ReconnectActions, options: ReconnectOptions) {
    this.#name = name;
    this.#next = options.peers?.next;
    this.#freeTries = options.peers?.count ?? 1;
    this.#clock = clock;
    this.#actions = actions;
    this.#voice = options.voice;
    this.#quiet = options.quiet ?? false;
    this.#isPassive = options.isPassive ?? false;
    this.#log = logger(options.voice);
    this.#maxBackoffMs = Math.max(MIN_BACKOFF_MS, options.maxBackoffMs);
    this.#probeIntervalMs = options.probeIntervalMs;
  }

  /** The peer of now. */
  get name(): string {
    return this.#name;
  }

  get state(): ReconnectState {
    return this.#state;
  }

  get isConnected(): boolean {
    return this.#state === 'ACTIVE' || this.#state === 'IDLE';
  }

  /** The last reason a connection failed or ended, '' while there was none. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Milliseconds of the clock when the last connection was established. */
  get connectedAt(): number | undefined {
    return this.#connectedAt;
  }

  /** Milliseconds of the clock when the last connection or attempt ended. */
  get disconnectedAt(): number | undefined {
    return this.#disconnectedAt;
  }

  /** Milliseconds of the clock when the peer was last heard. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  configure(options: { maxBackoffMs: number; probeIntervalMs: number }): void {
    this.#maxBackoffMs = Math.max(MIN_BACKOFF_MS, options.maxBackoffMs);
    this.#probeIntervalMs = options.probeIntervalMs;
    if (this.#state === 'BACKOFF' && this.#backoffMs > this.#maxBackoffMs) {
      this.#backoffMs = this.#maxBackoffMs;
      this.#schedule(this.#backoffMs, () => this.#connect());
    } else if (this.#state === 'ACTIVE') {
      this.#awaitSilence();
    }
  }

  /** Starts connecting at once. */
  enable(): void {
    if (this.#state !== 'VOID') return;
    // There is nothing to wait for yet.
    if (this.#voice === 'reconnect') this.#enter('BACKOFF');
    this.#connect();
  }

  /** Takes a connection that the peer opened: it is tried once and never again. */
  accept(): void {
    this.#enter('CONNECTING');
    this.#schedule(Math.max(MIN_BACKOFF_MS, this.#backoffMs), () => this.#timedOut());
  }

  /** Ends everything without a word; `drop` is not called. */
  disable(): void {
    this.#cancel();
    this.#state = 'VOID';
  }

  /** Drops the connection, if any, and connects again: JSON-RPC at once, OpenFlow after a wait. */
  reconnect(isTold = true): void {
    if (this.#state === 'VOID' || this.#state === 'DISCONNECTED') return;
    if (this.#state === 'CONNECTING') return;
    if (this.isConnected) {
      if (isTold) this.#log.info(`${this.name}: disconnecting`);
      this.#disconnectedAt = this.#clock.now();
      this.#actions.drop();
      if (this.#voice === 'rconn') {
        this.#fall();
        return;
      }
    }
    this.#backoffMs = 0;
    this.#name = this.#next?.() ?? this.#name;
    this.#connect();
  }

  /** The peer that we are connected to will not do: drops it, as an attempt that failed without an error. */
  refuse(): void {
    if (!this.isConnected) return;
    this.#log.dbg(() => `${this.name}: entering RECONNECT`);
    this.#state = 'CONNECTING';
    this.#disconnectedAt = this.#clock.now();
    this.#actions.drop();
    this.#say('info', 'connection attempt timed out');
    this.#fall();
  }

  /** The attempt succeeded. */
  connected(): void {
    if (this.#state !== 'CONNECTING') return;
    // As the reference says it, again.
    if (this.#isPassive) this.#sayConnecting();
    this.#say('info', 'connected');
    const now = this.#clock.now();
    this.#connectedAt = now;
    this.#lastActivity = now;
    this.#enter('ACTIVE');
    this.#awaitSilence();
  }

  /** Something came from the peer. */
  activity(): void {
    if (!this.isConnected) return;
    this.#lastActivity = this.#clock.now();
    if (this.#state === 'IDLE') {
      this.#enter('ACTIVE');
      this.#awaitSilence();
    }
    // In ACTIVE the timer looks at #lastActivity when it fires, so that a message costs no timer.
  }

  /** The attempt failed, or the connection ended: `reason` as strerror gives it, '' when the peer closed in order. */
  ended(reason: string): void {
    if (this.#state === 'CONNECTING') {
      if (reason === '')
        this.#say('info', this.#voice === 'rconn' ? 'connection closed by peer' : 'connection attempt failed (End of file)');
      else if (this.#quiet) this.#log.warn(`${this.name}: connection dropped (${reason})`);
      else if (this.#voice === 'rconn') this.#log.warn(`${this.name}: connection failed (${reason})`);
      else
        this.#log[this.#isSuppressed ? 'dbg' : 'info'](
          `${this.name}: ${this.#isPassive ? 'listen' : 'connection'} attempt failed (${reason})`,
        );
    } else if (this.isConnected) {
      this.#disconnectedAt = this.#clock.now();
      if (reason === '') this.#say('info', 'connection closed by peer');
      else this.#log.warn(`${this.name}: connection dropped (${reason})`);
    } else {
      return;
    }
    if (reason !== '') this.#lastError = reason;
    else if (this.#lastError === '') this.#lastError = 'End of file';
    this.#fall();
  }

  /** The longest wait is reached: attempts are no news any more. */
  get #isSuppressed(): boolean {
    return this.#backoffMs >= this.#maxBackoffMs && (this.#voice === 'rconn' || this.#backoffMs > MIN_BACKOFF_MS);
  }

  #connect(): void {
    // JSON-RPC speaks of it when the attempt has begun, and with that what was wrong at once has been said.
    const isRconn = this.#voice === 'rconn';
    if (isRconn) this.#sayConnecting();
    this.#state = 'CONNECTING';
    if (!this.#isPassive) this.#schedule(Math.max(MIN_BACKOFF_MS, this.#backoffMs), () => this.#timedOut());
    if (!isRconn) {
      this.#actions.connect();
      if (this.#state !== 'CONNECTING') return;
      this.#sayConnecting();
    }
    this.#enter('CONNECTING');
    if (isRconn) this.#actions.connect();
  }

  #sayConnecting(): void {
    const text = this.#isPassive ? 'listening...' : 'connecting...';
    if (!this.#isSuppressed) this.#say('info', text);
    else if (this.#voice === 'reconnect') this.#say('dbg', text);
  }

  #timedOut(): void {
    this.#say(this.#backoffMs >= this.#maxBackoffMs ? 'dbg' : 'info', 'connection timed out');
    this.#lastError = 'Connection timed out';
    this.#disconnectedAt = this.#clock.now();
    this.#actions.drop();
    this.#fall();
  }

  #awaitSilence(): void {
    this.#cancel();
    if (this.#probeIntervalMs <= 0) return;
    const left = this.#lastActivity + this.#probeIntervalMs - this.#clock.now();
    this.#schedule(left, () => {
      if (this.#clock.now() - this.#lastActivity < this.#probeIntervalMs) {
        this.#awaitSilence();
        return;
      }
      const idleMs = this.#clock.now() - this.#lastActivity;
      const idle = this.#voice === 'rconn' ? `${Math.floor(idleMs / 1000)} seconds` : `${Math.round(idleMs)} ms`;
      this.#log.dbg(`${this.name}: idle ${idle}, sending inactivity probe`);
      this.#enter('IDLE');
      this.#probedAt = this.#clock.now();
      this.#schedule(this.#probeIntervalMs, () => this.#unresponsive());
      this.#actions.probe();
    });
  }

  #unresponsive(): void {
    // JSON-RPC tells how long it really was.
    const idleMs = this.#clock.now() - this.#probedAt;
    const sec = this.#voice === 'rconn' ? Math.floor(this.#probeIntervalMs / 1000) : Number((idleMs / 1000).toPrecision(3));
    this.#log.err(`${this.name}: no response to inactivity probe after ${sec} seconds, disconnecting`);
    if (this.#voice === 'reconnect') this.#log.info(`${this.name}: connection dropped`);
    this.#lastError = 'Connection timed out';
    this.#disconnectedAt = this.#clock.now();
    this.#actions.drop();
    this.#fall();
  }

  /** Into BACKOFF, for 1 s or for twice as long as before; a peer that came to us is not sought. */
  #fall(): void {
    if (this.#quiet) {
      this.#cancel();
      this.#enter('DISCONNECTED');
      return;
    }
    if (this.#isPassive && this.isConnected) {
      this.#backoffMs = 0;
      this.#enter('BACKOFF');
      this.#schedule(0, () => this.#connect());
      return;
    }
    // JSON-RPC counts the time until the peer was last heard.
    const end = this.#voice === 'rconn' ? this.#clock.now() : this.#lastActivity;
    const lived = this.isConnected && this.#connectedAt !== undefined ? end - this.#connectedAt : -1;
    if (this.#freeTries > 1) {
      this.#freeTries--;
      this.#backoffMs = 0;
    } else if (lived >= this.#backoffMs) {
      this.#backoffMs = MIN_BACKOFF_MS;
    } else {
      const before = this.#backoffMs;
      this.#backoffMs = Math.min(this.#maxBackoffMs, Math.max(MIN_BACKOFF_MS, 2 * before));
      const isRconn = this.#voice === 'rconn';
      if (this.#backoffMs < this.#maxBackoffMs || (!isRconn && this.#maxBackoffMs <= MIN_BACKOFF_MS)) {
        // JSON-RPC does not speak of its shortest wait.
        const isWorthSaying = isRconn || this.#backoffMs > MIN_BACKOFF_MS;
        if (isWorthSaying && (this.#backoffMs !== before || this.#maxBackoffMs > MIN_BACKOFF_MS)) {
          const what = this.#isPassive ? 'trying to listen again' : 'reconnect';
          this.#log.info(`${this.name}: waiting ${Math.floor(this.#backoffMs / 1000)} seconds before ${what}`);
        }
      } else if (before < this.#maxBackoffMs) {
        const verb = isRconn ? 'retry connections' : this.#isPassive ? 'try to listen' : 'reconnect';
        this.#log.info(`${this.name}: continuing to ${verb} in the background but suppressing further logging`);
      }
    }
    this.#enter('BACKOFF');
    this.#name = this.#next?.() ?? this.#name;
    this.#schedule(this.#backoffMs, () => this.#connect());
  }

  #enter(state: ReconnectState): void {
    this.#state = state;
    this.#log.dbg(() => `${this.name}: entering ${state}`);
  }

  #say(level: LogLevel, text: string): void {
    this.#log[this.#quiet ? 'dbg' : level](`${this.name}: ${text}`);
  }

  #schedule(ms: number, fn: () => void): void {
    this.#cancel();
    this.#cancelTimer = this.#clock.after(Math.max(0, ms), () => {
      this.#cancelTimer = undefined;
      fn();
    });
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
