// Whether the next message is about to come, so that it is worth staying awake for it.
//
// A lone client that waits for each answer wakes us once a message, and on a processor that has gone to sleep a waking costs more than the work: the
// sender's system call, our own start, cold caches. Where such a client's next message has followed our answer at once many times over, looking for
// another message for a moment finds it, and nobody has to be woken. Where it does not, the moment is lost, and may even keep the client from the
// processor that it needs to send its message.
//
// So credit is earned and lost. Each message of the one descriptor that follows our answer quickly earns 1, up to FULL_CREDIT; with credit above zero
// we stay awake. A moment in vain costs FAILURE_COST. When that uses up the credit there is a debt to work off, asleep, by messages that come quickly;
// whoever has done so is trusted with FIRST_CREDIT. The debt doubles each time, up to MAX_DEBT, until full credit is reached: where it never pays,
// two moments in a thousand messages are lost. A message of another descriptor or of several at once begins anew: with many clients the next message
// comes anyway, and a batch of many is cheaper than many of one.
//
// Pure: times come as arguments, in milliseconds.

/** How long to stay awake for the next message: what a client that was woken needs to say its next word. */
export const AWAKE_MS = 0.05;
/** An answer within this time counts as quick: both sides are woken in it. */
const QUICK_MS = 0.15;
const FULL_CREDIT = 64;
const FIRST_CREDIT = 32;
const FAILURE_COST = 16;
const LEAST_DEBT = 16;
const MAX_DEBT = 1024;
/** No descriptor. */
const SEVERAL = -1;

export class Anticipation {
  #fd = SEVERAL;
  #credit = -LEAST_DEBT;
  #debt = LEAST_DEBT;
  /** When the last answer was given; NaN when what follows it has been judged. */
  #answeredAt = Number.NaN;

  /** Whether to stay awake now. */
  get isWorthwhile(): boolean {
    return this.#credit > 0;
  }

  /** Messages have come: of one descriptor, or of several (-1). */
  came(fd: number, now: number): void {
    if (fd !== this.#fd || fd === SEVERAL) {
      this.#fd = fd;
      this.#credit = Math.min(this.#credit, -LEAST_DEBT);
      return;
    }
    const gap = now - this.#answeredAt;
    if (gap > QUICK_MS) this.#credit = Math.min(this.#credit, -LEAST_DEBT);
    else if (gap <= QUICK_MS && this.#credit < FULL_CREDIT && ++this.#credit === 0) this.#credit = FIRST_CREDIT;
    if (this.#credit === FULL_CREDIT) this.#debt = LEAST_DEBT;
  }

  /** They have been served. */
  answered(now: number): void {
    this.#answeredAt = now;
  }

  /** We have stayed awake for nothing. */
  failed(): void {
    this.#answeredAt = Number.NaN;
    this.#credit -= FAILURE_COST;
    if (this.#credit > 0) return;
    this.#credit = -this.#debt;
    this.#debt = Math.min(2 * this.#debt, MAX_DEBT);
  }
}
