// One client of the server: its requests, monitors, waiting transactions and locks.
import type { Stream } from '../../base/stream.ts';
import type { Database } from '../engine/database.ts';
import { OvsdbError, syntaxError } from '../engine/error.ts';
import { executeTransaction } from '../engine/execute.ts';
import { isId } from '../engine/object-parser.ts';
import { schemaToJson } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { RpcSession } from '../json/jsonrpc.ts';
import type { LockHolder } from './locks.ts';
import { changeConditions, conditionUpdates, initialUpdates, type MonitorSpec, type MonitorVersion, parseMonitorSpec } from './monitor.ts';
import type { OvsdbServer } from './server.ts';

export interface SessionOptions {
  probeIntervalMs?: number;
  isReadOnly?: boolean;
  onClose?: (reason: string) => void;
}

interface Monitor {
  readonly id: Json;
  readonly database: Database;
  readonly spec: MonitorSpec;
}

interface Waiting {
  readonly id: Json;
  readonly database: Database;
  readonly operations: Json[];
  readonly startMs: number;
  cancelTimer: () => void;
}

/** Standalone databases have no history of transactions to resume from. */
const NO_TRANSACTION = '00000000-0000-0000-0000-000000000000';

export class ServerSession implements LockHolder {
  readonly #server: OvsdbServer;
  readonly #rpc: RpcSession;
  readonly #options: SessionOptions;
  readonly #monitors = new Map<string, Monitor>();
  readonly #waiting = new Map<string, Waiting>();
  #isChangeAware = false;
  #isConverting = false;

  constructor(server: OvsdbServer, stream: Stream, options: SessionOptions) {
    this.#server = server;
    this.#options = options;
    this.#rpc = new RpcSession(
      stream,
      {
        onRequest: (method, params, id) => this.#request(method, params, id),
        onNotify: (method, params) => {
          if (method === 'cancel') this.#cancel(params);
        },
        onClose: (reason) => this.#closed(reason),
      },
      { clock: server.clock, probeIntervalMs: options.probeIntervalMs ?? 0, defer: (flush) => server.defer(flush) },
    );
  }

  get name(): string {
    return this.#rpc.name;
  }

  get monitorCount(): number {
    return this.#monitors.size;
  }

  close(): void {
    this.#rpc.close();
  }

  destroy(reason: string): void {
    this.#rpc.destroy(reason);
  }

  #closed(reason: string): void {
    for (const waiting of this.#waiting.values()) waiting.cancelTimer();
    this.#waiting.clear();
    for (const monitor of this.#monitors.values()) this.#server.releaseSpec(monitor.spec);
    this.#monitors.clear();
    this.#server.locks.leave(this);
    this.#server.dropped(this, reason);
    this.#options.onClose?.(reason);
  }

  notifyLock(method: 'locked' | 'stolen', lock: string): void {
    this.#rpc.notify(method, [lock]);
  }

  #request(method: string, params: Json[], id: Json): void {
    try {
      const result = this.#serve(method, params, id);
      if (result !== undefined) this.#rpc.reply(id, result);
    } catch (error) {
      if (error instanceof OvsdbError) this.#replyError(id, error.toJson());
      else if (error instanceof PlainFault) this.#replyError(id, error.message);
      else throw error;
    }
  }

  #replyError(id: Json, error: Json): void {
    this.#rpc.sendText(`{"id":${formatJson(id)},"error":${formatJson(error)}}`);
  }

  /** The reply's result, or undefined when it comes later. */
  #serve(method: string, params: Json[], id: Json): Json | undefined {
    switch (method) {
      case 'transact':
        return this.#transact(this.#lookup(method, params), params, id);
      case 'monitor':
        return this.#monitor(this.#lookup(method, params), params, 1);
      case 'monitor_cond':
        return this.#monitor(this.#lookup(method, params), params, 2);
      case 'monitor_cond_since':
        return this.#monitor(this.#lookup(method, params), params, 3);
      case 'monitor_cond_change':
        return this.#monitorChange(params);
      case 'monitor_cancel': {
        const [monitorId] = params;
        if (params.length !== 1 || monitorId === undefined) throw new PlainFault('invalid parameters');
        const monitor = this.#monitors.get(formatJson(monitorId));
        if (monitor === undefined) throw new PlainFault('unknown monitor');
        this.#monitors.delete(formatJson(monitorId));
        this.#server.releaseSpec(monitor.spec);
        return new Map();
      }
      case 'get_schema':
        return schemaToJson(this.#lookup(method, params).schema);
      case 'list_dbs':
        return this.#server.databaseNames;
      case 'lock':
      case 'steal':
        return this.#lock(method, params);
      case 'unlock': {
        const lock = lockName(method, params);
        if (!this.#server.locks.asked(this, lock)) throw syntaxError(params, 'unlock: "unlock" without "lock" or "steal"');
        this.#server.locks.unlock(this, lock);
        return new Map();
      }
      case 'get_server_id':
        return this.#server.id;
      case 'set_db_change_aware':
        if (params.length !== 1 || typeof params[0] !== 'boolean')
          throw syntaxError(params, 'set_db_change_aware: true or false parameter expected');
        this.#isChangeAware = params[0];
        return new Map();
      case 'convert':
        return this.#convert(params);
      default:
        throw new PlainFault('unknown method');
    }
  }

  #lookup(method: string, params: Json[]): Database {
    const [name] = params;
    if (typeof name !== 'string') throw syntaxError(params, `${method} request params must begin with <db-name>`);
    const database = this.#server.database(name);
    if (database === undefined)
      throw new OvsdbError('unknown database', `${method} request specifies unknown database ${name}`, { syntax: params });
    return database;
  }

  #lock(method: 'lock' | 'steal', params: Json[]): Json {
    const lock = lockName(method, params);
    const { locks } = this.#server;
    if (locks.asked(this, lock)) throw syntaxError(params, `must issue "unlock" before new "${method}"`);
    if (method === 'steal') {
      locks.steal(this, lock);
      return new Map([['locked', true]]);
    }
    return new Map([['locked', locks.lock(this, lock)]]);
  }

  #convert(params: Json[]): Json {
    this.#lookup('convert', params);
    const [name, schema] = params;
    if (params.length !== 2 || schema === undefined) throw syntaxError(params, 'array expected');
    if (this.#server.hooks.convert === undefined) throw new PlainFault('not supported');
    // The reply goes out before the connection is cut, which is done to those who do not follow changes of databases.
    this.#isConverting = true;
    try {
      this.#server.hooks.convert(name as string, schema);
    } finally {
      this.#isConverting = false;
    }
    if (!this.#isChangeAware) queueMicrotask(() => this.#rpc.close());
    return new Map();
  }

  #transact(database: Database, params: Json[], id: Json): Json | undefined {
    return this.#run({ id, database, operations: params.slice(1), startMs: this.#server.clock.now(), cancelTimer: () => {} });
  }

  #run(waiting: Waiting): Json | undefined {
    const { database } = waiting;
    const elapsedMs = this.#server.clock.now() - waiting.startMs;
    const outcome = executeTransaction(database, waiting.operations, {
      elapsedMs,
      holdsLock: (lock) => this.#server.locks.holds(this, lock),
      isReadOnly: this.#options.isReadOnly === true,
      isReserved: database === this.#server.serverDatabase,
    });
    waiting.cancelTimer();
    const key = formatJson(waiting.id);
    if (outcome.kind === 'done') {
      this.#waiting.delete(key);
      return outcome.result;
    }
    this.#waiting.set(key, waiting);
    if (Number.isFinite(outcome.timeoutMs)) {
      waiting.cancelTimer = this.#server.clock.after(outcome.timeoutMs - elapsedMs, () => this.#retry(waiting));
    }
    return undefined;
  }

  #retry(waiting: Waiting): void {
    const result = this.#run(waiting);
    if (result !== undefined) this.#rpc.reply(waiting.id, result);
  }

  /** Runs again what waits for a change of the database. */
  retryWaiting(database: Database): void {
    for (const waiting of [...this.#waiting.values()]) if (waiting.database === database) this.#retry(waiting);
  }

  #cancel(params: Json[]): void {
    const key = params.length === 1 ? formatJson(params[0] as Json) : '';
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    waiting.cancelTimer();
    this.#waiting.delete(key);
    this.#replyError(waiting.id, 'canceled');
  }

  #monitor(database: Database, params: Json[], version: MonitorVersion): Json {
    const [name, monitorId, requests, since] = params;
    const length = version === 3 ? 4 : 3;
    if (params.length !== length || monitorId === undefined || requests === undefined) throw syntaxError(params, 'invalid parameters');
    if (!(requests instanceof Map)) throw syntaxError(requests, 'monitor-requests must be object');
    const key = formatJson(monitorId);
    if (this.#monitors.has(key)) throw syntaxError(monitorId, 'duplicate monitor ID');
    if (version === 3 && typeof since !== 'string') throw syntaxError(since, 'Invalid last-txn-id');
    const specKey = `${version} ${formatJson([name as Json, requests])}`;
    const spec = this.#server.shareSpec(specKey, () => parseMonitorSpec(requests, database, version));
    this.#monitors.set(key, { id: monitorId, database, spec });
    const initial = initialUpdates(spec);
    return version === 3 ? [false, NO_TRANSACTION, initial] : initial;
  }

  #monitorChange(params: Json[]): Json {
    const [oldId, newId, requests] = params;
    if (params.length !== 3 || oldId === undefined || newId === undefined || requests === undefined)
      throw syntaxError(params, 'invalid parameters');
    const monitor = this.#monitors.get(formatJson(oldId));
    if (monitor === undefined) throw syntaxError(oldId, 'unknown monitor session');
    const newKey = formatJson(newId);
    if (newKey !== formatJson(oldId) && this.#monitors.has(newKey)) throw syntaxError(newId, 'duplicate monitor ID');
    if (!(requests instanceof Map)) throw syntaxError(requests, 'monitor-requests must be object');
    const spec = monitor.spec.version === 1 ? monitor.spec : changeConditions(monitor.spec, requests);
    const updates = spec === monitor.spec ? undefined : conditionUpdates(monitor.spec, spec);
    if (spec !== monitor.spec) this.#server.releaseSpec(monitor.spec);
    this.#monitors.delete(formatJson(oldId));
    const changed = { id: newId, database: monitor.database, spec };
    this.#monitors.set(newKey, changed);
    if (updates !== undefined) this.#sendUpdate(changed, formatJson(updates));
    return new Map();
  }

  /** Tells the monitors of a commit; `textOf` gives the updates of a spec, made once for all sessions. */
  committed(database: Database, textOf: (spec: MonitorSpec) => string | undefined): void {
    for (const monitor of this.#monitors.values()) {
      if (monitor.database !== database) continue;
      const text = textOf(monitor.spec);
      if (text !== undefined) this.#sendUpdate(monitor, text);
    }
  }

  #sendUpdate(monitor: Monitor, text: string): void {
    const id = formatJson(monitor.id);
    const { version } = monitor.spec;
    if (version === 3) this.#rpc.sendText(`{"id":null,"method":"update3","params":[${id},"${NO_TRANSACTION}",${text}]}`);
    else this.#rpc.sendText(`{"id":null,"method":"${version === 1 ? 'update' : 'update2'}","params":[${id},${text}]}`);
  }

  /** A database went away or has a new schema. */
  databaseChanged(database: Database): void {
    for (const [key, monitor] of this.#monitors) {
      if (monitor.database !== database) continue;
      this.#monitors.delete(key);
      this.#server.releaseSpec(monitor.spec);
      this.#rpc.notify('monitor_canceled', [monitor.id]);
    }
    for (const [key, waiting] of this.#waiting) {
      if (waiting.database !== database) continue;
      waiting.cancelTimer();
      this.#waiting.delete(key);
      this.#replyError(waiting.id, 'canceled');
    }
    if (!this.#isChangeAware && !this.#isConverting) this.#rpc.close();
  }
}

/** An error that is a bare string. */
class PlainFault extends Error {}

function lockName(method: string, params: Json[]): string {
  const [lock] = params;
  if (params.length !== 1 || typeof lock !== 'string' || !isId(lock)) throw syntaxError(params, `${method} request params must be <id>`);
  return lock;
}
