// The order in which Open vSwitch takes up the ports of a bridge that come in one transaction: that of a hash table over their names. Ports
// that ask for no number get theirs in this order, and dummy devices their addresses, so scripts and tests see it.
import { hashBytes } from '../../flow/hash.ts';

/** The 32-bit hash of a name. */
export function hashName(name: string): number {
  const bytes = new TextEncoder().encode(name);
  const words = new Int32Array((bytes.length + 3) >> 2);
  for (let i = 0; i < bytes.length; i++) words[i >> 2] = words[i >> 2]! | (bytes[i]! << (8 * (i & 3)));
  return hashBytes([...words], bytes.length, 0);
}

/** The last bucket's number in a table that grew at `count` members: a power of two less one, at least half of them. */
function bucketMask(count: number): number {
  let mask = count >> 1;
  for (const by of [1, 2, 4, 8, 16]) mask |= mask >> by;
  return mask === 0 ? 0 : mask | 3;
}

/** Members in the order of a chained hash table that they were put into in the order given: each goes to the head of its chain. */
export function hashOrder(names: readonly string[]): string[] {
  let mask = 0;
  let buckets: string[][] = [[]];
  let count = 0;
  const put = (name: string): void => void buckets[hashName(name) & mask]!.unshift(name);
  for (const name of names) {
    put(name);
    count++;
    if (count >> 1 <= mask) continue;
    mask = bucketMask(count);
    const before = buckets.flat();
    buckets = Array.from({ length: mask + 1 }, () => []);
    for (const one of before) put(one);
  }
  return buckets.flat();
}
