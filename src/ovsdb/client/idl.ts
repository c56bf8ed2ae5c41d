// The client side of OVSDB: an in-memory replica of the columns asked for, kept current by monitor updates, and transactions on it.
// This file is the contract that ovs-vsctl and ovs-vswitchd stand on; the implementation is in `replica.ts`.
import type { DatabaseSchema } from '../engine/schema.ts';

/** An OVSDB integer is a number while it is exact, else a bigint. A UUID is its text. */
export type Atom = number | bigint | boolean | string;

/** What a column may be given: one atom, a set, or a map. */
export type ColumnValue = Atom | readonly Atom[] | ReadonlyMap<Atom, Atom>;

export interface IdlRow {
  readonly uuid: string;
  readonly table: string;
  /** The only atom of a column that holds exactly one. */
  scalar(column: string): Atom;
  /** The only atom, or undefined when the column is empty. */
  optional(column: string): Atom | undefined;
  /** The atoms of a set, sorted; a scalar is a set of one. */
  set(column: string): readonly Atom[];
  map(column: string): ReadonlyMap<Atom, Atom>;
}

export type CommitStatus = 'unchanged' | 'incomplete' | 'aborted' | 'success' | 'try again' | 'not locked' | 'error';

export interface CommitResult {
  status: CommitStatus;
  /** For `error`: the server's text, as JSON. */
  error: string;
}

/** A transaction: reads go to the replica, writes are gathered and sent as one. Rows inserted here may be named in later calls by what `insert` gave. */
export interface IdlTransaction {
  /** Adds a row; gives the name (a UUID that becomes the row's own) by which it can be referred to. */
  insert(table: string, columns?: Readonly<Record<string, ColumnValue>>, uuid?: string): string;
  set(table: string, uuid: string, column: string, value: ColumnValue): void;
  delete(table: string, uuid: string): void;
  /** The commit fails with `try again` if the column no longer holds what the replica held. */
  verify(table: string, uuid: string, column: string): void;
  mutate(table: string, uuid: string, column: string, mutator: string, value: ColumnValue): void;
  /** Adds 1 to an integer column; its new value is in `incremented` after success. */
  increment(table: string, uuid: string, column: string): void;
  readonly incremented: number;
  comment(text: string): void;
  /** The operations that would be sent, as JSON text. */
  readonly operations: readonly unknown[];
  commit(): Promise<CommitResult>;
  /** UUID that the server gave to an inserted row. */
  insertedUuid(name: string): string | undefined;
}

/** Part of a condition: a row is in the replica if one of them holds for it. */
export type IdlClause =
  | boolean
  | readonly [column: string, how: '==' | '!=' | '<' | '<=' | '>' | '>=' | 'includes' | 'excludes', value: ColumnValue];

export interface IdlOptions {
  /** Connection methods, tried in turn: `unix:PATH`, `tcp:IP:PORT`, `ssl:IP:PORT`. */
  remotes: readonly string[];
  database: string;
  /** Tables and columns to replicate; 'all' columns of a table, or 'all' tables. */
  tables: 'all' | ReadonlyMap<string, 'all' | readonly string[]>;
  /** Which rows of a table to replicate, where not all; `Idl.setCondition` changes it. Servers older than `monitor_cond` give all. */
  conditions?: ReadonlyMap<string, readonly IdlClause[]>;
  /** The schema that the server very likely has: it is asked for its own only if it knows a table or column less. */
  assumedSchema?: DatabaseSchema;
  /** A lock to hold, e.g. `ovs_vswitchd`. */
  lock?: string;
  /** Only a server that may write will do: the leader of a cluster, no relay. True where it is not said. */
  mustLead?: boolean;
  /** `false`: connect to each server once and fail, instead of for ever. */
  retry?: boolean;
  probeIntervalMs?: number;
}

/** Made by `connectIdl` in `replica.ts`. */
export interface Idl {
  readonly isConnected: boolean;
  /** The replica has been filled at least once since the connection was made. */
  readonly hasContent: boolean;
  /** The replica has been filled on the connection of now: what it holds is not older than that, and transactions can be sent. */
  readonly isCurrent: boolean;
  /** True unless another session has the lock that we asked for. */
  readonly isLockContended: boolean;
  readonly hasLock: boolean;
  /** Goes up with each change of the replica, of the connection or of the lock. */
  readonly changeNumber: number;
  /** The text of the last connection failure. */
  readonly lastError: string;
  rows(table: string): ReadonlyMap<string, IdlRow>;
  row(table: string, uuid: string): IdlRow | undefined;
  begin(): IdlTransaction;
  /** Replicates the rows of a table for which one of the clauses holds, none for none. Resolves when the replica has them; rejects if the server refuses. */
  setCondition(table: string, clauses: readonly IdlClause[]): Promise<void>;
  /** Calls `fn` after each batch of changes; the returned function stops that. */
  onChange(fn: () => void): () => void;
  /** Resolves at the next change, or rejects when `retry` is false and the connection fails. */
  changed(): Promise<void>;
  close(): void;
}
