// One client of the server: its requests, monitors, waiting transactions and locks.
import type { Stream } from '../../base/stream.ts';
import type { Database } from '../engine/database.ts';
import { OvsdbError, syntaxError } from '../engine/error.ts';
import { isWriting, runTransaction } from '../engine/execute.ts';
import { isId } from '../engine/object-parser.ts';
import type { Client } from '../engine/rbac.ts';
import { schemaToJson } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { RpcError, RpcSession } from '../json/jsonrpc.ts';
import type { LockHolder } from './locks.ts';
import { PlainFault } from './plain-fault.ts';
import type { OvsdbServer, RelaySource } from './server.ts';
import { SessionMonitors } from './session-monitors.ts';
import { SessionTransactions } from './session-transactions.ts';

export interface SessionOptions {
  probeIntervalMs?: number;
  isReadOnly?: boolean;
  /** The role whose rules bind this client; '' for none. */
  role?: string;
  onHeard?: () => void;
  onClose?: (reason: string) => void;
}

export class ServerSession implements LockHolder {
  readonly #server: OvsdbServer;
  readonly #rpc: RpcSession;
  readonly #options: SessionOptions;
  readonly #monitors: SessionMonitors;
  readonly #transactions: SessionTransactions;
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
          if (method === 'cancel') this.#transactions.cancel(params);
        },
        onClose: (reason) => this.#closed(reason),
        onDrain: () => this.#monitors.tellUpdates(),
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
    this.#monitors = new SessionMonitors(server, this.#rpc);
    this.#transactions = new SessionTransactions(server, this.#rpc, {
      holdsLock: (lock) => server.locks.holds(this, lock),
      isReadOnly: () => this.#isReadOnly,
      client: () => this.#client,
      tellUpdates: () => this.#monitors.tellUpdates(),
    });
  }

  get name(): string {
    return this.#rpc.name;
  }

  get monitorCount(): number {
    return this.#monitors.count;
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
    this.#transactions.clear();
    this.#monitors.clear();
    this.#server.locks.leave(this);
    this.#server.dropped(this, reason);
    this.#options.onClose?.(reason);
  }

  notifyLock(method: 'locked' | 'stolen', lock: string): void {
    this.#rpc.notify(method, [lock]);
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
        this.#monitors.add(this.#lookup(method, params), params, 1, id);
        return undefined;
      case 'monitor_cond':
        this.#monitors.add(this.#lookup(method, params), params, 2, id);
        return undefined;
      case 'monitor_cond_since':
        this.#monitors.add(this.#lookup(method, params), params, 3, id);
        return undefined;
      case 'monitor_cond_change':
        return this.#monitors.change(params);
      case 'monitor_cancel':
        return this.#monitors.cancel(params);
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
        this.#monitors.tellUpdates();
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
    this.#transactions.run(database, params.slice(1), id);
    return undefined;
  }

  /** How many transactions wait for a change. */
  get waitingCount(): number {
    return this.#transactions.waitingCount;
  }

  get isWaiting(): boolean {
    return this.#transactions.waitingCount > 0;
  }

  /** Runs again what waits for a change of the database. */
  retryWaiting(database: Database): void {
    this.#transactions.retry(database);
  }

  /** A database went away or has a new schema. */
  databaseChanged(database: Database): void {
    if (!this.#isChangeAware && !this.#isConverting) {
      this.#rpc.close();
      return;
    }
    this.#monitors.databaseChanged(database);
    this.#transactions.databaseChanged(database);
  }
}

function lockName(method: string, params: Json[]): string {
  const [lock] = params;
  if (params.length !== 1 || typeof lock !== 'string' || !isId(lock)) throw syntaxError(params, `${method} request params must be <id>`);
  return lock;
}
