// A mask in the kernel with its flows, as the control plane keeps them.
import { isInRecord } from './compiler/hint-program.ts';
import { RECORD_WORDS } from './compiler/map-layout.ts';
import type { MaskSpec } from './compiler/program.ts';
import { KeySlab } from './key-slab.ts';
import type { MaskUse } from './mask-order.ts';

const MOST_NUMBER = 0xffff;

/** A mask. */
export interface Mask extends MaskSpec, MaskUse {
  name: string;
  number: number;
  /** Whether the keys stand in the flows' records too. */
  isInRecord: boolean;
  /** Whether each takes two. */
  hasPairs: boolean;
  fd: number;
  /** The slots of those that the kernel carries. */
  flows: number[];
  /** The mask of those for which its map has no room, made before it is full. */
  more: Mask | undefined;
  /** Of its flows, those that user space has among them. */
  keys: KeySlab;
  hits: number;
  hitsBefore: number;
}

/** A mask without flows. `fd`: its map. */
export const newMask = (name: string, spec: MaskSpec & { number: number }, fd: number): Mask => ({
  ...spec,
  name,
  isInRecord: isInRecord(spec),
  hasPairs: isInRecord(spec) && spec.words.length > RECORD_WORDS,
  fd,
  flows: [],
  more: undefined,
  keys: new KeySlab(spec.words.length * 4),
  hits: 0,
  hitsBefore: 0,
  busyMs: performance.now(),
});

/** The name of the mask of those for which another's map has no room. */
export const moreName = (name: string): string => `${name}+`;

/** A number that none of these masks has: those there are, and those that the running program knows. */
export function nextMaskNumber(last: number, masks: readonly Mask[]): number {
  const used = new Set(masks.map(({ number }) => number));
  let next = last;
  do next = (next % MOST_NUMBER) + 1;
  while (used.has(next));
  return next;
}
