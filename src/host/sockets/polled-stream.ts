// A stream over `socketPoll`: a Unix socket either way, or an accepted TCP connection. TLS and outgoing TCP connections stay with socket.ts.
//
// `write` goes to the kernel at once; what it does not take is kept and sent when it can be. At the peer's end of file what is still promised to it is
// sent at the end of the batch, then the socket is closed.
import { encodeText } from '../../base/byte-text.ts';
import { strerror } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import type { Stream, StreamHandlers } from '../../base/stream.ts';
import { closeFd, E, libc } from '../ffi.ts';
import { mapScratch, SCRATCH_SIZE, SCRATCH_TEXT_LENGTH, type Scratch, scratch } from '../scratch.ts';
import { AF_UNIX, SOCK_STREAM_NONBLOCK, unixAddress } from './socket-address.ts';
import { type PollHandler, socketPoll, wouldBlock } from './socket-poll.ts';

const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
/** What is no longer goes through memory that the kernel knows by its address. */
const SMALL_SIZE = 1024;
/** How long a closed TCP connection waits for the peer's end, so that the last bytes are not lost to a reset. */
const LINGER_MS = 1000;

/** All sockets are read into this; what is kept is copied. */
let input: Scratch | undefined;

export class PolledStream implements Stream, PollHandler {
  readonly name: string;
  readonly #fd: number;
  readonly #lingers: boolean;
  /** Whoever opened the connection awaits its answers; a server answers at once. */
  readonly #isClient: boolean;
  #handlers: StreamHandlers | undefined;
  #queue: Uint8Array[] = [];
  #queuedSize = 0;
  #reason = '';
  /** open: all goes; closing: sends its queue; over: the descriptor is lingering or gone. */
  #state: 'open' | 'closing' | 'over' = 'open';
  #isPaused = false;
  #endsAfterBatch = false;
  #isReleased = false;

  constructor(name: string, fd: number, lingers: boolean, isClient = false) {
    this.name = name;
    this.#fd = fd;
    this.#lingers = lingers;
    this.#isClient = isClient;
  }

  get queuedBytes(): number {
    return this.#queuedSize;
  }

  start(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    if (this.#state === 'over') queueMicrotask(() => handlers.onClose(this.#reason));
    else socketPoll().add(this.#fd, this);
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    if (this.#queuedSize > 0) {
      this.#keep(bytes);
      return;
    }
    const sent = this.#send(bytes);
    if (sent >= 0 && sent < bytes.length) {
      this.#keep(bytes.subarray(sent));
      this.#watch();
    }
  }

  writeText(text: string): void {
    if (this.#state !== 'open') return;
    if (this.#queuedSize > 0 || text.length > SCRATCH_TEXT_LENGTH || !text.isWellFormed()) {
      this.write(encodeText(text));
      return;
    }
    const { bytes, address } = scratch();
    const size = bytes.write(text, 0);
    const sent = this.#taken(libc().sendAt(this.#fd, address, size, MSG_NOSIGNAL));
    if (sent >= 0 && sent < size) {
      this.#keep(Buffer.from(bytes.subarray(sent, size)));
      this.#watch();
    }
  }

  #send(bytes: Uint8Array): number {
    // A small array has no memory outside the heap, and would be given some for the call.
    if (bytes.length <= SMALL_SIZE) {
      const memory = scratch();
      memory.bytes.set(bytes);
      return this.#taken(libc().sendAt(this.#fd, memory.address, bytes.length, MSG_NOSIGNAL));
    }
    return this.#taken(libc().send(this.#fd, bytes, bytes.length, MSG_NOSIGNAL));
  }

  /** Bytes the kernel took, of what `send` gave; -1 when the connection is broken. */
  #taken(result: number): number {
    const sent = Number(result);
    if (sent >= 0) return sent;
    if (wouldBlock()) return 0;
    this.#end(strerror(libc().errno()));
    return -1;
  }

  #keep(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedSize += bytes.length;
  }

  #watch(): void {
    if (this.#state !== 'over') socketPoll().want(this.#fd, !this.#isPaused && !this.#endsAfterBatch, this.#queuedSize > 0);
  }

  onReadable(): void {
    if (this.#isClient) socketPoll().runPromises();
    input ??= mapScratch();
    const count = Number(libc().recvAt(this.#fd, input.address, SCRATCH_SIZE, 0));
    if (count > 0) {
      if (this.#state !== 'open') return;
      const bytes = input.bytes.subarray(0, count);
      // What awaits an answer holds on to its bytes.
      this.#handlers?.onData(this.#isClient ? Buffer.from(bytes) : bytes);
      return;
    }
    if (count < 0) {
      if (wouldBlock()) return;
      const reason = strerror(libc().errno());
      if (this.#state === 'over') this.#release();
      else this.#end(reason);
      return;
    }
    if (this.#state === 'over') {
      this.#release();
      return;
    }
    this.#endsAfterBatch = true;
    this.#watch();
    socketPoll().atEnd(() => this.close());
  }

  onWritable(): void {
    if (this.#isClient) socketPoll().runPromises();
    while (this.#queue.length > 0) {
      const bytes = this.#queue[0] as Uint8Array;
      const sent = this.#send(bytes);
      if (sent < 0) return;
      this.#queuedSize -= sent;
      if (sent < bytes.length) {
        this.#queue[0] = bytes.subarray(sent);
        break;
      }
      this.#queue.shift();
    }
    if (this.#queuedSize > 0) return;
    if (this.#state === 'closing') {
      this.#end('');
      return;
    }
    this.#watch();
    this.#handlers?.onDrain?.();
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch();
  }

  resume(): void {
    this.#isPaused = false;
    this.#watch();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    if (this.#queuedSize === 0) this.#end('');
    else setTimeout(() => this.#end(''), LINGER_MS).unref();
  }

  destroy(): void {
    this.#end('');
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    socketPoll().release(this.#fd);
  }

  /** The end, once: of the handlers at the end of the batch, of the descriptor then or when the peer has ended too. */
  #end(reason: string): void {
    if (this.#state === 'over') return;
    const lingers = this.#lingers && this.#state === 'closing' && !this.#endsAfterBatch && this.#queuedSize === 0;
    this.#state = 'over';
    this.#reason = reason;
    this.#queue = [];
    this.#queuedSize = 0;
    const poll = socketPoll();
    if (lingers) {
      libc().shutdown(this.#fd, SHUT_WR);
      poll.want(this.#fd, true, false);
      setTimeout(() => this.#release(), LINGER_MS).unref();
    } else {
      this.#release();
    }
    poll.atEnd(() => this.#handlers?.onClose(this.#reason));
  }
}

/** Connects to a Unix socket. Throws KernelError. */
export function connectUnix(name: string, path: string): Stream {
  const c = libc();
  const fd = c.socket(AF_UNIX, SOCK_STREAM_NONBLOCK, 0);
  const address = unixAddress(path);
  if (fd < 0 || c.connect(fd, address, address.length) < 0) {
    // A listener whose queue is full: for the reference a connection that can be neither made nor awaited breaks the protocol.
    const errno = c.errno() === E.AGAIN ? E.PROTO : c.errno();
    closeFd(fd);
    throw new KernelError(name, errno, strerror(errno));
  }
  return new PolledStream(name, fd, false, true);
}
