// One OpenFlow connection over a stream: hello and version, echo, inactivity probe, messages in both directions, and why it ended.
// The switch, ovs-ofctl and controllers all use it; who dialled makes no difference to the protocol.
//
// States: negotiating (our hello is out, theirs awaited) -> open (a version is chosen) -> closed (once, with a reason).
// A message that cannot be decoded is answered with its OpenFlow error and the connection goes on; broken framing or an unknown
// version ends it.
import type { Clock } from '../../base/clock.ts';
import { errorText, PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Stream } from '../../base/stream.ts';
import type { CodecOptions } from '../codec/codec.ts';
import { decodeMessage, encodeMessage } from '../codec/codec.ts';
import { errorMessage } from '../errors.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { printBytes } from '../text/message-print.ts';
import { Framing } from './framing.ts';

const log = logger('vconn');

/** All versions, as the bits of a hello. */
export const ALL_VERSIONS = 0x7e;

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
  /** What the codec has to know; the owner changes it as messages say (flow format, packet-in format, table ids). */
  codec: CodecOptions = {};
  /** Messages received and sent since the start. */
  received = 0;
  sent = 0;
  readonly #settings: ConnectionSettings;
  readonly #handlers: ConnectionHandlers;
  readonly #framing = new Framing();
  readonly #waiting = new Map<number, Waiting>();
  #version: OfVersion | undefined;
  #nextXid = 1;
  #closed = false;
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
    stream.start({ onData: (bytes) => this.#onData(bytes), onClose: (reason) => this.#finish(reason) });
    const highest = (31 - Math.clz32(settings.versions & ALL_VERSIONS)) as OfVersion;
    this.#write(encodeMessage(highest, this.xid(), { kind: 'hello', versions: settings.versions & ALL_VERSIONS }));
    if ((settings.helloTimeoutMs ?? 0) > 0) {
      this.#cancelProbe = settings.clock.after(settings.helloTimeoutMs ?? 0, () => {
        if (this.#version === undefined) this.close('no hello message');
      });
    }
  }

  /** The version agreed on; undefined until then. */
  get version(): OfVersion | undefined {
    return this.#version;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** A transaction id that was not used on this connection lately. */
  xid(): number {
    const xid = this.#nextXid;
    this.#nextXid = xid === 0xffffffff ? 1 : xid + 1;
    return xid;
  }

  /** Sends a message and gives its xid. Before a version is agreed on, and after the end, it is a mistake of the caller's: nothing is sent. */
  send(message: Message, xid = this.xid(), options = this.codec): number {
    if (this.#version !== undefined && !this.#closed) this.#write(encodeMessage(this.#version, xid, message, options));
    return xid;
  }

  /** Sends bytes already encoded. */
  sendBytes(bytes: Uint8Array): void {
    if (!this.#closed) this.#write(bytes);
  }

  /** Answers a request with an error by name, quoting the request. */
  sendError(name: string, request: Uint8Array): void {
    const version = this.#version ?? 1;
    const xid = new DataView(request.buffer, request.byteOffset).getUint32(4);
    this.#write(encodeMessage(version, xid, errorMessage(version, name, request)));
  }

  /** Sends a request and gives all parts of its answer. Rejects with OpenFlowError when the answer is an error. */
  ask(message: Message, options = this.codec, xid = this.xid()): Promise<Framed[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new PeerError('closed', 'connection closed'));
        return;
      }
      this.#waiting.set(this.send(message, xid, options), { parts: [], resolve, reject });
    });
  }

  /** Ends the connection after what is queued has been sent. */
  close(reason = ''): void {
    if (this.#closed) return;
    this.stream.close();
    this.#finish(reason);
  }

  #write(bytes: Uint8Array): void {
    log.dbg(() => `${this.stream.name}: sent (Success): ${printBytes(bytes, { codec: this.codec })}`);
    this.sent++;
    this.stream.write(bytes);
  }

  #onData(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#lastHeard = this.#settings.clock.now();
    this.#probeSent = false;
    try {
      this.#framing.push(bytes, (message) => {
        if (!this.#closed) this.#onMessage(message);
      });
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.stream.destroy();
      this.#finish(errorText(error));
    }
  }

  #onMessage(bytes: Uint8Array): void {
    log.dbg(() => `${this.stream.name}: received: ${printBytes(bytes, { codec: this.codec })}`);
    this.received++;
    if (this.#version === undefined) {
      this.#onHello(bytes);
      return;
    }
    const version = bytes[0];
    if (bytes[1] !== 0 && version !== this.#version) {
      this.sendError('OFPBRC_BAD_VERSION', bytes);
      this.#handlers.onBadMessage?.(
        new PeerError(
          'OFPBRC_BAD_VERSION',
          `received OpenFlow version 0x${(version ?? 0).toString(16).padStart(2, '0')} != expected ${hex(this.#version)}`,
        ),
        bytes,
      );
      return;
    }
    let framed: Framed;
    try {
      framed = decodeMessage(bytes, this.codec);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
      const waiting = this.#waiting.get(xid);
      if (waiting !== undefined) {
        log.warn(() => `parse error in reply (${error.code})`);
        this.#waiting.delete(xid);
        waiting.reject(new PeerError('EPROTO', 'Protocol error'));
        return;
      }
      // An error is never answered with an error.
      if (bytes[1] !== 1) this.sendError(error.code, bytes);
      this.#handlers.onBadMessage?.(error, bytes);
      return;
    }
    this.#dispatch(framed, bytes);
  }

  #dispatch(framed: Framed, bytes: Uint8Array): void {
    const { message, xid } = framed;
    if (message.kind === 'hello') return;
    if (message.kind === 'echoRequest') {
      this.send({ kind: 'echoReply', data: message.data }, xid);
      return;
    }
    const waiting = this.#waiting.get(xid);
    if (waiting !== undefined && message.kind !== 'packetIn' && message.kind !== 'portStatus' && message.kind !== 'flowRemoved') {
      if (message.kind === 'error') {
        this.#waiting.delete(xid);
        waiting.reject(new OpenFlowError(framed));
        return;
      }
      waiting.parts.push(framed);
      if ('more' in message && message.more) return;
      this.#waiting.delete(xid);
      waiting.resolve(waiting.parts);
      return;
    }
    // Replies to our probes have the probe's xid, 0.
    if (message.kind === 'echoReply' && xid === 0) return;
    this.#handlers.onMessage(framed, bytes);
  }

  #onHello(bytes: Uint8Array): void {
    let framed: Framed;
    try {
      framed = decodeMessage(bytes);
      if (framed.message.kind !== 'hello') throw new PeerError('hello', 'no hello');
    } catch {
      this.close(`received message while expecting hello: ${printBytes(bytes).trimEnd()}`);
      return;
    }
    const theirs = framed.message.versions;
    const common = theirs & this.#settings.versions & ALL_VERSIONS;
    if (common === 0) {
      const text = `We support ${describe(this.#settings.versions)}, you support ${describe(theirs)}, no common versions.`;
      const error: Message = { kind: 'error', type: 0, code: 0, experimenter: 0, data: new TextEncoder().encode(text) };
      // In the peer's version, as it has no other.
      this.#write(encodeMessage(Math.min(framed.version, 6) as OfVersion, 0, error));
      this.close(`version negotiation failed (we support ${describe(this.#settings.versions)}, peer supports ${describe(theirs)})`);
      return;
    }
    this.#version = (31 - Math.clz32(common)) as OfVersion;
    const agreed = this.#version;
    const ours = this.#settings.versions & ALL_VERSIONS;
    log.dbg(
      () =>
        `${this.stream.name}: negotiated OpenFlow version ${hex(agreed)} (we support ${describe(ours)}, peer supports ${describe(theirs)})`,
    );
    this.#cancelProbe?.();
    this.#scheduleProbe();
    this.#handlers.onOpen?.(this.#version);
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
        this.stream.destroy();
        this.#finish(`no response to inactivity probe after ${interval / 1000} seconds, disconnecting`);
        return;
      }
      this.#scheduleProbe();
    });
  }

  #finish(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelProbe?.();
    for (const waiting of this.#waiting.values()) waiting.reject(new PeerError('closed', reason === '' ? 'End of file' : reason));
    this.#waiting.clear();
    this.#handlers.onClose(reason);
  }
}

const hex = (version: number): string => `0x${version.toString(16).padStart(2, '0')}`;

/** Versions in words, as the reference prints them. */
function describe(bits: number): string {
  const versions: number[] = [];
  for (let version = 0; version < 31; version++) if ((bits & (1 << version)) !== 0) versions.push(version);
  if (versions.length === 1) return `version ${hex(versions[0] ?? 0)}`;
  const last = versions.at(-1) ?? 0;
  const isRun = versions.length === last && versions[0] === 1;
  return isRun ? `version ${hex(last)} and earlier` : `versions ${versions.map(hex).join(', ')}`;
}
