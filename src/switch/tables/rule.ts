// A flow of an OpenFlow table.
import { ClassifierRule, type Conjunction } from '../../flow/classifier-rule.ts';
import { type Match, matchAll } from '../../flow/key.ts';
import type { PackedMatch } from '../../flow/mask.ts';
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

/** Stands where a packed match stands for the whole one. */
const NO_MATCH: Match = Object.freeze(matchAll());

/** Bits of how a rule stands in its table with another of the same match and priority: it takes that one's place, or is to leave it its own. */
export const SHARES = { TAKES: 1, TAKEN: 2 } as const;

/** A rule is never changed: a modification puts another in its place, with the same `stats`. */
export class FlowRule extends ClassifierRule {
  /** Replaced as a whole, and only by `reduceTimeouts`. */
  settings: RuleSettings;
  readonly stats: RuleStats;
  /** No longer in its table; translation results that still know it only push counters. */
  isGone = false;
  /** What took its place and counts what comes late for it. */
  heir: FlowRule | undefined;
  /** SHARES bits, while a batch is staged. */
  shares = 0;

  constructor(match: Match | PackedMatch, priority: number, settings: RuleSettings, stats: RuleStats) {
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
    return this.#describe(nowMs, this.match(), undefined);
  }

  /** The same with the match packed, for a list of many. */
  describePacked(nowMs: number): FlowStats {
    return this.#describe(nowMs, NO_MATCH, this.packed());
  }

  #describe(nowMs: number, match: Match, packed: PackedMatch | undefined): FlowStats {
    const { settings, stats } = this;
    const age = Math.max(0, nowMs - stats.createdMs);
    return {
      match,
      packed,
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
  for (const { kind } of actions) if (kind === 'conjunction') return actions.filter((action) => action.kind === 'conjunction');
  return undefined;
}

/** Counters of a flow that begins now. Whole milliseconds are told, and take less room than parts of them. */
export function newStats(nowMs: number): RuleStats {
  const now = Math.floor(nowMs);
  return { packets: 0, bytes: 0, createdMs: now, modifiedMs: now, usedMs: now };
}

/** Settings given lately, by a hash of theirs: those of many flows are the same, and are kept once for all of them. */
const RECENT_SETTINGS: (RuleSettings | undefined)[] = new Array(256).fill(undefined);
const SAME_HASH = 4;

function areSameSettings(a: RuleSettings, b: RuleSettings): boolean {
  return (
    a.actions === b.actions &&
    a.table === b.table &&
    a.cookie === b.cookie &&
    a.idleTimeoutSec === b.idleTimeoutSec &&
    a.hardTimeoutSec === b.hardTimeoutSec &&
    a.importance === b.importance &&
    a.flags === b.flags
  );
}

/** The settings, or others that are the same. */
export function sharedSettings(settings: RuleSettings): RuleSettings {
  const mixed = Math.imul(settings.table + (settings.idleTimeoutSec << 8) + (settings.hardTimeoutSec << 16), 0x9e3779b1);
  const slot = (mixed >>> 26) * SAME_HASH;
  for (let i = slot; i < slot + SAME_HASH; i++) {
    const known = RECENT_SETTINGS[i];
    if (known !== undefined && areSameSettings(known, settings)) return known;
  }
  nextSettings = (nextSettings + 1) % SAME_HASH;
  RECENT_SETTINGS[slot + nextSettings] = settings;
  return settings;
}

let nextSettings = 0;

/** Whether some action sends to `port` directly. */
export function sendsTo(actions: readonly Action[], port: OfPort): boolean {
  return actions.some((action) => {
    switch (action.kind) {
      case 'output':
      case 'enqueue':
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
