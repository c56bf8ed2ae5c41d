// What a packet is accompanied by on its way through a list of operations.
import { extractKey, layoutL4 } from '../../flow/extract.ts';
import { KEY_WORDS, type Key, W } from '../../flow/key.ts';
import type { Packet } from '../../netdev/packet.ts';
import type { TunnelKey } from '../datapath.ts';
import type { Outputs } from './outputs.ts';

/** A packet in the hands of a list of operations. */
export interface Walk {
  packet: Packet;
  key: Key;
  layout: number;
  /** The frame changed since the key was extracted. */
  isStale: boolean;
  tunnel: TunnelKey | undefined;
  /** Longest that the next output may be; 0 = whole. */
  trunc: number;
  recircs: number;
  /** Not 0: the frame is no Ethernet frame; its first 14 bytes are a place holder with its type, no part of it. */
  packetType: number;
  /** Whether the key may have words of connection tracking, and of a tunnel, that are not 0. */
  hasCtKey: boolean;
  hasTunnelKey: boolean;
}

export const newWalk = (packet: Packet): Walk => ({
  packet,
  key: new Uint32Array(KEY_WORDS),
  layout: 0,
  isStale: false,
  tunnel: undefined,
  trunc: 0,
  recircs: 0,
  packetType: 0,
  hasCtKey: false,
  hasTunnelKey: false,
});

/** Makes `to` what `from` is, with a packet of its own. */
function copyWalk(from: Walk, to: Walk): void {
  to.packet.copyFrom(from.packet);
  to.key.set(from.key);
  to.layout = from.layout;
  to.isStale = from.isStale;
  to.tunnel = from.tunnel;
  to.trunc = from.trunc;
  to.recircs = from.recircs;
  to.packetType = from.packetType;
}

/** Walks that lists may copy a packet into, one for each depth. */
export class WalkStack {
  readonly #outputs: Outputs;
  readonly #newPacket: () => Packet;
  readonly #walks: Walk[] = [];

  constructor(outputs: Outputs, newPacket: () => Packet) {
    this.#outputs = outputs;
    this.#newPacket = newPacket;
  }

  /** That of a depth, whose packet nobody means to send any more. */
  at(depth: number): Walk {
    let own = this.#walks[depth];
    if (own === undefined) {
      own = newWalk(this.#newPacket());
      this.#walks[depth] = own;
    }
    if (own.packet.isQueued) this.#outputs.flush();
    return own;
  }

  copy(walk: Walk, depth: number): Walk {
    const copy = this.at(depth);
    copyWalk(walk, copy);
    return copy;
  }
}

/** Reads the header words of the key; gives the layout. */
export function extractWalk({ packet, key, packetType }: Walk): number {
  const layout = extractKey(packet.bytes, packet.start, packet.length, key);
  if (packetType === 0) return layout;
  key[W.ETH] = 0;
  key[W.ETH + 1] = 0;
  key[W.ETH + 2] = 0;
  key[W.PACKET_TYPE] = packetType;
  return layout;
}

/** Makes key and layout those of the frame as it is. */
export function refreshWalk(walk: Walk): void {
  if (!walk.isStale) return;
  walk.layout = extractWalk(walk);
  walk.isStale = false;
}

/** What a frame's length counts as: that of one segment, where it will be cut into some. */
export function segmentLength(walk: Walk): number {
  const { packet } = walk;
  if (packet.gsoType === 0) return packet.length;
  refreshWalk(walk);
  const l4 = layoutL4(walk.layout);
  if (l4 === 0) return packet.length;
  const isTcp = (walk.key[W.TYPE]! & 0xff) === 6;
  const header = isTcp ? (packet.bytes[packet.start + l4 + 12]! >>> 4) * 4 : 8;
  return Math.min(packet.length, l4 + header + packet.gsoSize);
}
