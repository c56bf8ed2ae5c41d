// A relay: a database that is another server's, kept in memory. Reads and monitors are served from the copy; what writes is passed on to the source,
// and its reply back.
//
// On each connection: 0. whether the source has the database, now and later, is seen beside the rest; 1. fetch the schema; 2. monitor everything, by the newest method that the source knows, from the last transaction seen; 3. the
// contents, or what was missed, become ours in one commit, and each update is one more; 4. what was to be written while there was no connection is sent.
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { SERVER_MONITOR_ID, ServerWatch } from '../../ovsdb/client/server-watch.ts';
import { mixedServers } from '../../ovsdb/client/servers.ts';
import { ZERO_UUID } from '../../ovsdb/engine/atom.ts';
import { Database, type Row } from '../../ovsdb/engine/database.ts';
import { parseSchema } from '../../ovsdb/engine/schema.ts';
import { type Json, jsonObject } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { RpcClosed, RpcError, type RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import { TransactionHistory } from '../../ovsdb/server/history.ts';
import type { OvsdbServer, RelaySource } from '../../ovsdb/server/server.ts';
import { applyTableUpdates } from './table-updates.ts';
import { Upstream } from './upstream.ts';

const log = logger('relay');
const PROBE_MS = 60_000;
/** Writes that may wait for the source at a time. */
const MAX_WAITING = 1000;
const METHODS = ['monitor_cond_since', 'monitor_cond', 'monitor'] as const;

interface Waiting {
  method: string;
  params: Json[];
  isWanted(): boolean;
  resolve(result: Json): void;
  reject(error: Error): void;
}

/** Where the reference connects to when it was given nothing: a kind of connection that there is not. */
const NO_REMOTE = 'invalid:';

/** Splits `relay:NAME:REMOTE[,REMOTE...]`; undefined when it is none. */
export function parseRelay(text: string): { name: string; remotes: string[] } | undefined {
  const match = /^relay:([^:]*):(.*)$/s.exec(text);
  if (match === null) return undefined;
  const [, name = '', remotes = ''] = match;
  return { name, remotes: mixedServers(remotes === '' ? NO_REMOTE : remotes) };
}

function* allRows(database: Database): Iterable<Row> {
  for (const table of database.tables.values()) yield* table.rows.values();
}

export class Relay implements RelaySource {
  readonly name: string;
  readonly history = new TransactionHistory();
  readonly #server: OvsdbServer;
  readonly #upstream: Upstream;
  #database: Database | undefined;
  #schemaText = '';
  #isReady = false;
  #early: { method: string; params: Json[] }[] | undefined;
  readonly #waiting: Waiting[] = [];
  readonly #watch: ServerWatch;

  constructor(server: OvsdbServer, clock: Clock, name: string, remotes: readonly string[]) {
    this.name = name;
    this.#server = server;
    this.#watch = new ServerWatch(name, false);
    this.#upstream = new Upstream(remotes, clock, PROBE_MS, {
      connected: (session) => this.#begin(session),
      notified: (method, params) => {
        if (method === 'update2' && params[0] === SERVER_MONITOR_ID) this.#judge(this.#watch.update(params[1] ?? null));
        else if (this.#early !== undefined) this.#early.push({ method, params });
        else this.#update(method, params);
      },
      disconnected: () => {
        this.#isReady = false;
      },
      failed: (error) => {
        log.warn(`${name}: ${errorText(error)}`);
        this.#upstream.session?.close();
      },
    });
  }

  start(): void {
    this.#upstream.start();
  }

  close(): void {
    this.#upstream.close();
    for (const { reject } of this.#waiting.splice(0)) reject(new RpcClosed('relay removed'));
  }

  async forward(method: string, params: Json[], isWanted: () => boolean): Promise<Json> {
    const { session } = this.#upstream;
    if (this.#isReady && session !== undefined) return session.call(method, params);
    if (this.#waiting.length >= MAX_WAITING) throw new RpcError('relay source is not connected');
    return new Promise((resolve, reject) => this.#waiting.push({ method, params, isWanted, resolve, reject }));
  }

  #judge(fault: string | undefined): void {
    if (fault !== undefined) this.#upstream.refuse(fault);
  }

  async #begin(session: RpcSession): Promise<void> {
    this.#early = [];
    // 0.
    this.#watch.reset();
    session.call('monitor_cond', this.#watch.request()).then(
      (reply) => {
        if (session === this.#upstream.session) this.#judge(this.#watch.fill(reply));
      },
      // An older server has nothing to say of it.
      () => {},
    );
    // 1.
    const schemaJson = await session.call('get_schema', [this.name]);
    const schemaText = formatJson(schemaJson, { sort: true });
    const schema = parseSchema(schemaJson);
    const isSame = this.#database !== undefined && schemaText === this.#schemaText;
    const database = isSame && this.#database !== undefined ? this.#database : new Database(schema);
    // 2.
    const requests = jsonObject({});
    for (const table of schema.tables.values()) {
      const request = jsonObject({ columns: table.columnList.slice(2).map((column) => column.name) });
      requests.set(table.name, [request]);
    }
    const since = isSame ? this.history.lastId : ZERO_UUID;
    const { isResumed, lastId, updates } = await this.#monitor(session, requests, since);
    // 3.
    if (isResumed) {
      this.#apply(database, updates, lastId);
    } else {
      applyTableUpdates(database, updates, database.tables.values());
      this.history.reset(lastId, allRows(database));
    }
    if (!isSame) this.#supply(database, schemaText);
    for (const { method, params } of this.#early?.splice(0) ?? []) this.#update(method, params);
    this.#early = undefined;
    this.#isReady = true;
    // 4.
    for (const { method, params, isWanted, resolve, reject } of this.#waiting.splice(0)) {
      if (isWanted()) session.call(method, params).then(resolve, reject);
      else reject(new RpcClosed('canceled'));
    }
  }

  #supply(database: Database, schemaText: string): void {
    this.#schemaText = schemaText;
    log.dbg(`database ${this.name} schema changed.`);
    if (this.#database === undefined) {
      this.#database = database;
      this.#server.supply(this.name, database);
      return;
    }
    this.#database.replaceWith(database);
    this.#server.databaseChanged(this.#database);
    this.#server.describe();
  }

  async #monitor(session: RpcSession, requests: Json, since: string): Promise<{ isResumed: boolean; lastId: string; updates: Json }> {
    for (const method of METHODS) {
      const params: Json[] = [this.name, this.name, requests, ...(method === 'monitor_cond_since' ? [since] : [])];
      try {
        const reply = await session.call(method, params);
        if (method !== 'monitor_cond_since' || !Array.isArray(reply)) return { isResumed: false, lastId: ZERO_UUID, updates: reply };
        const [isResumed, lastId, updates] = reply;
        return { isResumed: isResumed === true, lastId: typeof lastId === 'string' ? lastId : ZERO_UUID, updates: updates ?? null };
      } catch (error) {
        if (!(error instanceof RpcError) || !error.message.includes('unknown method')) throw error;
      }
    }
    throw new Error('the source has no monitors');
  }

  #apply(database: Database, updates: Json, id: string): void {
    const commit = applyTableUpdates(database, updates);
    this.history.add(id, commit);
  }

  #update(method: string, params: Json[]): void {
    if (!method.startsWith('update') || this.#database === undefined) return;
    try {
      const id = method === 'update3' ? params[1] : undefined;
      this.#apply(this.#database, (method === 'update3' ? params[2] : params[1]) ?? null, typeof id === 'string' ? id : ZERO_UUID);
    } catch (error) {
      // Our copy is wrong: begin anew, from the start.
      log.warn(`${this.name}: ${errorText(error)}`);
      this.history.reset(ZERO_UUID);
      this.#upstream.session?.close();
    }
  }
}
