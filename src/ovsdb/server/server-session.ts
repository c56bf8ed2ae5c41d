// One client of the server: its requests, monitors, waiting transactions and locks.
import type { Stream } from '../../base/stream.ts';
import { isUuid } from '../engine/atom.ts';
import type { Database } from '../engine/database.ts';
import { OvsdbError, syntaxError } from '../engine/error.ts';
import { isWriting, runTransaction } from '../engine/execute.ts';
import { isId } from '../engine/object-parser.ts';
import { resultsText } from '../engine/operation-result.ts';
import type { Client } from '../engine/rbac.ts';
import { schemaToJson } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { RpcError, RpcSession } from '../json/jsonrpc.ts';
import type { LockHolder } from './locks.ts';
import { changeConditions, type MonitorVersion, parseMonitorSpec } from './monitor-spec.ts';
import { conditionUpdates } from './monitor-update.ts';
import type { OvsdbServer, RelaySource } from './server.ts';
import { Monitor, NO_TRANSACTION } from './session-monitor.ts';

export interface SessionOptions {
  probeIntervalMs?: number;
  isReadOnly?: boolean;
  /** The role whose rules bind this client; '' for none. */
  role?: string;
  onHeard?: () => void;
  onClose?: (reason: string) => void;
}

interface Waiting {
  readonly id: Json;
  readonly database: Database;
  readonly operations: Json[];
  startMs: number;
  /** It has run once and waits for a change. */
  isWaiting: boolean;
  cancelTimer: () => void;
}

export class ServerSession implements LockHolder {
  readonly #server: OvsdbServer;
  readonly #rpc: RpcSession;
  readonly #options: SessionOptions;
  readonly #monitors = new Map<string, Monitor>();
  readonly #waiting = new Map<string, Waiting>();
  #isChangeAware = false;
  #isConverting = false;
  #isGone = false;
  #turn = -1;
  readonly #peerIdentity: string | undefined;

  constructor(server: OvsdbServer, stream: Stream, options: SessionOptions) {
    this.#server = server;
    this.#options = options;
    this.#peerIdentity = stream.peerIdentity;
    this.#rpc = new RpcSession(
      stream,
      {
        onRequest: (method, params, id) => this.#request(method, params, id),
        onNotify: (method, params) => {
          if (method === 'cancel') this.#cancel(params);
        },
        onClose: (reason) => this.#closed(reason),
        onDrain: () => this.#tellUpdates(),
        ...(options.onHeard === undefined ? {} : { onHeard: options.onHeard }),
      },
      {
        clock: server.clock,
        probeIntervalMs: options.probeIntervalMs ?? 0,
        defer: (flush) => server.defer(flush),
        waitsForReader: true,
        isStepwise: server.monitorDraws !== undefined,
      },
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

  probe(): void {
    this.#rpc.probe();
  }

  destroy(reason: string): void {
    this.#rpc.destroy(reason);
  }

  #closed(reason: string): void {
    this.#isGone = true;
    for (const waiting of this.#waiting.values()) waiting.cancelTimer();
    this.#waiting.clear();
    for (const monitor of this.#monitors.values()) {
      this.#forget(monitor);
      monitor.drawer?.left();
    }
    this.#monitors.clear();
    this.#server.locks.leave(this);
    this.#server.dropped(this, reason);
    this.#options.onClose?.(reason);
  }

  notifyLock(method: 'locked' | 'stolen', lock: string): void {
    this.#rpc.notify(method, [lock]);
  }

  #forget(monitor: Monitor): void {
    monitor.shared.leave(monitor);
    this.#server.releaseMonitor(monitor.shared);
  }

  /** Tells the monitors of this session all that they have not been told, before something that follows from it is said. */
  #tellUpdates(): void {
    for (const monitor of this.#monitors.values()) monitor.shared.tell(monitor);
  }

  #request(method: string, params: Json[], id: Json): void {
    // As in the reference a turn takes one message of each session, and all monitors are told after each turn.
    if (this.#turn === this.#server.turn) this.#server.tellUpdates();
    this.#turn = this.#server.turn;
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
    if (!this.#server.allowsConditions && method.startsWith('monitor_cond')) throw new PlainFault('unknown method');
    switch (method) {
      case 'transact':
        return this.#transact(this.#lookup(method, params), params, id);
      case 'monitor':
        return this.#monitor(this.#lookup(method, params), params, 1, id);
      case 'monitor_cond':
        return this.#monitor(this.#lookup(method, params), params, 2, id);
      case 'monitor_cond_since':
        return this.#monitor(this.#lookup(method, params), params, 3, id);
      case 'monitor_cond_change':
        return this.#monitorChange(params);
      case 'monitor_cancel': {
        const [monitorId] = params;
        if (params.length !== 1 || monitorId === undefined) throw new PlainFault('invalid parameters');
        const monitor = this.#monitors.get(formatJson(monitorId));
        if (monitor === undefined) throw new PlainFault('unknown monitor');
        this.#monitors.delete(monitor.idText);
        this.#forget(monitor);
        monitor.drawer?.left();
        return new Map();
      }
      case 'get_schema':
        return schemaToJson(this.#lookup(method, params).schema);
      case 'list_dbs':
        return this.#server.databaseNames;
      case 'lock':
      case 'steal':
        this.#refuseLocks();
        return this.#lock(method, params);
      case 'unlock': {
        this.#refuseLocks();
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
        return this.#convert(params, id);
      default:
        throw new PlainFault('unknown method');
    }
  }

  /** Who asks, when a role binds them. */
  get #client(): Client | undefined {
    const { role = '' } = this.#options;
    return role === '' ? undefined : { role, id: this.#peerIdentity };
  }

  get #isReadOnly(): boolean {
    return this.#options.isReadOnly === true || this.#server.isReadOnly;
  }

  #refuseLocks(): void {
    if (this.#isReadOnly) throw new PlainFault('lock and unlock methods not allowed, DB server is read only.');
  }

  #lookup(method: string, params: Json[]): Database {
    const [name] = params;
    if (typeof name !== 'string') throw syntaxError(params, `${method} request params must begin with <db-name>`);
    const database = this.#server.database(name);
    if (database === undefined && this.#server.has(name)) {
      throw new OvsdbError(
        'database not available',
        `${method} request specifies database ${name} which is not yet available because it has not completed joining its cluster`,
      );
    }
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

  #convert(params: Json[], id: Json): Json | undefined {
    this.#lookup('convert', params);
    const [name, schema] = params;
    if (params.length !== 2 || schema === undefined) throw syntaxError(params, 'array expected');
    const relay = this.#server.relay(name as string);
    if (relay !== undefined) {
      this.#forward(relay, 'convert', params, id);
      return undefined;
    }
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

  /** Has a relay's source answer. */
  #forward(relay: RelaySource, method: string, params: Json[], id: Json): void {
    const isWanted = (): boolean => !this.#isGone;
    relay.forward(method, params, isWanted).then(
      (result) => {
        this.#tellUpdates();
        this.#rpc.reply(id, result);
      },
      (error: unknown) => this.#replyError(id, error instanceof RpcError ? error.error : 'canceled'),
    );
  }

  /** Whether a relay may pass the operations on for this client: what its role forbids is found out here, for the source does not know it. */
  #mayForward(database: Database, operations: readonly Json[]): boolean {
    if (this.#isReadOnly) return false;
    const client = this.#client;
    if (client === undefined) return true;
    const tried = runTransaction(database, [...operations, new Map([['op', 'abort']])], { client });
    return tried.kind === 'wait' || !tried.result.some((result) => result.kind === 'error' && result.error.tag === 'permission error');
  }

  #transact(database: Database, params: Json[], id: Json): Json | undefined {
    const relay = this.#server.relay(params[0] as string);
    if (relay !== undefined && params.some(isWriting) && this.#mayForward(database, params.slice(1))) {
      this.#forward(relay, 'transact', params, id);
      return undefined;
    }
    this.#run({ id, database, operations: params.slice(1), startMs: 0, isWaiting: false, cancelTimer: () => {} });
    return undefined;
  }

  /** Runs a transaction and replies, or has it wait. */
  #run(waiting: Waiting): void {
    const { database } = waiting;
    const isFirst = !waiting.isWaiting;
    const elapsedMs = isFirst ? 0 : this.#server.clock.now() - waiting.startMs;
    const client = this.#client;
    const outcome = runTransaction(database, waiting.operations, {
      elapsedMs,
      holdsLock: (lock) => this.#server.locks.holds(this, lock),
      isReadOnly: this.#isReadOnly,
      isReserved: database === this.#server.serverDatabase,
      ...(client === undefined ? {} : { client }),
    });
    waiting.cancelTimer();
    if (outcome.kind === 'done') {
      if (!isFirst) this.#waiting.delete(formatJson(waiting.id));
      if (outcome.succeeded && this.#monitors.size > 0) this.#tellUpdates();
      let text = `{"id":${formatJson(waiting.id)},"result":`;
      resultsText(outcome.result, (piece) => {
        this.#rpc.sendText(text + piece);
        text = '';
      });
      this.#rpc.sendText(',"error":null}');
      return;
    }
    if (isFirst) {
      waiting.isWaiting = true;
      waiting.startMs = this.#server.clock.now();
      this.#waiting.set(formatJson(waiting.id), waiting);
    }
    if (Number.isFinite(outcome.timeoutMs)) {
      waiting.cancelTimer = this.#server.clock.after(outcome.timeoutMs - elapsedMs, () => this.#run(waiting));
    }
  }

  /** How many transactions wait for a change. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Runs again what waits for a change of the database. */
  retryWaiting(database: Database): void {
    if (this.#waiting.size === 0) return;
    for (const waiting of [...this.#waiting.values()]) if (waiting.database === database) this.#run(waiting);
  }

  #cancel(params: Json[]): void {
    const key = params.length === 1 ? formatJson(params[0] as Json) : '';
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    waiting.cancelTimer();
    this.#waiting.delete(key);
    this.#replyError(waiting.id, 'canceled');
  }

  #monitor(database: Database, params: Json[], version: MonitorVersion, id: Json): Json | undefined {
    const [name, monitorId, requests, since] = params;
    const length = version === 3 ? 4 : 3;
    if (params.length !== length || monitorId === undefined || requests === undefined) throw syntaxError(params, 'invalid parameters');
    if (!(requests instanceof Map)) throw syntaxError(requests, 'monitor-requests must be object');
    const key = formatJson(monitorId);
    if (this.#monitors.has(key)) throw syntaxError(monitorId, 'duplicate monitor ID');
    if (version === 3 && typeof since !== 'string') throw syntaxError(since, 'last-txn-id must be string');
    const monitorKey = `${version} ${formatJson([name as Json, requests])}`;
    const shared = this.#server.shareMonitor(monitorKey, database, () => parseMonitorSpec(requests, database, version));
    if (version === 3 && !isUuid(since as string)) {
      this.#server.releaseMonitor(shared);
      throw syntaxError(since, 'last-txn-id must be UUID format.');
    }
    const drawer = this.#server.monitorDraws?.join(database, shared.spec);
    const monitor = new Monitor(monitorId, shared, this.#rpc, this.#server.relay(name as string)?.history, drawer);
    this.#monitors.set(key, monitor);
    const history = this.#server.relay(name as string)?.history;
    const missed = version === 3 && typeof since === 'string' ? history?.since(since) : undefined;
    const lastId = history?.lastId ?? NO_TRANSACTION;
    if (missed !== undefined) {
      this.#rpc.sendText(`{"id":${formatJson(id)},"result":[true,"${lastId}",${shared.textOf(missed) ?? '{}'}],"error":null}`);
      return undefined;
    }
    this.#rpc.sendText(`{"id":${formatJson(id)},"result":${version === 3 ? `[false,"${lastId}",` : ''}`);
    for (const piece of this.#server.initialOf(shared)) {
      if (typeof piece === 'string') this.#rpc.sendText(piece);
      else this.#rpc.sendBytes(piece);
    }
    this.#rpc.sendText(`${version === 3 ? ']' : ''},"error":null}`);
    return undefined;
  }

  #monitorChange(params: Json[]): Json {
    const [oldId, newId, requests] = params;
    if (params.length !== 3 || oldId === undefined || newId === undefined || requests === undefined)
      throw syntaxError(params, 'invalid parameters');
    const old = this.#monitors.get(formatJson(oldId));
    if (old === undefined) throw syntaxError(oldId, 'unknown monitor session');
    const newKey = formatJson(newId);
    if (newKey !== old.idText && this.#monitors.has(newKey)) throw syntaxError(newId, 'duplicate monitor ID');
    if (!(requests instanceof Map)) throw syntaxError(requests, 'monitor-requests must be object');
    const { spec, database } = old.shared;
    const changed = spec.version === 1 ? spec : changeConditions(spec, requests);
    // What happened before is told under the old conditions.
    this.#tellUpdates();
    this.#monitors.delete(old.idText);
    this.#forget(old);
    const shared = this.#server.shareMonitor(undefined, database, () => changed);
    const monitor = new Monitor(newId, shared, this.#rpc, old.history, old.drawer);
    old.drawer?.changed();
    this.#monitors.set(newKey, monitor);
    const updates = changed === spec ? undefined : conditionUpdates(spec, changed);
    if (updates !== undefined) this.#rpc.sendText(monitor.frame(updates));
    return new Map();
  }

  /** A database went away or has a new schema. */
  databaseChanged(database: Database): void {
    if (!this.#isChangeAware && !this.#isConverting) {
      this.#rpc.close();
      return;
    }
    for (const [key, monitor] of this.#monitors) {
      if (monitor.shared.database !== database) continue;
      this.#monitors.delete(key);
      this.#forget(monitor);
      monitor.drawer?.left();
      this.#rpc.notify('monitor_canceled', [monitor.id]);
    }
    for (const [key, waiting] of this.#waiting) {
      if (waiting.database !== database) continue;
      waiting.cancelTimer();
      this.#waiting.delete(key);
      this.#replyError(waiting.id, 'canceled');
    }
  }
}

/** An error that is a bare string. */
class PlainFault extends Error {}

function lockName(method: string, params: Json[]): string {
  const [lock] = params;
  if (params.length !== 1 || typeof lock !== 'string' || !isId(lock)) throw syntaxError(params, `${method} request params must be <id>`);
  return lock;
}
