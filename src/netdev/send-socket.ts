// Kernel devices to which user space only sends: what they receive is taken by a program in the kernel. One socket sends to all of them, for the
// kernel takes some 10 ms to close one, and each frame's message names its device. It is bound to no protocol, so it is queued nothing.
import { KernelError } from '../base/errors.ts';
import { closeFd, E, setSocketInt } from '../host/ffi.ts';
import { interfaceIndex, interfaceName } from '../host/interface-request.ts';
import type { Device, DeviceCounters } from './device.ts';
import type { Emitter } from './emitter.ts';
import type { Packet } from './packet.ts';
import { endPromiscuous, keepPromiscuous, openSocket, SOL_PACKET, setSendBuffer } from './packet-options.ts';
import { SendBatch } from './send-batch.ts';

const PACKET_VNET_HDR = 15;
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
    this.#fd = openSocket('');
    try {
      setSocketInt(this.#fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    } catch (error) {
      closeFd(this.#fd);
      throw error;
    }
    setSendBuffer(this.#fd, SEND_BUFFER);
  }

  /** Opens a device for sending, and keeps it promiscuous until `leave`. */
  open(name: string): SendSocket {
    const ifindex = interfaceIndex(name);
    if (ifindex === 0) throw new KernelError(name, E.NODEV, 'No such device');
    keepPromiscuous(this.#fd, ifindex, name);
    return { kind: 'sender', fd: this.#fd, ifindex };
  }

  leave(ifindex: number): void {
    endPromiscuous(this.#fd, ifindex);
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
