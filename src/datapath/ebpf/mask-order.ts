// Which mask makes room for another, in which order a program looks its masks up, and when another order is worth the time that a new program takes, in which no new flow gets
// on: a frame whose flow was seen before is led to its mask by a hint, so that only the others pay for the masks before theirs.

/** Frames in an interval from which on it matters at all. */
const LEAST_FRAMES = 1000;
/** How much longer the way to the masks has to be than it need be. */
const FACTOR = 1.5;

/** Whether masks with so many frames each, in the order of the running program, had better stand in another. */
export function isWorthReordering(frames: readonly number[]): boolean {
  let total = 0;
  for (const count of frames) total += count;
  if (total < LEAST_FRAMES) return false;
  return steps(frames) > FACTOR * steps([...frames].sort((a, b) => b - a));
}

/** Lookups of all frames together. */
function steps(frames: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < frames.length; i++) sum += frames[i]! * (i + 1);
  return sum;
}

/** What is known of a mask's use. */
export interface MaskUse {
  /** Frames in the last interval, and up to its end. */
  readonly hits: number;
  readonly hitsBefore: number;
  /** When it was made, or was last seen to be in use by `idleMask`. */
  busyMs: number;
}

/**
 * The least used of masks that carry nothing lately, if there is one. `count` gives the frames that a mask has carried, which takes as long as
 * it has flows: so one that turns out to be in use is not asked again for `idleMs`, however many masks want room meanwhile.
 */
export function idleMask<M extends MaskUse>(masks: Iterable<M>, nowMs: number, idleMs: number, count: (mask: M) => number): M | undefined {
  const rested = [...masks].filter((mask) => nowMs - mask.busyMs >= idleMs).sort((a, b) => a.hits - b.hits);
  for (const mask of rested) {
    if (count(mask) === mask.hitsBefore) return mask;
    mask.busyMs = nowMs;
  }
  return undefined;
}
