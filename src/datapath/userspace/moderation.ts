// Whether to rest a moment instead of being woken by the next frame, as network cards moderate their interrupts.
//
// Whoever hands us a frame while we sleep wakes us, and where another processor has to be told, that costs the sender more than the frame does: a fifth of
// all that a stream of super-segments takes under a hypervisor. So while much comes, we do not wait for a frame but rest for REST_US by the clock, and take
// what has come meanwhile together; its receiver is woken less often, too. With less traffic, and PATIENCE_MS after the last frame, frames wake us again.
//
// Pure: times come as arguments, in milliseconds.

/** As long as a super-segment takes at 17 Gbit/s. */
export const REST_US = 30;
/** Bytes a millisecond that are much: 2 Gbit/s, four super-segments. */
const MUCH = 256 << 10;
const PERIOD_MS = 1;
/** A stream that pauses for longer has ended, or has so little under way that it waits for us. */
const PATIENCE_MS = 0.15;

export class Moderation {
  #bytes = 0;
  #sinceMs = 0;
  #lastMs = 0;
  #isMuch = false;

  /** Notes frames that a round has taken. */
  took(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    this.#lastMs = nowMs;
    const elapsed = nowMs - this.#sinceMs;
    if (elapsed < PERIOD_MS) return;
    this.#isMuch = this.#bytes >= MUCH * elapsed;
    this.#bytes = 0;
    this.#sinceMs = nowMs;
  }

  /** Asked when there is nothing left to do. */
  isToRest(nowMs: number): boolean {
    if (this.#isMuch && nowMs - this.#lastMs > PATIENCE_MS) this.#isMuch = false;
    return this.#isMuch;
  }
}
