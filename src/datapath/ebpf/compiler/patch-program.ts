// Instructions for patches of header fields. Before: r6 = skb, r7/r8 = header offsets, r9 = the flow's actions, the key on the stack.
//
// What is there is read from the frame, because earlier steps may have changed it. Checksums are the kernel's helpers' business: they know
// whether a checksum is complete, partial or computed by hardware, so that a rewritten super-segment with a partial checksum stays right.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import type { Patch, PatchGuard } from './field-patch.ts';
import { F_RECOMPUTE, HELPER, keyAt, loadBytes, STACK, storeBytes, swap32 } from './frame-context.ts';
import { ACTIONS_VALUE } from './map-layout.ts';
import { emitSctpSum } from './sctp-program.ts';

/** A patch whose value is the parameter at `at`. */
export type PatchStep = Omit<Patch, 'value'> & { at: number };

const F_PSEUDO_HDR = 0x10;
const F_MARK_MANGLED_0 = 0x20;
/** Bytes before and after a change. */
export const OLD: number = STACK.scratch;
export const NEW: number = STACK.scratch + 4;
/** As `swap32`. */
export const swap16 = (value: number): number => ((value >>> 8) & 0xff) | ((value & 0xff) << 8);

/** Words of the key that guards look at. */
export const GUARD_WORDS: Partial<Record<PatchGuard, readonly number[]>> = { arp: [W.ARP_HW, W.ARP_HW + 1, W.ARP_HW + 2] };

/** Emits a set: nothing changes in frames that have no such header. */
export function emitPatches(a: Assembler, guard: PatchGuard, patches: readonly PatchStep[]): void {
  const other = a.fresh('other');
  emitGuard(a, guard, other);
  for (const patch of patches) emitPatch(a, patch, () => void a.load(patch.size, 3, 9, ACTIONS_VALUE.params + patch.at));
  a.label(other);
}

/** Goes to `other` when the frame has no such header. */
export function emitGuard(a: Assembler, guard: PatchGuard, other: string): void {
  const yes = a.fresh('guarded');
  const type = (): void => void a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16);
  const protocol = (number: number): void =>
    void a
      .load(1, 0, 10, keyAt(W.TYPE) + 3)
      .jump('ne', 0, number, other)
      .jump('eq', 8, 0, other);
  switch (guard) {
    case 'ipv4':
      type();
      a.jump('ne', 0, 0x0800, other).load(4, 0, 10, keyAt(W.TOS)).load(4, 1, 10, keyAt(W.NW_SRC)).alu('or', 0, { reg: 1 });
      a.load(1, 1, 10, keyAt(W.TYPE) + 3)
        .alu('or', 0, { reg: 1 })
        .jump('eq', 0, 0, other);
      break;
    case 'ipv6':
      type();
      a.jump('ne', 0, 0x86dd, other);
      loadBytes(a, 7, 39, OLD, 1, other);
      break;
    case 'arp':
      type();
      a.jump('eq', 0, 0x0806, yes).jump('ne', 0, 0x8035, other).label(yes);
      a.load(4, 0, 10, keyAt(W.ARP_HW))
        .load(4, 1, 10, keyAt(W.ARP_HW + 1))
        .alu('or', 0, { reg: 1 });
      a.load(4, 1, 10, keyAt(W.NW_SRC))
        .alu('or', 0, { reg: 1 })
        .load(1, 1, 10, keyAt(W.TYPE) + 3)
        .alu('or', 0, { reg: 1 });
      a.jump('eq', 0, 0, other);
      break;
    case 'mpls':
      type();
      a.jump('eq', 0, 0x8847, yes).jump('ne', 0, 0x8848, other).label(yes);
      break;
    case 'nsh':
    case 'nshContext':
      type();
      a.jump('ne', 0, 0x894f, other);
      loadBytes(a, 7, guard === 'nsh' ? 7 : 23, OLD, 1, other);
      if (guard === 'nsh') break;
      loadBytes(a, 7, 2, OLD, 1, other);
      a.load(1, 0, 10, OLD).alu('and', 0, 15).jump('ne', 0, 1, other);
      break;
    case 'tcp':
      protocol(6);
      break;
    case 'udp':
      protocol(17);
      break;
    case 'sctp':
      protocol(132);
      break;
    case 'icmp':
      type();
      a.jump('ne', 0, 0x0800, other);
      protocol(1);
      break;
    case 'icmpv6':
      type();
      a.jump('ne', 0, 0x86dd, other);
      protocol(58);
      break;
    case 'nd':
      protocol(58);
      loadBytes(a, 8, 23, OLD, 1, other);
  }
}

/** `value` loads the new bits into r3, in network order, and leaves r1, r2 and r6 to r9 alone. */
export function emitPatch(a: Assembler, patch: Omit<Patch, 'value'>, value: () => void): void {
  const base = patch.base === 'l3' ? 7 : 8;
  const { size } = patch;
  const same = a.fresh('same');
  const keep = size === 4 ? swap32(~patch.mask) : swap16(~patch.mask & 0xffff);
  loadBytes(a, base, patch.offset, OLD, size, same);
  a.load(size, 1, 10, OLD).mov(2, { reg: 1 }).alu32('and', 2, keep);
  value();
  a.alu32('or', 2, { reg: 3 });
  a.jump32('eq', 1, { reg: 2 }, same).store(size, 10, NEW, { reg: 2 });
  emitSums(a, patch);
  storeBytes(a, base, patch.offset, NEW, size, patch.sums === 'none' || patch.sums === 'sctp' ? F_RECOMPUTE : 0);
  a.label(same);
}

function emitSums(a: Assembler, { sums, size }: Omit<Patch, 'value'>): void {
  switch (sums) {
    case 'none':
      break;
    case 'ip':
      l3Checksum(a, size);
      break;
    case 'ip+pseudo4':
      l3Checksum(a, size);
      pseudoChecksum(a, false, size);
      break;
    case 'pseudo6':
      pseudoChecksum(a, true, size);
      break;
    case 'tcp':
      l4Checksum(a, 16, size, 0);
      break;
    case 'udp':
      l4Checksum(a, 6, size, F_MARK_MANGLED_0);
      break;
    case 'sctp':
      emitSctpSum(a, OLD, NEW);
      break;
    case 'icmp':
    case 'icmpv6':
      l4Checksum(a, 2, size, 0);
  }
}

function l3Checksum(a: Assembler, size: 2 | 4): void {
  a.mov(1, { reg: 6 }).mov(2, { reg: 7 }).alu('add', 2, 10);
  a.load(size, 3, 10, OLD).load(size, 4, 10, NEW).mov(5, size).call(HELPER.l3CsumReplace);
}

/** The transport checksum at `offset` follows the change from OLD to NEW. */
export function l4Checksum(a: Assembler, offset: number, size: 2 | 4, flags: number): void {
  a.mov(1, { reg: 6 }).mov(2, { reg: 8 }).alu('add', 2, offset);
  a.load(size, 3, 10, OLD)
    .load(size, 4, 10, NEW)
    .mov(5, size | flags)
    .call(HELPER.l4CsumReplace);
}

/** An address changed: the transport checksum covers it, if there is a transport header here that has one. */
function pseudoChecksum(a: Assembler, isIpv6: boolean, size: 2 | 4): void {
  const done = a.fresh('nopseudo');
  const udp = a.fresh('udp');
  const icmp6 = a.fresh('icmp6');
  a.jump('eq', 8, 0, done)
    .load(1, 0, 10, keyAt(W.TYPE) + 3)
    .jump('eq', 0, 17, udp);
  if (isIpv6) a.jump('eq', 0, 58, icmp6);
  a.jump('ne', 0, 6, done);
  l4Checksum(a, 16, size, F_PSEUDO_HDR);
  a.goto(done).label(udp);
  l4Checksum(a, 6, size, F_PSEUDO_HDR | F_MARK_MANGLED_0);
  if (isIpv6) {
    a.goto(done).label(icmp6);
    l4Checksum(a, 2, size, F_PSEUDO_HDR);
  }
  a.label(done);
}
