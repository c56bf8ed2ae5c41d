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
// Memory a port: 8 MB for small and 8 MB for large frames (4096 and 120 slots) for the first 16 ports, then 2 + 4 MB for 16 more: 352 MB. Ports beyond
// have a queue (`packet-queue.ts`).
import { KernelError } from '../base/errors.ts';
import { closeFd, E, socketError } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import { Packet } from './packet.ts';
import { endPromiscuous, keepPromiscuous, restoreTag, setSendBuffer } from './packet-options.ts';
import { closeRing, type OpenedRing, openRing, PacketRing } from './packet-ring.ts';
import { SendBatch } from './send-batch.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE } from './virtio-header.ts';

const SEND_BUFFER = 8 << 20;

const SMALL = { slotSize: 2048, lengths: { least: 0, most: 1600 } } as const;
const LARGE = { slotSize: 68 * 1024, lengths: { least: 1601, most: 0xfffffff } } as const;

/** What `PacketSocketDevice` needs; plain, so that it can go to another thread of this process. The rings belong to whoever opened it. */
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

/** How many blocks a port gets when there are already so many ports; undefined where it has no ring. */
export function ringBlocks(portsOpen: number): RingBlocks | undefined {
  if (portsOpen < 16) return { small: 8, large: 8 };
  return portsOpen < 32 ? { small: 2, large: 4 } : undefined;
}

/** Opens a device for frames. The host's own stack still sees them, unless something drops them there. */
export function openPacketSocket(name: string, blocks: RingBlocks): PacketSocket {
  const ifindex = interfaceIndex(name);
  if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
  const small = openRing(name, ifindex, SMALL.slotSize, blocks.small, SMALL.lengths);
  let large: OpenedRing | undefined;
  try {
    large = openRing(name, ifindex, LARGE.slotSize, blocks.large, LARGE.lengths);
    setSendBuffer(small.fd, SEND_BUFFER);
    keepPromiscuous(small.fd, ifindex, name);
    return { kind: 'packet', ifindex, small, large };
  } catch (error) {
    for (const ring of [small, large]) if (ring !== undefined) closeRing(ring, closeFd);
    throw error;
  }
}

/** Ends what `openPacketSocket` began, when the frame path has let go of it; `close` closes the descriptors. */
export function closePacketSocket({ ifindex, small, large }: PacketSocket, close: (fd: number) => void): void {
  endPromiscuous(small.fd, ifindex);
  for (const ring of [small, large]) closeRing(ring, close);
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
    restoreTag(packet, ring.words[word + 6]!, ring.status);
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
  }
}

/** Whether slot `a` was filled before slot `b`; seconds are the fifth word, nanoseconds the sixth. */
function isEarlier(a: Uint32Array, aWord: number, b: Uint32Array, bWord: number): boolean {
  const seconds = a[aWord + 4]! - b[bWord + 4]!;
  return seconds < 0 || (seconds === 0 && a[aWord + 5]! <= b[bWord + 5]!);
}
