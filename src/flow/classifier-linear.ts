// The oracle: a classifier with nothing clever in it, against which the real one is tested.
import type { ClassifierRule } from './classifier.ts';
import type { Key } from './key.ts';

/** Looks at every rule. */
export class LinearClassifier<R extends ClassifierRule> {
  readonly #rules = new Set<R>();

  insert(rule: R): void {
    this.#rules.add(rule);
  }

  remove(rule: R): void {
    this.#rules.delete(rule);
  }

  /** All rules of the highest priority that match: more than one when the table is ambiguous. */
  lookup(key: Key, version: number): R[] {
    let best: R[] = [];
    for (const rule of this.#rules) {
      if (!rule.isVisible(version)) continue;
      const { mask, values } = rule;
      if (!values.every((value, i) => ((key[mask.words[i]!]! & mask.bits[i]!) ^ value) === 0)) continue;
      const priority = best[0]?.priority ?? -1;
      if (rule.priority > priority) best = [rule];
      else if (rule.priority === priority) best.push(rule);
    }
    return best;
  }
}
