// `ovsdb-tool show-log`: the records of a database file in words. -m shows rows, -mm the columns of each.
import { errorText } from '../../base/errors.ts';
import { hashOrder } from '../../base/hash-order.ts';
import { parseDatum } from '../../ovsdb/engine/datum.ts';
import { formatDatum } from '../../ovsdb/engine/datum-text.ts';
import { isInteger } from '../../ovsdb/engine/object-parser.ts';
import { type ColumnSchema, type DatabaseSchema, parseSchema, type TableSchema } from '../../ovsdb/engine/schema.ts';
import type { Json, JsonObject } from '../../ovsdb/json/json.ts';
import { compareText, formatJson } from '../../ovsdb/json/json-format.ts';
import {
  parseRaftHeader,
  parseRaftRecord,
  type RaftHeader,
  type RaftRecord,
  type Servers,
  shortId,
  splitData,
} from '../../ovsdb/log/raft-file.ts';
import { formatLogTime } from '../log-time.ts';
import { checkAddress } from './cluster.ts';

const quoted = (text: string): string => `"${text}"`;
const serversText = (servers: Servers): string =>
  [...servers]
    .sort((a, b) => compareText(a[0], b[0]))
    .map(([id, address]) => `${shortId(id)}(${quoted(address)})`)
    .join(', ');

export class LogPrinter {
  readonly #detail: number;
  readonly #write: (text: string) => void;
  #schema: DatabaseSchema | undefined;
  /** What rows are called, by UUID: by their names as JSON, or by the beginning of the UUID when the log has told none. */
  readonly #names = new Map<string, string>();

  constructor(detail: number, write: (text: string) => void) {
    this.#detail = detail;
    this.#write = write;
  }

  #print(line: string): void {
    this.#write(`${line}\n`);
  }

  /** A record of a standalone database. */
  record(json: Json, number: number): void {
    if (number === 0) {
      // What is no schema is found out after this.
      this.#write('record 0:');
      this.#print(` ${this.#takeSchema(json, ' schema')}\n`);
      return;
    }
    if (json instanceof Map) this.#transaction(`record ${number}:`, json);
  }

  /** A record of a clustered database. */
  clusterRecord(json: Json, number: number): void {
    this.#print(`record ${number}:`);
    let print: () => boolean;
    try {
      if (number === 0) {
        const header = parseRaftHeader(json, checkAddress);
        print = () => this.#raftHeader(header);
      } else {
        const record = parseRaftRecord(json, checkAddress);
        print = () => this.#raftRecord(record);
      }
    } catch (error) {
      this.#print(errorText(error));
      print = () => false;
    }
    if (!print()) this.#print('');
  }

  /** This and the next give whether they ended what they printed of a transaction by themselves. */
  #raftHeader(header: RaftHeader): boolean {
    this.#print(` name: "${header.name}'`);
    this.#print(` local address: ${quoted(header.localAddress)}`);
    this.#print(` server_id: ${shortId(header.serverId)}`);
    if (header.clusterId !== undefined) this.#print(` cluster_id: ${shortId(header.clusterId)}`);
    if (header.kind === 'joining') {
      this.#print(` remote_addresses: ${hashOrder(header.remoteAddresses).join(' ')}`);
      return false;
    }
    if (header.prevIndex !== 0n) {
      this.#print(` prev_index: ${header.prevIndex}`);
      this.#print(` prev_term: ${header.prevTerm}`);
    }
    this.#print(` prev_servers: ${serversText(header.prevServers)}`);
    if (header.prevData === undefined) return false;
    this.#print(` prev_eid: ${shortId(header.prevEid ?? '')}`);
    return this.#data(header.prevData, ' prev_schema:', 'raft header data');
  }

  #raftRecord(record: RaftRecord): boolean {
    if (record.comment !== undefined) this.#print(` comment: ${quoted(record.comment)}`);
    if ('term' in record && record.term !== 0n) this.#print(` term: ${record.term}`);
    switch (record.kind) {
      case 'note':
        this.#print(` note: ${quoted(record.note)}`);
        return false;
      case 'commit':
        this.#print(` commit_index: ${record.commitIndex}`);
        return false;
      case 'vote':
        this.#print(` vote: ${shortId(record.vote)}`);
        return false;
      case 'leader':
        this.#print(` leader: ${shortId(record.leader)}`);
        return false;
      case 'term':
        return false;
    }
    this.#print(` index: ${record.index}`);
    if (record.servers !== undefined) this.#print(` servers: ${serversText(record.servers)}`);
    if (record.eid !== undefined) this.#print(` eid: ${shortId(record.eid)}`);
    return record.data !== undefined && this.#data(record.data, ' schema:', 'raft record');
  }

  #data(data: Json, title: string, what: string): boolean {
    const { schema, transaction } = splitData(data, what);
    if (schema !== null) this.#print(`${title} ${this.#takeSchema(schema)}`);
    if (!(transaction instanceof Map)) return false;
    this.#transaction('', transaction);
    return true;
  }

  #takeSchema(json: Json, word = ''): string {
    const schema = parseSchema(json);
    this.#schema = schema;
    return `"${schema.name}"${word}, version="${schema.version}", cksum="${schema.cksum}"`;
  }

  #transaction(head: string, json: JsonObject): void {
    const date = json.get('_date');
    const comment = json.get('_comment');
    const when = isInteger(date) ? ` ${formatLogTime(date < 1e12 ? Number(date) * 1000 : Number(date))}` : '';
    const line = `${head}${when}${typeof comment === 'string' ? ` "${comment}"` : ''}`;
    this.#print(line);
    const isDiff = json.get('_is_diff') === true;
    if (this.#detail === 0) return;
    let hasTables = false;
    for (const name of hashOrder([...json.keys()])) {
      const rows = json.get(name);
      if (name.startsWith('_') || !(rows instanceof Map)) continue;
      hasTables = true;
      this.#table(name, rows, isDiff);
    }
    if (hasTables) this.#print('');
  }

  #table(name: string, rows: JsonObject, isDiff: boolean): void {
    const table = this.#schema?.tables.get(name);
    for (const uuid of hashOrder([...rows.keys()])) this.#row(name, table, uuid, rows.get(uuid) as Json, isDiff);
  }

  #row(tableName: string, table: TableSchema | undefined, uuid: string, columns: Json, isDiff: boolean): void {
    const before = this.#names.get(uuid);
    const isNew = before === undefined;
    const told = columns instanceof Map ? columns.get('name') : undefined;
    const short = uuid.slice(0, 8);
    const name = told === undefined ? undefined : formatJson(told);
    const shown = before ?? name;
    const label = shown === undefined ? short : `${shown} (${short})`;
    this.#print(`  table ${tableName} ${isNew ? 'insert ' : ''}row ${label}${!isNew && isDiff ? ' diff' : ''}:`);
    if (columns === null) {
      this.#print('    delete row');
      this.#names.delete(uuid);
      return;
    }
    if (name !== undefined) this.#names.set(uuid, name);
    else if (isNew) this.#names.set(uuid, short);
    if (this.#detail < 2 || !(columns instanceof Map)) return;
    for (const column of hashOrder([...columns.keys()])) {
      const value = columns.get(column) as Json;
      this.#print(`    ${column}=${valueText(table?.columns.get(column), value)}`);
    }
  }
}

/** A value as its column's type shows it, or as JSON when it does not fit. */
function valueText(column: ColumnSchema | undefined, value: Json): string {
  const json = (): string => formatJson(value, { sort: true });
  if (column === undefined) return json();
  try {
    return formatDatum(parseDatum(value, column.type), column.type);
  } catch {
    return json();
  }
}
