// The clock of a daemon with --enable-dummy: the machine's until `time/stop`, from then on one that moves only by `time/warp`.
import type { Clock } from '../../base/clock.ts';

interface Timer {
  at: number;
  fn: () => void;
}

export class WarpClock implements Clock {
  readonly #real: Clock;
  readonly #timers = new Map<number, Timer>();
  #sequence = 0;
  #offset = 0;
  #stoppedAt: number | undefined;
  #cancelReal: (() => void) | undefined;

  constructor(real: Clock) {
    this.#real = real;
  }

  now(): number {
    return this.#stoppedAt ?? this.#real.now() + this.#offset;
  }

  wall(): number {
    return this.#real.wall() + (this.now() - this.#real.now());
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#sequence++;
    this.#timers.set(id, { at: this.now() + Math.max(0, ms), fn });
    this.#arm();
    return () => void this.#timers.delete(id);
  }

  /** Time stands still from now on. */
  stop(): void {
    // Whole, so that what is counted in milliseconds has no rest.
    this.#stoppedAt = Math.floor(this.now());
    this.#cancelReal?.();
    this.#cancelReal = undefined;
  }

  /** Moves time on and fires what falls due, in order. */
  warp(ms: number): void {
    const end = this.now() + ms;
    if (this.#stoppedAt === undefined) this.#offset += ms;
    else this.#stoppedAt = end;
    this.#fire();
  }

  #fire(): void {
    const now = this.now();
    // Timers set by those that fire wait for the next call, so that a chain of zero delays cannot hold us here.
    const due = [...this.#timers].filter(([, timer]) => timer.at <= now).sort(([a, x], [b, y]) => x.at - y.at || a - b);
    for (const [id, timer] of due) if (this.#timers.delete(id)) timer.fn();
    this.#arm();
  }

  #arm(): void {
    this.#cancelReal?.();
    this.#cancelReal = undefined;
    if (this.#timers.size === 0) return;
    let first = Number.POSITIVE_INFINITY;
    for (const { at } of this.#timers.values()) first = Math.min(first, at);
    // What is due at once has no time to wait for.
    if (this.#stoppedAt !== undefined && first > this.#stoppedAt) return;
    this.#cancelReal = this.#real.after(first - this.now(), () => this.#fire());
  }
}
