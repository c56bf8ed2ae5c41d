// A kernel device through an AF_PACKET socket without a ring: frames wait in the socket's queue and are read with recvmmsg, a copy more than from a ring.
//
// It opens at once and takes no memory while nothing comes, where the kernel waits 8 ms or more for each of the two rings that a device has in
// `packet-socket.ts`, which take 6 MB or more: it is for the many ports of a datapath that has many.
//
// struct mmsghdr is 64 bytes: iovec pointer at 16, count at 24, control pointer at 32, its size at 40, flags at 48, bytes received at 56. A message's control
// data is one struct tpacket_auxdata behind a cmsghdr of 16 bytes: status, length, captured length, mac and net offsets (16 bits each), VLAN TCI and TPID.
import { KernelError } from '../base/errors.ts';
import { closeFd, E, libc, type Memory, mapMemory, setSocketInt, socketError, unmapMemory } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import { HEADROOM, MAX_FRAME, type Packet } from './packet.ts';
import {
  bindToDevice,
  endPromiscuous,
  keepPromiscuous,
  openSocket,
  restoreTag,
  SOL_PACKET,
  setSendBuffer,
  takeOverruns,
} from './packet-options.ts';
import { POOL_SLOT_SIZE, POOL_SLOTS, type ReceivePool } from './receive-pool.ts';
import { SendBatch, writeAddress } from './send-batch.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE } from './virtio-header.ts';

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const PACKET_AUXDATA = 8;
const PACKET_VNET_HDR = 15;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
/** Half of what waits at most, with what the kernel has around the frames: 5,000 small frames, or 50 super-segments. */
const QUEUE_SIZE = 2 << 20;
const SEND_BUFFER = 8 << 20;

const CONTROL_SIZE = 40;
const AUXDATA_AT = 16;
const VLAN_AT = AUXDATA_AT + 16;
const VECTORS_AT = POOL_SLOTS * 64;
const CONTROLS_AT = VECTORS_AT + POOL_SLOTS * 16;

/** What `PacketQueueDevice` needs; plain. `fd` belongs to whoever opened it. */
export interface PacketQueue {
  kind: 'queue';
  fd: number;
  ifindex: number;
}

/** Opens a device for frames, as `openPacketSocket` does. Throws KernelError. */
export function openPacketQueue(name: string): PacketQueue {
  const ifindex = interfaceIndex(name);
  if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
  const fd = openSocket(name);
  try {
    setSocketInt(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    setSocketInt(fd, SOL_PACKET, PACKET_AUXDATA, 1);
    libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, new Uint8Array(Int32Array.of(QUEUE_SIZE).buffer), 4);
    setSendBuffer(fd, SEND_BUFFER);
    keepPromiscuous(fd, ifindex, name);
    bindToDevice(fd, ifindex, name);
    return { kind: 'queue', fd, ifindex };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Ends what `openPacketQueue` began, when the frame path has let go of it; `close` closes the descriptor. */
export function closePacketQueue({ ifindex, fd }: PacketQueue, close: (fd: number) => void): void {
  endPromiscuous(fd, ifindex);
  close(fd);
}

/** The frame path's half. */
export class PacketQueueDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = true;
  readonly #fd: number;
  readonly #ifindex: number;
  readonly #pool: ReceivePool;
  readonly #counters: DeviceCounters;
  readonly #messages: Memory = mapMemory(CONTROLS_AT + POOL_SLOTS * CONTROL_SIZE);
  readonly #batch: SendBatch;

  constructor(queue: PacketQueue, pool: ReceivePool, counters: DeviceCounters, emitter?: Emitter) {
    this.fds = [queue.fd];
    this.#fd = queue.fd;
    this.#ifindex = queue.ifindex;
    this.#pool = pool;
    this.#counters = counters;
    this.#batch = new SendBatch(queue.fd, queue.ifindex, true, counters, emitter);
    const { words, address } = this.#messages;
    for (let i = 0; i < POOL_SLOTS; i++) {
      const vector = VECTORS_AT + i * 16;
      writeAddress(words, i * 16 + 4, address + vector);
      words[i * 16 + 6] = 1;
      writeAddress(words, i * 16 + 8, address + CONTROLS_AT + i * CONTROL_SIZE);
      // The header comes first, right before the frame.
      writeAddress(words, vector >> 2, pool.memory.address + i * POOL_SLOT_SIZE + HEADROOM - VIRTIO_HEADER_SIZE);
      words[(vector >> 2) + 2] = VIRTIO_HEADER_SIZE + MAX_FRAME;
    }
  }

  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const { words, address } = this.#messages;
    const most = Math.min(budget, POOL_SLOTS);
    for (let i = 0; i < most; i++) words[i * 16 + 10] = CONTROL_SIZE;
    const count = libc().recvmmsgAt(this.#fd, address, most, MSG_DONTWAIT, 0);
    for (let i = 0; i < count; i++) this.#take(i, onPacket);
    return Math.max(0, count);
  }

  #take(i: number, onPacket: (packet: Packet) => void): void {
    const { words } = this.#messages;
    const size = words[i * 16 + 14]! - VIRTIO_HEADER_SIZE;
    if (size <= 0 || (words[i * 16 + 12]! & MSG_TRUNC) !== 0) {
      this.#counters.receiveFailed(1);
      return;
    }
    const { memory, packet } = this.#pool;
    const start = i * POOL_SLOT_SIZE + HEADROOM;
    packet.point(memory.bytes, memory.address, start, size);
    readVirtioHeader(memory.bytes, start - VIRTIO_HEADER_SIZE, packet);
    const control = (CONTROLS_AT + i * CONTROL_SIZE) >> 2;
    if (words[i * 16 + 10]! !== 0) restoreTag(packet, words[control + (VLAN_AT >> 2)]!, words[control + (AUXDATA_AT >> 2)]!);
    onPacket(packet);
  }

  release(): void {}

  send(packet: Packet): void {
    this.#batch.add(packet);
  }

  flush(): void {
    this.#batch.flush();
  }

  countOverruns(): void {
    const lost = takeOverruns(this.#fd);
    if (lost > 0) this.#counters.receiveDropped(lost);
  }

  stillExists(): boolean {
    socketError(this.#fd);
    return interfaceName(this.#ifindex) !== undefined;
  }

  close(): void {
    this.#batch.close();
    unmapMemory(this.#messages);
  }
}
