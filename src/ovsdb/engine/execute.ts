// Runs the operations of a `transact` request: RFC 7047 section 5.2.

import { countsUuids } from '../../base/cryptography.ts';
import { hashOrder } from '../../base/hash-order.ts';
import type { Json, JsonObject } from '../json/json.ts';
import type { PrintableJson } from '../json/json-format.ts';
import type { SymbolTable } from './atom.ts';
import { isUuid } from './atom.ts';
import { type Condition, conditionHolds, parseCondition, pinnedAtom, pinnedKey, pinnedUuid } from './condition.ts';
import { type Database, indexText, newUuid, type Row, type Table } from './database.ts';
import { checkDatum, type Datum, parseDatum } from './datum.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { mutateDatum, parseMutation } from './mutation.ts';
import { ObjectParser } from './object-parser.ts';
import { EMPTY_RESULT, NO_RESULT, type OperationResult, resultToJson } from './operation-result.ts';
import { type Client, Rbac } from './rbac.ts';
import { type ColumnSchema, parseColumnSet, type TableSchema, UUID_COLUMN } from './schema.ts';
import { defaultFields, Transaction, versionNewRow } from './transaction.ts';

export interface ExecuteOptions {
  /** Whether the session holds a lock, for `assert`. */
  holdsLock?: (lock: string) => boolean;
  /** Milliseconds since the transaction first ran; `undefined` where nothing can be waited for. */
  elapsedMs?: number | undefined;
  /** Refuse operations that write. */
  isReadOnly?: boolean;
  /** Who asks, when that matters. */
  client?: Client;
  /** The database is the server's own: clients only read it. */
  isReserved?: boolean;
}

/** What running a transaction came to. */
export type Outcome = Finished<PrintableJson> | Pending;

interface Finished<Result> {
  kind: 'done';
  result: Result[];
  isDurable: boolean;
  succeeded: boolean;
}

interface Pending {
  /** A `wait` is not satisfied: run it again when the database changes, at the latest after `timeoutMs` from the first try. */
  kind: 'wait';
  timeoutMs: number;
}

class WaitPending extends Error {
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super('wait');
    this.timeoutMs = timeoutMs;
  }
}

interface Given {
  readonly column: ColumnSchema;
  readonly datum: Datum;
}

class Execution {
  readonly transaction: Transaction;
  readonly options: ExecuteOptions;
  readonly #rbac: Rbac | undefined;
  readonly #names = new Map<string, { uuid: string; isInserted: boolean }>();

  constructor(database: Database, options: ExecuteOptions) {
    this.transaction = new Transaction(database);
    this.options = options;
    if (options.client !== undefined && options.client.role !== '') this.#rbac = new Rbac(database, options.client);
  }

  readonly symbols: SymbolTable = (name) => {
    let symbol = this.#names.get(name);
    if (symbol === undefined) {
      symbol = { uuid: newUuid(), isInserted: false };
      this.#names.set(name, symbol);
    }
    return symbol.uuid;
  };

  run(json: Json, parser: ObjectParser): OperationResult {
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
        return EMPTY_RESULT;
      }
      case 'abort':
        parser.finish();
        throw new OvsdbError('aborted', 'aborted by request');
      case 'comment': {
        const comment = parser.required('comment', 'string') as string;
        parser.finish();
        this.transaction.comment(comment);
        return EMPTY_RESULT;
      }
      case 'assert': {
        const lock = parser.required('lock', 'id') as string;
        parser.finish();
        if (this.options.holdsLock?.(lock) !== true) throw new OvsdbError('not owner', `Asserted lock ${lock} not held.`);
        return EMPTY_RESULT;
      }
      default:
        return parser.fail(`No operation "${op}"`);
    }
  }

  table(parser: ObjectParser): Table {
    const name = parser.required('table', 'id') as string;
    return this.transaction.database.tables.get(name) ?? parser.fail(`No table named ${name}.`);
  }

  /** The columns of a row object with their values. */
  #fields(json: Json, table: Table): Given[] {
    if (!(json instanceof Map)) throw syntaxError(json, 'row must be JSON object');
    try {
      return this.#given(json, table, json.keys());
    } catch (error) {
      // Of several faults the reference names the one that its hash table brings first.
      if (json.size > 1) this.#given(json, table, hashOrder([...json.keys()]));
      throw error;
    }
  }

  #given(json: JsonObject, table: Table, names: Iterable<string>): Given[] {
    const given: Given[] = [];
    for (const name of names) {
      const value = json.get(name) as Json;
      const column = table.schema.columns.get(name);
      if (column === undefined)
        throw new OvsdbError('unknown column', `No column ${name} in table ${table.schema.name}.`, { syntax: json });
      given.push({ column, datum: parseDatum(value, column.type, this.symbols) });
    }
    return given;
  }

  insert(parser: ObjectParser): OperationResult {
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
      // With a name the reference draws one whether it is used or not.
      if (uuid !== undefined && countsUuids()) this.symbols(name);
      const symbol = this.#names.get(name);
      if (symbol?.isInserted === true)
        throw new OvsdbError('duplicate uuid-name', 'This "uuid-name" appeared on an earlier "insert" operation.', { syntax: name });
      uuid ??= symbol?.uuid ?? newUuid();
      this.#names.set(name, { uuid, isInserted: true });
    }
    uuid ??= newUuid();
    const given = this.#fields(rowJson, table);
    const fields = [...defaultFields(table.schema)];
    for (const { column, datum } of given) fields[column.index] = datum;
    // A default may be what the column forbids.
    for (const column of needsValue(table.schema)) {
      if (!given.some((one) => one.column === column)) checkDatum(fields[column.index] as Datum, column.type);
    }
    fields[UUID_COLUMN] = { keys: [uuid] };
    versionNewRow(fields);
    this.#rbac?.checkInsert(table, fields);
    this.transaction.put(table, uuid, fields);
    return { kind: 'uuid', uuid };
  }

  #match(table: Table, condition: Condition): Row[] {
    const pinned = pinnedUuid(condition);
    if (pinned !== undefined) {
      const row = this.transaction.get(table, pinned);
      return row !== undefined && conditionHolds(condition, row.fields) ? [row] : [];
    }
    const found: Row[] = [];
    const take = (row: Row): void => {
      if (conditionHolds(condition, row.fields)) found.push(row);
    };
    for (let i = 0; i < table.schema.indexes.length; i++) {
      const key = pinnedKey(condition, table.schema.indexes[i] ?? []);
      if (key === undefined) continue;
      this.transaction.scanIndex(table, i, key, take);
      return found;
    }
    const single = pinnedAtom(condition);
    if (single !== undefined) return this.transaction.findAtom(table, single.index, single.atom);
    this.transaction.scan(table, take);
    return found;
  }

  select(parser: ObjectParser): OperationResult {
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
    return { kind: 'rows', rows, columns };
  }

  update(json: Json, parser: ObjectParser): OperationResult {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const rowJson = parser.required('row', 'object');
    parser.finish();
    const given = this.#fields(rowJson, table);
    for (const { column } of given) {
      if (!column.isMutable) {
        throw new OvsdbError('constraint violation', `Cannot update immutable column ${column.name} in table ${table.schema.name}.`, {
          syntax: json,
        });
      }
    }
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    this.#rbac?.checkChange(
      'modification of',
      table,
      rows,
      given.map(({ column }) => column),
    );
    for (const row of rows) {
      const fields = [...row.fields];
      for (const { column, datum } of given) fields[column.index] = datum;
      this.transaction.put(table, row.uuid, fields);
    }
    return { kind: 'count', count: rows.length };
  }

  mutate(parser: ObjectParser): OperationResult {
    const table = this.table(parser);
    const where = parser.required('where', 'array');
    const mutationsJson = parser.required('mutations', 'array') as Json[];
    parser.finish();
    const mutations = mutationsJson.map((mutation) => parseMutation(mutation, table.schema, this.symbols));
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    this.#rbac?.checkChange(
      'mutate operation on',
      table,
      rows,
      mutations.map(({ column }) => column),
    );
    for (const row of rows) {
      const fields = [...row.fields];
      for (const mutation of mutations) fields[mutation.column.index] = mutateDatum(fields[mutation.column.index] as Datum, mutation);
      this.transaction.put(table, row.uuid, fields);
    }
    return { kind: 'count', count: rows.length };
  }

  delete(parser: ObjectParser): OperationResult {
    const where = parser.required('where', 'array');
    const table = this.table(parser);
    parser.finish();
    const rows = this.#match(table, parseCondition(where, table.schema, this.symbols));
    this.#rbac?.checkDelete(table, rows);
    for (const row of rows) this.transaction.put(table, row.uuid, undefined);
    return { kind: 'count', count: rows.length };
  }

  wait(parser: ObjectParser): OperationResult {
    const timeout = parser.optional('timeout', 'number');
    const where = parser.required('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const until = parser.required('until', 'string');
    const rowsJson = parser.required('rows', 'array') as Json[];
    const table = this.table(parser);
    parser.finish();
    if (timeout !== undefined && Number(timeout) < 0) throw syntaxError(timeout, 'timeout must be nonnegative');
    const condition = parseCondition(where, table.schema, this.symbols);
    const columns =
      columnsJson === undefined ? table.schema.columnList : parseColumnSet(columnsJson, table.schema.columns, table.schema.name);
    if (until !== '==' && until !== '!=') throw syntaxError(until, '"until" must be "==" or "!="');
    const wanted = new Set<string>();
    for (const rowJson of rowsJson) {
      const given = this.#fields(rowJson, table);
      const fields = [...defaultFields(table.schema)];
      for (const { column, datum } of given) fields[column.index] = datum;
      wanted.add(indexText(fields, columns));
    }
    const actual = new Set(this.#match(table, condition).map((row) => indexText(row.fields, columns)));
    const isEqual = wanted.size === actual.size && [...wanted].every((text) => actual.has(text));
    if (isEqual === (until === '==')) return EMPTY_RESULT;
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

const forbiddenDefaults = new WeakMap<TableSchema, readonly ColumnSchema[]>();

/** The columns whose default value their own constraints refuse, in the order in which the reference comes by them. */
function needsValue(schema: TableSchema): readonly ColumnSchema[] {
  let columns = forbiddenDefaults.get(schema);
  if (columns === undefined) {
    const defaults = defaultFields(schema);
    const names = schema.columnList.map(({ name }) => name);
    const order = hashOrder([...names.slice(0, 2), ...hashOrder(names.slice(2))]);
    const ordered = order.map((name) => schema.columns.get(name) as ColumnSchema);
    columns = ordered.filter((column) => {
      try {
        checkDatum(defaults[column.index] as Datum, column.type);
        return false;
      } catch {
        return true;
      }
    });
    forbiddenDefaults.set(schema, columns);
  }
  return columns;
}

/** Rows that differ in the columns looked at; the reference gives each combination once. */
function distinctRows(rows: Row[], columns: readonly ColumnSchema[]): Row[] {
  if (rows.length < 2 || columns.some((column) => column.index === UUID_COLUMN)) return rows;
  const seen = new Set<string>();
  return rows.filter((row) => {
    const text = indexText(row.fields, columns);
    return seen.has(text) ? false : seen.add(text);
  });
}

/** Runs the operations (the params of `transact` after the database's name) and commits. */
export function runTransaction(
  database: Database,
  operations: readonly Json[],
  options: ExecuteOptions = {},
): Finished<OperationResult> | Pending {
  const execution = new Execution(database, options);
  const result: OperationResult[] = [];
  try {
    for (let i = 0; i < operations.length; i++) {
      const json = operations[i] as Json;
      const parser = new ObjectParser(json, () => `ovsdb operation ${i + 1} of ${operations.length}`);
      const done = execution.run(json, parser);
      // As in the reference, what is wrong with the operation itself is said first.
      if (options.isReserved === true || options.isReadOnly === true) refuseWriting(json, database, options);
      result.push(done);
    }
  } catch (error) {
    if (error instanceof WaitPending) return { kind: 'wait', timeoutMs: error.timeoutMs };
    if (!(error instanceof OvsdbError)) throw error;
    result.push({ kind: 'error', error });
    while (result.length < operations.length) result.push(NO_RESULT);
    return { kind: 'done', result, isDurable: false, succeeded: false };
  }
  try {
    execution.transaction.commit();
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    result.push({ kind: 'error', error });
    return { kind: 'done', result, isDurable: false, succeeded: false };
  }
  return { kind: 'done', result, isDurable: execution.transaction.isDurable, succeeded: true };
}

/** The same with results as JSON. */
export function executeTransaction(database: Database, operations: readonly Json[], options: ExecuteOptions = {}): Outcome {
  const outcome = runTransaction(database, operations, options);
  return outcome.kind === 'wait' ? outcome : { ...outcome, result: outcome.result.map(resultToJson) };
}

function refuseWriting(json: Json, database: Database, options: ExecuteOptions): void {
  const op = json instanceof Map ? String(json.get('op')) : '';
  if (!writingOps.has(op)) return;
  if (options.isReserved === true)
    throw new OvsdbError('not allowed', `${op} operation not allowed on table in reserved database ${database.schema.name}`);
  throw new OvsdbError('not allowed', `${op} operation not allowed when database server is in read only mode`);
}

const writingOps = new Set(['insert', 'update', 'mutate', 'delete']);

/** Whether an operation may change the database. */
export function isWriting(operation: Json): boolean {
  return operation instanceof Map && writingOps.has(String(operation.get('op')));
}
