// The match of exactly the frames like one: all that OpenFlow 1.0's twelve fields can say of it, as ovs-testcontroller and POX match.
import { type Key, type Match, newKey, VLAN_CFI, W } from '../flow/key.ts';
import type { OfVersion } from '../openflow/message.ts';

const TCI_BITS = 0x1fff;
/** nw_tos without the two bits of ECN: only the class can be matched in OpenFlow 1.0. */
const DSCP_BITS = 0xfc000000;

/** Matches in_port, addresses, VLAN, eth_type and, for IP and ARP, what OpenFlow 1.0 has of them. */
export function exactMatch(key: Key, version: OfVersion): Match {
  const mask = newKey();
  mask[W.IN_PORT] = 0xffffffff;
  for (let i = W.ETH; i < W.ETH + 3; i++) mask[i] = 0xffffffff;
  // eth_type, and later nw_proto; fragments are not told apart.
  mask[W.TYPE] = 0xffff0000;
  const tci = key[W.VLAN0] ?? 0;
  // Without a tag: "no tag" in the words of the version, so that OpenFlow 1.0 needs no extension.
  mask[W.VLAN0] = (tci & VLAN_CFI) === 0 && version > 1 ? TCI_BITS : 0xffff;
  const type = (key[W.TYPE] ?? 0) >>> 16;
  const isIpv4 = type === 0x0800;
  if (isIpv4 || type === 0x0806) {
    mask[W.NW_SRC] = 0xffffffff;
    mask[W.NW_DST] = 0xffffffff;
    mask[W.TYPE] = 0xffff00ff;
  }
  if (isIpv4) {
    mask[W.TOS] = DSCP_BITS;
    const proto = (key[W.TYPE] ?? 0) & 0xff;
    const isLaterFragment = (((key[W.TYPE] ?? 0) >>> 8) & 2) !== 0;
    if ((proto === 1 || proto === 6 || proto === 17) && !isLaterFragment) mask[W.TP] = 0xffffffff;
  }
  const value = newKey();
  for (let i = 0; i < value.length; i++) value[i] = (key[i] ?? 0) & (mask[i] ?? 0);
  return { key: value, mask };
}
