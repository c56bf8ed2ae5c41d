import { type Key, W } from '../../flow/key.ts';

/** Symmetric in nothing, never 0: the hash of addresses, protocol and ports for load balancing. */
export function flowHash(key: Key, basis: number): number {
  let hash = basis | 0;
  const add = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 13;
  };
  add(key[W.NW_SRC]!);
  add(key[W.NW_DST]!);
  for (let i = 0; i < 8; i++) add(key[W.IPV6_SRC + i]!);
  add(key[W.TYPE]! & 0xff);
  add(key[W.TP]!);
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0 || 1;
}
