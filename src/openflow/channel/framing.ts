// Cuts a stream of bytes into OpenFlow messages: 1 byte version, 1 byte type, 2 bytes length with the header, 4 bytes xid.
// At most one unfinished message (under 64 KiB) is held.
import { PeerError } from '../../base/errors.ts';

/** Little chunks are copied into one larger piece of memory: to make one for each costs more than to read a message. */
const SLAB_SIZE = 65536;
const LITTLE_SIZE = 1024;
let slab = new Uint8Array(0);
let slabUsed = 0;

function copyOf(bytes: Uint8Array): Uint8Array {
  // Not `slice`: a Buffer's gives a view of what will be read over.
  if (bytes.length > LITTLE_SIZE) return new Uint8Array(bytes);
  if (slabUsed + bytes.length > slab.length) {
    slab = new Uint8Array(SLAB_SIZE);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, slabUsed + bytes.length);
  copy.set(bytes);
  slabUsed += bytes.length;
  return copy;
}

/** Collects bytes of one connection and gives out whole messages. */
export class Framing {
  #held: Uint8Array = new Uint8Array(0);
  #heldSize = 0;

  /** Calls `onMessage` for every message completed by `bytes`; the receiver may keep it (and with it what came together with it). PeerError ends the stream. */
  push(bytes: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    // One copy for all messages of a chunk: many small ones cost more to make than to read.
    let rest: Uint8Array;
    if (this.#heldSize === 0) rest = copyOf(bytes);
    else {
      rest = new Uint8Array(this.#heldSize + bytes.length);
      rest.set(this.#held.subarray(0, this.#heldSize));
      rest.set(bytes, this.#heldSize);
      this.#heldSize = 0;
    }
    let at = 0;
    while (rest.length - at >= 8) {
      const size = ((rest[at + 2] ?? 0) << 8) | (rest[at + 3] ?? 0);
      if (size < 8) throw new PeerError('OFPBRC_BAD_LEN', `received too-short ofp_header (${size} bytes)`);
      if (rest.length - at < size) break;
      onMessage(size === rest.length ? rest : rest.subarray(at, at + size));
      at += size;
    }
    if (at < rest.length) {
      this.#held = rest.subarray(at);
      this.#heldSize = this.#held.length;
    }
  }
}
