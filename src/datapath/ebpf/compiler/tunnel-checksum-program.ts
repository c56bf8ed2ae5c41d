// Instructions for the checksum of an outer header that covers the whole inner frame (UDP, or GRE with one).
//
//   1. The frame's bytes are copied into a buffer and summed, 512 at a time, which is what the kernel sums in one call.
//   2. A frame whose own transport checksum is still to be filled in: it is that where it equals the sum of its pseudo header, and will make
//      the transport header and all behind it sum up to the complement of just that.
//   3. A super-segment gets the checksum of one full segment, which the kernel copies into each: of what differs between segments, the
//      transport checksum makes up for all but lengths, and an IPv4 header sums up to nothing. So all segments must be full ones.
//   4. Whether a checksum deeper in the frame, behind a second tunnel, is still to be filled in cannot be told. Frames that may have one
//      are user space's.
//
// Sums are in the machine's order, as bpf_csum_diff has them (RFC 1071 section 2 (B): the order does not matter to the sum).
import type { Assembler, Register } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { emitFrameLength, HELPER, keyAt, loadBytes, SKB, STACK } from './frame-context.ts';
import { MAX_SUMMED } from './map-layout.ts';

const CHUNK = 512;
const TCP = 6;
const UDP = 17;
/** Beyond what the lookup of a connection leaves: the frame's IP header, and what is found in it. */
const IP = STACK.lookup + 56;
/** Bytes from the transport header on, those of one segment, the sum of the pseudo header, and the checksum that stands there. */
const LENGTH = IP + 40;
const SEGMENT = IP + 44;
const PSEUDO = IP + 48;
const FIELD = IP + 52;
const SAVED = IP + 56;
/** The inner frame's sum, and the bytes that a segment of it has. */
const SUM = STACK.header + 24;
const INNER = STACK.header + 28;

const swap16 = (a: Assembler, reg: Register): void => void a.toBigEndian(reg, 16);
/** Folds r0 to 16 bits. */
export const emitFold = (a: Assembler): void => {
  for (let i = 0; i < 3; i++) a.mov(1, { reg: 0 }).alu('rsh', 1, 16).alu('and', 0, 0xffff).alu('add', 0, { reg: 1 });
};

/** r0 = sum of the frame's r2 bytes from r1 on; r7 and r8 are kept. */
export function emitSum(a: Assembler, fail: string): void {
  const last = a.fresh('last');
  a.store(8, 10, SAVED, { reg: 7 })
    .store(8, 10, SAVED + 8, { reg: 8 })
    .mov(7, { reg: 1 })
    .mov(8, { reg: 2 });
  a.store(4, 10, STACK.scratch, 0).loadMap(1, 'bytes').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup);
  a.jump('eq', 0, 0, fail).jump('eq', 8, 0, fail).jump('gt', 8, MAX_SUMMED, fail);
  a.mov(1, { reg: 6 }).mov(2, { reg: 7 }).mov(7, { reg: 0 }).mov(3, { reg: 0 }).mov(4, { reg: 8 });
  a.call(HELPER.skbLoadBytes).jump('ne', 0, 0, fail);
  // Whole words, the last filled up with zeros.
  a.mov(1, { reg: 7 }).alu('add', 1, { reg: 8 }).store(4, 1, 0, 0).alu('add', 8, 3).alu('and', 8, 0x7ffc).jump('gt', 8, MAX_SUMMED, fail);
  a.mov(0, 0);
  const sum = (): void => void a.mov(1, 0).mov(2, 0).mov(3, { reg: 7 }).mov(5, { reg: 0 }).call(HELPER.csumDiff);
  for (let left = MAX_SUMMED; left > CHUNK; left -= CHUNK) {
    a.jump('le', 8, CHUNK, last).mov(4, CHUNK);
    sum();
    a.alu('add', 7, CHUNK).alu('sub', 8, CHUNK);
  }
  a.label(last).mov(4, { reg: 8 });
  sum();
  a.load(8, 7, 10, SAVED).load(8, 8, 10, SAVED + 8);
}

/** Finds LENGTH, PSEUDO and FIELD of a TCP segment or UDP datagram; goes to `none` when this is neither, or a fragment. */
function emitTransport(a: Assembler, none: string): void {
  const [ipv6, known, summed, udp, read] = [a.fresh('pseudo6'), a.fresh('known'), a.fresh('pseudo'), a.fresh('udp'), a.fresh('field')];
  a.jump('eq', 8, 0, none)
    .load(1, 0, 10, keyAt(W.TYPE) + 2)
    .jump('ne', 0, 0, none)
    .load(1, 0, 10, keyAt(W.TYPE) + 3)
    .jump('eq', 0, TCP, known)
    .jump('ne', 0, UDP, none)
    .label(known);
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x86dd, ipv6).jump('ne', 0, 0x0800, none);
  const sum = (at: number, size: number): void =>
    void a.mov(1, 0).mov(2, 0).mov(3, { reg: 10 }).alu('add', 3, at).mov(4, size).mov(5, 0).call(HELPER.csumDiff);
  const length = (at: number, more: number): void => {
    a.load(2, 1, 10, at)
      .toBigEndian(1, 16)
      .alu('add', 1, { reg: 7 })
      .alu('sub', 1, { reg: 8 })
      .alu('add', 1, more)
      .store(4, 10, LENGTH, { reg: 1 });
  };
  loadBytes(a, 7, 0, IP, 20, none);
  length(IP + 2, 0);
  sum(IP + 12, 8);
  a.goto(summed).label(ipv6);
  loadBytes(a, 7, 0, IP, 40, none);
  length(IP + 4, 40);
  sum(IP + 8, 32);
  a.label(summed).load(4, 1, 10, LENGTH);
  swap16(a, 1);
  a.alu('add', 0, { reg: 1 })
    .load(1, 1, 10, keyAt(W.TYPE) + 3)
    .alu('lsh', 1, 8)
    .alu('add', 0, { reg: 1 });
  emitFold(a);
  a.store(4, 10, PSEUDO, { reg: 0 })
    .load(1, 0, 10, keyAt(W.TYPE) + 3)
    .jump('eq', 0, UDP, udp);
  loadBytes(a, 8, 16, FIELD, 2, none);
  a.goto(read).label(udp);
  loadBytes(a, 8, 6, FIELD, 2, none);
  a.label(read);
}

/** r1 = size of the TCP header, whose offset is r8. */
function emitTcpSize(a: Assembler, fail: string): void {
  loadBytes(a, 8, 12, STACK.scratch, 1, fail);
  a.load(1, 1, 10, STACK.scratch).alu('rsh', 1, 4).alu('lsh', 1, 2);
}

/**
 * Before any step: goes to `punt` when the sum cannot be told. Before: r7 and r8 are the offsets of the frame's headers. `trimAt`: where r9
 * points to the length that the frame will be cut to.
 */
export function emitSumCheck(a: Assembler, punt: string, trimAt?: number): void {
  const [segments, fine] = [a.fresh('segments'), a.fresh('summable')];
  if (trimAt !== undefined) {
    const whole = a.fresh('whole');
    emitFrameLength(a, 0, 1);
    a.load(4, 2, 9, trimAt)
      .jump('le', 0, { reg: 2 }, whole)
      .jump('gt', 2, MAX_SUMMED - 64, punt);
    emitKindCheck(a, punt, fine, true);
    a.label(whole);
  }
  a.load(4, 0, 6, SKB.gsoSize)
    .jump('ne', 0, 0, segments)
    .load(4, 0, 6, SKB.len)
    .jump('gt', 0, MAX_SUMMED - 64, punt);
  emitKindCheck(a, punt, fine, false);
  a.label(segments);
  emitTransport(a, punt);
  emitTcpSize(a, punt);
  a.load(4, 0, 10, LENGTH)
    .alu('sub', 0, { reg: 1 })
    .load(4, 1, 6, SKB.gsoSize)
    .alu32('mod', 0, { reg: 1 })
    .jump('ne', 0, 0, punt)
    .label(fine);
}

/**
 * Goes to `fine` or `punt`. `isCut`: the frame will be cut off, and a checksum be made or left with what is left of it; so one that would be
 * right as it is, and looks as if it had still to be made, cannot be told from one that has.
 */
function emitKindCheck(a: Assembler, punt: string, fine: string, isCut: boolean): void {
  const [ip, transport, other] = [a.fresh('ip'), a.fresh('transport'), a.fresh('complete')];
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x0800, ip).jump('eq', 0, 0x86dd, ip);
  for (const type of [0x8847, 0x8848, 0x8100, 0x88a8, 0x894f]) a.jump('eq', 0, type, punt);
  a.goto(fine).label(ip);
  a.load(1, 0, 10, keyAt(W.TYPE) + 2)
    .jump('ne', 0, 0, fine)
    .load(1, 0, 10, keyAt(W.TYPE) + 3);
  // TCP, ICMP, IGMP: no tunnel behind these.
  a.jump('eq', 0, TCP, isCut ? transport : fine);
  for (const proto of [1, 2, 58]) a.jump('eq', 0, proto, fine);
  a.jump('eq', 0, UDP, transport).goto(punt).label(transport);
  const total = (): void => {
    a.mov(1, { reg: 8 }).load(4, 2, 10, LENGTH);
    emitSum(a, punt);
    a.load(4, 1, 10, PSEUDO).alu('add', 0, { reg: 1 });
    emitFold(a);
  };
  emitTransport(a, fine);
  a.load(2, 0, 10, FIELD).jump('eq', 0, 0, punt).load(4, 1, 10, PSEUDO);
  if (isCut) {
    a.jump('ne', 0, { reg: 1 }, other).load(4, 0, 6, SKB.gsoSize).jump('ne', 0, 0, fine);
    total();
    a.jump('eq', 0, 0xffff, punt)
      .goto(fine)
      .label(other)
      .load(1, 0, 10, keyAt(W.TYPE) + 3)
      .jump('eq', 0, TCP, fine);
  } else {
    a.jump('eq', 0, { reg: 1 }, fine);
  }
  total();
  a.jump('ne', 0, 0xffff, punt).goto(fine);
}

/** Sums up the frame as it is now, before it is wrapped; `lost` is where what cannot be goes. Before: r7 and r8 as above. */
export function emitInnerSum(a: Assembler, lost: string): void {
  const [segments, complete, tag, untagged] = [a.fresh('segments'), a.fresh('complete'), a.fresh('addtag'), a.fresh('notag')];
  a.load(4, 0, 6, SKB.gsoSize).jump('ne', 0, 0, segments);
  emitFrameLength(a, 0, 1);
  a.store(4, 10, INNER, { reg: 0 });
  emitTransport(a, complete);
  a.load(2, 0, 10, FIELD).load(4, 1, 10, PSEUDO).jump('ne', 0, { reg: 1 }, complete).mov(1, 0).mov(2, { reg: 8 });
  emitSum(a, lost);
  a.load(2, 1, 10, FIELD).alu('xor', 1, 0xffff).alu('add', 0, { reg: 1 }).goto(tag).label(complete).mov(1, 0).load(4, 2, 6, SKB.len);
  emitSum(a, lost);
  a.goto(tag).label(segments);
  emitSegmentSum(a, lost);
  a.label(tag)
    .load(4, 1, 6, SKB.vlanPresent)
    .jump('eq', 1, 0, untagged)
    .load(4, 1, 6, SKB.vlanProto)
    .alu('and', 1, 0xffff)
    .alu('add', 0, { reg: 1 });
  a.load(4, 1, 6, SKB.vlanTci);
  swap16(a, 1);
  a.alu('add', 0, { reg: 1 }).label(untagged);
  emitFold(a);
  a.store(4, 10, SUM, { reg: 0 });
}

/** r0 = sum of one segment without its tag. */
function emitSegmentSum(a: Assembler, lost: string): void {
  const [ipv4, summed, joined] = [a.fresh('headers4'), a.fresh('headers'), a.fresh('segment')];
  emitTransport(a, lost);
  emitTcpSize(a, lost);
  a.load(4, 0, 6, SKB.gsoSize)
    .alu('add', 1, { reg: 0 })
    .store(4, 10, SEGMENT, { reg: 1 })
    .alu('add', 1, { reg: 8 })
    .store(4, 10, INNER, { reg: 1 });
  const untagged = a.fresh('notag');
  a.load(4, 0, 6, SKB.vlanPresent).jump('eq', 0, 0, untagged).alu('add', 1, 4).store(4, 10, INNER, { reg: 1 }).label(untagged);
  a.load(2, 0, 10, keyAt(W.TYPE))
    .toBigEndian(0, 16)
    .mov(1, 0)
    .mov(2, { reg: 7 })
    .jump('eq', 0, 0x0800, ipv4)
    .mov(2, { reg: 8 })
    .label(ipv4);
  emitSum(a, lost);
  a.load(2, 1, 10, keyAt(W.TYPE)).toBigEndian(1, 16).jump('eq', 1, 0x0800, summed);
  // The payload's length, from that of all to that of one.
  a.load(2, 1, 10, IP + 4)
    .mov(2, { reg: 1 })
    .alu('xor', 1, 0xffff)
    .alu('add', 0, { reg: 1 });
  swap16(a, 2);
  a.load(4, 1, 10, LENGTH).alu('sub', 2, { reg: 1 }).load(4, 1, 10, SEGMENT).alu('add', 2, { reg: 1 });
  swap16(a, 2);
  a.alu('add', 0, { reg: 2 }).label(summed);
  // The complement of the segment's pseudo header.
  a.mov(3, { reg: 0 }).load(4, 0, 10, PSEUDO).load(4, 2, 10, LENGTH);
  swap16(a, 2);
  a.alu('xor', 2, 0xffff).alu('add', 0, { reg: 2 }).load(4, 2, 10, SEGMENT);
  swap16(a, 2);
  a.alu('add', 0, { reg: 2 });
  emitFold(a);
  a.alu('xor', 0, 0xffff).alu('add', 0, { reg: 3 }).label(joined);
}

/**
 * r0 = the outer checksum, as it stands in the header, 0 if it happens to be. Before: r0 = sum of the outer header and its pseudo header
 * without lengths. `size`: bytes of UDP's and the tunnel's header that are counted as UDP counts them, 0 for GRE.
 */
export function emitOuterSum(a: Assembler, size: number): void {
  a.load(4, 1, 10, SUM).alu('add', 0, { reg: 1 });
  if (size > 0) {
    a.load(4, 1, 10, INNER).alu('add', 1, size);
    swap16(a, 1);
    // It stands in the header and in the pseudo header.
    a.alu('add', 0, { reg: 1 }).alu('add', 0, { reg: 1 });
  }
  emitFold(a);
  a.alu('xor', 0, 0xffff);
}
