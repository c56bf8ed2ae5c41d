// The flags of flow mods and flows: one object for each set of them, which nobody may change.
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
