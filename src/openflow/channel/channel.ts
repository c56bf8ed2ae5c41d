// An OpenFlow channel over a stream: hello, version negotiation, whole messages in both directions, and their text in the log.
//
//   waiting for hello --hello with a common version--> open --close--> closed
//
// A channel never throws for what a peer sends: bytes that are no message end it with a reason, a message that cannot be decoded is
// handed on as bytes with the fault, and one of another version than was agreed on is refused here and nobody hears of it. Reasons are what Open vSwitch logs: 'Protocol error' for any breach of the protocol, strerror texts
// of the stream, '' for an orderly end.
import { PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { LogLimit, limitedLogger } from '../../base/log-limit.ts';
import type { Stream } from '../../base/stream.ts';
import { decodeMessage, encodeMessage } from '../codec/codec.ts';
import type { CodecOptions } from '../codec/codec-options.ts';
import { errorMessage } from '../errors.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { identifyMessage, isOfAllVersions } from '../message-table.ts';
import { errorsLog } from '../peer-logs.ts';
import { printBytes } from '../text/message-print.ts';
import { Framing } from './framing.ts';
import { decodeHello, encodeHello, formatVersions, highestVersion, versionBitmap } from './hello.ts';

const log = logger('vconn');
/** Messages may come by the thousand: ten a second, after six hundred at once. */
const messageLimit = new LogLimit(600, 600);
const badMessageLog = limitedLogger('vconn');
const streamLog = logger('vconn_stream');

const OFPT_ERROR = 1;
const MAX_VERSION = 6;

const twoDigits = (version: number): string => version.toString(16).padStart(2, '0');

export interface ChannelHandlers {
  /** Versions have been agreed on. */
  onOpen(version: OfVersion): void;
  /** A message, or the fault in it. `bytes` may be kept. */
  onMessage(message: Framed | PeerError, bytes: Uint8Array): void;
  /** Told once. */
  onClose(reason: string): void;
  /** All that was queued has been taken by the operating system. */
  onDrain?(): void;
  /** Every message but the hellos, as it stands on the wire, sent or received. */
  onTraffic?(bytes: Uint8Array): void;
}

let nextHelloXid = 1;

export class OpenFlowChannel {
  readonly name: string;
  /** What the two ends agreed on beside the version. */
  readonly options: CodecOptions = {};
  readonly #stream: Stream;
  readonly #versions: readonly OfVersion[];
  readonly #handlers: ChannelHandlers;
  readonly #framing = new Framing();
  /** What is kept for later: messages, and why the stream ended. */
  #held: { messages: Uint8Array[]; end?: string } | undefined;
  #watcher: { onBytes(bytes: Uint8Array): void; ofAnyVersion: boolean } | undefined;
  #version: OfVersion | undefined;
  #isClosed = false;
  #writtenSize = 0;

  /** `name` is what the log calls the peer; handlers are called from the next turn on. Hellos are numbered unless theirs is given. */
  constructor(name: string, stream: Stream, versions: readonly OfVersion[], handlers: ChannelHandlers, helloXid = nextHelloXid++) {
    this.name = name;
    this.#stream = stream;
    this.#versions = versions;
    this.#handlers = handlers;
    stream.start({
      onData: (bytes) => this.#take(bytes),
      onClose: (reason) => {
        if (this.#held === undefined) this.#end(reason);
        else this.#held.end = reason;
      },
      onDrain: () => {
        if (!this.#isClosed) this.#handlers.onDrain?.();
      },
    });
    this.#write(encodeHello(versions, helloXid));
  }

  /** The version agreed on; before that the highest of ours. */
  get version(): OfVersion {
    return this.#version ?? (highestVersion(versionBitmap(this.#versions)) as OfVersion);
  }

  get isOpen(): boolean {
    return this.#version !== undefined && !this.#isClosed;
  }

  /** Bytes that wait to be taken by the operating system. */
  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  /** Bytes of the stream that the operating system has taken so far. */
  get takenBytes(): number {
    return this.#writtenSize - this.#stream.queuedBytes;
  }

  /** Encodes for the agreed version and sends; gives the message's size. */
  send(message: Message, xid: number): number {
    return this.sendBytes(encodeMessage(this.version, xid, message, this.options));
  }

  /** Sends a message that stands encoded. */
  sendBytes(bytes: Uint8Array): number {
    if (this.#isClosed) return 0;
    this.#handlers.onTraffic?.(bytes);
    this.#write(bytes);
    return bytes.length;
  }

  /** From now on every message goes to `onBytes` as it came; with `ofAnyVersion` those of other versions than were agreed on too. */
  watch(onBytes: (bytes: Uint8Array) => void, ofAnyVersion: boolean): void {
    this.#watcher = { onBytes, ofAnyVersion };
  }

  /** What comes is kept until `release`, an end too: for who cannot tell yet what to do with it. */
  hold(): void {
    this.#held ??= { messages: [] };
  }

  /** Hands on what was held, until it is held again. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    while (held.messages.length > 0 && !this.#isClosed) {
      this.#message(held.messages.shift() as Uint8Array);
      if (this.#isHeld()) {
        this.#held = held;
        return;
      }
    }
    if (held.end !== undefined) this.#end(held.end);
  }

  #isHeld(): boolean {
    return this.#held !== undefined;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Ends the channel at once; `onClose` is told `reason`. */
  close(reason = ''): void {
    if (this.#isClosed) return;
    this.#stream.destroy();
    this.#end(reason);
  }

  /** Ends the channel when what is queued has gone; `onClose` is told `reason` now. */
  finish(reason = ''): void {
    if (this.#isClosed) return;
    this.#stream.close();
    this.#end(reason);
  }

  /** Ends the channel at once without telling anyone. */
  abandon(): void {
    this.#isClosed = true;
    this.#stream.destroy();
  }

  #say(text: () => string): void {
    messageLimit.write(log, 'dbg', () => `${this.name}: ${text()}`);
  }

  /** As anyone else would read it, who knows no TLV table: flows in a form that is quicker to apply are not printed. */
  #print(bytes: Uint8Array): string {
    const { tlvTable: _, ...codec } = this.options;
    return printBytes(bytes, { codec: { ...codec, packsFlows: false, isStrict: false } });
  }

  #write(bytes: Uint8Array): void {
    this.#say(() => `sent (Success): ${this.#print(bytes)}`);
    this.#writtenSize += bytes.length;
    this.#stream.write(bytes);
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.onClose(reason);
  }

  #take(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#framing.push(bytes, (message) => {
        if (this.#isClosed) return;
        if (this.#held === undefined) this.#message(message);
        else this.#held.messages.push(message);
      });
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      streamLog.err(error.message);
      this.close('Protocol error');
    }
  }

  #message(bytes: Uint8Array): void {
    if (this.#version === undefined) {
      this.#hello(bytes);
      return;
    }
    this.#say(() => `received: ${this.#print(bytes)}`);
    if (bytes[0] !== this.#version && !(isOfAllVersions(bytes[1] ?? 0) && bytes[0] !== 0) && this.#watcher?.ofAnyVersion !== true) {
      this.#refuseVersion(bytes);
      return;
    }
    this.#handlers.onTraffic?.(bytes);
    if (this.#watcher !== undefined) this.#watcher.onBytes(bytes);
    else this.#handlers.onMessage(this.decode(bytes), bytes);
  }

  /** OFPT_ERROR in the version of the message, or in the first one where there is no such version. */
  #refuseVersion(bytes: Uint8Array): void {
    try {
      identifyMessage(bytes);
    } catch (error) {
      // What is wrong with it beside its version is logged.
      if (!(error instanceof PeerError)) throw error;
    }
    const version = bytes[0] ?? 0;
    const isKnown = version >= 1 && version <= MAX_VERSION;
    badMessageLog.err(`${this.name}: received OpenFlow version 0x${twoDigits(version)} != expected ${twoDigits(this.version)}`);
    if (!isKnown) errorsLog.err(`cannot encode error for unknown OpenFlow version 0x${twoDigits(version)}`);
    const answerVersion = (isKnown ? version : 1) as OfVersion;
    const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    this.#write(encodeMessage(answerVersion, xid, errorMessage(answerVersion, 'OFPBRC_BAD_VERSION', bytes)));
  }

  /** A message's content, or the fault in it, as the two ends have agreed to talk. */
  decode(bytes: Uint8Array): Framed | PeerError {
    try {
      return decodeMessage(bytes, this.options);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      return error;
    }
  }

  #hello(bytes: Uint8Array): void {
    let theirs: number;
    try {
      theirs = decodeHello(bytes);
    } catch {
      this.#say(() => `received: ${this.#print(bytes)}`);
      badMessageLog.warn(() => `${this.name}: received message while expecting hello: ${this.#print(bytes)}`);
      this.close('Protocol error');
      return;
    }
    this.#say(() => `received: ${this.#print(bytes)}`);
    const ours = versionBitmap(this.#versions);
    const agreed = highestVersion(ours & theirs);
    const we = `we support ${formatVersions(ours)}, peer supports ${formatVersions(theirs)}`;
    if (agreed === 0) {
      log.warn(`${this.name}: version negotiation failed (${we})`);
      const text = `We support ${formatVersions(ours)}, you support ${formatVersions(theirs)}, no common versions.`;
      this.#write(helloFailed(bytes[0] ?? 1, text));
      this.#stream.close();
      this.#end('Protocol error');
      return;
    }
    log.dbg(`${this.name}: negotiated OpenFlow version 0x${twoDigits(agreed)} (${we})`);
    this.#version = agreed as OfVersion;
    this.#handlers.onOpen(this.#version);
  }
}

/** OFPT_ERROR, OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE: the same in all versions. */
function helloFailed(version: number, text: string): Uint8Array {
  const bytes = new Uint8Array(12 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, OFPT_ERROR);
  view.setUint16(2, bytes.length);
  for (let i = 0; i < text.length; i++) bytes[12 + i] = text.charCodeAt(i);
  return bytes;
}
