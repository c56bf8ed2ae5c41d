// Fragments of IP packets before they are tracked (RFC 791 section 3.2, RFC 8200 section 4.5): they are held until the packet is whole.
//
//   1. Fragments are the same packet's when addresses, identification, protocol (of IPv4), zone and recirc_id are equal.
//   2. One that overlaps another, that is too small though more follow, or for which there is no room, is refused: it is an invalid packet.
//   3. The last one missing makes the packet whole. It is tracked as one packet, and what was found out is then true of each fragment;
//      they go on as they came, by ascending offset, translated where the packet was.
//   4. A packet that is not whole in time is given up with all its fragments.
//
// Each fragment is kept in memory of its own size. How many there are at most is bounded, so memory is.
import { layoutL3 } from '../../../flow/extract.ts';
import { FRAG, type Key, W } from '../../../flow/key.ts';
import { HEADROOM, MAX_FRAME } from '../../../netdev/packet.ts';
import { fold, sumBytes } from '../../../wire/checksum.ts';
import type { TunnelKey } from '../../datapath.ts';
import type { Walk } from '../walk.ts';

/** A fragment that waits for the others, with what accompanies it. Offsets are bytes: `l3` and `dataAt` in the frame. */
export interface Fragment {
  bytes: Uint8Array;
  key: Key;
  l3: number;
  dataAt: number;
  /** The part of the packet's data that it carries. */
  from: number;
  to: number;
  hasMore: boolean;
  /** IPv6: where the fragment header stands, and where the number of what follows it does. 0 in IPv4. */
  headerAt: number;
  nextAt: number;
  tunnel: TunnelKey | undefined;
  trunc: number;
  recircs: number;
}

/** The fragments of one packet, by ascending offset. */
interface Held {
  what: Uint32Array;
  parts: Fragment[];
  endsMs: number;
  /** The packet would be longer than a packet can be. */
  hasFailed: boolean;
}

export interface FamilyStatus {
  isOn: boolean;
  /** Least size, with the IP header, of one that is not the last. */
  minSize: number;
  accepted: number;
  completed: number;
  expired: number;
  tooSmall: number;
  overlapped: number;
  purged: number;
}

/** What is told of a packet whose fragments are held. */
export interface HeldStatus {
  what: Uint32Array;
  count: number;
  state: string;
}

const LIFE_MS = 15_000;
const PURGE_MS = 10_000;
const MAX_PACKET = 65_535;
export const MOST_FRAGMENTS = 5000;
/** The least that `minSize` may be (ovs-vswitchd(8)). */
export const LEAST_SIZE = 400;

/** Words of what fragments of one packet have in common. */
export const F = { SRC: 0, DST: 4, ID: 8, RECIRC: 9, WHAT: 10, SIZE: 11 } as const;

const newFamily = (minSize: number): FamilyStatus => ({
  isOn: true,
  minSize,
  accepted: 0,
  completed: 0,
  expired: 0,
  tooSmall: 0,
  overlapped: 0,
  purged: 0,
});

export const isFragment = (key: Key): boolean => (key[W.TYPE]! & (FRAG.ANY << 8)) !== 0;

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const get32 = (b: Uint8Array, i: number): number => ((get16(b, i) << 16) | get16(b, i + 2)) >>> 0;
function put16(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 8;
  b[i + 1] = value;
}

function sumIpv4(b: Uint8Array, l3: number): void {
  put16(b, l3 + 10, 0);
  put16(b, l3 + 10, ~fold(sumBytes(b, l3, (b[l3]! & 15) * 4)) & 0xffff);
}

export class Fragments {
  readonly ipv4: FamilyStatus = newFamily(1200);
  readonly ipv6: FamilyStatus = newFamily(1280);
  most = 1000;
  count = 0;
  /** By a hash of what is common, in the order in which they end. Others of the same hash are refused. */
  readonly #held = new Map<number, Held>();
  readonly #basis: number;
  readonly #what = new Uint32Array(F.SIZE);

  constructor(basis: number) {
    this.#basis = basis;
  }

  /**
   * Takes a fragment in: `held` when it waits now, its packet's fragments when it was the last one missing, undefined when it is refused.
   * The walk's key and layout are those of the frame.
   */
  take(walk: Walk, zone: number, nowMs: number): readonly Fragment[] | 'held' | undefined {
    if (!this.ipv4.isOn && !this.ipv6.isOn) return undefined;
    const isIpv6 = walk.key[W.TYPE]! >>> 16 === 0x86dd;
    const family = isIpv6 ? this.ipv6 : this.ipv4;
    const part = isIpv6 ? this.#readIpv6(walk, zone) : this.#readIpv4(walk, zone);
    if (part === undefined) return undefined;
    if (part.hasMore && part.dataAt - part.l3 + part.to - part.from < family.minSize) {
      family.tooSmall++;
      return undefined;
    }
    if (!family.isOn || this.count >= this.most) return undefined;
    const held = this.#find(nowMs);
    if (held === undefined) return undefined;
    const { parts } = held;
    let place = parts.length;
    while (place > 0 && parts[place - 1]!.from > part.from) place--;
    if ((place > 0 && parts[place - 1]!.to > part.from) || (place < parts.length && parts[place]!.from < part.to)) {
      family.overlapped++;
      return undefined;
    }
    // Only what waits needs memory of its own.
    const { bytes, start, length } = walk.packet;
    part.bytes = bytes.slice(start, start + length);
    part.key = walk.key.slice();
    parts.splice(place, 0, part);
    this.count++;
    family.accepted++;
    if (!isWhole(parts)) return 'held';
    const [first] = parts;
    if (first!.dataAt - first!.l3 + parts.at(-1)!.to > MAX_PACKET) {
      held.hasFailed = true;
      return 'held';
    }
    this.#held.delete(this.#hash());
    this.count -= parts.length;
    family.completed += parts.length;
    return parts;
  }

  /** A packet comes to be tracked: what is over by now has expired. */
  expire(nowMs: number): void {
    if (this.count > 0) this.#giveUp(nowMs, 'expired');
  }

  /** While no packets come, what is over is purged in the end. */
  tick(nowMs: number): void {
    if (this.count > 0) this.#giveUp(nowMs - PURGE_MS, 'purged');
  }

  #giveUp(atMs: number, as: 'expired' | 'purged'): void {
    for (const [hash, { parts, endsMs, what }] of this.#held) {
      if (endsMs > atMs) return;
      this.#held.delete(hash);
      this.count -= parts.length;
      (what[F.WHAT]! >>> 31 === 1 ? this.ipv6 : this.ipv4)[as] += parts.length;
    }
  }

  /** The packets that are not whole yet. */
  *list(): Generator<HeldStatus> {
    for (const { what, parts, hasFailed } of this.#held.values()) {
      const hasFirst = parts[0]!.from === 0;
      const hasLast = !parts.at(-1)!.hasMore;
      const seen = hasFirst && hasLast ? 'first/last frag' : hasFirst ? 'first frag' : hasLast ? 'last frag' : 'other frag';
      yield { what: what.slice(), count: parts.length, state: hasFailed ? 'reassemble fail' : seen };
    }
  }

  #find(nowMs: number): Held | undefined {
    const hash = this.#hash();
    const known = this.#held.get(hash);
    if (known !== undefined) return known.what.every((word, i) => word === this.#what[i]) ? known : undefined;
    const held = { what: this.#what.slice(), parts: [], endsMs: nowMs + LIFE_MS, hasFailed: false };
    this.#held.set(hash, held);
    return held;
  }

  #hash(): number {
    let hash = this.#basis | 0;
    for (const word of this.#what) {
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  /** Notes what the fragment has in common with the others of its packet. */
  #note(key: Key, identification: number, zone: number, proto: number, isIpv6: boolean): void {
    const what = this.#what.fill(0);
    for (let i = 0; i < 8 && isIpv6; i++) what[i] = key[W.IPV6_SRC + i]!;
    if (!isIpv6) {
      what[F.SRC + 3] = key[W.NW_SRC]!;
      what[F.DST + 3] = key[W.NW_DST]!;
    }
    what[F.ID] = identification;
    what[F.RECIRC] = key[W.RECIRC_ID]!;
    what[F.WHAT] = ((isIpv6 ? 0x80000000 : 0) | (zone << 8) | proto) >>> 0;
  }

  #readIpv4(walk: Walk, zone: number): Fragment | undefined {
    const { packet, key } = walk;
    const { bytes, start } = packet;
    const l3 = layoutL3(walk.layout);
    const at = start + l3;
    const headerSize = (bytes[at]! & 15) * 4;
    if (fold(sumBytes(bytes, at, headerSize)) !== 0xffff) return undefined;
    const fragment = get16(bytes, at + 6);
    const size = get16(bytes, at + 2) - headerSize;
    if (size <= 0) return undefined;
    this.#note(key, get16(bytes, at + 4), zone, bytes[at + 9]!, false);
    return newFragment(walk, l3, l3 + headerSize, (fragment & 0x1fff) * 8, size, (fragment & 0x2000) !== 0);
  }

  #readIpv6(walk: Walk, zone: number): Fragment | undefined {
    const { packet, key } = walk;
    const { bytes, start } = packet;
    const l3 = layoutL3(walk.layout);
    const at = start + l3;
    const end = at + 40 + get16(bytes, at + 4);
    // The extraction has seen that these headers are there.
    let nextAt = at + 6;
    let header = at + 40;
    while (bytes[nextAt] !== 44) {
      if (header + 8 > end) return undefined;
      const size = bytes[nextAt] === 51 ? (bytes[header + 1]! + 2) * 4 : (bytes[header + 1]! + 1) * 8;
      nextAt = header;
      header += size;
    }
    const size = end - header - 8;
    if (size <= 0) return undefined;
    const fragment = get16(bytes, header + 2);
    this.#note(key, get32(bytes, header + 4), zone, 0, true);
    const part = newFragment(walk, l3, header + 8 - start, fragment & 0xfff8, size, (fragment & 1) !== 0);
    part.headerAt = header - start;
    part.nextAt = nextAt - start;
    return part;
  }
}

const NO_BYTES = new Uint8Array(0);
const NO_KEY = new Uint32Array(0);

const newFragment = (
  { tunnel, trunc, recircs }: Walk,
  l3: number,
  dataAt: number,
  from: number,
  size: number,
  hasMore: boolean,
): Fragment => ({
  bytes: NO_BYTES,
  key: NO_KEY,
  l3,
  dataAt,
  from,
  to: from + size,
  hasMore,
  headerAt: 0,
  nextAt: 0,
  tunnel,
  trunc,
  recircs,
});

function isWhole(parts: readonly Fragment[]): boolean {
  let to = 0;
  for (const part of parts) {
    if (part.from !== to) return false;
    to = part.to;
  }
  return !parts.at(-1)!.hasMore;
}

/** Makes one packet of its fragments. Layout and header words of the key are the caller's to read. */
export function assemble(parts: readonly Fragment[], walk: Walk): void {
  const { packet, key } = walk;
  const first = parts[0]!;
  const size = parts.at(-1)!.to;
  const headSize = first.headerAt === 0 ? first.dataAt : first.headerAt;
  packet.point(packet.bytes, packet.address, HEADROOM, Math.min(headSize + size, MAX_FRAME));
  const { bytes, start } = packet;
  bytes.set(first.bytes.subarray(0, headSize), start);
  for (const { bytes: data, dataAt, from, to } of parts) bytes.set(data.subarray(dataAt, dataAt + to - from), start + headSize + from);
  const l3 = start + first.l3;
  if (first.headerAt === 0) {
    put16(bytes, l3 + 2, headSize - first.l3 + size);
    put16(bytes, l3 + 6, get16(bytes, l3 + 6) & 0x4000);
    sumIpv4(bytes, l3);
  } else {
    put16(bytes, l3 + 4, headSize - first.l3 - 40 + size);
    bytes[start + first.nextAt] = first.bytes[first.headerAt]!;
  }
  key.set(first.key);
  walk.packetType = key[W.PACKET_TYPE]!;
}

/** What was found out of the whole packet is true of its fragments. `isTranslated`: addresses, ports and checksums may be others. */
export function adopt(parts: readonly Fragment[], { packet, key }: Walk, isTranslated: boolean): void {
  const first = parts[0]!;
  const headSize = first.headerAt === 0 ? first.dataAt : first.headerAt;
  for (const part of parts) {
    for (let w: number = W.CT_STATE; w <= W.CT_MARK; w++) part.key[w] = key[w]!;
    for (let w: number = W.CT_LABEL; w < W.TUN_ID; w++) part.key[w] = key[w]!;
    if (!isTranslated) continue;
    const { bytes, start } = packet;
    const [at, size] = part.headerAt === 0 ? [12, 8] : [8, 32];
    for (let i = 0; i < size; i++) part.bytes[part.l3 + at + i] = bytes[start + first.l3 + at + i]!;
    if (part.headerAt === 0) sumIpv4(part.bytes, part.l3);
    const data = start + headSize + part.from;
    part.bytes.set(bytes.subarray(data, data + part.to - part.from), part.dataAt);
  }
}

/** Makes a walk of a fragment that goes on; the packet's memory is the walk's own. */
export function resume(part: Fragment, walk: Walk): void {
  const { packet } = walk;
  packet.point(packet.bytes, packet.address, HEADROOM, part.bytes.length);
  packet.bytes.set(part.bytes, packet.start);
  walk.key.set(part.key);
  walk.tunnel = part.tunnel;
  walk.trunc = part.trunc;
  walk.recircs = part.recircs;
  walk.packetType = part.key[W.PACKET_TYPE]!;
  walk.isStale = true;
}
