// What a monitor shows of a commit: RFC 7047 section 4.1.6 and the reference's update2 and update3.
//
// A MonitorSpec is what is watched and how; sessions that asked for the same share one, so that each commit is turned into text once.
import { anyClauseHolds, type Condition, parseCondition } from '../engine/condition.ts';
import type { Change, Commit, Database, Row, Table } from '../engine/database.ts';
import { type Datum, datumDiff, datumsEqual, datumToJson } from '../engine/datum.ts';
import { syntaxError } from '../engine/error.ts';
import { ObjectParser } from '../engine/object-parser.ts';
import { type ColumnSchema, UUID_COLUMN } from '../engine/schema.ts';
import { defaultFields } from '../engine/transaction.ts';
import type { Json, JsonObject } from '../json/json.ts';

export interface MonitorSelect {
  readonly initial: boolean;
  readonly insert: boolean;
  readonly delete: boolean;
  readonly modify: boolean;
}

export interface MonitorColumn extends MonitorSelect {
  readonly column: ColumnSchema;
}

export interface TableMonitor {
  readonly table: Table;
  readonly columns: readonly MonitorColumn[];
  readonly condition: Condition;
  readonly select: MonitorSelect;
}

/** 1: update, 2: update2, 3: update3. */
export type MonitorVersion = 1 | 2 | 3;

export interface MonitorSpec {
  readonly version: MonitorVersion;
  readonly tables: readonly TableMonitor[];
}

const SELECT_ALL: MonitorSelect = { initial: true, insert: true, delete: true, modify: true };

function parseSelect(json: Json | undefined, name: string): MonitorSelect {
  if (json === undefined) return SELECT_ALL;
  const parser = new ObjectParser(json, `${name} select`);
  const flag = (member: string): boolean => (parser.optional(member, 'boolean') ?? true) === true;
  const select = { initial: flag('initial'), insert: flag('insert'), delete: flag('delete'), modify: flag('modify') };
  parser.finish();
  return select;
}

function parseColumns(json: Json | undefined, table: Table, seen: Set<ColumnSchema>): ColumnSchema[] {
  const list: ColumnSchema[] = [];
  if (json === undefined) {
    // All columns but `_uuid`, which is the key of the row.
    list.push(...table.schema.columnList.slice(1));
  } else {
    if (!Array.isArray(json)) throw syntaxError(json, 'array of column names expected');
    for (const name of json) {
      if (typeof name !== 'string') throw syntaxError(json, 'columns must be array of column names');
      const column = table.schema.columns.get(name);
      if (column === undefined) throw syntaxError(json, `${name} is not a valid column name`);
      list.push(column);
    }
  }
  for (const column of list) {
    if (seen.has(column)) throw syntaxError(json, `column ${column.name} mentioned more than once`);
    seen.add(column);
  }
  return list;
}

function parseTableMonitor(json: Json, table: Table, version: MonitorVersion): TableMonitor {
  const name = `table ${table.schema.name}`;
  const columns: MonitorColumn[] = [];
  const condition: Condition[number][] = [];
  const seen = new Set<ColumnSchema>();
  const any = { initial: false, insert: false, delete: false, modify: false };
  for (const request of Array.isArray(json) ? json : [json]) {
    const parser = new ObjectParser(request, name);
    const where = version === 1 ? undefined : parser.optional('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const selectJson = parser.optional('select', 'object');
    parser.finish();
    const select = parseSelect(selectJson, name);
    for (const column of parseColumns(columnsJson, table, seen)) columns.push({ column, ...select });
    if (where !== undefined) condition.push(...parseCondition(where, table.schema));
    any.initial ||= select.initial;
    any.insert ||= select.insert;
    any.delete ||= select.delete;
    any.modify ||= select.modify;
  }
  return { table, columns, condition, select: any };
}

/** Parses the monitor-requests of a monitor request; throws OvsdbError. */
export function parseMonitorSpec(json: Json, database: Database, version: MonitorVersion): MonitorSpec {
  if (!(json instanceof Map)) throw syntaxError(json, 'monitor-requests must be object');
  const tables: TableMonitor[] = [];
  for (const [name, requests] of json) {
    const table = database.tables.get(name);
    if (table === undefined) throw syntaxError(undefined, `no table named ${name}`);
    tables.push(parseTableMonitor(requests, table, version));
  }
  return { version, tables };
}

/** The spec with the conditions of a `monitor_cond_change`. */
export function changeConditions(spec: MonitorSpec, json: Json): MonitorSpec {
  if (!(json instanceof Map)) throw syntaxError(json, 'monitor-requests must be object');
  const tables = [...spec.tables];
  for (const [name, requests] of json) {
    const at = tables.findIndex((monitor) => monitor.table.schema.name === name);
    const old = tables[at];
    if (old === undefined) throw syntaxError(undefined, `no table named ${name} in monitor session`);
    const condition: Condition[number][] = [];
    for (const request of Array.isArray(requests) ? requests : [requests]) {
      const parser = new ObjectParser(request, `table ${name}`);
      const where = parser.optional('where', 'array');
      parser.optional('columns', 'array');
      parser.finish();
      if (where !== undefined) condition.push(...parseCondition(where, old.table.schema));
    }
    tables[at] = { ...old, condition };
  }
  return { version: spec.version, tables };
}

type Kind = 'initial' | 'insert' | 'delete' | 'modify';

function pick(row: Row, columns: readonly MonitorColumn[], kind: Kind): JsonObject {
  const object: JsonObject = new Map();
  for (const monitored of columns) {
    if (monitored[kind]) object.set(monitored.column.name, datumToJson(row.fields[monitored.column.index] as Datum, monitored.column.type));
  }
  return object;
}

function pickNonDefault(row: Row, columns: readonly MonitorColumn[], kind: Kind): JsonObject {
  const object: JsonObject = new Map();
  const defaults = defaultFields(row.table.schema);
  for (const monitored of columns) {
    const { column } = monitored;
    const datum = row.fields[column.index] as Datum;
    if (monitored[kind] && (column.index === UUID_COLUMN || !datumsEqual(datum, defaults[column.index] as Datum)))
      object.set(column.name, datumToJson(datum, column.type));
  }
  return object;
}

function rowUpdate1(monitor: TableMonitor, before: Row | undefined, after: Row | undefined, kind: Kind): JsonObject | undefined {
  if (after === undefined) return before === undefined ? undefined : new Map([['old', pick(before, monitor.columns, 'delete')]]);
  if (before === undefined || kind === 'initial') return new Map([['new', pick(after, monitor.columns, kind)]]);
  const old: JsonObject = new Map();
  let isChanged = false;
  for (const { column, modify } of monitor.columns) {
    const datum = before.fields[column.index] as Datum;
    if (datumsEqual(datum, after.fields[column.index] as Datum)) continue;
    isChanged = true;
    if (modify) old.set(column.name, datumToJson(datum, column.type));
  }
  if (!isChanged) return undefined;
  return new Map([
    ['old', old],
    ['new', pick(after, monitor.columns, 'modify')],
  ]);
}

function rowUpdate2(monitor: TableMonitor, before: Row | undefined, after: Row | undefined, kind: Kind): JsonObject | undefined {
  if (after === undefined) return new Map([['delete', null]]);
  if (before === undefined || kind === 'initial') return new Map([[kind, pickNonDefault(after, monitor.columns, kind)]]);
  const diff: JsonObject = new Map();
  let isChanged = false;
  for (const { column, modify } of monitor.columns) {
    const was = before.fields[column.index] as Datum;
    const is = after.fields[column.index] as Datum;
    if (datumsEqual(was, is)) continue;
    isChanged = true;
    if (modify) diff.set(column.name, datumToJson(datumDiff(was, is, column.type), column.type));
  }
  return isChanged ? new Map([['modify', diff]]) : undefined;
}

function rowUpdate(
  spec: MonitorSpec,
  monitor: TableMonitor,
  before: Row | undefined,
  after: Row | undefined,
  isInitial = false,
): JsonObject | undefined {
  const kind: Kind = isInitial ? 'initial' : before === undefined ? 'insert' : after === undefined ? 'delete' : 'modify';
  if (!monitor.select[kind]) return undefined;
  return spec.version === 1 ? rowUpdate1(monitor, before, after, kind) : rowUpdate2(monitor, before, after, kind);
}

const shown = (condition: Condition, row: Row | undefined): Row | undefined =>
  row !== undefined && anyClauseHolds(condition, row.fields) ? row : undefined;

function addUpdate(updates: JsonObject, name: string, uuid: string, update: JsonObject | undefined): void {
  if (update === undefined) return;
  const rows = updates.get(name);
  if (rows instanceof Map) rows.set(uuid, update);
  else updates.set(name, new Map([[uuid, update]]));
}

/** The table-updates that a new monitor starts with. */
export function initialUpdates(spec: MonitorSpec): JsonObject {
  const updates: JsonObject = new Map();
  for (const monitor of spec.tables) {
    if (!monitor.select.initial) continue;
    for (const row of monitor.table.rows.values()) {
      const after = shown(monitor.condition, row);
      if (after !== undefined) addUpdate(updates, monitor.table.schema.name, row.uuid, rowUpdate(spec, monitor, undefined, after, true));
    }
  }
  return updates;
}

/** The table-updates of a commit; undefined when the monitor sees nothing of it. */
export function commitUpdates(spec: MonitorSpec, commit: Commit): JsonObject | undefined {
  const updates: JsonObject = new Map();
  const byTable = new Map(spec.tables.map((monitor) => [monitor.table, monitor]));
  for (const change of commit.changes) {
    const monitor = byTable.get(change.table);
    if (monitor !== undefined) addChange(updates, spec, monitor, change);
  }
  return updates.size === 0 ? undefined : updates;
}

function addChange(updates: JsonObject, spec: MonitorSpec, monitor: TableMonitor, change: Change): void {
  const before = shown(monitor.condition, change.before);
  const after = shown(monitor.condition, change.after);
  if (before === undefined && after === undefined) return;
  addUpdate(updates, change.table.schema.name, change.uuid, rowUpdate(spec, monitor, before, after));
}

/** The table-updates by which rows come into view or go out of it when the conditions change. */
export function conditionUpdates(before: MonitorSpec, after: MonitorSpec): JsonObject | undefined {
  const updates: JsonObject = new Map();
  for (const [i, monitor] of after.tables.entries()) {
    const old = before.tables[i];
    if (old === undefined || old === monitor) continue;
    for (const row of monitor.table.rows.values()) {
      const was = shown(old.condition, row);
      const is = shown(monitor.condition, row);
      if ((was === undefined) !== (is === undefined))
        addUpdate(updates, monitor.table.schema.name, row.uuid, rowUpdate(after, monitor, was, is));
    }
  }
  return updates.size === 0 ? undefined : updates;
}
