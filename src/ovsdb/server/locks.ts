// Named locks that sessions hold or wait for: RFC 7047 section 4.1.8.

export interface LockHolder {
  notifyLock(method: 'locked' | 'stolen', lock: string): void;
}

/** One session's claim to one lock. */
interface Claim {
  readonly session: LockHolder;
  readonly isSteal: boolean;
}

/** Each lock is a queue of claims; the first holds it. */
export class Locks {
  readonly #queues = new Map<string, Claim[]>();
  /** Who stole a lock and lost it to another does not wait for it any more, but has to unlock it before it may ask anew. */
  readonly #lost = new Map<string, Set<LockHolder>>();

  holds(session: LockHolder, lock: string): boolean {
    return this.#queues.get(lock)?.[0]?.session === session;
  }

  /** Whether the session has asked for the lock and not unlocked it since. */
  asked(session: LockHolder, lock: string): boolean {
    return this.#lost.get(lock)?.has(session) === true || this.#queues.get(lock)?.some((claim) => claim.session === session) === true;
  }

  #queue(lock: string): Claim[] {
    const queue = this.#queues.get(lock) ?? [];
    this.#queues.set(lock, queue);
    return queue;
  }

  /** Asks for the lock; true when it is had at once. */
  lock(session: LockHolder, lock: string): boolean {
    return this.#queue(lock).push({ session, isSteal: false }) === 1;
  }

  /** Takes the lock from whoever has it, who is told so; who had asked for it with patience waits again, in front of the others. */
  steal(session: LockHolder, lock: string): void {
    const queue = this.#queue(lock);
    const [victim] = queue;
    if (victim?.isSteal === true) {
      queue.shift();
      const lost = this.#lost.get(lock) ?? new Set();
      this.#lost.set(lock, lost.add(victim.session));
    }
    queue.unshift({ session, isSteal: true });
    victim?.session.notifyLock('stolen', lock);
  }

  unlock(session: LockHolder, lock: string): void {
    const lost = this.#lost.get(lock);
    if (lost?.delete(session) === true && lost.size === 0) this.#lost.delete(lock);
    const queue = this.#queues.get(lock);
    const at = queue?.findIndex((claim) => claim.session === session) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.#queues.delete(lock);
    // The reference tells the first, also one that held it before.
    else queue[0]?.session.notifyLock('locked', lock);
  }

  /** Gives up all that a session held or waited for. */
  leave(session: LockHolder): void {
    for (const lock of [...this.#queues.keys(), ...this.#lost.keys()]) this.unlock(session, lock);
  }
}
