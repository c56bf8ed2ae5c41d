// A flow of an OpenFlow table.
import { ClassifierRule, type Conjunction } from '../../flow/classifier.ts';
import { copyMatch, KEY_WORDS, type Match, W } from '../../flow/key.ts';
import { type Action, OFPP, type OfPort } from '../../openflow/action.ts';
import type { FlowModFlags, FlowStats } from '../../openflow/message.ts';

/** Highest priority a peer can give; above it are flows that no request sees. */
export const MAX_PRIORITY = 65535;

/** Counters that outlive a modification of their flow: translation results point at them. Numbers are exact up to 2^53. */
export interface RuleStats {
  packets: number;
  bytes: number;
  createdMs: number;
  modifiedMs: number;
  usedMs: number;
}

export interface RuleSettings {
  table: number;
  cookie: bigint;
  idleTimeoutSec: number;
  hardTimeoutSec: number;
  importance: number;
  flags: FlowModFlags;
  actions: readonly Action[];
}

export const NO_FLAGS: FlowModFlags = Object.freeze({
  sendFlowRem: false,
  checkOverlap: false,
  resetCounts: false,
  noPacketCounts: false,
  noByteCounts: false,
});

/** A rule is never changed: a modification puts another in its place, with the same `stats`. */
export class FlowRule extends ClassifierRule {
  /** Replaced as a whole, and only by `reduceTimeouts`. */
  settings: RuleSettings;
  readonly stats: RuleStats;
  /** No longer in its table; translation results that still know it only push counters. */
  isGone = false;
  /** What took its place and counts what comes late for it. */
  heir: FlowRule | undefined;

  constructor(match: Match, priority: number, settings: RuleSettings, stats: RuleStats) {
    super(match, priority, conjunctionsOf(settings.actions));
    this.settings = settings;
    this.stats = stats;
  }

  /** Shortens the timeouts; true when one became shorter. */
  reduceTimeouts(idleTimeoutSec: number, hardTimeoutSec: number): boolean {
    const { settings } = this;
    const shorter = (now: number, wanted: number): number => (wanted !== 0 && (now === 0 || wanted < now) ? wanted : now);
    const idle = shorter(settings.idleTimeoutSec, idleTimeoutSec);
    const hard = shorter(settings.hardTimeoutSec, hardTimeoutSec);
    if (idle === settings.idleTimeoutSec && hard === settings.hardTimeoutSec) return false;
    this.settings = { ...settings, idleTimeoutSec: idle, hardTimeoutSec: hard };
    return true;
  }

  get table(): number {
    return this.settings.table;
  }

  get isHidden(): boolean {
    return this.priority > MAX_PRIORITY;
  }

  /** When the flow ends if no frame comes; Infinity = never. Its time must be over, not only reached. */
  dueMs(): number {
    const { idleTimeoutSec, hardTimeoutSec } = this.settings;
    const idle = idleTimeoutSec === 0 ? Number.POSITIVE_INFINITY : this.stats.usedMs + idleTimeoutSec * 1000;
    const hard = hardTimeoutSec === 0 ? Number.POSITIVE_INFINITY : this.stats.modifiedMs + hardTimeoutSec * 1000;
    return Math.min(idle, hard) + 1;
  }

  describe(nowMs: number): FlowStats {
    const { settings, stats } = this;
    const age = Math.max(0, nowMs - stats.createdMs);
    return {
      match: this.match(),
      priority: this.priority,
      cookie: settings.cookie,
      table: settings.table,
      durationSec: Math.floor(age / 1000),
      durationNsec: Math.floor(age % 1000) * 1_000_000,
      idleTimeoutSec: settings.idleTimeoutSec,
      hardTimeoutSec: settings.hardTimeoutSec,
      idleAgeSec: Math.floor(Math.max(0, nowMs - stats.usedMs) / 1000),
      hardAgeSec: Math.floor(Math.max(0, nowMs - stats.modifiedMs) / 1000),
      importance: settings.importance,
      packetCount: BigInt(stats.packets),
      byteCount: BigInt(stats.bytes),
      flags: settings.flags,
      actions: settings.actions as Action[],
    };
  }
}

function conjunctionsOf(actions: readonly Action[]): readonly Conjunction[] | undefined {
  const parts = actions.filter((action) => action.kind === 'conjunction');
  return parts.length === 0 ? undefined : parts;
}

/** Whether some action sends to `port` directly. */
export function sendsTo(actions: readonly Action[], port: OfPort): boolean {
  return actions.some((action) => {
    switch (action.kind) {
      case 'output':
      case 'enqueue':
      case 'outputTrunc':
        return action.port === port;
      case 'controller':
        return port === OFPP.CONTROLLER;
      case 'writeActions':
      case 'clone':
        return sendsTo(action.actions, port);
      default:
        return false;
    }
  });
}

/** Whether some action refers to `group`. */
export function usesGroup(actions: readonly Action[], group: number): boolean {
  return actions.some((action) => {
    if (action.kind === 'group') return action.group === group;
    return (action.kind === 'writeActions' || action.kind === 'clone') && usesGroup(action.actions, group);
  });
}

/** Whether a match is in that form already: most are, and need no copy. */
function isNormal({ key, mask }: Match): boolean {
  const inPort = mask[W.IN_PORT];
  if (inPort !== 0 && inPort !== 0xffffffff) return false;
  for (let i = 0; i < KEY_WORDS; i++) if ((key[i]! & ~mask[i]!) !== 0) return false;
  return true;
}

/** A match in the one form that tables keep: in_port is matched in all of its word, no value bit outside the mask. `scratch` may be given for what has to be written anew. */
export function normalizeMatch(match: Match, scratch?: Match): Match {
  if (isNormal(match)) return match;
  const normal = scratch ?? copyMatch(match);
  if (scratch !== undefined) {
    scratch.key.set(match.key);
    scratch.mask.set(match.mask);
    if (match.tunFields === undefined) delete scratch.tunFields;
    else scratch.tunFields = match.tunFields;
  }
  if (normal.mask[W.IN_PORT] !== 0) {
    normal.mask[W.IN_PORT] = 0xffffffff;
    normal.key[W.IN_PORT] = normal.key[W.IN_PORT]! & 0xffff;
  }
  for (let i = 0; i < KEY_WORDS; i++) normal.key[i] = normal.key[i]! & normal.mask[i]!;
  return normal;
}
