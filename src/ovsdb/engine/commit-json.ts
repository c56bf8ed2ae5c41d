// Commits as the JSON of log records, both ways: `{"_date":ms,"_comment":text,"_is_diff":true,TABLE:{UUID:{COLUMN:VALUE}|null}}`.

import type { Json, JsonObject } from '../json/json.ts';
import { isUuid } from './atom.ts';
import { type Change, type Commit, type Database, newUuid, type Row, type Table } from './database.ts';
import { applyDiff, type Datum, datumDiff, datumsEqual, datumToJson, parseDatum } from './datum.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { UUID_COLUMN, VERSION_COLUMN } from './schema.ts';
import { defaultFields } from './transaction.ts';

function changedColumns({ table, before, after }: Change, isDiff: boolean, isWhole = false): JsonObject | null | undefined {
  if (after === undefined) return null;
  const base = before?.fields ?? defaultFields(table.schema);
  const columns: JsonObject = new Map();
  for (const column of table.schema.columnList) {
    if (column.index === UUID_COLUMN || (!column.isPersistent && !isWhole)) continue;
    const was = base[column.index] as Datum;
    const is = after.fields[column.index] as Datum;
    if (datumsEqual(was, is)) continue;
    columns.set(column.name, datumToJson(isDiff && before !== undefined ? datumDiff(was, is, column.type) : is, column.type));
  }
  return columns.size === 0 && before !== undefined ? undefined : columns;
}

/** The log record of a commit; undefined when it changed nothing that is kept on disk. */
export function commitToJson(commit: Commit, dateMs: number, isDiff = true, isWhole = false): JsonObject | undefined {
  const record: JsonObject = new Map();
  for (const change of commit.changes) {
    const columns = changedColumns(change, isDiff, isWhole);
    if (columns === undefined) continue;
    const name = change.table.schema.name;
    let table = record.get(name) as JsonObject | undefined;
    if (table === undefined) {
      table = new Map();
      record.set(name, table);
    }
    table.set(change.uuid, columns);
  }
  if (record.size === 0) return undefined;
  if (commit.comment !== '') record.set('_comment', commit.comment);
  record.set('_date', dateMs);
  if (isDiff) record.set('_is_diff', true);
  return record;
}

/** The whole content as one record, for compaction and backup; `isWhole` with what is not kept on disk. */
export function snapshotToJson(database: Database, comment: string, dateMs: number, isWhole = false): JsonObject {
  const changes: Change[] = [];
  for (const table of database.tables.values()) {
    for (const row of table.rows.values()) changes.push({ table, uuid: row.uuid, before: undefined, after: row });
  }
  const record = commitToJson({ id: '', changes, comment: '', isDurable: false }, dateMs, false, isWhole) ?? new Map<string, Json>();
  if (comment !== '') record.set('_comment', comment);
  record.set('_date', dateMs);
  return record;
}

/** Replays a log record into the database. Throws OvsdbError when it does not fit; unknown tables and columns are skipped while converting. */
export function replayRecord(database: Database, record: Json, isConverting = false): void {
  if (!(record instanceof Map)) throw syntaxError(record, 'object expected');
  const isDiff = record.get('_is_diff') === true;
  const changes: Change[] = [];
  for (const [name, rows] of record) {
    if (name === '_date' || name === '_comment' || name === '_is_diff') continue;
    const table = database.tables.get(name);
    if (table === undefined) {
      if (isConverting || name.startsWith('_')) continue;
      throw new OvsdbError('unknown table', `No table named ${name}.`);
    }
    if (!(rows instanceof Map)) throw syntaxError(rows, 'object expected');
    for (const [uuid, columns] of rows) changes.push(replayRow(table, uuid, columns, isDiff, isConverting));
  }
  database.apply({ id: newUuid(), changes, comment: '', isDurable: false });
}

function replayRow(table: Table, uuid: string, json: Json, isDiff: boolean, isConverting: boolean): Change {
  if (!isUuid(uuid)) throw syntaxError(json, `"${uuid}" is not a valid UUID`);
  const before = table.rows.get(uuid);
  if (json === null) return { table, uuid, before, after: undefined };
  if (!(json instanceof Map)) throw syntaxError(json, 'row must be JSON object');
  const fields = [...(before?.fields ?? defaultFields(table.schema))];
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
    fields[column.index] = isChange ? applyDiff(fields[column.index] as Datum, datum, column.type) : datum;
  }
  fields[UUID_COLUMN] = { keys: [uuid] };
  fields[VERSION_COLUMN] = { keys: [newUuid()] };
  const after: Row = { table, uuid, fields };
  return { table, uuid, before, after };
}
