// Named locks that sessions hold or wait for: RFC 7047 section 4.1.8.

export interface LockHolder {
  notifyLock(method: 'locked' | 'stolen', lock: string): void;
}

/** Each lock is a queue of sessions; the first holds it. */
export class Locks {
  readonly #queues = new Map<string, LockHolder[]>();

  holds(session: LockHolder, lock: string): boolean {
    return this.#queues.get(lock)?.[0] === session;
  }

  /** Whether the session holds the lock or waits for it. */
  asked(session: LockHolder, lock: string): boolean {
    return this.#queues.get(lock)?.includes(session) === true;
  }

  /** Asks for the lock; true when it is had at once. */
  lock(session: LockHolder, lock: string): boolean {
    const queue = this.#queues.get(lock) ?? [];
    this.#queues.set(lock, queue);
    queue.push(session);
    return queue.length === 1;
  }

  /** Takes the lock from whoever has it, who is told so and waits again in front of the others. */
  steal(session: LockHolder, lock: string): void {
    const queue = this.#queues.get(lock) ?? [];
    this.#queues.set(lock, queue);
    const victim = queue[0];
    queue.unshift(session);
    victim?.notifyLock('stolen', lock);
  }

  unlock(session: LockHolder, lock: string): void {
    const queue = this.#queues.get(lock);
    const at = queue?.indexOf(session) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.#queues.delete(lock);
    else if (at === 0) queue[0]?.notifyLock('locked', lock);
  }

  /** Gives up all that a session held or waited for. */
  leave(session: LockHolder): void {
    for (const lock of [...this.#queues.keys()]) this.unlock(session, lock);
  }
}
