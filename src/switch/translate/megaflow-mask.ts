// From what a walk read to the mask of its megaflow: only what the datapath knows of a frame, and only what a frame of this kind has.
import { copyKey, FRAG, type Key, VLAN_CFI, W } from '../../flow/key.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import { isArp, isIp, isMpls } from './subfield.ts';
import { maskOptions } from './tunnel-options.ts';

/** Turns what the walk read into a mask over what the datapath knows. */
export function finishMask(wild: Key, original: Key, isTunnelled: boolean, options: TlvTable): Key {
  const mask = copyKey(wild);
  // Registers, metadata and the like start as zero for every frame.
  mask.fill(0, W.DP_END);
  mask[W.IN_PORT] = 0xffffffff;
  // Whether a tag is present always counts: the Ethernet type alone does not say it here. Like the reference's, a megaflow that reads
  // nothing of the tag is for one VLAN.
  mask[W.VLAN0] = mask[W.VLAN0]! | ((mask[W.VLAN0]! & 0xffff) === 0 ? VLAN_CFI | 0xfff : VLAN_CFI);
  if ((mask[W.VLAN1]! & 0xffff) !== 0) mask[W.VLAN1] = mask[W.VLAN1]! | VLAN_CFI;
  // A frame that came through no tunnel has no outer header, whatever the tables wrote and read there.
  if (!isTunnelled) {
    mask.fill(0, W.TUN_ID, W.NSH);
    mask.fill(0, W.TUN_METADATA);
  } else maskOptions(mask, original, options);
  const type = original[W.TYPE]!;
  if (!isMpls(original)) mask.fill(0, W.MPLS, W.MPLS + 3);
  if (type >>> 16 !== 0x894f) mask.fill(0, W.NSH, W.TUN_METADATA);
  if (isIp(original)) {
    // The transport header is there only in first fragments; ICMP's type and code have 8 bits each.
    const proto = type & 0xff;
    if (((type >>> 8) & FRAG.LATER) !== 0) mask[W.TP] = 0;
    if (mask[W.TP] !== 0) mask[W.TYPE] = mask[W.TYPE]! | 0xff;
    if (proto === 1 || proto === 58) mask[W.TP] = mask[W.TP]! & 0x00ff00ff;
  } else if (!isArp(original)) {
    mask[W.NW_SRC] = 0;
    mask[W.NW_DST] = 0;
  }
  return mask;
}
