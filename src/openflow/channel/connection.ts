// One OpenFlow connection of a client or a controller: an OpenFlowChannel, and over it echo, inactivity probe, requests and their answers.
//
// A message that cannot be decoded is answered with its OpenFlow error and the connection goes on.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Stream } from '../../base/stream.ts';
import { encodeMessage } from '../codec/codec.ts';
import type { CodecOptions } from '../codec/codec-options.ts';
import { errorMessage } from '../errors.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { OpenFlowChannel } from './channel.ts';
import { echoReplyTo } from './echo.ts';

const log = logger('vconn');

/** All versions, as the bits of a hello. */
export const ALL_VERSIONS = 0x7e;

const VERSIONS: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];
const OFPT_ERROR = 1;

/** Bits of a list of versions. */
export const versionBits = (versions: Iterable<OfVersion>): number => [...versions].reduce((bits, version) => bits | (1 << version), 0);

/** What the owner is told. Nothing is called after `onClose`. */
export interface ConnectionHandlers {
  /** A version was agreed on; from now on messages may be sent. */
  onOpen?(version: OfVersion): void;
  /** A message other than hello and echo; `bytes` is the whole of it, for an error that quotes it. */
  onMessage(framed: Framed, bytes: Uint8Array): void;
  /** A message that could not be decoded; it has been answered. */
  onBadMessage?(error: PeerError, bytes: Uint8Array): void;
  /** The end; '' when the peer closed in order. */
  onClose(reason: string): void;
}

export interface ConnectionSettings {
  clock: Clock;
  /** Versions allowed, as bits (1 << version). */
  versions: number;
  /** Milliseconds without a message before an echo is sent, and again before the connection is given up; 0 = never. */
  probeIntervalMs?: number;
  /** Milliseconds for the peer's hello; 0 = as long as it likes. */
  helloTimeoutMs?: number;
  /** Transaction id of our hello; the next ones follow. */
  firstXid?: number;
}

interface Waiting {
  parts: Framed[];
  holds: boolean;
  resolve(parts: Framed[]): void;
  reject(error: Error): void;
}

/** A request's answer was an OpenFlow error. */
export class OpenFlowError extends PeerError {
  readonly framed: Framed;
  constructor(framed: Framed) {
    const message = framed.message;
    const name = message.kind === 'error' ? (message.name ?? `type ${message.type}, code ${message.code}`) : 'error';
    super(name, name);
    this.framed = framed;
  }
}

export class OpenFlowConnection {
  readonly stream: Stream;
  readonly #channel: OpenFlowChannel;
  readonly #settings: ConnectionSettings;
  readonly #handlers: ConnectionHandlers;
  readonly #waiting = new Map<number, Waiting>();
  #nextXid: number;
  #isClosed = false;
  #lastHeard: number;
  #probeSent = false;
  #cancelProbe: (() => void) | undefined;

  /** Takes the stream over and sends our hello. */
  constructor(stream: Stream, settings: ConnectionSettings, handlers: ConnectionHandlers) {
    this.stream = stream;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#lastHeard = settings.clock.now();
    this.#nextXid = settings.firstXid ?? 1;
    this.#channel = new OpenFlowChannel(
      stream.name,
      stream,
      VERSIONS.filter((version) => (settings.versions & (1 << version)) !== 0),
      {
        onOpen: (version) => {
          this.#cancelProbe?.();
          this.#scheduleProbe();
          handlers.onOpen?.(version);
        },
        onMessage: (message, bytes) => this.#hear(message, bytes),
        onClose: (reason) => this.#finish(reason),
      },
      this.xid(),
    );
    if ((settings.helloTimeoutMs ?? 0) > 0) {
      this.#cancelProbe = settings.clock.after(settings.helloTimeoutMs ?? 0, () => {
        if (!this.#channel.isOpen) this.close('no hello message');
      });
    }
  }

  /** What the codec has to know; the owner changes it as messages say (flow format, packet-in format, table ids). */
  get codec(): CodecOptions {
    return this.#channel.options;
  }

  /** The version agreed on; undefined until then. */
  get version(): OfVersion | undefined {
    return this.#channel.isOpen ? this.#channel.version : undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A transaction id that was not used on this connection lately. */
  xid(): number {
    const xid = this.#nextXid;
    this.#nextXid = xid === 0xffffffff ? 1 : xid + 1;
    return xid;
  }

  /** Sends a message and gives its xid. Before a version is agreed on, and after the end, it is a mistake of the caller's: nothing is sent. */
  send(message: Message, xid = this.xid(), options = this.codec): number {
    if (this.#channel.isOpen) this.#channel.sendBytes(encodeMessage(this.#channel.version, xid, message, options));
    return xid;
  }

  /** Sends bytes already encoded. */
  sendBytes(bytes: Uint8Array): void {
    this.#channel.sendBytes(bytes);
  }

  /** Answers a request with an error by name, quoting the request. */
  sendError(name: string, request: Uint8Array): void {
    const xid = new DataView(request.buffer, request.byteOffset).getUint32(4);
    this.send(errorMessage(this.#channel.version, name, request), xid);
  }

  /**
   * Sends a request and gives all parts of its answer; with `holds`, what comes after them waits for `release`. Rejects with OpenFlowError when
   * the answer is an error.
   */
  ask(message: Message, options = this.codec, xid = this.xid(), holds = false): Promise<Framed[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new PeerError('closed', 'connection closed'));
        return;
      }
      this.#waiting.set(this.send(message, xid, options), { parts: [], holds, resolve, reject });
    });
  }

  /** As `OpenFlowChannel.watch`: nothing is answered any more. */
  watch(onBytes: (bytes: Uint8Array) => void, ofAnyVersion: boolean): void {
    this.#channel.watch(onBytes, ofAnyVersion);
  }

  /** Keeps what comes until `release`. */
  hold(): void {
    this.#channel.hold();
  }

  /** Hands on what was held. */
  release(): void {
    this.#channel.release();
  }

  /** Ends the connection after what is queued has been sent. */
  close(reason = ''): void {
    this.#channel.finish(reason);
  }

  #hear(message: Framed | PeerError, bytes: Uint8Array): void {
    this.#lastHeard = this.#settings.clock.now();
    this.#probeSent = false;
    if (message instanceof PeerError) this.#refuse(message, bytes);
    else this.#dispatch(message, bytes);
  }

  #refuse(error: PeerError, bytes: Uint8Array): void {
    const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    const waiting = this.#waiting.get(xid);
    if (waiting !== undefined) {
      log.warn(() => `parse error in reply (${error.code})`);
      this.#waiting.delete(xid);
      waiting.reject(new PeerError('EPROTO', 'Protocol error'));
      return;
    }
    // An error is never answered with an error.
    if (bytes[1] !== OFPT_ERROR) this.sendError(error.code, bytes);
    this.#handlers.onBadMessage?.(error, bytes);
  }

  #dispatch(framed: Framed, bytes: Uint8Array): void {
    const { message, xid } = framed;
    if (message.kind === 'hello') return;
    if (message.kind === 'echoRequest') {
      this.sendBytes(echoReplyTo(bytes));
      return;
    }
    const waiting = this.#waiting.get(xid);
    if (waiting !== undefined && message.kind !== 'packetIn' && message.kind !== 'portStatus' && message.kind !== 'flowRemoved') {
      if (message.kind === 'error') {
        if (waiting.holds) this.#channel.hold();
        this.#waiting.delete(xid);
        waiting.reject(new OpenFlowError(framed));
        return;
      }
      waiting.parts.push(framed);
      if ('more' in message && message.more) return;
      if (waiting.holds) this.#channel.hold();
      this.#waiting.delete(xid);
      waiting.resolve(waiting.parts);
      return;
    }
    // Replies to our probes have the probe's xid, 0.
    if (message.kind === 'echoReply' && xid === 0) return;
    this.#handlers.onMessage(framed, bytes);
  }

  #scheduleProbe(): void {
    const interval = this.#settings.probeIntervalMs ?? 0;
    if (interval <= 0) return;
    const due = this.#lastHeard + interval * (this.#probeSent ? 2 : 1) - this.#settings.clock.now();
    this.#cancelProbe = this.#settings.clock.after(Math.max(due, 1), () => {
      const silent = this.#settings.clock.now() - this.#lastHeard;
      if (silent >= interval && !this.#probeSent) {
        this.#probeSent = true;
        this.send({ kind: 'echoRequest', data: new Uint8Array(0) }, 0);
      } else if (this.#probeSent && silent >= interval * 2) {
        this.#channel.close(`no response to inactivity probe after ${interval / 1000} seconds, disconnecting`);
        return;
      }
      this.#scheduleProbe();
    });
  }

  #finish(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelProbe?.();
    for (const waiting of this.#waiting.values()) waiting.reject(new PeerError('closed', reason === '' ? 'End of file' : reason));
    this.#waiting.clear();
    this.#handlers.onClose(reason);
  }
}
