// What has changed since each monitor was last told, shared by all monitors that watch the same thing and were told at the same time.
//
// A SharedMonitor stands for one MonitorSpec. Its monitors stand at ChangeSets: the differences from the moment when the monitor was last told up to now.
// 1. A commit is added to every change set that a monitor stands at, but for rows that the conditions show neither before nor after it; of a row
//    changed twice, the first state and the last are kept.
// 2. At the end of a turn each monitor whose peer has read what it was sent is told its change set and moves on to an empty one, all to the same.
//    The text of a set is made once, its bytes once for each id that monitors have; so is the text that monitors begin with within a moment.
// 3. A monitor whose peer does not read stays where it is: what it costs is bounded by the rows that exist, not by the commits that it misses.
import { encodeText } from '../../base/byte-text.ts';
import type { Change, Commit, Database, Table } from '../engine/database.ts';
import { LONG_TEXT_LENGTH } from '../json/jsonrpc.ts';
import type { MonitorSpec, TableMonitor } from './monitor-spec.ts';
import { changeUpdates, initialUpdates, type RowChange } from './monitor-update.ts';

/** One monitor of one session. */
export interface MonitorUser {
  readonly shared: SharedMonitor;
  /** What it has not been told yet. */
  set: ChangeSet;
  /** Whether it can be told now. */
  isReady(): boolean;
  /** Tells it, and gives the set to be moved on from. */
  tell(set: ChangeSet): void;
}

export class ChangeSet {
  readonly users = new Set<MonitorUser>();
  readonly #spec: MonitorSpec;
  readonly #tables = new Map<Table, Map<string, RowChange>>();
  #text: string | undefined;
  #isComposed = false;
  #isEmpty = true;
  readonly #messages = new Map<string, Uint8Array>();

  constructor(spec: MonitorSpec) {
    this.#spec = spec;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  add(changes: readonly Change[]): void {
    for (const { table, uuid, before, after } of changes) {
      let rows = this.#tables.get(table);
      if (rows === undefined) {
        rows = new Map();
        this.#tables.set(table, rows);
      }
      const change = rows.get(uuid);
      if (change === undefined) rows.set(uuid, { uuid, before, after });
      else if (change.before === undefined && after === undefined) rows.delete(uuid);
      else change.after = after;
      this.#isEmpty = false;
    }
    this.#isComposed = false;
    this.#messages.clear();
  }

  /** The table-updates; undefined when the monitor sees nothing of the changes. */
  get text(): string | undefined {
    if (!this.#isComposed) {
      this.#text = changeUpdates(this.#spec, new Map([...this.#tables].map(([table, rows]) => [table, rows.values()])));
      this.#isComposed = true;
    }
    return this.#text;
  }

  /** A message about this set, made once for each key. */
  message(key: string, make: (text: string) => string): Uint8Array | undefined {
    const { text } = this;
    if (text === undefined) return undefined;
    let bytes = this.#messages.get(key);
    if (bytes === undefined) {
      bytes = encodeText(make(text));
      this.#messages.set(key, bytes);
    }
    return bytes;
  }
}

export class SharedMonitor {
  readonly spec: MonitorSpec;
  readonly database: Database;
  readonly #watched: ReadonlyMap<Table, TableMonitor>;
  readonly #heedsHidden: boolean;
  /** Those that monitors stand at; the last is the newest. */
  readonly #sets: ChangeSet[] = [];
  #initial: readonly (string | Uint8Array)[] | undefined;

  /** `heedsHidden`: changes that no monitor shows are something to tell too, of which nothing is then sent. */
  constructor(spec: MonitorSpec, database: Database, heedsHidden = false) {
    this.spec = spec;
    this.database = database;
    this.#watched = new Map(spec.tables.map((monitor) => [monitor.table, monitor]));
    this.#heedsHidden = heedsHidden;
  }

  get hasInitial(): boolean {
    return this.#initial !== undefined;
  }

  /** The table-updates that a new monitor begins with, in pieces, large ones as bytes. They are kept until something changes or `forgetInitial`. */
  initial(): readonly (string | Uint8Array)[] {
    if (this.#initial === undefined) {
      const pieces: (string | Uint8Array)[] = [];
      initialUpdates(this.spec, (piece) => void pieces.push(piece.length < LONG_TEXT_LENGTH ? piece : encodeText(piece)));
      this.#initial = pieces;
    }
    return this.#initial;
  }

  forgetInitial(): void {
    this.#initial = undefined;
  }

  /** An empty set for a monitor that has just been told all. */
  enter(user: MonitorUser | undefined): ChangeSet {
    let newest = this.#sets.at(-1);
    if (newest === undefined || !newest.isEmpty) {
      newest = new ChangeSet(this.spec);
      this.#sets.push(newest);
    }
    if (user !== undefined) newest.users.add(user);
    return newest;
  }

  /** The table-updates of some commits together; undefined when this monitor sees nothing of them. */
  textOf(commits: readonly Commit[]): string | undefined {
    const set = new ChangeSet(this.spec);
    for (const commit of commits) set.add(this.#seen(commit));
    return set.text;
  }

  leave(user: MonitorUser): void {
    user.set.users.delete(user);
    if (user.set.users.size === 0) this.#drop(user.set);
  }

  #drop(set: ChangeSet): void {
    const at = this.#sets.indexOf(set);
    if (at >= 0) this.#sets.splice(at, 1);
  }

  /** Gives whether a monitor has something to be told. */
  add(commit: Commit): boolean {
    const seen = this.#seen(commit);
    if (seen.length === 0) return false;
    this.#initial = undefined;
    for (const set of this.#sets) set.add(seen);
    return true;
  }

  /** The changes of rows that the monitors show before or after. */
  #seen({ changes }: Commit): readonly Change[] {
    const seen: Change[] = [];
    for (const change of changes) {
      const monitor = this.#watched.get(change.table);
      if (monitor === undefined) continue;
      const { before, after } = change;
      if (
        this.#heedsHidden ||
        (after !== undefined && monitor.shows(after.fields)) ||
        (before !== undefined && monitor.shows(before.fields))
      )
        seen.push(change);
    }
    return seen;
  }

  /** Tells one monitor what it has not been told. */
  tell(user: MonitorUser): void {
    const { set } = user;
    if (set.isEmpty) return;
    user.tell(set);
    set.users.delete(user);
    user.set = this.enter(user);
    if (set.users.size === 0) this.#drop(set);
  }

  /** Tells all monitors that can be told. */
  tellAll(): void {
    if (this.#sets.length === 1 && this.#sets[0]?.isEmpty === true) return;
    for (const set of [...this.#sets]) {
      if (set.isEmpty) continue;
      for (const user of [...set.users]) if (user.isReady()) this.tell(user);
    }
  }
}
