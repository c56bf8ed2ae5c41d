// A kernel device to which user space only sends: what it receives is taken by a program in the kernel. The socket is bound to a protocol
// that is for local experiments; no frame of it gets past that program, so none is queued, but the end of the device is told as an error.
import { KernelError } from '../base/errors.ts';
import { check, closeFd, E, libc, setSocketInt, socketError } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import type { Packet } from './packet.ts';
import { SendBatch } from './send-batch.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_VNET_HDR = 15;
const PACKET_MR_PROMISC = 1;
const ETH_P_EXPERIMENT = 0x88b5;

/** What `SendSocketDevice` needs; plain. */
export interface SendSocket {
  kind: 'sender';
  fd: number;
  ifindex: number;
}

/** Opens a device for sending, and keeps it promiscuous. */
export function openSendSocket(name: string): SendSocket {
  const ifindex = interfaceIndex(name);
  if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
  const c = libc();
  const fd = check('socket', c.socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0), name);
  try {
    setSocketInt(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    const membership = new Uint8Array(16);
    const view = new DataView(membership.buffer);
    view.setInt32(0, ifindex, true);
    view.setUint16(4, PACKET_MR_PROMISC, true);
    check('PACKET_ADD_MEMBERSHIP', c.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length), name);
    const link = new Uint8Array(20);
    const linkView = new DataView(link.buffer);
    linkView.setUint16(0, AF_PACKET, true);
    linkView.setUint16(2, ETH_P_EXPERIMENT, false);
    linkView.setInt32(4, ifindex, true);
    check('bind', c.bind(fd, link, link.length), name);
    return { kind: 'sender', fd, ifindex };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

export class SendSocketDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = true;
  readonly #socket: SendSocket;
  readonly #batch: SendBatch;

  constructor(socket: SendSocket, counters: DeviceCounters, emitter?: Emitter) {
    this.fds = [socket.fd];
    this.#socket = socket;
    this.#batch = new SendBatch(socket.fd, socket.ifindex, true, counters, emitter);
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
    socketError(this.#socket.fd);
    return interfaceName(this.#socket.ifindex) !== undefined;
  }

  close(): void {
    this.#batch.close();
    closeFd(this.#socket.fd);
  }
}
