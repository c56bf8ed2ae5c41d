// A kernel device through AF_PACKET: frames come in through mapped rings and leave through sendmmsg straight from the memory they stand
// in, usually another device's ring. Both ways carry virtio_net_hdr, so partial checksums and super-segments pass as they are.
//
// Small frames leave by a program, if there is one (`emitter.ts`).
//
// Why no transmit ring: the kernel copies out of it anyway whenever a frame is handed to another namespace or socket, and filling it is a
// copy more; sendmmsg from the receive ring is one copy in all.
//
// Why two rings: a slot for a super-segment has 68 KB, and few of those fit into sensible memory; but when this thread is kept from its
// processor for some milliseconds, small frames come by the thousand. So frames up to 1600 bytes have a ring with 2 KB slots of their own,
// and the two are read in the order of the kernel's time stamps.
//
// Memory a port: 8 MB for small and 8 MB for large frames (4096 and 120 slots) for the first 16 ports, then 2 + 4 MB, and 1 + 2 MB beyond
// 128, and 1 + 1 MB beyond 512: 256 MB for 16 ports, 930 MB for 128, 3 GB for 1,000.
import { KernelError } from '../base/errors.ts';
import { check, E, libc, socketError } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import { Packet } from './packet.ts';
import { type OpenedRing, openRing, PacketRing } from './packet-ring.ts';
import { SendBatch } from './send-batch.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE } from './virtio-header.ts';

const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_PROMISC = 1;
const TP_STATUS_VLAN_VALID = 0x10;
const TP_STATUS_VLAN_TPID_VALID = 0x40;

const SMALL = { slotSize: 2048, lengths: { least: 0, most: 1600 } } as const;
const LARGE = { slotSize: 68 * 1024, lengths: { least: 1601, most: 0xfffffff } } as const;

/** What `PacketSocketDevice` needs; plain, so that it can go to another thread of this process. */
export interface PacketSocket {
  kind: 'packet';
  ifindex: number;
  small: OpenedRing;
  large: OpenedRing;
}

/** Blocks of 1 MB for each ring. */
export interface RingBlocks {
  small: number;
  large: number;
}

/** How many blocks a port gets when there are already so many ports. */
export function ringBlocks(portsOpen: number): RingBlocks {
  if (portsOpen < 16) return { small: 8, large: 8 };
  if (portsOpen < 128) return { small: 2, large: 4 };
  return { small: 1, large: portsOpen < 512 ? 2 : 1 };
}

/** Opens a device for frames. The host's own stack still sees them, unless something drops them there. */
export function openPacketSocket(name: string, blocks: RingBlocks): PacketSocket {
  const ifindex = interfaceIndex(name);
  if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
  const small = openRing(name, ifindex, SMALL.slotSize, blocks.small, SMALL.lengths);
  let large: OpenedRing | undefined;
  try {
    large = openRing(name, ifindex, LARGE.slotSize, blocks.large, LARGE.lengths);
    const c = libc();
    c.setsockopt(small.fd, SOL_SOCKET, SO_SNDBUFFORCE, new Uint8Array(Int32Array.of(8 << 20).buffer), 4);
    const membership = new Uint8Array(16);
    const view = new DataView(membership.buffer);
    view.setInt32(0, ifindex, true);
    view.setUint16(4, PACKET_MR_PROMISC, true);
    check('PACKET_ADD_MEMBERSHIP', c.setsockopt(small.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length), name);
    return { kind: 'packet', ifindex, small, large };
  } catch (error) {
    for (const ring of [small, large]) if (ring !== undefined) new PacketRing(ring).close();
    throw error;
  }
}

/** The frame path's half. */
export class PacketSocketDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = false;
  readonly #ifindex: number;
  readonly #hasVirtioHeader: boolean;
  readonly #counters: DeviceCounters;
  readonly #small: PacketRing;
  readonly #large: PacketRing;
  readonly #packet = new Packet(new Uint8Array(0), 0);
  readonly #batch: SendBatch;

  constructor(socket: PacketSocket, counters: DeviceCounters, emitter?: Emitter) {
    this.#ifindex = socket.ifindex;
    this.#counters = counters;
    this.#small = new PacketRing(socket.small);
    this.#large = new PacketRing(socket.large);
    this.fds = [socket.small.fd, socket.large.fd];
    this.#hasVirtioHeader = socket.small.hasVirtioHeader;
    this.#batch = new SendBatch(socket.small.fd, socket.ifindex, this.#hasVirtioHeader, counters, emitter);
  }

  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const small = this.#small;
    const large = this.#large;
    let count = 0;
    for (; count < budget; count++) {
      const smallSlot = small.peek();
      const largeSlot = large.peek();
      if (smallSlot < 0 && largeSlot < 0) break;
      if (largeSlot < 0 || (smallSlot >= 0 && isEarlier(small.words, smallSlot >> 2, large.words, largeSlot >> 2))) {
        this.#take(small, smallSlot, onPacket);
      } else {
        this.#take(large, largeSlot, onPacket);
      }
    }
    return count;
  }

  #take(ring: PacketRing, slot: number, onPacket: (packet: Packet) => void): void {
    ring.take();
    const word = slot >> 2;
    const length = ring.words[word + 1]!;
    if (ring.words[word + 2] !== length) {
      this.#counters.receiveFailed(1);
      return;
    }
    const packet = this.#packet;
    const start = slot + (ring.words[word + 3]! & 0xffff);
    packet.point(ring.bytes, ring.address, start, length);
    if (this.#hasVirtioHeader) readVirtioHeader(ring.bytes, start - VIRTIO_HEADER_SIZE, packet);
    if ((ring.status & TP_STATUS_VLAN_VALID) !== 0) restoreTag(packet, ring.words[word + 6]!, ring.status);
    onPacket(packet);
  }

  release(): void {
    this.#small.release();
    this.#large.release();
  }

  send(packet: Packet): void {
    this.#batch.add(packet);
  }

  flush(): void {
    this.#batch.flush();
  }

  countOverruns(): void {
    const lost = this.#small.takeOverruns() + this.#large.takeOverruns();
    if (lost > 0) this.#counters.receiveDropped(lost);
  }

  stillExists(): boolean {
    for (const fd of this.fds) socketError(fd);
    return interfaceName(this.#ifindex) !== undefined;
  }

  close(): void {
    this.#batch.close();
    this.#small.close();
    this.#large.close();
  }
}

/** Whether slot `a` was filled before slot `b`; seconds are the fifth word, nanoseconds the sixth. */
function isEarlier(a: Uint32Array, aWord: number, b: Uint32Array, bWord: number): boolean {
  const seconds = a[aWord + 4]! - b[bWord + 4]!;
  return seconds < 0 || (seconds === 0 && a[aWord + 5]! <= b[bWord + 5]!);
}

/** The kernel takes the outer tag off and tells it beside the frame: back to where it was. */
function restoreTag(packet: Packet, vlan: number, status: number): void {
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
