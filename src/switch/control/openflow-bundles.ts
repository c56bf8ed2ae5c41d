// The bundles of one connection: OpenFlow 1.4.1 section 6.8. A bundle gathers messages and has them applied at once, or not at all.
//
//   nothing --open, add--> open --close--> closed --commit, discard--> nothing
//                           '----commit, discard----------------------'
//
// 1. A message is looked at when it is added: what cannot be decoded never gets into a bundle.
// 2. A request that does not fit its bundle's state or flags ends the bundle, as in the reference; so does a commit that fails.
// 3. A bundle that hears nothing for `idleTimeoutMs` ends, and its owner is told OFPBFC_TIMEOUT.
// 4. Bundles, and what they hold, have limits: a peer cannot make the switch hold more than MAX_HELD_BYTES.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { BUNDLE, type Message } from '../../openflow/message.ts';

/** Other_config:bundle-idle-timeout when nothing is said. */
export const BUNDLE_IDLE_TIMEOUT_MS = 10_000;
const MAX_BUNDLES = 1024;
const MAX_HELD_BYTES = 1 << 30;

/** A message of a bundle, and where the bytes are that brought it, for an error that quotes them: a view of them would need more room than they. */
export interface BundledMessage {
  message: Message;
  buffer: ArrayBufferLike;
  at: number;
  size: number;
}

/** The bytes that brought a message. */
export const carrierOf = ({ buffer, at, size }: BundledMessage): Uint8Array => new Uint8Array(buffer, at, size);

interface Bundle {
  id: number;
  flags: number;
  isClosed: boolean;
  messages: BundledMessage[];
  heldBytes: number;
  /** What opened it. */
  opener: Uint8Array;
  usedMs: number;
}

export class BundleStore {
  idleTimeoutMs = BUNDLE_IDLE_TIMEOUT_MS;
  readonly #bundles = new Map<number, Bundle>();
  readonly #clock: Clock;
  /** Told of a bundle that timed out, with the message that opened it. */
  readonly #timedOut: (opener: Uint8Array) => void;
  #stopTimer: (() => void) | undefined;
  #heldBytes = 0;

  constructor(clock: Clock, timedOut: (opener: Uint8Array) => void) {
    this.#clock = clock;
    this.#timedOut = timedOut;
  }

  get count(): number {
    return this.#bundles.size;
  }

  /** Bytes of all messages held. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** OPEN_REQUEST. */
  open(id: number, flags: number, bytes: Uint8Array): void {
    const present = this.#bundles.get(id);
    if (present !== undefined) {
      this.#end(present);
      throw new PeerError('OFPBFC_BAD_ID', `bundle ${id} exists`);
    }
    this.#begin(id, flags, bytes);
  }

  #begin(id: number, flags: number, opener: Uint8Array): Bundle {
    if (this.#bundles.size >= MAX_BUNDLES) throw new PeerError('OFPBFC_OUT_OF_BUNDLES', `${MAX_BUNDLES} bundles are open`);
    const bundle: Bundle = { id, flags, isClosed: false, messages: [], heldBytes: 0, opener, usedMs: this.#clock.now() };
    this.#bundles.set(id, bundle);
    this.#watch();
    return bundle;
  }

  #end(bundle: Bundle): void {
    this.#bundles.delete(bundle.id);
    this.#heldBytes -= bundle.heldBytes;
  }

  #named(id: number): Bundle {
    const bundle = this.#bundles.get(id);
    if (bundle === undefined) throw new PeerError('OFPBFC_BAD_ID', `no bundle ${id}`);
    return bundle;
  }

  #refuse(bundle: Bundle, code: string): never {
    this.#end(bundle);
    throw new PeerError(code, `bundle ${bundle.id}`);
  }

  /** CLOSE_REQUEST. */
  close(id: number, flags: number): void {
    const bundle = this.#named(id);
    if (bundle.isClosed) this.#refuse(bundle, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) this.#refuse(bundle, 'OFPBFC_BAD_FLAGS');
    bundle.isClosed = true;
    bundle.usedMs = this.#clock.now();
  }

  /** COMMIT_REQUEST: the bundle is over, its messages are the caller's to apply. */
  commit(id: number, flags: number): BundledMessage[] {
    const bundle = this.#named(id);
    if (bundle.flags !== flags) this.#refuse(bundle, 'OFPBFC_BAD_FLAGS');
    this.#end(bundle);
    return bundle.messages;
  }

  /** DISCARD_REQUEST. */
  discard(id: number): void {
    this.#end(this.#named(id));
  }

  /** OFPT_BUNDLE_ADD_MESSAGE; opens the bundle when it is not there. */
  add(id: number, flags: number, message: Message, bytes: Uint8Array): void {
    const bundle = this.#bundles.get(id) ?? this.#begin(id, flags, bytes);
    if (bundle.isClosed) this.#refuse(bundle, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) this.#refuse(bundle, 'OFPBFC_BAD_FLAGS');
    if (this.#heldBytes + bytes.length > MAX_HELD_BYTES) this.#refuse(bundle, 'OFPBFC_MSG_TOO_MANY');
    bundle.messages.push({ message, buffer: bytes.buffer, at: bytes.byteOffset, size: bytes.length });
    bundle.heldBytes += bytes.length;
    this.#heldBytes += bytes.length;
    bundle.usedMs = this.#clock.now();
  }

  /** Forgets all bundles: the connection has ended. */
  clear(): void {
    this.#bundles.clear();
    this.#heldBytes = 0;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** One timer while there are bundles; it looks at the oldest. */
  #watch(): void {
    if (this.#stopTimer !== undefined) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const bundle of this.#bundles.values()) oldest = Math.min(oldest, bundle.usedMs);
    if (oldest === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(100, oldest + this.idleTimeoutMs - this.#clock.now());
    this.#stopTimer = this.#clock.after(wait, () => {
      this.#stopTimer = undefined;
      const now = this.#clock.now();
      for (const bundle of [...this.#bundles.values()]) {
        if (bundle.usedMs + this.idleTimeoutMs > now) continue;
        this.#end(bundle);
        this.#timedOut(bundle.opener);
      }
      this.#watch();
    });
  }
}

/** What answers a bundle control message of `type`; undefined when nothing may (a reply that came from a peer). */
export function bundleRequest(type: number): 'open' | 'close' | 'commit' | 'discard' | undefined {
  switch (type) {
    case BUNDLE.OPEN:
      return 'open';
    case BUNDLE.CLOSE:
      return 'close';
    case BUNDLE.COMMIT:
      return 'commit';
    case BUNDLE.DISCARD:
      return 'discard';
  }
  return undefined;
}
