// Frames on their way to the control plane: a ring of bytes with one writer (the frame path) and one reader (the main thread), in memory
// that both see.
//
// Fair shares: a port may have a tenth of what is still free (dynamic threshold), so that ports that flood leave room for the others, and
// what another port sends does not wait long behind theirs: a batch that cannot take all that waits takes the same from each port, in turn,
// so a port whose frames are few has all of them in the next batch. What was taken out of its turn leaves a hole, which is free, and
// counts as read, when what stands before it has been taken too. What is not taken into the queue is counted by the caller.
//
// Record, 8-byte aligned: size | kind (bit 0), reason (8 bits from 8 on), words of the key (from 16 on) | token | port | csumStart,csumOffset |
// gsoType,gsoSize | frame length | taken | the key up to its last word that is not 0 | frame. `taken` is the reader's. A size of 0 sends the
// reader to the start of the ring. Shares are counted as if keys were whole: how many frames wait, not how long their keys are, is a port's doing.
import { KEY_WORDS, type Key, W } from '../../flow/key.ts';
import { copyBytes, type Packet } from '../../netdev/packet.ts';
import { type Upcall, USERSPACE_REASONS, type UserspaceCookie } from '../datapath.ts';
import { MAX_PORTS } from './shared-state.ts';

const REASONS = USERSPACE_REASONS;
const SHARE = 10;
/** The same of frames whose flow there is already: a flood of new ones is no reason to drop them. */
const SHARE_WITH_FLOW = 3;
const HEADER_WORDS = 8;
const RECORD_FIXED = HEADER_WORDS + W.DP_END;
/** Bytes that a frame takes of a port's share. */
const charge = (length: number): number => (RECORD_FIXED * 4 + length + 7) & ~7;
const CONTROL_WORDS = 8 + MAX_PORTS;
/**
 * Places of the control words: bytes ever written and ever read (modulo 2^32), whether the reader has been woken, and whether a frame that
 * the kernel has no flow for has none in user space either.
 */
const WRITTEN = 0;
const READ = 1;
const WOKEN = 2;
const IN_KERNEL = 3;
/** Misses of a batch whose memory is kept, and the longest frame among them. */
const MOST_MISSES = 256;
const MOST_FRAME = 2048;
/** Upcalls of a batch where ports wait for each other. */
const MOST_MIXED = 64;
/** Word of a record. */
const TAKEN = 7;

/** What waits of a port: positions of its records, oldest first, from `head` on. */
interface PortQueue {
  positions: number[];
  head: number;
}

export class UpcallQueue {
  readonly buffer: ArrayBufferLike;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #misses: (Upcall | undefined)[] = [];
  /** The reader's: how far it has looked, and what it saw and has not taken, by port. */
  #seen = 0;
  #waiting = 0;
  readonly #queues: (PortQueue | undefined)[] = [];
  readonly #inTurn: PortQueue[] = [];
  readonly #chosen: number[] = [];

  /** A new queue of `size` bytes (a power of two), or the view of another thread's. */
  constructor(size: number, buffer?: ArrayBufferLike) {
    this.#size = size;
    this.buffer = buffer ?? new SharedArrayBuffer(CONTROL_WORDS * 4 + size);
    this.#control = new Int32Array(this.buffer, 0, CONTROL_WORDS);
    this.#words = new Int32Array(this.buffer, CONTROL_WORDS * 4, size >> 2);
    this.#bytes = new Uint8Array(this.buffer, CONTROL_WORDS * 4, size);
  }

  /** Queues a copy of the frame and its key; false when the port has had its share, which is larger for frames that have a flow. */
  put(kind: 'miss' | 'action', packet: Packet, key: Key, cookie: UserspaceCookie | undefined, hasFlow = false): boolean {
    const charged = charge(packet.length);
    let keyWords: number = W.DP_END;
    while (keyWords > 0 && key[keyWords - 1] === 0) keyWords--;
    const size = ((HEADER_WORDS + keyWords) * 4 + packet.length + 7) & ~7;
    const port = key[W.IN_PORT]! & (MAX_PORTS - 1);
    const written = this.#control[WRITTEN]! >>> 0;
    const used = (written - Atomics.load(this.#control, READ)) >>> 0;
    const at = written & (this.#size - 1);
    const skip = at + size > this.#size ? this.#size - at : 0;
    const free = this.#size - used - skip;
    const share = hasFlow ? SHARE_WITH_FLOW : SHARE;
    if (size > free || (Atomics.load(this.#control, 8 + port) + charged) * share > free) return false;
    if (skip > 0) this.#words[at >> 2] = 0;
    const word = skip > 0 ? 0 : at >> 2;
    const w = this.#words;
    w[word] = size;
    w[word + 1] = (kind === 'miss' ? 0 : 1) | ((cookie === undefined ? 0 : REASONS.indexOf(cookie.reason)) << 8) | (keyWords << 16);
    w[word + 2] = cookie === undefined ? 0 : cookie.token;
    w[word + 3] = port;
    w[word + 4] = (packet.csumStart << 16) | packet.csumOffset;
    w[word + 5] = (packet.gsoType << 16) | packet.gsoSize;
    w[word + 6] = packet.length;
    w[word + TAKEN] = 0;
    const keyAt = word + HEADER_WORDS;
    for (let i = 0; i < keyWords; i++) w[keyAt + i] = key[i]!;
    const frameAt = (keyAt + keyWords) * 4;
    copyBytes(packet.bytes, packet.start, this.#bytes, frameAt, packet.length);
    Atomics.add(this.#control, 8 + port, charged);
    Atomics.store(this.#control, WRITTEN, (written + skip + size) | 0);
    return true;
  }

  /** The reader's: the kernel has every flow. */
  set allInKernel(all: boolean) {
    Atomics.store(this.#control, IN_KERNEL, all ? 1 : 0);
  }

  /** Whether a frame of that port and length which the kernel had no flow for would surely be refused: looking it up would be in vain. */
  refusesMiss(port: number, length: number): boolean {
    // Plain reads: it does not matter when exactly the reader has moved on.
    const control = this.#control;
    if (control[IN_KERNEL] === 0 || port >= MAX_PORTS) return false;
    const used = ((control[WRITTEN]! >>> 0) - control[READ]!) >>> 0;
    return (control[8 + port]! + charge(length)) * SHARE > this.#size - used;
  }

  /** Whether a port whose misses were refused has a fifth of its share free again, or misses are not refused any more. */
  hasRoomAgain(port: number): boolean {
    const control = this.#control;
    if (control[IN_KERNEL] === 0 || port >= MAX_PORTS) return true;
    const used = ((control[WRITTEN]! >>> 0) - control[READ]!) >>> 0;
    return control[8 + port]! * SHARE * 1.25 <= this.#size - used;
  }

  /** How far the queue is written. */
  get written(): number {
    return Atomics.load(this.#control, WRITTEN);
  }

  /** How far it is read. */
  get read(): number {
    return Atomics.load(this.#control, READ);
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, WRITTEN) === Atomics.load(this.#control, READ);
  }

  /** Tells the writer whether the reader needs waking; at most once until it drains. */
  claimWake(): boolean {
    return Atomics.exchange(this.#control, WOKEN, 1) === 0;
  }

  /** Takes up to `most` upcalls out, the same of each port where not all can go; they are in order. Misses are the caller's until the next call only. */
  drain(most: number): Upcall[] {
    Atomics.store(this.#control, WOKEN, 0);
    this.#look();
    const out: Upcall[] = [];
    for (const position of this.#choose(most)) {
      const word = (position & (this.#size - 1)) >> 2;
      out.push(this.#record(word, out.length));
      this.#words[word + TAKEN] = 1;
      Atomics.sub(this.#control, 8 + this.#words[word + 3]!, charge(this.#words[word + 6]!));
    }
    this.#free();
    return out;
  }

  /** Notes what has been written since. */
  #look(): void {
    const written = Atomics.load(this.#control, WRITTEN) >>> 0;
    let position = this.#seen;
    while (position !== written) {
      const at = position & (this.#size - 1);
      const size = this.#words[at >> 2]!;
      if (size === 0) {
        position = (position + this.#size - at) >>> 0;
        continue;
      }
      const port = this.#words[(at >> 2) + 3]!;
      this.#queues[port] ??= { positions: [], head: 0 };
      const queue = this.#queues[port];
      if (queue.positions.length === 0) this.#inTurn.push(queue);
      queue.positions.push(position);
      this.#waiting++;
      position = (position + size) >>> 0;
    }
    this.#seen = position;
  }

  /** The positions of those whose turn it is, in order. */
  #choose(most: number): readonly number[] {
    const chosen = this.#chosen;
    chosen.length = 0;
    const isMixed = this.#inTurn.length > 1;
    const count = Math.min(isMixed ? Math.min(most, MOST_MIXED) : most, this.#waiting);
    while (chosen.length < count) {
      for (const queue of this.#inTurn) {
        if (chosen.length === count) break;
        if (queue.head < queue.positions.length) chosen.push(queue.positions[queue.head++]!);
      }
    }
    this.#waiting -= count;
    let kept = 0;
    for (const queue of this.#inTurn) {
      if (queue.head < queue.positions.length) {
        this.#inTurn[kept++] = queue;
        // What has been taken is not kept for long.
        if (queue.head < 4096) continue;
        queue.positions = queue.positions.slice(queue.head);
      } else {
        queue.positions.length = 0;
      }
      queue.head = 0;
    }
    this.#inTurn.length = kept;
    if (isMixed) {
      const read = this.#control[READ]!;
      chosen.sort((a, b) => ((a - read) >>> 0) - ((b - read) >>> 0));
    }
    return chosen;
  }

  /** Gives back what has been taken up to the first that has not. */
  #free(): void {
    let read = this.#control[READ]! >>> 0;
    while (read !== this.#seen) {
      const at = read & (this.#size - 1);
      const size = this.#words[at >> 2]!;
      if (size === 0) {
        read = (read + this.#size - at) >>> 0;
        continue;
      }
      if (this.#words[(at >> 2) + TAKEN] === 0) break;
      read = (read + size) >>> 0;
    }
    Atomics.store(this.#control, READ, read | 0);
  }

  #record(word: number, slot: number): Upcall {
    const w = this.#words;
    const flags = w[word + 1]!;
    const isMiss = (flags & 1) === 0;
    const upcall = isMiss ? this.#miss(slot, w[word + 6]!) : newUpcall('action', new Uint8Array(w[word + 6]!));
    const { key, frame, offload } = upcall;
    const keyWords = flags >>> 16;
    const keyAt = word + HEADER_WORDS;
    for (let i = 0; i < keyWords; i++) key[i] = w[keyAt + i]!;
    key.fill(0, keyWords, W.DP_END);
    const frameAt = (keyAt + keyWords) * 4;
    offload.csumStart = w[word + 4]! >>> 16;
    offload.csumOffset = w[word + 4]! & 0xffff;
    offload.gsoType = w[word + 5]! >>> 16;
    offload.gsoSize = w[word + 5]! & 0xffff;
    copyBytes(this.#bytes, frameAt, frame, 0, frame.length);
    if (!isMiss) upcall.cookie = { reason: REASONS[(flags >> 8) & 255] ?? 'slow_path', token: w[word + 2]! };
    return upcall;
  }

  /** A miss of this place in a batch, used again with the next: new flows come in numbers, and keys and frames cost much to make. */
  #miss(slot: number, length: number): Upcall {
    const known = this.#misses[slot];
    if (known === undefined) {
      const made = newUpcall('miss', new Uint8Array(length));
      if (slot < MOST_MISSES && length <= MOST_FRAME) this.#misses[slot] = made;
      return made;
    }
    if (known.frame.length !== length) {
      const { buffer } = known.frame;
      known.frame = length <= buffer.byteLength ? new Uint8Array(buffer, 0, length) : new Uint8Array(length);
      // What one super-segment took is not kept for ever.
      if (length > MOST_FRAME) this.#misses[slot] = undefined;
    }
    return known;
  }
}

const newUpcall = (kind: Upcall['kind'], frame: Uint8Array): Upcall => ({
  kind,
  frame,
  key: new Uint32Array(KEY_WORDS),
  offload: { csumStart: 0, csumOffset: 0, gsoType: 0, gsoSize: 0 },
});
