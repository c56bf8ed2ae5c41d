// The rows of a replica, and how updates from the server change them (RFC 7047 section 4.1.6, and `update2` of ovsdb-server(7)).
import { applyDiff, makeMap, makeSet, parseDatum } from '../engine/datum.ts';
import { OvsdbError } from '../engine/error.ts';
import type { ColumnSchema, DatabaseSchema, TableSchema } from '../engine/schema.ts';
import { type ColumnType, type Datum, defaultDatum } from '../engine/types.ts';
import { asObject, type Json, type JsonObject } from '../json/json.ts';
import type { Atom, ColumnValue, IdlRow } from './idl.ts';

/** A row of the replica or of a transaction's view of it. */
export class ReplicaRow implements IdlRow {
  readonly uuid: string;
  readonly table: string;
  readonly schema: TableSchema;
  readonly data: Map<string, Datum>;

  constructor(schema: TableSchema, uuid: string, data: Map<string, Datum>) {
    this.schema = schema;
    this.table = schema.name;
    this.uuid = uuid;
    this.data = data;
  }

  /** The column's value; a column that is not replicated, or unknown to an older server, is empty. */
  datum(column: string): Datum {
    const datum = this.data.get(column);
    if (datum !== undefined) return datum;
    if (column === '_uuid') return { keys: [this.uuid] };
    const type = this.schema.columns.get(column)?.type;
    return type === undefined ? { keys: [] } : defaultDatum(type);
  }

  scalar(column: string): Atom {
    const [atom] = this.datum(column).keys;
    if (atom === undefined) throw new Error(`${this.table}.${column} is empty`);
    return atom;
  }

  optional(column: string): Atom | undefined {
    return this.datum(column).keys[0];
  }

  set(column: string): readonly Atom[] {
    return this.datum(column).keys;
  }

  map(column: string): ReadonlyMap<Atom, Atom> {
    const { keys, values = [] } = this.datum(column);
    return new Map(keys.map((key, i) => [key, values[i] as Atom]));
  }
}

/** A column's value as the replica holds it. */
export function toDatum(value: ColumnValue, type: ColumnType): Datum {
  if (value instanceof Map) return makeMap([...(value as ReadonlyMap<Atom, Atom>)]);
  if (Array.isArray(value)) return type.value === undefined ? makeSet(value as readonly Atom[]) : { keys: [], values: [] };
  return { keys: [value as Atom] };
}

/** All rows that were replicated. */
export class ReplicaTables {
  readonly schema: DatabaseSchema;
  readonly #tables = new Map<string, Map<string, ReplicaRow>>();

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    for (const name of schema.tables.keys()) this.#tables.set(name, new Map());
  }

  rows(table: string): ReadonlyMap<string, ReplicaRow> {
    return this.#tables.get(table) ?? new Map();
  }

  clear(): void {
    for (const rows of this.#tables.values()) rows.clear();
  }

  /** Applies `<table-updates>` of the original monitor (`isDiff` false) or `<table-updates2>`. Throws OvsdbError; tells whether anything changed. */
  apply(updates: Json, isDiff: boolean): boolean {
    const tables = asObject(updates);
    if (tables === undefined) throw new OvsdbError('syntax error', '<table-updates> is not an object');
    let isChanged = false;
    for (const [name, rowsJson] of tables) {
      const schema = this.schema.tables.get(name);
      const rows = this.#tables.get(name);
      const updated = asObject(rowsJson);
      if (schema === undefined || rows === undefined || updated === undefined) continue;
      for (const [uuid, change] of updated) {
        const object = asObject(change);
        if (object === undefined) throw new OvsdbError('syntax error', '<row-update> is not an object');
        if (isDiff) applyRow2(schema, rows, uuid, object);
        else applyRow(schema, rows, uuid, object);
        isChanged = true;
      }
    }
    return isChanged;
  }
}

function parseColumns(schema: TableSchema, json: JsonObject, into: Map<string, Datum>): Map<string, Datum> {
  for (const [name, value] of json) {
    const column = schema.columns.get(name);
    // Constraints are the server's business: an enumeration may have grown since our schema.
    if (column !== undefined) into.set(name, parseDatum(value, loose(column)));
  }
  return into;
}

const looseTypes = new WeakMap<ColumnSchema, ColumnType>();

/** The column's type without limits, in which differences of any length can be read. */
function loose(column: ColumnSchema): ColumnType {
  let type = looseTypes.get(column);
  if (type === undefined) {
    const { key, value } = column.type;
    type = {
      key: { type: key.type },
      min: 0,
      max: Number.POSITIVE_INFINITY,
      ...(value === undefined ? {} : { value: { type: value.type } }),
    };
    looseTypes.set(column, type);
  }
  return type;
}

type Rows = Map<string, ReplicaRow>;

function applyRow(schema: TableSchema, rows: Rows, uuid: string, change: JsonObject): void {
  const next = asObject(change.get('new'));
  if (next === undefined) rows.delete(uuid);
  else rows.set(uuid, new ReplicaRow(schema, uuid, parseColumns(schema, next, new Map(rows.get(uuid)?.data))));
}

function applyRow2(schema: TableSchema, rows: Rows, uuid: string, change: JsonObject): void {
  const whole = asObject(change.get('initial')) ?? asObject(change.get('insert'));
  const modified = asObject(change.get('modify'));
  if (whole !== undefined) {
    rows.set(uuid, new ReplicaRow(schema, uuid, parseColumns(schema, whole, new Map())));
  } else if (modified !== undefined) {
    const before = rows.get(uuid);
    if (before === undefined) throw new OvsdbError('inconsistent data', `modified row ${uuid} of ${schema.name} is unknown`);
    const data = new Map(before.data);
    for (const [name, value] of modified) {
      const column = schema.columns.get(name);
      if (column !== undefined) data.set(name, applyDiff(before.datum(name), parseDatum(value, loose(column)), column.type));
    }
    rows.set(uuid, new ReplicaRow(schema, uuid, data));
  } else if (change.has('delete')) {
    rows.delete(uuid);
  } else {
    throw new OvsdbError('syntax error', '<row-update2> has no known member');
  }
}
