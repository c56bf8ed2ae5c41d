// The last transactions of a database, by the ids that its source gave them, so that a client that was away is told only what it missed
// (`monitor_cond_since`). Only relays have one: transactions of a standalone database have no ids that outlive a restart.
import { ZERO_UUID } from '../engine/atom.ts';
import type { Commit } from '../engine/database.ts';

/** As many as the reference keeps. */
const MAX_COMMITS = 100;

export class TransactionHistory {
  #lastId = ZERO_UUID;
  /** Each with the id that it led to; oldest first. */
  #commits: { id: string; before: string; commit: Commit | undefined }[] = [];

  /** The id of the newest transaction, zero when it has none. */
  get lastId(): string {
    return this.#lastId;
  }

  /** Notes a transaction; `commit` is undefined when it changed nothing that we have. */
  add(id: string, commit: Commit | undefined): void {
    if (id === this.#lastId) return;
    this.#commits.push({ id, before: this.#lastId, commit });
    this.#lastId = id;
    if (this.#commits.length > MAX_COMMITS) this.#commits.shift();
  }

  /** Forgets all: the contents were replaced as of `id`. */
  reset(id: string): void {
    this.#lastId = id;
    this.#commits = [];
  }

  /** What came after a transaction; undefined when that is not known. */
  since(id: string): Commit[] | undefined {
    if (id === ZERO_UUID) return undefined;
    if (id === this.#lastId) return [];
    const at = this.#commits.findIndex(({ before }) => before === id);
    if (at < 0) return undefined;
    return this.#commits.slice(at).flatMap(({ commit }) => (commit === undefined ? [] : [commit]));
  }
}
