// Instructions for label stack entries.
//
// The kernel lets tc take bytes out of a frame only where it says IPv4 or IPv6 - and where a VLAN tag is popped. A label behind the Ethernet
// header is as long as a tag. So it is made to look like one:
//
//   1. A tag that is in the metadata is put aside.
//   2. Two tags are pushed: the first comes to stand in the frame, which the kernel then takes for one of type 0x8100.
//   3. The type behind that tag becomes 0x8100; popping the tag leaves a frame whose label the kernel takes for a tag.
//   4. The label's second half becomes the new Ethernet type, and the "tag" is popped.
//   5. What the pops left in the metadata goes, and the tag that was put aside comes back.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { countDrop, emitConsumed, HELPER, keyAt, loadBytes, SKB, STACK, storeBytes } from './frame-context.ts';

const h = STACK.header;
const TAG = STACK.scratch + 8;
const TPID = 0x0081;

/** Four bytes grow at the head, and the Ethernet header moves there. `at`: where r9 points to label and type. */
export function emitPushMpls(a: Assembler, at: number): void {
  const lost = a.fresh('nolabel');
  const pushed = a.fresh('label');
  a.mov(1, { reg: 6 }).mov(2, 4).mov(3, 0).call(HELPER.changeHead).jump('ne', 0, 0, lost);
  loadBytes(a, undefined, 4, h, 14, lost);
  a.load(2, 0, 9, at + 4).store(2, 10, h + 12, { reg: 0 });
  emitNewType(a, 0);
  a.load(2, 0, 9, at).store(2, 10, h + 14, { reg: 0 });
  a.load(2, 0, 9, at + 2).store(2, 10, h + 16, { reg: 0 });
  storeBytes(a, undefined, 0, h, 18);
  a.mov(8, 0);
  emitLost(a, lost, pushed);
}

/** r0 = the new Ethernet type. What is behind it is not known. */
const emitNewType = (a: Assembler, reg: 0): void => void a.store(2, 10, keyAt(W.TYPE), { reg }).store(2, 10, keyAt(W.TYPE) + 2, 0);

function emitLost(a: Assembler, lost: string, goesOn: string): void {
  a.goto(goesOn).label(lost);
  countDrop(a);
  emitConsumed(a);
  a.label(goesOn);
}

/** The outermost label goes; a frame without one stays as it is. `at`: where r9 points to the type. The label is behind 14 bytes. */
export function emitPopMpls(a: Assembler, at: number): void {
  const [lost, popped] = [a.fresh('nolabel'), a.fresh('popped')];
  const [label, aside, push, untagged] = [a.fresh('label'), a.fresh('aside'), a.fresh('push'), a.fresh('untagged')];
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x8847, label).jump('ne', 0, 0x8848, popped).label(label);
  loadBytes(a, undefined, 14, h, 4, popped);
  // 1.
  a.store(8, 10, TAG, 0).load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, aside).goto(push).label(aside);
  a.load(4, 0, 6, SKB.vlanProto)
    .store(4, 10, TAG, { reg: 0 })
    .load(4, 0, 6, SKB.vlanTci)
    .store(4, 10, TAG + 4, { reg: 0 });
  pop(a, lost);
  a.label(push);
  // 2.
  for (let i = 0; i < 2; i++) a.mov(1, { reg: 6 }).mov(2, TPID).mov(3, 0).call(HELPER.vlanPush).jump('ne', 0, 0, lost);
  // 3.
  a.store(2, 10, h, TPID);
  storeBytes(a, undefined, 16, h, 2);
  pop(a, lost);
  // 4.
  a.load(2, 0, 9, at).store(2, 10, h, { reg: 0 });
  emitNewType(a, 0);
  storeBytes(a, undefined, 16, h, 2);
  pop(a, lost);
  // 5.
  pop(a, lost);
  a.mov(8, 0).load(4, 2, 10, TAG).jump('eq', 2, 0, untagged);
  a.mov(1, { reg: 6 })
    .load(4, 3, 10, TAG + 4)
    .call(HELPER.vlanPush)
    .jump('ne', 0, 0, lost)
    .label(untagged);
  emitLost(a, lost, popped);
}

const pop = (a: Assembler, lost: string): void => void a.mov(1, { reg: 6 }).call(HELPER.vlanPop).jump('ne', 0, 0, lost);
