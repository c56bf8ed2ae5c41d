// Buffers for devices that are read with system calls. One pool serves all of a thread: a device's frames are dealt with and flushed before
// the next one reads.
import { type Memory, mapMemory } from '../host/ffi.ts';
import { HEADROOM, MAX_FRAME, Packet } from './packet.ts';

export const POOL_SLOTS = 32;
export const POOL_SLOT_SIZE = (HEADROOM + MAX_FRAME + 4095) & ~4095;

export class ReceivePool {
  readonly memory: Memory = mapMemory(POOL_SLOTS * POOL_SLOT_SIZE);
  readonly packet = new Packet(this.memory.bytes, this.memory.address);
}

/** A packet whose memory the kernel may be told of. */
export function mappedPacket(): Packet {
  const memory = mapMemory(POOL_SLOT_SIZE);
  return new Packet(memory.bytes, memory.address);
}
