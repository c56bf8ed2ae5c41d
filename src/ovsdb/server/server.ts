// The OVSDB server: databases by name, sessions over streams, locks, and monitors that share their updates.
import type { Clock } from '../../base/clock.ts';
import { countsUuids, randomUuid } from '../../base/cryptography.ts';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { LogLimit } from '../../base/log-limit.ts';
import type { Stream } from '../../base/stream.ts';
import type { Commit, Database } from '../engine/database.ts';
import type { Json } from '../json/json.ts';
import { faultKind } from '../json/jsonrpc-faults.ts';
import type { TransactionHistory } from './history.ts';
import { Locks } from './locks.ts';
import { SharedMonitor } from './monitor-changes.ts';
import { MonitorDraws } from './monitor-draws.ts';
import type { MonitorSpec } from './monitor-spec.ts';
import { createServerDatabase, describeDatabases } from './server-database.ts';
import { ServerSession, type SessionOptions } from './server-session.ts';

const log = logger('ovsdb_jsonrpc_server');
const rpcLog = logger('jsonrpc');
const reconnectLog = logger('reconnect');
const protocolFaults = new LogLimit(5, 5);

/** How long what a monitor began with is kept for others who ask for the same. */
const INITIAL_MS = 1000;

export interface ServerHooks {
  /** Replaces a database's schema online; throws OvsdbError. */
  convert?: (name: string, schema: Json) => void;
  /** Brings to the disk what replies are about to promise; throws when it cannot. */
  sync?: () => void;
  /** Runs a function at the end of this turn: after all requests that have come, before any reply goes. */
  atTurnEnd?: (fn: () => void) => void;
  /** `_Server` is empty until `describe` is called. */
  describesLate?: boolean;
}

/** Where a relay's database comes from. */
export interface RelaySource {
  /** Passes a request on to the source; rejects with its error. What has to wait is sent only if it is still wanted then. */
  forward(method: string, params: Json[], isWanted: () => boolean): Promise<Json>;
  readonly history: TransactionHistory;
}

interface Served {
  readonly name: string;
  /** A relay has none until its source has been heard. */
  database: Database | undefined;
  readonly relay: RelaySource | undefined;
  unlisten: () => void;
}

export class OvsdbServer {
  readonly clock: Clock;
  /** Nobody may change anything or take a lock: we follow another server. */
  isReadOnly = false;
  readonly id = randomUuid();
  /** More connections than this are closed as they come, so that no peer can take all memory by opening them. */
  maxSessions = 16_384;
  readonly locks = new Locks();
  readonly sessions = new Set<ServerSession>();
  readonly hooks: ServerHooks;
  readonly serverDatabase = createServerDatabase();
  readonly #flushes: (() => void)[] = [];
  #isArmed = false;
  #isDescribed: boolean;
  readonly #served = new Map<string, Served>();
  /** Monitors by what they watch; those whose conditions changed stand alone, without a key. */
  readonly #monitors = new Map<SharedMonitor, { key: string | undefined; users: number }>();
  /** Of a server that is recorded or runs from a record. */
  readonly monitorDraws = countsUuids() ? new MonitorDraws() : undefined;
  readonly #monitorsByKey = new Map<string, SharedMonitor>();
  #hasUpdates = false;
  /** Whether clients may ask for conditional monitors; without them they use plain ones. */
  allowsConditions = true;
  readonly #changed = new Set<Database>();
  /** Goes up at the end of each turn, and whenever updates are told within one. */
  turn = 0;

  constructor(clock: Clock, hooks: ServerHooks = {}) {
    this.clock = clock;
    this.hooks = hooks;
    this.#isDescribed = hooks.describesLate !== true;
    this.add('_Server', this.serverDatabase);
  }

  /** Calls `flush` at the end of this turn of the loop, once durable commits are on the disk: all commits of a turn share one sync. */
  defer(flush: () => void): void {
    this.#flushes.push(flush);
    this.#arm();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    (this.hooks.atTurnEnd ?? setImmediate)(() => this.flush());
  }

  /** Syncs, then lets out what waited for it. */
  flush(): void {
    this.#isArmed = false;
    this.#retryWaiting();
    try {
      this.hooks.sync?.();
    } catch (error) {
      // What could not be made durable must not be acknowledged.
      log.err(`cannot write to disk: ${errorText(error)}`);
      for (const session of [...this.sessions]) session.destroy('cannot write to disk');
    }
    this.tellUpdates();
    for (const flush of this.#flushes.splice(0)) flush();
  }

  /** Tells all monitors what they have not been told. */
  tellUpdates(): void {
    this.turn++;
    if (!this.#hasUpdates) return;
    this.#hasUpdates = false;
    for (const shared of this.#monitors.keys()) shared.tellAll();
  }

  /** Names of the databases, in order. */
  get databaseNames(): string[] {
    return [...this.#served.keys()].sort();
  }

  database(name: string): Database | undefined {
    return this.#served.get(name)?.database;
  }

  /** Whether a database of that name is served, be it a relay that has not heard its source yet. */
  has(name: string): boolean {
    return this.#served.has(name);
  }

  /** The source of a relay. */
  relay(name: string): RelaySource | undefined {
    return this.#served.get(name)?.relay;
  }

  /** Serves a database under a name. */
  add(name: string, database: Database): void {
    this.#served.set(name, { name, database, relay: undefined, unlisten: this.#listen(database) });
    this.#describe();
  }

  #listen(database: Database): () => void {
    const listener = (commit: Commit): void => this.#committed(database, commit);
    database.listeners.add(listener);
    return () => database.listeners.delete(listener);
  }

  /** Serves a relay, whose database comes with `supply`. */
  addRelay(name: string, relay: RelaySource): void {
    this.#served.set(name, { name, database: undefined, relay, unlisten: () => {} });
    this.#describe();
  }

  /** Gives a relay its database. */
  supply(name: string, database: Database): void {
    const served = this.#served.get(name);
    if (served === undefined) return;
    served.database = database;
    served.unlisten = this.#listen(database);
    this.#describe();
  }

  /** Stops serving a database; sessions that do not follow changes of databases are cut off. */
  remove(name: string): void {
    const served = this.#served.get(name);
    if (served === undefined) return;
    served.unlisten();
    this.#served.delete(name);
    if (served.database !== undefined) this.databaseChanged(served.database);
    this.#describe();
  }

  /** After a database went or got another schema: its monitors end, and sessions unaware of such things are cut off. */
  databaseChanged(database: Database): void {
    // Sessions that are cut off have theirs for a little longer: nobody shall share those.
    for (const [key, shared] of this.#monitorsByKey) if (shared.database === database) this.#monitorsByKey.delete(key);
    for (const session of [...this.sessions]) session.databaseChanged(database);
  }

  /** Brings `_Server` up to date. */
  describe(): void {
    this.#isDescribed = true;
    this.#describe();
  }

  #describe(): void {
    if (!this.#isDescribed) return;
    const shown = [...this.#served.values()].map(({ name, database, relay }) => ({ name, database, isRelay: relay !== undefined }));
    describeDatabases(this.serverDatabase, shown);
  }

  /** Serves a connection until it ends; undefined when there are as many as there may be, and this one is closed. */
  accept(stream: Stream, options: SessionOptions = {}): ServerSession | undefined {
    if (this.sessions.size >= this.maxSessions) {
      log.warn(`${stream.name}: connection refused, there are ${this.sessions.size} already`);
      stream.destroy();
      return undefined;
    }
    const session = new ServerSession(this, stream, options);
    this.sessions.add(session);
    return session;
  }

  /** A session is gone. */
  dropped(session: ServerSession, reason: string): void {
    this.sessions.delete(session);
    // A client that is done does not wait for what else there would be to hear: that is no fault.
    const kind = faultKind(reason);
    if (reason === 'Broken pipe' || reason === 'Connection reset by peer') log.dbg(`${session.name}: ${reason}`);
    else if (kind === 'protocol') protocolFaults.write(rpcLog, 'warn', `${session.name}: ${reason}`);
    else if (kind === 'silence') reconnectLog.err(`${session.name}: ${reason}`);
    else if (kind === 'other') log.warn(`${session.name}: ${reason}`);
  }

  /** The monitor of a key, shared by all who ask for the same; `make` is called when there is none. */
  shareMonitor(key: string | undefined, database: Database, make: () => MonitorSpec): SharedMonitor {
    let shared = key === undefined ? undefined : this.#monitorsByKey.get(key);
    if (shared === undefined) {
      shared = new SharedMonitor(make(), database, this.monitorDraws !== undefined);
      this.#monitors.set(shared, { key, users: 0 });
      if (key !== undefined) this.#monitorsByKey.set(key, shared);
    }
    const entry = this.#monitors.get(shared);
    if (entry !== undefined) entry.users++;
    return shared;
  }

  /** What a monitor begins with, made once for all who ask within a moment. */
  initialOf(shared: SharedMonitor): readonly (string | Uint8Array)[] {
    if (!shared.hasInitial) this.clock.after(INITIAL_MS, () => shared.forgetInitial());
    return shared.initial();
  }

  releaseMonitor(shared: SharedMonitor): void {
    const entry = this.#monitors.get(shared);
    if (entry === undefined || --entry.users > 0) return;
    this.#monitors.delete(shared);
    if (entry.key !== undefined && this.#monitorsByKey.get(entry.key) === shared) this.#monitorsByKey.delete(entry.key);
  }

  #committed(database: Database, commit: Commit): void {
    this.monitorDraws?.committed(database, commit);
    for (const shared of this.#monitors.keys()) {
      if (shared.database === database && shared.add(commit)) this.#hasUpdates = true;
    }
    this.#changed.add(database);
    this.#arm();
  }

  /** Transactions that wait run once the commit is done, not inside it; they may commit in turn. */
  #retryWaiting(): void {
    while (this.#changed.size > 0) {
      const changed = [...this.#changed];
      this.#changed.clear();
      // Monitors are told of what was waited for apart from what comes of it.
      if ([...this.sessions].some((session) => session.isWaiting)) this.tellUpdates();
      for (const database of changed) for (const session of this.sessions) session.retryWaiting(database);
    }
  }
}
