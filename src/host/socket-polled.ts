// Streams and listeners over `socketPoll`: Unix sockets and TCP, accepted only. TLS and outgoing connections stay with socket.ts.
//
// `write` goes to the kernel at once; what it does not take is kept and sent when it can be. At the peer's end of file what is still promised to it is
// sent at the end of the batch, then the socket is closed.
import { chmodSync } from 'node:fs';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../base/addresses.ts';
import { strerror } from '../base/errno.ts';
import { KernelError } from '../base/errors.ts';
import type { Listener, Stream, StreamHandlers } from '../base/stream.ts';
import { closeFd, E, lastError, libc, setSocketInt } from './ffi.ts';
import { mapScratch, SCRATCH_SIZE, SCRATCH_TEXT_LENGTH, type Scratch, scratch } from './scratch.ts';
import { listenStream, nextUnixPeer, removeSocketFile, SOCKET_MODE, shortPath } from './socket.ts';
import { type PollHandler, socketPoll, wouldBlock } from './socket-poll.ts';
import { parseSocketTarget } from './socket-target.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK = 1 | 0o4000 | 0o2000000;
const ACCEPT_FLAGS = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const BACKLOG = 511;
/** How long a closed TCP connection waits for the peer's end, so that the last bytes are not lost to a reset. */
const LINGER_MS = 1000;

/** All sockets are read into this; what is kept is copied. */
let input: Scratch | undefined;

class PolledStream implements Stream, PollHandler {
  readonly name: string;
  readonly #fd: number;
  readonly #lingers: boolean;
  #handlers: StreamHandlers | undefined;
  #queue: Uint8Array[] = [];
  #queuedSize = 0;
  #reason = '';
  /** open: all goes; closing: sends its queue; over: the descriptor is lingering or gone. */
  #state: 'open' | 'closing' | 'over' = 'open';
  #isPaused = false;
  #endsAfterBatch = false;
  #isReleased = false;

  constructor(name: string, fd: number, lingers: boolean) {
    this.name = name;
    this.#fd = fd;
    this.#lingers = lingers;
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
    if (this.#queuedSize > 0 || text.length > SCRATCH_TEXT_LENGTH) {
      this.write(Buffer.from(text));
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
    input ??= mapScratch();
    const count = Number(libc().recvAt(this.#fd, input.address, SCRATCH_SIZE, 0));
    if (count > 0) {
      if (this.#state === 'open') this.#handlers?.onData(input.bytes.subarray(0, count));
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

/** struct sockaddr of a passive target. */
function socketAddress(kind: 'unix' | 'tcp', place: string, port: number): Uint8Array | undefined {
  if (kind === 'unix') {
    const path = Buffer.from(place);
    const address = new Uint8Array(2 + path.length + 1);
    address[0] = AF_UNIX;
    address.set(path, 2);
    return address;
  }
  const v4 = parseIpv4(place);
  const v6 = v4 === undefined ? parseIpv6(place) : undefined;
  if (v4 === undefined && v6 === undefined) return undefined;
  const address = new Uint8Array(v4 === undefined ? 28 : 16);
  const view = new DataView(address.buffer);
  view.setUint16(0, v4 === undefined ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  if (v4 !== undefined) view.setUint32(4, v4);
  for (const [i, word] of (v6 ?? []).entries()) view.setUint32(8 + 4 * i, word);
  return address;
}

function peerName(address: Uint8Array): string {
  const view = new DataView(address.buffer);
  const port = view.getUint16(2);
  if (view.getUint16(0, true) === AF_INET) return `tcp:${formatIpv4(view.getUint32(4))}:${port}`;
  const words = [8, 12, 16, 20].map((at) => view.getUint32(at));
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `tcp:${formatIpv4(words[3] ?? 0)}:${port}`;
  return `tcp:[${formatIpv6(words)}]:${port}`;
}

/** Like `listenStream`, for a server with many peers. */
export async function listenPolled(target: string, onStream: (stream: Stream) => void, defaultPort = 0): Promise<Listener> {
  const parsed = parseSocketTarget(target, defaultPort);
  if (!parsed.passive || parsed.kind === 'ssl') return listenStream(target, onStream, defaultPort);
  const isUnix = parsed.kind === 'unix';
  const short = isUnix ? shortPath(parsed.path) : undefined;
  const host = parsed.kind === 'tcp' && parsed.host !== '' ? parsed.host : '0.0.0.0';
  const address = isUnix ? socketAddress('unix', short?.path ?? '', 0) : socketAddress('tcp', host, parsed.port);
  // An address with a zone or some such is left to the runtime.
  if (address === undefined) return listenStream(target, onStream, defaultPort);
  const c = libc();
  const family = address[0] as number;
  let fd = -1;
  let boundPort = 0;
  try {
    fd = c.socket(family, SOCK_STREAM_NONBLOCK, 0);
    if (fd < 0) throw lastError(target);
    if (isUnix) removeSocketFile(parsed.path);
    else setSocketInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) setSocketInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (c.bind(fd, address, address.length) < 0) throw lastError(target);
    if (c.listen(fd, BACKLOG) < 0) throw lastError(target);
    if (isUnix) chmodSync(parsed.path, SOCKET_MODE);
    else {
      const name = new Uint8Array(28);
      c.getsockname(fd, name, new Uint8Array([28, 0, 0, 0]));
      boundPort = new DataView(name.buffer).getUint16(2);
    }
  } catch (error) {
    closeFd(fd);
    short?.release();
    if (error instanceof KernelError) throw new KernelError(target, error.errno, strerror(error.errno));
    throw error;
  }
  const peer = new Uint8Array(112);
  const accept = (): void => {
    for (;;) {
      const accepted = c.accept4(fd, peer, new Uint8Array([112, 0, 0, 0]), ACCEPT_FLAGS);
      if (accepted < 0) {
        // Out of descriptors: the peer waits in the queue; the listener must not spin on it.
        if (!wouldBlock() && c.errno() !== E.CONNABORTED) rest();
        return;
      }
      if (!isUnix) setSocketInt(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
      onStream(new PolledStream(isUnix ? nextUnixPeer() : peerName(peer), accepted, !isUnix));
    }
  };
  let isOpen = true;
  const rest = (): void => {
    socketPoll().want(fd, false, false);
    setTimeout(() => isOpen && socketPoll().want(fd, true, false), 100).unref();
  };
  socketPoll().add(fd, { onReadable: accept, onWritable: () => {} });
  return {
    name: target,
    boundPort,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      socketPoll().release(fd);
      short?.release();
      if (isUnix) removeSocketFile(parsed.path);
    },
  };
}
