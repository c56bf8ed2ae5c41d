// Counters that the frame path writes and the control plane reads, in shared memory. Each has one writer, and a double holds a count
// exactly up to 2^53; so reading needs no lock and no message.

import { MAX_FLOWS } from '../datapath.ts';

/** A power of two. As many devices as descriptors allow: each takes two of them. */
export const MAX_PORTS: number = 1 << 14;
/** Number under which the ring of frames that a program in the kernel hands over is attached; ports of frames count from 1. */
export const RING_PORT = 0;

/** Doubles of a port. */
export const PORT = {
  rxPackets: 0,
  rxBytes: 1,
  txPackets: 2,
  txBytes: 3,
  rxErrors: 4,
  txErrors: 5,
  rxDropped: 6,
  txDropped: 7,
  SIZE: 8,
} as const;
/**
 * A flow's record, two cache lines, of which most frames need the first alone. Doubles: `generation` is the flow's id, so that a reader does
 * not take the slot's former user for it.
 */
export const FLOW = { packets: 0, bytes: 1, usedMs: 2, generation: 3, SIZE: 16 } as const;
/** Words of the same record: the frame path's own number of its mask (0 = no flow) and of its program, TCP flags, the masked key. */
export const FLOW_WORD = { mask: 8, program: 9, tcpFlags: 10, key: 11, SIZE: FLOW.SIZE * 2 } as const;
/** Bit of FLOW_WORD.tcpFlags: frames follow those that went to the control plane before the flow was there. */
export const FLOW_HELD: number = 1 << 16;
/** Words of the longest key that stands in a record. */
export const RECORD_WORDS: number = FLOW_WORD.SIZE - FLOW_WORD.key;
/** Meters, and bands of one. */
export const MAX_METERS = 1 << 18;
export const MAX_BANDS = 8;
/** Doubles of a meter: what came to it, and what each of its bands dropped (packets, bytes). */
export const METER = { packets: 0, bytes: 1, bands: 2, SIZE: 2 + 2 * MAX_BANDS } as const;
/** Doubles of the whole datapath. */
export const STAT = { hit: 0, missed: 1, lost: 2, masks: 3, cacheHit: 4, SIZE: 8 } as const;

/** Why a frame was dropped; every drop has one of these. */
export const DROP_REASONS = [
  'no_port',
  'upcall_queue_full',
  'action_drop',
  'recirc_limit',
  'unsupported_action',
  'malformed',
  'tx_full',
  'tx_error',
  'tunnel_header',
  'tunnel_no_key',
  'too_big',
  'no_sink',
  'ring_stale',
  'meter',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** The place of a reason in the counters. */
export const DROP = Object.fromEntries(DROP_REASONS.map((reason, i) => [reason, i])) as Record<DropReason, number>;

/** Counts frames that went no further. */
export function countDrop(state: SharedState, reason: DropReason, count = 1): void {
  state.drops[DROP[reason]]! += count;
}

export interface SharedState {
  buffer: ArrayBufferLike;
  ports: Float64Array;
  flows: Float64Array;
  /** The same memory as words. */
  flowWords: Int32Array;
  stats: Float64Array;
  drops: Float64Array;
  meters: Float64Array;
}

const sizes = [MAX_PORTS * PORT.SIZE, MAX_FLOWS * FLOW.SIZE, STAT.SIZE, DROP_REASONS.length, MAX_METERS * METER.SIZE] as const;

/** New counters, or the view of another thread's. Pages are only committed when touched. */
export function sharedState(buffer?: ArrayBufferLike): SharedState {
  const memory = buffer ?? new SharedArrayBuffer(8 * sizes.reduce((a, b) => a + b, 0));
  let at = 0;
  const take = (length: number): Float64Array => {
    const view = new Float64Array(memory, at * 8, length);
    at += length;
    return view;
  };
  const [ports, flows, stats, drops, meters] = [take(sizes[0]), take(sizes[1]), take(sizes[2]), take(sizes[3]), take(sizes[4])];
  const flowWords = new Int32Array(memory, flows.byteOffset, flows.length * 2);
  return { buffer: memory, ports, flows, flowWords, stats, drops, meters };
}
