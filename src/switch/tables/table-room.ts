// How many flows a table may hold, what happens when it is full, and who hears of it: the owner's limit (Flow_Table:flow_limit and
// overflow_policy) and what controllers set with OFPT_TABLE_MOD (eviction, vacancy events).
import { EVICT, type TableDesc, type TableSettings } from '../../openflow/table.ts';
import type { FlowTableRequest } from '../contract.ts';
import { EvictionIndex } from './eviction.ts';
import type { FlowRule } from './rule.ts';

/** What a table can hold when nobody sets a limit. */
export const MAX_ENTRIES = 1_000_000;

/** The owner's settings of a table; `maxFlows` undefined: MAX_ENTRIES. */
export type TableLimit = FlowTableRequest;

export const NO_LIMIT: TableLimit = { name: '', maxFlows: undefined, evicts: false, groups: [], prefixes: undefined };

export class TableRoom {
  limit: TableLimit = NO_LIMIT;
  #settings: TableSettings = {};
  #index: EvictionIndex | undefined;
  /** Which event comes next, when controllers want to hear. */
  #awaits: 'vacancy_down' | 'vacancy_up' = 'vacancy_down';

  get maxFlows(): number {
    return this.limit.maxFlows ?? MAX_ENTRIES;
  }

  get evicts(): boolean {
    return this.limit.evicts || this.#settings.evicts === true;
  }

  /** Takes over new settings; `rules` are those of the table. */
  configure(limit: TableLimit, rules: Iterable<FlowRule>): void {
    this.limit = limit;
    this.#index = undefined;
    this.#reindex(rules);
  }

  /** OFPT_TABLE_MOD of OpenFlow 1.4 on. */
  set(settings: TableSettings, rules: Iterable<FlowRule>, count: number): void {
    const evicted = this.#settings.evicts === true;
    this.#settings = { ...settings };
    // What eviction is to go by, when it is said, decides instead of the configuration's bit, as in the reference: "other" turns it on,
    // "importance" off, all else leaves it.
    const { evictionFlags } = settings;
    if (evictionFlags !== undefined)
      this.#settings.evicts = evictionFlags === EVICT.OTHER || (evictionFlags !== EVICT.IMPORTANCE && evicted);
    if (settings.tellsVacancy === true) {
      const { down, up } = settings.vacancy ?? { down: 0, up: 0 };
      this.#settings.vacancy = { down, up, now: 0 };
      this.#awaits = this.vacancy(count) < up ? 'vacancy_up' : 'vacancy_down';
    }
    this.#reindex(rules);
  }

  #reindex(rules: Iterable<FlowRule>): void {
    if (!this.evicts) this.#index = undefined;
    else if (this.#index === undefined) {
      this.#index = new EvictionIndex(this.limit.groups);
      for (const rule of rules) this.#index.add(rule);
    }
  }

  added(rule: FlowRule): void {
    this.#index?.add(rule);
  }

  removed(rule: FlowRule): void {
    this.#index?.remove(rule);
  }

  victim(): FlowRule | undefined {
    return this.#index?.victim();
  }

  /** Free entries in percent. */
  vacancy(count: number): number {
    return this.maxFlows === 0 ? 0 : Math.max(0, Math.floor(((this.maxFlows - count) * 100) / this.maxFlows));
  }

  describe(table: number, count: number): TableDesc {
    const { tellsVacancy = false, vacancy } = this.#settings;
    // Eviction that the configuration asked for is not told, as in the reference.
    const desc: TableDesc = { table, evicts: this.#settings.evicts === true, evictionFlags: EVICT.ALL, tellsVacancy };
    if (tellsVacancy && vacancy !== undefined) desc.vacancy = { ...vacancy, now: this.vacancy(count) };
    return desc;
  }

  /** Whether the table's filling has crossed a mark since it was last asked. */
  crossed(count: number): 'vacancy_down' | 'vacancy_up' | undefined {
    const { tellsVacancy, vacancy } = this.#settings;
    if (tellsVacancy !== true || vacancy === undefined) return undefined;
    const free = this.vacancy(count);
    if (this.#awaits === 'vacancy_down' && free < vacancy.down) {
      this.#awaits = 'vacancy_up';
      return 'vacancy_down';
    }
    if (this.#awaits === 'vacancy_up' && free > vacancy.up) {
      this.#awaits = 'vacancy_down';
      return 'vacancy_up';
    }
    return undefined;
  }
}
