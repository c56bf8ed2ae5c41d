// The remotes of the server: those that it was told, and those that rows of the database ask for where it was told a column (`db:DB,TABLE,COLUMN`).
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { isPassiveTarget } from '../../host/sockets/socket-target.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import { parseRemoteColumn, type RemoteColumn, wantedRemotes, writeStatus } from './managers.ts';
import { Remote } from './remotes.ts';

const log = logger('ovsdb_server');
const serverLog = logger('ovsdb_jsonrpc_server');

export class RemoteSet {
  readonly #server: OvsdbServer;
  /** As configured; those of `db:` have none of their own. */
  readonly #remotes = new Map<string, Remote | RemoteColumn>();
  /** Those that rows asked for, by the `db:` name that found them. */
  readonly #found = new Map<string, Map<string, Remote>>();
  /** Remotes that we connect to wait until all that listens does; undefined once that is so. */
  #unstarted: Remote[] | undefined = [];

  constructor(server: OvsdbServer) {
    this.#server = server;
  }

  /** The names that were configured. */
  get targets(): Iterable<string> {
    return this.#remotes.keys();
  }

  /** Whether connections are made: all that listens does. */
  get isActive(): boolean {
    return this.#unstarted === undefined;
  }

  /** Adds a remote; gives the fault, '' when there is none. */
  async add(target: string): Promise<string> {
    if (this.#remotes.has(target)) return '';
    if (target.startsWith('db:')) {
      const place = parseRemoteColumn(this.#server, target);
      if (typeof place === 'string') return place;
      this.#remotes.set(target, place);
      await this.refresh();
      return '';
    }
    const remote = new Remote(this.#server, target);
    this.#remotes.set(target, remote);
    return await this.#start(remote);
  }

  async #start(remote: Remote): Promise<string> {
    if (this.#unstarted === undefined || isPassiveTarget(remote.target)) return await remote.start();
    this.#unstarted.push(remote);
    return '';
  }

  /** Makes the connections that had to wait. */
  startActive(): void {
    for (const remote of this.#unstarted ?? []) void remote.start();
    this.#unstarted = undefined;
  }

  remove(target: string): boolean {
    const remote = this.#remotes.get(target);
    if (remote === undefined) return false;
    this.#remotes.delete(target);
    if (remote instanceof Remote) remote.close();
    for (const found of this.#found.get(target)?.values() ?? []) found.close();
    this.#found.delete(target);
    return true;
  }

  *list(): Iterable<Remote> {
    for (const remote of this.#remotes.values()) if (remote instanceof Remote) yield remote;
    for (const found of this.#found.values()) yield* found.values();
  }

  /** Makes the remotes of rows what the rows say. */
  async refresh(): Promise<void> {
    const started: Promise<string>[] = [];
    for (const [target, place] of this.#remotes) {
      if (place instanceof Remote) continue;
      const found = this.#found.get(target) ?? new Map<string, Remote>();
      this.#found.set(target, found);
      const wanted = wantedRemotes(this.#server, place);
      for (const [name, remote] of found) {
        if (wanted.has(name)) continue;
        serverLog.info(`${name}: remote deconfigured`);
        remote.close();
        found.delete(name);
      }
      for (const [name, { options }] of wanted) {
        const existing = found.get(name);
        if (existing !== undefined) {
          existing.configure(options);
          continue;
        }
        const remote = new Remote(this.#server, name, options);
        found.set(name, remote);
        started.push(this.#start(remote));
      }
    }
    await Promise.all(started);
  }

  /** Brings the status columns up to date. */
  writeStatus(): void {
    for (const [target, place] of this.#remotes) {
      if (place instanceof Remote) continue;
      try {
        writeStatus(this.#server, place, this.#found.get(target) ?? new Map());
      } catch (error) {
        log.err(`failed to update status of ${target}: ${errorText(error)}`);
      }
    }
  }
}
