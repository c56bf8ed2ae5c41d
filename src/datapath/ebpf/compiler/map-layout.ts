// The maps that a program and the control plane share, and what stands in their values. Offsets are bytes; numbers are in host order.
//
// A flow's entry in its mask's map says only where its record is. The record is one cache line that holds all that a frame needs and
// changes: key, counters, and the place of the actions. So a frame whose record is known by a hint takes two lines from memory, however many
// flows there are; replacing a flow's actions keeps its counters and is one atomic step, without a system call; flows with the same actions
// share them; and counters are read from mapped memory without asking the kernel.
import { MAP_TYPE, type MapSpec } from '../../../bpf/kernel.ts';
import { PUNT_PENDING } from '../../../netdev/punt-ring.ts';
import { CRC32C_SHIFTS } from '../../../wire/checksum.ts';
import { MAX_FLOWS } from '../../datapath.ts';
import { CT_KEY_SIZE, CT_VALUE, MAX_MIRRORED_ENTRIES } from '../../userspace/conntrack/mirror.ts';
import { BUCKET } from '../../userspace/meter-bucket.ts';
import { MAX_PORTS } from '../../userspace/shared-state.ts';
import { PARAM_SIZE } from './action-shape.ts';

export const MAX_ACTION_LISTS = 1 << 16;
export const MAX_FLOWS_PER_MASK = 1 << 17;

/** Value of a mask's map. */
export const FLOW_VALUE = { record: 0, size: 4 } as const;
/**
 * Value of `records`, mapped: a flow. `mask` (16 bits): the number of its mask, 0 = this is no flow; what else says whose record it is stands
 * there before that. `used`: when a frame came last, in units of 2^USED_SHIFT ns, 0 = never. `held`: see `flow-order.ts`. `key`: the mask's
 * words in the order that they have there, in network order. What is beyond RECORD_WORDS fills the next record, whose place is odd; a key with
 * more than PAIR_WORDS stands in the mask's map alone.
 */
export const FLOW_RECORD = { mask: 0, tcpFlags: 2, actions: 4, packets: 8, bytes: 16, used: 24, held: 28, key: 32, size: 64 } as const;
export const RECORD_WORDS: number = (FLOW_RECORD.size - FLOW_RECORD.key) / 4;
/** Words of the longest key in a record and the next. */
export const PAIR_WORDS: number = RECORD_WORDS + FLOW_RECORD.size / 4;
export const USED_SHIFT = 20;
/** Value of `actions`; shape 0 is "punt". */
export const ACTIONS_VALUE = { shape: 0, params: 8, size: 8 + PARAM_SIZE } as const;
/** Value of `ports`, whose key is the device's index. Of the size of a cache line: two ports are counted at by two processors at once. */
export const PORT_VALUE = { port: 0, rxPackets: 8, rxBytes: 16, lost: 24, size: 64 } as const;
/** Value of `tx`, one for each datapath port. What came in is counted here for tunnel ports, which are no device; `punted` is part of it. */
export const TX_VALUE = { packets: 0, bytes: 8, rxPackets: 16, rxBytes: 24, rxPunted: 32, rxPuntedBytes: 40, size: 64 } as const;
/** Value of `pending`, one for each datapath port, mapped; at port 0, where none is, `put` and `taken` of all together. */
export const PENDING_VALUE = PUNT_PENDING;
/**
 * The only value of `totals`: frames handed to user space by reason; frames that a flow dropped, that no outer header fitted, and that a meter
 * dropped; always 0.
 */
export const TOTALS_VALUE = { punted: 0, dropped: 32, wrapFailed: 40, zero: 48, metered: 56, size: 64 } as const;
/** The only value of `detour`: the device at whose egress copies of frames go through lists of their own, 0 = none. */
export const DETOUR_VALUE = { ifindex: 0, size: 8 } as const;

/**
 * The only value of `resume`, one for each processor: what a program leaves for the one that it jumps to with the same frame. Words in
 * network order but `kind`, which is 0 when there is nothing: the frame comes from a device. `ct`: state, zone and mark. `list` and `token`,
 * host order: the list of actions to run on it, and its name for user space. `level` (32): how many runs of the program stand in each
 * other here; `more`: for each level the words of CT_MORE, which hold from one run to the next, if `hasMore` says that the former
 * run kept them. `options`: those of the tunnel's frame that passed here last, zeros behind them, unless `hasOptions` is 0: then all zeros.
 */
export const RESUME_VALUE = {
  kind: 0,
  port: 4,
  recircId: 8,
  dpHash: 12,
  tunnel: 16,
  depth: 80,
  ct: 84,
  list: 96,
  token: 100,
  level: 104,
  hasMore: 108,
  more: 112,
  options: 368,
  hasOptions: 624,
  size: 632,
} as const;
/** Levels that there are, and bytes of each. */
export const LEVELS = 4;
export const MORE_SHIFT = 6;
/** Bits: the frame came out of a tunnel; it was looked up before; a list of actions runs on it, without a lookup. */
export const RESUME_KIND = { tunnel: 1, recirculated: 2, list: 4 } as const;
/** Key of `tunnels`: a local address (IPv4 in the last four bytes), IP protocol, UDP port; network order. The value says whose frames these are. */
export const TUNNEL_KEY = { address: 0, ipProtocol: 16, port: 18, size: 20 } as const;
export const TUNNEL_VALUE = { port: 0, protocol: 4, size: 8 } as const;
/** TUNNEL_VALUE.protocol. */
export const TUNNEL_PROTOCOL = { gre: 1, vxlan: 2, geneve: 3 } as const;
/**
 * Value of `outers`: the device that a tunnel's packets leave by (0 = unknown, user space shall try), the MTU on the way, the mark, the
 * sum of the IPv4 header without its length, that of what a checksum covers of the outer header without lengths and source port (in the
 * machine's order), and the header as it stands before the inner frame.
 */
export const OUTER_VALUE = { ifindex: 0, mtu: 4, mark: 8, sum: 12, covered: 16, header: 24, size: 336 } as const;
/** Longest frame that a program sums up, in `bytes`. */
export const MAX_SUMMED = 9728;
export const MAX_OUTERS = 4096;
export const MAX_TUNNEL_ENDS = 4096;

/** Value of `base`, which no program touches: what was counted at each port in earlier generations. */
export const PORT_BASE = { rxPackets: 0, rxBytes: 8, lost: 16, txPackets: 24, txBytes: 32, size: 64 } as const;
/** Its value at port 0: of `totals`, and the frames received at ports that are no more. */
export const TOTALS_BASE = { punted: 0, dropped: 32, past: 40, wrapFailed: 48, metered: 56 } as const;

/**
 * The only value of `hints`: sets of so many words, each the place of a flow's record (the low RECORD_BITS) and, above it, more of the
 * signature of a frame that it carried; 0 = none. The signature says which set.
 */
export const HINTS_PER_SET = 8;
export const HINT_SET_BITS = 15;
export const HINTS_SIZE: number = (HINTS_PER_SET * 4) << HINT_SET_BITS;
export const RECORD_BITS: number = Math.log2(MAX_FLOWS);
/** The only value of `crc`, which stays as it is: `CRC32C_SHIFTS`. */
export const CRC_VALUE = { nibble: 64, bit: 512, size: CRC32C_SHIFTS.byteLength } as const;
/** Meters that programs can run: a bucket each, mapped, which user space fills and empties too. */
export const MAX_KERNEL_METERS = 4096;
export const METERS_SIZE: number = MAX_KERNEL_METERS * BUCKET.size;
/** Bytes of the ring of frames for user space. */
export const RING_SIZE = 1 << 23;

const NO_PREALLOCATION = 1;
/** Values of an array that can be mapped begin at a page; of others in the middle of a cache line, so that two of 64 bytes share one. */
const MAPPABLE = 0x400;

const array = (name: string, valueSize: number, maxEntries: number, flags = 0): MapSpec => ({
  name,
  type: MAP_TYPE.array,
  keySize: 4,
  valueSize,
  maxEntries,
  flags,
});

/** The maps that every program names, besides those of its masks. */
export const fixedMaps = (ringSize: number): readonly MapSpec[] => [
  { name: 'ports', type: MAP_TYPE.hash, keySize: 4, valueSize: PORT_VALUE.size, maxEntries: MAX_PORTS, flags: NO_PREALLOCATION },
  array('tx', TX_VALUE.size, MAX_PORTS, MAPPABLE),
  array('pending', PENDING_VALUE.size, MAX_PORTS, MAPPABLE),
  array('totals', TOTALS_VALUE.size, 1),
  array('detour', DETOUR_VALUE.size, 1),
  { name: 'bytes', type: MAP_TYPE.perCpuArray, keySize: 4, valueSize: MAX_SUMMED + 8, maxEntries: 1 },
  array('hints', HINTS_SIZE, 1, MAPPABLE),
  { ...array('crc', CRC_VALUE.size, 1), first: new Uint8Array(CRC32C_SHIFTS.buffer) },
  array('base', PORT_BASE.size, MAX_PORTS),
  array('records', FLOW_RECORD.size, MAX_FLOWS, MAPPABLE),
  array('actions', ACTIONS_VALUE.size, MAX_ACTION_LISTS),
  {
    name: 'connections',
    type: MAP_TYPE.hash,
    keySize: CT_KEY_SIZE,
    valueSize: CT_VALUE.size,
    maxEntries: MAX_MIRRORED_ENTRIES,
    flags: NO_PREALLOCATION,
  },
  { name: 'resume', type: MAP_TYPE.perCpuArray, keySize: 4, valueSize: RESUME_VALUE.size, maxEntries: 1 },
  { name: 'programs', type: MAP_TYPE.progArray, keySize: 4, valueSize: 4, maxEntries: 1 },
  { name: 'tunnels', type: MAP_TYPE.hash, keySize: TUNNEL_KEY.size, valueSize: TUNNEL_VALUE.size, maxEntries: MAX_TUNNEL_ENDS },
  array('outers', OUTER_VALUE.size, MAX_OUTERS),
  array('meters', BUCKET.size, MAX_KERNEL_METERS, MAPPABLE),
  { name: 'ring', type: MAP_TYPE.ringBuffer, keySize: 0, valueSize: 0, maxEntries: ringSize },
];

/** The map of a mask's flows, of so many words. */
export const maskMap = (name: string, words: number): MapSpec => ({
  name,
  type: MAP_TYPE.hash,
  keySize: words * 4,
  valueSize: FLOW_VALUE.size,
  maxEntries: MAX_FLOWS_PER_MASK,
  flags: NO_PREALLOCATION,
});
