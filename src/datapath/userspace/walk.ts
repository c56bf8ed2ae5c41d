// What a packet is accompanied by on its way through a list of operations.
import { KEY_WORDS, type Key } from '../../flow/key.ts';
import type { Packet } from '../../netdev/packet.ts';
import type { TunnelKey } from '../datapath.ts';

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
});

/** Makes `to` what `from` is, with a packet of its own. */
export function copyWalk(from: Walk, to: Walk): void {
  to.packet.copyFrom(from.packet);
  to.key.set(from.key);
  to.layout = from.layout;
  to.isStale = from.isStale;
  to.tunnel = from.tunnel;
  to.trunc = from.trunc;
  to.recircs = from.recircs;
  to.packetType = from.packetType;
}
