// What a batch of steps has staged in the tables: rules that come and rules that go with the next version, and what is to be told of it.

import { NEVER } from '../../flow/classifier-rule.ts';
import type { Action } from '../../openflow/action.ts';
import type { FlowRemovedReason } from '../../openflow/message.ts';
import type { Sender } from '../core.ts';
import { isCounted } from './action-references.ts';
import type { FlowTable } from './flow-table.ts';
import { type FlowRule, type RuleSettings, SHARES } from './rule.ts';
import type { TableSet } from './table-set.ts';

/** From so many rules on they are taken out together. */
const MANY = 64;

/** What a batch did, told after it is visible. */
export interface FlowChange {
  change: 'added' | 'modified' | 'deleted';
  rule: FlowRule;
  reason: FlowRemovedReason | undefined;
  sender: Sender | undefined;
  /** Of a rule that was modified or put in another's place, the actions until now. */
  before?: readonly Action[];
  /** It was modified to be what it was. */
  isSame?: boolean;
}

export class TableBatch {
  readonly added: FlowRule[] = [];
  readonly removed: FlowRule[] = [];
  readonly changes: FlowChange[] = [];
  readonly #tables: TableSet;

  constructor(tables: TableSet) {
    this.#tables = tables;
  }

  insert(rule: FlowRule, next: number): void {
    rule.addedIn = next;
    const table = this.#tables.tableFor(rule.table);
    table.classifier.insert(rule);
    table.room.added(rule);
    this.added.push(rule);
  }

  /** Puts a rule in the place of one with the same match and priority. */
  replace(old: FlowRule, rule: FlowRule, next: number): void {
    rule.addedIn = next;
    this.remove(old, next);
    old.shares |= SHARES.TAKEN;
    rule.shares = SHARES.TAKES;
    const table = this.#tables.tableFor(rule.table);
    table.classifier.replace(old, rule);
    table.room.added(rule);
    this.added.push(rule);
  }

  remove(rule: FlowRule, next: number): void {
    const isFirst = rule.removedIn === NEVER;
    rule.removedIn = next;
    if (isFirst && !rule.isHidden) {
      const table = this.#tables.tableFor(rule.table);
      table.leaving++;
      table.room.removed(rule);
    }
    this.removed.push(rule);
  }

  /**
   * Takes the rules that go out of their tables, in the version that begins; many of one table together, for that may be all of it. Gives the
   * tables, and how many flows of each settings that are counted have gone: what came and went in this batch was never counted.
   */
  takeOut(version: number): { tables: Iterable<FlowTable>; counts: Map<RuleSettings, number> } {
    const rules = this.removed;
    const counts = new Map<RuleSettings, number>();
    const byTable = new Map<FlowTable, FlowRule[]>();
    let table: FlowTable | undefined;
    let same: FlowRule[] = [];
    // In one loop: it may be that this runs once, over a hundred thousand of them, before anything has been compiled.
    for (const rule of rules) {
      const { settings } = rule;
      if (table === undefined || settings.table !== table.id) {
        table = this.#tables.tableFor(settings.table);
        table.leaving = 0;
        same = byTable.get(table) ?? [];
        byTable.set(table, same);
      }
      rule.isGone = true;
      if ((rule.shares & SHARES.TAKEN) !== 0) table.classifier.endReplacement(rule);
      else if (rules.length < MANY) table.classifier.remove(rule);
      else same.push(rule);
      if (rule.addedIn === version) continue;
      if (rule.isHidden) table.hidden--;
      if (table.cookies !== undefined || isCounted(settings.actions)) counts.set(settings, (counts.get(settings) ?? 0) + 1);
    }
    for (const [one, leaving] of byTable) if (leaving.length > 0) one.classifier.removeAll(leaving);
    return { tables: byTable.keys(), counts };
  }

  /** Forgets what was staged. */
  rollback(): void {
    for (const rule of this.added) {
      if (rule.removedIn === NEVER) this.#tables.tableFor(rule.table).room.removed(rule);
      rule.isGone = true;
    }
    for (const rule of this.removed) {
      const table = this.#tables.tableFor(rule.table);
      const wasLeaving = !rule.isGone && rule.removedIn !== NEVER;
      rule.removedIn = NEVER;
      if (wasLeaving) table.room.added(rule);
      rule.shares &= ~SHARES.TAKEN;
      table.leaving = 0;
    }
    for (const rule of this.added) {
      const { classifier } = this.#tables.tableFor(rule.table);
      if ((rule.shares & SHARES.TAKES) !== 0) classifier.endReplacement(rule);
      else classifier.remove(rule);
    }
  }
}
