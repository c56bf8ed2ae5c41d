// Keeps what a peer can provoke from filling the log: so many messages a minute, after so many at once; the next says how many were dropped.
import type { Logger, LogLevel } from './log.ts';

const MINUTE_MS = 60_000;

export class LogLimit {
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
    if (!log.shows(level)) return;
    const nowMs = log.limitClock?.();
    if (nowMs === undefined) {
      log[level](message);
      return;
    }
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledAt) * this.#perMinute) / MINUTE_MS);
    this.#filledAt = nowMs;
    if (this.#tokens < 1) {
      if (this.#dropped++ === 0) this.#firstDropped = nowMs;
      this.#lastDropped = nowMs;
      return;
    }
    this.#tokens--;
    if (this.#dropped > 0) {
      const seconds = (sinceMs: number): number => Math.floor((nowMs - sinceMs) / 1000);
      log[level](
        `Dropped ${this.#dropped} log messages in last ${seconds(this.#firstDropped)} seconds (most recently, ${seconds(this.#lastDropped)} seconds ago) due to excessive rate`,
      );
      this.#dropped = 0;
    }
    log[level](message);
  }
}
