// Frames that a program in the kernel hands to user space, out of a BPF ring buffer (linux/bpf.h, BPF_MAP_TYPE_RINGBUF). One device for all
// ports; each record names its port. Its layout is agreed with the program that writes it.
//
// The kernel does not say whether a checksum is complete or partial. It does not matter: a transport checksum that equals its pseudo-header's
// sum is one that still has to be filled in, and where that is so by chance, filling it in gives the same value.
import { closeFd, type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import type { Device } from './device.ts';
import { copyBytes, GSO, HEADROOM, MAX_FRAME, newTunnelInfo, OPTION_WORDS, type Packet, type TunnelInfo } from './packet.ts';
import { POOL_SLOT_SIZE, POOL_SLOTS, type ReceivePool } from './receive-pool.ts';
import { completeSctp, SCTP_CHECKSUM } from './segment.ts';

/**
 * Offsets in a record; `vlan` is TPID (16) and TCI (16) in network order, 0 = none; `time` is the monotonic clock's nanoseconds >> 20.
 * `cause` is 0, or what a userspace action asked for plus 1, with its `token`. `tunnel`, of meaning when `isTunnel` is not 0, is 24
 * words in network order: id (2), IPv4 source and destination, IPv6 source and destination (4 each), flags (16) tos (8) ttl (8),
 * ports, policy id (16) and flags (8), options (8), and their size in bytes. Of more options the rest stands in the record's last
 * MORE_OPTIONS_SIZE bytes, behind the frame.
 */
export const PUNT_RECORD = {
  port: 0,
  length: 4,
  gsoSize: 8,
  gsoSegs: 12,
  vlan: 16,
  mark: 20,
  reason: 24,
  priority: 28,
  time: 32,
  isTunnel: 36,
  tunnel: 40,
  cause: 136,
  token: 140,
  recircId: 144,
  dpHash: 148,
  ctState: 152,
  ctZone: 156,
  ctMark: 160,
  size: 168,
} as const;

/**
 * What is counted of each port: bytes of records put into the ring, taken out, and wholly dealt with, all wrapping around. The first two keep
 * the ports' shares; the third tells the program whether frames of the port are still on their way through user space. `refuses`: not 0
 * while frames that no flow is known for would only be dropped.
 */
export const PUNT_PENDING = { put: 0, taken: 4, done: 8, refuses: 12, size: 16 } as const;

/** Positions in the queue of upcalls, wrapping around: how far it is written, and how far it has been dealt with. */
export interface UpcallOrder {
  readonly written: number;
  readonly done: number;
  /** Whether the queue has surely no room for a frame that the kernel knew no flow for. */
  refusesMiss(port: number, length: number): boolean;
  /** Whether a port whose frames were refused has a good part of its share free again. */
  hasRoomAgain(port: number): boolean;
}

/** Why frames of a ring are not handed on: they waited too long, or the queue of upcalls is full. */
export type RingDrop = 'stale' | 'refused';

/** PUNT_RECORD.reason of a frame that follows others of its flow. */
export const REASON_ORDER = 0;
/** Of one that the kernel had no flow for. */
export const REASON_MISS = 1;
/** Of one whose flow has counted it, but could not be carried out. */
export const REASON_ACTIONS = 3;

/** What `PuntRingDevice` needs; plain. */
export interface PuntRing {
  kind: 'ring';
  fd: number;
  /** Bytes of the ring's data, a power of two. */
  size: number;
  /** An array with PUNT_PENDING for each port. */
  pendingFd: number;
  ports: number;
}

/** Bytes of Geneve options in a record's `tunnel`, and of the rest. */
export const OPTIONS_SIZE = 32;
export const MORE_OPTIONS_SIZE: number = OPTION_WORDS * 4 - OPTIONS_SIZE;
const PAGE = 4096;
/** Records that one call goes through at most, those dropped among them. */
const MOST_LOOKED = 512;
const BUSY = 0x80000000;
const DISCARD = 0x40000000;
const PENDING_WORDS = PUNT_PENDING.size / 4;
const PUT = PUNT_PENDING.put / 4;
const TAKEN = PUNT_PENDING.taken / 4;
const DONE = PUNT_PENDING.done / 4;
const REFUSES = PUNT_PENDING.refuses / 4;

/** Bytes that a record takes of the ring. */
const recordSize = (header: number): number => ((header & 0x3fffffff) + 8 + 7) & ~7;
/** Frames that waited longer, because no daemon was there to read them, are of no use to anybody: about 10 s in units of `time`. */
const MAX_AGE = 10_000;

export class PuntRingDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = false;
  readonly #pool: ReceivePool;
  readonly #mask: number;
  readonly #consumer: Memory;
  readonly #producer: Memory;
  readonly #consumerWords: BigInt64Array;
  readonly #producerWords: BigInt64Array;
  readonly #headers: Int32Array;
  readonly #view: DataView;
  readonly #tunnel: TunnelInfo = newTunnelInfo();
  readonly #pending: Memory;
  readonly #pendingFd: number;
  readonly #onDrop: (drop: RingDrop) => void;
  readonly #order: UpcallOrder;
  /** Ports whose frames were taken since the last release. */
  readonly #touched = new Set<number>();
  /** Frames on their way, oldest first: done when the upcalls up to that position are. Three numbers each: port, taken, position. */
  #underway: number[] = [];
  /** Ports whose misses the program drops for us. */
  readonly #refusing = new Set<number>();
  #now = 0;
  #position: number;

  /** `onDrop` is told of each frame that is dropped. */
  constructor(ring: PuntRing, pool: ReceivePool, order: UpcallOrder, onDrop: (drop: RingDrop) => void) {
    this.#order = order;
    this.#onDrop = onDrop;
    this.fds = [ring.fd];
    this.#pool = pool;
    this.#mask = ring.size - 1;
    this.#consumer = mapMemory(PAGE, ring.fd, true, 0);
    this.#producer = mapMemory(PAGE + 2 * ring.size, ring.fd, false, PAGE);
    this.#consumerWords = new BigInt64Array(this.#consumer.bytes.buffer, this.#consumer.bytes.byteOffset, 1);
    this.#producerWords = new BigInt64Array(this.#producer.bytes.buffer, this.#producer.bytes.byteOffset, 1);
    this.#headers = new Int32Array(this.#producer.bytes.buffer, this.#producer.bytes.byteOffset);
    this.#pending = mapMemory((ring.ports * PUNT_PENDING.size + PAGE - 1) & -PAGE, ring.pendingFd, true, 0);
    this.#view = new DataView(this.#producer.bytes.buffer, this.#producer.bytes.byteOffset);
    this.#pendingFd = ring.pendingFd;
    this.#position = Number(this.#consumerWords[0]);
    this.#recount(ring.ports);
  }

  /** A reader that was killed may have counted frames as taken and not passed the ring's position on, or the other way round. */
  #recount(ports: number): void {
    const waiting = new Uint32Array(ports);
    const end = Number(Atomics.load(this.#producerWords, 0));
    for (let position = this.#position; position < end; ) {
      const at = PAGE + (position & this.#mask);
      const header = this.#producer.words[at >> 2]!;
      const word = (at + 8) >> 2;
      const port = this.#producer.words[word + PUNT_RECORD.port / 4]!;
      const size = recordSize(header);
      if ((header & (BUSY | DISCARD)) === 0 && port < ports) {
        waiting[port]! += size;
        waiting[0]! += size;
      }
      position += size;
    }
    for (let port = 0; port < ports; port++) {
      const taken = this.#pending.words[port * PENDING_WORDS + PUT]! - waiting[port]!;
      this.#pending.words[port * PENDING_WORDS + TAKEN] = taken;
      this.#pending.words[port * PENDING_WORDS + DONE] = taken;
      this.#pending.words[port * PENDING_WORDS + REFUSES] = 0;
    }
  }

  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const end = Number(Atomics.load(this.#producerWords, 0));
    if (this.#position >= end) return 0;
    this.#now = Number((process.hrtime.bigint() >> 20n) & 0xffffffffn);
    const most = Math.min(budget, POOL_SLOTS);
    let count = 0;
    let looked = 0;
    while (this.#position < end && count < most && looked++ < MOST_LOOKED) {
      const at = PAGE + (this.#position & this.#mask);
      const header = Atomics.load(this.#headers, at >> 2) >>> 0;
      if ((header & BUSY) !== 0) break;
      const size = recordSize(header);
      if ((header & DISCARD) === 0 && this.#take(at + 8, size, count, onPacket)) count++;
      this.#position += size;
    }
    Atomics.store(this.#consumerWords, 0, BigInt(this.#position));
    // Where all were dropped there is more to do all the same.
    return count === 0 && looked > MOST_LOOKED ? 1 : count;
  }

  /** Copies a record's frame into the pool, because the ring's pages cannot be written and frames are changed where they stand. */
  #take(at: number, size: number, slot: number, onPacket: (packet: Packet) => void): boolean {
    const { words, bytes } = this.#producer;
    const { memory, packet } = this.#pool;
    const word = at >> 2;
    const length = words[word + PUNT_RECORD.length / 4]!;
    const port = words[word + PUNT_RECORD.port / 4]!;
    const pending = this.#pending.words;
    if (port * PENDING_WORDS >= pending.length) return false;
    pending[port * PENDING_WORDS + TAKEN] = pending[port * PENDING_WORDS + TAKEN]! + size;
    pending[TAKEN] = pending[TAKEN]! + size;
    this.#touched.add(port);
    if (length < 14 || length > MAX_FRAME - 4) return false;
    if (((this.#now - words[word + PUNT_RECORD.time / 4]!) | 0) > MAX_AGE) {
      this.#onDrop('stale');
      return false;
    }
    // A flood of new flows costs no more than this where nobody can take them.
    if (words[word + PUNT_RECORD.reason / 4] === REASON_MISS && this.#order.refusesMiss(port, length)) {
      pending[port * PENDING_WORDS + REFUSES] = 1;
      this.#refusing.add(port);
      this.#onDrop('refused');
      return false;
    }
    const from = at + PUNT_RECORD.size;
    const isTagged = words[word + PUNT_RECORD.vlan / 4] !== 0;
    let start = slot * POOL_SLOT_SIZE + HEADROOM;
    copyBytes(bytes, from, memory.bytes, start, length);
    if (isTagged) {
      memory.bytes.copyWithin(start - 4, start, start + 12);
      start -= 4;
      for (let i = 0; i < 4; i++) memory.bytes[start + 12 + i] = bytes[at + PUNT_RECORD.vlan + i]!;
    }
    packet.point(memory.bytes, memory.address, start, isTagged ? length + 4 : length);
    packet.port = port;
    packet.mark = words[word + PUNT_RECORD.mark / 4]!;
    packet.priority = words[word + PUNT_RECORD.priority / 4]!;
    packet.recircId = words[word + PUNT_RECORD.recircId / 4]!;
    packet.dpHash = words[word + PUNT_RECORD.dpHash / 4]!;
    packet.ctState = words[word + PUNT_RECORD.ctState / 4]!;
    packet.ctZone = words[word + PUNT_RECORD.ctZone / 4]!;
    packet.ctMark = words[word + PUNT_RECORD.ctMark / 4]!;
    packet.cause = words[word + PUNT_RECORD.cause / 4]!;
    packet.token = words[word + PUNT_RECORD.token / 4]!;
    const reason = words[word + PUNT_RECORD.reason / 4];
    packet.isCounted = packet.token === 0 && reason === REASON_ACTIONS;
    packet.hasFlow = packet.token === 0 && reason === REASON_ORDER;
    packet.isMiss = reason === REASON_MISS;
    if (words[word + PUNT_RECORD.isTunnel / 4] !== 0) packet.tunnel = this.#readTunnel(at + PUNT_RECORD.tunnel, at + size - 8);
    findOffload(packet, isTagged ? 18 : 14, words[word + PUNT_RECORD.gsoSize / 4]!);
    onPacket(packet);
    return true;
  }

  /** All that was taken has been sent, dropped, or queued as an upcall. */
  release(): void {
    for (const port of this.#touched) this.#underway.push(port, this.#pending.words[port * PENDING_WORDS + TAKEN]!, this.#order.written);
    this.#touched.clear();
    this.settle();
  }

  /** Upcalls have been dealt with. */
  settle(): void {
    const underway = this.#underway;
    let first = 0;
    for (; first < underway.length && ((this.#order.done - underway[first + 2]!) | 0) >= 0; first += 3) {
      this.#pending.words[underway[first]! * PENDING_WORDS + DONE] = underway[first + 1]!;
    }
    if (first > 0) this.#underway = first === underway.length ? [] : underway.slice(first);
    for (const port of this.#refusing) {
      if (!this.#order.hasRoomAgain(port)) continue;
      this.#pending.words[port * PENDING_WORDS + REFUSES] = 0;
      this.#refusing.delete(port);
    }
  }

  /** `end` is where the record ends. */
  #readTunnel(at: number, end: number): TunnelInfo {
    const view = this.#view;
    const info = this.#tunnel;
    info.idHigh = view.getUint32(at);
    info.idLow = view.getUint32(at + 4);
    info.src[3] = view.getUint32(at + 8);
    info.dst[3] = view.getUint32(at + 12);
    info.isIpv6 = (info.src[3] | info.dst[3]) === 0;
    if (info.isIpv6) {
      for (let i = 0; i < 4; i++) {
        info.src[i] = view.getUint32(at + 16 + i * 4);
        info.dst[i] = view.getUint32(at + 32 + i * 4);
      }
    }
    info.flags = view.getUint16(at + 48);
    info.tos = view.getUint8(at + 50);
    info.ttl = view.getUint8(at + 51);
    info.tpSrc = view.getUint16(at + 52);
    info.tpDst = view.getUint16(at + 54);
    info.gbpId = view.getUint16(at + 56);
    info.gbpFlags = view.getUint8(at + 58);
    info.optionsSize = Math.min(view.getUint32(at + 60 + OPTIONS_SIZE), OPTION_WORDS * 4);
    for (let i = 0; i < info.optionsSize; i += 4) {
      info.options[i >> 2] = view.getUint32(i < OPTIONS_SIZE ? at + 60 + i : end - MORE_OPTIONS_SIZE + i - OPTIONS_SIZE);
    }
    return info;
  }

  send(): void {}

  flush(): void {}

  stillExists(): boolean {
    return true;
  }

  close(): void {
    // Who reads next may have room.
    for (const port of this.#refusing) this.#pending.words[port * PENDING_WORDS + REFUSES] = 0;
    unmapMemory(this.#consumer);
    unmapMemory(this.#producer);
    unmapMemory(this.#pending);
    closeFd(this.fds[0]!);
    closeFd(this.#pendingFd);
  }
}

/** Fills in what virtio_net_hdr would have said. `l3` is the network header's offset from the frame's start. */
function findOffload(packet: Packet, l3: number, gsoSize: number): void {
  const { bytes, start, length } = packet;
  const at = start + l3;
  const type = (bytes[at - 2]! << 8) | bytes[at - 1]!;
  let proto: number;
  let l4: number;
  let sum: number;
  if (type === 0x0800 && length >= l3 + 20) {
    if ((((bytes[at + 6]! << 8) | bytes[at + 7]!) & 0x3fff) !== 0) return;
    proto = bytes[at + 9]!;
    l4 = l3 + (bytes[at]! & 15) * 4;
    sum = sum16(bytes, at + 12, 8) + proto + ((bytes[at + 2]! << 8) | bytes[at + 3]!) - (l4 - l3);
  } else if (type === 0x86dd && length >= l3 + 40) {
    proto = bytes[at + 6]!;
    l4 = l3 + 40;
    sum = sum16(bytes, at + 8, 32) + proto + ((bytes[at + 4]! << 8) | bytes[at + 5]!);
  } else {
    return;
  }
  if (proto === 132 && isZero32(bytes, start + l4 + SCTP_CHECKSUM)) completeSctp(packet, l4);
  const offset = proto === 6 ? 16 : proto === 17 ? 6 : -1;
  if (offset < 0 || length < l4 + offset + 2) return;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = (bytes[start + l4 + offset]! << 8) | bytes[start + l4 + offset + 1]!;
  if (checksum === sum && checksum !== 0) {
    packet.csumStart = l4;
    packet.csumOffset = offset;
  }
  if (gsoSize > 0) {
    packet.csumStart = l4;
    packet.csumOffset = offset;
    packet.gsoSize = gsoSize;
    packet.gsoType = proto === 17 ? GSO.UDP_L4 : type === 0x0800 ? GSO.TCPV4 : GSO.TCPV6;
  }
}

const isZero32 = (bytes: Uint8Array, at: number): boolean => (bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) === 0;

function sum16(bytes: Uint8Array, at: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i += 2) sum += (bytes[at + i]! << 8) | bytes[at + i + 1]!;
  return sum;
}
