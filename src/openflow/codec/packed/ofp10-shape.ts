// Shapes of OpenFlow 1.0's matches (`match-shape.ts`): every field has its place in 40 bytes, and a word of wildcards says which count.
// OpenFlow 1.0.0 section 5.2.3.
import { type Match, W } from '../../../flow/key.ts';
import type { PackedMatch } from '../../../flow/mask.ts';
import { IP } from '../../../flow/prerequisites.ts';
import { ByteReader, u32At } from '../bytes.ts';
import { decodeOfp10Match, FW10, OFP10_WILDCARDS } from '../fields/ofp10-match.ts';
import { MatchShape, type Move, movesOf } from './match-shape.ts';

/** In a flow mod. */
export const OFP10_MATCH_AT = 8;
export const OFP10_MATCH_SIZE = 40;
const VLAN_AT = 18;
const PROTO_AT = 25;
/** A VLAN id that stands for frames without a tag begins so. */
const NO_VLAN = 0xff;
const PORTED: ReadonlySet<number> = new Set([IP.TCP, IP.UDP, IP.SCTP]);

interface Place {
  /** Of the wildcards. */
  wild: number;
  at: number;
  size: number;
  /** Where its bits begin in the key, where they may be any. */
  bits?: number;
}

const PLACES: readonly Place[] = [
  { wild: FW10.IN_PORT, at: 4, size: 2, bits: W.IN_PORT * 32 + 16 },
  { wild: FW10.DL_SRC, at: 6, size: 6, bits: W.ETH * 32 + 48 },
  { wild: FW10.DL_DST, at: 12, size: 6, bits: W.ETH * 32 },
  { wild: FW10.DL_VLAN, at: VLAN_AT, size: 2 },
  { wild: FW10.PCP, at: 20, size: 1 },
  { wild: FW10.DL_TYPE, at: 22, size: 2 },
  { wild: FW10.TOS, at: 24, size: 1 },
  { wild: FW10.NW_PROTO, at: PROTO_AT, size: 1 },
];
/** Types and codes of ICMP stand where ports do, and decide. */
const PORTS: readonly Place[] = [
  { wild: FW10.TP_SRC, at: 36, size: 2, bits: W.TP * 32 },
  { wild: FW10.TP_DST, at: 38, size: 2, bits: W.TP * 32 + 16 },
];
/** How many bits are free stands in the wildcards from `shift` on. */
const ADDRESSES = [
  { shift: 8, at: 28, bits: W.NW_SRC * 32 },
  { shift: 14, at: 32, bits: W.NW_DST * 32 },
] as const;
const PADDING = [21, 26, 27] as const;

/** Whether wildcards leave nothing free. */
export const isExactOfp10 = (wildcards: number): boolean => (wildcards & OFP10_WILDCARDS) === 0;

/** Whether a flow mod's match is all that its bytes say: nothing was taken away for want of what it needs. */
export function isWholeOfp10(bytes: Uint8Array, match: Match): boolean {
  const { mask } = decodeOfp10Match(new ByteReader(bytes.subarray(OFP10_MATCH_AT)));
  return mask.every((bits, i) => bits === match.mask[i]);
}

/** The shape of the match in a flow mod; `packed` is that match, whole. */
export function ofp10Shape(bytes: Uint8Array, packed: PackedMatch): MatchShape {
  const own = Uint8Array.prototype.slice.call(bytes, OFP10_MATCH_AT, OFP10_MATCH_AT + OFP10_MATCH_SIZE);
  const care = new Uint8Array(OFP10_MATCH_SIZE).fill(0xff);
  for (const at of PADDING) care[at] = 0;
  const wildcards = u32At(own, 0);
  const moves: Move[] = [];
  const place = (at: number, size: number, bits: number): boolean => {
    const pieces = movesOf(bits, size, at, packed.mask);
    moves.push(...(pieces ?? []));
    return pieces !== undefined;
  };
  for (const { wild, at, size, bits } of [...PLACES, ...PORTS]) {
    if ((wildcards & wild) !== 0) care.fill(0, at, at + size);
    else if (bits !== undefined && (at < PORTS[0]!.at || PORTED.has(own[PROTO_AT]!)) && place(at, size, bits)) care.fill(0, at, at + size);
  }
  if ((wildcards & FW10.DL_VLAN) === 0 && own[VLAN_AT] !== NO_VLAN && place(VLAN_AT + 1, 1, W.VLAN0 * 32 + 24)) care[VLAN_AT + 1] = 0;
  for (const { shift, at, bits } of ADDRESSES) {
    const free = (wildcards >> shift) & 63;
    if (free >= 32) care.fill(0, at, at + 4);
    // Bits beside the prefix must be zero, then all can be taken.
    else if ((u32At(own, at) & (2 ** free - 1)) === 0 && place(at, 4, bits))
      for (let i = 0; i < 4; i++) care[at + i] = ((2 ** free - 1) >>> (24 - i * 8)) & 0xff;
  }
  return MatchShape.ofPlaces(own, care, packed, moves);
}
