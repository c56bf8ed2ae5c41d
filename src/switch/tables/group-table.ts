// The groups of a bridge and what group mods do to them.
//
// 1. A batch works on a copy that `commit` makes current at once and `rollback` forgets, together with the flow tables' versions.
// 2. A group is never changed: a modification puts another in its place. Traffic that still knows the old one only pushes its counters.
// 3. Groups may name groups that do not exist, themselves even: translation finds out, as in the reference.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import {
  BUCKET,
  type GroupBucket,
  type GroupDesc,
  type GroupMod,
  type GroupSelection,
  type GroupStats,
  type GroupType,
  OFPG,
} from '../../openflow/group.ts';

/** Hash values that the buckets of a select group share out, at least and at most. */
const MIN_SLOTS = 16;
const MAX_SLOTS = 256;
const MAX_GROUPS = 1 << 20;

export interface BucketStats {
  packets: number;
  bytes: number;
}

/** The hash of the datapath that chooses a bucket, and which bucket each of its values means. */
export interface DpHash {
  algorithm: number;
  basis: number;
  /** A power of two long. */
  slots: Uint16Array;
}

export class Group {
  readonly group: number;
  readonly type: GroupType;
  readonly buckets: readonly GroupBucket[];
  readonly selection: GroupSelection;
  readonly createdMs: number;
  /** Undefined where the switch hashes itself. */
  readonly dpHash: DpHash | undefined;
  readonly stats: BucketStats = { packets: 0, bytes: 0 };
  readonly bucketStats: readonly BucketStats[];

  constructor(desc: GroupDesc, createdMs: number, bucketStats?: readonly BucketStats[]) {
    this.group = desc.group;
    this.type = desc.type;
    this.buckets = desc.buckets;
    this.selection = desc.selection;
    this.createdMs = createdMs;
    this.bucketStats = bucketStats ?? desc.buckets.map(() => ({ packets: 0, bytes: 0 }));
    this.dpHash = desc.type === 'select' ? dpHashOf(desc.selection, desc.buckets) : undefined;
  }

  /** Counts frames: for one bucket, or for all of them. */
  count(bucket: number | undefined, packets: number, bytes: number): void {
    const { stats, bucketStats } = this;
    stats.packets += packets;
    stats.bytes += bytes;
    for (const [i, one] of bucketStats.entries()) {
      if (bucket !== undefined && i !== bucket) continue;
      one.packets += packets;
      one.bytes += bytes;
    }
  }

  describe(): GroupDesc {
    return { group: this.group, type: this.type, buckets: [...this.buckets], selection: this.selection };
  }

  describeStats(nowMs: number, refCount: number): GroupStats {
    const age = Math.max(0, nowMs - this.createdMs);
    return {
      group: this.group,
      refCount,
      packetCount: BigInt(this.stats.packets),
      byteCount: BigInt(this.stats.bytes),
      durationSec: Math.floor(age / 1000),
      durationNsec: Math.floor(age % 1000) * 1_000_000,
      buckets: this.bucketStats.map(({ packets, bytes }) => ({ packetCount: BigInt(packets), byteCount: BigInt(bytes) })),
    };
  }
}

/** The default since Open vSwitch 2.10 is the datapath's hash, symmetric, if it can say the weights (ovs-ofctl(8), selection_method). */
function dpHashOf(selection: GroupSelection, buckets: readonly GroupBucket[]): DpHash | undefined {
  if (selection.method === 'hash') return undefined;
  const slots = shareSlots(buckets.map(({ weight }) => weight));
  if (slots === undefined) return undefined;
  if (selection.method === '') return { algorithm: 1, basis: 0, slots };
  const algorithm = Number(selection.param >> 32n);
  return { algorithm: algorithm > 1 ? 0 : algorithm, basis: Number(selection.param & 0xffffffffn), slots };
}

/** Shares hash values out by weight (Webster's method); undefined when they are too few for the smallest weight. */
export function shareSlots(weights: readonly number[]): Uint16Array | undefined {
  const positive = weights.filter((weight) => weight > 0);
  if (positive.length === 0) return undefined;
  const total = positive.reduce((sum, weight) => sum + weight, 0);
  const least = Math.ceil(total / Math.min(...positive));
  let length = MIN_SLOTS;
  while (length < least) length *= 2;
  if (length > MAX_SLOTS) return undefined;
  const slots = new Uint16Array(length);
  const divisors = weights.map(() => 1);
  for (let slot = 0; slot < length; slot++) {
    let best = -1;
    let bestValue = 0;
    for (const [i, weight] of weights.entries()) {
      const value = weight / (divisors[i] ?? 1);
      if (value <= bestValue) continue;
      best = i;
      bestValue = value;
    }
    slots[slot] = best;
    divisors[best] = (divisors[best] ?? 1) + 2;
  }
  return slots;
}

export class GroupTable {
  readonly #clock: Clock;
  #groups = new Map<number, Group>();
  #next: Map<number, Group> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A group as frames see it. */
  get(id: number): Group | undefined {
    return this.#groups.get(id);
  }

  /** Whether a group is there in what has been staged. */
  has(id: number): boolean {
    return (this.#next ?? this.#groups).has(id);
  }

  get size(): number {
    return this.#groups.size;
  }

  /** One group, or all in ascending number. */
  select(id: number): Group[] {
    if (id === OFPG.ALL) return [...this.#groups.values()].sort((a, b) => a.group - b.group);
    const group = this.#groups.get(id);
    return group === undefined ? [] : [group];
  }

  /** Takes all groups away in the batch. */
  stageFlush(): void {
    if (this.#next !== undefined || this.#groups.size > 0) this.#next = new Map();
  }

  /** Does what a group mod says in the batch; gives the groups that are no more. Throws PeerError. */
  stage(mod: GroupMod): number[] {
    this.#next ??= new Map(this.#groups);
    const next = this.#next;
    const old = next.get(mod.group);
    switch (mod.command) {
      case 'add':
        if (mod.group > OFPG.MAX) throw new PeerError('OFPGMFC_INVALID_GROUP', `no group can be ${mod.group}`);
        if (old !== undefined) throw new PeerError('OFPGMFC_GROUP_EXISTS', `group ${mod.group} exists`);
        this.#put(mod);
        return [];
      case 'modify':
      case 'add_or_mod':
        if (mod.group > OFPG.MAX && mod.command !== 'modify') throw new PeerError('OFPGMFC_INVALID_GROUP', `no group can be ${mod.group}`);
        if (old === undefined && mod.command === 'modify') throw new PeerError('OFPGMFC_UNKNOWN_GROUP', `no group ${mod.group}`);
        if (old === undefined) this.#put(mod);
        else next.set(mod.group, new Group(mod, old.createdMs));
        return [];
      case 'delete': {
        const gone = mod.group === OFPG.ALL ? [...next.keys()] : old === undefined ? [] : [mod.group];
        for (const id of gone) next.delete(id);
        return gone;
      }
      case 'insert_bucket':
      case 'remove_bucket':
        if (old === undefined) throw new PeerError('OFPGMFC_UNKNOWN_GROUP', `no group ${mod.group}`);
        next.set(mod.group, mod.command === 'insert_bucket' ? inserted(old, mod) : removed(old, mod));
        return [];
    }
  }

  #put(mod: GroupMod): void {
    const next = this.#next!;
    if (next.size >= MAX_GROUPS) throw new PeerError('OFPGMFC_OUT_OF_GROUPS', `${next.size} groups`);
    next.set(mod.group, new Group(mod, this.#clock.now()));
  }

  /** Runs `look` as if what has been staged so far were current. */
  inNext<T>(look: () => T): T {
    const current = this.#groups;
    this.#groups = this.#next ?? current;
    try {
      return look();
    } finally {
      this.#groups = current;
    }
  }

  /** Makes what was staged current; gives whether anything was. */
  commit(): boolean {
    if (this.#next === undefined) return false;
    this.#groups = this.#next;
    this.#next = undefined;
    return true;
  }

  rollback(): void {
    this.#next = undefined;
  }
}

function placeOf(group: Group, bucketId: number): number {
  const place = group.buckets.findIndex((bucket) => bucket.bucketId === bucketId);
  if (place < 0) throw new PeerError('OFPGMFC_UNKNOWN_BUCKET', `group ${group.group} has no bucket ${bucketId}`);
  return place;
}

/** A group with other buckets: those that stay count on, the group itself begins anew, as in the reference. */
function rebuilt(old: Group, buckets: GroupBucket[], bucketStats: BucketStats[]): Group {
  return new Group({ ...old.describe(), buckets }, old.createdMs, bucketStats);
}

function inserted(old: Group, mod: GroupMod): Group {
  const { commandBucket } = mod;
  // Versions before OpenFlow 1.5 have no place to name: there new buckets come first, as in the reference.
  const isFirst = commandBucket === BUCKET.FIRST || commandBucket === BUCKET.ALL;
  const at = isFirst ? 0 : commandBucket === BUCKET.LAST ? old.buckets.length : placeOf(old, commandBucket) + 1;
  const ids = new Set(old.buckets.map(({ bucketId }) => bucketId));
  for (const { bucketId } of mod.buckets) {
    if (ids.has(bucketId)) throw new PeerError('OFPGMFC_BUCKET_EXISTS', `group ${old.group} has a bucket ${bucketId}`);
  }
  const buckets = [...old.buckets];
  buckets.splice(at, 0, ...mod.buckets);
  const stats = [...old.bucketStats];
  stats.splice(at, 0, ...mod.buckets.map(() => ({ packets: 0, bytes: 0 })));
  return rebuilt(old, buckets, stats);
}

function removed(old: Group, mod: GroupMod): Group {
  const { commandBucket } = mod;
  const last = old.buckets.length - 1;
  if (commandBucket === BUCKET.ALL) return rebuilt(old, [], []);
  if (last < 0 && (commandBucket === BUCKET.FIRST || commandBucket === BUCKET.LAST)) return old;
  const at = commandBucket === BUCKET.FIRST ? 0 : commandBucket === BUCKET.LAST ? last : placeOf(old, commandBucket);
  return rebuilt(
    old,
    old.buckets.filter((_, i) => i !== at),
    old.bucketStats.filter((_, i) => i !== at),
  );
}
