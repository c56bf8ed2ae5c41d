// The ports that frames leave by. What is sent is queued at the port, which may refer to the packet's own memory, and leaves with the next
// flush: only then may that memory be written again.
import type { Packet } from '../../netdev/packet.ts';
import { needsPieces } from '../../netdev/segment.ts';
import type { TunnelKey } from '../datapath.ts';
import { SegmentCutter } from './segment-cutter.ts';
import { countDrop, type SharedState } from './shared-state.ts';
import type { Walk } from './walk.ts';

/** Where frames go out. `send` may keep a reference to the packet's memory until `flush`, and then sets `isQueued`. */
export interface FramePort {
  send(packet: Packet, tunnel: TunnelKey | undefined): void;
  flush(): void;
}

/** A port, and whether it may have frames queued. */
interface Output {
  readonly device: FramePort;
  hasQueued: boolean;
}

export class Outputs {
  /** How often there was a flush: what was queued before the last one has left. */
  flushes = 0;
  readonly #state: SharedState;
  readonly #ports: (Output | undefined)[] = [];
  /** Those that frames were sent to since the last flush. */
  /** The first `#queuedCount` have queued something; what stands behind is of former flushes. */
  readonly #queued: Output[] = [];
  #queuedCount = 0;
  readonly #cutter: SegmentCutter;

  constructor(state: SharedState, makePacket: () => Packet) {
    this.#state = state;
    this.#cutter = new SegmentCutter(makePacket);
  }

  add(number: number, port: FramePort): void {
    this.#ports[number] = { device: port, hasQueued: false };
  }

  delete(number: number): void {
    if (this.#ports[number]?.hasQueued) this.flush();
    this.#ports[number] = undefined;
  }

  /** Sends a packet as it is, cut to what the walk says. */
  send(number: number, walk: Walk): void {
    const port = this.#ports[number];
    if (port === undefined) {
      countDrop(this.#state, 'no_port');
      return;
    }
    const { packet } = walk;
    if (walk.packetType !== 0) {
      countDrop(this.#state, 'malformed');
      return;
    }
    this.#queueAt(port);
    if (walk.trunc !== 0 && walk.trunc < packet.length) {
      const { length, csumStart, gsoType } = packet;
      packet.length = walk.trunc;
      packet.csumStart = 0;
      packet.gsoType = 0;
      port.device.send(packet, walk.tunnel);
      packet.length = length;
      packet.csumStart = csumStart;
      packet.gsoType = gsoType;
    } else if (walk.tunnel === undefined && needsPieces(packet)) {
      this.#sendPieces(port, packet);
    } else {
      port.device.send(packet, walk.tunnel);
    }
    walk.trunc = 0;
  }

  /** Sends a super-segment as the frames that it stands for. */
  #sendPieces(port: Output, packet: Packet): void {
    const cutter = this.#cutter;
    const count = cutter.count(packet);
    if (count === 0) countDrop(this.#state, 'malformed');
    for (let i = 0; i < count; i++) {
      if (cutter.piece.isQueued) {
        this.flush();
        this.#queueAt(port);
      }
      cutter.cut(packet, i);
      port.device.send(cutter.piece, undefined);
    }
  }

  /** The next flush is one of this port too. */
  #queueAt(port: Output): void {
    if (port.hasQueued) return;
    port.hasQueued = true;
    this.#queued[this.#queuedCount++] = port;
  }

  /** Sends what ports have queued; afterwards no port refers to any packet. */
  flush(): void {
    for (let i = 0; i < this.#queuedCount; i++) {
      const port = this.#queued[i]!;
      port.hasQueued = false;
      port.device.flush();
    }
    this.#queuedCount = 0;
    this.flushes++;
  }
}
