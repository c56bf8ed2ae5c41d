// The nat action, which stands in a ct action's list: flags, which parts of a range are there, and those parts. An address or a port of zero
// is none. Facts: ovs-actions(7), "The ct action".
import { PeerError } from '../../../base/errors.ts';
import type { Action, NatSpec } from '../../action.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { NAT_FLAG, NAT_RANGE, NXAST } from './action-constants.ts';
import { niciraAction } from './nicira-envelope.ts';

type Nat = Extract<Action, { kind: 'nat' }>;

function bad(what: string): never {
  throw new PeerError('OFPBAC_BAD_ARGUMENT', what);
}

/** Parts of a range that stand together: a maximum behind its minimum, ports behind addresses, one kind of addresses. Other bits mean nothing. */
const NAT_RANGES: ReadonlySet<number> = new Set([0, 1, 3, 4, 12, 17, 19, 20, 28, 49, 51, 52, 60]);
const NAT_SIZES: readonly (readonly [number, number])[] = [
  [NAT_RANGE.V4_MIN, 4],
  [NAT_RANGE.V4_MAX, 4],
  [NAT_RANGE.V6_MIN, 16],
  [NAT_RANGE.V6_MAX, 16],
  [NAT_RANGE.PORT_MIN, 2],
  [NAT_RANGE.PORT_MAX, 2],
];

/** Whether an address comes before another. */
function isBelow(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((word, i) => word !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

/** Whether the ends of a range are the wrong way round. */
export const isReversed = ({ addrMin, addrMax, portMin, portMax }: NatSpec): boolean =>
  (addrMin !== undefined && addrMax !== undefined && isBelow(addrMax, addrMin)) ||
  (portMin !== undefined && portMax !== undefined && portMax < portMin);

/** Whether it only asks for what the connection has. */
export const isPlainNat = ({ nat }: Nat): boolean =>
  nat.direction === 'none' && !nat.persistent && !nat.hash && !nat.random && nat.family === 0;

/** Reads what follows the subtype. */
export function decodeNat(from: ByteReader): Nat {
  from.skip(2);
  const flags = from.u16();
  const present = from.u16();
  const has = (bit: number): boolean => (present & bit) !== 0;
  const direction = (flags & NAT_FLAG.SRC) !== 0 ? 'src' : (flags & NAT_FLAG.DST) !== 0 ? 'dst' : 'none';
  if ((flags & 3) === 3 || (flags & 24) === 24 || (flags & ~31) !== 0) bad('nat flags');
  if (!NAT_RANGES.has(present & 63)) bad('nat range');
  let size = 0;
  for (const [bit, bytes] of NAT_SIZES) if (has(bit)) size += bytes;
  if (from.left < size) bad('nat range cut off');
  const nat: NatSpec = {
    direction,
    persistent: (flags & NAT_FLAG.PERSISTENT) !== 0,
    hash: (flags & NAT_FLAG.HASH) !== 0,
    random: (flags & NAT_FLAG.RANDOM) !== 0,
    family: has(NAT_RANGE.V4_MIN) ? 4 : has(NAT_RANGE.V6_MIN) ? 6 : 0,
  };
  const v6 = (): number[] => [from.u32(), from.u32(), from.u32(), from.u32()];
  if (has(NAT_RANGE.V4_MIN)) nat.addrMin = [0, 0, 0, from.u32()];
  if (has(NAT_RANGE.V4_MAX)) nat.addrMax = [0, 0, 0, from.u32()];
  if (has(NAT_RANGE.V6_MIN)) nat.addrMin = v6();
  if (has(NAT_RANGE.V6_MAX)) nat.addrMax = v6();
  if (has(NAT_RANGE.PORT_MIN)) nat.portMin = from.u16();
  if (has(NAT_RANGE.PORT_MAX)) nat.portMax = from.u16();
  if (nat.addrMin?.every((word) => word === 0) || nat.portMin === 0 || isReversed(nat)) bad('nat range');
  return { kind: 'nat', nat };
}

/** Writes the action. */
export function encodeNat(out: ByteWriter, { nat }: Nat): void {
  niciraAction(out, NXAST.NAT, (o) => {
    const flags =
      (nat.direction === 'src' ? NAT_FLAG.SRC : nat.direction === 'dst' ? NAT_FLAG.DST : 0) |
      (nat.persistent ? NAT_FLAG.PERSISTENT : 0) |
      (nat.hash ? NAT_FLAG.HASH : 0) |
      (nat.random ? NAT_FLAG.RANDOM : 0);
    const v4 = nat.family === 4;
    const v6 = nat.family === 6;
    const present =
      (v4 && nat.addrMin !== undefined ? NAT_RANGE.V4_MIN : 0) |
      (v4 && nat.addrMax !== undefined ? NAT_RANGE.V4_MAX : 0) |
      (v6 && nat.addrMin !== undefined ? NAT_RANGE.V6_MIN : 0) |
      (v6 && nat.addrMax !== undefined ? NAT_RANGE.V6_MAX : 0) |
      (nat.portMin !== undefined ? NAT_RANGE.PORT_MIN : 0) |
      (nat.portMax !== undefined ? NAT_RANGE.PORT_MAX : 0);
    o.u16(0).u16(flags).u16(present);
    for (const words of [nat.addrMin, nat.addrMax]) {
      if (words === undefined) continue;
      if (v4) o.u32(words[3] ?? 0);
      if (v6) for (const word of words) o.u32(word);
    }
    if (nat.portMin !== undefined) o.u16(nat.portMin);
    if (nat.portMax !== undefined) o.u16(nat.portMax);
  });
}
