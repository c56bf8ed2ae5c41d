// ovsdb-tool's commands that make clustered databases' files and read them, without a cluster that runs.
import { readFileSync } from 'node:fs';
import { decodeText } from '../../base/byte-text.ts';
import { randomUuid } from '../../base/cryptography.ts';
import { strerror, systemErrno } from '../../base/errno.ts';
import { UsageError } from '../../base/getopt.ts';
import { hashOrder } from '../../base/hash-order.ts';
import { hostPortFault } from '../../base/host-port.ts';
import { logger } from '../../base/log.ts';
import { DatabaseFile } from '../../daemon/ovsdb-server/file.ts';
import { FileLog } from '../../daemon/ovsdb-server/file-log.ts';
import { readClusterRecords } from '../../daemon/ovsdb-server/file-records.ts';
import { fileName } from '../../host/file-name.ts';
import { isUuid } from '../../ovsdb/engine/atom.ts';
import { snapshotToJson } from '../../ovsdb/engine/commit-json.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { isId } from '../../ovsdb/engine/object-parser.ts';
import { type DatabaseSchema, parseSchema, schemaToJson } from '../../ovsdb/engine/schema.ts';
import type { Json, JsonObject } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { parseJson } from '../../ovsdb/json/json-text.ts';
import { joiningToJson, memberToJson, parseRaftHeader, parseRaftRecord, type RaftHeader, splitData } from '../../ovsdb/log/raft-file.ts';

const log = logger('ovsdb');
const socketLog = logger('socket_util');

/** A cluster's servers are named `tcp:IP:PORT`, `ssl:IP:PORT` or `unix:PATH`. */
export function checkAddress(address: string): void {
  if (address.startsWith('unix:')) return;
  if (!/^(tcp|ssl):/.test(address)) throw new OvsdbError('ovsdb error', `${address}: expected "tcp" or "ssl" address`);
  const rest = address.slice(4);
  const fault = hostPortFault(rest);
  if (fault === undefined) return;
  socketLog.err(fault);
  throw new OvsdbError('ovsdb error', `${address}: syntax error in address`);
}

/** The value of `--election-timer`; the reference judges it with the options, before the command. */
export function checkElectionTimer(text: string): number {
  const timer = Number.parseInt(text, 10) || 0;
  if (timer < 100 || timer > 600_000) throw new OvsdbError('ovsdb error', 'election timer must be between 100 and 600000, in msec.');
  return timer;
}

/** The value of `--cid`, judged with the options too. */
export function checkClusterId(text: string): void {
  if (!isUuid(text)) throw new UsageError(`${text}: not a valid UUID`);
}

/** A schema and what it holds, from a database or a file with a schema alone. */
function readContents(path: string): { schema: DatabaseSchema; transaction: Json } {
  let isLog: boolean;
  try {
    isLog = !/^\s*\{/.test(readFileSync(fileName(path)).subarray(0, 64).toString('latin1'));
  } catch (error) {
    throw new OvsdbError('I/O error', `${path}: open failed (${strerror(systemErrno(error))})`);
  }
  if (!isLog) return { schema: parseSchema(parseJson(decodeText(readFileSync(fileName(path))))), transaction: new Map() };
  const file = DatabaseFile.open(path, { isReadOnly: true, isStrict: true });
  try {
    return { schema: file.database.schema, transaction: snapshotToJson(file.database, `created from ${path}`, Date.now()) };
  } finally {
    file.close();
  }
}

/** Columns that lose what they hold at a restart: clusters have none. */
function ephemeralColumns(schema: DatabaseSchema): { table: string; column: string }[] {
  return [...schema.tables.values()].flatMap((table) =>
    table.columnList
      .slice(2)
      .filter((column) => !column.isPersistent)
      .map((column) => ({ table: table.name, column: column.name })),
  );
}

function withoutEphemeral(schema: DatabaseSchema): JsonObject {
  const json = schemaToJson(schema);
  for (const { table, column } of ephemeralColumns(schema)) {
    const tables = json.get('tables') as JsonObject;
    const columns = (tables.get(table) as JsonObject).get('columns') as JsonObject;
    (columns.get(column) as JsonObject).delete('ephemeral');
  }
  return json;
}

function createFile(path: string, records: readonly JsonObject[]): void {
  FileLog.create(
    path,
    records.map((record) => () => [formatJson(record)]),
    'CLUSTER',
  );
}

/** `create-cluster`: the file of a new cluster's first server. */
export function createCluster(path: string, contents: string, local: string, electionTimer: number | undefined): void {
  const { schema, transaction } = readContents(contents);
  const ephemeral = ephemeralColumns(schema);
  const [first] = ephemeral;
  if (first !== undefined) {
    log.warn(
      `${contents}: changed ${ephemeral.length} columns in '${schema.name}' database from ephemeral to persistent, including '${first.column}' column in '${first.table}' table, because clusters do not support ephemeral columns`,
    );
  }
  checkAddress(local);
  const common = { name: schema.name, localAddress: local, serverId: randomUuid(), clusterId: randomUuid() };
  const records = [memberToJson(common, randomUuid(), [withoutEphemeral(schema), transaction])];
  if (electionTimer !== undefined)
    records.push(
      new Map([
        ['term', 1],
        ['index', 2],
        ['election_timer', electionTimer],
      ]),
    );
  createFile(path, records);
}

/** `join-cluster`: the file of a server that has yet to join. */
export function joinCluster(path: string, name: string, addresses: readonly string[], clusterId: string | undefined): void {
  if (!isId(name)) throw new Error(`${name}: not a valid schema name (use "schema-name" command to find the correct name)`);
  const [local = '', ...remotes] = addresses;
  checkAddress(local);
  for (const remote of remotes) {
    checkAddress(remote);
    if (remote === local) throw new OvsdbError('ovsdb error', 'remote addresses cannot be the same as the local address');
  }
  createFile(path, [joiningToJson({ name, localAddress: local, serverId: randomUuid(), clusterId }, hashOrder([...new Set(remotes)]))]);
}

class Enough extends Error {}

/** The first record, whatever follows it. */
export function readClusterHeader(path: string): RaftHeader {
  let header: RaftHeader | undefined;
  try {
    readClusterRecords(path, (json) => {
      header = parseRaftHeader(json, checkAddress);
      throw new Enough();
    });
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  if (header === undefined) throw new OvsdbError('ovsdb error', `${path}: unexpected file format`);
  return header;
}

/** `cluster-to-standalone`: all that the log holds of schema and data, as a standalone database. */
export function clusterToStandalone(target: string, path: string): void {
  const records: Json[] = [];
  let fault: unknown;
  try {
    readClusterRecords(path, (json, number) => {
      if (number === 0) {
        const header = parseRaftHeader(json, checkAddress);
        if (header.kind === 'joining' || header.prevData === undefined) return;
        const { schema, transaction } = splitData(header.prevData, 'raft header data');
        if (schema !== null) {
          parseSchema(schema);
          records.push(schema);
        }
        if (!(transaction instanceof Map)) throw new Error('Invalid raft header data');
        records.push(transaction);
        return;
      }
      const record = parseRaftRecord(json, checkAddress);
      if (record.kind !== 'entry' || record.data === undefined) return;
      const { transaction } = splitData(record.data, 'raft record');
      if (transaction === null) return;
      if (!(transaction instanceof Map)) throw new Error('Invalid raft record data');
      records.push(transaction);
    });
  } catch (error) {
    fault = error;
  }
  FileLog.create(
    target,
    records.map((record) => () => [formatJson(record)]),
  );
  if (fault !== undefined) throw fault;
}
