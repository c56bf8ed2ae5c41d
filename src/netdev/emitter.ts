// Frames on their way out by a program in the kernel: one bpf(2) sends a batch.
//
// Why: of a small frame's way through sendmmsg half is spent on the message (copying its header and vector in, checking, accounting to the
// socket) and on a softirq of its own at its end. The program is handed the addresses of many frames, fetches each from this process's
// memory, and gives a copy to the device (`bpf_clone_redirect`); softirqs are held off meanwhile, so that the receiving side takes all in
// one go. Measured: docs/decisions/008-emitter.md.
//
// What it cannot do is hand on a promise: a frame to be split, or with a partial checksum that is long, goes through the socket. A short
// one's checksum the program fills in.
//
// The memory that both see: the frame under way, then the control words, then a vector of 32 bytes for each frame: address (8), length,
// checksum's start (16 bits) and offset (16 bits), result.
import { libc, type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import type { Packet } from './packet.ts';

/** Offsets in the memory, and how much there is of what. */
export const EMIT = {
  /** The frame under way, with room for a word of padding. */
  frame: 0,
  longest: 1600,
  longestWithChecksum: 256,
  ifindex: 2048,
  count: 2052,
  /** How many frames the program has dealt with. */
  done: 2056,
  vectors: 4096,
  vectorSize: 32,
  length: 8,
  checksum: 12,
  result: 16,
  /** The kernel's verifier walks through every round of the loop: twice as many, twice the time to load. */
  most: 32,
  size: 8192,
} as const;

/** Result of a frame that is longer than the device takes: EMSGSIZE, negative. */
export const EMIT_TOO_LONG = -90;

/** What `Emitter` needs; plain, so that it can go to another thread of this process. */
export interface OpenedEmitter {
  program: number;
  map: number;
}

/** A frame that does not go this way, see `Emitter.kindOf`. */
export const NOT_EMITTED = 0;

const SYS_BPF = process.arch === 'arm64' ? 280 : 321;
const PROG_TEST_RUN = 10;
/** `union bpf_attr` of BPF_PROG_TEST_RUN: program at 0, size at 8, address at 16, repetitions at 32. */
const ATTR_SIZE = 88;
const ATTR = { program: 0, size: 2, data: 4, repeat: 8 } as const;
const DATA_AT = 256;
const SHORTEST = 14;
const TYPE = 12;

export class Emitter {
  readonly #shared: Memory;
  readonly #attr: Memory = mapMemory(4096);
  #type = 0;
  #longest = 0;
  #count = 0;

  constructor(opened: OpenedEmitter) {
    this.#shared = mapMemory(EMIT.size, opened.map);
    const { words, address } = this.#attr;
    words[ATTR.program] = opened.program;
    words[ATTR.data] = address + DATA_AT;
    words[ATTR.data + 1] = (address + DATA_AT) / 0x1_0000_0000;
    words[ATTR.repeat] = 1;
  }

  /**
   * What a frame must have in common with others to go with them in one batch, or NOT_EMITTED when it cannot go this way. It is its
   * Ethernet type: the kernel notes that of the first, and queueing disciplines and drivers look at the note.
   */
  static kindOf(packet: Packet): number {
    const { length, bytes, start } = packet;
    if (packet.gsoType !== 0 || length < SHORTEST) return NOT_EMITTED;
    if (packet.csumStart === 0) {
      if (length > EMIT.longest) return NOT_EMITTED;
    } else if (length > EMIT.longestWithChecksum || packet.csumOffset > 64 || packet.csumStart + packet.csumOffset + 2 > length) {
      return NOT_EMITTED;
    }
    return 0x10000 | (bytes[start + TYPE]! << 8) | bytes[start + TYPE + 1]!;
  }

  /** Adds a frame to the batch, which has room for EMIT.most; its memory must stay until `run`. `checksum` is start and offset << 16. */
  add(address: number, length: number, checksum: number): void {
    const { words } = this.#shared;
    const at = (EMIT.vectors + this.#count++ * EMIT.vectorSize) >> 2;
    words[at] = address;
    words[at + 1] = address / 0x1_0000_0000;
    words[at + EMIT.length / 4] = length;
    words[at + EMIT.checksum / 4] = checksum;
    if (length > this.#longest) this.#longest = length;
  }

  /** Sends the batch, frames of one kind, through that device; gives how many were dealt with, from the first on. */
  run(ifindex: number, kind: number): number {
    const { words } = this.#shared;
    const attr = this.#attr;
    if (kind !== this.#type) {
      this.#type = kind;
      attr.bytes[DATA_AT + TYPE] = kind >> 8;
      attr.bytes[DATA_AT + TYPE + 1] = kind;
    }
    words[EMIT.ifindex / 4] = ifindex;
    words[EMIT.count / 4] = this.#count;
    words[EMIT.done / 4] = 0;
    attr.words[ATTR.size] = this.#longest;
    this.#count = 0;
    this.#longest = 0;
    libc().syscall(SYS_BPF, PROG_TEST_RUN, attr.address, ATTR_SIZE, 0, 0);
    return words[EMIT.done / 4]!;
  }

  /** What became of a frame of the last batch: 0 sent, else an errno, negative, or the kernel's reason for dropping it, positive. */
  result(index: number): number {
    return this.#shared.words[(EMIT.vectors + index * EMIT.vectorSize + EMIT.result) >> 2]! | 0;
  }

  close(): void {
    unmapMemory(this.#shared);
    unmapMemory(this.#attr);
  }
}
