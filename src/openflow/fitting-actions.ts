// Lists of actions that were found to fit matches which are alike in all that decides about it. Thousands of flows differ in addresses and
// ports alone and do the same few things: what holds for one of them holds for all.
import type { Action } from './action.ts';

/** How many are remembered. */
const LENGTH = 8;

export class FittingActions {
  readonly #lists: (readonly Action[] | undefined)[] = new Array(LENGTH).fill(undefined);
  /** The flow's table, which decides about goto_table. */
  readonly #tables = new Uint8Array(LENGTH);
  #next = 0;

  has(actions: readonly Action[], table: number): boolean {
    for (let i = 0; i < LENGTH; i++) if (this.#lists[i] === actions && this.#tables[i] === table) return true;
    return false;
  }

  /** `actions` must be a list that nobody changes. */
  add(actions: readonly Action[], table: number): void {
    this.#lists[this.#next] = actions;
    this.#tables[this.#next] = table;
    this.#next = (this.#next + 1) % LENGTH;
  }
}
