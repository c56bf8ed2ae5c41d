// A connected pair of byte queues, whatever carries it: TCP, a Unix socket, TLS, or two ends in one process for tests.
// `host/socket.ts` opens real ones from Open vSwitch's connection names (`unix:`, `tcp:`, `ssl:`, `ptcp:`, `punix:`, `pssl:`).

/** One end of a connection. Handlers are set once by the owner; no data is delivered before `start`. */
export interface Stream {
  /** The connection's name as Open vSwitch prints it, e.g. `tcp:127.0.0.1:6633` or `unix`. */
  readonly name: string;
  /** The common name in the certificate by which the peer has proved itself, where there is one. */
  readonly peerIdentity?: string | undefined;
  /** Queues bytes to send; they belong to the stream from now on. After close it does nothing. */
  write(bytes: Uint8Array): void;
  /** The same with text as UTF-8, where that is cheaper than making bytes of it first. */
  writeText?(text: string): void;
  /** Bytes queued and not yet taken by the operating system. */
  readonly queuedBytes: number;
  /** Begins delivery. `onClose` is called exactly once, with a reason ('' when the peer closed in order), also after our own `close`. */
  start(handlers: StreamHandlers): void;
  /** Stops and resumes delivery of data, for back-pressure. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  close(): void;
  /** Closes at once. */
  destroy(): void;
}

/** What the owner of a stream is told. */
export interface StreamHandlers {
  /** The bytes are valid only during the call, unless copied. */
  onData(bytes: Uint8Array): void;
  onClose(reason: string): void;
  /** All that was queued has been taken by the operating system; not called when nothing had to be queued. */
  onDrain?(): void;
}

/** A listening endpoint. */
export interface Listener {
  /** The name it was opened with. */
  readonly name: string;
  /** The TCP port bound, 0 for a Unix socket. */
  readonly boundPort: number;
  close(): void;
  /** Sets the differentiated services code point of connections to come, where they are of TCP. */
  setDscp?(dscp: number): void;
}

class PipeEnd implements Stream {
  readonly name: string;
  peer!: PipeEnd;
  queuedBytes = 0;
  #handlers: StreamHandlers | undefined;
  #paused = false;
  #closedReason: string | undefined;
  #finished = false;
  #inbox: Uint8Array[] = [];

  constructor(name: string) {
    this.name = name;
  }

  write(bytes: Uint8Array): void {
    if (this.#closedReason !== undefined) return;
    this.peer.#take(bytes.slice());
  }

  start(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    queueMicrotask(() => this.#drain());
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    queueMicrotask(() => this.#drain());
  }

  close(): void {
    this.#end('');
    this.peer.#end('');
  }

  destroy(): void {
    this.close();
  }

  #take(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    queueMicrotask(() => this.#drain());
  }

  #end(reason: string): void {
    if (this.#closedReason !== undefined) return;
    this.#closedReason = reason;
    queueMicrotask(() => this.#drain());
  }

  #drain(): void {
    const handlers = this.#handlers;
    if (handlers === undefined || this.#finished) return;
    while (!this.#paused) {
      const bytes = this.#inbox.shift();
      if (bytes === undefined) break;
      handlers.onData(bytes);
    }
    if (this.#closedReason !== undefined && this.#inbox.length === 0 && !this.#finished) {
      this.#finished = true;
      handlers.onClose(this.#closedReason);
    }
  }
}

/** Two ends of a connection inside this process. */
export function streamPair(name = 'pipe'): [Stream, Stream] {
  const left = new PipeEnd(name);
  const right = new PipeEnd(name);
  left.peer = right;
  right.peer = left;
  return [left, right];
}
