// Database schemas: RFC 7047 section 3.2 `<database-schema>`, `<table-schema>`, `<column-schema>`.

import { hashOrder } from '../../base/hash-order.ts';
import { type Json, type JsonObject, jsonObject } from '../json/json.ts';
import { compareText } from '../json/json-format.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isId, ObjectParser } from './object-parser.ts';
import { columnTypeToJson, MAX_COUNT, parseColumnType } from './type-json.ts';
import { type BaseType, type ColumnType, scalarType } from './types.ts';

export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
  readonly isMutable: boolean;
  readonly isPersistent: boolean;
  /** Its place in a row's fields. */
  readonly index: number;
}

export interface TableSchema {
  readonly name: string;
  /** All columns, `_uuid` and `_version` first. */
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  readonly columnList: readonly ColumnSchema[];
  readonly isMutable: boolean;
  readonly isRoot: boolean;
  readonly maxRows: number;
  readonly indexes: readonly (readonly ColumnSchema[])[];
}

export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly cksum: string;
  readonly tables: ReadonlyMap<string, TableSchema>;
}

export const UUID_COLUMN = 0;
export const VERSION_COLUMN = 1;

/** `x.y.z` of decimal numbers. */
export function isVersion(text: string): boolean {
  return /^\d+\.\d+\.\d+$/.test(text);
}

function parseColumn(json: Json, name: string, index: number): ColumnSchema {
  const parser = new ObjectParser(json, `schema for column ${name}`);
  const isMutable = (parser.optional('mutable', 'boolean') ?? true) === true;
  const isEphemeral = parser.optional('ephemeral', 'boolean') === true;
  const type = parser.required('type', 'string', 'object');
  parser.finish();
  return { name, type: parseColumnType(type), isMutable, isPersistent: !isEphemeral, index };
}

function parseTable(json: Json, name: string, order: Order = (names) => names): TableSchema {
  const parser = new ObjectParser(json, `table schema for table ${name}`);
  const columnsJson = parser.required('columns', 'object') as JsonObject;
  const isMutable = (parser.optional('mutable', 'boolean') ?? true) === true;
  const maxRows = parser.optional('maxRows', 'integer');
  const isRoot = parser.optional('isRoot', 'boolean') === true;
  const indexes = parser.optional('indexes', 'array') as Json[] | undefined;
  parser.finish();
  if (maxRows !== undefined && Number(maxRows) <= 0) throw syntaxError(json, 'maxRows must be at least 1');
  if (columnsJson.size === 0) throw syntaxError(json, 'table must have at least one column');
  const columns = new Map<string, ColumnSchema>([
    ['_uuid', { name: '_uuid', type: scalarType('uuid'), isMutable: false, isPersistent: true, index: UUID_COLUMN }],
    ['_version', { name: '_version', type: scalarType('uuid'), isMutable: false, isPersistent: false, index: VERSION_COLUMN }],
  ]);
  for (const column of order([...columnsJson.keys()])) {
    if (column.startsWith('_')) throw syntaxError(json, `names beginning with "_" are reserved`);
    if (!isId(column)) throw syntaxError(json, 'name must be a valid id');
    columns.set(column, parseColumn(columnsJson.get(column) as Json, column, columns.size));
  }
  return {
    name,
    columns,
    columnList: [...columns.values()],
    isMutable,
    isRoot,
    maxRows: maxRows === undefined || Number(maxRows) >= MAX_COUNT ? Number.POSITIVE_INFINITY : Number(maxRows),
    indexes: (indexes ?? []).map((index) => parseIndex(index, columns, name, json)),
  };
}

function parseIndex(json: Json, columns: ReadonlyMap<string, ColumnSchema>, table: string, tableJson: Json): ColumnSchema[] {
  const index = parseColumnSet(json, columns, table);
  if (index.length === 0) throw syntaxError(tableJson, 'index must have at least one column');
  for (const column of index) {
    if (!column.isPersistent) throw syntaxError(tableJson, `ephemeral columns (such as ${column.name}) may not be indexed`);
  }
  return index;
}

/** Parses an array of distinct column names. */
export function parseColumnSet(json: Json, columns: ReadonlyMap<string, ColumnSchema>, _table: string): ColumnSchema[] {
  if (!Array.isArray(json)) throw syntaxError(json, 'array of distinct column names expected');
  const set = json.map((name) => {
    if (typeof name !== 'string') throw syntaxError(json, 'array of distinct column names expected');
    const column = columns.get(name);
    if (column === undefined) throw syntaxError(json, `${name} is not a valid column name`);
    return column;
  });
  if (new Set(set).size !== set.length) throw syntaxError(json, 'array of distinct column names expected');
  return set;
}

/** Parses a schema; throws OvsdbError. */
export function parseSchema(json: Json): DatabaseSchema {
  try {
    return readSchema(json, (names) => names);
  } catch {
    // Of several faults the one is told that the reference comes by first.
    return readSchema(json, hashOrder);
  }
}

/** The order in which members of the same object are looked at. */
type Order = (names: readonly string[]) => readonly string[];

function readSchema(json: Json, order: Order): DatabaseSchema {
  const parser = new ObjectParser(json, 'database schema');
  const name = parser.required('name', 'id') as string;
  const version = parser.optional('version', 'string') as string | undefined;
  const cksum = (parser.optional('cksum', 'string') ?? '') as string;
  const tablesJson = parser.required('tables', 'object') as JsonObject;
  parser.optional('$schema', 'string');
  parser.finish();
  if (version !== undefined && !isVersion(version)) throw syntaxError(json, `schema version "${version}" not in format x.y.z`);
  const tables = new Map<string, TableSchema>();
  for (const table of order([...tablesJson.keys()])) {
    if (table.startsWith('_')) throw syntaxError(json, `names beginning with "_" are reserved`);
    if (!isId(table)) throw syntaxError(json, 'name must be a valid id');
    tables.set(table, parseTable(tablesJson.get(table) as Json, table, order));
  }
  for (const name of order([...tables.keys()])) {
    const { columns } = tables.get(name) as TableSchema;
    for (const name of order([...columns.keys()])) {
      const column = columns.get(name) as ColumnSchema;
      for (const part of ['key', 'value'] as const) checkReference(column.type[part], column, tables, part);
    }
  }
  const rooted = withRoots(tables);
  for (const { columns } of rooted.values()) for (const column of columns.values()) settleReferences(column, rooted);
  return { name, version: version ?? '', cksum, tables: rooted };
}

/**
 * A column that may be all that keeps a row alive is kept on disk whatever the schema says, or the row would be gone when the log is read again; a weak
 * reference goes with its row, so that its column can change.
 */
function settleReferences(
  column: { -readonly [K in keyof ColumnSchema]: ColumnSchema[K] },
  tables: ReadonlyMap<string, TableSchema>,
): void {
  for (const { refTable, refType } of [column.type.key, column.type.value ?? column.type.key]) {
    if (refTable === undefined) continue;
    if (refType === 'weak') column.isMutable = true;
    else if (tables.get(refTable)?.isRoot === false) column.isPersistent = true;
  }
}

/**
 * A schema known to be sound, such as the one we ship, from what `JSON.parse` made of it: each table is parsed when it is first asked for,
 * so that a tool that needs four of them does not pay for all.
 */
export function lazySchema(plain: Readonly<Record<string, unknown>>, needs: SchemaNeeds = 'all'): DatabaseSchema {
  const tables = plain['tables'] as Readonly<Record<string, unknown>>;
  const { name, version, cksum } = plain as { name: string; version: string; cksum: string };
  return { name, version: version ?? '', cksum, tables: new LazyTables(Object.entries(tables), needs) };
}

/** Columns wanted, by table; a table that is not named has all of its columns. */
export type SchemaNeeds = 'all' | ReadonlyMap<string, 'all' | readonly string[]>;

class LazyTables implements ReadonlyMap<string, TableSchema> {
  readonly #sources: ReadonlyMap<string, unknown>;
  readonly #parsed = new Map<string, TableSchema>();

  readonly #needs: SchemaNeeds;

  constructor(sources: Iterable<readonly [string, unknown]>, needs: SchemaNeeds) {
    this.#sources = new Map(sources);
    this.#needs = needs;
  }
  get size(): number {
    return this.#sources.size;
  }
  get(name: string): TableSchema | undefined {
    let table = this.#parsed.get(name);
    const source = this.#sources.get(name);
    if (table === undefined && source !== undefined) {
      table = parseTable(fromPlain(this.#narrowed(name, source as PlainTable)), name);
      this.#parsed.set(name, table);
    }
    return table;
  }
  has(name: string): boolean {
    return this.#sources.has(name);
  }
  #narrowed(name: string, source: PlainTable): unknown {
    const wanted = this.#needs === 'all' ? 'all' : (this.#needs.get(name) ?? 'all');
    if (wanted === 'all') return source;
    const columns = Object.fromEntries(wanted.map((column) => [column, source.columns[column]]));
    // An index may be over columns that were left out; a client needs none.
    return { columns, isRoot: source.isRoot === true };
  }
  keys(): MapIterator<string> {
    return this.#sources.keys();
  }
  values(): MapIterator<TableSchema> {
    return this.#all().values();
  }
  entries(): MapIterator<[string, TableSchema]> {
    return this.#all().entries();
  }
  [Symbol.iterator](): MapIterator<[string, TableSchema]> {
    return this.entries();
  }
  forEach(fn: (value: TableSchema, key: string, map: ReadonlyMap<string, TableSchema>) => void): void {
    for (const [name, table] of this) fn(table, name, this);
  }
  #all(): Map<string, TableSchema> {
    return new Map([...this.keys()].map((name) => [name, this.get(name) as TableSchema]));
  }
}

interface PlainTable {
  columns: Record<string, unknown>;
  isRoot?: boolean;
}

function fromPlain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== 'object' || value === null) return value as Json;
  return new Map(Object.entries(value).map(([name, member]) => [name, fromPlain(member)]));
}

function checkReference(base: BaseType | undefined, column: ColumnSchema, tables: ReadonlyMap<string, TableSchema>, kind: string): void {
  if (base?.refTable === undefined) return;
  const target = tables.get(base.refTable);
  if (target === undefined) throw syntaxError(undefined, `column ${column.name} ${kind} refers to undefined table ${base.refTable}`);
}

/** A schema that says nothing of roots is from before garbage collection: each table is one. */
function withRoots(tables: Map<string, TableSchema>): ReadonlyMap<string, TableSchema> {
  if ([...tables.values()].some((table) => table.isRoot)) return tables;
  return new Map([...tables].map(([name, table]) => [name, { ...table, isRoot: true }]));
}

/** A column of a schema as JSON. */
export function columnToJson(column: ColumnSchema): JsonObject {
  return jsonObject({
    type: columnTypeToJson(column.type),
    mutable: column.isMutable ? undefined : false,
    ephemeral: column.isPersistent ? undefined : true,
  });
}

/** The schema as JSON, members as `get_schema` gives them. */
export function schemaToJson(schema: DatabaseSchema): JsonObject {
  const hasRoots = [...schema.tables.values()].some((table) => !table.isRoot);
  const tables: JsonObject = new Map();
  for (const name of [...schema.tables.keys()].sort(compareText)) {
    const table = schema.tables.get(name) as TableSchema;
    const columns: JsonObject = new Map();
    for (const column of table.columnList.slice(2)) {
      columns.set(column.name, columnToJson(column));
    }
    tables.set(
      name,
      jsonObject({
        mutable: table.isMutable ? undefined : false,
        columns,
        maxRows: table.maxRows === Number.POSITIVE_INFINITY ? undefined : table.maxRows,
        isRoot: hasRoots && table.isRoot ? true : undefined,
        indexes: table.indexes.length === 0 ? undefined : table.indexes.map((index) => index.map((column) => column.name)),
      }),
    );
  }
  return jsonObject({
    name: schema.name,
    version: schema.version === '' ? undefined : schema.version,
    cksum: schema.cksum === '' ? undefined : schema.cksum,
    tables,
  });
}

/** The table of that name, or the error the reference gives. */
export function requireTable(schema: DatabaseSchema, name: string): TableSchema {
  const table = schema.tables.get(name);
  if (table === undefined) throw new OvsdbError('unknown table', `No table named ${name}.`);
  return table;
}
