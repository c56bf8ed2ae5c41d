// A database in memory: tables of immutable rows, with the counts and indexes that integrity needs. Only a commit changes it.
//
// Invariants between commits: strongCount of a row is the number of strong references to it from other rows; weakSources of a row
// names every row that has a weak reference to it.

import { randomUuid } from '../../base/cryptography.ts';
import { hashOrder } from '../../base/hash-order.ts';
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
  // Of several faults of a row the one is told whose column the reference comes by first.
  for (const name of hashOrder([...schema.columns.keys()])) {
    const column = schema.columns.get(name) as ColumnSchema;
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

/**
 * Calls `visit` for each reference that came (1) or went (-1) between two states of a row; a column left as it was costs nothing, however many
 * references it holds.
 */
export function visitChangedReferences(
  reference: Reference,
  before: Row | undefined,
  after: Row | undefined,
  visit: (uuid: string, sign: 1 | -1) => void,
): void {
  const at = reference.column.index;
  const was = before?.fields[at];
  const is = after?.fields[at];
  if (was === is) return;
  const old = (reference.part === 'keys' ? was?.keys : was?.values) ?? [];
  const now = (reference.part === 'keys' ? is?.keys : is?.values) ?? [];
  if (reference.part === 'values') {
    for (const uuid of old) visit(uuid as string, -1);
    for (const uuid of now) visit(uuid as string, 1);
    return;
  }
  // Keys are sorted. UUIDs are plain ASCII, so that the language's own order is theirs.
  let j = 0;
  for (let i = 0; i < old.length; i++) {
    const uuid = old[i] as string;
    while (j < now.length && (now[j] as string) < uuid) visit(now[j++] as string, 1);
    if (now[j] === uuid) j++;
    else visit(uuid, -1);
  }
  while (j < now.length) visit(now[j++] as string, 1);
}

/** The text by which an index knows a row: each atom with its length before it, so that no two lists give the same. */
export function indexText(fields: readonly Datum[], columns: readonly ColumnSchema[]): string {
  let text = '';
  for (const column of columns) text += datumKey(fields[column.index] as Datum);
  return text;
}

/** A text that is equal exactly for equal values of one column. */
export function datumKey({ keys, values }: Datum): string {
  let text = `${keys.length}`;
  for (const atom of keys) text += atomKey(atom);
  if (values !== undefined) for (const atom of values) text += atomKey(atom);
  return text;
}

function atomKey(atom: Atom): string {
  const text = typeof atom === 'string' ? atom : String(atom);
  return `,${text.length}:${text}`;
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
    for (const change of commit.changes) this.#forget(change);
    for (const change of commit.changes) this.#learn(change);
    for (const listener of this.listeners) listener(commit);
  }

  #forget({ table, uuid, before, after }: Change): void {
    if (before === undefined) return;
    if (after === undefined) table.rows.delete(uuid);
    for (let i = 0; i < table.indexes.length; i++) {
      const columns = table.schema.indexes[i] ?? [];
      if (after !== undefined && columns.every(({ index }) => before.fields[index] === after.fields[index])) continue;
      const index = table.indexes[i];
      const text = indexText(before.fields, columns);
      if (index?.get(text) === uuid) index.delete(text);
    }
    if (table.weakReferences.length > 0 && this.#changesWeak(table, before, after)) this.#countWeak(before, false);
  }

  #learn({ table, uuid, before, after }: Change): void {
    if (after !== undefined) {
      table.rows.set(uuid, after);
      for (let i = 0; i < table.indexes.length; i++) {
        const columns = table.schema.indexes[i] ?? [];
        if (before !== undefined && columns.every(({ index }) => before.fields[index] === after.fields[index])) continue;
        table.indexes[i]?.set(indexText(after.fields, columns), uuid);
      }
      if (table.weakReferences.length > 0 && this.#changesWeak(table, before, after)) this.#countWeak(after, true);
    }
    for (const reference of table.strongReferences) {
      const target = this.tables.get(reference.table);
      if (target === undefined) continue;
      visitChangedReferences(reference, before, after, (other, sign) => {
        // A row does not keep itself alive.
        if (other === uuid && target === table) return;
        const count = (target.strongCount.get(other) ?? 0) + sign;
        if (count === 0) target.strongCount.delete(other);
        else target.strongCount.set(other, count);
      });
    }
  }

  #changesWeak(table: Table, before: Row | undefined, after: Row | undefined): boolean {
    return table.weakReferences.some(({ column }) => before?.fields[column.index] !== after?.fields[column.index]);
  }

  /** Notes or forgets all weak references of a row: one name for however many columns point at the same row. */
  #countWeak(row: Row, isNew: boolean): void {
    for (const reference of row.table.weakReferences) {
      const target = this.tables.get(reference.table);
      if (target === undefined) continue;
      for (const atom of referencedUuids(row.fields, reference)) {
        const uuid = atom as string;
        let sources = target.weakSources.get(uuid);
        if (isNew) {
          if (sources === undefined) {
            sources = new Map();
            target.weakSources.set(uuid, sources);
          }
          sources.set(row.uuid, row.table);
        } else if (sources !== undefined) {
          sources.delete(row.uuid);
          if (sources.size === 0) target.weakSources.delete(uuid);
        }
      }
    }
  }
}

export const newUuid = randomUuid;
