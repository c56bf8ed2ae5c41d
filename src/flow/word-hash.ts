// A hash of masked words for tables whose keys peers choose: its seed is new in each process, so that nobody can prepare keys that meet in one place.
const SEED = crypto.getRandomValues(new Int32Array(1))[0]!;

/** A hash of words, a small integer. */
export function hashWords(words: Int32Array | Uint32Array): number {
  let hash = SEED;
  for (let i = 0; i < words.length; i++) {
    hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash;
}

/** Whether two runs of words are the same. */
export function sameWords(a: Int32Array | Uint32Array, b: Int32Array | Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
