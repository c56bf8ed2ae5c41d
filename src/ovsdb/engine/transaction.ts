// A transaction: an overlay of changed rows on a database, and the numbered steps by which it becomes a commit.
//
//   1. drop rows that came out as they went in
//   2. count strong references; each must name a row that exists
//   3. collect garbage: rows of tables that are no root, that nothing refers to strongly
//   4. a deleted row must have no strong reference left
//   5. maxRows
//   6. drop weak references to rows that do not exist; a column must not become too small by that
//   7. indexes, over the final state
//   8. give changed rows a new `_version`

import { countsUuids } from '../../base/cryptography.ts';
import { uuidOrder } from '../../base/hash-order.ts';
import { ownText } from '../json/own-text.ts';
import { type Atom, ZERO_UUID } from './atom.ts';
import {
  type Change,
  type Commit,
  type Database,
  indexText,
  newUuid,
  type Reference,
  type Row,
  type Table,
  visitChangedReferences,
} from './database.ts';
import { type Datum, datumsEqual, filterDatum, holdsOne, ownDatum } from './datum.ts';
import { formatDatum } from './datum-text.ts';
import { constraintViolation, OvsdbError } from './error.ts';
import { type TableSchema, UUID_COLUMN, VERSION_COLUMN } from './schema.ts';
import { defaultDatum } from './types.ts';

interface Touched {
  readonly table: Table;
  readonly uuid: string;
  readonly before: Row | undefined;
  after: Row | undefined;
}

const defaults = new WeakMap<TableSchema, readonly Datum[]>();

/** The fields of a row that was given nothing; the first must be replaced. */
export function defaultFields(schema: TableSchema): readonly Datum[] {
  let fields = defaults.get(schema);
  if (fields === undefined) {
    fields = schema.columnList.map((column) => defaultDatum(column.type));
    defaults.set(schema, fields);
  }
  return fields;
}

/** The value of `_version` for a row that changed: drawn when somebody looks, which is rare. */
class Version implements Datum {
  #uuid: string | undefined;
  get keys(): readonly string[] {
    this.#uuid ??= newUuid();
    return [this.#uuid];
  }
  get values(): undefined {
    return undefined;
  }
}

export const versionDatum = (): Datum => (countsUuids() ? { keys: [newUuid()] } : new Version());

/** Gives a new row its version at once where somebody counts what is drawn: the reference draws it with the row's UUID. */
export function versionNewRow(fields: Datum[]): void {
  if (countsUuids()) fields[VERSION_COLUMN] = versionDatum();
}

/** The row as it is stored: with a new version, and nothing that holds on to the request it came in. */
function finishedRow(before: Row | undefined, { table, uuid, fields }: Row): Row {
  const defaults = before?.fields ?? defaultFields(table.schema);
  const own = before?.uuid ?? ownText(uuid);
  const finished = fields.slice();
  for (let i = 0; i < finished.length; i++) {
    const datum = finished[i] as Datum;
    if (i === VERSION_COLUMN) finished[i] = before === undefined && datum !== defaults[i] ? datum : versionDatum();
    else if (datum !== defaults[i]) finished[i] = ownDatum(i === UUID_COLUMN ? { keys: [own] } : datum);
  }
  return { table, uuid: own, fields: finished };
}

/** Rows in the order of a hash table that they were put into. */
const inRowOrder = (rows: ReadonlyMap<string, Touched>): Map<string, Touched> =>
  new Map(uuidOrder(rows.keys()).map((uuid) => [uuid, rows.get(uuid) as Touched]));

function sameFields(a: readonly Datum[], b: readonly Datum[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !datumsEqual(a[i] as Datum, b[i] as Datum)) return false;
  return true;
}

export class Transaction {
  readonly database: Database;
  readonly #touched = new Map<Table, Map<string, Touched>>();
  readonly #comments: string[] = [];
  isDurable = false;
  readonly #isStored: boolean;

  /** `isStored`: rows are put as they are to be stored, each with a version of its own, and hold on to nothing else. */
  constructor(database: Database, { isStored = false } = {}) {
    this.database = database;
    this.#isStored = isStored;
  }

  comment(text: string): void {
    this.#comments.push(text);
  }

  get(table: Table, uuid: string): Row | undefined {
    const touched = this.#touched.get(table)?.get(uuid);
    return touched === undefined ? table.rows.get(uuid) : touched.after;
  }

  /** Whether the UUID stands for a row now, or did before this transaction deleted it. */
  isKnown(table: Table, uuid: string): boolean {
    return table.rows.has(uuid) || this.#touched.get(table)?.has(uuid) === true;
  }

  /** Calls `visit` for each row of a table as it stands now. */
  scan(table: Table, visit: (row: Row) => void): void {
    const touched = this.#touched.get(table);
    if (touched === undefined) {
      for (const row of table.rows.values()) visit(row);
      return;
    }
    for (const row of table.rows.values()) if (!touched.has(row.uuid)) visit(row);
    for (const { after } of touched.values()) if (after !== undefined) visit(after);
  }

  /** The rows as they stand now whose column holds one atom, this one. */
  findAtom(table: Table, index: number, atom: Atom): Row[] {
    const touched = this.#touched.get(table);
    const found: Row[] = [];
    for (const row of table.rows.values()) {
      const datum = row.fields[index] as Datum;
      if (datum.atom === undefined ? !holdsOne(datum, atom) : datum.atom !== atom) continue;
      if (touched?.has(row.uuid) !== true) found.push(row);
    }
    if (touched !== undefined) {
      for (const { after } of touched.values()) if (after !== undefined && holdsOne(after.fields[index] as Datum, atom)) found.push(after);
    }
    return found;
  }

  /** Calls `visit` for the row that an index has under a text, and those that this transaction touched. */
  scanIndex(table: Table, index: number, text: string, visit: (row: Row) => void): void {
    const touched = this.#touched.get(table);
    const uuid = table.indexes[index]?.get(text);
    const row = uuid === undefined || touched?.has(uuid) === true ? undefined : table.rows.get(uuid);
    if (row !== undefined) visit(row);
    if (touched !== undefined) for (const { after } of touched.values()) if (after !== undefined) visit(after);
  }

  /** Inserts a row, changes it (all fields given anew) or deletes it (no fields). */
  put(table: Table, uuid: string, fields: readonly Datum[] | undefined): void {
    let rows = this.#touched.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#touched.set(table, rows);
    }
    const after = fields === undefined ? undefined : { table, uuid, fields };
    const touched = rows.get(uuid);
    if (touched === undefined) rows.set(uuid, { table, uuid, before: table.rows.get(uuid), after });
    else touched.after = after;
  }

  /** Checks everything and commits; undefined when nothing changed. */
  commit(): Commit | undefined {
    const commit = this.prepare();
    if (commit === undefined) return undefined;
    this.database.store?.(commit);
    this.database.apply(commit);
    return commit;
  }

  /** The steps above, without applying the outcome. */
  prepare(): Commit | undefined {
    try {
      return this.#check();
    } catch (error) {
      if (!(error instanceof OvsdbError)) throw error;
      // Of several faults the one is told that the reference comes by first. What was collected until here stays so, and has no fault.
      for (const [table, rows] of this.#touched) this.#touched.set(table, inRowOrder(rows));
      return this.#check();
    }
  }

  #check(): Commit | undefined {
    this.#dropUnchanged();
    const isCollected = this.#checkReferences();
    this.#checkMaxRows();
    if (this.#assessWeakReferences() || isCollected) this.#dropVanished();
    this.#checkIndexes();
    const changes: Change[] = [];
    for (const rows of this.#touched.values()) {
      for (const { table, uuid, before, after } of rows.values()) {
        changes.push({ table, uuid, before, after: after === undefined || this.#isStored ? after : finishedRow(before, after) });
      }
    }
    if (changes.length === 0) return undefined;
    return { changes, comment: this.#comments.join('\n'), isDurable: this.isDurable };
  }

  /** All rows that this transaction has put so far. */
  #all(): Touched[] {
    const all: Touched[] = [];
    for (const rows of this.#touched.values()) for (const touched of rows.values()) all.push(touched);
    return all;
  }

  #dropUnchanged(): void {
    for (const rows of this.#touched.values()) {
      for (const [uuid, { before, after }] of rows) {
        if (before === after) rows.delete(uuid);
        else if (before !== undefined && after !== undefined && sameFields(before.fields, after.fields)) rows.delete(uuid);
      }
    }
  }

  /** Rows that this transaction made and that did not last. A row that lost what was put into it stays: in the reference it has a new version. */
  #dropVanished(): void {
    for (const rows of this.#touched.values()) {
      for (const [uuid, { before, after }] of rows) if (before === undefined && after === undefined) rows.delete(uuid);
    }
  }

  /** Whether no row touched has strong references, is held by one or needs one: there is nothing to count and to collect then. */
  #standAlone(): boolean {
    for (const { schema, strongReferences, strongCount } of this.#touched.keys()) {
      if (!schema.isRoot || strongReferences.length > 0 || strongCount.size > 0) return false;
    }
    return true;
  }

  /** Gives whether rows changed by it. */
  #checkReferences(): boolean {
    if (this.#standAlone()) return false;
    let isChanged = false;
    const deltas = new Map<Table, Map<string, number>>();
    const count = (
      table: Table,
      row: string,
      before: Row | undefined,
      after: Row | undefined,
      visit?: (table: Table, uuid: string) => void,
    ) => {
      for (const reference of table.strongReferences) {
        const target = this.database.tables.get(reference.table) as Table;
        visitChangedReferences(reference, before, after, (uuid, sign) => {
          if (sign > 0 && !this.#exists(target, uuid)) this.#dangles(table, reference, row, uuid);
          // A row does not keep itself alive.
          if (uuid === row && target === table) return;
          let map = deltas.get(target);
          if (map === undefined) {
            map = new Map();
            deltas.set(target, map);
          }
          map.set(uuid, (map.get(uuid) ?? 0) + sign);
          visit?.(target, uuid);
        });
      }
    };
    const all = this.#all();
    for (const { table, uuid, before, after } of all) count(table, uuid, before, after);
    const strong = (table: Table, uuid: string): number => (table.strongCount.get(uuid) ?? 0) + (deltas.get(table)?.get(uuid) ?? 0);

    for (const { table, uuid, after } of all) {
      const left = after === undefined ? strong(table, uuid) : 0;
      if (left > 0)
        throw new OvsdbError(
          'referential integrity violation',
          `cannot delete ${table.schema.name} row ${uuid} because of ${left} remaining reference(s)`,
        );
    }
    const candidates: [Table, string][] = [];
    for (const { table, uuid } of all) candidates.push([table, uuid]);
    for (const [table, map] of deltas) for (const uuid of map.keys()) candidates.push([table, uuid]);
    for (let next = candidates.pop(); next !== undefined; next = candidates.pop()) {
      const [table, uuid] = next;
      const row = table.schema.isRoot || strong(table, uuid) > 0 ? undefined : this.get(table, uuid);
      if (row === undefined) continue;
      this.put(table, uuid, undefined);
      isChanged = true;
      count(table, uuid, row, undefined, (target, other) => candidates.push([target, other]));
    }
    return isChanged;
  }

  /** Whether the UUID is that of a row; one deleted here counts, for that has an error of its own. */
  #exists(table: Table, uuid: string): boolean {
    return table.rows.has(uuid) || this.#touched.get(table)?.has(uuid) === true;
  }

  #dangles(table: Table, reference: Reference, row: string, uuid: string): never {
    throw new OvsdbError(
      'referential integrity violation',
      `Table ${table.schema.name} column ${reference.column.name} row ${row} references nonexistent row ${uuid} in table ${reference.table}.`,
    );
  }

  /** Whether a row touched has weak references or is named by one. */
  #hasWeak(): boolean {
    for (const { weakReferences, weakSources } of this.#touched.keys()) if (weakReferences.length > 0 || weakSources.size > 0) return true;
    return false;
  }

  #assessWeakReferences(): boolean {
    if (!this.#hasWeak()) return false;
    let isChanged = false;
    const suspects: Row[] = [];
    for (const { table, uuid, before, after } of this.#all()) {
      if (after !== undefined) {
        if (table.weakReferences.some(({ column: { index } }) => before?.fields[index] !== after.fields[index])) suspects.push(after);
        continue;
      }
      for (const [source, sourceTable] of table.weakSources.get(uuid) ?? []) {
        const row = this.get(sourceTable, source);
        if (row !== undefined) suspects.push(row);
      }
    }
    for (const { table, uuid } of suspects) {
      for (const reference of table.weakReferences) {
        const row = this.get(table, uuid);
        if (row !== undefined && this.#dropWeak(row, reference)) isChanged = true;
      }
    }
    return isChanged;
  }

  #dropWeak(row: Row, reference: Reference): boolean {
    const target = this.database.tables.get(reference.table) as Table;
    const { column } = reference;
    const datum = row.fields[column.index] as Datum;
    let sawZero = false;
    const kept = filterDatum(datum, (key, value) => {
      const uuid = (reference.part === 'keys' ? key : value) as string;
      if (uuid === ZERO_UUID) sawZero = true;
      return this.get(target, uuid) !== undefined;
    });
    if (kept === datum) return false;
    if (kept.keys.length < column.type.min) {
      const where = `column "${column.name}" in "${row.table.schema.name}" row ${row.uuid}${this.#history(row)}`;
      throw constraintViolation(
        sawZero
          ? `Weak reference ${where} contained all-zeros UUID (probably as the default value for this column) but deleting this value caused a constraint volation because this column is not allowed to be empty.`
          : `Deletion of ${datum.keys.length - kept.keys.length} weak reference(s) to deleted (or never-existing) rows from ${where} caused this column to become empty, but constraints on this column disallow an empty column.`,
      );
    }
    this.put(row.table, row.uuid, row.fields.with(column.index, kept));
    return true;
  }

  /** The reference says of rows that were inserted where they come from, and nothing of others. */
  #history(row: Row): string {
    const touched = this.#touched.get(row.table)?.get(row.uuid);
    return touched !== undefined && touched.before === undefined ? ' (inserted within this transaction)' : '';
  }

  #checkMaxRows(): void {
    for (const [table, rows] of this.#touched) {
      const limit = table.schema.maxRows;
      if (limit === Number.POSITIVE_INFINITY) continue;
      let length = table.rows.size;
      let before = 0;
      for (const touched of rows.values()) {
        if (touched.before !== undefined) before++;
        length += (touched.after === undefined ? 0 : 1) - (touched.before === undefined ? 0 : 1);
      }
      if (length > limit && (length > table.rows.size || before > 0)) {
        throw constraintViolation(
          `transaction causes "${table.schema.name}" table to contain ${length} rows, greater than the schema-defined limit of ${limit} row(s)`,
        );
      }
    }
  }

  #checkIndexes(): void {
    for (const [table, rows] of this.#touched) {
      if (table.schema.indexes.length === 0) continue;
      for (const [i, columns] of table.schema.indexes.entries()) {
        const fresh = new Map<string, Row>();
        for (const { after } of rows.values()) {
          if (after === undefined) continue;
          const text = indexText(after.fields, columns);
          const uuid = table.indexes[i]?.get(text);
          const old = uuid === undefined || rows.has(uuid) ? undefined : table.rows.get(uuid);
          const other = fresh.get(text) ?? old;
          // Which is named first is chance in the reference.
          if (other !== undefined) this.#duplicate(table, other, after, i);
          fresh.set(text, after);
        }
      }
    }
  }

  #duplicate(table: Table, first: Row, second: Row, index: number): never {
    const columns = table.schema.indexes[index] ?? [];
    const valuesOf = (row: Row): string[] => columns.map((column) => formatDatum(row.fields[column.index] as Datum, column.type));
    const values = valuesOf(first);
    const names = columns.map((column) => `"${column.name}"`);
    const list = (words: string[]): string =>
      words.length < 3 ? words.join(' and ') : `${words.slice(0, -1).join(', ')}, and ${words.at(-1)}`;
    const history = (row: Row): string => {
      const touched = this.#touched.get(table)?.get(row.uuid);
      if (touched === undefined) return 'existed in the database before this transaction and was not modified by the transaction';
      if (touched.before === undefined) return 'was inserted by this transaction';
      const { before } = touched;
      if (columns.every((column) => datumsEqual(before.fields[column.index] as Datum, row.fields[column.index] as Datum)))
        return "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index";
      return `had the following index values before the transaction: ${list(valuesOf(before))}`;
    };
    const word = columns.length === 1 ? 'column' : 'columns';
    throw constraintViolation(
      `Transaction causes multiple rows in "${table.schema.name}" table to have identical values (${list(values)}) for index on ${word} ${list(names)}.  ` +
        `First row, with UUID ${first.uuid}, ${history(first)}.  Second row, with UUID ${second.uuid}, ${history(second)}.`,
    );
  }
}
