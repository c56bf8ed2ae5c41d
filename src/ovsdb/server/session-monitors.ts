// The monitors of one session, by their ids.
import { isUuid } from '../engine/atom.ts';
import type { Database } from '../engine/database.ts';
import { syntaxError } from '../engine/error.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import type { RpcSession } from '../json/jsonrpc.ts';
import { changeConditions, type MonitorVersion, parseMonitorSpec } from './monitor-spec.ts';
import { conditionUpdates } from './monitor-update.ts';
import { PlainFault } from './plain-fault.ts';
import type { OvsdbServer } from './server.ts';
import { Monitor, NO_TRANSACTION } from './session-monitor.ts';

export class SessionMonitors {
  readonly #server: OvsdbServer;
  readonly #rpc: RpcSession;
  readonly #monitors = new Map<string, Monitor>();

  constructor(server: OvsdbServer, rpc: RpcSession) {
    this.#server = server;
    this.#rpc = rpc;
  }

  get count(): number {
    return this.#monitors.size;
  }

  /** Tells the monitors all that they have not been told, before something that follows from it is said. */
  tellUpdates(): void {
    for (const monitor of this.#monitors.values()) monitor.shared.tell(monitor);
  }

  /** Begins one and replies. Throws OvsdbError. */
  add(database: Database, params: Json[], version: MonitorVersion, id: Json): void {
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
      return;
    }
    this.#rpc.sendText(`{"id":${formatJson(id)},"result":${version === 3 ? `[false,"${lastId}",` : ''}`);
    for (const piece of this.#server.initialOf(shared)) {
      if (typeof piece === 'string') this.#rpc.sendText(piece);
      else this.#rpc.sendBytes(piece);
    }
    this.#rpc.sendText(`${version === 3 ? ']' : ''},"error":null}`);
  }

  /** Gives one another id and other conditions; the result is to be replied. Throws OvsdbError. */
  change(params: Json[]): Json {
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
    this.tellUpdates();
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

  /** Ends one; the result is to be replied. Throws PlainFault. */
  cancel(params: Json[]): Json {
    const [monitorId] = params;
    if (params.length !== 1 || monitorId === undefined) throw new PlainFault('invalid parameters');
    const monitor = this.#monitors.get(formatJson(monitorId));
    if (monitor === undefined) throw new PlainFault('unknown monitor');
    this.#monitors.delete(monitor.idText);
    this.#end(monitor);
    return new Map();
  }

  /** Ends those of a database. */
  databaseChanged(database: Database): void {
    for (const [key, monitor] of this.#monitors) {
      if (monitor.shared.database !== database) continue;
      this.#monitors.delete(key);
      this.#end(monitor);
      this.#rpc.notify('monitor_canceled', [monitor.id]);
    }
  }

  /** Ends all of them. */
  clear(): void {
    for (const monitor of this.#monitors.values()) this.#end(monitor);
    this.#monitors.clear();
  }

  #end(monitor: Monitor): void {
    this.#forget(monitor);
    monitor.drawer?.left();
  }

  #forget(monitor: Monitor): void {
    monitor.shared.leave(monitor);
    this.#server.releaseMonitor(monitor.shared);
  }
}
