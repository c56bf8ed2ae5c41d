// Active-backup: while it is the backup, the server follows an active server's databases and refuses to change them for anybody else.
//
// On each connection: 1. learn who the active server is, which must not be ourselves; 2. learn its databases; 3. of those that we serve too, compare
// the schemas: the active one must have nothing that ours lacks or has otherwise; 4. monitor them, without the tables left out; 5. the first contents replace ours
// in one commit, and each update is one more.
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { hashOrder } from '../../base/hash-order.ts';
import { logger } from '../../base/log.ts';
import type { Database, Table } from '../../ovsdb/engine/database.ts';
import { columnToJson, type DatabaseSchema, parseSchema, schemaToJson } from '../../ovsdb/engine/schema.ts';
import { type Json, jsonObject } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import type { RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import { applyTableUpdates } from './table-updates.ts';
import { Upstream } from './upstream.ts';

const log = logger('replication');
const DEFAULT_PROBE_MS = 60_000;

export interface ReplicationOptions {
  /** The active server's name, '' for none. */
  remote: string;
  /** `DB:TABLE,...`. */
  excluded: string;
}

const text = (json: Json): string => formatJson(json, { sort: true });

/** Whether every table and column of `theirs` is in `ours`, and the same. */
function canReplicate(ours: DatabaseSchema, theirs: DatabaseSchema): boolean {
  if (text(schemaToJson(ours)) === text(schemaToJson(theirs))) return true;
  log.info(`Schema version mismatch, checking if ${ours.name} can still be replicated or not.`);
  for (const name of hashOrder(hashOrder([...theirs.tables.keys()]))) {
    const [own, other] = [ours.tables.get(name), theirs.tables.get(name)];
    if (own === undefined) {
      log.info(`Table ${name} not present in the local db schema`);
      return false;
    }
    const columns = [...(other?.columns.values() ?? [])].slice(2);
    const found = columns.find((column) => {
      const same = own.columns.get(column.name);
      return same === undefined || text(columnToJson(same)) !== text(columnToJson(column));
    });
    if (found === undefined) continue;
    const isThere = own.columns.has(found.name);
    log.info(`Column ${found.name} ${isThere ? 'mismatch in' : 'not present in the'} local db schema table ${name}.`);
    return false;
  }
  log.info(`${ours.name} can be replicated.`);
  return true;
}

export class Replication {
  readonly #server: OvsdbServer;
  readonly #clock: Clock;
  #remote: string;
  #excluded: string;
  #probeIntervalMs = DEFAULT_PROBE_MS;
  #upstream: Upstream | undefined;
  /** The server that the running connection goes to. */
  #following = '';
  #state: 'active' | 'connecting' | 'replicating' | 'error' = 'active';
  #fault = '';
  #databases = new Map<string, Database>();
  /** Updates that came before the contents they build on. */
  #early: Json[][] | undefined;

  constructor(server: OvsdbServer, clock: Clock, options: ReplicationOptions) {
    this.#server = server;
    this.#clock = clock;
    this.#remote = options.remote;
    this.#excluded = options.excluded;
  }

  get remote(): string {
    return this.#remote;
  }

  /** Takes effect when next connected. */
  set remote(remote: string) {
    this.#remote = remote;
  }

  /** Each once, sorted, with a colon behind a database without a table, as the reference shows them. */
  get excluded(): string {
    const words = this.#excluded.split(',').filter((word) => word !== '');
    const shown = words.map((word) => word.replace(/^(:*[^:]*):?(.*)$/, '$1:$2'));
    return [...new Set(shown)].sort().join(',');
  }

  /** A backup begins anew with the other tables. */
  set excluded(excluded: string) {
    this.#excluded = excluded;
    if (this.#upstream !== undefined) this.connect();
  }

  set probeIntervalMs(intervalMs: number) {
    this.#probeIntervalMs = intervalMs;
    this.#upstream?.configure(intervalMs);
  }

  /** Becomes the backup of the active server. */
  connect(): void {
    this.#stop();
    this.#server.isReadOnly = true;
    this.#state = 'connecting';
    this.#following = this.#remote;
    this.#upstream = new Upstream([this.#remote], this.#clock, this.#probeIntervalMs, {
      connected: (session) => this.#begin(session),
      notified: (method, params) => {
        if (method !== 'update') return;
        if (this.#early !== undefined) this.#early.push(params);
        else this.#update(params);
      },
      disconnected: () => {},
      failed: (error) => this.#fail(error),
    });
    this.#upstream.start();
  }

  /** Becomes active. */
  disconnect(): void {
    this.#stop();
    this.#server.isReadOnly = false;
    this.#state = 'active';
  }

  close(): void {
    this.#stop();
  }

  #stop(): void {
    this.#upstream?.close();
    this.#upstream = undefined;
    this.#databases = new Map();
    this.#early = undefined;
  }

  #fail(error: unknown): void {
    this.#state = 'error';
    this.#fault = errorText(error);
    log.warn(`replication error: ${this.#fault}`);
    this.#upstream?.close();
  }

  async #begin(session: RpcSession): Promise<void> {
    this.#early = [];
    // 1.
    const id = await session.call('get_server_id', []);
    if (id === this.#server.id) throw new Error('Self replicating');
    // 2.
    const theirs = await session.call('list_dbs', []);
    const names = this.#server.databaseNames.filter((name) => !name.startsWith('_') && Array.isArray(theirs) && theirs.includes(name));
    // 3.
    const followed = new Map<string, { database: Database; schema: DatabaseSchema }>();
    for (const name of names) {
      const database = this.#server.database(name);
      const schema = parseSchema(await session.call('get_schema', [name]));
      if (database !== undefined && canReplicate(database.schema, schema)) followed.set(name, { database, schema });
      else log.info(`${name} cannot be replicated.`);
    }
    if (followed.size === 0) {
      if (names.length === 0) return;
      log.warn('Nothing to replicate.');
      this.disconnect();
      return;
    }
    // 4. and 5.
    this.#databases = new Map([...followed].map(([name, { database }]) => [name, database]));
    for (const [name, { database, schema }] of followed) {
      const tables = this.#followedTables(name, database);
      const requests = jsonObject({});
      for (const table of tables) {
        // What the other does not have it cannot be asked for.
        const other = schema.tables.get(table.schema.name);
        if (other === undefined) continue;
        const columns = other.columnList.slice(2).map((column) => column.name);
        requests.set(table.schema.name, jsonObject({ columns }));
      }
      const contents = await session.call('monitor', [name, name, requests]);
      log.info('Monitor request received. Resetting the database');
      applyTableUpdates(database, contents, tables);
    }
    this.#state = 'replicating';
    for (const params of this.#early?.splice(0) ?? []) this.#update(params);
    this.#early = undefined;
  }

  #update([name, updates]: Json[]): void {
    const database = this.#databases.get(String(name));
    if (database === undefined) return;
    try {
      applyTableUpdates(database, updates ?? null);
    } catch (error) {
      this.#fail(error);
    }
  }

  #excludedTables(): { database: string; table: string }[] {
    return this.#excluded
      .split(',')
      .map((item) => item.split(':'))
      .filter(([database = '', table = '']) => database !== '' && table !== '')
      .map(([database = '', table = '']) => ({ database, table }));
  }

  #followedTables(name: string, database: Database): Table[] {
    const excluded = new Set(
      this.#excludedTables()
        .filter((one) => one.database === name)
        .map((one) => one.table),
    );
    return [...database.tables.values()].filter((table) => !excluded.has(table.schema.name));
  }

  /** What `sync-status` says. */
  get status(): string {
    switch (this.#state) {
      case 'active':
        return 'state: active';
      case 'connecting':
        return `state: backup\nconnecting: ${this.#following}`;
      case 'error':
        return `state: backup\nerror: ${this.#fault}`;
      default: {
        const names = [...this.#databases.keys()].sort();
        const excluded = this.#excludedTables().filter(({ database }) => this.#databases.has(database));
        const exclusion =
          excluded.length === 0 ? '' : `\nexclude: ${excluded.map(({ database, table }) => `${database}:${table}`).join(',')}`;
        return `state: backup\nreplicating: ${this.#following}\ndatabase: ${names.join(',')}${exclusion}`;
      }
    }
  }
}
