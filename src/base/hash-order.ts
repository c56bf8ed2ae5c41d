// The order in which Open vSwitch comes by the members of its chained hash tables. Ports of a bridge that come in one transaction are taken up
// in that of their names: those that ask for no number get theirs in it, and dummy devices their addresses. Replies about all ports list them
// in that of their numbers. Scripts and tests see both.
import { hashBytes, hashTwo } from './murmur-hash.ts';

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

/**
 * Members in the order of a chained hash table that they were put into in the order given: each goes to the head of its chain. `isCopied`: and then
 * into another of the same size, in the order of the first.
 */
function chainOrder<T>(members: Iterable<T>, hashOf: (member: T) => number, isCopied = false): T[] {
  let mask = 0;
  let buckets: T[][] = [[]];
  let count = 0;
  const put = (member: T): void => void buckets[hashOf(member) & mask]!.unshift(member);
  for (const member of members) {
    put(member);
    count++;
    if (count >> 1 <= mask) continue;
    mask = bucketMask(count);
    const before = buckets.flat();
    buckets = Array.from({ length: mask + 1 }, () => []);
    for (const one of before) put(one);
  }
  return (isCopied ? buckets.map((chain) => chain.toReversed()) : buckets).flat();
}

/** Names in the order of a table over them. */
export const hashOrder = (names: readonly string[]): string[] => chainOrder(names, hashName);

/** Names in the order of a table that they were copied into from one over them. */
export const copiedOrder = (names: readonly string[]): string[] => chainOrder(names, hashName, true);

/** Members in the order of a table over their numbers. */
export const numberOrder = <T>(members: Iterable<T>, numberOf: (member: T) => number): T[] =>
  chainOrder(members, (member) => hashTwo(numberOf(member), 0));

/** Members that have a port number in the order of a table over those. */
export const portOrder = <T extends { port: number }>(members: Iterable<T>): T[] => numberOrder(members, ({ port }) => port);

/** UUIDs of rows in the order of a table over their first words. */
export const uuidOrder = (uuids: Iterable<string>): string[] => chainOrder(uuids, (uuid) => Number.parseInt(uuid.slice(0, 8), 16));

/** UUIDs of rows that come as one JSON object, in the order of a client's table of them, put in as the object has them. */
export const rowOrder = (uuids: readonly string[], later: readonly string[] = []): string[] => uuidOrder([...hashOrder(uuids), ...later]);
