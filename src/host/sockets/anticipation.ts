// Whether the next message is about to come, so that it is worth staying awake for it.
//
// A lone client that waits for each answer wakes us once a message, and on a processor that has gone to sleep a waking costs more than the work: the
// sender's system call, our own start, cold caches. Where such a client's next message has followed our answer at once many times over, looking for
// another message for a moment finds it, and nobody has to be woken. Where it does not, the moment is lost, and may even keep the client from the
// processor that it needs to send its message.
//
// So credit is earned and lost. Each message of the one descriptor that we had to wait for, and that followed our answer quickly, earns 1, up to
// FULL_CREDIT; with credit above zero we stay awake. (A message that is there before we look again tells nothing: client and server share a processor,
// or the client does not wait for answers.) A moment in vain costs FAILURE_COST, and one that took much longer than it should costs all: somebody else
// had the processor meanwhile, and on a machine that busy whoever sleeps is let in sooner than whoever stays awake.
//
// With the credit gone there is a debt to work off, asleep, by messages that come quickly; whoever has done so is trusted with FIRST_CREDIT. The debt
// doubles each time, up to MAX_DEBT, and shrinks again while all goes well: where it never pays, two moments in five hundred messages are lost.
//
// A message of another descriptor or of several at once begins anew: with many clients the next message comes anyway, and a batch of many is cheaper
// than many of one.
//
// Pure: times come as arguments, in milliseconds.

/** How long to stay awake for the next message: what a client that was woken, on a processor that has slept, needs to say its next word. */
export const AWAKE_MS = 0.12;
/** A message within this time counts as quick: both sides are woken in it. */
const QUICK_MS = 0.2;
/** A moment that took longer than this was somebody else's. */
const AWAY_MS = 1;
const FULL_CREDIT = 64;
const FIRST_CREDIT = 32;
const FAILURE_COST = 16;
const LEAST_DEBT = 16;
const MAX_DEBT = 512;
/** What is left of the debt to come after each message at full credit. */
const RECOVERY = 1 - 1 / 256;
/** In place of a descriptor. */
export const SEVERAL = -1;

export class Anticipation {
  #fd = SEVERAL;
  #credit = -LEAST_DEBT;
  #debt = LEAST_DEBT;
  /** When we began to wait; NaN when we did not, or when that wait has been judged. */
  #answeredAt = Number.NaN;

  /** Whether to stay awake now. */
  get isWorthwhile(): boolean {
    return this.#credit > 0;
  }

  /** Messages have come that we had to wait for, awake or asleep: of one descriptor, or of SEVERAL. */
  came(fd: number, now: number): void {
    const gap = now - this.#answeredAt;
    if (!this.cameAtOnce(fd)) return;
    if (gap > QUICK_MS) {
      if (this.#credit > 0) this.#charge(gap > AWAY_MS ? FULL_CREDIT : FAILURE_COST);
      else this.#credit = Math.min(this.#credit, -LEAST_DEBT);
    } else if (gap <= QUICK_MS) {
      if (this.#credit === FULL_CREDIT) this.#debt = Math.max(this.#debt * RECOVERY, LEAST_DEBT);
      else if (++this.#credit === 0) this.#credit = FIRST_CREDIT;
    }
  }

  /** Messages have come that were there when we looked; gives whether they are of the one descriptor that those before were of. */
  cameAtOnce(fd: number): boolean {
    this.#answeredAt = Number.NaN;
    if (fd === this.#fd && fd !== SEVERAL) return true;
    this.#fd = fd;
    this.#credit = Math.min(this.#credit, -LEAST_DEBT);
    return false;
  }

  /** All that came has been served, and we begin to wait. */
  answered(now: number): void {
    this.#answeredAt = now;
  }

  /** We have stayed awake for nothing. */
  failed(): void {
    this.#answeredAt = Number.NaN;
    this.#charge(FAILURE_COST);
  }

  #charge(cost: number): void {
    this.#credit -= cost;
    if (this.#credit > 0) return;
    this.#credit = -Math.ceil(this.#debt);
    this.#debt = Math.min(2 * this.#debt, MAX_DEBT);
  }
}
