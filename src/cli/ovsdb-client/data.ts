// ovsdb-client's commands that read and write rows: transact, query, dump, backup, restore.
import { readFileSync } from 'node:fs';
import { logger } from '../../base/log.ts';
import type { Database } from '../../ovsdb/engine/database.ts';
import { compareDatums, type Datum, parseDatum } from '../../ovsdb/engine/datum.ts';
import { type ColumnSchema, type DatabaseSchema, parseSchema, schemaToJson, type TableSchema } from '../../ovsdb/engine/schema.ts';
import { asObject, type Json, type JsonObject, jsonObject } from '../../ovsdb/json/json.ts';
import { compareText, formatJson } from '../../ovsdb/json/json-format.ts';
import type { RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import { encodeRecord, scanRecords } from '../../ovsdb/log/log-record.ts';
import { formatLogTime } from '../log-time.ts';
import { type ClientContext, ClientError, parseArgument, print, request } from './context.ts';

const log = logger('ovsdb_client');

function parseTransaction(text: string): Json[] {
  const json = parseArgument(text);
  if (!Array.isArray(json) || typeof json[0] !== 'string') throw new ClientError('not a valid OVSDB query');
  return json;
}

/** The rows that came of a selection in each table. */
function selectedRows(tables: readonly TableSchema[], result: Json): JsonObject[][] {
  const results = Array.isArray(result) ? result : [];
  return tables.map((table, i) => {
    const reply = results[i];
    const rows = reply instanceof Map ? reply.get('rows') : undefined;
    if (Array.isArray(rows)) return rows as JsonObject[];
    const shown = new Map(
      ['syntax', 'details', 'error'].flatMap((key) => (reply instanceof Map && reply.has(key) ? [[key, reply.get(key) as Json]] : [])),
    );
    throw new ClientError(`${table.name} table reply is not an object with a "rows" member array: ${formatJson(shown)}`);
  });
}

export async function run(name: string, context: ClientContext): Promise<number> {
  const { args } = context;
  switch (name) {
    case 'transact':
    case 'query': {
      const params = parseTransaction(args[0] ?? '');
      const rpc = await context.connect(undefined, params[0] as string);
      if (name === 'query') params.push(new Map([['op', 'abort']]));
      const result = await request(rpc, 'transact', params);
      // Where an operation before it failed there is no result of the `abort`, and the place of it stays.
      if (name === 'query' && Array.isArray(result) && asObject(result.at(-1))?.get('error') === 'aborted') result.pop();
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
  return selectedRows(tables, await request(rpc, 'transact', [database, ...operations]));
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
    // In the order of what rows hold; UUIDs, their own among them, decide between equal ones only.
    const hasUuids = (at: number): number => Number(columns[at]?.type.key.type === 'uuid');
    const order = [...columns.keys()].sort((a, b) => hasUuids(a) - hasUuids(b));
    rows.sort((a, b) => order.reduce((sign, at) => sign || compareDatums(a[at] as Datum, b[at] as Datum), 0));
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
  record.set('_is_diff', true);
  process.stdout.write(Buffer.concat([encodeRecord(schemaToJson(schema)), encodeRecord(record)]));
  return 0;
}

/** What standard input holds, a whole database. */
async function readBackup(): Promise<Database> {
  const bytes = readFileSync(0);
  const records: Json[] = [];
  if (bytes.length === 0) throw new ClientError('ovsdb error: /dev/stdin: cannot identify file type');
  if (!bytes.subarray(0, 11).equals(Buffer.from('OVSDB JSON '))) throw new ClientError('ovsdb error: /dev/stdin: unexpected file format');
  const { fault, faultTag } = scanRecords(bytes, '/dev/stdin', (json) => records.push(json));
  if (fault !== '' || records.length === 0) throw new ClientError(`${faultTag}: ${fault}`);
  const { Database } = await import('../../ovsdb/engine/database.ts');
  const { replayRecord } = await import('../../ovsdb/engine/commit-json.ts');
  const content = new Database(parseSchema(records[0] as Json));
  for (const record of records.slice(1)) replayRecord(content, record);
  return content;
}

/** How the schemas differ; '' when they do not. */
function schemaDifference(saved: DatabaseSchema, now: DatabaseSchema): string {
  const [a, b] = [saved, now].map((schema) => formatJson(schemaToJson(schema), { sort: true }));
  if (a === b) return '';
  if (saved.version === now.version) return `backup schema and database schema are both version ${now.version} but still differ`;
  return `backup schema has version "${saved.version}" but database schema has version "${now.version}"`;
}

async function restore(context: ClientContext): Promise<number> {
  const content = await readBackup();
  const { rowToJson } = await import('../../ovsdb/engine/operation-result.ts');
  const rpc = await context.connect();
  const database = await context.database(rpc);
  const difference = schemaDifference(content.schema, parseSchema(await request(rpc, 'get_schema', [database])));
  if (difference !== '' && !context.isForced) {
    throw new ClientError(`${difference} (use --force to override differences, or "ovsdb-client convert" to change the schema)`);
  }
  if (difference !== '') log.info(difference);
  const operations: Json[] = [];
  for (const table of content.tables.keys()) operations.push(jsonObject({ op: 'delete', table, where: [] }));
  const known = new Set([...content.tables.values()].flatMap((table) => [...table.rows.keys()]));
  for (const table of content.tables.values()) {
    const columns = table.schema.columnList.slice(2);
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
  const result = await request(rpc, 'transact', [content.schema.name, ...operations]);
  for (const item of Array.isArray(result) ? result : []) {
    if (item instanceof Map && item.has('error')) throw new ClientError(`server returned error reply: ${formatJson(item, { sort: true })}`);
  }
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
