// ovsdb-server: databases from files, remotes, and the commands of ovs-appctl.
import { statSync } from 'node:fs';
import { useSha1 } from '../../base/cryptography.ts';
import { errorText } from '../../base/errors.ts';
import type { OptionSpec, ParsedOption } from '../../base/getopt.ts';
import { copiedOrder, hashOrder } from '../../base/hash-order.ts';
import { logger } from '../../base/log.ts';
import { SIGNAL_TEXT } from '../../base/signal-text.ts';
import { OPEN_VSWITCH_VERSION } from '../../base/version.ts';
import { dbDir } from '../../host/directories.ts';
import { opensslSha1 } from '../../host/ffi.ts';
import { fileName } from '../../host/file-name.ts';
import { realClock } from '../../host/real-clock.ts';
import { socketPoll } from '../../host/sockets/socket-poll.ts';
import { isPassiveTarget } from '../../host/sockets/socket-target.ts';
import { keysFromOptions, reportKeyFault, reportKeyFaults, setTlsKeys } from '../../host/sockets/tls-keys.ts';
import { convertDatabase } from '../../ovsdb/engine/conversion.ts';
import type { Table } from '../../ovsdb/engine/database.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { parseSchema } from '../../ovsdb/engine/schema.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { OvsdbServer } from '../../ovsdb/server/server.ts';
import { REPLAY_OPTIONS, SSL_OPTIONS } from '../plumbing/options.ts';
import { type DaemonContext, runDaemon } from '../plumbing/plumbing.ts';
import { registerDatabaseCommands } from './commands.ts';
import { registerDiagnosticCommands, trimMemory } from './diagnostic-commands.ts';
import { DatabaseFile } from './file.ts';
import { logKind } from './file-records.ts';
import {
  firstText,
  followedTables,
  parseRemoteColumn,
  parseTextColumn,
  type RemoteColumn,
  wantedRemotes,
  writeStatus,
} from './managers.ts';
import { parseRelay, Relay } from './relay.ts';
import { Remote } from './remotes.ts';
import { Replication, type ReplicationOptions } from './replication.ts';
import { usage } from './usage.ts';

const PROGRAM = 'ovsdb-server';
const relayLog = logger('relay');
const log = logger('ovsdb_server');
const serverLog = logger('ovsdb_jsonrpc_server');
/** Status columns are written this often at most. */
const STATUS_INTERVAL_MS = 2500;
/** So often the reference's loop turns before it rests. */
const FIRST_TURNS = 2;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'remote', argument: 'required' },
  { name: 'run', argument: 'required' },
];

/** These come after those of all daemons. */
const LAST_OPTIONS: readonly OptionSpec[] = [
  ...SSL_OPTIONS.filter(({ name }) => name === 'peer-ca-cert'),
  ...SSL_OPTIONS.filter(({ name }) => name !== 'peer-ca-cert'),
  { name: 'sync-from', argument: 'required' },
  { name: 'sync-exclude-tables', argument: 'required' },
  { name: 'active' },
  { name: 'no-dbs' },
  { name: 'disable-file-column-diff' },
  ...REPLAY_OPTIONS,
];

/** What a column may name, in the order in which the reference looks for it. */
const COLUMN_KEYS = ['private-key', 'certificate', 'ca-cert', 'bootstrap-ca-cert', 'ssl-protocols', 'ssl-ciphers'] as const;
/** The order in which it then uses what it found. */
const KEY_ORDER = ['certificate', 'private-key', 'ca-cert', 'bootstrap-ca-cert', 'ssl-protocols', 'ssl-ciphers'] as const;

/** All that the running server is; the commands work on it. */
export class OvsdbDaemon {
  readonly server: OvsdbServer;
  readonly files = new Map<string, DatabaseFile>();
  /** Give memory back after each compaction. */
  trimsOnCompaction = false;
  readonly relays = new Map<string, Relay>();
  /** Remotes as configured; those of `db:` have none of their own. */
  readonly remotes = new Map<string, Remote | RemoteColumn>();
  /** Remotes that rows asked for, by the `db:` name that found them. */
  readonly #found = new Map<string, Map<string, Remote>>();
  readonly #isDiff: boolean;
  #isRefreshQueued = false;
  /** Found at the next commit when remotes or databases have changed. */
  #followed: ReadonlySet<Table> | undefined;
  readonly replication: Replication;

  constructor(isDiff: boolean, replication: ReplicationOptions) {
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
    if (this.#unstarted === undefined) relay.start();
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
  async addRemote(target: string): Promise<string> {
    if (this.remotes.has(target)) return '';
    this.#followed = undefined;
    if (target.startsWith('db:')) {
      const place = parseRemoteColumn(this.server, target);
      if (typeof place === 'string') return place;
      this.remotes.set(target, place);
      await this.refreshRemotes();
      return '';
    }
    const remote = new Remote(this.server, target);
    this.remotes.set(target, remote);
    return await this.#start(remote);
  }

  /** Remotes that we connect to wait until all that listens does; undefined once that is so. */
  #unstarted: Remote[] | undefined = [];

  async #start(remote: Remote): Promise<string> {
    if (this.#unstarted === undefined || isPassiveTarget(remote.target)) return await remote.start();
    this.#unstarted.push(remote);
    return '';
  }

  /** What each turn of the reference's loop does: says of which files the end is torn, and tries again what cannot be listened on. */
  async turn(): Promise<void> {
    this.sayTorn();
    for (const remote of this.allRemotes()) await remote.retry();
  }

  sayTorn(): void {
    for (const file of this.files.values()) file.sayTorn();
  }

  async startActive(): Promise<void> {
    for (let turn = 0; turn < FIRST_TURNS; turn++) await this.turn();
    for (const remote of this.#unstarted ?? []) void remote.start();
    for (const relay of this.relays.values()) relay.start();
    this.#unstarted = undefined;
  }

  removeRemote(target: string): boolean {
    const remote = this.remotes.get(target);
    if (remote === undefined) return false;
    this.remotes.delete(target);
    this.#followed = undefined;
    if (remote instanceof Remote) remote.close();
    for (const found of this.#found.get(target)?.values() ?? []) found.close();
    this.#found.delete(target);
    return true;
  }

  *allRemotes(): Iterable<Remote> {
    for (const remote of this.remotes.values()) if (remote instanceof Remote) yield remote;
    for (const found of this.#found.values()) yield* found.values();
  }

  /** The tables that `db:` remotes and names of key files depend on: most commits touch none of them. */
  #findFollowed(): ReadonlySet<Table> {
    const names = [...this.remotes.keys(), ...this.keyOptions.map(({ value = '' }) => value)];
    return new Set(names.filter((name) => name.startsWith('db:')).flatMap((name) => followedTables(this.server, name)));
  }

  #queueRefresh(): void {
    this.#followed = undefined;
    if (this.#isRefreshQueued) return;
    this.#isRefreshQueued = true;
    setImmediate(() => {
      this.#isRefreshQueued = false;
      this.refreshKeys();
      void this.refreshRemotes();
    });
  }

  /** Makes the remotes of rows what the rows say. */
  async refreshRemotes(): Promise<void> {
    const started: Promise<string>[] = [];
    for (const [target, place] of this.remotes) {
      if (place instanceof Remote) continue;
      const found = this.#found.get(target) ?? new Map<string, Remote>();
      this.#found.set(target, found);
      const wanted = wantedRemotes(this.server, place);
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
        const remote = new Remote(this.server, name, options);
        found.set(name, remote);
        started.push(this.#start(remote));
      }
    }
    await Promise.all(started);
  }

  /** What names files of keys in the database, as `db:DB,TABLE,COLUMN`. */
  keyOptions: readonly ParsedOption[] = [];

  /** What is wrong with the names of columns that hold names of key files; '' when nothing is. */
  keyFaults(): string {
    const columns = COLUMN_KEYS.map((name) => this.keyOptions.findLast((option) => option.name === name)?.value ?? '');
    const parsed = columns.filter((value) => value.startsWith('db:')).map((value) => parseTextColumn(this.server, value));
    return parsed.map((fault) => (typeof fault === 'string' ? `${fault}\n` : '')).join('');
  }

  /** Says what is wrong with the files of keys. Key and certificate count only together. */
  reportKeyFaults(): void {
    const given = KEY_ORDER.flatMap((name) => {
      const value = this.keyOptions.findLast((option) => option.name === name)?.value;
      if (value === undefined) return [];
      const file = value.startsWith('db:') ? firstText(this.server, value) : value;
      return file === '' && value !== '' ? [] : [{ name, value: file }];
    });
    const isPair = ['certificate', 'private-key'].every((name) => given.some((option) => option.name === name));
    reportKeyFaults(given.filter(({ name }) => isPair || (name !== 'certificate' && name !== 'private-key')));
  }

  /** Reads the names of key files, those in the database anew. */
  refreshKeys(): void {
    setTlsKeys(keysFromOptions(this.keyOptions, (value) => (value.startsWith('db:') ? firstText(this.server, value) : value)));
  }

  /** Brings the status columns up to date. */
  writeStatus(): void {
    for (const [target, place] of this.remotes) {
      if (place instanceof Remote) continue;
      try {
        writeStatus(this.server, place, this.#found.get(target) ?? new Map());
      } catch (error) {
        log.err(`failed to update status of ${target}: ${errorText(error)}`);
      }
    }
  }

  close(): void {
    this.replication.close();
    for (const relay of this.relays.values()) relay.close();
    this.server.flush();
    for (const remote of this.allRemotes()) remote.close();
    for (const file of this.files.values()) file.close();
  }
}

/** Of other keys counts what is in force when the databases are open. */
function obey(option: ParsedOption): void {
  if (option.name === 'peer-ca-cert') reportKeyFault(option);
}

async function start(context: DaemonContext): Promise<void> {
  useSha1(opensslSha1);
  const has = (name: string): boolean => context.options.some((option) => option.name === name);
  const last = (name: string): string => context.options.findLast((option) => option.name === name)?.value ?? '';
  const daemon = new OvsdbDaemon(!has('disable-file-column-diff'), { remote: last('sync-from'), excluded: last('sync-exclude-tables') });
  const paths = context.operands.length > 0 || has('no-dbs') ? context.operands : [`${dbDir()}/conf.db`];
  context.onExit(() => daemon.close());
  for (const path of copiedOrder([...new Set(paths)])) {
    try {
      daemon.addDatabase(path);
    } catch (error) {
      context.fatal(errorText(error), 'ovsdb_server');
    }
  }
  daemon.keyOptions = context.options;
  const keyFaults = daemon.keyFaults();
  if (keyFaults !== '') context.fatal(keyFaults, 'ovsdb_server');
  daemon.reportKeyFaults();
  daemon.refreshKeys();
  registerDatabaseCommands(context.unixctl, daemon, () => void context.exit());
  context.onExit(registerDiagnosticCommands(context.unixctl, daemon));
  const remotes = copiedOrder([...new Set(context.options.flatMap(({ name, value = '' }) => (name === 'remote' ? [value] : [])))]);
  const faults: string[] = [];
  for (const remote of remotes) if (remote.startsWith('db:')) faults.push(await daemon.addRemote(remote));
  // A remote that cannot listen yet is tried again; those that make no sense are the end.
  const told = faults.filter((fault) => fault !== '');
  if (told.length > 0) context.fatal(told.map((fault) => `${fault}\n`).join(''), 'ovsdb_server');
  for (const remote of hashOrder(remotes)) if (!remote.startsWith('db:')) await daemon.addRemote(remote);
  await context.openControl();
  daemon.server.describe();
  const timer = setInterval(() => {
    daemon.sayTorn();
    daemon.writeStatus();
  }, STATUS_INTERVAL_MS);
  context.onExit(() => clearInterval(timer));
  context.ready();
  if (!has('run')) log.info(`ovsdb-server (Open vSwitch) ${OPEN_VSWITCH_VERSION}`);
  await daemon.startActive();
  if (has('sync-from') && !has('active')) daemon.replication.connect();
  daemon.writeStatus();
  const command = last('run');
  if (has('run')) {
    const { spawn } = process.getBuiltinModule('node:child_process');
    spawn('/bin/sh', ['-c', command], { stdio: 'inherit' }).on('exit', async (code, signal) => {
      await daemon.turn();
      if (code === 0) return void context.exit(0);
      const why = signal === null ? `exit status ${code}` : `killed (${SIGNAL_TEXT.get(signal) ?? signal})`;
      process.stderr.write(`${PROGRAM}: ${command}: child exited, ${why}\n`);
      void context.exit(1);
    });
  }
}

/** Runs the daemon. */
export function main(argv: string[]): Promise<number | undefined> {
  return runDaemon({ program: PROGRAM, options: OPTIONS, lastOptions: LAST_OPTIONS, obey, usage, opensControl: true, start }, argv);
}

function isSameFile(a: string, b: string): boolean {
  try {
    const [one, other] = [statSync(fileName(a)), statSync(fileName(b))];
    return one.dev === other.dev && one.ino === other.ino;
  } catch {
    return false;
  }
}
