// The IDL: a connection to an OVSDB server that keeps a replica current, across reconnections, and carries transactions on it.
//
// On each connection: 1. monitor what `_Server` says of the database, and go to the next server from one that will not do, now or later (server-watch.ts);
// 2. fetch the schema; 3. ask for the lock; 4. monitor, by the newest method that the server knows - `monitor_cond_since` resumes from the last
// transaction seen, the older two begin anew; 5. change conditions that were wished otherwise meanwhile; 6. apply updates as they come. Inserted rows
// of an update that fails to parse would leave the replica wrong, so such a connection is dropped and begun anew.
import type { Clock } from '../../base/clock.ts';
import { strerror } from '../../base/errno.ts';
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { Reconnect } from '../../base/reconnect.ts';
import type { Stream } from '../../base/stream.ts';
import { type DatabaseSchema, parseSchema } from '../engine/schema.ts';
import { asObject, type Json, jsonObject } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { RpcClosed, RpcError, RpcSession } from '../json/jsonrpc.ts';
import { sayPeerFault } from '../json/jsonrpc-faults.ts';
import { Conditions } from './conditions.ts';
import type { Idl, IdlClause, IdlOptions, IdlRow } from './idl.ts';
import { MONITOR_METHODS, type MonitorMethod, monitorRequests } from './monitor-requests.ts';
import { ReplicaTables } from './replica-row.ts';
import { ReplicaTransaction } from './replica-transaction.ts';
import { SERVER_MONITOR_ID, ServerWatch } from './server-watch.ts';

const log = logger('ovsdb_idl');
const serverLog = logger('ovsdb_cs');
const reconnectLog = logger('reconnect');
const MONITOR_ID = 'replica';
const ZERO_ID = '00000000-0000-0000-0000-000000000000';
const MAX_BACKOFF_MS = 8000;
const PROBE_INTERVAL_MS = 5000;

/** What the replica needs of the world. */
export interface IdlWorld {
  /** Opens a connection by its name; `connectStream` of host. */
  connect(remote: string): Promise<Stream>;
  clock: Clock;
}

/** An IDL that also shows its schema and its transactions' own view of rows. */
export interface Replica extends Idl {
  readonly schema: DatabaseSchema | undefined;
  readonly tables: ReplicaTables;
  begin(): ReplicaTransaction;
  /** Makes the connection anew at once. */
  reconnect(): void;
}

/** Starts to replicate. */
export function connectIdl(options: IdlOptions, world: IdlWorld): Replica {
  return new ReplicaClient(options, world);
}

const emptySchema: DatabaseSchema = { name: '', version: '', cksum: '', tables: new Map() };

class ReplicaClient implements Replica {
  readonly #options: IdlOptions;
  readonly #world: IdlWorld;
  readonly #listeners = new Set<() => void>();
  readonly #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  readonly #reconnect: Reconnect | undefined;
  #remoteIndex = 0;
  #session: RpcSession | undefined;
  #attempt = 0;
  #tables = new ReplicaTables(emptySchema);
  #schemaJson: Json | undefined;
  #isAssumed = false;
  #lastTransactionId = ZERO_ID;
  #methodIndex = 0;
  readonly #watch: ServerWatch;
  #changeNumber = 0;
  #isConnected = false;
  /** Updates that came before the monitor's reply was handled; undefined when there is nothing to wait for. */
  #early: { method: string; params: Json[] }[] | undefined;
  /** The server spoke of the lock by notification, which is newer than the reply to our request. */
  #isLockNotified = false;
  #hasContent = false;
  #isCurrent = false;
  readonly #conditions: Conditions;
  #hasLock = false;
  #isLockContended = false;
  #lastError = '';
  #failed: Error | undefined;
  #isClosed = false;

  constructor(options: IdlOptions, world: IdlWorld) {
    this.#options = options;
    this.#world = world;
    this.#conditions = new Conditions(options.conditions);
    this.#watch = new ServerWatch(options.database, options.mustLead ?? true);
    if (options.assumedSchema !== undefined) {
      this.#tables = new ReplicaTables(options.assumedSchema);
      this.#isAssumed = true;
    }
    if (options.retry === false) {
      void this.#open();
      return;
    }
    const remote = this.#remote();
    const needsProbes = !remote.startsWith('unix:');
    this.#reconnect = new Reconnect(
      remote,
      world.clock,
      { connect: () => void this.#open(), probe: () => this.#probe(), drop: () => this.#drop() },
      {
        maxBackoffMs: MAX_BACKOFF_MS,
        probeIntervalMs: options.probeIntervalMs ?? (needsProbes ? PROBE_INTERVAL_MS : 0),
        voice: 'reconnect',
        peers: { count: options.remotes.length, next: () => this.#nextRemote() },
      },
    );
    this.#reconnect.enable();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }
  get hasContent(): boolean {
    return this.#hasContent;
  }
  get isCurrent(): boolean {
    return this.#isCurrent;
  }
  get isLockContended(): boolean {
    return this.#isLockContended;
  }
  get hasLock(): boolean {
    return this.#options.lock === undefined || this.#hasLock;
  }
  get changeNumber(): number {
    return this.#changeNumber;
  }
  get lastError(): string {
    return this.#lastError;
  }
  get schema(): DatabaseSchema | undefined {
    return this.#schemaJson === undefined && !this.#isAssumed ? undefined : this.#tables.schema;
  }
  get tables(): ReplicaTables {
    return this.#tables;
  }

  rows(table: string): ReadonlyMap<string, IdlRow> {
    return this.#tables.rows(table);
  }

  row(table: string, uuid: string): IdlRow | undefined {
    return this.#tables.rows(table).get(uuid);
  }

  begin(): ReplicaTransaction {
    const send = (operations: Json[]): Promise<Json> => {
      // What the replica holds may be what was before the connection ended: whoever decides by it would decide wrongly.
      if (this.#session === undefined || !this.#isCurrent) return Promise.reject(new RpcClosed('not connected'));
      return this.#session.call('transact', [this.#options.database, ...operations]);
    };
    return new ReplicaTransaction(this.#tables, send, this.#options.lock);
  }

  setCondition(table: string, clauses: readonly IdlClause[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error('closed'));
    const done = this.#conditions.wish(table, clauses);
    this.#changeConditions();
    return done;
  }

  #changeConditions(): void {
    const session = this.#session;
    if (session === undefined || !this.#isCurrent || this.#conditions.isUnderWay) return;
    const changes = this.#conditions.changes();
    if (changes.size === 0) return;
    this.#conditions.ask();
    const after = (then: () => void): void => {
      if (session !== this.#session) return;
      then();
      this.#announce();
      this.#changeConditions();
    };
    const refused = (error: unknown): void =>
      after(() => this.#conditions.refuse(error instanceof Error ? error : new Error(String(error))));
    let json: Json;
    try {
      json = this.#conditions.changesJson(changes, this.#tables.schema);
    } catch (error) {
      refused(error);
      return;
    }
    const method = MONITOR_METHODS[this.#methodIndex] as MonitorMethod;
    // The oldest monitors give all rows whatever is wished.
    const done = method === 'monitor' ? Promise.resolve() : session.call('monitor_cond_change', [MONITOR_ID, MONITOR_ID, json]);
    done.then(
      () => after(() => this.#conditions.agree()),
      (error) => {
        if (!(error instanceof RpcClosed)) refused(error);
      },
    );
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  changed(): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  reconnect(): void {
    this.#reconnect?.reconnect();
  }

  close(): void {
    this.#isClosed = true;
    this.#conditions.end(new Error('closed'));
    this.#reconnect?.disable();
    this.#drop();
  }

  #probe(): void {
    this.#session?.call('echo', []).then(
      () => this.#reconnect?.activity(),
      () => {},
    );
  }

  #remote(): string {
    return this.#options.remotes[this.#remoteIndex % this.#options.remotes.length] ?? '';
  }

  #nextRemote(): string {
    this.#remoteIndex++;
    return this.#remote();
  }

  #announce(): void {
    this.#changeNumber++;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    for (const fn of this.#listeners) fn();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    let stream: Stream;
    try {
      stream = await this.#world.connect(this.#remote());
    } catch (error) {
      if (attempt === this.#attempt) this.#ended(error instanceof KernelError ? strerror(error.errno) : errorText(error));
      return;
    }
    if (attempt !== this.#attempt || this.#isClosed) {
      stream.destroy();
      return;
    }
    const session = new RpcSession(
      stream,
      {
        onRequest: (method, _params, id) => {
          this.#reconnect?.activity();
          session.replyError(id, jsonObject({ error: 'unknown method', details: method }));
        },
        onNotify: (method, params) => {
          this.#reconnect?.activity();
          if (session === this.#session) this.#notified(method, params);
        },
        onClose: (reason) => {
          if (session === this.#session) this.#ended(sayPeerFault(session.name, reason));
        },
      },
      { ignoresStrays: true },
    );
    this.#session = session;
    this.#isConnected = true;
    this.#reconnect?.connected();
    try {
      await this.#begin(session);
    } catch (error) {
      if (session !== this.#session || error instanceof RpcClosed) return;
      this.#lastError = errorText(error);
      log.warn(`${session.name}: ${this.#lastError}`);
      session.close();
    }
  }

  async #begin(session: RpcSession): Promise<void> {
    // 1. What the server is to the database. Its answer comes before the others', which need not wait for it.
    this.#watch.reset();
    session.call('monitor_cond', this.#watch.request()).then(
      (reply) => {
        if (session === this.#session) this.#judge(session, this.#watch.fill(reply));
      },
      // An older server has no such database.
      () => {},
    );
    // 2. The schema, which may have changed while we were away.
    if (!this.#isAssumed) await this.#fetchSchema(session);
    // 3. The lock.
    const { lock } = this.#options;
    if (lock !== undefined) {
      this.#isLockNotified = false;
      session.call('lock', [lock]).then(
        (reply) => {
          if (session !== this.#session || this.#isLockNotified) return;
          this.#hasLock = asObject(reply)?.get('locked') === true;
          this.#isLockContended = !this.#hasLock;
          this.#announce();
        },
        (error) => log.warn(`${session.name}: "lock" failed: ${errorText(error)}`),
      );
    }
    // 4. Monitor.
    for (;;) {
      const method = MONITOR_METHODS[this.#methodIndex] as MonitorMethod;
      // Of rows by another condition than the replica's nobody knows what it missed.
      if (!this.#conditions.areSettled) this.#lastTransactionId = ZERO_ID;
      this.#conditions.ask();
      const requests = monitorRequests(method, this.#tables.schema, this.#options.tables, this.#conditions);
      const params: Json[] = [this.#options.database, MONITOR_ID, requests];
      if (method === 'monitor_cond_since') params.push(this.#lastTransactionId);
      let reply: Json;
      // A promise resolves after everything else in the same packet has been handled, so updates behind the reply wait for it.
      this.#early = [];
      try {
        reply = await session.call(method, params);
      } catch (error) {
        if (this.#isAssumed && error instanceof RpcError && !formatJson(error.error).includes('unknown method')) {
          this.#isAssumed = false;
          await this.#fetchSchema(session);
          continue;
        }
        if (!(error instanceof RpcError) || this.#methodIndex + 1 >= MONITOR_METHODS.length) throw error;
        if (!formatJson(error.error).includes('unknown method')) throw error;
        this.#methodIndex++;
        continue;
      }
      if (session !== this.#session) return;
      this.#fill(method, reply);
      return;
    }
  }

  /** Leaves a server that will not do, for the `fault` given. */
  #judge(session: RpcSession, fault: string | undefined): void {
    if (fault === undefined) return;
    serverLog.info(`${session.name}: ${fault}`);
    if (this.#reconnect !== undefined) {
      this.#reconnect.refuse();
      return;
    }
    this.#drop();
    this.#openNext();
  }

  async #fetchSchema(session: RpcSession): Promise<void> {
    const schemaJson = await session.call('get_schema', [this.#options.database]);
    if (this.#schemaJson !== undefined && formatJson(schemaJson) === formatJson(this.#schemaJson)) return;
    this.#tables = new ReplicaTables(parseSchema(schemaJson));
    this.#schemaJson = schemaJson;
    this.#lastTransactionId = ZERO_ID;
  }

  #fill(method: MonitorMethod, reply: Json): void {
    if (method === 'monitor_cond_since') {
      const [isResumed, lastId, updates] = Array.isArray(reply) ? reply : [];
      if (isResumed !== true) this.#tables.clear();
      this.#tables.apply(updates ?? null, true);
      if (typeof lastId === 'string') this.#lastTransactionId = lastId;
    } else {
      this.#tables.clear();
      this.#tables.apply(reply, method !== 'monitor');
    }
    this.#hasContent = true;
    this.#isCurrent = true;
    this.#conditions.agree();
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const { method: name, params } of early) this.#notified(name, params);
    this.#announce();
    this.#changeConditions();
  }

  #notified(method: string, params: Json[]): void {
    if (method === 'update2' && params[0] === SERVER_MONITOR_ID) {
      if (this.#session !== undefined) this.#judge(this.#session, this.#watch.update(params[1] ?? null));
      return;
    }
    if (this.#early !== undefined && method.startsWith('update')) {
      this.#early.push({ method, params });
      return;
    }
    try {
      if (method === 'update3') {
        this.#tables.apply(params[2] ?? null, true);
        if (typeof params[1] === 'string') this.#lastTransactionId = params[1];
      } else if (method === 'update2' || method === 'update') {
        this.#tables.apply(params[1] ?? null, method === 'update2');
      } else if (method === 'locked' || method === 'stolen') {
        if (params[0] !== this.#options.lock) return;
        this.#isLockNotified = true;
        this.#hasLock = method === 'locked';
        this.#isLockContended = !this.#hasLock;
      } else {
        return;
      }
    } catch (error) {
      log.warn(`${this.#remote()}: ${errorText(error)}`);
      this.#lastTransactionId = ZERO_ID;
      this.#session?.close();
      return;
    }
    this.#announce();
  }

  #drop(): void {
    this.#attempt++;
    const session = this.#session;
    this.#session = undefined;
    session?.close();
    if (this.#isConnected) this.#lost();
  }

  #lost(): void {
    this.#isConnected = false;
    this.#isCurrent = false;
    this.#hasLock = false;
    this.#isLockContended = false;
    if (!this.#isClosed) this.#announce();
  }

  #ended(reason: string): void {
    this.#session = undefined;
    this.#lastError = reason === '' ? 'End of file' : reason;
    const wasConnected = this.#isConnected;
    if (this.#isConnected) this.#lost();
    if (this.#isClosed) return;
    if (this.#reconnect !== undefined) {
      this.#reconnect.ended(reason);
      return;
    }
    if (wasConnected && reason !== '') reconnectLog.warn(`${this.#remote()}: connection dropped (${reason})`);
    this.#openNext();
  }

  /** Without retry each server is tried once. */
  #openNext(): void {
    if (this.#remoteIndex + 1 < this.#options.remotes.length) {
      this.#nextRemote();
      void this.#open();
      return;
    }
    this.#failed = new Error(this.#lastError);
    for (const { reject } of this.#waiters.splice(0)) reject(this.#failed);
    this.#announce();
  }
}
