// Instructions for an output through a tunnel: the outer header goes before the frame, and the kernel finds the next hop.
//
//   1. Before any step of the list runs, the frame is looked at: what would not fit the way's MTU, and what has no known way is user space's
//      with the whole list.
//   2. A super-segment stays whole. Where its segments would be too long with the outer header, the kernel makes them shorter by as much.
//   3. The outer header comes ready from `outers`; only lengths, the IPv4 checksum and the UDP source port are filled in. The port is made
//      from the hash of the inner flow, so that the underlay can spread flows over its ways.
//   4. The kernel wraps IPv4 and IPv6 only (`bpf_skb_adjust_room`). For other frames, ARP above all, the head grows and all of it is written
//      here. What is wrapped so is still no IP packet for the kernel, which asks no neighbour for such. It takes on the type of what is
//      behind a VLAN tag when one is popped out of the frame: so there is one for a moment.
//   5. bpf_redirect_neigh writes the Ethernet header: routes, ARP and neighbour discovery stay the host's.
//
// UDP checksums of the outer header are 0, also over IPv6 (RFC 6935), as the kernel's own Open vSwitch does without `csum=true`. With it, and
// GRE's, see `tunnel-checksum-program.ts`.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import type { ShapeStep } from './action-shape.ts';
import {
  emitConsumed,
  emitForget,
  emitFrameLength,
  HELPER,
  keyAt,
  LIST_SHIFT,
  loadBytes,
  RESUMED,
  SKB,
  STACK,
  storeBytes,
} from './frame-context.ts';
import { ACTIONS_VALUE, OUTER_VALUE, RESUME_KIND, TOTALS_VALUE } from './map-layout.ts';
import { emitInnerSum, emitOuterSum, emitSumCheck } from './tunnel-checksum-program.ts';

type TunnelStep = Extract<ShapeStep, { op: 'tunnel' }>;

const ADJUST_AT_MAC = 1;
const F_FIXED_GSO = 1n;
const F_ENCAP_IPV4 = 1n << 1n;
const F_ENCAP_IPV6 = 1n << 2n;
const F_ENCAP_GRE = 1n << 3n;
const F_ENCAP_UDP = 1n << 4n;
const F_ENCAP_ETHERNET = 1n << 6n;
const encapL2 = (size: bigint): bigint => size << 56n;

/** Smallest and number of UDP source ports: Linux's usual range of local ports. */
const FIRST_PORT = 32_768;
const PORTS = 28_232;
const MAX_IP = 65_535;
const TAG = 4;
const ETHERNET = 14;
/** Beyond what steps between the check and the output use. */
const GSO_FLAG = STACK.header + 32;

/** Bytes of an outer header that there is room for on the stack, and of a longer one those that differ between packets. */
const STACK_OUTER = 144;
const FRONT = 56;
/** Bytes of the outer header that stand on the stack, before the inner Ethernet header. */
const onStack = (step: TunnelStep): number => (step.size <= STACK_OUTER ? step.size : FRONT);

/** Writes the outer header and `l2` bytes of inner Ethernet header at an offset of the frame. Before: r8 = the entry of `outers`. */
function storeOuter(a: Assembler, step: TunnelStep, offset: number, l2: number): void {
  const front = onStack(step);
  const { lookup } = STACK;
  if (front === step.size) {
    storeBytes(a, undefined, offset, lookup, front + l2);
    return;
  }
  storeBytes(a, undefined, offset, lookup, front);
  a.mov(1, { reg: 6 })
    .mov(2, offset + front)
    .mov(3, { reg: 8 })
    .alu('add', 3, OUTER_VALUE.header + front);
  a.mov(4, step.size - front)
    .mov(5, 0)
    .call(HELPER.skbStoreBytes);
  storeBytes(a, undefined, offset + step.size, lookup + front, l2);
}

/** r0 = the list's entry in `outers`, 0 when there is none. */
function loadOuter(a: Assembler, step: TunnelStep): void {
  a.load(4, 0, 9, ACTIONS_VALUE.params + step.at).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'outers').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup);
}

/** Step 1. Before: r7 and r8 are the offsets of the frame's headers. Jumps to `punt` with nothing done. */
export function emitTunnelCheck(a: Assembler, step: TunnelStep, punt: string): void {
  const wraps = a.fresh('wraps');
  const fits = a.fresh('fits');
  const whole = a.fresh('whole');
  // Only of IP the kernel knows how to make segments behind an outer header; a second tag in the frame would be in its way, and what came
  // out of another tunnel still counts as wrapped.
  const plain = a.fresh('nosegments');
  a.load(4, 0, 6, SKB.gsoSize).jump('eq', 0, 0, plain).load(4, 0, 10, RESUMED).jump('set', 0, RESUME_KIND.tunnel, punt);
  a.load(4, 0, 6, SKB.protocol).toBigEndian(0, 16).jump('eq', 0, 0x0800, wraps).jump('ne', 0, 0x86dd, punt).label(wraps);
  a.load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x8100, punt).jump('eq', 0, 0x88a8, punt);
  if (step.pushes > 1) a.goto(punt);
  else if (step.pushes === 1) a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, punt);
  a.label(plain);
  loadOuter(a, step);
  a.jump('eq', 0, 0, punt).load(4, 1, 0, OUTER_VALUE.ifindex).jump('eq', 1, 0, punt).load(4, 5, 0, OUTER_VALUE.mtu);
  a.store(8, 10, GSO_FLAG, 0);
  emitFrameLength(a, 3, 2);
  if (step.trims) {
    // As long as it will be then; a super-segment is one frame from then on.
    const short = a.fresh('short');
    a.load(4, 1, 9, ACTIONS_VALUE.params + step.at + 8)
      .jump('le', 3, { reg: 1 }, short)
      .mov(3, { reg: 1 });
    a.alu('add', 3, step.size + TAG)
      .jump('le', 3, { reg: 5 }, fits)
      .goto(punt)
      .label(short);
  }
  a.alu('add', 3, step.size + TAG).jump('gt', 3, MAX_IP, punt);
  a.load(4, 4, 6, SKB.gsoSize).jump('ne', 4, 0, whole).jump('le', 3, { reg: 5 }, fits).alu('sub', 3, TAG);
  // Only a tag that the list pushes itself needs the room for one.
  if (step.pushes === 0) a.jump('le', 3, { reg: 5 }, fits);
  a.goto(punt);
  // A super-segment: r4 = IP packet of one segment.
  a.label(whole)
    .load(1, 1, 10, keyAt(W.TYPE) + 3)
    .jump('ne', 1, 6, punt)
    .jump('eq', 8, 0, punt);
  a.store(4, 10, STACK.scratch + 4, { reg: 4 }).store(4, 10, STACK.scratch + 8, { reg: 5 });
  loadBytes(a, 8, 12, STACK.scratch, 1, punt);
  a.load(1, 1, 10, STACK.scratch).alu('rsh', 1, 4).alu('lsh', 1, 2);
  a.load(4, 4, 10, STACK.scratch + 4).load(4, 5, 10, STACK.scratch + 8);
  a.alu('add', 4, { reg: 1 }).alu('add', 4, { reg: 8 }).alu('sub', 4, { reg: 7 }).jump('gt', 4, { reg: 5 }, punt);
  // Segments that become shorter do not all stay full ones.
  a.alu('add', 4, step.size + 14 + TAG)
    .jump('gt', 4, { reg: 5 }, step.hasSum ? punt : fits)
    .store(8, 10, GSO_FLAG, Number(F_FIXED_GSO));
  a.label(fits);
  if (!step.hasSum) return;
  emitSumCheck(a, punt, step.trims ? ACTIONS_VALUE.params + step.at + 8 : undefined);
  emitJoin(a, punt);
}

/** Steps 2 to 4, the last of a list; ends in exit. */
export function emitTunnelOutput(a: Assembler, step: TunnelStep): void {
  const at = STACK.lookup;
  const l3 = step.isIpv6 ? 40 : 20;
  const lost = a.fresh('lost');
  const tagged = a.fresh('tagged');
  const wrapped = a.fresh('wrapped');
  if (step.hasSum) {
    emitInnerSum(a, lost);
    emitJoin(a, lost);
  }
  if (step.isUdp) a.mov(1, { reg: 6 }).call(HELPER.hashRecalc).mov(7, { reg: 0 });
  loadOuter(a, step);
  a.jump('eq', 0, 0, lost).mov(8, { reg: 0 });
  const eth = at + onStack(step);
  for (let i = 0; i < onStack(step); i += 4) a.load(4, 0, 8, OUTER_VALUE.header + i).store(4, 10, at + i, { reg: 0 });
  if (step.isUdp) {
    a.alu('lsh', 7, 32)
      .alu('rsh', 7, 32)
      .alu('mul', 7, PORTS)
      .alu('rsh', 7, 32)
      .alu('add', 7, FIRST_PORT)
      .toBigEndian(7, 16)
      .store(2, 10, at + l3, { reg: 7 });
  }
  // r7 = size of the inner frame.
  emitFrameLength(a, 0, 1);
  a.mov(7, { reg: 0 });
  if (step.isUdp)
    a.alu('add', 0, step.size - l3)
      .toBigEndian(0, 16)
      .store(2, 10, at + l3 + 4, { reg: 0 });
  if (step.hasSum) emitChecksum(a, step, at);
  if (step.isIpv6) {
    a.mov(0, { reg: 7 })
      .alu('add', 0, step.size - 40)
      .toBigEndian(0, 16)
      .store(2, 10, at + 4, { reg: 0 });
  } else {
    emitIpv4(a, step, at);
  }
  loadBytes(a, undefined, 0, eth, 14, lost);
  const other = a.fresh('noip');
  emitTypeCheck(a, eth, other);
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, tagged);
  emitAdjust(a, step, 14, lost);
  a.goto(wrapped).label(tagged);
  emitTag(a, eth);
  a.mov(1, { reg: 6 }).call(HELPER.vlanPop);
  emitAdjust(a, step, 18, lost);
  a.goto(wrapped).label(other);
  emitGrow(a, step, lost);
  a.label(wrapped);
  const unmarked = a.fresh('unmarked');
  a.load(4, 1, 8, OUTER_VALUE.mark).jump('eq', 1, 0, unmarked).store(4, 6, SKB.mark, { reg: 1 }).label(unmarked);
  a.load(4, 1, 8, OUTER_VALUE.ifindex).mov(2, 0).mov(3, 0).mov(4, 0).call(HELPER.redirectNeighbour).exit();
  a.label(lost).loadMapValue(1, 'totals', TOTALS_VALUE.wrapFailed).mov(2, 1).atomicAdd(8, 1, 0, 2);
  emitConsumed(a);
}

/** Makes the verifier forget by which of many ways it came here. r9 is found again, in the list that runs; r7 and r8 are kept. */
function emitJoin(a: Assembler, lost: string): void {
  a.mov(9, 0).mov(0, 0);
  emitForget(a, lost);
  a.load(4, 1, 10, RESUMED).alu('rsh', 1, LIST_SHIFT).store(4, 10, STACK.scratch, { reg: 1 });
  a.loadMap(1, 'actions').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, lost).mov(9, { reg: 0 });
}

/** The checksum that covers the inner frame. Before: the outer header at `at`, r8 = the entry of `outers`. */
function emitChecksum(a: Assembler, step: TunnelStep, at: number): void {
  const l3 = step.isIpv6 ? 40 : 20;
  const some = a.fresh('summed');
  a.load(2, 0, 8, OUTER_VALUE.covered);
  if (!step.isUdp) {
    emitOuterSum(a, 0);
    a.store(2, 10, at + l3 + 4, { reg: 0 });
    return;
  }
  a.load(2, 1, 10, at + l3).alu('add', 0, { reg: 1 });
  emitOuterSum(a, step.size - l3);
  // 0 would say that there is none (RFC 768).
  a.jump('ne', 0, 0, some)
    .mov(0, 0xffff)
    .label(some)
    .store(2, 10, at + l3 + 6, { reg: 0 });
}

/** Length, identification and checksum. Before: r7 = size of the inner frame, r8 = the entry of `outers`. */
function emitIpv4(a: Assembler, step: TunnelStep, at: number): void {
  const unfragmented = a.fresh('df');
  // Packets that may be fragmented need an identification of their own (RFC 6864).
  a.mov(0, 0)
    .load(1, 1, 10, at + 6)
    .jump('ne', 1, 0, unfragmented)
    .call(HELPER.random)
    .alu('and', 0, 0xffff)
    .label(unfragmented);
  a.mov(1, { reg: 0 })
    .toBigEndian(1, 16)
    .store(2, 10, at + 4, { reg: 1 });
  a.mov(1, { reg: 7 }).alu('add', 1, step.size).alu('add', 0, { reg: 1 }).toBigEndian(1, 16);
  a.store(2, 10, at + 2, { reg: 1 })
    .load(4, 1, 8, OUTER_VALUE.sum)
    .alu('add', 0, { reg: 1 });
  for (let i = 0; i < 2; i++) a.mov(1, { reg: 0 }).alu('rsh', 1, 16).alu('and', 0, 0xffff).alu('add', 0, { reg: 1 });
  a.alu('xor', 0, 0xffff)
    .toBigEndian(0, 16)
    .store(2, 10, at + 10, { reg: 0 });
}

/** Puts the tag from the frame's metadata behind the Ethernet addresses at `eth`. */
function emitTag(a: Assembler, eth: number): void {
  a.load(2, 0, 10, eth + 12).store(2, 10, eth + 16, { reg: 0 });
  a.load(4, 0, 6, SKB.vlanProto).store(2, 10, eth + 12, { reg: 0 });
  a.load(4, 0, 6, SKB.vlanTci)
    .toBigEndian(0, 16)
    .store(2, 10, eth + 14, { reg: 0 });
}

/** Makes room behind the Ethernet header, and fills it with the outer header and an inner Ethernet header of `l2` bytes. */
function emitAdjust(a: Assembler, step: TunnelStep, l2: 14 | 18, lost: string): void {
  const size = step.size + l2;
  const flags = (step.isIpv6 ? F_ENCAP_IPV6 : F_ENCAP_IPV4) | (step.isUdp ? F_ENCAP_UDP : F_ENCAP_GRE) | F_ENCAP_ETHERNET;
  a.mov(1, { reg: 6 })
    .mov(2, size)
    .mov(3, ADJUST_AT_MAC)
    .loadConstant(4, flags | encapL2(BigInt(l2)));
  a.load(8, 5, 10, GSO_FLAG).alu('or', 4, { reg: 5 }).call(HELPER.adjustRoom).jump('ne', 0, 0, lost);
  storeOuter(a, step, ETHERNET, l2);
  // The new header begins as a copy of the old one; the kernel sends nothing to a neighbour that is addressed to many.
  const unicast = a.fresh('unicast');
  a.load(1, 0, 10, STACK.lookup + onStack(step))
    .alu('and', 0, 1)
    .jump('eq', 0, 0, unicast)
    .store(8, 10, STACK.header, 0);
  storeBytes(a, undefined, 0, STACK.header, 6);
  a.label(unicast);
}

/** Goes to `other` where the kernel cannot wrap the frame, whose Ethernet header is at `eth`. */
function emitTypeCheck(a: Assembler, eth: number, other: string): void {
  const [ipv6, wraps] = [a.fresh('type6'), a.fresh('wraps')];
  a.load(4, 0, 10, RESUMED).jump('set', 0, RESUME_KIND.tunnel, other);
  a.load(2, 0, 10, eth + 12)
    .toBigEndian(0, 16)
    .load(4, 1, 6, SKB.protocol)
    .toBigEndian(1, 16);
  a.jump('eq', 0, 0x86dd, ipv6).jump('ne', 0, 0x0800, other).label(ipv6);
  a.jump('eq', 1, 0x0800, wraps).jump('ne', 1, 0x86dd, other).label(wraps);
}

/** Makes room at the head. Before: the outer header and the frame's own 14 bytes at STACK.lookup. */
function emitGrow(a: Assembler, step: TunnelStep, lost: string): void {
  const eth = STACK.lookup + onStack(step);
  const [tagged, grown] = [a.fresh('grow'), a.fresh('grown')];
  const push = (): void => void a.mov(1, { reg: 6 }).mov(2, 0x0081).mov(3, 0).call(HELPER.vlanPush).jump('ne', 0, 0, lost);
  const pop = (): void => void a.mov(1, { reg: 6 }).call(HELPER.vlanPop).jump('ne', 0, 0, lost);
  const grow = (l2: number): void => {
    a.mov(1, { reg: 6 })
      .mov(2, step.size + l2)
      .mov(3, 0)
      .call(HELPER.changeHead)
      .jump('ne', 0, 0, lost);
    storeOuter(a, step, ETHERNET + TAG, l2);
  };
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, tagged);
  // A tag more than there shall be, in the frame or beside it, whichever way.
  push();
  push();
  grow(ETHERNET);
  a.goto(grown).label(tagged);
  emitTag(a, eth);
  push();
  grow(ETHERNET + TAG);
  a.label(grown);
  // The new Ethernet header, with a tag: TPID, TCI, and the type that the kernel shall know.
  const type = STACK.header;
  a.store(2, 10, type, 0x0081)
    .store(2, 10, type + 2, 0)
    .store(2, 10, type + 4, step.isIpv6 ? 0xdd86 : 0x0008);
  storeBytes(a, undefined, 12, type, 6);
  pop();
  pop();
}
