// Whether a server will do for a database: what its `_Server` says of it (ovsdb-server(5)), kept current by a monitor of its own.
import { asObject, type Json, type JsonObject, jsonObject } from '../json/json.ts';

/** The name of the monitor of `_Server`. */
export const SERVER_MONITOR_ID = 'server';
const COLUMNS = ['name', 'model', 'connected', 'leader', 'index'];

export class ServerWatch {
  readonly #database: string;
  readonly #mustLead: boolean;
  /** The columns of the database's row, by the row's UUID. */
  readonly #rows = new Map<string, JsonObject>();
  /** Updates that came before the monitor's reply was handled; undefined when there is nothing to wait for. */
  #early: Json[] | undefined = [];
  /** How far the log of a cluster was seen: a member that is not as far knows less than we do. */
  #index = 0;

  constructor(database: string, mustLead: boolean) {
    this.#database = database;
    this.#mustLead = mustLead;
  }

  /** A new connection. */
  reset(): void {
    this.#rows.clear();
    this.#early = [];
  }

  /** The parameters of `monitor_cond`. */
  request(): Json[] {
    const where: Json[] = [['name', '==', this.#database]];
    return ['_Server', SERVER_MONITOR_ID, jsonObject({ Database: [jsonObject({ columns: COLUMNS, where })] })];
  }

  /** Takes the monitor's reply; gives why the server will not do, if so. */
  fill(reply: Json): string | undefined {
    const all = [reply, ...(this.#early ?? [])];
    this.#early = undefined;
    for (const updates of all) this.#apply(updates);
    return this.#fault();
  }

  /** Takes an update; gives why the server will not do any more, if so. */
  update(updates: Json): string | undefined {
    if (this.#early !== undefined) {
      this.#early.push(updates);
      return undefined;
    }
    this.#apply(updates);
    return this.#fault();
  }

  #apply(updates: Json): void {
    for (const [uuid, update] of asObject(asObject(updates)?.get('Database')) ?? []) {
      const change = asObject(update);
      if (change?.has('delete')) this.#rows.delete(uuid);
      const row = asObject(change?.get('initial') ?? change?.get('insert'));
      if (row !== undefined) this.#rows.set(uuid, new Map(row));
      for (const [column, value] of asObject(change?.get('modify')) ?? []) this.#rows.get(uuid)?.set(column, value);
    }
  }

  #fault(): string | undefined {
    const [row] = this.#rows.values();
    if (row === undefined) return `server does not have ${this.#database} database`;
    const isConnected = row.get('connected') === true;
    const leads = row.get('leader') === true || !this.#mustLead;
    if (row.get('model') === 'relay') {
      if (!isConnected) return 'relay database server has not yet connected to the relay source; trying another server';
      if (!leads) return 'relay database server cannot be a leader; trying another server';
    }
    if (row.get('model') !== 'clustered') return undefined;
    if (!isConnected) return 'clustered database server is disconnected from cluster; trying another server';
    if (!leads) return 'clustered database server is not cluster leader; trying another server';
    const index = Number(row.get('index') ?? 0);
    if (index < this.#index) return 'clustered database server has stale data; trying another server';
    if (index > this.#index) this.#index = index;
    return undefined;
  }
}
