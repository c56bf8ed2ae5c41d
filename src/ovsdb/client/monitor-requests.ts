// What the IDL asks its monitor for: the columns wanted of the tables that the server has, by the newest method that the server knows.
import type { DatabaseSchema } from '../engine/schema.ts';
import { type JsonObject, jsonObject } from '../json/json.ts';
import type { Conditions } from './conditions.ts';
import type { IdlOptions } from './idl.ts';

export type MonitorMethod = 'monitor_cond_since' | 'monitor_cond' | 'monitor';
/** The newest first. */
export const MONITOR_METHODS: readonly MonitorMethod[] = ['monitor_cond_since', 'monitor_cond', 'monitor'];

/** The requests by table; the oldest method knows no conditions. */
export function monitorRequests(
  method: MonitorMethod,
  schema: DatabaseSchema,
  tables: IdlOptions['tables'],
  conditions: Conditions,
): JsonObject {
  const requests: JsonObject = new Map();
  for (const table of schema.tables.values()) {
    const wanted = tables === 'all' ? 'all' : tables.get(table.name);
    if (wanted === undefined) continue;
    // An older server may lack columns that we know.
    const columns = table.columnList.slice(2).map((column) => column.name);
    const list = wanted === 'all' ? columns : columns.filter((column) => wanted.includes(column));
    const request = jsonObject({ columns: list });
    const where = conditions.where(table.name, schema);
    if (where !== undefined && method !== 'monitor') request.set('where', where);
    requests.set(table.name, method === 'monitor' ? request : [request]);
  }
  return requests;
}
