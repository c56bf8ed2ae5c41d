// Which flow of a full table goes first: ovs-vswitchd.conf.db(5), "Flow_Table TABLE".
//
// 1. Flows with a timeout are put into groups by the values of the fields that the table's owner chose; permanent flows never go.
// 2. From the largest group goes the flow of least importance, and among those the one that expires soonest.
// 3. A group is a heap in that order. What was removed or used meanwhile is noticed when it comes to the top: an approximation, as the
//    manual page allows, and it costs O(log n) a flow and not a walk over the table.
// 4. Groups are a heap too, by size and then by the flow that would go. One that has changed is pushed anew; what is out of date is passed
//    over at the top.

import { Heap } from '../../base/heap.ts';
import { NEVER } from '../../flow/classifier-rule.ts';
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

  /** The flow to end next; undefined when the end of all is settled already. */
  first(): Candidate | undefined {
    for (;;) {
      const { top } = this.#heap;
      if (top === undefined) return undefined;
      if (top.rule.isGone || top.rule.removedIn !== NEVER) {
        this.#heap.pop();
        continue;
      }
      const dueMs = top.rule.dueMs();
      if (dueMs === top.dueMs) return top;
      this.#heap.pop();
      this.push({ ...top, dueMs });
    }
  }
}

/** A group as it was once. */
interface Sized {
  group: Group;
  count: number;
  first: Candidate;
}

const isLarger = (a: Sized, b: Sized): boolean => (a.count !== b.count ? a.count > b.count : isBefore(a.first, b.first));
/** So many entries out of date are no matter. */
const SPARE_ENTRIES = 64;

export class EvictionIndex {
  readonly #fields: readonly Subfield[];
  readonly #groups = new Map<string, Group>();
  #sizes = new Heap<Sized>(isLarger);

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
    this.#resized(group);
  }

  /** A flow has left the table. */
  remove(rule: FlowRule): void {
    const { idleTimeoutSec, hardTimeoutSec } = rule.settings;
    if ((idleTimeoutSec === 0 && hardTimeoutSec === 0) || rule.isHidden) return;
    const key = this.#groupKey(rule);
    const group = this.#groups.get(key);
    if (group === undefined) return;
    if (--group.count <= 0) this.#groups.delete(key);
    else this.#resized(group);
  }

  #resized(group: Group): void {
    this.#push(group);
    if (this.#sizes.size <= 2 * this.#groups.size + SPARE_ENTRIES) return;
    this.#sizes = new Heap(isLarger);
    for (const one of this.#groups.values()) this.#push(one);
  }

  #push(group: Group): void {
    const first = group.first();
    if (first !== undefined) this.#sizes.push({ group, count: group.count, first });
  }

  /** The flow that is to go next; undefined when all are permanent. */
  victim(): FlowRule | undefined {
    for (;;) {
      const { top } = this.#sizes;
      if (top === undefined) return undefined;
      const first = top.count === top.group.count ? top.group.first() : undefined;
      if (first === top.first) return first.rule;
      this.#sizes.pop();
      // Another of its flows is to go now, or the same at another time.
      if (first !== undefined) this.#push(top.group);
    }
  }
}
