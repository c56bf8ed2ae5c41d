// The oracle: a classifier with nothing clever in it, against which the real one is tested.
import type { ClassifierRule } from './classifier-rule.ts';
import { type Key, W } from './key.ts';

/** Looks at every rule. */
export class LinearClassifier<R extends ClassifierRule> {
  readonly #rules = new Set<R>();

  insert(rule: R): void {
    this.#rules.add(rule);
  }

  remove(rule: R): void {
    this.#rules.delete(rule);
  }

  /**
   * All rules that may be the answer: more than one when the table is ambiguous. `conjId` looks up among ordinary rules only, with that
   * conj_id.
   */
  lookup(key: Key, version: number, conjId?: number): R[] {
    const asked = key.slice();
    if (conjId !== undefined) asked[W.CONJ_ID] = conjId;
    const matching = [...this.#rules].filter(
      (rule) =>
        rule.isVisible(version) &&
        (asked[W.PACKET_TYPE] === 0 || !rule.mask.isForEthernet) &&
        rule.values.every((value, i) => ((asked[rule.mask.words[i]!]! & rule.mask.bits[i]!) ^ value) === 0),
    );
    const ordinary = matching.filter(({ conjunctions }) => conjunctions === undefined);
    const best = Math.max(-1, ...ordinary.map(({ priority }) => priority));
    if (conjId === undefined) {
      for (const priority of [...new Set(matching.map((rule) => rule.priority))].sort((a, b) => b - a)) {
        if (priority <= best) break;
        const parts = matching.filter((rule) => rule.priority === priority).flatMap(({ conjunctions }) => conjunctions ?? []);
        const found = parts
          .filter(({ id, clauses }) => new Set(parts.filter((part) => part.id === id).map(({ clause }) => clause)).size === clauses)
          .flatMap(({ id }) => this.lookup(key, version, id));
        if (found.length > 0) return found;
      }
    }
    return ordinary.filter(({ priority }) => priority === best);
  }
}
