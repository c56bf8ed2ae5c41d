// Hints: which flow carried a frame with this signature last. The record that a hint names is compared with the frame word for word, so a hint
// costs a wrong guess at worst and can never give a stale answer. Where none is right the masks are looked up, and what they find becomes a
// hint. A record in one cache line and sets of hints in half a line: a frame of an established flow takes two lines from memory.
//
//   1. The signature: the sum of the words that tell flows apart, each times a constant of its own, stirred. Only bits that some mask asks
//      about are taken, so that under one mask there is one signature for each flow.
//   2. One half of it says which set; the other half stands beside the record's place.
//   3. The record's mask says which words are compared. A key too long for records is looked up in its mask's map at once.
//   4. A new hint takes a free place of its set or, where there is none, any: hints of flows that are no more go in the end.
//
// While hints and masks are looked at r9 holds the half of 2 above RECORD_BITS, and below it HINTED while 3 goes through a map.
import type { Assembler } from '../../../bpf/instructions.ts';
import { W } from '../../../flow/key.ts';
import { isCtMore } from './ct-program.ts';
import { HELPER, isOption, keyAt, STACK, swap32 } from './frame-context.ts';
import { FLOW_RECORD, HINT_SET_BITS, HINTS_PER_SET, PAIR_WORDS, RECORD_BITS, RECORD_WORDS } from './map-layout.ts';
import type { MaskSpec } from './program.ts';

/** Words that tell flows apart most come first. */
const FIRST_WORDS: readonly number[] = [
  W.IN_PORT,
  W.ETH,
  W.ETH + 1,
  W.ETH + 2,
  W.TYPE,
  W.VLAN0,
  W.NW_SRC,
  W.NW_DST,
  W.TP,
  W.IPV6_SRC + 3,
  W.IPV6_DST + 3,
  W.RECIRC_ID,
  W.CT_STATE,
  W.TUN_ID + 1,
];
/** A signature is made from no more. */
const MOST_WORDS = 16;
const STIR = 0x9e3779b1;

const HINTED = 1;
/** Where the address of the frame's set is kept. */
const SET_PLACE = STACK.scratch + 16;
const RECORD_MASK = (1 << RECORD_BITS) - 1;

/** Words that do not lie on the stack with the others. */
const isApart = (word: number): boolean => isCtMore(word) || isOption(word);

/** Whether records hold the keys of a mask. */
export const isInRecord = ({ number, words }: MaskSpec): boolean =>
  number !== undefined && words.length <= PAIR_WORDS && !words.some(isApart);

/** Whether hints gain anything. */
export const hasHints = (masks: readonly MaskSpec[]): boolean => masks.length > 1 || masks.some(isInRecord);

export const maskLabel = (mask: number): string => `mask${mask}`;

/** The words of a signature with the bits that count. */
function signatureWords(masks: readonly MaskSpec[]): [number, number][] {
  const bits = new Map<number, number>();
  for (const mask of masks) for (const [i, word] of mask.words.entries()) bits.set(word, (bits.get(word) ?? 0) | mask.masks[i]!);
  const words = [...bits.keys()].filter((word) => !isApart(word)).sort((a, b) => a - b);
  const rank = (word: number): number => (FIRST_WORDS.includes(word) ? FIRST_WORDS.indexOf(word) : FIRST_WORDS.length + word);
  return words
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MOST_WORDS)
    .map((word) => [word, bits.get(word)!]);
}

/** Goes to `hit` with r0 = the record of the frame's flow, to the label of a mask, or falls through to `scan`. */
export function emitHint(a: Assembler, masks: readonly MaskSpec[]): void {
  // 1.
  a.mov(0, 0);
  for (const [i, [word, bits]] of signatureWords(masks).entries()) {
    a.load(4, 1, 10, keyAt(word));
    if (bits >>> 0 !== 0xffffffff) a.alu32('and', 1, swap32(bits));
    // Any odd number that differs from the others in all its bits; positive, because it is sign-extended.
    a.alu('mul', 1, (Math.imul(STIR, 2 * i + 1) & 0x7fffffff) | 1).alu('add', 0, { reg: 1 });
  }
  a.mov(1, { reg: 0 })
    .alu('rsh', 1, 32)
    .alu('xor', 0, { reg: 1 })
    .alu('mul', 0, STIR & 0x7fffffff);
  a.mov(1, { reg: 0 })
    .alu('rsh', 1, 29)
    .alu('xor', 0, { reg: 1 })
    .alu('mul', 0, (STIR >>> 1) | 1);
  // 2.
  a.mov(9, { reg: 0 }).alu('rsh', 9, 32).alu32('lsh', 9, RECORD_BITS);
  a.alu32('rsh', 0, 32 - HINT_SET_BITS).alu32('lsh', 0, Math.log2(HINTS_PER_SET * 4));
  a.loadMapValue(2, 'hints', 0).alu('add', 2, { reg: 0 }).store(8, 10, SET_PLACE, { reg: 2 });
  for (let i = 0; i < HINTS_PER_SET; i++) {
    a.load(4, 1, 2, i * 4)
      .alu32('xor', 1, { reg: 9 })
      .jump('le', 1, RECORD_MASK, 'hinted');
  }
  a.goto('scan');
  // 3.
  a.label('hinted').store(4, 10, STACK.scratch, { reg: 1 });
  emitRecord(a, 'scan');
  // What else is read of the record is read after its mask, on processors too that keep reads in order only where one needs the other.
  a.load(2, 1, 0, FLOW_RECORD.mask).mov(2, { reg: 1 }).alu('and', 2, 0).alu('add', 0, { reg: 2 });
  const numbered = masks.map((mask, i) => ({ mask, i })).filter(({ mask }) => mask.number !== undefined);
  numbered.sort((x, y) => x.mask.number! - y.mask.number!);
  emitChoice(
    a,
    numbered.map(({ mask, i }) => [mask.number!, `record${i}`]),
  );
  for (const { mask, i } of numbered) {
    a.label(`record${i}`);
    if (isInRecord(mask)) {
      emitCompare(a, mask);
      a.goto('hit');
    } else {
      a.alu('or', 9, HINTED).goto(maskLabel(i));
    }
  }
  a.label('scan').alu32('and', 9, ~HINTED);
}

/** Goes to `scan` where the frame's key is not that of the record r0, whose mask's number is r1. Changes all but r0. */
function emitCompare(a: Assembler, { words, masks }: MaskSpec): void {
  const { header, scratch } = STACK;
  if (words.length > RECORD_WORDS) {
    // Its second half; read after the mask as well.
    a.store(8, 10, header, { reg: 0 }).load(4, 2, 10, scratch).alu('or', 2, 1).alu('and', 1, 0).alu('add', 2, { reg: 1 });
    a.store(4, 10, scratch, { reg: 2 });
    emitRecord(a, 'scan');
    a.mov(3, { reg: 0 }).load(8, 0, 10, header);
  }
  for (const [i, word] of words.entries()) {
    a.load(4, 1, 10, keyAt(word));
    if (masks[i]! >>> 0 !== 0xffffffff) a.alu32('and', 1, swap32(masks[i]!));
    if (i < RECORD_WORDS) a.load(4, 2, 0, FLOW_RECORD.key + i * 4);
    else a.load(4, 2, 3, (i - RECORD_WORDS) * 4);
    a.jump('ne', 1, { reg: 2 }, 'scan');
  }
}

/** Jumps by halves to the label of r1's number, to `scan` where there is none. */
function emitChoice(a: Assembler, labels: readonly [number, string][]): void {
  if (labels.length < 2) {
    if (labels.length === 1) a.jump('eq', 1, labels[0]![0], labels[0]![1]);
    a.goto('scan');
    return;
  }
  const middle = labels.length >> 1;
  const upper = a.fresh('upper');
  a.jump('ge', 1, labels[middle]![0], upper);
  emitChoice(a, labels.slice(0, middle));
  a.label(upper);
  emitChoice(a, labels.slice(middle));
}

/** r0 = the record whose place stands at STACK.scratch. */
export function emitRecord(a: Assembler, none: string): void {
  a.loadMap(1, 'records').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, none);
}

/** A mask that a hint led to has no such flow: to all masks. */
export const emitMissed = (a: Assembler): void => void a.jump('set', 9, HINTED, 'scan');

/** Makes a hint of the record whose place stands at STACK.scratch, unless a hint led there. Changes r0 to r5. */
export function emitNewHint(a: Assembler): void {
  const done = a.fresh('hint');
  a.jump('set', 9, HINTED, done);
  a.load(4, 3, 10, STACK.scratch).alu32('or', 3, { reg: 9 }).load(8, 2, 10, SET_PLACE);
  for (let i = 0; i < HINTS_PER_SET; i++) {
    const taken = a.fresh('taken');
    a.load(4, 1, 2, i * 4)
      .jump('ne', 1, 0, taken)
      .store(4, 2, i * 4, { reg: 3 })
      .goto(done)
      .label(taken);
  }
  a.call(HELPER.random)
    .alu32('and', 0, HINTS_PER_SET - 1)
    .alu('lsh', 0, 2);
  a.load(4, 3, 10, STACK.scratch).alu32('or', 3, { reg: 9 }).load(8, 2, 10, SET_PLACE).alu('add', 2, { reg: 0 }).store(4, 2, 0, { reg: 3 });
  a.label(done);
}
