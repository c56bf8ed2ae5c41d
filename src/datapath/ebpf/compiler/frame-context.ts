// Where things lie while the program runs: fields of the kernel's `struct __sk_buff` (linux/bpf.h), helper numbers, and the stack.
//
// Registers kept through the program: r6 = __sk_buff, r7 = offset of the network header, r8 = offset of the transport header (0 = none),
// r9 = the matched flow's actions. The key lies on the stack in network byte order, so that most of it is copied from the frame as it stands.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { TOTALS_VALUE } from './map-layout.ts';

/** Offsets in `struct __sk_buff`. */
export const SKB = {
  len: 0,
  mark: 8,
  protocol: 16,
  vlanPresent: 20,
  vlanTci: 24,
  vlanProto: 28,
  priority: 32,
  ifindex: 40,
  data: 76,
  dataEnd: 80,
  gsoSegs: 164,
  gsoSize: 176,
} as const;

/** Helper numbers, `enum bpf_func_id`. */
export const HELPER = {
  mapLookup: 1,
  ktimeNs: 5,
  random: 7,
  skbStoreBytes: 9,
  l3CsumReplace: 10,
  l4CsumReplace: 11,
  cloneRedirect: 13,
  vlanPush: 18,
  vlanPop: 19,
  tailCall: 12,
  redirect: 23,
  skbLoadBytes: 26,
  csumDiff: 28,
  hashRecalc: 34,
  changeTail: 38,
  changeHead: 43,
  adjustRoom: 50,
  skbLoadBytesRelative: 68,
  redirectNeighbour: 152,
  ringbufReserve: 131,
  ringbufSubmit: 132,
  ktimeCoarseNs: 160,
} as const;

/** Verdicts, linux/pkt_cls.h and, for `next` (the programs behind ours decide), enum tcx_action_base. */
export const VERDICT = { next: -1, ok: 0, shot: 2 } as const;

/** Words of the key that come from the frame and its metadata, see `flow/key.ts`; the tunnel's words stand behind them. */
const HEADER_WORDS = W.ND_OPTIONS + 1;
/** Words of Geneve options, as many as a header can have. They have no place on the stack: they lie in `resume`. */
export const MAX_OPTION_WORDS = 63;
export const isOption = (word: number): boolean => word >= W.TUN_METADATA && word < W.TUN_METADATA + MAX_OPTION_WORDS;
/** Words of the outer header that stand on the stack: W.TUN_ID to W.TUN_GBP, and the size of options. */
const OUTER_WORDS = W.TUN_GBP + 1 - W.TUN_ID;
export const TUNNEL_WORDS: readonly number[] = [...Array.from({ length: OUTER_WORDS }, (_, i) => W.TUN_ID + i), W.TUN_METADATA_MAP];

/** Words that a mask in the kernel may have: a key of a map has no more. Those of the key that has room on the stack. */
export const MAX_MASK_WORDS = 128;
export const STACK_MASK_WORDS = 42;

/** Stack offsets, all below the frame pointer. */
export const STACK = {
  /** The key: 41 words of the frame, 15 of the tunnel. */
  key: -224,
  /** A header read from the frame, 40 bytes. */
  header: -264,
  /** The key of a map lookup, STACK_MASK_WORDS words; later the outer header that is pushed. */
  lookup: -432,
  /** Small values passed to helpers by address, 24 bytes. */
  scratch: -456,
} as const;
/** RESUME_KIND of this run, 0 for a frame that comes from a device; above its lowest byte the place of the list that runs. */
export const RESUMED = -460;
/** The place of a list above RESUMED's lowest byte. */
export const LIST_SHIFT = 8;
/** What a `userspace` step asks for: reason + 1, token. */
export const UPCALL = -468;
/** How often the frame was recirculated. */
export const DEPTH = -472;
/** In r9, instead of a PUNT_REASON: a copy for the control plane. */
export const UPCALL_REASON = 4;
/** Where an extraction finds the end of the IP packet, and keeps what it reads before it knows that it is right; 24 bytes. */
export const EXTRACT: number = STACK.scratch;
/** Bytes at STACK.lookup. */
export const LOOKUP_SIZE = 168;

/** dst = length of the frame with the tag that is in its metadata. */
export function emitFrameLength(a: Assembler, dst: 0 | 1 | 2 | 3, free: 1 | 2 | 3 | 4): void {
  const untagged = a.fresh('notag');
  a.load(4, dst, 6, SKB.len).load(4, free, 6, SKB.vlanPresent).jump('eq', free, 0, untagged).alu('add', dst, 4).label(untagged);
}

/**
 * Ends the program, the frame consumed. Not by a verdict: at an internal port's egress a shot frame is reported to the host's TCP as never
 * sent, and of the verdicts that say otherwise tcx knows only the redirect. So the frame is redirected to a device that cannot be.
 */
export function emitConsumed(a: Assembler): void {
  a.mov(1, 0).mov(2, 0).call(HELPER.redirect).exit();
}

/** Counts a frame that goes no further. */
export const countDrop = (a: Assembler): void => void a.loadMapValue(2, 'totals', TOTALS_VALUE.dropped).mov(1, 1).atomicAdd(8, 2, 0, 1);

/** dst = 0 in a way that the verifier does not see. */
export const loadZero = (a: Assembler, dst: 0 | 1): void => {
  a.loadMapValue(dst, 'totals', TOTALS_VALUE.zero).load(8, dst, dst, 0);
};

/**
 * Makes the verifier forget what it knows of the stack and of r7 to r9: otherwise each way through the extraction would be another state,
 * all of which it would follow through all masks and shapes. One byte is written at a place that it believes to be anywhere; really it is
 * the first of STACK.scratch. r0 is kept, r9 too.
 */
export function emitForget(a: Assembler, never: string): void {
  const at = STACK.scratch;
  loadZero(a, 1);
  a.jump('gt', 1, -at - 1, never);
  a.store(4, 10, at + 4, { reg: 7 })
    .store(4, 10, at + 8, { reg: 8 })
    .store(4, 10, at + 12, { reg: 9 })
    .store(4, 10, at + 16, { reg: 0 });
  a.mov(2, { reg: 10 }).alu('add', 2, at).alu('add', 2, { reg: 1 }).store(1, 2, 0, { reg: 1 });
  a.load(4, 7, 10, at + 4)
    .load(4, 8, 10, at + 8)
    .load(4, 9, 10, at + 12)
    .load(4, 0, 10, at + 16);
}

/** Bytes of Geneve options. */
const OPTIONS_SIZE = DEPTH - 4;
/** Name of the list that runs, for user space; 0 = that of a flow. */
export const LIST_TOKEN: number = OPTIONS_SIZE - 4;
/** The key's words of an NSH. The lowest that is used; the stack has 512 bytes. */
export const NSH_WORDS: readonly number[] = Array.from({ length: 6 }, (_, i) => W.NSH + i);
const NSH = LIST_TOKEN - 4 * NSH_WORDS.length;

/** Stack offset of a key word. */
export function keyAt(word: number): number {
  if (word < HEADER_WORDS) return STACK.key + word * 4;
  if (NSH_WORDS.includes(word)) return NSH + (word - W.NSH) * 4;
  if (word < W.TUN_METADATA) return STACK.key + (word - W.TUN_ID + HEADER_WORDS) * 4;
  if (word !== W.TUN_METADATA_MAP) throw new Error(`word ${word} has no place on the stack`);
  return OPTIONS_SIZE;
}

/** r1..r4 = skb, offset in `offsetReg` plus `add`, stack address, size; then bpf_skb_load_bytes; jumps to `onFail` when it is not all there. */
export function loadBytes(a: Assembler, offsetReg: 7 | 8 | 9 | undefined, add: number, stack: number, size: number, onFail: string): void {
  a.mov(1, { reg: 6 });
  if (offsetReg === undefined) {
    a.mov(2, add);
  } else {
    a.mov(2, { reg: offsetReg });
    if (add !== 0) a.alu('add', 2, add);
  }
  a.mov(3, { reg: 10 }).alu('add', 3, stack).mov(4, size).call(HELPER.skbLoadBytes).jump('ne', 0, 0, onFail);
}

/** BPF_F_RECOMPUTE_CSUM: a sum of the whole packet that a device made follows, because no checksum in the packet makes up for the change. */
export const F_RECOMPUTE = 1;

/** Stores bytes of the stack into the frame, at the offset in a register plus `add`. */
export function storeBytes(a: Assembler, offsetReg: 7 | 8 | undefined, add: number, stack: number, size: number, flags = 0): void {
  a.mov(1, { reg: 6 });
  if (offsetReg === undefined) a.mov(2, add);
  else a.mov(2, { reg: offsetReg }).alu('add', 2, add);
  a.mov(3, { reg: 10 }).alu('add', 3, stack).mov(4, size).mov(5, flags).call(HELPER.skbStoreBytes);
}

/** Copies bytes within the stack through r0, in the widest aligned pieces. */
export function copyStack(a: Assembler, to: number, from: number, size: number): void {
  let done = 0;
  while (done < size) {
    const left = size - done;
    const width = [8, 4, 2].find((w) => left >= w && (to + done) % w === 0 && (from + done) % w === 0) as 8 | 4 | 2 | undefined;
    a.load(width ?? 1, 0, 10, from + done).store(width ?? 1, 10, to + done, { reg: 0 });
    done += width ?? 1;
  }
}

/** A word of the key as an instruction's constant: the key lies on the stack in network order, the machine's is the other. */
export const swap32 = (value: number): number => (value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24) | 0;
