// Who learns which flows: those of a table and cookie go with the last flow whose learn action has delete_learned and names them.
import type { FlowTable } from './flow-table.ts';
import type { RuleSettings } from './rule.ts';

interface Learned {
  table: number;
  cookie: bigint;
}

export class Learners {
  /** How many learn actions with delete_learned there are for a table and cookie. */
  readonly #learners = new Map<string, number>();
  readonly #orphans = new Map<string, Learned>();

  /** So many flows with these settings have come, or gone. Keeps the books of cookies, and of those whose flows go with the last flow that learns them. */
  count(table: FlowTable, { cookie, actions }: RuleSettings, by: number): void {
    if (table.cookies !== undefined) add(table.cookies, cookie, by);
    for (const action of actions) {
      if (action.kind !== 'learn' || !action.deleteLearned) continue;
      const name = `${action.table}/${action.cookie}`;
      add(this.#learners, name, by);
      if (!this.#learners.has(name)) this.#orphans.set(name, { table: action.table, cookie: action.cookie });
    }
  }

  get hasOrphans(): boolean {
    return this.#orphans.size > 0;
  }

  /** Those that nobody learns any more; they are told once. */
  takeOrphans(): Learned[] {
    const gone = [...this.#orphans].filter(([name]) => !this.#learners.has(name)).map(([, learned]) => learned);
    this.#orphans.clear();
    return gone;
  }
}

function add<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
