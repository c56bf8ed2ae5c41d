// The mask of everything that a frame has: for flows that are to match exactly the frames that look the same.
import { FRAG, type Key, newKey, W } from './key.ts';

const ALL = 0xffffffff;

/** All metadata and all header fields that exist in the frame of this key. */
export function packetMask(key: Key): Key {
  const mask = newKey();
  const exact = (first: number, count = 1): void => void mask.fill(ALL, first, first + count);
  exact(W.IN_PORT);
  exact(W.RECIRC_ID);
  exact(W.CT_STATE);
  mask[W.CT_ZONE] = 0xffff0000;
  for (const word of [W.CT_MARK, W.DP_HASH, W.SKB_PRIORITY, W.PKT_MARK, W.PACKET_TYPE]) exact(word);
  exact(W.CT_LABEL, 4);
  if (key[W.TUN_DST] !== 0 || key[W.TUN_SRC] !== 0) {
    exact(W.TUN_SRC, 2);
    exact(W.TUN_ID, 2);
    exact(W.TUN_FLAGS, 5);
  } else if (key.subarray(W.TUN_IPV6_SRC, W.TUN_FLAGS).some((word) => word !== 0)) {
    exact(W.TUN_IPV6_SRC, 8);
    exact(W.TUN_ID, 2);
    exact(W.TUN_FLAGS, 5);
  }
  exact(W.ETH, 3);
  exact(W.VLAN0);
  exact(W.VLAN1);
  mask[W.TYPE] = 0xffff0000;
  switch (key[W.TYPE]! >>> 16) {
    case 0x0800:
      exact(W.NW_SRC, 2);
      exact(W.CT_NW_SRC, 2);
      break;
    case 0x86dd:
      exact(W.IPV6_SRC, 8);
      exact(W.CT_IPV6_SRC, 8);
      exact(W.IPV6_LABEL);
      break;
    case 0x0806:
    case 0x8035:
      exact(W.NW_SRC, 2);
      exact(W.ARP_HW, 3);
      mask[W.TYPE] = 0xffff00ff;
      return mask;
    case 0x8847:
    case 0x8848:
      exact(W.MPLS, 3);
      return mask;
    case 0x894f:
      exact(W.NSH, W.TUN_METADATA - W.NSH);
      return mask;
    default:
      return mask;
  }
  exact(W.TYPE);
  mask[W.TOS] = 0xffff0000;
  if (((key[W.TYPE]! >>> 8) & FRAG.LATER) !== 0) return mask;
  exact(W.TP);
  const proto = key[W.TYPE]! & 0xff;
  if (proto === 6) exact(W.TOS);
  else if (proto === 2) exact(W.IGMP_GROUP);
  return mask;
}
