// A mapped TPACKET_V2 receive ring: slots that the kernel fills and we give back. `struct tpacket2_hdr` at the start of a slot: status,
// length, captured length, mac and net offsets (16 bits each), seconds, nanoseconds, VLAN TCI and TPID (16 bits each).
import { check, closeFd, libc, type Memory, mapMemory, memoryAt, setSocketInt, unmapAt, unmapMemory } from '../host/ffi.ts';
import { HEADROOM } from './packet.ts';
import { bindToDevice, openSocket, SOL_PACKET, takeOverruns } from './packet-options.ts';

const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_VNET_HDR = 15;
const SO_ATTACH_FILTER = 26;
const TPACKET_V2 = 1;
const BLOCK_SIZE = 1 << 20;
const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1;
/** x86 keeps loads in order, and stores, so that the status needs no atomic access there. */
const ORDERED = process.arch === 'x64';

/** A ring as plain data, so that it can go to another thread of this process. */
export interface OpenedRing {
  fd: number;
  address: number;
  blocks: number;
  slotSize: number;
  hasVirtioHeader: boolean;
}

/** Gives back what `openRing` took; `close` closes the descriptor. */
export function closeRing(ring: OpenedRing, close: (fd: number) => void): void {
  unmapAt(ring.address, ring.blocks * BLOCK_SIZE);
  close(ring.fd);
}

/** Which frames a ring is for, by their length. */
export interface LengthRange {
  least: number;
  most: number;
}

/** Opens a packet socket with a ring for frames of those lengths on a device. The order of the options matters; bind is last. */
export function openRing(name: string, ifindex: number, slotSize: number, blocks: number, lengths: LengthRange): OpenedRing {
  const c = libc();
  const fd = openSocket(name);
  let mapped: Memory | undefined;
  try {
    setSocketInt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    setSocketInt(fd, SOL_PACKET, PACKET_RESERVE, HEADROOM);
    const one = new Uint8Array(Int32Array.of(1).buffer);
    const hasVirtioHeader = c.setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, one, 4) === 0;
    attachLengthFilter(fd, lengths);
    const slots = blocks * Math.floor(BLOCK_SIZE / slotSize);
    const ring = new Uint8Array(Uint32Array.of(BLOCK_SIZE, blocks, slotSize, slots).buffer);
    check('PACKET_RX_RING', c.setsockopt(fd, SOL_PACKET, PACKET_RX_RING, ring, ring.length), name);
    mapped = mapMemory(BLOCK_SIZE * blocks, fd);
    bindToDevice(fd, ifindex, name);
    return { fd, address: mapped.address, blocks, slotSize, hasVirtioHeader };
  } catch (error) {
    if (mapped !== undefined) unmapMemory(mapped);
    closeFd(fd);
    throw error;
  }
}

/** Classic BPF: accept when least <= length <= most. */
function attachLengthFilter(fd: number, { least, most }: LengthRange): void {
  const program: [number, number, number, number][] = [
    [0x80, 0, 0, 0],
    [0x35, 0, 2, least],
    [0x25, 1, 0, most],
    [0x06, 0, 0, 0xffffffff],
    [0x06, 0, 0, 0],
  ];
  const memory = mapMemory(4096);
  const view = new DataView(memory.bytes.buffer);
  program.forEach(([code, jumpTrue, jumpFalse, k], i) => {
    view.setUint16(16 + i * 8, code, true);
    view.setUint8(16 + i * 8 + 2, jumpTrue);
    view.setUint8(16 + i * 8 + 3, jumpFalse);
    view.setUint32(16 + i * 8 + 4, k, true);
  });
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, BigInt(memory.address + 16), true);
  const result = libc().setsockopt(fd, 1, SO_ATTACH_FILTER, memory.bytes.subarray(0, 16), 16);
  unmapMemory(memory);
  check('SO_ATTACH_FILTER', result);
}

export class PacketRing {
  readonly fd: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly #status: Int32Array;
  readonly #size: number;
  readonly #slotSize: number;
  readonly #perBlock: number;
  readonly #slots: number;
  #next = 0;
  #taken = 0;
  /** Status of the slot that `peek` found. */
  status = 0;

  constructor(opened: OpenedRing) {
    this.fd = opened.fd;
    this.address = opened.address;
    this.#size = opened.blocks * BLOCK_SIZE;
    const memory: Memory = memoryAt(opened.address, this.#size);
    this.bytes = memory.bytes;
    this.words = memory.words;
    this.#status = new Int32Array(memory.bytes.buffer);
    this.#slotSize = opened.slotSize;
    this.#perBlock = Math.floor(BLOCK_SIZE / opened.slotSize);
    this.#slots = opened.blocks * this.#perBlock;
  }

  #slotAt(index: number): number {
    const block = (index / this.#perBlock) | 0;
    return block * BLOCK_SIZE + (index - block * this.#perBlock) * this.#slotSize;
  }

  /** Byte offset of the next filled slot, or -1. */
  peek(): number {
    if (this.#taken === this.#slots) return -1;
    const slot = this.#slotAt(this.#next);
    this.status = ORDERED ? this.#status[slot >> 2]! : Atomics.load(this.#status, slot >> 2);
    return (this.status & TP_STATUS_USER) !== 0 ? slot : -1;
  }

  /** Takes the slot that `peek` found. */
  take(): void {
    this.#next = this.#next + 1 === this.#slots ? 0 : this.#next + 1;
    this.#taken++;
  }

  /** Gives every taken slot back to the kernel. */
  release(): void {
    for (; this.#taken > 0; this.#taken--) {
      const index = this.#next - this.#taken;
      const at = this.#slotAt(index < 0 ? index + this.#slots : index) >> 2;
      if (ORDERED) this.#status[at] = TP_STATUS_KERNEL;
      else Atomics.store(this.#status, at, TP_STATUS_KERNEL);
    }
  }

  /** Frames that found the ring full since the last call. */
  takeOverruns(): number {
    return takeOverruns(this.fd);
  }
}
