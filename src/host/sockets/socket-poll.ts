// Sockets of a server with many peers: one epoll set of our own inside the runtime's, served with plain system calls.
//
// The runtime's streams cost several microseconds a message; a database server has hundreds of peers and messages of 100 bytes. Here a wake-up
// serves a batch: every socket that is ready is read once into one buffer, then what was put off to the end of the batch runs (one sync of a
// log, all replies), then peers that are gone are let go. Further batches follow at once while more has come, so that under load the runtime's
// loop is seldom gone through.
//
// After a batch of one peer that is known to ask again at once (`anticipation.ts`) we look for more for a moment before we sleep. Whoever waits for
// another turn of the runtime's loop (timers, other threads' messages) waits no longer than TURN_MS for that.
//
// A descriptor is closed at the end of a batch only, for a number used again would be taken for the old socket by events already fetched.
import { closeSync } from 'node:fs';
import { E, libc, type Memory, mapMemory, watchReadable } from '../ffi.ts';
import { Anticipation, AWAKE_MS, SEVERAL } from './anticipation.ts';

const EPOLLIN = 1;
const EPOLLOUT = 4;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLL_CLOEXEC = 0o2000000;
const MAX_EVENTS = 256;
/** struct epoll_event is packed on x86 alone. */
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16;
const FD_OFFSET = process.arch === 'x64' ? 4 : 8;
/** Batches served before the runtime's own loop has its turn. */
const MAX_BATCHES = 16;
/** How long one peer may be served, and waited for awake, before the runtime's own loop has its turn. */
const TURN_MS = 0.2;
/** Looks between two at the clock. */
const LOOKS = 8;

/** What the poll tells the owner of a descriptor. */
export interface PollHandler {
  onReadable(): void;
  onWritable(): void;
}

class SocketPoll {
  readonly #epoll: number;
  readonly #events: Memory;
  readonly #view: DataView;
  readonly #handlers = new Map<number, PollHandler>();
  readonly #event = new Uint8Array(EVENT_SIZE);
  readonly #eventView = new DataView(this.#event.buffer);
  readonly #last: (() => void)[] = [];
  #deferred: (() => void)[] = [];
  #isServing = false;
  #hasPromises = false;
  #isQueued = false;
  /** Whether another turn is sure to come. */
  #goesOn = false;
  readonly #next = new Anticipation();
  #watch: { close(): void } | undefined;

  constructor() {
    this.#epoll = libc().epollCreate(EPOLL_CLOEXEC);
    this.#events = mapMemory(4096);
    this.#view = new DataView(this.#events.bytes.buffer, this.#events.bytes.byteOffset, this.#events.bytes.length);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#eventView.setUint32(0, events, true);
    this.#eventView.setInt32(FD_OFFSET, fd, true);
    libc().epollCtl(this.#epoll, operation, fd, this.#event);
  }

  /** Begins to watch a descriptor for input. */
  add(fd: number, handler: PollHandler): void {
    // The runtime ends when nothing is watched, as it does with sockets of its own.
    this.#watch ??= watchReadable(this.#epoll, () => this.serve());
    this.#handlers.set(fd, handler);
    this.#control(EPOLL_CTL_ADD, fd, EPOLLIN);
  }

  /** Changes what a descriptor is watched for. */
  want(fd: number, input: boolean, output: boolean): void {
    this.#control(EPOLL_CTL_MOD, fd, (input ? EPOLLIN : 0) | (output ? EPOLLOUT : 0));
  }

  /** Stops watching a descriptor and closes it when this batch is over. */
  release(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
    this.#handlers.delete(fd);
    this.atEnd(() => closeSync(fd));
    if (this.#handlers.size > 0) return;
    this.#watch?.close();
    this.#watch = undefined;
  }

  /** Runs `fn` at the end of the batch that is being served, or soon when there is none. */
  defer(fn: () => void): void {
    this.#deferred.push(fn);
    this.#arm();
  }

  /** Runs `fn` after all that was deferred. */
  atEnd(fn: () => void): void {
    this.#last.push(fn);
    this.#arm();
  }

  /** Has what waits for promises go on after this batch: the runtime does that after calls of its own alone, and a batch is none. */
  runPromises(): void {
    this.#hasPromises = true;
  }

  #arm(): void {
    if (this.#isServing || this.#isQueued) return;
    this.#isQueued = true;
    setImmediate(() => {
      this.#isQueued = false;
      this.#finish();
    });
  }

  #finish(): void {
    while (this.#deferred.length > 0) {
      const now = this.#deferred;
      this.#deferred = [];
      for (const fn of now) fn();
    }
    for (let i = 0; i < this.#last.length; i++) this.#last[i]?.();
    this.#last.length = 0;
  }

  /** Serves what is ready now. */
  serve(): void {
    this.#serveAll();
    if (!this.#hasPromises) return;
    this.#hasPromises = false;
    setImmediate(() => {});
  }

  #serveAll(): void {
    let turnEnd: number | undefined;
    for (let batch = 0; ; batch++) {
      let count = this.#look();
      let wasAwaited = batch === 0;
      if (count <= 0) {
        const now = performance.now();
        if (batch > 0) this.#next.answered(now);
        if (!this.#next.isWorthwhile) return;
        count = this.#stayAwake(now + AWAKE_MS);
        if (count <= 0) {
          this.#next.failed();
          return;
        }
        wasAwaited = true;
      }
      const fd = count === 1 ? this.#view.getInt32(FD_OFFSET, true) : SEVERAL;
      if (wasAwaited) this.#next.came(fd, performance.now());
      else this.#next.cameAtOnce(fd);
      this.#serveBatch(count);
      // Whoever awaits an answer shall have it before the end that may follow it.
      if (this.#hasPromises) return;
      if (!this.#next.isWorthwhile) {
        if (batch >= MAX_BATCHES - 1) return;
        continue;
      }
      const now = performance.now();
      turnEnd ??= now + TURN_MS;
      if (now < turnEnd) continue;
      this.#next.answered(now);
      this.#goOn();
      return;
    }
  }

  /** How many descriptors are ready. */
  #look(): number {
    return libc().epollWaitAt(this.#epoll, this.#events.address, MAX_EVENTS, 0);
  }

  #stayAwake(end: number): number {
    do {
      for (let i = 0; i < LOOKS; i++) {
        const count = this.#look();
        if (count > 0) return count;
      }
    } while (performance.now() < end);
    return 0;
  }

  #serveBatch(count: number): void {
    this.#isServing = true;
    try {
      for (let i = 0; i < count; i++) {
        const events = this.#view.getUint32(i * EVENT_SIZE, true);
        const handler = this.#handlers.get(this.#view.getInt32(i * EVENT_SIZE + FD_OFFSET, true));
        // An error or a hang-up is seen by reading.
        if ((events & ~EPOLLOUT) !== 0) handler?.onReadable();
        if ((events & EPOLLOUT) !== 0) handler?.onWritable();
      }
      this.#finish();
    } finally {
      this.#isServing = false;
      if (this.#deferred.length + this.#last.length > 0) this.#arm();
    }
  }

  /** Serves on after one turn of the runtime's loop, which does not sleep in it. */
  #goOn(): void {
    if (this.#goesOn) return;
    this.#goesOn = true;
    setImmediate(() => {
      this.#goesOn = false;
      this.serve();
    });
  }
}

let shared: SocketPoll | undefined;

/** The poll of this process. */
export function socketPoll(): SocketPoll {
  shared ??= new SocketPoll();
  return shared;
}

/** Whether the call that just failed would only have had to wait. */
export function wouldBlock(): boolean {
  const errno = libc().errno();
  return errno === E.AGAIN || errno === E.INTR;
}
