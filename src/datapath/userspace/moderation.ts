// Whether to rest a moment instead of being woken by the next frame, as network cards moderate their interrupts.
//
// Whoever hands us a frame while we sleep wakes us, and where another processor has to be told, that costs the sender more than the frame does: a fifth of
// all that a stream of super-segments takes under a hypervisor. So while much comes, we do not wait for a frame but rest for REST_US by the clock, and take
// what has come meanwhile together; its receiver is woken less often, too. With less traffic, PATIENCE_MS after the last frame, and for a while where most
// rests are in vain (a stream that a sender paces), frames wake us again: a rest costs about half a waking, and it is ours.
//
// Pure: times come as arguments, in milliseconds.

/** As long as a super-segment takes at 17 Gbit/s. */
export const REST_US = 30;
/** Bytes a millisecond that are much: 2 Gbit/s, four super-segments. */
const MUCH = 256 << 10;
const PERIOD_MS = 1;
/** A stream that pauses for longer has ended, or has so little under way that it waits for us. */
const PATIENCE_MS = 0.15;
/** The share of the last rests, some eight, that may be in vain; and for how long there is none when it was more. */
const MOST_VAIN = 0.5;
const AFTER_VAIN_MS = 10;
const WEIGHT = 1 / 8;

export class Moderation {
  #bytes = 0;
  #sinceMs = 0;
  #lastMs = 0;
  #isMuch = false;
  #hasRested = false;
  #vain = 0;
  #notBeforeMs = 0;

  /** Notes frames that a round has taken. */
  took(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    this.#lastMs = nowMs;
    if (this.#hasRested) this.#vain -= this.#vain * WEIGHT;
    this.#hasRested = false;
    const elapsed = nowMs - this.#sinceMs;
    if (elapsed < PERIOD_MS) return;
    this.#isMuch = this.#bytes >= MUCH * elapsed && nowMs >= this.#notBeforeMs;
    this.#bytes = 0;
    this.#sinceMs = nowMs;
  }

  /** Asked when there is nothing left to do. */
  isToRest(nowMs: number): boolean {
    if (this.#hasRested) this.#vain += (1 - this.#vain) * WEIGHT;
    if (this.#vain > MOST_VAIN) {
      this.#vain = 0;
      this.#isMuch = false;
      this.#notBeforeMs = nowMs + AFTER_VAIN_MS;
    }
    if (nowMs - this.#lastMs > PATIENCE_MS) this.#isMuch = false;
    this.#hasRested = this.#isMuch;
    return this.#isMuch;
  }
}
