// A kernel device through AF_PACKET: frames come in through a mapped TPACKET_V2 ring and leave through sendmmsg straight from the memory
// they stand in, usually another device's ring. Both ways carry virtio_net_hdr, so partial checksums and super-segments pass as they are.
//
// Why no transmit ring: the kernel copies out of it anyway whenever a frame is handed to another namespace or socket, and filling it is a
// copy more; sendmmsg from the receive ring is one copy in all.
//
// Memory: a slot must hold a super-segment, so it has 68 KB; 15 of them fill a block of 1 MB. The first 16 ports have 16 blocks each,
// further ones 4, those beyond 128 two: 256 MB for 16 ports, 700 MB for 128.
//
// The order matters: version, reserve and vnet header before the ring; the socket is bound last.
import { KernelError } from '../base/errors.ts';
import { check, closeFd, E, libc, type Memory, mapMemory, memoryAt, setSocketInt, socketError } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import { HEADROOM, Packet } from './packet.ts';
import { SendBatch } from './send-batch.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE } from './virtio-header.ts';

const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const TPACKET_V2 = 1;
const PACKET_MR_PROMISC = 1;

const BLOCK_SIZE = 1 << 20;
const SLOT_SIZE = 68 * 1024;
const SLOTS_PER_BLOCK = Math.floor(BLOCK_SIZE / SLOT_SIZE);

const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1;
const TP_STATUS_VLAN_VALID = 0x10;
const TP_STATUS_VLAN_TPID_VALID = 0x40;

/** What `attachPacketSocket` needs; plain, so that it can go to another thread of this process. */
export interface PacketSocket {
  kind: 'packet';
  fd: number;
  ifindex: number;
  blocks: number;
  address: number;
  hasVirtioHeader: boolean;
}

/** How many blocks a port gets when there are already so many. */
export function ringBlocks(portsOpen: number): number {
  if (portsOpen < 16) return 16;
  return portsOpen < 128 ? 4 : 2;
}

/** Opens a device for frames. The host's own stack still sees them, unless something drops them there. With 0 blocks it only sends. */
export function openPacketSocket(name: string, blocks: number): PacketSocket {
  const receives = blocks > 0;
  const ifindex = interfaceIndex(name);
  if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
  const c = libc();
  const fd = check('socket', c.socket(17, 3 | 0x80000 | 0x800, 0), name);
  try {
    setSocketInt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    setSocketInt(fd, SOL_PACKET, PACKET_RESERVE, HEADROOM);
    setSocketInt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    const hasVirtioHeader = trySet(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    trySet(fd, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20);
    let address = 0;
    if (receives) {
      const ring = new Uint8Array(Uint32Array.of(BLOCK_SIZE, blocks, SLOT_SIZE, blocks * SLOTS_PER_BLOCK).buffer);
      check('PACKET_RX_RING', c.setsockopt(fd, SOL_PACKET, PACKET_RX_RING, ring, ring.length), name);
      address = mapMemory(BLOCK_SIZE * blocks, fd).address;
    }
    const membership = new Uint8Array(16);
    const view = new DataView(membership.buffer);
    view.setInt32(0, ifindex, true);
    view.setUint16(4, PACKET_MR_PROMISC, true);
    check('PACKET_ADD_MEMBERSHIP', c.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length), name);
    const link = new Uint8Array(20);
    const linkView = new DataView(link.buffer);
    linkView.setUint16(0, 17, true);
    linkView.setUint16(2, receives ? 3 : 0);
    linkView.setInt32(4, ifindex, true);
    check('bind', c.bind(fd, link, link.length), name);
    return { kind: 'packet', fd, ifindex, blocks, address, hasVirtioHeader };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function trySet(fd: number, level: number, option: number, value: number): boolean {
  try {
    setSocketInt(fd, level, option, value);
    return true;
  } catch {
    return false;
  }
}

const NO_RING: Memory = { bytes: new Uint8Array(0), words: new Uint32Array(0), address: 0 };

/** The frame path's half. */
export class PacketSocketDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = false;
  readonly #socket: PacketSocket;
  readonly #counters: DeviceCounters;
  readonly #ring: Memory;
  readonly #status: Int32Array;
  readonly #packet: Packet;
  readonly #batch: SendBatch;
  readonly #slots: number;
  #next = 0;
  #taken = 0;

  constructor(socket: PacketSocket, counters: DeviceCounters) {
    this.#socket = socket;
    this.#counters = counters;
    this.fds = [socket.fd];
    this.#ring = socket.blocks > 0 ? memoryAt(socket.address, socket.blocks * BLOCK_SIZE) : NO_RING;
    this.#status = new Int32Array(this.#ring.bytes.buffer);
    this.#packet = new Packet(this.#ring.bytes, socket.address);
    this.#slots = socket.blocks * SLOTS_PER_BLOCK;
    this.#batch = new SendBatch(socket.fd, socket.hasVirtioHeader, counters);
  }

  #slotAt(index: number): number {
    return Math.floor(index / SLOTS_PER_BLOCK) * BLOCK_SIZE + (index % SLOTS_PER_BLOCK) * SLOT_SIZE;
  }

  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const packet = this.#packet;
    const { bytes, words } = this.#ring;
    let count = 0;
    for (; count < budget && this.#taken < this.#slots; count++) {
      const slot = this.#slotAt(this.#next);
      const status = Atomics.load(this.#status, slot >> 2);
      if ((status & TP_STATUS_USER) === 0) break;
      this.#next = this.#next + 1 === this.#slots ? 0 : this.#next + 1;
      this.#taken++;
      const word = slot >> 2;
      const length = words[word + 1]!;
      if (words[word + 2] !== length) {
        this.#counters.receiveFailed(1);
        continue;
      }
      const start = slot + (words[word + 3]! & 0xffff);
      packet.point(bytes, this.#ring.address, start, length);
      if (this.#socket.hasVirtioHeader) readVirtioHeader(bytes, start - VIRTIO_HEADER_SIZE, packet);
      if ((status & TP_STATUS_VLAN_VALID) !== 0) this.#restoreTag(packet, words[word + 6]!, status);
      onPacket(packet);
    }
    return count;
  }

  /** The kernel takes the outer tag off and tells it beside the frame: back to where it was. */
  #restoreTag(packet: Packet, vlan: number, status: number): void {
    const tpid = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? vlan >>> 16 : 0x8100;
    const { bytes } = packet;
    bytes.copyWithin(packet.start - 4, packet.start, packet.start + 12);
    packet.start -= 4;
    packet.length += 4;
    packet.headroom -= 4;
    if (packet.csumStart !== 0) packet.csumStart += 4;
    const at = packet.start + 12;
    bytes[at] = tpid >> 8;
    bytes[at + 1] = tpid;
    bytes[at + 2] = vlan >> 8;
    bytes[at + 3] = vlan;
  }

  release(): void {
    for (; this.#taken > 0; this.#taken--) {
      const index = this.#next - this.#taken;
      const slot = this.#slotAt(index < 0 ? index + this.#slots : index);
      Atomics.store(this.#status, slot >> 2, TP_STATUS_KERNEL);
    }
  }

  send(packet: Packet): void {
    this.#batch.add(packet);
  }

  flush(): void {
    this.#batch.flush();
  }

  stillExists(): boolean {
    socketError(this.#socket.fd);
    return interfaceName(this.#socket.ifindex) !== undefined;
  }

  /** Frames that the kernel could not put into the ring since the last call. */
  takeOverruns(): number {
    const value = new Uint8Array(8);
    if (libc().getsockopt(this.#socket.fd, SOL_PACKET, PACKET_STATISTICS, value, new Uint8Array([8, 0, 0, 0])) < 0) return 0;
    return new DataView(value.buffer).getUint32(4, true);
  }

  close(): void {
    this.#batch.close();
    if (this.#socket.blocks > 0) libc().munmap(this.#socket.address, this.#socket.blocks * BLOCK_SIZE);
    closeFd(this.#socket.fd);
  }
}
