// The flags of flow mods and flows: one object for each set of them, which nobody may change.
import { PeerError } from '../../base/errors.ts';
import type { FlowModFlags, OfVersion } from '../message.ts';

const BITS = 5;

const all: readonly FlowModFlags[] = Array.from({ length: 1 << BITS }, (_, bits) =>
  Object.freeze({
    sendFlowRem: (bits & 1) !== 0,
    checkOverlap: (bits & 2) !== 0,
    resetCounts: (bits & 4) !== 0,
    noPacketCounts: (bits & 8) !== 0,
    noByteCounts: (bits & 16) !== 0,
  }),
);

/** The flags that bits on the wire are, as far as a version has them. */
export const flagsOf = (bits: number, version: OfVersion): FlowModFlags => all[bits & (version >= 4 ? 0x1f : version === 3 ? 7 : 3)]!;

const RESET_COUNTS = 4;

/** The same with counters that begin anew. */
export const withResetCounts = (flags: FlowModFlags): FlowModFlags =>
  all[
    (flags.sendFlowRem ? 1 : 0) |
      (flags.checkOverlap ? 2 : 0) |
      RESET_COUNTS |
      (flags.noPacketCounts ? 8 : 0) |
      (flags.noByteCounts ? 16 : 0)
  ]!;

/** OpenFlow 1.0 alone has it. */
const EMERGENCY = 4;

/** Flags of a flow mod: those that a version does not have are refused. OpenFlow 1.0's emergency flows are answered as if there were no room. */
export function decodeModFlags(bits: number, version: OfVersion, hasTimeout = false): FlowModFlags {
  const known = version === 1 ? 3 | EMERGENCY : version === 2 ? 3 : version === 3 ? 7 : 0x1f;
  if ((bits & ~known) !== 0) throw new PeerError('OFPFMFC_BAD_FLAGS', `flags 0x${bits.toString(16)}`);
  if (version === 1 && (bits & EMERGENCY) !== 0 && hasTimeout) throw new PeerError('OFPFMFC_BAD_EMERG_TIMEOUT', 'emergency flow that ends');
  if (version === 1 && (bits & EMERGENCY) !== 0) throw new PeerError('OFPFMFC_TABLE_FULL', 'emergency flows are not supported');
  return flagsOf(bits, version);
}

/** Flags as a version says them. */
export function encodeFlags(flags: FlowModFlags, version: OfVersion): number {
  return (
    (flags.sendFlowRem ? 1 : 0) |
    (flags.checkOverlap ? 2 : 0) |
    (version >= 3 && flags.resetCounts ? 4 : 0) |
    (version >= 4 && flags.noPacketCounts ? 8 : 0) |
    (version >= 4 && flags.noByteCounts ? 16 : 0)
  );
}
