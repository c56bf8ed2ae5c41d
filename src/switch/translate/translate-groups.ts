// The group action: which buckets of a group get the frame, and what they do with it. OpenFlow 1.3.5 section 5.6.1, ovs-ofctl(8),
// "Group Syntax".
//
// 1. A bucket's actions are executed as an action set, on the frame as it came to the group; what they change ends with the bucket.
// 2. A bucket is live when the port or the group that it watches is, or when it watches nothing; in a select group a weight of 0 is dead.
// 3. A select group chooses by the datapath's hash when the weights allow it: the walk freezes, the datapath hashes and brings the frame
//    back, and only as many bits of the hash are matched as there are shares. Otherwise the switch hashes fields and un-wildcards them.
// 4. Which ports are live is no part of a frame: when that changes, all megaflows are translated again.
import { hashBytes, hashTwo } from '../../base/murmur-hash.ts';
import { hashFields, markHashFields } from '../../flow/hash.ts';
import { keyBits, W } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import { type GroupBucket, type GroupSelection, OFPG } from '../../openflow/group.ts';
import { PORT_CONFIG } from '../ports.ts';
import type { Group } from '../tables/group-table.ts';
import { orderActionSet } from './action-set.ts';
import { freezeForHash } from './pause.ts';
import { hasPrereq } from './subfield.ts';
import type { Walk } from './translate.ts';
import { runIsolated } from './translate-branches.ts';

/** How many groups may stand behind each other in a question of liveness. */
const MAX_LIVENESS_DEPTH = 128;
/** How many buckets may be looked at for one group action: groups that watch groups can ask for a tree without end. */
const MAX_LIVENESS_STEPS = 10_000;

/** The group action. */
export function group(walk: Walk, action: Extract<Action, { kind: 'group' }>): void {
  const found = walk.bridge.groups.get(action.group);
  if (found === undefined) {
    walk.report('warn', `output to nonexistent group ${action.group}`);
    return;
  }
  walk.deeper(() => runGroup(walk, action, found));
}

function runGroup(walk: Walk, action: Action, found: Group): void {
  if (found.type === 'all' || found.type === 'indirect') {
    const { isLast } = walk;
    for (const [i, bucket] of found.buckets.entries()) runBucket(walk, bucket, i, isLast && i === found.buckets.length - 1);
    walk.effects.push({ kind: 'group', group: found, bucket: undefined });
    return;
  }
  const chosen = found.type === 'ff' ? firstLive(walk, found, 0, { left: MAX_LIVENESS_STEPS }) : select(walk, action, found);
  if (chosen === undefined) {
    walk.report('detail', 'no live bucket');
    return;
  }
  walk.report('detail', `using bucket ${chosen}`);
  walk.effects.push({ kind: 'group', group: found, bucket: chosen });
  const bucket = found.buckets[chosen];
  if (bucket !== undefined) runBucket(walk, bucket, chosen, walk.isLast);
}

/** 1. */
function runBucket(walk: Walk, bucket: GroupBucket, index: number, isLast: boolean): void {
  const actions = orderActionSet(bucket.actions);
  walk.nested('action', `bucket ${index}`, () => {
    const { isInGroup } = walk;
    walk.isInGroup = true;
    if (actions.length === 0) walk.report('action', 'drop');
    runIsolated(walk, actions, isLast);
    walk.isInGroup = isInGroup;
  });
}

/** What is left of the work that one question of liveness may cause. */
interface Budget {
  left: number;
}

/** 2. */
function isLive(walk: Walk, bucket: GroupBucket, depth: number, budget: Budget, isSelect = false): boolean {
  if (isSelect && bucket.weight === 0) return false;
  if (depth >= MAX_LIVENESS_DEPTH) {
    walk.report('error', `bucket chaining exceeded ${MAX_LIVENESS_DEPTH} links`);
    return false;
  }
  if (--budget.left < 0) return false;
  const { watchPort, watchGroup } = bucket;
  if (watchPort === OFPP.NONE && watchGroup === OFPG.ANY) return true;
  if (watchPort !== OFPP.NONE && isPortLive(walk, watchPort)) return true;
  if (watchGroup === OFPG.ANY) return false;
  const watched = walk.bridge.groups.get(watchGroup);
  return watched !== undefined && firstLive(walk, watched, depth + 1, budget) !== undefined;
}

function isPortLive(walk: Walk, number: number): boolean {
  const port = walk.bridge.ports.get(number);
  if (port === undefined || (port.config & PORT_CONFIG.DOWN) !== 0) return false;
  return port.link === undefined || (port.link.isUp && port.link.hasCarrier);
}

function reportDead(walk: Walk, bucket: GroupBucket, index: number): void {
  if (!walk.isTraced) return;
  const { watchPort, watchGroup } = bucket;
  // The reference calls a group a port here, too.
  const why = watchPort !== OFPP.NONE ? `port ${watchPort}` : watchGroup !== OFPG.ANY ? `port ${watchGroup}` : '';
  walk.report('detail', `bucket ${index}: not live due to ${why}`);
}

function firstLive(walk: Walk, found: Group, depth: number, budget: Budget): number | undefined {
  for (const [i, bucket] of found.buckets.entries()) {
    if (isLive(walk, bucket, depth, budget)) return i;
    if (budget.left < 0) return undefined;
    reportDead(walk, bucket, i);
  }
  return undefined;
}

/** 3. */
function select(walk: Walk, action: Action, found: Group): number | undefined {
  const { selection, dpHash } = found;
  if (dpHash === undefined) {
    if (selection.method === 'hash' && selection.fields.length > 0) return byScore(walk, found, hashOfFields(walk, selection));
    markHashFields(walk.key, walk.wild, 'symmetric_l4');
    return byScore(walk, found, hashFields(walk.key, 'symmetric_l4', 0));
  }
  const { slots, algorithm, basis } = dpHash;
  const hash = walk.key[W.DP_HASH]!;
  if (hash === 0 && !walk.isHashed) {
    // A frame that comes back may have a hash from an earlier group, and then needs none.
    if (walk.key[W.RECIRC_ID] !== 0) walk.mark(W.DP_HASH, -1);
    freezeForHash(walk, action, algorithm, basis);
    return undefined;
  }
  const mask = slots.length - 1;
  walk.mark(W.DP_HASH, mask);
  for (let i = 0; i <= mask; i++) {
    const index = slots[(hash + i) & mask]!;
    const bucket = found.buckets[index];
    if (bucket !== undefined && isLive(walk, bucket, 0, { left: MAX_LIVENESS_STEPS }, true)) return index;
  }
  return undefined;
}

/** The bucket with the highest score; the scores of the others do not change when one dies. */
function byScore(walk: Walk, found: Group, hash: number): number | undefined {
  let best: number | undefined;
  let bestScore = -1;
  for (const [i, bucket] of found.buckets.entries()) {
    if (!isLive(walk, bucket, 0, { left: MAX_LIVENESS_STEPS }, true)) {
      reportDead(walk, bucket, i);
      continue;
    }
    const score = (hashTwo(i, hash) & 0xffff) * bucket.weight;
    walk.report('detail', `bucket ${i}: score ${score}`);
    if (score < bestScore || (best !== undefined && score === bestScore)) continue;
    best = i;
    bestScore = score;
  }
  return best;
}

/** Hashes the fields that a group names, those that this frame has, one after the other. */
function hashOfFields(walk: Walk, selection: GroupSelection): number {
  const low = Number(selection.param & 0xffffffffn);
  const high = Number(selection.param >> 32n);
  let hash = hashBytes([low, high], 8, 0);
  for (const { field, mask } of selection.fields) {
    if (!hasPrereq(walk.key, walk.wild, field.prereq)) continue;
    const bits = field.name === 'vlan_vid' ? 13 : field.bits;
    const at = field.name === 'vlan_vid' ? field.at - 1 : field.at;
    const wanted = mask & ((1n << BigInt(bits)) - 1n);
    const value = keyBits(walk.key, at, bits) & wanted;
    markMasked(walk, at, bits, wanted);
    hash = hashBytes(littleWords(value, field.wireBytes), field.wireBytes, hash);
  }
  return hash;
}

/** Marks the bits of a field that `mask` names. */
function markMasked(walk: Walk, at: number, bits: number, mask: bigint): void {
  for (let bit = 0; bit < bits; bit++) {
    if (((mask >> BigInt(bits - 1 - bit)) & 1n) === 0n) continue;
    const place = at + bit;
    walk.mark(place >> 5, (0x80000000 >>> (place & 31)) >>> 0);
  }
}

/** The bytes of a value as a little-endian machine reads them in words. */
function littleWords(value: bigint, size: number): number[] {
  const words: number[] = [];
  for (let at = 0; at < size; at += 4) {
    let word = 0;
    for (let i = 0; i < 4 && at + i < size; i++) word |= Number((value >> BigInt((size - 1 - at - i) * 8)) & 0xffn) << (8 * i);
    words.push(word >>> 0);
  }
  return words;
}
