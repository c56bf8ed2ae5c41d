// A device that a test itself reads and writes.
import { closeFd } from '../../../src/host/ffi.ts';
import type { DeviceCounters } from '../../../src/netdev/device.ts';
import type { Emitter } from '../../../src/netdev/emitter.ts';
import { closePacketSocket, openPacketSocket, type PacketSocket, PacketSocketDevice } from '../../../src/netdev/packet-socket.ts';

export class PacketEnd extends PacketSocketDevice {
  readonly #socket: PacketSocket;

  constructor(name: string, counters: DeviceCounters, emitter?: Emitter) {
    const socket = openPacketSocket(name, { small: 1, large: 2 });
    super(socket, counters, emitter);
    this.#socket = socket;
  }

  override close(): void {
    super.close();
    closePacketSocket(this.#socket, closeFd);
  }
}
