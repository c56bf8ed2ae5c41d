// The operating system's clock.
import type { Clock } from '../base/clock.ts';

/** Monotonic and wall time of this machine. Its timers keep the process alive. */
export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.max(0, Math.ceil(ms)));
    return () => clearTimeout(timer);
  },
};
