// The `_Server` database: a row for each database served, kept by the server itself.
import type { Database } from '../engine/database.ts';
import { Database as DatabaseClass, newUuid } from '../engine/database.ts';
import { parseSchema, schemaToJson } from '../engine/schema.ts';
import { defaultFields, Transaction, versionNewRow } from '../engine/transaction.ts';
import { formatJson } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';

const SERVER_SCHEMA = `{"name":"_Server","version":"1.2.0","cksum":"3009684573 744","tables":{"Database":{"columns":{
"cid":{"type":{"key":"uuid","min":0}},"connected":{"type":"boolean"},"index":{"type":{"key":"integer","min":0}},"leader":{"type":"boolean"},
"model":{"type":{"key":{"type":"string","enum":["set",["clustered","relay","standalone"]]}}},"name":{"type":"string"},
"schema":{"type":{"key":"string","min":0}},"sid":{"type":{"key":"uuid","min":0}}}}}}`;

export function createServerDatabase(): Database {
  return new DatabaseClass(parseSchema(parseJson(SERVER_SCHEMA)));
}

/** Makes the rows say what is served. */
export function describeDatabases(
  server: Database,
  served: readonly { name: string; database: Database | undefined; isRelay: boolean }[],
): void {
  const table = server.tables.get('Database');
  if (table === undefined) return;
  const transaction = new Transaction(server);
  const column = (name: string): number => table.schema.columns.get(name)?.index ?? 0;
  const rows = new Map([...table.rows.values()].map((row) => [row.fields[column('name')]?.keys[0], row]));
  for (const { name, database, isRelay } of served) {
    const row = rows.get(name);
    rows.delete(name);
    const uuid = row?.uuid ?? newUuid();
    const fields = [...(row?.fields ?? defaultFields(table.schema))];
    fields[0] = { keys: [uuid] };
    if (row === undefined) versionNewRow(fields);
    fields[column('name')] = { keys: [name] };
    fields[column('model')] = { keys: [isRelay ? 'relay' : 'standalone'] };
    fields[column('connected')] = { keys: [database !== undefined] };
    fields[column('leader')] = { keys: [!isRelay] };
    fields[column('schema')] = { keys: database === undefined ? [] : [formatJson(schemaToJson(database.schema), { sort: true })] };
    transaction.put(table, uuid, fields);
  }
  for (const row of rows.values()) transaction.put(table, row.uuid, undefined);
  transaction.commit();
}
