// The last transactions of a database, by the ids that its source gave them, so that a client that was away is told only what it missed
// (`monitor_cond_since`). Only relays have one: transactions of a standalone database have no ids that outlive a restart.
//
// As the reference has it, a history is no larger than what it is of: it holds at most 100 transactions, and older ones go while all of them together
// have more atoms, those of rows before and after, than the database.
import { ZERO_UUID } from '../engine/atom.ts';
import type { Commit, Row } from '../engine/database.ts';

const MAX_COMMITS = 100;

/** The keys and values in a row. */
function atomsOf(row: Row | undefined): number {
  let count = 0;
  for (const { keys, values } of row?.fields ?? []) count += keys.length + (values?.length ?? 0);
  return count;
}

export class TransactionHistory {
  #lastId = ZERO_UUID;
  /** Each with the id that it led to; oldest first. The contents that all began with are the first, without a commit. */
  #entries: { id: string; atoms: number; commit: Commit | undefined }[] = [];
  /** Of all entries, and of the database. */
  #atoms = 0;
  #databaseAtoms = 0;

  /** The id of the newest transaction, zero when it has none. */
  get lastId(): string {
    return this.#lastId;
  }

  /** How many transactions are remembered, and their atoms. */
  get size(): { transactions: number; atoms: number } {
    return { transactions: this.#entries.length, atoms: this.#atoms };
  }

  /** Notes a transaction; `commit` is undefined when it changed nothing that we have. */
  add(id: string, commit: Commit | undefined): void {
    this.#lastId = id;
    if (commit === undefined || commit.changes.length === 0) return;
    let atoms = 0;
    for (const { before, after } of commit.changes) {
      const [old, fresh] = [atomsOf(before), atomsOf(after)];
      atoms += old + fresh;
      this.#databaseAtoms += fresh - old;
    }
    this.#entries.push({ id, atoms, commit });
    this.#atoms += atoms;
    while (this.#entries.length > MAX_COMMITS || (this.#entries.length > 1 && this.#atoms > this.#databaseAtoms))
      this.#atoms -= this.#entries.shift()?.atoms ?? 0;
  }

  /** Forgets all: the contents were replaced as of `id` by these rows. */
  reset(id: string, rows: Iterable<Row> = []): void {
    this.#lastId = id;
    this.#atoms = 0;
    for (const row of rows) this.#atoms += atomsOf(row);
    this.#databaseAtoms = this.#atoms;
    this.#entries = [{ id, atoms: this.#atoms, commit: undefined }];
  }

  /** What came after a transaction; undefined when that is not known. */
  since(id: string): Commit[] | undefined {
    if (id === ZERO_UUID) return undefined;
    const at = this.#entries.findIndex((entry) => entry.id === id);
    if (at < 0) return undefined;
    return this.#entries.slice(at + 1).flatMap(({ commit }) => (commit === undefined ? [] : [commit]));
  }
}
