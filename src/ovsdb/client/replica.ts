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
import type { DatabaseSchema } from '../engine/schema.ts';
import { type Json, jsonObject } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { RpcClosed, RpcError, RpcSession } from '../json/jsonrpc.ts';
import { sayPeerFault } from '../json/jsonrpc-faults.ts';
import { Conditions } from './conditions.ts';
import type { Idl, IdlClause, IdlOptions, IdlRow } from './idl.ts';
import { MONITOR_METHODS, type MonitorMethod, monitorRequests } from './monitor-requests.ts';
import { ReplicaContent } from './replica-content.ts';
import { ReplicaLock } from './replica-lock.ts';
import type { ReplicaTables } from './replica-row.ts';
import { ReplicaTransaction } from './replica-transaction.ts';
import { SERVER_MONITOR_ID, ServerWatch } from './server-watch.ts';

const log = logger('ovsdb_idl');
const serverLog = logger('ovsdb_cs');
const reconnectLog = logger('reconnect');
const MONITOR_ID = 'replica';
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

class ReplicaClient implements Replica {
  readonly #options: IdlOptions;
  readonly #world: IdlWorld;
  readonly #listeners = new Set<() => void>();
  readonly #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  readonly #reconnect: Reconnect | undefined;
  #remoteIndex = 0;
  #session: RpcSession | undefined;
  #attempt = 0;
  readonly #content: ReplicaContent;
  #methodIndex = 0;
  readonly #watch: ServerWatch;
  #changeNumber = 0;
  #isConnected = false;
  /** Updates that came before the monitor's reply was handled; undefined when there is nothing to wait for. */
  #early: { method: string; params: Json[] }[] | undefined;
  #hasContent = false;
  #isCurrent = false;
  readonly #conditions: Conditions;
  readonly #lock: ReplicaLock;
  #lastError = '';
  #failed: Error | undefined;
  #isClosed = false;

  constructor(options: IdlOptions, world: IdlWorld) {
    this.#options = options;
    this.#world = world;
    this.#conditions = new Conditions(options.conditions);
    this.#lock = new ReplicaLock(options.lock);
    this.#watch = new ServerWatch(options.database, options.mustLead ?? true);
    this.#content = new ReplicaContent(options.assumedSchema);
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
    return this.#lock.isContended;
  }
  get hasLock(): boolean {
    return this.#lock.isHeld;
  }
  get changeNumber(): number {
    return this.#changeNumber;
  }
  get lastError(): string {
    return this.#lastError;
  }
  get schema(): DatabaseSchema | undefined {
    return this.#content.schema;
  }
  get tables(): ReplicaTables {
    return this.#content.tables;
  }

  rows(table: string): ReadonlyMap<string, IdlRow> {
    return this.#content.tables.rows(table);
  }

  row(table: string, uuid: string): IdlRow | undefined {
    return this.#content.tables.rows(table).get(uuid);
  }

  begin(): ReplicaTransaction {
    const send = (operations: Json[]): Promise<Json> => {
      // What the replica holds may be what was before the connection ended: whoever decides by it would decide wrongly.
      if (this.#session === undefined || !this.#isCurrent) return Promise.reject(new RpcClosed('not connected'));
      return this.#session.call('transact', [this.#options.database, ...operations]);
    };
    return new ReplicaTransaction(this.#content.tables, send, this.#options.lock);
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
      json = this.#conditions.changesJson(changes, this.#content.tables.schema);
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
    if (!this.#content.isAssumed) await this.#fetchSchema(session);
    // 3. The lock.
    this.#lock.ask(
      session,
      () => session === this.#session,
      () => this.#announce(),
    );
    // 4. Monitor.
    for (;;) {
      const method = MONITOR_METHODS[this.#methodIndex] as MonitorMethod;
      // Of rows by another condition than the replica's nobody knows what it missed.
      if (!this.#conditions.areSettled) this.#content.forgetTransaction();
      this.#conditions.ask();
      const requests = monitorRequests(method, this.#content.tables.schema, this.#options.tables, this.#conditions);
      const params: Json[] = [this.#options.database, MONITOR_ID, requests];
      if (method === 'monitor_cond_since') params.push(this.#content.lastTransactionId);
      let reply: Json;
      // A promise resolves after everything else in the same packet has been handled, so updates behind the reply wait for it.
      this.#early = [];
      try {
        reply = await session.call(method, params);
      } catch (error) {
        if (this.#content.isAssumed && error instanceof RpcError && !formatJson(error.error).includes('unknown method')) {
          this.#content.stopAssuming();
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
    this.#content.setSchema(await session.call('get_schema', [this.#options.database]));
  }

  #fill(method: MonitorMethod, reply: Json): void {
    this.#content.fill(method, reply);
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
      const isKnown =
        method === 'locked' || method === 'stolen' ? this.#lock.notified(method, params) : this.#content.update(method, params);
      if (!isKnown) return;
    } catch (error) {
      log.warn(`${this.#remote()}: ${errorText(error)}`);
      this.#content.forgetTransaction();
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
    this.#lock.lost();
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
