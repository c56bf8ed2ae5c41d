// Kernel devices to which user space only sends: what they receive is taken by a program in the kernel. One socket sends to all of them, for the
// kernel takes some 10 ms to close one, and each frame's message names its device. It is bound to no protocol, so it is queued nothing.
import { KernelError } from '../base/errors.ts';
import { check, closeFd, E, libc, setSocketInt } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import type { Packet } from './packet.ts';
import { SendBatch } from './send-batch.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_DROP_MEMBERSHIP = 2;
const PACKET_VNET_HDR = 15;
const PACKET_MR_PROMISC = 1;
/** What one device has not sent yet must not keep others from sending: queues of devices are bounded themselves. */
const SEND_BUFFER = 512 << 20;

/** What `SendSocketDevice` needs; plain. `fd` belongs to whoever opened it. */
export interface SendSocket {
  kind: 'sender';
  fd: number;
  ifindex: number;
}

/** The socket for all devices, which keeps them promiscuous. */
export class SharedSendSocket {
  readonly #fd: number;

  constructor() {
    const c = libc();
    this.#fd = check('socket', c.socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0));
    try {
      setSocketInt(this.#fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    } catch (error) {
      closeFd(this.#fd);
      throw error;
    }
    c.setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, new Uint8Array(Int32Array.of(SEND_BUFFER).buffer), 4);
  }

  /** Opens a device for sending, and keeps it promiscuous until `leave`. */
  open(name: string): SendSocket {
    const ifindex = interfaceIndex(name);
    if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
    check('PACKET_ADD_MEMBERSHIP', this.#member(PACKET_ADD_MEMBERSHIP, ifindex), name);
    return { kind: 'sender', fd: this.#fd, ifindex };
  }

  leave(ifindex: number): void {
    this.#member(PACKET_DROP_MEMBERSHIP, ifindex);
  }

  #member(option: number, ifindex: number): number {
    const membership = new Uint8Array(16);
    const view = new DataView(membership.buffer);
    view.setInt32(0, ifindex, true);
    view.setUint16(4, PACKET_MR_PROMISC, true);
    return libc().setsockopt(this.#fd, SOL_PACKET, option, membership, membership.length);
  }

  close(): void {
    closeFd(this.#fd);
  }
}

export class SendSocketDevice implements Device {
  readonly fds: readonly number[] = [];
  readonly needsReadiness = true;
  readonly #ifindex: number;
  readonly #batch: SendBatch;

  constructor(socket: SendSocket, counters: DeviceCounters, emitter?: Emitter) {
    this.#ifindex = socket.ifindex;
    this.#batch = new SendBatch(socket.fd, socket.ifindex, true, counters, emitter, true);
  }

  receive(): number {
    return 0;
  }

  release(): void {}

  send(packet: Packet): void {
    this.#batch.add(packet);
  }

  flush(): void {
    this.#batch.flush();
  }

  stillExists(): boolean {
    return interfaceName(this.#ifindex) !== undefined;
  }

  close(): void {
    this.#batch.close();
  }
}
