// Instructions for SCTP's checksum, a CRC-32c of the whole packet (RFC 9260 section 6.8), after its ports changed.
//
// A CRC is linear: by how much it changes follows from the changed word and from how many bytes come after it. So none of these is read,
// and a checksum that was wrong stays wrong. The map `crc` says what zeros behind a word make of it, for each bit of their number.
//
// A checksum of 0 is left alone: the host's SCTP leaves it to the device so, and the device sums up what stands there.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { F_RECOMPUTE, keyAt, loadBytes, STACK, storeBytes } from './frame-context.ts';
import { CRC_VALUE } from './map-layout.ts';

const CHECKSUM = 8;
const FIELD = STACK.scratch + 8;

/** The packet's first word changes from that at `before` to that at `after` on the stack. Before: r7 and r8 are the offsets of the headers. */
export function emitSctpSum(a: Assembler, before: number, after: number): void {
  const [done, ipv6, sized, again, next] = [a.fresh('nocrc'), a.fresh('size6'), a.fresh('size'), a.fresh('shift'), a.fresh('shifted')];
  loadBytes(a, 8, CHECKSUM, FIELD, 4, done);
  a.load(4, 0, 10, FIELD).jump('eq', 0, 0, done);
  // r1 = bytes from the SCTP header to the end of the packet.
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x86dd, ipv6);
  loadBytes(a, 7, 2, FIELD + 4, 2, done);
  a.load(2, 1, 10, FIELD + 4)
    .toBigEndian(1, 16)
    .goto(sized)
    .label(ipv6);
  loadBytes(a, 7, 4, FIELD + 4, 2, done);
  a.load(2, 1, 10, FIELD + 4)
    .toBigEndian(1, 16)
    .alu('add', 1, 40)
    .label(sized);
  a.alu('add', 1, { reg: 7 }).alu('sub', 1, { reg: 8 }).alu('and', 1, 0xffff);
  // r2 = the difference, r3 = what the lowest bit of r1 makes of it.
  a.load(4, 2, 10, before).load(4, 0, 10, after).alu('xor', 2, { reg: 0 }).loadMapValue(3, 'crc', 0);
  a.label(again).jump('set', 1, 1, next);
  const skip = a.fresh('unshifted');
  a.goto(skip).label(next).mov(0, 0);
  for (let nibble = 0; nibble < 8; nibble++) {
    a.mov(5, { reg: 2 });
    if (nibble > 0) a.alu('rsh', 5, nibble * 4);
    a.alu('and', 5, 15)
      .alu('lsh', 5, 2)
      .alu('add', 5, { reg: 3 })
      .load(4, 5, 5, nibble * CRC_VALUE.nibble)
      .alu('xor', 0, { reg: 5 });
  }
  a.mov(2, { reg: 0 }).label(skip);
  a.alu('add', 3, CRC_VALUE.bit).alu('rsh', 1, 1).jump('ne', 1, 0, again);
  a.load(4, 0, 10, FIELD).alu('xor', 0, { reg: 2 }).store(4, 10, FIELD, { reg: 0 });
  storeBytes(a, 8, CHECKSUM, FIELD, 4, F_RECOMPUTE);
  a.label(done);
}
