// The OpenFlow tables of a bridge and what flow mods do to them.
//
// 1. A batch of steps works in version N+1: rules that it adds exist from N+1 on, rules that it removes exist until N.
// 2. `commit` makes N+1 current at once, takes removed rules out and tells what happened; `rollback` undoes the batch without a trace.
// 3. A modification replaces a rule by another with the same counters. An add replaces a rule of the same match and priority and starts
//    new counters.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { isSameValue } from '../../base/same-value.ts';
import { NEVER } from '../../flow/classifier-rule.ts';
import { type Key, type Match, newKey } from '../../flow/key.ts';
import { type PackedMatch, packMatch } from '../../flow/mask.ts';
import { normalizeMatch } from '../../flow/normal-match.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import type { FlowMod, FlowRemovedReason, FlowStatsRequest } from '../../openflow/message.ts';
import type { TableDesc } from '../../openflow/table.ts';
import type { Sender } from '../core.ts';
import { checkActions, isCounted, ReferenceIndex, type Referents, references } from './action-references.ts';
import { ExpiryQueue } from './expiry.ts';
import { ALL_COOKIE_BITS, ALL_TABLES, type FlowTable, INTERNAL_TABLE, TABLE_COUNT } from './flow-table.ts';
import { internalFlows, type MissFlow } from './internal-table.ts';
import { Learners } from './learners.ts';
import { FlowRule, NO_FLAGS, newStats, type RuleSettings, type RuleStats, sharedSettings } from './rule.ts';
import { type FlowChange, TableBatch } from './table-batch.ts';
import { NO_LIMIT, type TableLimit } from './table-room.ts';
import { TableSet } from './table-set.ts';
import { ANY_GROUP, asksNothing, wanted } from './wanted-flows.ts';

/** For the match of the flow mod being staged: rules keep their matches packed. */
const SCRATCH: Match = { key: newKey(), mask: newKey() };

export class FlowTables extends TableSet {
  /** Told when all changes of a batch have been told. */
  onSettled: (() => void) | undefined;
  /** Told when a table gets full or has room again, where a controller asked for that. */
  onVacancy: ((reason: 'vacancy_down' | 'vacancy_up', desc: TableDesc) => void) | undefined;
  /** The version that frames see. */
  version = 1;
  /** What flows see of IP fragments: no ports, nothing since they are dropped, or all there is. */
  fragments: 'normal' | 'drop' | 'match' = 'normal';
  readonly #clock: Clock;
  readonly #expiry = new ExpiryQueue<FlowRule>();
  readonly #tell: (change: FlowChange) => void;
  #batch = new TableBatch(this);
  readonly #learners = new Learners();

  readonly #references = new ReferenceIndex();
  readonly #missRules = new Map<MissFlow, FlowRule>();
  readonly #known: Referents;
  /** Whether anybody wants to be told of every change. */
  readonly #isHeard: () => boolean;

  constructor(
    clock: Clock,
    tell: (change: FlowChange) => void,
    known: Referents = { hasGroup: () => false, hasMeter: () => false },
    isHeard: () => boolean = () => true,
  ) {
    super();
    this.#isHeard = isHeard;
    this.#clock = clock;
    this.#tell = tell;
    this.#known = known;
    for (const { match, priority, actions, miss } of internalFlows()) {
      const rule = this.stageOwn(INTERNAL_TABLE, match, priority, actions);
      if (miss !== undefined) this.#missRules.set(miss, rule);
    }
    this.commit();
  }

  /** The flow of a table for a key; counts the lookup, and un-wildcards what it read. */
  lookup(tableId: number, key: Key, wild: Key | undefined): FlowRule | undefined {
    return this.tables[tableId]?.classifier.lookup(key, this.version, wild);
  }

  /** The flow of the bridge's own that counts a miss. */
  missRule(miss: MissFlow): FlowRule | undefined {
    return this.#missRules.get(miss);
  }

  /** The flow that a strict mod means. */
  find(mod: FlowMod): FlowRule | undefined {
    return this.tables[mod.table]?.classifier.find(normalizeMatch(mod.match), mod.priority, this.version);
  }

  /** How many flows of a table have that cookie. */
  countOfCookie(id: number, cookie: bigint): number {
    const table = this.tables[id];
    if (table === undefined) return 0;
    if (table.cookies === undefined) {
      table.cookies = new Map();
      for (const { settings } of [...table.classifier.rules()].filter((rule) => rule.isVisible(this.version))) {
        table.cookies.set(settings.cookie, (table.cookies.get(settings.cookie) ?? 0) + 1);
      }
    }
    return table.cookies.get(cookie) ?? 0;
  }

  /** Shortens the timeouts of a flow (fin_timeout): they never grow, and 0 leaves one alone. */
  reduceTimeouts(rule: FlowRule, idleTimeoutSec: number, hardTimeoutSec: number): void {
    if (rule.isGone || !rule.reduceTimeouts(idleTimeoutSec, hardTimeoutSec)) return;
    this.#expiry.push(rule.dueMs(), rule);
  }

  /** Does what a flow mod says, in the version after the current one. Throws PeerError. */
  stage(mod: FlowMod, sender: Sender | undefined): void {
    const match = mod.packed ?? packMatch(normalizeMatch(mod.match, SCRATCH));
    switch (mod.command) {
      case 'add':
        this.#add(mod, match, sender);
        break;
      case 'modify':
      case 'modify_strict': {
        if (mod.table === INTERNAL_TABLE) throw new PeerError('OFPBRC_EPERM', `table ${mod.table} is read-only`);
        const rules = this.#selected(mod, match, mod.command === 'modify_strict');
        if (rules.length > 0) this.#modify(rules, mod, sender);
        // OpenFlow 1.0 and 1.1: a modification that meets nothing adds. The codec leaves newCookie out for later versions.
        else if (mod.newCookie !== undefined && mod.cookieMask === 0n) this.#add(mod, match, sender);
        break;
      }
      case 'delete':
      case 'delete_strict':
        this.#deleteAll(this.#selected(mod, match, mod.command === 'delete_strict'), 'delete', sender);
        break;
    }
  }

  #checkTable(id: number): void {
    if (id > INTERNAL_TABLE && id !== ALL_TABLES) throw new PeerError('OFPBRC_BAD_TABLE_ID', `no table ${id}`);
    if (id === INTERNAL_TABLE) throw new PeerError('OFPBRC_EPERM', `table ${id} is read-only`);
  }

  #add(mod: FlowMod, match: PackedMatch, sender: Sender | undefined): void {
    const id = mod.table === ALL_TABLES ? 0 : mod.table;
    this.#checkTable(id);
    checkActions(mod.actions, id, this.#known);
    const table = this.tableFor(id);
    const next = this.version + 1;
    const settings = sharedSettings({
      table: id,
      cookie: mod.newCookie ?? 0n,
      idleTimeoutSec: mod.idleTimeoutSec,
      hardTimeoutSec: mod.hardTimeoutSec,
      importance: mod.importance,
      flags: mod.flags,
      actions: mod.actions,
    });
    const rule = new FlowRule(match, mod.priority, settings, newStats(this.#clock.now()));
    const old = table.classifier.find(rule, mod.priority, next);
    if (old !== undefined) {
      // What takes another's place goes on counting, and is as idle as that was; only its age begins anew.
      rule.stats.usedMs = old.stats.usedMs;
      if (!mod.flags.resetCounts) {
        rule.stats.packets = old.stats.packets;
        rule.stats.bytes = old.stats.bytes;
        old.heir = rule;
      }
    }
    if (old === undefined) {
      if (mod.flags.checkOverlap && table.classifier.overlaps(match, mod.priority, next)) {
        throw new PeerError('OFPFMFC_OVERLAP', 'the flow overlaps another of the same priority');
      }
      this.#makeRoom(table);
      this.#batch.insert(rule, this.version + 1);
    } else this.#batch.replace(old, rule, this.version + 1);
    if (!this.#isHeard()) return;
    const added: FlowChange = { change: 'added', rule, reason: undefined, sender };
    this.#batch.changes.push(old === undefined ? added : { ...added, before: old.settings.actions });
  }

  /** Sees that one more flow fits, at the cost of another where the table evicts. */
  #makeRoom(table: FlowTable): void {
    const { room } = table;
    while (table.count >= room.maxFlows) {
      const victim = room.evicts ? room.victim() : undefined;
      if (victim === undefined) throw new PeerError('OFPFMFC_TABLE_FULL', `table ${table.id} is full`);
      this.#delete(victim, 'eviction', undefined);
    }
  }

  #modify(rules: readonly FlowRule[], mod: FlowMod, sender: Sender | undefined): void {
    const isHeard = this.#isHeard();
    // What many flows have in common is made new once.
    const changed = new Map<RuleSettings, RuleSettings>();
    for (const old of rules) {
      let settings = changed.get(old.settings);
      if (settings === undefined) {
        checkActions(mod.actions, old.table, this.#known);
        const cookie = (mod.keepsCookie === true ? undefined : mod.newCookie) ?? old.settings.cookie;
        settings = sharedSettings({ ...old.settings, cookie, actions: mod.actions });
        changed.set(old.settings, settings);
      }
      // The counters stay the same object, so that traffic in flight is counted on.
      const stats: RuleStats = mod.flags.resetCounts ? { ...old.stats, packets: 0, bytes: 0 } : old.stats;
      const rule = new FlowRule(old.packed(), old.priority, settings, stats);
      this.#batch.replace(old, rule, this.version + 1);
      if (!isHeard) continue;
      const isSame = settings.cookie === old.settings.cookie && isSameValue(settings.actions, old.settings.actions);
      this.#batch.changes.push({ change: 'modified', rule, reason: undefined, sender, before: old.settings.actions, isSame });
    }
  }

  #delete(rule: FlowRule, reason: FlowRemovedReason, sender: Sender | undefined, isHeard = this.#isHeard()): void {
    this.#batch.remove(rule, this.version + 1);
    if (isHeard || rule.settings.flags.sendFlowRem) this.#batch.changes.push({ change: 'deleted', rule, reason, sender });
  }

  #deleteAll(rules: readonly FlowRule[], reason: FlowRemovedReason, sender: Sender | undefined): void {
    const isHeard = this.#isHeard();
    // In one loop: it may be that this runs once, over a hundred thousand of them, before anything has been compiled.
    for (const rule of rules) {
      if (isHeard || rule.settings.flags.sendFlowRem) this.#batch.changes.push({ change: 'deleted', rule, reason, sender });
      this.#batch.remove(rule, this.version + 1);
    }
  }

  /** How many flows name a group or a meter. */
  userCount(kind: 'group' | 'meter', id: number): number {
    return this.#references.of(kind, id).size;
  }

  /** Stages the removal of the flows that name a group or a meter that goes. */
  stageUsersGone(kind: 'group' | 'meter', id: number, sender: Sender | undefined): void {
    const reason = kind === 'group' ? 'group_delete' : 'meter_delete';
    const next = this.version + 1;
    const staged = this.#batch.added.filter((rule) => references(rule.settings.actions).some((one) => one.kind === kind && one.id === id));
    const users = [...this.#references.of(kind, id), ...staged];
    this.#deleteAll(
      users.filter((rule) => rule.isVisible(next)),
      reason,
      sender,
    );
  }

  /** Runs `look` as if what has been staged so far were current. */
  inNext<T>(look: () => T): T {
    this.version++;
    try {
      return look();
    } finally {
      this.version--;
    }
  }

  /** Makes what was staged current, all at once; gives whether anything changed. */
  commit(): boolean {
    const batch = this.#batch;
    const { added, removed, changes } = batch;
    if (added.length === 0 && removed.length === 0) return false;
    this.#batch = new TableBatch(this);
    this.version++;
    const touched = new Set<FlowTable>();
    if (removed.length > 0) {
      const { tables, counts } = batch.takeOut(this.version);
      for (const table of tables) touched.add(table);
      if (this.#book(counts, -1)) for (const rule of removed) if (rule.addedIn !== this.version) this.#references.remove(rule);
    }
    if (added.length > 0) this.#begin(added, touched);
    for (const change of changes) if (!change.rule.isHidden) this.#tell(change);
    if (changes.length > 0) this.onSettled?.();
    for (const table of touched) {
      const crossed = table.room.crossed(table.count);
      if (crossed !== undefined) this.onVacancy?.(crossed, table.room.describe(table.id, table.count));
    }
    if (this.#learners.hasOrphans) this.#deleteUnlearned();
    return true;
  }

  /** Rules of a batch are current from now on. */
  #begin(added: readonly FlowRule[], touched: Set<FlowTable>): void {
    const counts = new Map<RuleSettings, number>();
    const now = Math.floor(this.#clock.now());
    for (const rule of added) {
      if (rule.isGone) continue;
      const { settings } = rule;
      rule.shares = 0;
      const table = this.tableFor(settings.table);
      touched.add(table);
      if (rule.isHidden) table.hidden++;
      rule.stats.modifiedMs = now;
      if (settings.idleTimeoutSec !== 0 || settings.hardTimeoutSec !== 0) this.#expiry.push(rule.dueMs(), rule);
      if (table.cookies !== undefined || isCounted(settings.actions)) counts.set(settings, (counts.get(settings) ?? 0) + 1);
    }
    if (this.#book(counts, 1)) for (const rule of added) if (!rule.isGone) this.#references.add(rule);
  }

  /** Counts rules in or out by their settings, which many share; gives whether any names a group or a meter. */
  #book(counts: ReadonlyMap<RuleSettings, number>, by: 1 | -1): boolean {
    let hasReferences = false;
    for (const [settings, count] of counts) {
      this.#learners.count(this.tableFor(settings.table), settings, by * count);
      hasReferences ||= references(settings.actions).length > 0;
    }
    return hasReferences;
  }

  #deleteUnlearned(): void {
    for (const { table, cookie } of this.#learners.takeOrphans()) {
      const rules = [...(this.tables[table]?.classifier.rules() ?? [])];
      const next = this.version + 1;
      this.#deleteAll(
        rules.filter((rule) => !rule.isHidden && rule.settings.cookie === cookie && rule.isVisible(next)),
        'delete',
        undefined,
      );
    }
    this.commit();
  }

  /** Forgets what was staged. */
  rollback(): void {
    this.#batch.rollback();
    this.#batch = new TableBatch(this);
  }

  #selected(mod: FlowMod, match: PackedMatch, isStrict: boolean): FlowRule[] {
    const next = this.version + 1;
    let found: FlowRule[] = [];
    let hasHidden = false;
    for (const table of this.range(mod.table, mod.cookieMask)) {
      hasHidden ||= table.hidden > 0;
      if (isStrict) {
        const rule = table.classifier.find(match, mod.priority, next);
        if (rule !== undefined) found.push(rule);
      } else table.classifier.collect(match, next, found);
    }
    // The filters of outputs are for deletions alone (OpenFlow 1.3.5 section 6.4).
    const isDeletion = mod.command === 'delete' || mod.command === 'delete_strict';
    const asked = isDeletion ? mod : { ...mod, outPort: OFPP.NONE, outGroup: ANY_GROUP };
    if (hasHidden || !asksNothing(asked)) found = wanted(found, asked);
    if (mod.table !== INTERNAL_TABLE && (mod.table !== ALL_TABLES || mod.cookieMask !== ALL_COOKIE_BITS)) return found;
    const mine = found.filter((rule) => rule.table !== INTERNAL_TABLE);
    if (mine.length === 0 && found.length > 0) throw new PeerError('OFPBRC_EPERM', 'only flows of the bridge itself are meant');
    return mine;
  }

  /** Flows that a statistics request asks for. */
  select(request: FlowStatsRequest): FlowRule[] {
    if (request.table > INTERNAL_TABLE && request.table !== ALL_TABLES) {
      throw new PeerError('OFPBRC_BAD_TABLE_ID', `no table ${request.table}`);
    }
    const match = packMatch(normalizeMatch(request.match));
    const found: FlowRule[] = [];
    for (const table of this.range(request.table, request.cookieMask)) table.classifier.collect(match, this.version, found);
    return wanted(found, request);
  }

  /** Every flow, hidden ones too, by table and descending priority. */
  *rules(): Generator<FlowRule> {
    for (const table of this.tables) {
      if (table === undefined) continue;
      const rules = [...table.classifier.rules()].filter((rule) => rule.isVisible(this.version));
      yield* rules.sort((a, b) => b.priority - a.priority);
    }
  }

  /** When `expire` next has something to look at. */
  get nextExpiryMs(): number {
    return this.#expiry.nextMs;
  }

  /** Ends flows whose time has come; counters must be fresh. Gives whether any ended. */
  expire(): boolean {
    const now = this.#clock.now();
    for (let rule = this.#expiry.pop(now); rule !== undefined; rule = this.#expiry.pop(now)) {
      if (rule.isGone || rule.removedIn !== NEVER) continue;
      const due = rule.dueMs();
      if (due > now) {
        this.#expiry.push(due, rule);
        continue;
      }
      const { hardTimeoutSec } = rule.settings;
      const isHard = hardTimeoutSec !== 0 && rule.stats.modifiedMs + hardTimeoutSec * 1000 < now;
      this.#delete(rule, isHard ? 'hard' : 'idle', undefined);
    }
    return this.commit();
  }

  /** Puts or removes a hidden flow in table 0. */
  stageHidden(priority: number, rawMatch: Match, actions: readonly Action[] | undefined): void {
    const match = normalizeMatch(rawMatch);
    const { classifier } = this.tableFor(0);
    const old = classifier.find(match, priority, this.version + 1);
    if (old !== undefined) this.#batch.remove(old, this.version + 1);
    if (actions === undefined) return;
    this.stageOwn(0, match, priority, actions);
  }

  /** Adds a flow of the bridge's own. */
  stageOwn(table: number, match: Match, priority: number, actions: readonly Action[]): FlowRule {
    const now = this.#clock.now();
    const settings = { table, cookie: 0n, idleTimeoutSec: 0, hardTimeoutSec: 0, importance: 0, flags: NO_FLAGS, actions };
    const rule = new FlowRule(match, priority, settings, newStats(now));
    this.#batch.insert(rule, this.version + 1);
    if (this.#isHeard()) this.#batch.changes.push({ change: 'added', rule, reason: undefined, sender: undefined });
    return rule;
  }

  /** Stages the removal of every flow that a peer can see. */
  stageFlush(): void {
    const isHeard = this.#isHeard();
    for (let i = 0; i < TABLE_COUNT; i++) {
      const table = this.tables[i];
      if (table === undefined) continue;
      for (const rule of table.classifier.rules())
        if (!rule.isHidden && rule.isVisible(this.version + 1)) this.#delete(rule, 'delete', undefined, isHeard);
    }
  }

  /** What the owner set of tables; those that are not named have no limits. Flows beyond a limit go at once where the table evicts. */
  limitTables(limits: ReadonlyMap<number, TableLimit>): void {
    for (let id = 0; id < TABLE_COUNT; id++) {
      const limit = limits.get(id);
      const present = this.tables[id];
      if (limit === undefined && (present === undefined || present.room.limit === NO_LIMIT)) continue;
      const table = this.tableFor(id);
      table.room.configure(limit ?? NO_LIMIT, table.classifier.rules());
      table.classifier.trackPrefixes(limit?.prefixes);
      if (!table.room.evicts) continue;
      while (table.count > table.room.maxFlows) {
        const victim = table.room.victim();
        if (victim === undefined) break;
        this.#delete(victim, 'eviction', undefined);
      }
    }
    this.commit();
  }
}
