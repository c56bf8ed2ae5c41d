// A database in memory: tables of immutable rows, with the counts and indexes that integrity needs. Only a commit changes it.
//
// Invariants between commits: strongCount of a row is the number of strong references to it from other rows; weakSources of a row
// names every row that has a weak reference to it.
import { cryptography } from '../../base/cryptography.ts';
import type { Atom } from './atom.ts';
import type { Datum } from './datum.ts';
import type { ColumnSchema, DatabaseSchema, TableSchema } from './schema.ts';
import type { BaseType } from './types.ts';

/** A row. `fields` are in the order of the table's `columnList`. */
export interface Row {
  readonly table: Table;
  readonly uuid: string;
  readonly fields: readonly Datum[];
}

/** A column whose atoms point at rows. */
export interface Reference {
  readonly column: ColumnSchema;
  readonly part: 'keys' | 'values';
  readonly table: string;
  readonly isStrong: boolean;
}

function referencesOf(schema: TableSchema): Reference[] {
  const found: Reference[] = [];
  const add = (column: ColumnSchema, part: 'keys' | 'values', base: BaseType | undefined): void => {
    if (base?.refTable !== undefined) found.push({ column, part, table: base.refTable, isStrong: base.refType !== 'weak' });
  };
  for (const column of schema.columnList) {
    add(column, 'keys', column.type.key);
    add(column, 'values', column.type.value);
  }
  return found;
}

export class Table {
  readonly schema: TableSchema;
  readonly rows = new Map<string, Row>();
  readonly references: readonly Reference[];
  readonly strongReferences: readonly Reference[];
  readonly weakReferences: readonly Reference[];
  /** Row -> strong references to it. */
  readonly strongCount = new Map<string, number>();
  /** Row -> rows with weak references to it, as UUID -> table. */
  readonly weakSources = new Map<string, Map<string, Table>>();
  /** One map for each index of the schema: the indexed values as text -> UUID. */
  readonly indexes: readonly Map<string, string>[];

  constructor(schema: TableSchema) {
    this.schema = schema;
    this.references = referencesOf(schema);
    this.strongReferences = this.references.filter((reference) => reference.isStrong);
    this.weakReferences = this.references.filter((reference) => !reference.isStrong);
    this.indexes = schema.indexes.map(() => new Map());
  }
}

/** The atoms of a row that a reference column holds. */
export function referencedUuids(fields: readonly Datum[], reference: Reference): readonly Atom[] {
  const datum = fields[reference.column.index] as Datum;
  return (reference.part === 'keys' ? datum.keys : datum.values) ?? [];
}

/** The text by which an index knows a row. */
export function indexText(fields: readonly Datum[], columns: readonly ColumnSchema[]): string {
  return JSON.stringify(
    columns.map((column) => {
      const { keys, values } = fields[column.index] as Datum;
      return [keys.map(String), values?.map(String)];
    }),
  );
}

/** A row before and after a commit. */
export interface Change {
  readonly table: Table;
  readonly uuid: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** All that one transaction changed. */
export interface Commit {
  readonly id: string;
  readonly changes: readonly Change[];
  readonly comment: string;
  readonly isDurable: boolean;
}

export class Database {
  schema: DatabaseSchema;
  tables: ReadonlyMap<string, Table>;
  /** Called with each commit after it was applied. */
  readonly listeners = new Set<(commit: Commit) => void>();
  /** Writes a commit down before it is applied; throws to refuse it. */
  store: ((commit: Commit) => void) | undefined;

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    this.tables = new Map([...schema.tables.values()].map((table) => [table.name, new Table(table)]));
  }

  /** Takes over the content of another database, at a conversion. */
  replaceWith(other: Database): void {
    this.schema = other.schema;
    this.tables = other.tables;
  }

  /** Makes the changes of a commit that has passed all checks. */
  apply(commit: Commit): void {
    for (const change of commit.changes) {
      if (change.before !== undefined) this.#forget(change.before);
    }
    for (const change of commit.changes) {
      if (change.after !== undefined) this.#learn(change.after);
    }
    for (const listener of this.listeners) listener(commit);
  }

  #forget(row: Row): void {
    const { table } = row;
    table.rows.delete(row.uuid);
    for (const [i, columns] of table.schema.indexes.entries()) {
      const index = table.indexes[i];
      const text = indexText(row.fields, columns);
      if (index?.get(text) === row.uuid) index.delete(text);
    }
    for (const reference of table.references) {
      const target = this.tables.get(reference.table);
      for (const atom of referencedUuids(row.fields, reference)) {
        const uuid = atom as string;
        if (reference.isStrong && uuid === row.uuid && target === table) continue;
        if (reference.isStrong) {
          const left = (target?.strongCount.get(uuid) ?? 0) - 1;
          if (left > 0) target?.strongCount.set(uuid, left);
          else target?.strongCount.delete(uuid);
        } else {
          const sources = target?.weakSources.get(uuid);
          sources?.delete(row.uuid);
          if (sources?.size === 0) target?.weakSources.delete(uuid);
        }
      }
    }
  }

  #learn(row: Row): void {
    const { table } = row;
    table.rows.set(row.uuid, row);
    for (const [i, columns] of table.schema.indexes.entries()) table.indexes[i]?.set(indexText(row.fields, columns), row.uuid);
    for (const reference of table.references) {
      const target = this.tables.get(reference.table);
      if (target === undefined) continue;
      for (const atom of referencedUuids(row.fields, reference)) {
        const uuid = atom as string;
        if (reference.isStrong && uuid === row.uuid && target === table) continue;
        if (reference.isStrong) {
          target.strongCount.set(uuid, (target.strongCount.get(uuid) ?? 0) + 1);
        } else {
          const sources = target.weakSources.get(uuid) ?? new Map<string, Table>();
          sources.set(row.uuid, table);
          target.weakSources.set(uuid, sources);
        }
      }
    }
  }
}

export const newUuid = (): string => cryptography().randomUUID();
