// Commits as log records, both ways: `{"_date":ms,"_comment":text,"_is_diff":true,TABLE:{UUID:{COLUMN:VALUE}|null}}`.

import { hashOrder } from '../../base/hash-order.ts';
import type { Json, JsonObject } from '../json/json.ts';
import { formatJsonString, formatReal } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';
import { ownText } from '../json/own-text.ts';
import { isUuid } from './atom.ts';
import type { Change, Commit, Database, Row, Table } from './database.ts';
import { applyDiff, type Datum, datumDiff, datumsEqual, ownDatum, parseDatum } from './datum.ts';
import { appendDatum } from './datum-json.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { PIECE_SIZE } from './operation-result.ts';
import { RecordReader } from './record-reader.ts';
import { type ColumnSchema, UUID_COLUMN, VERSION_COLUMN } from './schema.ts';
import { defaultFields, Transaction, versionDatum } from './transaction.ts';
import { defaultDatum } from './types.ts';

/** The members of a row that is written: those that changed; undefined when there are none and the row is not new. */
function changedColumns({ table, before, after }: Change, isDiff: boolean): string | undefined {
  if (after === undefined) return 'null';
  const base = before?.fields ?? defaultFields(table.schema);
  const { columnList } = table.schema;
  let text = '{';
  for (let i = 0; i < columnList.length; i++) {
    const column = columnList[i] as ColumnSchema;
    const was = base[i] as Datum;
    const is = after.fields[i] as Datum;
    if (was === is || i === UUID_COLUMN || !column.isPersistent || datumsEqual(was, is)) continue;
    text += text.length === 1 ? `"${column.name}":` : `,"${column.name}":`;
    if (isDiff && before !== undefined) {
      const diff = datumDiff(was, is, column.type);
      if (isMisread(was, diff, column)) throw MISREAD;
      text = appendDatum(text, diff, column.type);
    } else text = appendDatum(text, is, column.type);
  }
  return text.length === 1 && before !== undefined ? undefined : `${text}}`;
}

/** Thrown where a record must not hold differences. */
const MISREAD = new Error('the reference would misread a difference');

/**
 * Whether the reference, reading the log, would refuse a difference or take it for the new value, in its own logs as in ours: it refuses one of more
 * elements than the column may hold, and of a column that holds its default it takes a difference for the value. Two reals of a difference may
 * become the same text, which no reader takes for a set.
 */
function isMisread(was: Datum, diff: Datum, { type }: ColumnSchema): boolean {
  if (type.max === 1) return false;
  if (diff.keys.length > type.max || (type.min > 0 && datumsEqual(was, defaultDatum(type)))) return true;
  return type.key.type === 'real' && new Set((diff.keys as number[]).map(formatReal)).size < diff.keys.length;
}

/** How a record is written. */
export interface RecordOptions {
  /** Of changed columns the difference, as 3.1 does unless it is told not to. */
  isDiff?: boolean;
}

/** The text of the log record of a commit; undefined when it changed nothing that is kept on disk. */
export function commitText(commit: Commit, dateMs: number, { isDiff = true }: RecordOptions = {}): string | undefined {
  try {
    return recordText(commit, dateMs, isDiff);
  } catch (error) {
    if (error !== MISREAD) throw error;
    return recordText(commit, dateMs, false);
  }
}

function recordText(commit: Commit, dateMs: number, isDiff: boolean): string | undefined {
  const tables = new Map<string, string>();
  for (const change of commit.changes) {
    const columns = changedColumns(change, isDiff);
    if (columns === undefined) continue;
    const { name } = change.table.schema;
    const rows = tables.get(name);
    tables.set(name, `${rows === undefined ? '' : `${rows},`}"${change.uuid}":${columns}`);
  }
  if (tables.size === 0) return undefined;
  let text = '{';
  for (const [name, rows] of tables) text += `"${name}":{${rows}},`;
  if (commit.comment !== '') text += `"_comment":${formatJsonString(commit.comment)},`;
  return `${text}"_date":${dateMs}${isDiff ? ',"_is_diff":true}' : '}'}`;
}

/** All rows as they are now; rows never change, so that this stays true while the database goes on. */
export function captureRows(database: Database): ReadonlyMap<Table, readonly Row[]> {
  return new Map([...database.tables.values()].map((table) => [table, [...table.rows.values()]]));
}

/** The text of one record with the whole content, for compaction and backup, in pieces; the same for the same rows, comment and date. */
export function* snapshotPieces(
  rows: ReadonlyMap<Table, readonly Row[]>,
  comment: string,
  dateMs: number,
  { isDiff = false }: RecordOptions = {},
): Generator<string, void> {
  let text = '{';
  for (const [table, list] of rows) {
    if (list.length === 0) continue;
    text += `"${table.schema.name}":{`;
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as Row;
      const columns = changedColumns({ table, uuid: row.uuid, before: undefined, after: row }, false);
      text += `${i === 0 ? '' : ','}"${row.uuid}":${columns}`;
      if (text.length < PIECE_SIZE) continue;
      yield text;
      text = '';
    }
    text += '},';
  }
  if (comment !== '') text += `"_comment":${formatJsonString(comment)},`;
  yield `${text}"_date":${dateMs}${isDiff ? ',"_is_diff":true}' : '}'}`;
}

/** The same as one value. */
export function snapshotToJson(database: Database, comment: string, dateMs: number): JsonObject {
  return parseJson([...snapshotPieces(captureRows(database), comment, dateMs)].join('')) as JsonObject;
}

/** Replays a log record into the database, with all that is checked at a commit. Throws OvsdbError and changes nothing when it does not fit. */
export function replayRecord(database: Database, record: Json, isConverting = false): void {
  recordTransaction(database, record, isConverting).commit();
}

/** The transaction that a log record tells of. Throws OvsdbError when it is none; unknown tables and columns are skipped while converting. */
export function recordTransaction(database: Database, record: Json, isConverting = false): Transaction {
  if (!(record instanceof Map)) throw syntaxError(record, 'object expected');
  try {
    return readTransaction(database, record, isConverting);
  } catch {
    // Of several faults the one is told that the reference comes by first.
    return readTransaction(database, inHashOrder(record), isConverting);
  }
}

/** The same with members in the order of hash tables, down to the columns. */
function inHashOrder(record: JsonObject, depth = 3): JsonObject {
  const member = (name: string): Json => {
    const value = record.get(name) as Json;
    return depth > 1 && value instanceof Map ? inHashOrder(value, depth - 1) : value;
  };
  return new Map(hashOrder([...record.keys()]).map((name) => [name, member(name)]));
}

function readTransaction(database: Database, record: JsonObject, isConverting: boolean): Transaction {
  const isDiff = record.get('_is_diff') === true;
  const transaction = new Transaction(database, { isStored: true });
  for (const [name, rows] of record) {
    const table = recordTable(database, name, isConverting, record);
    if (table === undefined) continue;
    if (!(rows instanceof Map)) throw syntaxError(rows, 'object expected');
    for (const [uuid, columns] of rows) {
      if (!isUuid(uuid)) throw syntaxError(rows, `"${uuid}" is not a valid UUID`);
      readRow(transaction, table, uuid, columns, isDiff, isConverting);
    }
  }
  return transaction;
}

/** The members of a record that are no tables. */
const NO_TABLES: ReadonlySet<string> = new Set(['_date', '_comment', '_is_diff']);

/** The table of a member of a record; undefined for what is no table or is to be skipped. */
function recordTable(database: Database, name: string, isConverting: boolean, record?: Json): Table | undefined {
  if (NO_TABLES.has(name)) return undefined;
  const table = database.tables.get(name);
  if (table === undefined && !isConverting) throw new OvsdbError('unknown table', `No table named ${name}.`, { syntax: record });
  return table;
}

/**
 * The same from the bytes of a large record, row by row, so that the values of all rows are never there at once. Gives undefined when the text is not
 * laid out as a log has it: then it is for `parseJson` to judge.
 */
export function recordBytesTransaction(database: Database, body: Uint8Array): Transaction | undefined {
  const transaction = new Transaction(database, { isStored: true });
  /** Rows that exist already: whether these are differences is known at the end. */
  const later: { table: Table; uuid: string; columns: Json }[] = [];
  const members = new RecordReader(body);
  const seen = new Set<string>();
  for (let name = members.next(); name !== undefined; name = members.next()) {
    if (!NO_TABLES.has(name) && !database.tables.has(name)) return undefined;
    const table = recordTable(database, name, false);
    if (table === undefined) {
      if (!members.skipValue()) return undefined;
      continue;
    }
    if (!members.enter() || seen.has(name)) return undefined;
    seen.add(name);
    const rows = new Set<string>();
    for (let uuid = members.next(); uuid !== undefined; uuid = members.next()) {
      const columns = members.value();
      if (columns === undefined || rows.has(uuid)) return undefined;
      rows.add(uuid);
      if (table.rows.has(uuid)) later.push({ table, uuid, columns });
      else readRow(transaction, table, uuid, columns, false, false);
    }
    if (!members.leave()) return undefined;
  }
  if (!members.isAtEnd) return undefined;
  for (const { table, uuid, columns } of later) readRow(transaction, table, uuid, columns, members.isDiff, false);
  return transaction;
}

function readRow(transaction: Transaction, table: Table, givenUuid: string, json: Json, isDiff: boolean, isConverting: boolean): void {
  if (!isUuid(givenUuid)) throw syntaxError(json, `"${givenUuid}" is not a valid UUID`);
  const uuid = ownText(givenUuid.toLowerCase());
  const before = table.rows.get(uuid);
  if (json === null) {
    if (before === undefined) throw syntaxError(undefined, `transaction deletes row ${uuid} that does not exist`);
    transaction.put(table, uuid, undefined);
    return;
  }
  if (!(json instanceof Map)) throw syntaxError(json, 'row must be JSON object');
  const fields = (before?.fields ?? defaultFields(table.schema)).slice();
  for (const [name, value] of json) {
    const column = table.schema.columns.get(name);
    if (column === undefined) {
      if (isConverting) continue;
      throw new OvsdbError('unknown column', `No column ${name} in table ${table.schema.name}.`, { syntax: json });
    }
    // A difference may be larger or smaller than what the column may hold.
    const isChange = isDiff && before !== undefined;
    const type = isChange && column.type.max > 1 ? { ...column.type, min: 0, max: Number.POSITIVE_INFINITY } : column.type;
    const datum = parseDatum(value, type);
    fields[column.index] = ownDatum(isChange ? applyDiff(fields[column.index] as Datum, datum, column.type) : datum);
  }
  fields[UUID_COLUMN] = ownDatum({ keys: [uuid] });
  fields[VERSION_COLUMN] = versionDatum();
  transaction.put(table, uuid, fields);
}
