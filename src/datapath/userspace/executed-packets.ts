// Packets for frames of the control plane's: many may be queued at ports before the next flush, so each has one of its own.
import { HEADROOM, MAX_FRAME, type Packet } from '../../netdev/packet.ts';
import type { FrameOffload } from '../datapath.ts';
import type { Outputs } from './outputs.ts';

/** How many may be queued together. */
const MOST = 64;

export class ExecutedPackets {
  readonly #outputs: Outputs;
  readonly #newPacket: () => Packet;
  readonly #packets: Packet[] = [];
  /** How many were taken since the flush of that number. */
  #count = 0;
  #flushes = 0;

  constructor(outputs: Outputs, newPacket: () => Packet) {
    this.#outputs = outputs;
    this.#newPacket = newPacket;
  }

  /** A packet with that frame, cut where it is too long. */
  take(frame: Uint8Array, offload: FrameOffload): Packet {
    if (this.#count === MOST) this.#outputs.flush();
    if (this.#flushes !== this.#outputs.flushes) {
      this.#flushes = this.#outputs.flushes;
      this.#count = 0;
    }
    let packet = this.#packets[this.#count++];
    if (packet === undefined) {
      packet = this.#newPacket();
      this.#packets.push(packet);
    }
    packet.point(packet.bytes, packet.address, HEADROOM, Math.min(frame.length, MAX_FRAME));
    packet.bytes.set(frame.length > packet.length ? frame.subarray(0, packet.length) : frame, packet.start);
    packet.csumStart = offload.csumStart;
    packet.csumOffset = offload.csumOffset;
    packet.gsoType = offload.gsoType;
    packet.gsoSize = offload.gsoSize;
    return packet;
  }

  /** The packet taken last has gone its way. A flush meanwhile has made all packets free, and this one may be queued again. */
  done(): void {
    if (this.#flushes !== this.#outputs.flushes) this.#outputs.flush();
  }
}
