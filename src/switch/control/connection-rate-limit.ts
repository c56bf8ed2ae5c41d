// Limits packet-ins to a connection: a token bucket, and behind it a queue that the bridge's ports share fairly.
//
// 1. A frame that finds a token and an empty queue passes at once.
// 2. Otherwise it joins the queue of its port. When all queues together are full, the longest loses its newest frame.
// 3. As tokens come, one frame a turn is taken from each port in order.
// Facts: ovs-vswitchd.conf.db(5), Controller:controller_rate_limit and controller_burst_limit.
import type { Clock } from '../../base/clock.ts';

/** Values of Controller:status:packet-in-TYPE-*. */
export interface RateLimitCounters {
  bypassed: number;
  queued: number;
  dropped: number;
  backlog: number;
}

export class PacketInLimiter<T> {
  readonly counters: RateLimitCounters = { bypassed: 0, queued: 0, dropped: 0, backlog: 0 };
  readonly #clock: Clock;
  readonly #send: (item: T) => void;
  readonly #queues = new Map<number, T[]>();
  #ratePerSec: number;
  #burst: number;
  #tokens: number;
  #filledAt: number;
  #cancel: (() => void) | undefined;

  /** `ratePerSec` 0 = no limit; `burst` 0 = a quarter of the rate. */
  constructor(clock: Clock, ratePerSec: number, burst: number, send: (item: T) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#ratePerSec = ratePerSec;
    this.#burst = burst > 0 ? burst : Math.max(1, Math.floor(ratePerSec / 4));
    this.#tokens = this.#burst;
    this.#filledAt = clock.now();
  }

  get isLimiting(): boolean {
    return this.#ratePerSec > 0;
  }

  configure(ratePerSec: number, burst: number): void {
    this.#fill();
    this.#ratePerSec = ratePerSec;
    this.#burst = burst > 0 ? burst : Math.max(1, Math.floor(ratePerSec / 4));
    this.#tokens = Math.min(this.#tokens, this.#burst);
    this.#drain();
  }

  push(port: number, item: T): void {
    if (this.#ratePerSec === 0) {
      this.#send(item);
      return;
    }
    this.#fill();
    if (this.counters.backlog === 0 && this.#tokens >= 1) {
      this.#tokens--;
      this.counters.bypassed++;
      this.#send(item);
      return;
    }
    const queue = this.#queues.get(port);
    if (queue === undefined) this.#queues.set(port, [item]);
    else queue.push(item);
    this.counters.queued++;
    this.counters.backlog++;
    if (this.counters.backlog > this.#burst) this.#dropLongest();
    this.#wait();
  }

  /** Forgets what waits. */
  clear(): void {
    this.#queues.clear();
    this.counters.backlog = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #dropLongest(): void {
    let longest: [number, T[]] | undefined;
    for (const entry of this.#queues) if (longest === undefined || entry[1].length > longest[1].length) longest = entry;
    if (longest === undefined) return;
    longest[1].pop();
    if (longest[1].length === 0) this.#queues.delete(longest[0]);
    this.counters.dropped++;
    this.counters.backlog--;
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) * this.#ratePerSec) / 1000);
    this.#filledAt = now;
  }

  #drain(): void {
    this.#fill();
    while (this.counters.backlog > 0 && (this.#ratePerSec === 0 || this.#tokens >= 1)) {
      const next = this.#queues.entries().next().value;
      if (next === undefined) break;
      const [port, queue] = next;
      const item = queue.shift();
      // The port goes to the end of the line.
      this.#queues.delete(port);
      if (queue.length > 0) this.#queues.set(port, queue);
      this.counters.backlog--;
      this.#tokens--;
      if (item !== undefined) this.#send(item);
    }
    this.#wait();
  }

  #wait(): void {
    if (this.#cancel !== undefined || this.counters.backlog === 0) return;
    const ms = Math.max(1, Math.ceil(((1 - this.#tokens) * 1000) / this.#ratePerSec));
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      this.#drain();
    });
  }
}
