// All that the running server is: databases in files, relays, remotes and replication, joined.
import { statSync } from 'node:fs';
import { errorText } from '../../base/errors.ts';
import type { ParsedOption } from '../../base/getopt.ts';
import { logger } from '../../base/log.ts';
import { fileName } from '../../host/file-name.ts';
import { realClock } from '../../host/real-clock.ts';
import { socketPoll } from '../../host/sockets/socket-poll.ts';
import { convertDatabase } from '../../ovsdb/engine/conversion.ts';
import type { Table } from '../../ovsdb/engine/database.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { parseSchema } from '../../ovsdb/engine/schema.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { OvsdbServer } from '../../ovsdb/server/server.ts';
import { trimMemory } from './diagnostic-commands.ts';
import { DatabaseFile } from './file.ts';
import { logKind } from './file-records.ts';
import { KeyColumns } from './key-columns.ts';
import { followedTables } from './managers.ts';
import { parseRelay, Relay } from './relay.ts';
import { RemoteSet } from './remote-set.ts';
import { Replication, type ReplicationOptions } from './replication.ts';

const relayLog = logger('relay');
const log = logger('ovsdb_server');
/** So often the reference's loop turns before it rests. */
const FIRST_TURNS = 2;

/** All that the running server is; the commands work on it. */
export class OvsdbDaemon {
  readonly server: OvsdbServer;
  readonly files = new Map<string, DatabaseFile>();
  /** Give memory back after each compaction. */
  trimsOnCompaction = false;
  readonly relays = new Map<string, Relay>();
  readonly remotes: RemoteSet;
  readonly keys: KeyColumns;
  readonly #isDiff: boolean;
  #isRefreshQueued = false;
  /** Found at the next commit when remotes or databases have changed. */
  #followed: ReadonlySet<Table> | undefined;
  readonly replication: Replication;

  /** `keyOptions`: options of the command line, those that name files of keys among them. */
  constructor(isDiff: boolean, replication: ReplicationOptions, keyOptions: readonly ParsedOption[]) {
    this.#isDiff = isDiff;
    this.server = new OvsdbServer(realClock, {
      atTurnEnd: (fn) => socketPoll().defer(fn),
      // What is drawn at random and opened comes in the reference's order, so that it can run from our records.
      describesLate: true,
      convert: (name, schema) => this.convert(name, schema),
      sync: () => {
        for (const file of this.files.values()) file.sync();
      },
    });
    this.remotes = new RemoteSet(this.server);
    this.keys = new KeyColumns(this.server, keyOptions);
    this.replication = new Replication(this.server, realClock, replication);
  }

  /** Opens a file and serves it. */
  addDatabase(path: string): void {
    if (path.startsWith('relay:')) {
      this.#addRelay(path);
      return;
    }
    for (const open of this.files.values()) {
      if (open.path === path || isSameFile(open.path, path)) throw new OvsdbError('ovsdb error', `${path}: already open`);
    }
    if (logKind(path, 'r+') === 'CLUSTER')
      throw new OvsdbError(
        'not supported',
        `${path}: clustered databases are not served ("ovsdb-tool cluster-to-standalone" makes a standalone one of it)`,
      );
    const file = DatabaseFile.open(path, { isDiff: this.#isDiff });
    const { name } = file.database.schema;
    if (this.server.has(name)) {
      file.close();
      throw new OvsdbError('ovsdb error', `${name}: duplicate database name`);
    }
    this.files.set(name, file);
    this.#followed = undefined;
    this.server.add(name, file.database);
    file.database.listeners.add(({ changes }) => {
      this.#followed ??= this.#findFollowed();
      const followed = this.#followed;
      if (followed.size > 0 && changes.some(({ table }) => followed.has(table))) this.#queueRefresh();
      if (file.wantsCompaction) void this.compact(file, 'automatically').catch((error) => log.warn(errorText(error)));
    });
  }

  #addRelay(text: string): void {
    const parsed = parseRelay(text);
    if (parsed === undefined) throw new OvsdbError('ovsdb error', `${text}: invalid syntax`);
    const { name, remotes } = parsed;
    if (this.server.has(name)) throw new OvsdbError('ovsdb error', `${name}: duplicate database name`);
    const relay = new Relay(this.server, realClock, name, remotes);
    this.relays.set(name, relay);
    this.server.addRelay(name, relay);
    relayLog.dbg(() => `added database: ${name}, ${text.slice(`relay:${name}:`.length)}`);
    // Those of the command line with all else that connects.
    if (this.remotes.isActive) relay.start();
  }

  removeDatabase(name: string): boolean {
    const relay = this.relays.get(name);
    if (relay !== undefined) {
      this.relays.delete(name);
      this.server.remove(name);
      relay.close();
      return true;
    }
    const file = this.files.get(name);
    if (file === undefined) return false;
    this.server.remove(name);
    this.#followed = undefined;
    file.close();
    this.files.delete(name);
    return true;
  }

  logCompaction(name: string): void {
    log.info(`compacting ${name} database by user request`);
  }

  /** Rewrites a file without what is past, while it is served. */
  async compact(file: DatabaseFile, why: 'by user request' | 'automatically'): Promise<void> {
    if (file.fault !== '') return;
    const { name } = file.database.schema;
    if (why === 'by user request') this.logCompaction(name);
    const started = realClock.now();
    await file.compact('compacting database online');
    if (this.trimsOnCompaction) trimMemory();
    if (why === 'by user request') log.dbg(() => `${name}: Database compaction took ${Math.round(realClock.now() - started)}ms`);
  }

  /** Gives a database another schema, in memory and on disk; throws OvsdbError and leaves it as it was. */
  convert(name: string, json: Json): void {
    const schema = parseSchema(json);
    if (schema.name !== name)
      throw new OvsdbError('invalid parameters', `new schema name (${schema.name}) does not match database name (${name})`);
    const file = this.files.get(name);
    if (file === undefined) throw new OvsdbError('not allowed', `${name}: cannot be converted`);
    const old = file.database.tables;
    const oldSchema = file.database.schema;
    file.database.replaceWith(convertDatabase(file.database, schema));
    try {
      file.compactNow('converted by ovsdb-server');
    } catch (error) {
      file.database.schema = oldSchema;
      file.database.tables = old;
      throw error;
    }
    this.server.databaseChanged(file.database);
    this.server.describe();
    this.#queueRefresh();
  }

  /** Adds a remote; gives the fault, '' when there is none. */
  addRemote(target: string): Promise<string> {
    this.#followed = undefined;
    return this.remotes.add(target);
  }

  removeRemote(target: string): boolean {
    this.#followed = undefined;
    return this.remotes.remove(target);
  }

  /** What each turn of the reference's loop does: says of which files the end is torn, and tries again what cannot be listened on. */
  async turn(): Promise<void> {
    this.sayTorn();
    for (const remote of this.remotes.list()) await remote.retry();
  }

  sayTorn(): void {
    for (const file of this.files.values()) file.sayTorn();
  }

  async startActive(): Promise<void> {
    for (let turn = 0; turn < FIRST_TURNS; turn++) await this.turn();
    this.remotes.startActive();
    for (const relay of this.relays.values()) relay.start();
  }

  /** The tables that `db:` remotes and names of key files depend on: most commits touch none of them. */
  #findFollowed(): ReadonlySet<Table> {
    const names = [...this.remotes.targets, ...this.keys.values];
    return new Set(names.filter((name) => name.startsWith('db:')).flatMap((name) => followedTables(this.server, name)));
  }

  #queueRefresh(): void {
    this.#followed = undefined;
    if (this.#isRefreshQueued) return;
    this.#isRefreshQueued = true;
    setImmediate(() => {
      this.#isRefreshQueued = false;
      this.keys.refresh();
      void this.remotes.refresh();
    });
  }

  close(): void {
    this.replication.close();
    for (const relay of this.relays.values()) relay.close();
    this.server.flush();
    for (const remote of this.remotes.list()) remote.close();
    for (const file of this.files.values()) file.close();
  }
}

function isSameFile(a: string, b: string): boolean {
  try {
    const [one, other] = [statSync(fileName(a)), statSync(fileName(b))];
    return one.dev === other.dev && one.ino === other.ino;
  } catch {
    return false;
  }
}
