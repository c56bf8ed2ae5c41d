// Runs the operations of a `transact` request: RFC 7047 section 5.2.

import { type Json, type JsonObject, jsonObject } from '../json/json.ts';
import type { SymbolTable } from './atom.ts';
import { isUuid } from './atom.ts';
import { type Condition, conditionHolds, parseCondition, pinnedUuid } from './condition.ts';
import { type Database, newUuid, type Row, type Table } from './database.ts';
import { checkDatum, type Datum, datumsEqual, datumToJson, parseDatum } from './datum.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { mutateDatum, parseMutation } from './mutation.ts';
import { ObjectParser } from './object-parser.ts';
import { type ColumnSchema, parseColumnSet, UUID_COLUMN } from './schema.ts';
import { defaultFields, Transaction } from './transaction.ts';

export interface ExecuteOptions {
  /** Whether the session holds a lock, for `assert`. */
  holdsLock?: (lock: string) => boolean;
  /** Milliseconds since the transaction first ran; `undefined` where nothing can be waited for. */
  elapsedMs?: number | undefined;
  /** Refuse operations that write. */
  isReadOnly?: boolean;
  /** The database is the server's own: clients only read it. */
  isReserved?: boolean;
}

/** What running a transaction came to. */
export type Outcome =
  | { kind: 'done'; result: Json[]; isDurable: boolean; succeeded: boolean }
  /** A `wait` is not satisfied: run it again when the database changes, at the latest after `timeoutMs` from the first try. */
  | { kind: 'wait'; timeoutMs: number };

class WaitPending extends Error {
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super('wait');
    this.timeoutMs = timeoutMs;
  }
}

class Execution {
  readonly transaction: Transaction;
  readonly options: ExecuteOptions;
  readonly #names = new Map<string, { uuid: string; isInserted: boolean }>();

  constructor(database: Database, options: ExecuteOptions) {
    this.transaction = new Transaction(database);
    this.options = options;
  }

  readonly symbols: SymbolTable = (name) => {
    let symbol = this.#names.get(name);
    if (symbol === undefined) {
      symbol = { uuid: newUuid(), isInserted: false };
      this.#names.set(name, symbol);
    }
    return symbol.uuid;
  };

  run(json: Json, parser: ObjectParser): JsonObject {
    const op = parser.required('op', 'id') as string;
    switch (op) {
      case 'insert':
        return this.insert(parser);
      case 'select':
        return this.select(parser);
      case 'update':
        return this.update(json, parser);
      case 'mutate':
        return this.mutate(parser);
      case 'delete':
        return this.delete(parser);
      case 'wait':
        return this.wait(parser);
      case 'commit': {
        const durable = parser.required('durable', 'boolean');
        parser.finish();
        if (durable === true) this.transaction.isDurable = true;
        return new Map();
      }
      case 'abort':
        parser.finish();
        throw new OvsdbError('aborted', 'aborted by request');
      case 'comment': {
        const comment = parser.required('comment', 'string') as string;
        parser.finish();
        this.transaction.comment(comment);
        return new Map();
      }
      case 'assert': {
        const lock = parser.required('lock', 'id') as string;
        parser.finish();
        if (this.options.holdsLock?.(lock) !== true) throw new OvsdbError('not owner', `Asserted lock ${lock} not held.`);
        return new Map();
      }
      default:
        return parser.fail(`No operation "${op}"`);
    }
  }

  table(parser: ObjectParser): Table {
    const name = parser.required('table', 'id') as string;
    return this.transaction.database.tables.get(name) ?? parser.fail(`No table named ${name}.`);
  }

  #fields(json: Json, table: Table): Map<ColumnSchema, Datum> {
    if (!(json instanceof Map)) throw syntaxError(json, 'row must be JSON object');
    const given = new Map<ColumnSchema, Datum>();
    for (const [name, value] of json) {
      const column = table.schema.columns.get(name);
      if (column === undefined)
        throw new OvsdbError('unknown column', `No column ${name} in table ${table.schema.name}.`, { syntax: json });
      given.set(column, parseDatum(value, column.type, this.symbols));
    }
    return given;
  }

  insert(parser: ObjectParser): JsonObject {
    const table = this.table(parser);
    const uuidJson = parser.optional('uuid', 'string') as string | undefined;
    const name = parser.optional('uuid-name', 'id') as string | undefined;
    const rowJson = parser.required('row', 'object');
    parser.finish();
    if (uuidJson !== undefined && !isUuid(uuidJson)) throw syntaxError(uuidJson, 'bad uuid');
    let uuid = uuidJson?.toLowerCase();
    if (uuid !== undefined && this.transaction.isKnown(table, uuid)) {
      throw new OvsdbError(
        'duplicate uuid',
        'This UUID would duplicate a UUID already present within the table or deleted within the same transaction.',
        { syntax: uuidJson },
      );
    }
    if (name !== undefined) {
      const symbol = this.#names.get(name);
      if (symbol?.isInserted === true)
        throw new OvsdbError('duplicate uuid-name', 'This "uuid-name" appeared on an earlier "insert" operation.', { syntax: name });
      uuid ??= symbol?.uuid ?? newUuid();
      this.#names.set(name, { uuid, isInserted: true });
    }
    uuid ??= newUuid();
    const given = this.#fields(rowJson, table);
    const fields = [...defaultFields(table.schema)];
    for (const [column, datum] of given) fields[column.index] = datum;
    for (const column of table.schema.columnList) {
      if (!given.has(column)) checkDatum(fields[column.index] as Datum, column.type);
    }
    fields[UUID_COLUMN] = { keys: [uuid] };
    this.transaction.put(table, uuid, fields);
    return new Map([['uuid', ['uuid', uuid]]]);
  }

  #match(table: Table, condition: Condition): Row[] {
    const pinned = pinnedUuid(condition);
    if (pinned !== undefined) {
      const row = this.transaction.get(table, pinned);
      return row !== undefined && conditionHolds(condition, row.fields) ? [row] : [];
    }
    const found: Row[] = [];
    for (const row of this.transaction.rows(table)) if (conditionHolds(condition, row.fields)) found.push(row);
    return found;
  }

  select(parser: ObjectParser): JsonObject {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const sort = parser.optional('sort', 'array');
    parser.finish();
    const condition = parseCondition(where, table.schema, this.symbols);
    const columns =
      columnsJson === undefined ? table.schema.columnList : parseColumnSet(columnsJson, table.schema.columns, table.schema.name);
    if (sort !== undefined) parseColumnSet(sort, table.schema.columns, table.schema.name);
    const rows = distinctRows(this.#match(table, condition), columns);
    return new Map([['rows', rows.map((row) => rowToJson(row.fields, columns))]]);
  }

  update(json: Json, parser: ObjectParser): JsonObject {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const rowJson = parser.required('row', 'object');
    parser.finish();
    const given = this.#fields(rowJson, table);
    for (const column of given.keys()) {
      if (!column.isMutable) {
        throw new OvsdbError('constraint violation', `Cannot update immutable column ${column.name} in table ${table.schema.name}.`, {
          syntax: json,
        });
      }
    }
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    for (const row of rows) {
      const fields = [...row.fields];
      for (const [column, datum] of given) fields[column.index] = datum;
      this.transaction.put(table, row.uuid, fields);
    }
    return jsonObject({ count: rows.length });
  }

  mutate(parser: ObjectParser): JsonObject {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const mutationsJson = parser.required('mutations', 'array') as Json[];
    parser.finish();
    const mutations = mutationsJson.map((mutation) => parseMutation(mutation, table.schema, this.symbols));
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    for (const row of rows) {
      const fields = [...row.fields];
      for (const mutation of mutations) fields[mutation.column.index] = mutateDatum(fields[mutation.column.index] as Datum, mutation);
      this.transaction.put(table, row.uuid, fields);
    }
    return jsonObject({ count: rows.length });
  }

  delete(parser: ObjectParser): JsonObject {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    parser.finish();
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    for (const row of rows) this.transaction.put(table, row.uuid, undefined);
    return jsonObject({ count: rows.length });
  }

  wait(parser: ObjectParser): JsonObject {
    const timeout = parser.optional('timeout', 'number');
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const until = parser.required('until', 'string');
    const rowsJson = parser.required('rows', 'array') as Json[];
    parser.finish();
    const condition = parseCondition(where, table.schema, this.symbols);
    const columns =
      columnsJson === undefined ? table.schema.columnList : parseColumnSet(columnsJson, table.schema.columns, table.schema.name);
    if (until !== '==' && until !== '!=') throw syntaxError(until, '"until" must be "==" or "!="');
    const wanted = new Set<string>();
    for (const rowJson of rowsJson) {
      const given = this.#fields(rowJson, table);
      const fields = [...defaultFields(table.schema)];
      for (const [column, datum] of given) fields[column.index] = datum;
      wanted.add(rowText(fields, columns));
    }
    const actual = new Set(this.#match(table, condition).map((row) => rowText(row.fields, columns)));
    const isEqual = wanted.size === actual.size && [...wanted].every((text) => actual.has(text));
    if (isEqual === (until === '==')) return new Map();
    const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : Number(timeout);
    const elapsed = this.options.elapsedMs;
    if (timeoutMs > 0 && elapsed === undefined) throw new OvsdbError('not supported', 'triggers not supported');
    if (timeoutMs > (elapsed ?? 0)) throw new WaitPending(timeoutMs);
    throw new OvsdbError(
      'timed out',
      timeoutMs <= 0 ? '"where" clause test failed' : `"wait" timed out after ${Math.round(elapsed ?? 0)} ms`,
    );
  }
}

function rowText(fields: readonly Datum[], columns: readonly ColumnSchema[]): string {
  return JSON.stringify(
    columns.map(({ index }) => {
      const { keys, values } = fields[index] as Datum;
      return [keys.map(String), values?.map(String)];
    }),
  );
}

/** Rows that differ in the columns looked at; the reference gives each combination once. */
function distinctRows(rows: Row[], columns: readonly ColumnSchema[]): Row[] {
  if (rows.length < 2 || columns.some((column) => column.index === UUID_COLUMN)) return rows;
  const seen = new Set<string>();
  return rows.filter((row) => {
    const text = rowText(row.fields, columns);
    return seen.has(text) ? false : seen.add(text);
  });
}

/** The columns of a row as a JSON object. */
export function rowToJson(fields: readonly Datum[], columns: readonly ColumnSchema[]): JsonObject {
  const row: JsonObject = new Map();
  for (const column of columns) row.set(column.name, datumToJson(fields[column.index] as Datum, column.type));
  return row;
}

/** Runs the operations (the params of `transact` after the database's name) and commits. */
export function executeTransaction(database: Database, operations: readonly Json[], options: ExecuteOptions = {}): Outcome {
  const execution = new Execution(database, options);
  const results: Json[] = [];
  const name = (i: number): string => `ovsdb operation ${i + 1} of ${operations.length}`;
  try {
    for (const [i, json] of operations.entries()) {
      const parser = new ObjectParser(json, name(i));
      const op = json instanceof Map ? String(json.get('op')) : '';
      if (writingOps.has(op) && options.isReserved === true) {
        throw new OvsdbError('not allowed', `${op} operation not allowed on table in reserved database ${database.schema.name}`);
      }
      if (writingOps.has(op) && options.isReadOnly === true)
        throw new OvsdbError('not allowed', `${op} operation not allowed when database server is in read only mode`);
      results.push(execution.run(json, parser));
    }
  } catch (error) {
    if (error instanceof WaitPending) return { kind: 'wait', timeoutMs: error.timeoutMs };
    if (!(error instanceof OvsdbError)) throw error;
    results.push(error.toJson());
    while (results.length < operations.length) results.push(null);
    return { kind: 'done', result: results, isDurable: false, succeeded: false };
  }
  try {
    execution.transaction.commit();
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    return { kind: 'done', result: [...results, error.toJson()], isDurable: false, succeeded: false };
  }
  return { kind: 'done', result: results, isDurable: execution.transaction.isDurable, succeeded: true };
}

const writingOps = new Set(['insert', 'update', 'mutate', 'delete']);

/** Whether two rows agree in a column. */
export function sameField(a: Row, b: Row, column: ColumnSchema): boolean {
  return datumsEqual(a.fields[column.index] as Datum, b.fields[column.index] as Datum);
}
