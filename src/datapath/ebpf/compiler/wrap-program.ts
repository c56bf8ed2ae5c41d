// Instructions for headers before a whole frame (NSH, RFC 8300, and labels) with an Ethernet header of their own, and for taking off an NSH.
//
// Going out, the head grows and all of it is written. For the kernel to take the frame for what it is then, a VLAN tag stands in it for a
// moment (see `tunnel-push-program.ts`). Coming in, the kernel takes bytes out of IP packets alone: the frame passes for one, also by
// way of a tag, and gets its own type when they are gone. A tag in the metadata goes into the frame, or comes out of it.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import type { ShapeStep } from './action-shape.ts';
import { countDrop, emitConsumed, HELPER, keyAt, loadBytes, SKB, STACK, storeBytes } from './frame-context.ts';

type WrapStep = Extract<ShapeStep, { op: 'wrap' }>;

const ETHERNET = 14;
const TAG = 4;
const TPID = 0x0081;
const NSH = 0x894f;
/** Next protocol of an NSH: Ethernet. */
const NEXT_ETHERNET = 3;
const ADJUST_AT_MAC = 1;
/** BPF_HDR_START_NET. */
const HEADER_NETWORK = 1;
const F_FIXED_GSO = 1;
const F_DECAP_IPV4 = 1 << 7;
/** What must be left of an IPv4 packet. */
const LEAST = 20;
/** Bytes of other headers that there is room for on the stack, with two Ethernet headers that have a tag each. */
export const MAX_WRAP_SIZE = 128;
const h = STACK.header;

const push = (a: Assembler, lost: string): void =>
  void a.mov(1, { reg: 6 }).mov(2, TPID).mov(3, 0).call(HELPER.vlanPush).jump('ne', 0, 0, lost);
const pop = (a: Assembler, lost: string): void => void a.mov(1, { reg: 6 }).call(HELPER.vlanPop).jump('ne', 0, 0, lost);

/** Segments would have to be made behind the new headers, which the kernel cannot. */
export const emitWrapCheck = (a: Assembler, punt: string): void => void a.load(4, 0, 6, SKB.gsoSize).jump('ne', 0, 0, punt);

/** What is behind the Ethernet header at `eth` on the stack, of type r0, is not known. */
function emitKnown(a: Assembler, eth: number): void {
  a.store(2, 10, keyAt(W.TYPE), { reg: 0 }).store(2, 10, keyAt(W.TYPE) + 2, 0);
  for (let i = 0; i < 12; i += 2) a.load(2, 0, 10, eth + i).store(2, 10, keyAt(W.ETH) + i, { reg: 0 });
  a.mov(7, ETHERNET).mov(8, 0);
}

function emitLost(a: Assembler, lost: string): void {
  const done = a.fresh('wrapped');
  a.goto(done).label(lost);
  countDrop(a);
  emitConsumed(a);
  a.label(done);
}

/** `at`: where r9 points to the parameters. */
export function emitWrap(a: Assembler, step: WrapStep, at: number): void {
  const [lost, tagged, grown] = [a.fresh('nowrap'), a.fresh('tagged'), a.fresh('grown')];
  // The new Ethernet header with a tag, so that what follows is aligned; the other headers; the frame's own Ethernet header.
  const first = STACK.lookup + 2;
  const headers = first + ETHERNET + TAG;
  const eth = headers + step.size;
  for (let i = 0; i < 12; i += 2) a.load(2, 0, 9, at + i).store(2, 10, first + i, { reg: 0 });
  a.store(2, 10, first + 12, TPID)
    .store(2, 10, first + 14, 0)
    .load(2, 0, 9, at + 12)
    .store(2, 10, first + 16, { reg: 0 });
  for (let i = 0; i < step.size; i += 4) a.load(4, 0, 9, at + 16 + i).store(4, 10, headers + i, { reg: 0 });
  loadBytes(a, undefined, 0, eth, ETHERNET, lost);
  const grow = (l2: number): void => {
    a.mov(1, { reg: 6 })
      .mov(2, step.size + l2)
      .mov(3, 0)
      .call(HELPER.changeHead)
      .jump('ne', 0, 0, lost);
    storeBytes(a, undefined, 0, first, ETHERNET + TAG + step.size + l2);
  };
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, tagged);
  push(a, lost);
  push(a, lost);
  grow(ETHERNET);
  a.goto(grown).label(tagged);
  a.load(2, 0, 10, eth + 12)
    .store(2, 10, eth + 16, { reg: 0 })
    .load(4, 0, 6, SKB.vlanProto)
    .store(2, 10, eth + 12, { reg: 0 });
  a.load(4, 0, 6, SKB.vlanTci)
    .toBigEndian(0, 16)
    .store(2, 10, eth + 14, { reg: 0 });
  push(a, lost);
  grow(ETHERNET + TAG);
  a.label(grown);
  pop(a, lost);
  pop(a, lost);
  a.load(2, 0, 10, first + 16);
  emitKnown(a, first);
  emitLost(a, lost);
}

/** Before any step: goes to `punt` unless the frame is an NSH with an Ethernet frame behind it, without a tag, and the kernel knows where it begins. */
export function emitUnwrapCheck(a: Assembler, punt: string): void {
  emitWrapCheck(a, punt);
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, punt).jump('ne', 7, ETHERNET, punt);
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('ne', 0, NSH, punt);
  loadBytes(a, undefined, ETHERNET, h, 4, punt);
  a.load(1, 0, 10, h + 3).jump('ne', 0, NEXT_ETHERNET, punt);
  emitSize(a);
  a.jump('lt', 1, 8, punt)
    .alu('add', 1, 2 * ETHERNET + TAG + LEAST)
    .load(4, 0, 6, SKB.len)
    .jump('lt', 0, { reg: 1 }, punt);
  // The kernel takes bytes out at its network header. That is further in where headers went before the frame since it came: then the last
  // byte of what is in one piece is not as far behind it as behind the Ethernet header.
  a.load(4, 2, 6, SKB.dataEnd)
    .load(4, 1, 6, SKB.data)
    .alu('sub', 2, { reg: 1 })
    .alu('sub', 2, ETHERNET + 1);
  a.mov(1, { reg: 6 })
    .mov(3, { reg: 10 })
    .alu('add', 3, h + 8)
    .mov(4, 1)
    .mov(5, HEADER_NETWORK)
    .call(HELPER.skbLoadBytesRelative)
    .jump('ne', 0, 0, punt);
}

/** r1 = size of the NSH whose first bytes stand at `h`. */
const emitSize = (a: Assembler): void =>
  void a
    .load(1, 1, 10, h + 1)
    .alu('and', 1, 0x3f)
    .alu('lsh', 1, 2);

export function emitUnwrap(a: Assembler): void {
  const [lost, tagged, plain, untagged] = [a.fresh('nounwrap'), a.fresh('tagged'), a.fresh('plain'), a.fresh('untagged')];
  loadBytes(a, undefined, ETHERNET, h, 4, lost);
  emitSize(a);
  // r8 = bytes that go, r7 = the tag of the frame inside.
  a.mov(8, { reg: 1 }).alu('add', 8, ETHERNET);
  loadBytes(a, 8, 0, h, ETHERNET + TAG, lost);
  a.mov(7, 0)
    .load(2, 0, 10, h + 12)
    .toBigEndian(0, 16)
    .jump('eq', 0, 0x8100, tagged)
    .jump('ne', 0, 0x88a8, plain)
    .label(tagged);
  a.load(4, 7, 10, h + 12)
    .alu('add', 8, TAG)
    .load(2, 0, 10, h + 16)
    .store(2, 10, h + 12, { reg: 0 })
    .label(plain);
  const retype = (): void => {
    pop(a, lost);
    pop(a, lost);
  };
  push(a, lost);
  push(a, lost);
  a.store(2, 10, h + 16, 0x0008);
  storeBytes(a, undefined, 16, h + 16, 2);
  retype();
  a.mov(1, { reg: 6 })
    .mov(2, 0)
    .alu('sub', 2, { reg: 8 })
    .mov(3, ADJUST_AT_MAC)
    .mov(4, F_FIXED_GSO | F_DECAP_IPV4);
  a.call(HELPER.adjustRoom).jump('ne', 0, 0, lost);
  storeBytes(a, undefined, 0, h, ETHERNET);
  push(a, lost);
  push(a, lost);
  retype();
  a.jump('eq', 7, 0, untagged).mov(1, { reg: 6 }).mov(2, { reg: 7 }).alu('and', 2, 0xffff);
  a.mov(3, { reg: 7 }).alu('rsh', 3, 16).toBigEndian(3, 16).call(HELPER.vlanPush).jump('ne', 0, 0, lost).label(untagged);
  a.mov(0, 0);
  emitKnown(a, h);
  emitLost(a, lost);
}
