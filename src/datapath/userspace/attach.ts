// From the plain description of an opened device to the frame path's half of it.
import type { Device, DeviceCounters } from '../../netdev/device.ts';
import type { Emitter } from '../../netdev/emitter.ts';
import { type PacketQueue, PacketQueueDevice } from '../../netdev/packet-queue.ts';
import { type PacketSocket, PacketSocketDevice } from '../../netdev/packet-socket.ts';
import { type PuntRing, PuntRingDevice } from '../../netdev/punt-ring.ts';
import type { ReceivePool } from '../../netdev/receive-pool.ts';
import { type SendSocket, SendSocketDevice } from '../../netdev/send-socket.ts';
import { type Tap, TapDevice } from '../../netdev/tap.ts';
import { type Tunnel, TunnelDevice } from '../../netdev/tunnel.ts';
import type { UserspaceCore } from './core.ts';
import { DROP, PORT, type SharedState, STAT } from './shared-state.ts';

export type OpenedDevice = PacketQueue | PacketSocket | PuntRing | SendSocket | Tap | Tunnel;

function countersOf(state: SharedState, port: number): DeviceCounters {
  const at = port * PORT.SIZE;
  const { ports, drops } = state;
  return {
    sent(packets, bytes) {
      ports[at + PORT.txPackets]! += packets;
      ports[at + PORT.txBytes]! += bytes;
    },
    sendFailed(packets) {
      ports[at + PORT.txErrors]! += packets;
      drops[DROP.tx_error]! += packets;
    },
    sendDropped(packets) {
      ports[at + PORT.txDropped]! += packets;
      drops[DROP.tx_full]! += packets;
    },
    receiveFailed(packets) {
      ports[at + PORT.rxErrors]! += packets;
      drops[DROP.malformed]! += packets;
    },
    receiveDropped(packets) {
      ports[at + PORT.rxDropped]! += packets;
    },
  };
}

/** Attaches an opened device as that port; frames may leave by the emitter, where there is one. */
export function attachDevice(opened: OpenedDevice, port: number, core: UserspaceCore, pool: ReceivePool, emitter?: Emitter): Device {
  const counters = countersOf(core.state, port);
  switch (opened.kind) {
    case 'packet':
      return new PacketSocketDevice(opened, counters, emitter);
    case 'queue':
      return new PacketQueueDevice(opened, pool, counters, emitter);
    case 'tap':
      return new TapDevice(opened, pool, counters);
    case 'sender':
      return new SendSocketDevice(opened, counters, emitter);
    case 'ring':
      return new PuntRingDevice(opened, pool, core.upcallOrder, (drop) => {
        const { drops, stats } = core.state;
        if (drop === 'stale') {
          drops[DROP.ring_stale]! += 1;
          return;
        }
        stats[STAT.missed]! += 1;
        stats[STAT.lost]! += 1;
        drops[DROP.upcall_queue_full]! += 1;
      });
    case 'tunnel':
      return new TunnelDevice(opened, pool, counters);
  }
}
