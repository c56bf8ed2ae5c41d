// A monitor as one session has it, beside what it shares with others that watch the same.
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import type { RpcSession } from '../json/jsonrpc.ts';
import type { TransactionHistory } from './history.ts';
import type { ChangeSet, MonitorUser, SharedMonitor } from './monitor-changes.ts';
import type { Drawer } from './monitor-draws.ts';

/** Standalone databases have no history of transactions to resume from. */
export const NO_TRANSACTION = '00000000-0000-0000-0000-000000000000';

/** One monitor: what it has been told, and how it is told more. */
export class Monitor implements MonitorUser {
  readonly id: Json;
  readonly idText: string;
  readonly shared: SharedMonitor;
  readonly history: TransactionHistory | undefined;
  readonly drawer: Drawer | undefined;
  set: ChangeSet;
  readonly #rpc: RpcSession;

  constructor(id: Json, shared: SharedMonitor, rpc: RpcSession, history: TransactionHistory | undefined, drawer: Drawer | undefined) {
    this.id = id;
    this.history = history;
    this.idText = formatJson(id);
    this.shared = shared;
    this.#rpc = rpc;
    this.drawer = drawer;
    this.set = shared.enter(undefined);
    this.set.users.add(this);
  }

  isReady(): boolean {
    return !this.#rpc.hasBacklog;
  }

  tell(set: ChangeSet): void {
    this.drawer?.told();
    const bytes = set.message(this.idText, (text) => this.frame(text));
    if (bytes !== undefined) this.#rpc.sendBytes(bytes);
  }

  /** The notification around table-updates. */
  frame(updates: string): string {
    const { version } = this.shared.spec;
    if (version === 3)
      return `{"id":null,"method":"update3","params":[${this.idText},"${this.history?.lastId ?? NO_TRANSACTION}",${updates}]}`;
    return `{"id":null,"method":"${version === 1 ? 'update' : 'update2'}","params":[${this.idText},${updates}]}`;
  }
}
