// Where a database's transactions are kept, in order: the one seam between the engine and whatever holds the log, a file today, a replicated log later.
//
// A store holds entries at positions 0, 1, 2, ... Positions have meaning for the store that gave them, as long as it is open.
// - `append` takes a record only if it comes next: whoever decided on an older state is told where the log is now and must decide again.
// - What `append` said is durable survives the end of this process and of the machine; a record that is not may be lost, but never out of order:
//   what is there is always a prefix of what was appended.
// - `read` and `watch` give the same entries to everyone, each once and in order. A reader that asks for a position before the last snapshot is
//   given that snapshot, at the position of the last entry that it stands for, and goes on from there.
// - `snapshot` replaces all entries up to a position by one text that stands for them; readers and writers go on meanwhile.
// Every store must pass the tests of `log-store-contract.ts`.

/** One entry of a log: a record, or a snapshot that stands for all entries up to its position. */
export interface LogEntry {
  readonly position: number;
  readonly kind: 'record' | 'snapshot';
  /** JSON text. */
  readonly text: string;
}

/** What became of an append: the position of the new entry, or that of the next one if another came first. */
export type AppendOutcome =
  | { readonly isAppended: true; readonly position: number }
  | { readonly isAppended: false; readonly next: number };

export interface LogStore {
  /** The position that the next record will have. */
  next(): Promise<number>;
  /** Adds a record if `position` is next. A durable one is on stable storage when this resolves. */
  append(position: number, text: string, isDurable: boolean): Promise<AppendOutcome>;
  /** All entries from a position on that are there now. */
  read(from: number): AsyncIterable<LogEntry>;
  /** Calls `onEntry` for all entries from a position on, those to come too, until the returned function is called. */
  watch(from: number, onEntry: (entry: LogEntry) => void): () => void;
  /** Replaces all entries up to and with `position` by a text that stands for them. */
  snapshot(position: number, text: string): Promise<void>;
  close(): Promise<void>;
}
