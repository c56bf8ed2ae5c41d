// Instructions for connection tracking: packets of connections that the tracker has put into `connections` are carried on here, everything
// else is its business (see `userspace/conntrack/mirror.ts`).
//
//   1. Before any step of the list runs, the connection is looked up. Only what changes nothing about it is taken: UDP, echoes, and TCP
//      segments that acknowledge without SYN, FIN or RST; no fragments.
//   2. The first packet of a direction waits, as it were, for those that its port sent to user space before: it follows them there.
//   3. At the step's place the key gets state, zone and mark, and with `nat` the packet its other addresses and ports.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { CT_VALUE, IS_REPLY } from '../../userspace/conntrack/mirror.ts';
import type { ShapeStep } from './action-shape.ts';
import { patchesOf } from './field-patch.ts';
import { HELPER, keyAt, loadBytes, loadZero, STACK } from './frame-context.ts';
import { ACTIONS_VALUE, LEVELS, MORE_SHIFT, PENDING_VALUE, RESUME_VALUE } from './map-layout.ts';
import { emitPatch } from './patch-program.ts';

type CtStep = Extract<ShapeStep, { op: 'ct' }>;

/** Words of the key that a ct step reads. */
export const CT_READS: readonly number[] = [W.NW_SRC, W.NW_DST, W.TP, W.TOS, ...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i)];
/** Words that it writes. */
export const CT_WORDS = [W.CT_STATE, W.CT_ZONE, W.CT_MARK] as const;

/** Words that have no place on the stack: the connection's label and the tuple of its first packet. They lie in `resume`. */
export const CT_MORE: readonly number[] = Array.from({ length: W.TUN_ID - W.CT_LABEL }, (_, i) => W.CT_LABEL + i);
export const isCtMore = (word: number): boolean => word >= W.CT_LABEL && word < W.TUN_ID;

const { scratch } = STACK;
const KEY = STACK.lookup;
/** Address of the connection's entry. */
const ENTRY = STACK.lookup + 48;
/** FIN, SYN, RST and ACK; of them only the last may be set. */
const SPECIAL_FLAGS = 0x17;
const ACK = 0x10;
/** SNAT and DNAT, in the last byte of ct_state. */
const NAT_BITS = 0xc0;
/** When order is given up. */
const MOST_NS = 300_000_000;
const ALL = 0xffffffff;

/** r0 = the place of CT_MORE at this level, r4 = `resume`. Goes to `lost` where there is none. */
export function emitMorePlace(a: Assembler, lost: string): void {
  a.store(4, 10, scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, lost);
  a.mov(4, { reg: 0 })
    .load(4, 1, 0, RESUME_VALUE.level)
    .alu('and', 1, LEVELS - 1)
    .alu('lsh', 1, MORE_SHIFT)
    .alu('add', 0, RESUME_VALUE.more)
    .alu('add', 0, { reg: 1 });
}

/** Clears CT_MORE at r0. */
export const emitClearMore = (a: Assembler): void => {
  for (const i of CT_MORE.keys()) a.store(4, 0, i * 4, 0);
};

/** Step 1 and 2. Goes to `absent`, with nothing done, when the packet is the tracker's. */
export function emitCtFind(a: Assembler, step: CtStep, absent: string): void {
  const at = ACTIONS_VALUE.params + step.at;
  emitTuple(a, at, absent);
  const [untranslated, used] = [a.fresh('untranslated'), a.fresh('used')];
  // What was translated in this zone already is found by another tuple than its own.
  a.load(1, 0, 10, keyAt(W.CT_STATE) + 3)
    .alu('and', 0, NAT_BITS)
    .jump('eq', 0, 0, untranslated);
  a.load(2, 0, 10, keyAt(W.CT_ZONE)).load(2, 1, 9, at).jump('eq', 0, { reg: 1 }, absent).label(untranslated);
  a.loadMap(1, 'connections').mov(2, { reg: 10 }).alu('add', 2, KEY).call(HELPER.mapLookup).jump('eq', 0, 0, absent);
  a.store(8, 10, ENTRY, { reg: 0 });
  if (step.force) a.load(4, 1, 0, CT_VALUE.flags).jump('set', 1, IS_REPLY, absent);
  if (step.checksMark) {
    a.load(4, 1, 0, CT_VALUE.mark)
      .load(4, 2, 9, at + 4)
      .alu32('xor', 1, { reg: 2 });
    a.load(4, 2, 9, at + 8)
      .alu32('and', 1, { reg: 2 })
      .jump('ne', 1, 0, absent);
  }
  for (const [i, word] of step.checksLabel.entries()) {
    const param = at + (step.checksMark ? 12 : 4) + i * 8;
    a.load(4, 1, 0, CT_VALUE.more + word * 4)
      .load(4, 2, 9, param)
      .alu32('xor', 1, { reg: 2 });
    a.load(4, 2, 9, param + 4)
      .alu32('and', 1, { reg: 2 })
      .jump('ne', 1, 0, absent);
  }
  a.load(8, 1, 0, CT_VALUE.used).jump('ne', 1, 0, used);
  a.load(4, 1, 10, keyAt(W.IN_PORT)).toBigEndian(1, 32).store(4, 10, scratch, { reg: 1 });
  a.loadMap(1, 'pending').mov(2, { reg: 10 }).alu('add', 2, scratch).call(HELPER.mapLookup).jump('eq', 0, 0, used);
  a.load(4, 1, 0, PENDING_VALUE.put).load(4, 2, 0, PENDING_VALUE.done).jump('eq', 1, { reg: 2 }, used);
  a.call(HELPER.ktimeCoarseNs).load(8, 1, 10, ENTRY).load(8, 1, 1, CT_VALUE.since).alu('sub', 0, { reg: 1 });
  a.jump('slt', 0, MOST_NS, absent).label(used);
}

/** The packet's tuple at KEY, as `userspace/conntrack/tuple.ts` has it. `at`: where r9 points to the zone. */
function emitTuple(a: Assembler, at: number, absent: string): void {
  const [ipv4, family, known, icmp, done] = [a.fresh('tuple4'), a.fresh('family'), a.fresh('protocol'), a.fresh('echo'), a.fresh('tuple')];
  a.jump('eq', 8, 0, absent)
    .load(1, 0, 10, keyAt(W.TYPE) + 2)
    .jump('ne', 0, 0, absent);
  a.load(2, 1, 10, keyAt(W.TYPE)).toBigEndian(1, 16).mov(3, { reg: 1 });
  loadZero(a, 0);
  a.jump('eq', 3, 0x0800, ipv4).jump('ne', 3, 0x86dd, absent);
  for (let i = 0; i < 8; i++) a.load(4, 0, 10, keyAt(W.IPV6_SRC + i)).store(4, 10, KEY + i * 4, { reg: 0 });
  a.mov(2, 6).goto(family).label(ipv4);
  for (const word of [0, 1, 2, 4, 5, 6]) a.store(4, 10, KEY + word * 4, { reg: 0 });
  a.load(4, 0, 10, keyAt(W.NW_SRC)).store(4, 10, KEY + 12, { reg: 0 });
  a.load(4, 0, 10, keyAt(W.NW_DST)).store(4, 10, KEY + 28, { reg: 0 });
  a.mov(2, 4).label(family);
  a.load(4, 0, 9, at)
    .store(4, 10, KEY + 36, { reg: 0 })
    .store(1, 10, KEY + 38, { reg: 2 });
  a.load(1, 1, 10, keyAt(W.TYPE) + 3)
    .store(1, 10, KEY + 39, { reg: 1 })
    .jump('eq', 1, 17, known)
    .jump('eq', 1, 1, icmp)
    .jump('eq', 1, 58, icmp)
    .jump('ne', 1, 6, absent);
  a.load(1, 0, 10, keyAt(W.TOS) + 3)
    .alu('and', 0, SPECIAL_FLAGS)
    .jump('ne', 0, ACK, absent)
    .label(known);
  a.load(4, 0, 10, keyAt(W.TP))
    .store(4, 10, KEY + 32, { reg: 0 })
    .goto(done)
    .label(icmp);
  emitEcho(a, absent);
  a.label(done);
}

/** Identifier, type and code stand in the place of ports. Only echoes. */
function emitEcho(a: Assembler, absent: string): void {
  const [ipv6, echo] = [a.fresh('echo6'), a.fresh('isecho')];
  a.load(1, 0, 10, keyAt(W.TP) + 1)
    .load(1, 1, 10, KEY + 38)
    .jump('eq', 1, 6, ipv6);
  a.jump('eq', 0, 8, echo).jump('ne', 0, 0, absent).goto(echo).label(ipv6).jump('eq', 0, 128, echo).jump('ne', 0, 129, absent).label(echo);
  a.store(1, 10, KEY + 34, { reg: 0 })
    .load(1, 0, 10, keyAt(W.TP) + 3)
    .store(1, 10, KEY + 35, { reg: 0 });
  loadBytes(a, 8, 4, KEY + 32, 2, absent);
}

/** Step 3. `tracksMore`: CT_MORE is asked for. */
export function emitCt(a: Assembler, step: CtStep, tracksMore: boolean): void {
  if (tracksMore) {
    const none = a.fresh('nomore');
    emitMorePlace(a, none);
    a.load(8, 3, 10, ENTRY);
    for (const i of CT_MORE.keys()) a.load(4, 1, 3, CT_VALUE.more + i * 4).store(4, 0, i * 4, { reg: 1 });
    a.label(none);
  }
  a.call(HELPER.ktimeCoarseNs).load(8, 3, 10, ENTRY).store(8, 3, CT_VALUE.used, { reg: 0 });
  a.load(4, 0, 3, CT_VALUE.mark).store(4, 10, keyAt(W.CT_MARK), { reg: 0 });
  a.load(2, 0, 9, ACTIONS_VALUE.params + step.at).store(2, 10, keyAt(W.CT_ZONE), { reg: 0 });
  a.load(1, 0, 10, keyAt(W.TYPE) + 3)
    .store(1, 10, keyAt(W.CT_ZONE) + 2, { reg: 0 })
    .store(1, 10, keyAt(W.CT_ZONE) + 3, 0);
  a.load(4, 0, 3, CT_VALUE.state);
  if (step.nat) a.load(4, 1, 3, CT_VALUE.translated).alu('or', 0, { reg: 1 });
  a.store(4, 10, keyAt(W.CT_STATE), { reg: 0 });
  if (step.nat) emitTranslation(a);
}

/** Before: r1 = what is translated, in ct_state's bits. */
function emitTranslation(a: Assembler): void {
  const [same, ports, ipv6, udp] = [a.fresh('same'), a.fresh('ports'), a.fresh('nat6'), a.fresh('udp')];
  a.jump('eq', 1, 0, same).load(2, 0, 10, keyAt(W.TYPE)).toBigEndian(0, 16).jump('eq', 0, 0x86dd, ipv6);
  emitWord(a, 'ipv4', W.NW_SRC, 3);
  emitWord(a, 'ipv4', W.NW_DST, 7);
  a.goto(ports).label(ipv6);
  for (let i = 0; i < 8; i++) emitWord(a, 'ipv6', W.IPV6_SRC + i, i);
  a.label(ports)
    .load(1, 0, 10, keyAt(W.TYPE) + 3)
    .jump('eq', 0, 17, udp)
    .jump('ne', 0, 6, same);
  emitWord(a, 'tcp', W.TP, 8);
  a.goto(same).label(udp);
  emitWord(a, 'udp', W.TP, 8);
  a.label(same);
}

function emitWord(a: Assembler, group: 'ipv4' | 'ipv6' | 'tcp' | 'udp', word: number, target: number): void {
  for (const patch of patchesOf(group, Uint32Array.of(word, 0, ALL))!.patches) {
    emitPatch(a, patch, () => void a.load(8, 3, 10, ENTRY).load(4, 3, 3, CT_VALUE.target + target * 4));
  }
}

/** The packet counts as not tracked any more. */
export function emitCtClear(a: Assembler, tracksMore: boolean): void {
  if (tracksMore) {
    const none = a.fresh('nomore');
    emitMorePlace(a, none);
    emitClearMore(a);
    a.label(none);
  }
  for (const word of CT_WORDS) a.store(4, 10, keyAt(word), 0);
}
