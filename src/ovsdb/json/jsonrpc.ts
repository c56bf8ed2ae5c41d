// JSON-RPC 1.0 over a Stream, both ends alike: requests, replies, errors, notifications, echo, inactivity probes and a limit on what a deaf peer may cost.
// Used by OVSDB and by the control sockets of ovs-appctl.
import { encodeText } from '../../base/byte-text.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Stream } from '../../base/stream.ts';
import { type Json, JsonError } from './json.ts';
import { formatJson } from './json-format.ts';
import { JsonStream } from './json-stream.ts';
import { BAD_MESSAGE, BAD_TEXT, NO_SIGN } from './jsonrpc-faults.ts';
import { parseRpcMessage } from './jsonrpc-message.ts';
import { SendTrace, traceMessage, tracesRpc } from './jsonrpc-trace.ts';

/** The peer answered a request with an error. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  /** The `error` member of the reply. */
  readonly error: Json;
  constructor(error: Json) {
    super(typeof error === 'string' ? error : formatJson(error, { sort: true }));
    this.error = error;
  }
}

/** The connection ended before the reply came. */
export class RpcClosed extends Error {
  override readonly name = 'RpcClosed';
}

export interface RpcHandlers {
  /** A request to be answered with `reply` or `replyError`; echo never comes here. */
  onRequest(method: string, params: Json[], id: Json): void;
  onNotify(method: string, params: Json[]): void;
  /** Once, at the end; '' when the peer closed in order. */
  onClose(reason: string): void;
  /** Something came from the peer. */
  onHeard?(): void;
  /** The peer has read all that was sent, after a time when it had not. */
  onDrain?(): void;
}

export interface RpcOptions {
  /** Needed for inactivity probes. */
  clock?: Clock;
  /** Silence after which an echo is sent, and after which again the connection is given up; 0 for never. */
  probeIntervalMs?: number;
  /** A peer that has left this many bytes unread is cut off at the next message to it. */
  queueLimit?: number;
  /** Whether `echo` is answered here, which is so by default. */
  answersEcho?: boolean;
  /** Has what is to be sent kept until the given function is called: a server sends once a turn, after what it promises is on the disk. */
  defer?: (flush: () => void) => void;
  /** Takes no further request from a peer that has not read its replies yet: what it asks for is worked on as fast as it reads. */
  waitsForReader?: boolean;
  /** Passes over replies that nothing was asked for, as a client does; for a server they are the end of a connection. */
  ignoresStrays?: boolean;
  /** Takes the next request only when all of the last one's answers are written, each message by itself: what is recorded so the reference can replay. */
  isStepwise?: boolean;
}

/** With this much to be sent at the end of the turn, further requests wait for it. */
const TURN_SIZE = 1024 * 1024;

const DEFAULT_QUEUE_LIMIT = 64 * 1024 * 1024;
/** Texts are joined up to about this size. */
const WRITE_SIZE = 65536;
/** Text of at least this many characters that is to be kept is better kept as bytes. */
export const LONG_TEXT_LENGTH = 16384;

const reconnectLog = logger('reconnect');

/** One connection that speaks JSON-RPC. */
export class RpcSession {
  readonly name: string;
  readonly #stream: Stream;
  readonly #handlers: RpcHandlers;
  readonly #clock: Clock | undefined;
  readonly #queueLimit: number;
  readonly #answersEcho: boolean;
  readonly #defer: ((flush: () => void) => void) | undefined;
  /** What goes out at the end of the turn: texts, and bytes that other sessions may be sent too. */
  #outbox: (string | Uint8Array)[] = [];
  #outboxSize = 0;
  readonly #waitsForReader: boolean;
  readonly #isStepwise: boolean;
  readonly #ignoresStrays: boolean;
  #isTaking = false;
  #isPaused = false;
  #closesAfterFlush = false;
  readonly #input: JsonStream;
  readonly #waiting = new Map<Json, { resolve: (result: Json) => void; reject: (error: Error) => void }>();
  #probeIntervalMs: number;
  #cancelProbe: () => void = () => {};
  #lastHeard = 0;
  #probeSent = false;
  #nextId = 0;
  #closed = false;
  #closeReason: string | undefined;
  /** The reason for an end that waits for the outbox. */
  #endReason: string | undefined;
  #trace: SendTrace | undefined;

  /** Begins to read at once. */
  constructor(stream: Stream, handlers: RpcHandlers, options: RpcOptions = {}) {
    this.name = stream.name;
    this.#stream = stream;
    this.#handlers = handlers;
    this.#clock = options.clock;
    this.#defer = options.defer;
    this.#waitsForReader = options.waitsForReader === true;
    this.#input = new JsonStream(undefined, this.#waitsForReader);
    this.#isStepwise = options.isStepwise === true;
    this.#ignoresStrays = options.ignoresStrays === true;
    this.#queueLimit = options.queueLimit ?? DEFAULT_QUEUE_LIMIT;
    this.#answersEcho = options.answersEcho ?? true;
    this.#probeIntervalMs = options.probeIntervalMs ?? 0;
    stream.start({ onData: (bytes) => this.#take(bytes), onClose: (reason) => this.#ended(reason), onDrain: () => this.#drained() });
    this.#heard();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** What the peer has not read, and what is still to be sent at the end of the turn. */
  get queuedBytes(): number {
    return this.#stream.queuedBytes + this.#outboxSize;
  }

  /** Whether the peer has left bytes unread for longer than a turn. */
  get hasBacklog(): boolean {
    return this.#stream.queuedBytes > 0;
  }

  /** Changes the probe interval; 0 turns probing off. */
  setProbeInterval(ms: number): void {
    this.#probeIntervalMs = ms;
    this.#heard();
  }

  /** Sends a request; rejects with RpcError or RpcClosed. */
  call(method: string, params: Json[]): Promise<Json> {
    return this.begin(method, params).result;
  }

  /** Like `call`, and tells the id, by which the request can be cancelled. */
  begin(method: string, params: Json[]): { id: number; result: Promise<Json> } {
    const id = this.#nextId++;
    const result = new Promise<Json>((resolve, reject) => {
      if (this.#closed) reject(new RpcClosed('connection closed'));
      else this.#waiting.set(id, { resolve, reject });
    });
    this.sendText(`{"id":${id},"method":${formatJson(method)},"params":${formatJson(params)}}`);
    return { id, result };
  }

  notify(method: string, params: Json[]): void {
    this.sendText(`{"id":null,"method":${formatJson(method)},"params":${formatJson(params)}}`);
  }

  reply(id: Json, result: Json): void {
    this.sendText(`{"id":${formatJson(id)},"result":${formatJson(result)},"error":null}`);
  }

  replyError(id: Json, error: Json): void {
    this.sendText(`{"id":${formatJson(id)},"error":${formatJson(error)}}`);
  }

  /** Sends a message, or a piece of one, whose text was made before. */
  sendText(text: string): void {
    this.#send(text);
  }

  /** Sends a message that goes to many; the bytes must not change any more. */
  sendBytes(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  #send(message: string | Uint8Array): void {
    if (this.#closed || this.#closesAfterFlush || this.#closeReason !== undefined) return;
    if (tracesRpc()) {
      this.#trace ??= new SendTrace(this.name);
      this.#trace.take(message);
    } else this.#trace = undefined;
    if (this.#stream.queuedBytes + this.#outboxSize > this.#queueLimit && !this.#waitsForReader) {
      this.#finish('peer does not read its messages');
      return;
    }
    if (this.#defer === undefined) {
      this.#stream.write(typeof message === 'string' ? encodeText(message) : message);
      return;
    }
    this.#outboxSize += message.length;
    // A long text is kept as bytes at once: it may be a tree of many small ones, which takes several times the memory.
    if (this.#outbox.push(message.length >= LONG_TEXT_LENGTH && typeof message === 'string' ? encodeText(message) : message) === 1)
      this.#defer(this.#flush);
  }

  /** Sends what is queued, then closes; `onClose` follows. */
  close(): void {
    this.#cancelProbe();
    if (this.#outbox.length === 0) this.#stream.close();
    else this.#closesAfterFlush = true;
  }

  /** Asks the peer for a sign of life. */
  probe(): void {
    this.sendText('{"id":"echo","method":"echo","params":[]}');
  }

  /** Closes at once and sends nothing more. */
  destroy(reason: string): void {
    this.#finish(reason);
  }

  readonly #flush = (): void => {
    const outbox = this.#outbox;
    this.#outbox = [];
    this.#outboxSize = 0;
    if (this.#closed || this.#closeReason !== undefined) return;
    // As few writes as can be without copying what is large.
    let text = '';
    for (const message of outbox) {
      if (typeof message === 'string') {
        if (this.#isStepwise && text !== '' && message.startsWith('{"id":')) {
          this.#writeText(text);
          text = '';
        }
        text += message;
        if (text.length < WRITE_SIZE) continue;
      }
      if (text !== '') this.#writeText(text);
      text = '';
      if (typeof message !== 'string') this.#stream.write(message);
    }
    if (text !== '') this.#writeText(text);
    if (this.#closesAfterFlush) this.#stream.close();
    else if (this.#stream.queuedBytes === 0) this.#resume();
    else this.#pause();
  };

  #writeText(text: string): void {
    if (this.#stream.writeText === undefined) this.#stream.write(encodeText(text));
    else this.#stream.writeText(text);
  }

  #isBlocked(): boolean {
    return this.#waitsForReader && (this.#stream.queuedBytes > 0 || this.#outboxSize > (this.#isStepwise ? 0 : TURN_SIZE));
  }

  #pause(): void {
    if (this.#isPaused || !this.#isBlocked()) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #drained(): void {
    this.#resume();
    this.#handlers.onDrain?.();
  }

  /** Goes on with what was put off while the peer did not read. */
  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#input.pendingSize > 0) this.#takeNext();
    if (!this.#isPaused) this.#stream.resume();
  }

  /** The peer is in the wrong: what it was promised before still goes out. */
  #end(reason: string): void {
    if (this.#outbox.length === 0) {
      this.#finish(reason);
      return;
    }
    this.#endReason ??= reason;
    this.#closesAfterFlush = true;
  }

  #finish(reason: string): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#outbox = [];
    this.#outboxSize = 0;
    this.#cancelProbe();
    this.#stream.destroy();
  }

  #ended(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelProbe();
    const text = this.#closeReason ?? this.#endReason ?? reason;
    for (const { reject } of this.#waiting.values()) reject(new RpcClosed(text === '' ? 'End of file' : text));
    this.#waiting.clear();
    this.#handlers.onClose(text);
  }

  #take(bytes: Uint8Array): void {
    if (this.#closed || this.#closeReason !== undefined || this.#closesAfterFlush) return;
    if (this.#probeIntervalMs > 0) this.#lastHeard = this.#clock?.now() ?? 0;
    if (this.#probeSent) reconnectLog.dbg(() => `${this.name}: entering ACTIVE`);
    this.#probeSent = false;
    this.#handlers.onHeard?.();
    this.#input.push(bytes);
    this.#takeNext();
    this.#input.keep();
  }

  /** Serves the messages that are there. */
  #takeNext(): void {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (!this.#closed && this.#closeReason === undefined && !this.#closesAfterFlush && !this.#isPaused) {
        const value = this.#input.next();
        if (value === undefined) break;
        this.#dispatch(value);
        this.#pause();
      }
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      this.#end(`${BAD_TEXT}: ${errorText(error)}`);
    } finally {
      this.#isTaking = false;
    }
  }

  #dispatch(value: Json): void {
    const message = parseRpcMessage(value);
    if (typeof message === 'string') {
      this.#end(`${BAD_MESSAGE}: ${message}`);
      return;
    }
    if (tracesRpc()) traceMessage(this.name, 'received', value);
    switch (message.kind) {
      case 'request':
        if (message.method === 'echo' && this.#answersEcho) this.reply(message.id, message.params);
        else this.#handlers.onRequest(message.method, message.params, message.id);
        break;
      case 'notify':
        this.#handlers.onNotify(message.method, message.params);
        break;
      default: {
        const waiter = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (waiter === undefined && message.id !== 'echo' && !this.#ignoresStrays) this.#end('received unexpected reply message');
        if (message.kind === 'reply') waiter?.resolve(message.result);
        else waiter?.reject(new RpcError(message.error));
      }
    }
  }

  #heard(): void {
    this.#cancelProbe();
    this.#probeSent = false;
    // The runtime's clock costs a millisecond to make: a tool that probes nobody asks it for nothing.
    if (this.#probeIntervalMs <= 0 || this.#closed) return;
    this.#lastHeard = this.#clock?.now() ?? 0;
    this.#armProbe(this.#probeIntervalMs);
  }

  #armProbe(ms: number): void {
    const clock = this.#clock;
    if (clock === undefined) return;
    this.#cancelProbe = clock.after(ms, () => {
      const left = this.#lastHeard + this.#probeIntervalMs - clock.now();
      if (left > 0) {
        this.#armProbe(left);
      } else if (this.#probeSent) {
        this.#finish(`${NO_SIGN} after ${Number(((clock.now() - this.#lastHeard) / 1000).toPrecision(3))} seconds, disconnecting`);
      } else {
        this.#probeSent = true;
        reconnectLog.dbg(() => `${this.name}: idle ${Math.round(clock.now() - this.#lastHeard)} ms, sending inactivity probe`);
        reconnectLog.dbg(() => `${this.name}: entering IDLE`);
        this.#lastHeard = clock.now();
        this.probe();
        this.#armProbe(this.#probeIntervalMs);
      }
    });
  }
}
