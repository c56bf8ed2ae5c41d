// Frames queued for one device: sent with sendmmsg, or where several in a row can go that way, by the emitter.
//
// A frame's virtio header is written into the headroom right before it, and so the message is one piece: the kernel takes that without
// copying a vector in, some 5 % of the way of a small frame. A frame that is queued already (a flood) may stand behind another's header,
// with other offloads when it was cut; its message is two pieces, the header standing here.
//
// struct mmsghdr is 64 bytes on 64-bit Linux: pointer to an address at 0, its length at 8, iovec pointer at 16, count at 24; struct iovec is pointer
// and length. What never changes is written once.
import { E, libc, type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import type { DeviceCounters } from './device.ts';
import { EMIT, Emitter, NOT_EMITTED } from './emitter.ts';
import type { Packet } from './packet.ts';
import { VIRTIO_HEADER_SIZE, writeVirtioHeader } from './virtio-header.ts';

const BATCH = 64;
const VECTORS_AT = BATCH * 64;
const HEADERS_AT = VECTORS_AT + BATCH * 32;
const HEADER_STRIDE = 16;
const ADDRESS_AT = HEADERS_AT + BATCH * HEADER_STRIDE;
/** struct sockaddr_ll: family, protocol (0: as the frame says), index. */
const ADDRESS_SIZE = 20;
const AF_PACKET = 17;
const MSG_DONTWAIT = 0x40;
/** Starting the emitter costs about 2.5 us, and it saves 0.6 us a frame. */
const LEAST_EMITTED = 6;

/** Writes an address as two words. */
export function writeAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address;
  words[at + 1] = address / 0x1_0000_0000;
}

export class SendBatch {
  readonly #fd: number;
  readonly #hasHeader: boolean;
  readonly #counters: DeviceCounters;
  readonly #memory: Memory = mapMemory(ADDRESS_AT + 32);
  readonly #sizes = new Int32Array(BATCH);
  /** How many pieces the message at a place is set up for. */
  readonly #pieces = new Uint8Array(BATCH);
  readonly #emitter: Emitter | undefined;
  readonly #ifindex: number;
  /** Of each frame: see `Emitter`. */
  readonly #kinds = new Int32Array(BATCH);
  readonly #addresses = new Float64Array(BATCH);
  readonly #checksums = new Int32Array(BATCH);
  #count = 0;

  /** `isShared`: the socket sends to other devices too. */
  constructor(fd: number, ifindex: number, hasHeader: boolean, counters: DeviceCounters, emitter?: Emitter, isShared = false) {
    this.#fd = fd;
    this.#ifindex = ifindex;
    this.#hasHeader = hasHeader;
    this.#counters = counters;
    this.#emitter = emitter;
    const { words, address } = this.#memory;
    words[ADDRESS_AT >> 2] = AF_PACKET;
    words[(ADDRESS_AT >> 2) + 1] = ifindex;
    for (let i = 0; i < BATCH; i++) {
      this.#setPieces(i, 1);
      if (isShared) {
        writeAddress(words, i * 16, address + ADDRESS_AT);
        words[i * 16 + 2] = ADDRESS_SIZE;
      }
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
    if (this.#emitter !== undefined) {
      this.#kinds[i] = Emitter.kindOf(packet);
      this.#addresses[i] = packet.address + packet.start;
      this.#checksums[i] = packet.csumStart === 0 ? 0 : packet.csumStart | (packet.csumOffset << 16);
    }
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

  /** Sends all, in order; a frame that the device does not take is counted and skipped. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const emitter = this.#emitter;
    let at = 0;
    if (emitter !== undefined) {
      for (let end = 0; end < count; ) {
        const first = end;
        const kind = this.#kinds[first]!;
        while (end < count && end - first < EMIT.most && this.#kinds[end] === kind) end++;
        if (kind === NOT_EMITTED || end - first < LEAST_EMITTED) continue;
        this.#send(at, first);
        at = first + this.#emit(emitter, kind, first, end);
        // What it did not get done goes the other way.
        if (at < end) this.#send(at, end);
        at = end;
      }
    }
    this.#send(at, count);
  }

  #emit(emitter: Emitter, kind: number, first: number, end: number): number {
    for (let i = first; i < end; i++) emitter.add(this.#addresses[i]!, this.#sizes[i]!, this.#checksums[i]!);
    const done = emitter.run(this.#ifindex, kind);
    let sent = 0;
    let bytes = 0;
    for (let i = 0; i < done; i++) {
      const result = emitter.result(i);
      if (result === 0) {
        sent++;
        bytes += this.#sizes[first + i]!;
      } else if (result > 0 || result === -E.NOBUFS) {
        this.#counters.sendDropped(1);
      } else {
        this.#counters.sendFailed(1);
      }
    }
    this.#counters.sent(sent, bytes);
    return done;
  }

  #send(first: number, end: number): void {
    const c = libc();
    let at = first;
    while (at < end) {
      const sent = c.sendmmsgAt(this.#fd, this.#memory.address + at * 64, end - at, MSG_DONTWAIT);
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
        this.#counters.sendFailed(end - at);
        return;
      }
    }
  }

  close(): void {
    unmapMemory(this.#memory);
  }
}
