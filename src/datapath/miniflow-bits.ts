// How many 64-bit words of Open vSwitch's flow structure a mask has bits in: what `dpctl/dump-flows -m` calls `miniflow_bits(first,second)`.
import { type Key, W } from '../flow/key.ts';
import type { DpFlow } from './datapath.ts';

/** A word of that structure, as words of the key with the bits that belong there. */
type Unit = readonly (readonly [word: number, bits?: number])[];

const ALL = 0xffffffff;
const span = (first: number): Unit => [[first], [first + 1]];

/** Metadata and what belongs to layer 2. */
const FIRST: readonly Unit[] = [
  [[W.TUN_DST], [W.TUN_IPV6_DST]],
  span(W.TUN_IPV6_DST + 1),
  [[W.TUN_IPV6_DST + 3], [W.TUN_SRC]],
  span(W.TUN_IPV6_SRC),
  span(W.TUN_IPV6_SRC + 2),
  span(W.TUN_ID),
  span(W.TUN_FLAGS),
  span(W.TUN_GBP),
  [[W.TUN_EXTRA]],
  ...Array.from({ length: 32 }, (_, i) => span(W.TUN_METADATA + 2 * i)),
  [[W.TUN_METADATA_MAP]],
  [[W.SKB_PRIORITY], [W.PKT_MARK]],
  [[W.DP_HASH]],
  [[W.IN_PORT]],
  [[W.RECIRC_ID], [W.CT_STATE], [W.CT_ZONE]],
  [[W.CT_MARK], [W.PACKET_TYPE]],
  span(W.CT_LABEL),
  span(W.CT_LABEL + 2),
  span(W.ETH),
  [[W.ETH + 2], [W.TYPE, 0xffff0000]],
  span(W.MPLS),
  [[W.MPLS + 2]],
];

/** Layers 3 and 4. */
const SECOND: readonly Unit[] = [
  span(W.NW_SRC),
  span(W.CT_NW_SRC),
  ...[0, 2, 4, 6].map((i) => span(W.IPV6_SRC + i)),
  ...[0, 2, 4, 6].map((i) => span(W.CT_IPV6_SRC + i)),
  [[W.IPV6_LABEL], [W.TYPE, 0xffff], [W.TOS, 0xffff0000]],
  span(W.ND_TARGET),
  span(W.ND_TARGET + 2),
  span(W.ARP_HW),
  [[W.ARP_HW + 2], [W.TOS, 0xffff], [W.ND_OPTIONS]],
  span(W.NSH),
  span(W.NSH_C),
  span(W.NSH_C + 2),
  [[W.TP], [W.CT_TP]],
  [[W.IGMP_GROUP], [W.ND_RESERVED]],
];

const count = (units: readonly Unit[], mask: Key): number =>
  units.filter((unit) => unit.some(([word, bits = ALL]) => (mask[word]! & bits) !== 0)).length;

/** The text. Tags do not count. */
export const miniflowBits = ({ mask }: Pick<DpFlow, 'mask'>): string => `miniflow_bits(${count(FIRST, mask)},${count(SECOND, mask)})`;
