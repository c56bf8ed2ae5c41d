// What a monitor watches and how: RFC 7047 section 4.1.5 and the reference's monitor_cond and monitor_cond_since.
import { type Condition, parseCondition, type RowTest, rowTest } from '../engine/condition.ts';
import type { Database, Table } from '../engine/database.ts';
import { syntaxError } from '../engine/error.ts';
import { ObjectParser } from '../engine/object-parser.ts';
import type { ColumnSchema } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';

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
  readonly shows: RowTest;
  /** Columns that conditions look at, or once did, and that are not shown: a change of one is a change of the row all the same. */
  readonly hidden: readonly ColumnSchema[];
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
  // The condition of the first request is that of the table; those of the others must be sound.
  let condition: Condition | undefined;
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
    const clauses = where === undefined ? [] : parseCondition(where, table.schema);
    condition ??= clauses;
    any.initial ||= select.initial;
    any.insert ||= select.insert;
    any.delete ||= select.delete;
    any.modify ||= select.modify;
  }
  condition ??= [];
  return { table, columns, condition, shows: rowTest(condition), hidden: hiddenColumns(columns, [], condition), select: any };
}

function hiddenColumns(columns: readonly MonitorColumn[], before: readonly ColumnSchema[], condition: Condition): ColumnSchema[] {
  const hidden = new Set(before);
  for (const clause of condition) {
    if (typeof clause !== 'boolean' && !columns.some(({ column }) => column === clause.column)) hidden.add(clause.column);
  }
  return [...hidden];
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
    // The last of several takes the place of those before.
    let condition: Condition | undefined;
    for (const request of Array.isArray(requests) ? requests : [requests]) {
      const parser = new ObjectParser(request, `table ${name}`);
      const where = parser.optional('where', 'array');
      parser.optional('columns', 'array');
      parser.finish();
      if (where !== undefined) condition = parseCondition(where, old.table.schema);
    }
    condition ??= [];
    tables[at] = { ...old, condition, shows: rowTest(condition), hidden: hiddenColumns(old.columns, old.hidden, condition) };
  }
  return { version: spec.version, tables };
}
