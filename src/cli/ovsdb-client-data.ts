// ovsdb-client's commands that read and write rows: transact, query, dump, backup, restore.
import { readFileSync } from 'node:fs';
import { compareDatums, type Datum, parseDatum } from '../ovsdb/engine/datum.ts';
import { type ColumnSchema, type DatabaseSchema, parseSchema, schemaToJson, type TableSchema } from '../ovsdb/engine/schema.ts';
import { type Json, type JsonObject, jsonObject, parseJson } from '../ovsdb/json/json.ts';
import { compareText, formatJson } from '../ovsdb/json/json-format.ts';
import type { RpcSession } from '../ovsdb/json/jsonrpc.ts';
import { encodeRecord, scanRecords } from '../ovsdb/log/log-record.ts';
import { type ClientContext, ClientError, print, request } from './ovsdb-client-context.ts';
import { formatLogTime } from './ovsdb-tool-log.ts';

function parseTransaction(text: string): Json[] {
  let json: Json;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new ClientError(`"${text}": ${(error as Error).message}`);
  }
  if (!Array.isArray(json) || typeof json[0] !== 'string') throw new ClientError('not a valid OVSDB query');
  return json;
}

/** Refuses results that hold an error. */
function checkResults(result: Json): Json[] {
  const results = Array.isArray(result) ? result : [];
  for (const item of results) {
    if (item instanceof Map && item.has('error'))
      throw new ClientError(`transaction returned errors: ${formatJson(result, { sort: true })}`);
  }
  return results;
}

export async function run(name: string, context: ClientContext): Promise<number> {
  const { args } = context;
  switch (name) {
    case 'transact':
    case 'query': {
      const params = parseTransaction(args[0] ?? '');
      const rpc = await context.connect();
      if (name === 'query') params.push(new Map([['op', 'abort']]));
      const result = await request(rpc, 'transact', params);
      if (name === 'query' && Array.isArray(result)) result.length = Math.min(result.length, params.length - 2);
      print(formatJson(result, { sort: true, pretty: context.style.pretty }));
      return 0;
    }
    case 'dump':
      return dump(context);
    case 'backup':
      return backup(context);
    default:
      return restore(context);
  }
}

async function selectRows(
  rpc: RpcSession,
  database: string,
  tables: readonly TableSchema[],
  columns: (table: TableSchema) => string[],
): Promise<JsonObject[][]> {
  const operations = tables.map((table) => jsonObject({ op: 'select', table: table.name, where: [], columns: columns(table) }));
  const results = checkResults(await request(rpc, 'transact', [database, ...operations]));
  return results.map((result) => ((result instanceof Map ? result.get('rows') : []) ?? []) as JsonObject[]);
}

async function dump(context: ClientContext): Promise<number> {
  const { args, printer } = context;
  const rpc = await context.connect();
  const database = await context.database(rpc);
  const schema = parseSchema(await request(rpc, 'get_schema', [database]));
  const only = args.shift();
  if (only !== undefined && !schema.tables.has(only)) throw new ClientError(`No table "${only}" found.`);
  const tables = [...schema.tables.values()]
    .filter((table) => only === undefined || table.name === only)
    .sort((a, b) => compareText(a.name, b.name));
  const columnsOf = (table: TableSchema): ColumnSchema[] => {
    const names = args.length > 0 ? args : [...table.columns.keys()].filter((column) => column !== '_version');
    const columns = names.map((column) => {
      const found = table.columns.get(column);
      if (found === undefined) throw new ClientError(`Table "${table.name}" has no column ${column}.`);
      return found;
    });
    return columns.sort((a, b) => compareText(a.name, b.name));
  };
  const all = await selectRows(rpc, database, tables, (table) => columnsOf(table).map((column) => column.name));
  for (const [i, table] of tables.entries()) {
    const columns = columnsOf(table);
    const rows = (all[i] ?? []).map((row) => columns.map((column) => parseDatum(row.get(column.name) ?? null, column.type)));
    rows.sort((a, b) => a.reduce((order, datum, at) => order || compareDatums(datum, b[at] as Datum), 0));
    printer.print({
      caption: `${table.name} table`,
      ...(context.hasTimestamps && context.style.format === 'json' ? { timestamp: formatLogTime(Date.now()) } : {}),
      columns: columns.map((column) => column.name),
      rows: rows.map((row) => row.map((datum, at) => ({ datum, type: (columns[at] as ColumnSchema).type }))),
    });
  }
  return 0;
}

const persistent = (table: TableSchema): string[] => table.columnList.filter((column) => column.isPersistent).map((column) => column.name);

async function backup(context: ClientContext): Promise<number> {
  if (process.stdout.isTTY) throw new ClientError('not writing backup to a terminal; please redirect stdout to a file');
  const rpc = await context.connect();
  const database = await context.database(rpc);
  const schema = parseSchema(await request(rpc, 'get_schema', [database]));
  const tables = [...schema.tables.values()];
  const all = await selectRows(rpc, database, tables, persistent);
  const record: JsonObject = new Map();
  for (const [i, table] of tables.entries()) {
    const rows: JsonObject = new Map();
    for (const row of all[i] ?? []) {
      const uuid = (row.get('_uuid') as string[])[1] as string;
      row.delete('_uuid');
      rows.set(uuid, row);
    }
    if (rows.size > 0) record.set(table.name, rows);
  }
  record.set('_comment', 'produced by "ovsdb-client backup"');
  record.set('_date', Date.now());
  process.stdout.write(Buffer.concat([encodeRecord(schemaToJson(schema)), encodeRecord(record)]));
  return 0;
}

async function restore(context: ClientContext): Promise<number> {
  const bytes = readFileSync(0);
  const records: Json[] = [];
  const { fault } = scanRecords(bytes, 'stdin', (json) => records.push(json));
  if (fault !== '' || records.length === 0) throw new ClientError(`ovsdb error: ${fault === '' ? 'stdin: unexpected file format' : fault}`);
  const { Database } = await import('../ovsdb/engine/database.ts');
  const { replayRecord } = await import('../ovsdb/engine/commit-json.ts');
  const { rowToJson } = await import('../ovsdb/engine/operation-result.ts');
  const saved: DatabaseSchema = parseSchema(records[0] as Json);
  const content = new Database(saved);
  for (const record of records.slice(1)) replayRecord(content, record);
  const rpc = await context.connect();
  const database = await context.database(rpc);
  const schema = parseSchema(await request(rpc, 'get_schema', [database]));
  if (!context.isForced && schema.cksum !== saved.cksum)
    throw new ClientError('schema of backup does not match schema of database; use --force to restore anyway');
  const operations: Json[] = [];
  for (const table of schema.tables.keys()) operations.push(jsonObject({ op: 'delete', table, where: [] }));
  const known = new Set([...content.tables.values()].flatMap((table) => [...table.rows.keys()]));
  for (const table of content.tables.values()) {
    if (!schema.tables.has(table.schema.name)) continue;
    const columns = table.schema.columnList.slice(2).filter((column) => schema.tables.get(table.schema.name)?.columns.has(column.name));
    for (const row of table.rows.values()) {
      operations.push(
        jsonObject({
          op: 'insert',
          table: table.schema.name,
          'uuid-name': rowName(row.uuid),
          row: withNames(rowToJson(row.fields, columns), known),
        }),
      );
    }
  }
  operations.push(jsonObject({ op: 'comment', comment: 'ovsdb-client restore' }));
  checkResults(await request(rpc, 'transact', [database, ...operations]));
  return 0;
}

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`;

/** References to rows that are restored go by name: those rows get new UUIDs. */
function withNames(json: Json, known: ReadonlySet<string>): Json {
  if (Array.isArray(json)) {
    const [kind, uuid] = json;
    if (kind === 'uuid' && typeof uuid === 'string' && known.has(uuid)) return ['named-uuid', rowName(uuid)];
    return json.map((item) => withNames(item, known));
  }
  return json instanceof Map ? new Map([...json].map(([name, value]) => [name, withNames(value, known)])) : json;
}
