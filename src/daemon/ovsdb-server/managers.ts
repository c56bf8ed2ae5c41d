// Remotes that the database itself names: `db:DB,TABLE,COLUMN`. The column holds targets as strings, or refers to rows of a table like
// Manager, with `target` and options, whose status columns are kept current.
import type { Atom } from '../../ovsdb/engine/atom.ts';
import type { Row, Table } from '../../ovsdb/engine/database.ts';
import { type Datum, datumsEqual, makeMap, mapValue } from '../../ovsdb/engine/datum.ts';
import { Transaction } from '../../ovsdb/engine/transaction.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import type { Remote, RemoteOptions } from './remotes.ts';

/** A parsed `db:` remote. */
export interface RemoteColumn {
  database: string;
  table: string;
  column: string;
}

/** Parses the name; a text says what is wrong. */
export function parseRemoteColumn(server: OvsdbServer, target: string): RemoteColumn | string {
  const [database = '', table = '', column = ''] = target.slice('db:'.length).split(',');
  if (database === '' || table === '' || column === '') return `"${target}": invalid syntax`;
  const db = server.database(database);
  if (db === undefined) return `"${target}": no database named ${database}`;
  const schema = db.schema.tables.get(table);
  if (schema === undefined) return `"${target}": no table named ${table}`;
  const columnSchema = schema.columns.get(column);
  if (columnSchema === undefined) return `"${target}": table "${table}" has no column "${column}"`;
  return { database, table, column };
}

/** Parses the name of a column of texts; a text says what is wrong. */
export function parseTextColumn(server: OvsdbServer, target: string): RemoteColumn | string {
  const parsed = parseRemoteColumn(server, target);
  if (typeof parsed === 'string') return parsed;
  const type = server.database(parsed.database)?.schema.tables.get(parsed.table)?.columns.get(parsed.column)?.type;
  if (type?.key.type === 'string' && type.value === undefined) return parsed;
  return `"${target}": table "${parsed.table}" column "${parsed.column}" is not string or set of strings`;
}

/** The tables on whose rows the remotes or the text of a `db:` name depend. */
export function followedTables(server: OvsdbServer, name: string): Table[] {
  const place = parseRemoteColumn(server, name);
  if (typeof place === 'string') return [];
  const tables = server.database(place.database)?.tables;
  const table = tables?.get(place.table);
  const target = tables?.get(table?.schema.columns.get(place.column)?.type.key.refTable ?? '');
  return [table, target].filter((one) => one !== undefined);
}

/** The first nonempty string in the column that `db:DB,TABLE,COLUMN` names; '' when there is none. */
export function firstText(server: OvsdbServer, place: string): string {
  const parsed = parseTextColumn(server, place);
  if (typeof parsed === 'string') return '';
  const table = server.database(parsed.database)?.tables.get(parsed.table);
  for (const row of table?.rows.values() ?? []) {
    const text = field(row, parsed.column)?.keys.find((key) => typeof key === 'string' && key !== '');
    if (typeof text === 'string') return text;
  }
  return '';
}

function field(row: Row, name: string): Datum | undefined {
  const column = row.table.schema.columns.get(name);
  return column === undefined ? undefined : row.fields[column.index];
}

/** The remotes that the column asks for now, with the rows that describe them. */
export function wantedRemotes(server: OvsdbServer, place: RemoteColumn): Map<string, { options: RemoteOptions; row: Row | undefined }> {
  const wanted = new Map<string, { options: RemoteOptions; row: Row | undefined }>();
  const table = server.database(place.database)?.tables.get(place.table);
  const column = table?.schema.columns.get(place.column);
  if (table === undefined || column === undefined) return wanted;
  const target = column.type.key.refTable === undefined ? undefined : server.database(place.database)?.tables.get(column.type.key.refTable);
  for (const row of table.rows.values()) {
    for (const atom of row.fields[column.index]?.keys ?? []) {
      if (target === undefined) {
        if (column.type.key.type === 'string') wanted.set(String(atom), { options: {}, row: undefined });
        continue;
      }
      const remoteRow = target.rows.get(String(atom));
      const name = remoteRow === undefined ? undefined : field(remoteRow, 'target')?.keys[0];
      if (remoteRow !== undefined && typeof name === 'string' && name !== '')
        wanted.set(name, { options: rowOptions(remoteRow), row: remoteRow });
    }
  }
  return wanted;
}

/** What a row has that says nothing better: internetwork control. */
const DEFAULT_DSCP = 48;

/** As C's atoi reads it. */
function parseDscp(text: string | undefined): number {
  const number = text === undefined ? DEFAULT_DSCP : Number(/^\s*[-+]?\d+/.exec(text)?.[0] ?? 0);
  return number >= 0 && number <= 63 ? number : DEFAULT_DSCP;
}

function rowOptions(row: Row): RemoteOptions {
  const probe = field(row, 'inactivity_probe')?.keys[0];
  const role = field(row, 'role')?.keys[0];
  const backoff = field(row, 'max_backoff')?.keys[0];
  return {
    ...(probe === undefined ? {} : { probeIntervalMs: Number(probe) }),
    ...(backoff === undefined ? {} : { maxBackoffMs: Number(backoff) }),
    dscp: parseDscp(mapText(row, 'other_config', 'dscp')),
    ...(typeof role === 'string' ? { role } : {}),
    isReadOnly: field(row, 'read_only')?.keys[0] === true,
  };
}

/** Writes how each remote fares into its row. */
export function writeStatus(server: OvsdbServer, place: RemoteColumn, remotes: ReadonlyMap<string, Remote>): void {
  const database = server.database(place.database);
  if (database === undefined) return;
  const transaction = new Transaction(database);
  for (const [target, { row }] of wantedRemotes(server, place)) {
    const remote = remotes.get(target);
    if (row === undefined || remote === undefined) continue;
    const { status } = remote;
    const pairs: [Atom, Atom][] = [];
    if (status.state !== '') pairs.push(['state', status.state]);
    if (status.lastError !== '') pairs.push(['last_error', status.lastError]);
    if (status.sinceConnectMs >= 0) pairs.push(['sec_since_connect', String(Math.floor(status.sinceConnectMs / 1000))]);
    if (status.sinceDisconnectMs >= 0) pairs.push(['sec_since_disconnect', String(Math.floor(status.sinceDisconnectMs / 1000))]);
    if (status.sessions > 1) pairs.push(['n_connections', String(status.sessions)]);
    if (status.boundPort !== 0) pairs.push(['bound_port', String(status.boundPort)]);
    const fields = [...row.fields];
    put(row.table, fields, 'is_connected', { keys: [status.isConnected] });
    put(row.table, fields, 'status', makeMap(pairs));
    transaction.put(row.table, row.uuid, fields);
  }
  transaction.commit();
}

function put(table: Table, fields: Datum[], name: string, datum: Datum): void {
  const column = table.schema.columns.get(name);
  const old = column === undefined ? undefined : fields[column.index];
  if (column !== undefined && old !== undefined && !datumsEqual(old, datum)) fields[column.index] = datum;
}

/** The value of a map column's key, for the SSL table and the like. */
export function mapText(row: Row, name: string, key: string): string | undefined {
  const datum = field(row, name);
  const value = datum === undefined ? undefined : mapValue(datum, key);
  return value === undefined ? undefined : String(value);
}
