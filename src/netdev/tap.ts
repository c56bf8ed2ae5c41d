// A TAP device of ours: what the host sends through it comes in here, what we send the host receives. With virtio_net_hdr, so that the host
// leaves checksums and segmentation to us and takes super-segments. Held by the descriptor: gone when the process dies, unless made persistent.
import { check, closeFd, E, libc, type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import {
  hasInterfaceMac,
  interfaceIndex,
  interfaceName,
  interfaceRequest,
  keepNeighbours,
  setInterfaceMac,
  setInterfaceMtu,
} from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import { HEADROOM, MAX_FRAME, type Packet } from './packet.ts';
import { POOL_SLOT_SIZE, POOL_SLOTS, type ReceivePool } from './receive-pool.ts';
import { writeAddress } from './send-batch.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE, writeVirtioHeader } from './virtio-header.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETPERSIST = 0x400454cb;
const BUSY_MS = 1000;
const IFF_TAP = 2;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const OFFLOADS = 1 | 2 | 4 | 8;
const OFFLOADS_USO = 0x20 | 0x40;

/** What `TapDevice` needs; plain. */
export interface Tap {
  kind: 'tap';
  fd: number;
  ifindex: number;
}

/** Makes the device, down, with that address and MTU. */
export function openTap(name: string, mac: readonly [number, number], mtu: number): Tap {
  const c = libc();
  const fd = check('/dev/net/tun', c.open('/dev/net/tun', 2 | 0x80000 | 0x800, 0));
  try {
    const request = interfaceRequest(name);
    new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
    // A former daemon that was killed just now may not have let go of it yet.
    const end = performance.now() + BUSY_MS;
    let result = c.ioctl(fd, TUNSETIFF, request);
    while (result < 0 && c.errno() === E.BUSY && performance.now() < end) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      result = c.ioctl(fd, TUNSETIFF, request);
    }
    check('TUNSETIFF', result, name);
    if (c.ioctlInt(fd, TUNSETOFFLOAD, OFFLOADS | OFFLOADS_USO) < 0) check('TUNSETOFFLOAD', c.ioctlInt(fd, TUNSETOFFLOAD, OFFLOADS), name);
    // Only when it is another: the host forgets its neighbours with each change.
    if ((mac[0] !== 0 || mac[1] !== 0) && !hasInterfaceMac(name, mac)) setInterfaceMac(name, mac);
    if (mtu > 0) setInterfaceMtu(name, mtu);
    return { kind: 'tap', fd, ifindex: interfaceIndex(name) };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Says whether the device, with its addresses and routes, outlives the descriptor. */
export function setTapPersistent(tap: Tap, isPersistent: boolean): void {
  check('TUNSETPERSIST', libc().ioctlInt(tap.fd, TUNSETPERSIST, isPersistent ? 1 : 0));
  // Without a process at the descriptor the device has no carrier.
  if (isPersistent) keepNeighbours(interfaceName(tap.ifindex) ?? '');
}

export class TapDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = true;
  readonly #tap: Tap;
  readonly #pool: ReceivePool;
  readonly #counters: DeviceCounters;
  readonly #vectors: Memory = mapMemory(64);

  constructor(tap: Tap, pool: ReceivePool, counters: DeviceCounters) {
    this.#tap = tap;
    this.#pool = pool;
    this.#counters = counters;
    this.fds = [tap.fd];
    const { words, address } = this.#vectors;
    writeAddress(words, 0, address + 32);
    words[2] = VIRTIO_HEADER_SIZE;
  }

  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const { memory, packet } = this.#pool;
    const c = libc();
    const most = Math.min(budget, POOL_SLOTS);
    for (let i = 0; i < most; i++) {
      const start = i * POOL_SLOT_SIZE + HEADROOM;
      const headerAt = start - VIRTIO_HEADER_SIZE;
      const size = Number(c.readAt(this.#tap.fd, memory.address + headerAt, MAX_FRAME));
      if (size < VIRTIO_HEADER_SIZE) return i;
      packet.point(memory.bytes, memory.address, start, size - VIRTIO_HEADER_SIZE);
      readVirtioHeader(memory.bytes, headerAt, packet);
      onPacket(packet);
    }
    return most;
  }

  release(): void {}

  send(packet: Packet): void {
    const { words, bytes, address } = this.#vectors;
    writeVirtioHeader(bytes, 32, packet);
    writeAddress(words, 4, packet.address + packet.start);
    words[6] = packet.length;
    const c = libc();
    if (Number(c.writevAt(this.#tap.fd, address, 2)) >= 0) {
      this.#counters.sent(1, packet.length);
      return;
    }
    const errno = c.errno();
    // A device that is down refuses with EIO: that is the user's will, not a fault.
    if (errno === E.IO || errno === E.AGAIN || errno === E.NOBUFS) this.#counters.sendDropped(1);
    else this.#counters.sendFailed(1);
  }

  flush(): void {}

  stillExists(): boolean {
    return interfaceName(this.#tap.ifindex) !== undefined;
  }

  close(): void {
    unmapMemory(this.#vectors);
    closeFd(this.#tap.fd);
  }
}
