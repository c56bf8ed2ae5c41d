// The OVSDB server: databases by name, sessions over streams, locks, and monitors that share their updates.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Stream } from '../../base/stream.ts';
import type { Commit, Database } from '../engine/database.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { Locks } from './locks.ts';
import { commitUpdates, type MonitorSpec } from './monitor.ts';
import { createServerDatabase, describeDatabases } from './server-database.ts';
import { ServerSession, type SessionOptions } from './server-session.ts';

const log = logger('ovsdb_jsonrpc_server');

export interface ServerHooks {
  /** Replaces a database's schema online; throws OvsdbError. */
  convert?: (name: string, schema: Json) => void;
  /** Brings to the disk what replies are about to promise; throws when it cannot. */
  sync?: () => void;
  /** Runs a function at the end of this turn: after all requests that have come, before any reply goes. */
  atTurnEnd?: (fn: () => void) => void;
}

interface Served {
  readonly name: string;
  readonly database: Database;
  readonly unlisten: () => void;
}

export class OvsdbServer {
  readonly clock: Clock;
  readonly id = randomUUID();
  readonly locks = new Locks();
  readonly sessions = new Set<ServerSession>();
  readonly hooks: ServerHooks;
  readonly serverDatabase = createServerDatabase();
  readonly #flushes: (() => void)[] = [];
  readonly #served = new Map<string, Served>();
  readonly #specs = new Map<string, { spec: MonitorSpec; users: number }>();

  constructor(clock: Clock, hooks: ServerHooks = {}) {
    this.clock = clock;
    this.hooks = hooks;
    this.add('_Server', this.serverDatabase);
  }

  /** Calls `flush` at the end of this turn of the loop, once durable commits are on the disk: all commits of a turn share one sync. */
  defer(flush: () => void): void {
    if (this.#flushes.length === 0) (this.hooks.atTurnEnd ?? setImmediate)(() => this.flush());
    this.#flushes.push(flush);
  }

  /** Syncs, then lets out what waited for it. */
  flush(): void {
    try {
      this.hooks.sync?.();
    } catch (error) {
      // What could not be made durable must not be acknowledged.
      log.err(`cannot write to disk: ${errorText(error)}`);
      for (const session of [...this.sessions]) session.destroy('cannot write to disk');
    }
    for (const flush of this.#flushes.splice(0)) flush();
  }

  /** Names of the databases, in order. */
  get databaseNames(): string[] {
    return [...this.#served.keys()].sort();
  }

  database(name: string): Database | undefined {
    return this.#served.get(name)?.database;
  }

  /** Serves a database under a name. */
  add(name: string, database: Database): void {
    const listener = (commit: Commit): void => this.#committed(database, commit);
    database.listeners.add(listener);
    this.#served.set(name, { name, database, unlisten: () => database.listeners.delete(listener) });
    this.#describe();
  }

  /** Stops serving a database; sessions that do not follow changes of databases are cut off. */
  remove(name: string): void {
    const served = this.#served.get(name);
    if (served === undefined) return;
    served.unlisten();
    this.#served.delete(name);
    this.databaseChanged(served.database);
    this.#describe();
  }

  /** After a database went or got another schema: its monitors end, and sessions unaware of such things are cut off. */
  databaseChanged(database: Database): void {
    for (const session of [...this.sessions]) session.databaseChanged(database);
  }

  /** Brings `_Server` up to date. */
  describe(): void {
    this.#describe();
  }

  #describe(): void {
    const shown = [...this.#served.values()];
    describeDatabases(this.serverDatabase, shown);
  }

  /** Serves a connection until it ends. */
  accept(stream: Stream, options: SessionOptions = {}): ServerSession {
    const session = new ServerSession(this, stream, options);
    this.sessions.add(session);
    return session;
  }

  /** A session is gone. */
  dropped(session: ServerSession, reason: string): void {
    this.sessions.delete(session);
    if (reason !== '') log.warn(`${session.name}: ${reason}`);
  }

  /** The shared spec of a key; `make` is called when there is none. */
  shareSpec(key: string, make: () => MonitorSpec): MonitorSpec {
    let entry = this.#specs.get(key);
    if (entry === undefined) {
      entry = { spec: make(), users: 0 };
      this.#specs.set(key, entry);
    }
    entry.users++;
    return entry.spec;
  }

  releaseSpec(spec: MonitorSpec): void {
    for (const [key, entry] of this.#specs) {
      if (entry.spec === spec && --entry.users === 0) this.#specs.delete(key);
    }
  }

  #committed(database: Database, commit: Commit): void {
    const texts = new Map<MonitorSpec, string | undefined>();
    const textOf = (spec: MonitorSpec): string | undefined => {
      if (!texts.has(spec)) {
        const updates = commitUpdates(spec, commit);
        texts.set(spec, updates === undefined ? undefined : formatJson(updates));
      }
      return texts.get(spec);
    };
    for (const session of this.sessions) session.committed(database, textOf);
    // Transactions that wait run once this commit is done, not inside it.
    queueMicrotask(() => {
      for (const session of this.sessions) session.retryWaiting(database);
    });
  }
}
