// Keeps what a peer can provoke from filling the log: so many messages a minute, after so many at once; the next says how many were dropped.
import { type Logger, type LogLevel, logger } from './log.ts';

const MINUTE_MS = 60_000;

let begun = 0;

/** A process's log begins, and all limits with it. */
export function beginLimits(): void {
  begun++;
}

export class LogLimit {
  /** The log that it was used for last. */
  #begun: number | undefined;
  readonly #perMinute: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt = 0;
  #dropped = 0;
  #firstDropped = 0;
  #lastDropped = 0;

  constructor(perMinute: number, burst: number) {
    this.#perMinute = perMinute;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Writes a message unless there were too many. */
  write(log: Logger, level: LogLevel, message: string | (() => string)): void {
    if (this.admits(log, level)) log[level](message);
  }

  /** Whether a message, of several lines perhaps, may be written now; what was dropped before it is told. */
  admits(log: Logger, level: LogLevel): boolean {
    if (!log.shows(level)) return false;
    const nowMs = log.limitClock?.();
    if (nowMs === undefined) return true;
    if (this.#begun !== begun) {
      this.#begun = begun;
      this.#tokens = this.#burst;
      this.#filledAt = nowMs;
      this.#dropped = 0;
    }
    // What has come together since is counted when there is nothing left, as in Open vSwitch: a burst may follow the rest of one.
    if (this.#tokens < 1) {
      this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledAt) * this.#perMinute) / MINUTE_MS);
      this.#filledAt = nowMs;
    }
    if (this.#tokens < 1) {
      if (this.#dropped++ === 0) this.#firstDropped = nowMs;
      this.#lastDropped = nowMs;
      return false;
    }
    this.#tokens--;
    if (this.#dropped > 0) {
      const seconds = (sinceMs: number): number => Math.floor((nowMs - sinceMs) / 1000);
      log[level](
        `Dropped ${this.#dropped} log messages in last ${seconds(this.#firstDropped)} seconds (most recently, ${seconds(this.#lastDropped)} seconds ago) due to excessive rate`,
      );
      this.#dropped = 0;
    }
    return true;
  }
}

/** A module's voice for what a peer can provoke. */
export interface LimitedLogger extends Logger {
  /** Whether a message of several lines may be written now, by the module's own logger. */
  admits(level: LogLevel): boolean;
}

/** A logger that writes five messages, of all levels together, and then one a minute; or within a limit that it shares with others. */
export function limitedLogger(module: string, limit = new LogLimit(1, 5)): LimitedLogger {
  const log = logger(module);
  const at = (level: LogLevel) => (message: string | (() => string)) => limit.write(log, level, message);
  return {
    ...log,
    emer: at('emer'),
    err: at('err'),
    warn: at('warn'),
    info: at('info'),
    dbg: at('dbg'),
    admits: (level) => limit.admits(log, level),
  };
}
