// In which order a program looks its masks up, and when another order is worth the time that a new program takes, in which no new flow gets
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
