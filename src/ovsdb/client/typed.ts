// The IDL with types: rows whose columns TypeScript knows, and transactions that are tried again when the database changed under them.
// The types of a database's tables are made from its schema by `schemaTypes` (`weft schema-types FILE`).
import { logger } from '../../base/log.ts';
import type { ColumnSchema } from '../engine/schema.ts';
import type { Atom, ColumnValue, Idl, IdlClause, IdlRow } from './idl.ts';
import type { Replica } from './replica.ts';
import type { ReplicaTransaction } from './replica-transaction.ts';

const log = logger('ovsdb_idl');

/** An OVSDB integer: a number while it is exact, else a bigint. */
export type Integer = number | bigint;

/** The columns of every table of a database, as `schemaTypes` writes them. */
export type TablesOf<Db> = { readonly [Table in keyof Db]: object };

type Name<T> = Extract<keyof T, string>;

/** A row as the replica, or a transaction, has it at this moment; it does not change later. */
export interface TypedRow<Columns> {
  readonly uuid: string;
  get<Column extends Name<Columns>>(column: Column): Columns[Column];
}

/** Columns to be set; an optional one becomes empty by `undefined`. */
export type RowValues<Columns> = { readonly [Column in Name<Columns>]?: Columns[Column] | undefined };

/** Part of a condition on a table's rows. */
export type TypedClause<Columns> = boolean | readonly [Name<Columns> | '_uuid', Exclude<IdlClause, boolean>[1], ColumnValue];

/** What the function given to `transact` works on. */
export interface TypedTransaction<Db extends TablesOf<Db>> {
  rows<Table extends Name<Db>>(table: Table): readonly TypedRow<Db[Table]>[];
  row<Table extends Name<Db>>(table: Table, uuid: string): TypedRow<Db[Table]> | undefined;
  /** Adds a row; what it gives may be used as a reference at once, and names the row in what `transact` returns. */
  insert<Table extends Name<Db>>(table: Table, values: RowValues<Db[Table]>): string;
  update<Table extends Name<Db>>(table: Table, uuid: string, values: RowValues<Db[Table]>): void;
  delete<Table extends Name<Db>>(table: Table, uuid: string): void;
  /** The commit happens only if these columns still hold what was read here; else the function runs again. */
  verify<Table extends Name<Db>>(table: Table, uuid: string, ...columns: Name<Db[Table]>[]): void;
  /** Adds elements or pairs to a column, or takes elements, pairs or keys out of it, without looking at what else it holds. */
  mutate<Table extends Name<Db>>(
    table: Table,
    uuid: string,
    column: Name<Db[Table]>,
    how: 'insert' | 'delete' | '+=' | '-=',
    value: ColumnValue,
  ): void;
  comment(text: string): void;
}

/** The server refused a transaction; `message` is its answer, as JSON. */
export class TransactionError extends Error {
  override readonly name = 'TransactionError';
}

class Row implements TypedRow<object> {
  readonly uuid: string;
  readonly #row: IdlRow;
  readonly #columns: ReadonlyMap<string, ColumnSchema>;

  constructor(row: IdlRow, columns: ReadonlyMap<string, ColumnSchema>) {
    this.uuid = row.uuid;
    this.#row = row;
    this.#columns = columns;
  }

  get(column: string): never {
    const type = this.#columns.get(column)?.type;
    if (type === undefined) throw new Error(`table ${this.#row.table} has no column ${column}`);
    const { key, value, min, max } = type;
    if (value !== undefined) return this.#row.map(column) as never;
    if (max !== 1) return this.#row.set(column) as never;
    const atom = this.#row.optional(column);
    // A column that an older server lacks reads as its default.
    if (atom === undefined && min === 1) return DEFAULTS[key.type] as never;
    return atom as never;
  }
}

const DEFAULTS: Readonly<Record<string, Atom>> = {
  integer: 0,
  real: 0,
  boolean: false,
  string: '',
  uuid: '00000000-0000-0000-0000-000000000000',
};

const toValue = (value: unknown): ColumnValue => (value === undefined ? [] : (value as ColumnValue));

/** A database's replica with types. */
export class TypedDatabase<Db extends TablesOf<Db>> {
  /** The IDL below, for what is not typed. */
  readonly idl: Idl;
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
    this.idl = replica;
  }

  #columns(table: string): ReadonlyMap<string, ColumnSchema> {
    return this.#replica.schema?.tables.get(table)?.columns ?? new Map();
  }

  rows<Table extends Name<Db>>(table: Table): readonly TypedRow<Db[Table]>[] {
    return this.#wrap(table, this.#replica.rows(table).values());
  }

  row<Table extends Name<Db>>(table: Table, uuid: string): TypedRow<Db[Table]> | undefined {
    return this.#wrap<Table>(table, [this.#replica.row(table, uuid)])[0];
  }

  #wrap<Table extends Name<Db>>(table: Table, rows: Iterable<IdlRow | undefined>): TypedRow<Db[Table]>[] {
    const columns = this.#columns(table);
    return [...rows].flatMap((row) => (row === undefined ? [] : [new Row(row, columns) as unknown as TypedRow<Db[Table]>]));
  }

  /** Calls `fn` after each batch of changes; the returned function stops that. */
  onChange(fn: () => void): () => void {
    return this.#replica.onChange(fn);
  }

  /** Resolves when the replica has its first contents. */
  async ready(): Promise<this> {
    while (!this.#replica.hasContent) await this.#replica.changed();
    return this;
  }

  /**
   * Runs `fn` on a transaction and commits it; runs it again, on what the replica holds by then, when a verified column changed or the connection
   * was lost. Gives what `fn` gave, with `uuidOf` to learn the UUIDs of inserted rows. Throws TransactionError, and `fn`'s own errors.
   */
  async transact<Result>(
    fn: (txn: TypedTransaction<Db>) => Result,
  ): Promise<{ result: Result; uuidOf: (inserted: string) => string | undefined }> {
    for (;;) {
      while (!this.#replica.isCurrent) await this.#replica.changed();
      const seen = this.#replica.changeNumber;
      const txn = this.#replica.begin();
      const result = fn(this.#typed(txn));
      const { status, error } = await txn.commit();
      if (status === 'success' || status === 'unchanged') return { result, uuidOf: (inserted) => txn.insertedUuid(inserted) };
      if (status !== 'try again') throw new TransactionError(status === 'error' ? error : status);
      log.dbg('transaction is tried again');
      while (this.#replica.changeNumber === seen || !this.#replica.isCurrent) await this.#replica.changed();
    }
  }

  #typed(txn: ReplicaTransaction): TypedTransaction<Db> {
    const set = (table: string, uuid: string, values: object): void => {
      for (const [column, value] of Object.entries(values)) txn.set(table, uuid, column, toValue(value));
    };
    return {
      rows: (table) => this.#wrap(table, txn.rows(table)),
      row: (table, uuid) => this.#wrap(table, [txn.row(table, uuid)])[0],
      insert: (table, values) => {
        const uuid = txn.insert(table);
        set(table, uuid, values);
        return uuid;
      },
      update: set,
      delete: (table, uuid) => txn.delete(table, uuid),
      verify: (table, uuid, ...columns) => {
        for (const column of columns) txn.verify(table, uuid, column);
      },
      mutate: (table, uuid, column, how, value) => txn.mutate(table, uuid, column, how, value),
      comment: (text) => txn.comment(text),
    };
  }

  /** Replicates the rows of a table for which one of the clauses holds, none for none; resolves when they are there. */
  setCondition<Table extends Name<Db>>(table: Table, clauses: readonly TypedClause<Db[Table]>[]): Promise<void> {
    return this.#replica.setCondition(table, clauses as readonly IdlClause[]);
  }

  close(): void {
    this.#replica.close();
  }
}
