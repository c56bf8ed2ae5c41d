// Hands a frame to user space: the whole of it, a super-segment too, into the ring buffer.
//
// Fair shares: a port may have half of what is free in the ring (dynamic threshold). A port that floods takes a third of it; many that do
// leave each other equal parts. Of a port whose share of the queue to the control plane is full, misses end here: nobody copies them.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { MORE_OPTIONS_SIZE, OPTIONS_SIZE, PUNT_RECORD, REASON_MISS } from '../../../netdev/punt-ring.ts';
import { CT_WORDS } from './ct-program.ts';
import {
  emitConsumed,
  emitForget,
  emitFrameLength,
  HELPER,
  keyAt,
  LIST_TOKEN,
  RESUMED,
  SKB,
  STACK,
  TUNNEL_WORDS,
  UPCALL,
  UPCALL_REASON,
  VERDICT,
} from './frame-context.ts';
import { PENDING_VALUE, PORT_VALUE, RESUME_KIND, RESUME_VALUE, RING_SIZE, TOTALS_VALUE, TX_VALUE } from './map-layout.ts';

/** Header of a ring buffer record; the reader's layout. */
const PUNT = PUNT_RECORD;

/** Records come in three sizes, because a reservation's size must be a constant. */
const RECORD_SIZES = [320, 2048, 66_560] as const;
/** The kernel's own header of a record. */
const RING_HEADER = 8;

/** The label `punt`. Before: r9 = reason, r6 = skb. The frame is consumed whether or not there was room. */
export function emitPunt(a: Assembler, hasTunnels: boolean, tracks: boolean): void {
  const { scratch } = STACK;
  const [total, used] = [scratch + 8, scratch + 16];
  const uncounted = a.fresh('upcall');
  // Many ways lead here; the verifier shall follow only one on.
  a.label('punt').mov(7, 0).mov(8, 0).mov(0, 0);
  emitForget(a, 'consumed');
  a.load(4, 8, 6, SKB.len).jump('lt', 8, 14, 'consumed');
  a.loadMapValue(1, 'totals', TOTALS_VALUE.punted).mov(2, { reg: 9 }).alu('and', 2, 3).alu('lsh', 2, 3).alu('add', 1, { reg: 2 });
  a.mov(2, 1).jump('eq', 9, UPCALL_REASON, uncounted).atomicAdd(8, 1, 0, 2).label(uncounted);
  if (hasTunnels) {
    // Frames out of tunnels are counted by whoever handles them in the end.
    const device = a.fresh('ofdevice');
    a.load(4, 0, 10, RESUMED).alu('and', 0, RESUME_KIND.tunnel).jump('eq', 0, 0, device);
    a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 10, scratch, { reg: 1 });
    a.loadMap(1, 'tx').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, device);
    a.mov(1, 1).atomicAdd(8, 0, TX_VALUE.rxPunted, 1);
    emitFrameLength(a, 1, 2);
    a.atomicAdd(8, 0, TX_VALUE.rxPuntedBytes, 1).label(device);
  }
  a.store(4, 10, scratch, 0);
  a.loadMap(1, 'pending').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, 'lost');
  a.store(8, 10, total, { reg: 0 }).load(4, 1, 0, PENDING_VALUE.put).load(4, 2, 0, PENDING_VALUE.taken).alu32('sub', 1, { reg: 2 });
  a.store(4, 10, used, { reg: 1 });
  a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 10, scratch, { reg: 1 });
  a.loadMap(1, 'pending').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, 'lost');
  const open = a.fresh('open');
  a.mov(7, { reg: 0 }).jump('ne', 9, REASON_MISS, open).load(4, 1, 7, PENDING_VALUE.refuses).jump('ne', 1, 0, 'lost').label(open);
  for (const size of RECORD_SIZES) emitRecord(a, size, { hasTunnels, tracks, total, used });
  a.label('lost');
  const gone = a.fresh('gone');
  a.load(4, 0, 6, SKB.ifindex).store(4, 10, scratch, { reg: 0 });
  a.loadMap(1, 'ports').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, gone);
  a.mov(1, 1).atomicAdd(8, 0, PORT_VALUE.lost, 1).label(gone);
  // The host may as well know that this one did not get out.
  a.mov(0, VERDICT.shot).exit();
  a.label('consumed');
  emitConsumed(a);
}

/** What may be told of a frame, and where `pending` of all ports and its use stand on the stack. */
interface RecordContext {
  hasTunnels: boolean;
  tracks: boolean;
  total: number;
  used: number;
}

/** Before: r7 = the port's `pending`. A frame that is too long for this size goes on behind. */
function emitRecord(a: Assembler, size: number, { hasTunnels, tracks, total, used }: RecordContext): void {
  const [tooSmall, full] = [a.fresh('larger'), a.fresh('full')];
  const taken = size + RING_HEADER;
  a.jump('gt', 8, size - PUNT.size, tooSmall);
  if (hasTunnels) {
    const short = a.fresh('short');
    emitOptionsSize(a, short);
    a.jump('gt', 8, Math.max(0, size - PUNT.size - MORE_OPTIONS_SIZE), tooSmall).label(short);
  }
  // Signed: what a killed reader left uncounted may make it negative for a while.
  a.load(4, 1, 7, PENDING_VALUE.put).load(4, 2, 7, PENDING_VALUE.taken).alu32('sub', 1, { reg: 2 }).alu32('add', 1, taken);
  a.mov(2, RING_SIZE).load(4, 3, 10, used).alu32('sub', 2, { reg: 3 }).alu32('arsh', 2, 1).jump32('sgt', 1, { reg: 2 }, 'lost');
  emitPending(a, total, taken);
  a.loadMap(1, 'ring').mov(2, size).mov(3, 0).call(HELPER.ringbufReserve).jump('eq', 0, 0, full).mov(7, { reg: 0 });
  a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 7, PUNT.port, { reg: 1 }).store(4, 7, PUNT.length, { reg: 8 });
  a.load(4, 1, 6, SKB.gsoSize).store(4, 7, PUNT.gsoSize, { reg: 1 }).load(4, 1, 6, SKB.gsoSegs).store(4, 7, PUNT.gsoSegs, { reg: 1 });
  a.load(4, 1, 6, SKB.mark).store(4, 7, PUNT.mark, { reg: 1 }).store(4, 7, PUNT.reason, { reg: 9 }).store(4, 7, PUNT.vlan, 0);
  a.load(4, 1, 6, SKB.priority).store(4, 7, PUNT.priority, { reg: 1 });
  if (hasTunnels) {
    a.load(4, 1, 10, RESUMED).alu('and', 1, RESUME_KIND.tunnel).store(4, 7, PUNT.isTunnel, { reg: 1 });
    for (const [i, word] of TUNNEL_WORDS.slice(0, -1).entries()) a.load(4, 1, 10, keyAt(word)).store(4, 7, PUNT.tunnel + i * 4, { reg: 1 });
    emitOptions(a, size);
  } else {
    a.store(4, 7, PUNT.isTunnel, 0);
  }
  const frame = a.fresh('plain');
  a.store(4, 7, PUNT.cause, 0).load(4, 1, 10, LIST_TOKEN).store(4, 7, PUNT.token, { reg: 1 }).jump('ne', 9, UPCALL_REASON, frame);
  a.load(4, 1, 10, UPCALL)
    .store(4, 7, PUNT.cause, { reg: 1 })
    .load(4, 1, 10, UPCALL + 4)
    .store(4, 7, PUNT.token, { reg: 1 })
    .label(frame);
  a.load(4, 1, 10, keyAt(W.RECIRC_ID)).toBigEndian(1, 32).store(4, 7, PUNT.recircId, { reg: 1 });
  a.load(4, 1, 10, keyAt(W.DP_HASH)).toBigEndian(1, 32).store(4, 7, PUNT.dpHash, { reg: 1 });
  for (const [i, word] of CT_WORDS.entries()) {
    if (tracks)
      a.load(4, 1, 10, keyAt(word))
        .toBigEndian(1, 32)
        .store(4, 7, PUNT.ctState + i * 4, { reg: 1 });
    else a.store(4, 7, PUNT.ctState + i * 4, 0);
  }
  a.call(HELPER.ktimeCoarseNs).alu('rsh', 0, 20).store(4, 7, PUNT.time, { reg: 0 });
  const untagged = a.fresh('untagged');
  a.load(4, 1, 6, SKB.vlanPresent).jump('eq', 1, 0, untagged).load(4, 1, 6, SKB.vlanProto).store(2, 7, PUNT.vlan, { reg: 1 });
  a.load(4, 1, 6, SKB.vlanTci)
    .alu('or', 1, 0x1000)
    .toBigEndian(1, 16)
    .store(2, 7, PUNT.vlan + 2, { reg: 1 })
    .label(untagged);
  a.mov(1, { reg: 6 }).mov(2, 0).mov(3, { reg: 7 }).alu('add', 3, PUNT.size).mov(4, { reg: 8 }).call(HELPER.skbLoadBytes);
  a.mov(1, { reg: 7 }).mov(2, 0).call(HELPER.ringbufSubmit).goto('consumed');
  a.label(full);
  emitPending(a, total, -taken);
  a.goto('lost').label(tooSmall);
}

/** r1 = size of the frame's Geneve options; goes to `short` when the record has a place for them anyway. */
const emitOptionsSize = (a: Assembler, short: string): void =>
  void a.load(4, 1, 10, keyAt(W.TUN_METADATA_MAP)).toBigEndian(1, 32).jump('le', 1, OPTIONS_SIZE, short);

/** Writes the options into a record of `size` bytes at r7: the first in their place, any more at its end. */
function emitOptions(a: Assembler, size: number): void {
  const [none, done] = [a.fresh('nooptions'), a.fresh('options')];
  const first = PUNT.tunnel + 4 * (TUNNEL_WORDS.length - 1);
  const copy = (from: number, to: number, count: number): void => {
    for (let i = 0; i < count; i += 4) a.load(4, 1, 0, RESUME_VALUE.options + from + i).store(4, 7, to + i, { reg: 1 });
  };
  a.load(4, 1, 10, keyAt(W.TUN_METADATA_MAP))
    .store(4, 7, first + OPTIONS_SIZE, { reg: 1 })
    .jump('eq', 1, 0, none);
  a.store(4, 10, STACK.scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup);
  a.jump('eq', 0, 0, none);
  copy(0, first, OPTIONS_SIZE);
  emitOptionsSize(a, done);
  if (size > PUNT.size + MORE_OPTIONS_SIZE) copy(OPTIONS_SIZE, size - MORE_OPTIONS_SIZE, MORE_OPTIONS_SIZE);
  a.goto(done).label(none);
  for (let i = 0; i <= OPTIONS_SIZE; i += 4) a.store(4, 7, first + i, 0);
  a.label(done);
}

/** Adds to `put` of the port and of all. */
function emitPending(a: Assembler, total: number, size: number): void {
  a.mov(1, size).atomicAdd(4, 7, PENDING_VALUE.put, 1).load(8, 2, 10, total).atomicAdd(4, 2, PENDING_VALUE.put, 1);
}
