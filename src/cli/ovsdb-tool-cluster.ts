// ovsdb-tool's commands that make and check clustered databases. What they check of their arguments is the reference's; clustered databases
// themselves are not made here.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../base/errno.ts';
import { UsageError } from '../base/getopt.ts';
import { logger } from '../base/log.ts';
import { readDatabaseFile } from '../daemon/ovsdb-server/file.ts';
import { isUuid } from '../ovsdb/engine/atom.ts';
import { OvsdbError } from '../ovsdb/engine/error.ts';
import { isId } from '../ovsdb/engine/object-parser.ts';
import { type DatabaseSchema, parseSchema } from '../ovsdb/engine/schema.ts';
import { type Json, parseJson } from '../ovsdb/json/json.ts';

const log = logger('ovsdb');
const socketLog = logger('socket_util');

function refuse(): never {
  throw new Error('clustered databases are not supported');
}

/** What the first record of a cluster file says (ovsdb(5), Clustered Format); a server that has not joined yet may not know its cluster. */
export interface ClusterFile {
  name: string;
  localAddress: string;
  serverId: string;
  clusterId: string | undefined;
}

export function readClusterFile(path: string): ClusterFile {
  const bytes = readFileSync(path);
  const end = bytes.indexOf(10);
  const [, size, hash] = /^OVSDB CLUSTER (\d+) ([0-9a-fA-F]{40})$/.exec(bytes.subarray(0, end).toString('latin1')) ?? [];
  const body = bytes.subarray(end + 1, end + 1 + Number(size));
  if (end < 0 || hash === undefined || body.length !== Number(size) || createHash('sha1').update(body).digest('hex') !== hash.toLowerCase())
    throw new OvsdbError('ovsdb error', `${path}: error parsing log record`);
  const header = parseJson(body.toString('utf8'));
  const member = (name: string): string | undefined => {
    const value = header instanceof Map ? header.get(name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const [name, localAddress, serverId] = [member('name'), member('local_address'), member('server_id')];
  if (name === undefined || localAddress === undefined || serverId === undefined)
    throw new OvsdbError('ovsdb error', `${path}: error parsing cluster header`);
  return { name, localAddress, serverId, clusterId: member('cluster_id') };
}

/** A cluster's servers are named `tcp:IP:PORT` or `ssl:IP:PORT`. */
function checkAddress(address: string): void {
  if (!/^(tcp|ssl):/.test(address)) throw new OvsdbError('ovsdb error', `${address}: expected "tcp" or "ssl" address`);
  const rest = address.slice(4);
  if (/^(\[[^\]]*\]|[^:[\]]+):\d+$/.test(rest)) return;
  if (!/^(\[[^\]]*\]|[^:]*):./.test(rest)) socketLog.err(`${rest}: port must be specified`);
  throw new OvsdbError('ovsdb error', `${address}: syntax error in address`);
}

function contentSchema(path: string): DatabaseSchema {
  let isLog: boolean;
  try {
    isLog = readFileSync(path).subarray(0, 6).toString('latin1') === 'OVSDB ';
  } catch (error) {
    throw new OvsdbError('I/O error', `${path}: open failed (${strerror(systemErrno(error))})`);
  }
  let schema: DatabaseSchema | undefined;
  if (isLog) {
    readDatabaseFile(path, (json, number) => {
      if (number === 0) schema = parseSchema(json);
    });
  }
  return schema ?? parseSchema(parseJsonFile(path));
}

function parseJsonFile(path: string): Json {
  return parseJson(readFileSync(path, 'utf8'));
}

/** The value of `--election-timer`; the reference judges it with the options, before the command. */
export function checkElectionTimer(text: string): void {
  const timer = Number.parseInt(text, 10) || 0;
  if (timer < 100 || timer > 600_000) throw new OvsdbError('ovsdb error', 'election timer must be between 100 and 600000, in msec.');
}

/** The value of `--cid`, judged with the options too. */
export function checkClusterId(text: string): void {
  if (!isUuid(text)) throw new UsageError(`${text}: not a valid UUID`);
}

/** `create-cluster`: its arguments are judged, then it is refused. */
export function createCluster(contents: string, local: string): void {
  const schema = contentSchema(contents);
  const ephemeral = [...schema.tables.values()].flatMap((table) =>
    table.columnList
      .slice(2)
      .filter((column) => !column.isPersistent)
      .map((column) => ({ table: table.name, column: column.name })),
  );
  const [first] = ephemeral;
  if (first !== undefined) {
    log.warn(
      `${contents}: changed ${ephemeral.length} columns in '${schema.name}' database from ephemeral to persistent, including '${first.column}' column in '${first.table}' table, because clusters do not support ephemeral columns`,
    );
  }
  checkAddress(local);
  refuse();
}

/** `join-cluster`: its arguments are judged, then it is refused. */
export function joinCluster(name: string, addresses: readonly string[]): void {
  if (!isId(name)) throw new Error(`${name}: not a valid schema name (use "schema-name" command to find the correct name)`);
  const [local = '', ...remotes] = addresses;
  checkAddress(local);
  for (const remote of remotes) {
    checkAddress(remote);
    if (remote === local) throw new OvsdbError('ovsdb error', 'remote addresses cannot be the same as the local address');
  }
  refuse();
}

/** `check-cluster`: a standalone database is none. */
export function checkCluster(paths: readonly string[]): void {
  for (const path of paths) {
    let magic: string;
    try {
      magic = readFileSync(path).subarray(0, 12).toString('latin1');
    } catch (error) {
      throw new OvsdbError('I/O error', `${path}: open failed (${strerror(systemErrno(error))})`);
    }
    if (magic !== 'OVSDB CLUSTE') throw new OvsdbError('ovsdb error', `${path}: cannot identify file type`);
  }
  refuse();
}
