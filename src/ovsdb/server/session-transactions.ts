// The transactions of one session: run at once, or again with each change while they wait.
import type { Database } from '../engine/database.ts';
import { runTransaction } from '../engine/execute.ts';
import { resultsText } from '../engine/operation-result.ts';
import type { Client } from '../engine/rbac.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import type { RpcSession } from '../json/jsonrpc.ts';
import type { OvsdbServer } from './server.ts';

interface Waiting {
  readonly id: Json;
  readonly database: Database;
  readonly operations: Json[];
  startMs: number;
  /** It has run once and waits for a change. */
  isWaiting: boolean;
  cancelTimer: () => void;
}

/** What a transaction must know of the session that it came from. */
interface TransactionSession {
  holdsLock(lock: string): boolean;
  isReadOnly(): boolean;
  /** Who asks, when a role binds them. */
  client(): Client | undefined;
  /** Tells the session's monitors what has changed. */
  tellUpdates(): void;
}

export class SessionTransactions {
  readonly #server: OvsdbServer;
  readonly #rpc: RpcSession;
  readonly #session: TransactionSession;
  /** Those that wait, by their requests' ids. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(server: OvsdbServer, rpc: RpcSession, session: TransactionSession) {
    this.#server = server;
    this.#rpc = rpc;
    this.#session = session;
  }

  /** How many wait for a change. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Runs operations and replies, or has them wait. */
  run(database: Database, operations: Json[], id: Json): void {
    this.#run({ id, database, operations, startMs: 0, isWaiting: false, cancelTimer: () => {} });
  }

  #run(waiting: Waiting): void {
    const { database } = waiting;
    const isFirst = !waiting.isWaiting;
    const elapsedMs = isFirst ? 0 : this.#server.clock.now() - waiting.startMs;
    const client = this.#session.client();
    const outcome = runTransaction(database, waiting.operations, {
      elapsedMs,
      holdsLock: this.#session.holdsLock,
      isReadOnly: this.#session.isReadOnly(),
      isReserved: database === this.#server.serverDatabase,
      ...(client === undefined ? {} : { client }),
    });
    waiting.cancelTimer();
    if (outcome.kind === 'done') {
      if (!isFirst) this.#waiting.delete(formatJson(waiting.id));
      if (outcome.succeeded) this.#session.tellUpdates();
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

  /** Runs again what waits for a change of the database. */
  retry(database: Database): void {
    if (this.#waiting.size === 0) return;
    for (const waiting of [...this.#waiting.values()]) if (waiting.database === database) this.#run(waiting);
  }

  /** Ends one that waits, at its client's wish. */
  cancel(params: Json[]): void {
    const key = params.length === 1 ? formatJson(params[0] as Json) : '';
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#cancel(key, waiting);
  }

  /** Ends those that wait for a database. */
  databaseChanged(database: Database): void {
    for (const [key, waiting] of this.#waiting) if (waiting.database === database) this.#cancel(key, waiting);
  }

  #cancel(key: string, waiting: Waiting): void {
    waiting.cancelTimer();
    this.#waiting.delete(key);
    this.#rpc.replyError(waiting.id, 'canceled');
  }

  /** Forgets all: nobody is there to be told. */
  clear(): void {
    for (const waiting of this.#waiting.values()) waiting.cancelTimer();
    this.#waiting.clear();
  }
}
