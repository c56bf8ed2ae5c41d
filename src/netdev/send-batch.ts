// Frames queued for one packet socket, sent with one sendmmsg.
//
// A frame's virtio header is written into the headroom right before it, and so the message is one piece: the kernel takes that without
// copying a vector in, some 5 % of the way of a small frame. A frame that is queued already (a flood) may stand behind another's header,
// with other offloads when it was cut; its message is two pieces, the header standing here.
//
// struct mmsghdr is 64 bytes on 64-bit Linux: iovec pointer at 16, count at 24; struct iovec is pointer and length. What never changes is
// written once.
import { E, libc, type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import type { DeviceCounters } from './device.ts';
import type { Packet } from './packet.ts';
import { VIRTIO_HEADER_SIZE, writeVirtioHeader } from './virtio-header.ts';

const BATCH = 64;
const VECTORS_AT = BATCH * 64;
const HEADERS_AT = VECTORS_AT + BATCH * 32;
const HEADER_STRIDE = 16;
const MSG_DONTWAIT = 0x40;

/** Writes an address as two words. */
export function writeAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address;
  words[at + 1] = address / 0x1_0000_0000;
}

export class SendBatch {
  readonly #fd: number;
  readonly #hasHeader: boolean;
  readonly #counters: DeviceCounters;
  readonly #memory: Memory = mapMemory(HEADERS_AT + BATCH * HEADER_STRIDE);
  readonly #sizes = new Int32Array(BATCH);
  /** How many pieces the message at a place is set up for. */
  readonly #pieces = new Uint8Array(BATCH);
  #count = 0;

  constructor(fd: number, hasHeader: boolean, counters: DeviceCounters) {
    this.#fd = fd;
    this.#hasHeader = hasHeader;
    this.#counters = counters;
    const { words, address } = this.#memory;
    for (let i = 0; i < BATCH; i++) {
      this.#setPieces(i, 1);
      writeAddress(words, (VECTORS_AT >> 2) + i * 8, address + HEADERS_AT + i * HEADER_STRIDE);
      words[(VECTORS_AT >> 2) + i * 8 + 2] = VIRTIO_HEADER_SIZE;
    }
  }

  add(packet: Packet): void {
    if (this.#count === BATCH) this.flush();
    const i = this.#count++;
    const { words, bytes } = this.#memory;
    const vector = (VECTORS_AT >> 2) + i * 8 + 4;
    this.#sizes[i] = packet.length;
    let pieces = 1;
    let before = 0;
    if (this.#hasHeader) {
      if (packet.isQueued || packet.start < VIRTIO_HEADER_SIZE) {
        pieces = 2;
        writeVirtioHeader(bytes, HEADERS_AT + i * HEADER_STRIDE, packet);
      } else {
        before = VIRTIO_HEADER_SIZE;
        writeVirtioHeader(packet.bytes, packet.start - VIRTIO_HEADER_SIZE, packet);
      }
    }
    writeAddress(words, vector, packet.address + packet.start - before);
    words[vector + 2] = packet.length + before;
    if (this.#pieces[i] !== pieces) this.#setPieces(i, pieces);
    packet.isQueued = true;
  }

  #setPieces(i: number, pieces: number): void {
    const { words, address } = this.#memory;
    this.#pieces[i] = pieces;
    writeAddress(words, i * 16 + 4, address + VECTORS_AT + i * 32 + (pieces === 2 ? 0 : 16));
    words[i * 16 + 6] = pieces;
  }

  /** Sends all; a frame that the device does not take is counted and skipped. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const c = libc();
    let at = 0;
    while (at < count) {
      const sent = c.sendmmsgAt(this.#fd, this.#memory.address + at * 64, count - at, MSG_DONTWAIT);
      if (sent > 0) {
        let bytes = 0;
        for (let i = at; i < at + sent; i++) bytes += this.#sizes[i]!;
        this.#counters.sent(sent, bytes);
        at += sent;
        continue;
      }
      const errno = c.errno();
      if (errno === E.INTR) continue;
      if (errno === E.NOBUFS || errno === E.AGAIN) this.#counters.sendDropped(1);
      else this.#counters.sendFailed(1);
      at++;
      if (errno === E.NETDOWN || errno === E.NXIO || errno === E.NODEV) {
        this.#counters.sendFailed(count - at);
        return;
      }
    }
  }

  close(): void {
    unmapMemory(this.#memory);
  }
}
