// MurmurHash3 over words, as Open vSwitch uses it on a little-endian machine: for its chained hash tables, and to choose among links.

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** One word into a MurmurHash3 state. */
export function hashAdd(hash: number, word: number): number {
  let data = Math.imul(word, 0xcc9e2d51);
  data = rotate(data, 15);
  data = Math.imul(data, 0x1b873593);
  const mixed = rotate(hash ^ data, 13);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

/** The end of a MurmurHash3. */
export function hashFinish(state: number, final: number): number {
  let hash = state ^ final;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}

/** Two words hashed. */
export const hashTwo = (x: number, y: number): number => hashFinish(hashAdd(hashAdd(x, 0), y), 8);

/** Bytes hashed, given as a little-endian machine reads them in words, the last one filled up with zeros. */
export function hashBytes(words: readonly number[], size: number, basis: number): number {
  let hash = basis;
  for (const word of words) hash = hashAdd(hash, word);
  return hashFinish(hash, size);
}
