// Cuts a super-segment into the frames that it stands for, one after the other in one packet of its own. Allocates once.
import { copyBytes, HEADROOM, type Packet } from '../../netdev/packet.ts';
import { newSegmentPlan, pieceLength, pieceStart, planSegments, writePieceHeader } from '../../netdev/segment.ts';

export class SegmentCutter {
  readonly #plan = newSegmentPlan();
  readonly #newPacket: () => Packet;
  #piece: Packet | undefined;

  constructor(newPacket: () => Packet) {
    this.#newPacket = newPacket;
  }

  /** Where the frames are written; whoever still means to send it must have done so before the next. */
  get piece(): Packet {
    this.#piece ??= this.#newPacket();
    return this.#piece;
  }

  /** How many frames a super-segment stands for, 0 when it is malformed. */
  count(packet: Packet): number {
    return planSegments(packet, 0, this.#plan) ? this.#plan.pieces : 0;
  }

  /** Writes the frame of that index, after `count`. */
  cut(packet: Packet, index: number): void {
    const plan = this.#plan;
    const { piece } = this;
    const length = pieceLength(plan, packet, index);
    piece.point(piece.bytes, piece.address, HEADROOM, plan.headerSize + length);
    writePieceHeader(plan, packet, index, piece.bytes, HEADROOM);
    copyBytes(packet.bytes, packet.start + pieceStart(plan, index), piece.bytes, HEADROOM + plan.headerSize, length);
  }
}
