// Which of a bond's 256 buckets a source address in a VLAN falls into, as `ovs-appctl bond/hash` tells it.
import { hashAdd, hashFinish } from '../base/murmur-hash.ts';

/** `mac` as its upper 32 and lower 16 bits. */
export function bondHash(mac: readonly [number, number], vlan: number, basis: number): number {
  const low = (((mac[0] & 0xffff) << 16) | mac[1]) >>> 0;
  const high = ((vlan << 16) | (mac[0] >>> 16)) >>> 0;
  return hashFinish(hashAdd(hashAdd(basis, low), high), 8) & 0xff;
}
