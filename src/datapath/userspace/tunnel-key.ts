// Outer headers of received frames, in the words of the key.
import { type Key, W } from '../../flow/key.ts';
import type { TunnelInfo } from '../../netdev/packet.ts';

/** Fills the tunnel words of a key; nothing of an earlier frame stays. */
export function writeTunnelKey(key: Key, tunnel: TunnelInfo): void {
  for (let i: number = W.TUN_ID; i < W.DP_END; i++) key[i] = 0;
  key[W.TUN_ID] = tunnel.idHigh;
  key[W.TUN_ID + 1] = tunnel.idLow;
  if (tunnel.isIpv6) {
    for (let i = 0; i < 4; i++) {
      key[W.TUN_IPV6_SRC + i] = tunnel.src[i]!;
      key[W.TUN_IPV6_DST + i] = tunnel.dst[i]!;
    }
  } else {
    key[W.TUN_SRC] = tunnel.src[3]!;
    key[W.TUN_DST] = tunnel.dst[3]!;
  }
  key[W.TUN_FLAGS] = (tunnel.flags << 16) | (tunnel.tos << 8) | tunnel.ttl;
  key[W.TUN_TP] = (tunnel.tpSrc << 16) | tunnel.tpDst;
  key[W.TUN_GBP] = (tunnel.gbpId << 16) | (tunnel.gbpFlags << 8);
  const words = tunnel.optionsSize >> 2;
  for (let i = 0; i < words; i++) key[W.TUN_METADATA + i] = tunnel.options[i]!;
  key[W.TUN_METADATA_MAP] = tunnel.optionsSize;
}
