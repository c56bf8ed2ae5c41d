// Time as a dependency: daemons run on the real clock (`host/real-clock.ts`), tests and the dummy datapath on a virtual one.

/** A source of time and timers. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void;
}

/** A clock that moves only when told to; timers fire in order of time, then of registration. */
export class VirtualClock implements Clock {
  #now: number;
  #sequence = 0;
  readonly #wallOffset: number;
  readonly #timers = new Map<number, { at: number; fn: () => void }>();

  constructor(startMs = 1_000_000, wallStartMs = 1_700_000_000_000) {
    this.#now = startMs;
    this.#wallOffset = wallStartMs - startMs;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#wallOffset;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#sequence++;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), fn });
    return () => void this.#timers.delete(id);
  }

  /** Moves time on by `ms`, firing every timer that falls due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let dueId = -1;
      let dueAt = Number.POSITIVE_INFINITY;
      for (const [id, timer] of this.#timers) {
        if (timer.at <= end && timer.at < dueAt) {
          dueId = id;
          dueAt = timer.at;
        }
      }
      if (dueId < 0) break;
      const timer = this.#timers.get(dueId);
      this.#timers.delete(dueId);
      this.#now = Math.max(this.#now, dueAt);
      timer?.fn();
    }
    this.#now = end;
  }
}
