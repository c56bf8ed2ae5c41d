// Which flow of a full table goes first: ovs-vswitchd.conf.db(5), "Flow_Table TABLE".
//
// 1. Flows with a timeout are put into groups by the values of the fields that the table's owner chose; permanent flows never go.
// 2. From the largest group goes the flow of least importance, and among those the one that expires soonest.
// 3. A group is a heap in that order. What was removed or used meanwhile is noticed when it comes to the top: an approximation, as the
//    manual page allows, and it costs O(log n) a flow and not a walk over the table.

import { Heap } from '../../base/heap.ts';
import { keyBits } from '../../flow/key.ts';
import type { Subfield } from '../../openflow/action.ts';
import type { FlowRule } from './rule.ts';

interface Candidate {
  rule: FlowRule;
  importance: number;
  dueMs: number;
}

const isBefore = (a: Candidate, b: Candidate): boolean => (a.importance !== b.importance ? a.importance < b.importance : a.dueMs < b.dueMs);

class Group {
  readonly #heap = new Heap<Candidate>(isBefore);
  /** Flows that are really there. */
  count = 0;

  push(candidate: Candidate): void {
    this.#heap.push(candidate);
  }

  /** The flow to end; `isLeaving` says of which ones it is settled already. */
  first(isLeaving: (rule: FlowRule) => boolean): FlowRule | undefined {
    for (;;) {
      const { top } = this.#heap;
      if (top === undefined) return undefined;
      if (top.rule.isGone || isLeaving(top.rule)) {
        this.#heap.pop();
        continue;
      }
      const dueMs = top.rule.dueMs();
      if (dueMs === top.dueMs) return top.rule;
      this.#heap.pop();
      this.push({ ...top, dueMs });
    }
  }
}

export class EvictionIndex {
  readonly #fields: readonly Subfield[];
  readonly #groups = new Map<string, Group>();

  /** `fields` make the groups; none puts all flows into one. */
  constructor(fields: readonly Subfield[]) {
    this.#fields = fields;
  }

  #groupKey(rule: FlowRule): string {
    const { key } = rule.match();
    return this.#fields
      .map(({ field, offset, bits }) => (keyBits(key, field.at, field.bits) >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n))
      .join();
  }

  /** A flow has come into the table. */
  add(rule: FlowRule): void {
    const { idleTimeoutSec, hardTimeoutSec, importance } = rule.settings;
    if ((idleTimeoutSec === 0 && hardTimeoutSec === 0) || rule.isHidden) return;
    const key = this.#groupKey(rule);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group();
      this.#groups.set(key, group);
    }
    group.push({ rule, importance, dueMs: rule.dueMs() });
    group.count++;
  }

  /** A flow has left the table. */
  remove(rule: FlowRule): void {
    const { idleTimeoutSec, hardTimeoutSec } = rule.settings;
    if ((idleTimeoutSec === 0 && hardTimeoutSec === 0) || rule.isHidden) return;
    const key = this.#groupKey(rule);
    const group = this.#groups.get(key);
    if (group === undefined) return;
    if (--group.count <= 0) this.#groups.delete(key);
  }

  /** The flow that is to go next; undefined when all are permanent. */
  victim(isLeaving: (rule: FlowRule) => boolean): FlowRule | undefined {
    let largest = 0;
    let best: FlowRule | undefined;
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    for (const group of groups) {
      if (best !== undefined && group.count < largest) break;
      const rule = group.first(isLeaving);
      if (rule === undefined) continue;
      largest = group.count;
      if (
        best === undefined ||
        isBefore(
          { rule, importance: rule.settings.importance, dueMs: rule.dueMs() },
          { rule: best, importance: best.settings.importance, dueMs: best.dueMs() },
        )
      )
        best = rule;
    }
    return best;
  }
}
