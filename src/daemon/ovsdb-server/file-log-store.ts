// A file log as a LogStore. The first record of a file is the schema: position 0. Positions are counted anew at each opening, from what the file holds;
// a snapshot keeps those of the entries behind it while the store is open.
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import type { AppendOutcome, LogEntry, LogStore } from '../../ovsdb/log/log-store.ts';
import { FileLog } from './file-log.ts';
import { readDatabaseFile } from './file-records.ts';

export class FileLogStore implements LogStore {
  readonly #log: FileLog;
  /** The position of the first record in the file after the schema, and whether that is a snapshot. */
  #first = 1;
  #hasSnapshot = false;
  #next: number;
  readonly #watchers = new Set<(entry: LogEntry) => void>();

  /** Opens a database file for writing. */
  constructor(path: string) {
    let count = 0;
    this.#log = FileLog.open(path, false, () => void count++).log;
    this.#next = count;
  }

  async next(): Promise<number> {
    return this.#next;
  }

  async append(position: number, text: string, isDurable: boolean): Promise<AppendOutcome> {
    if (position !== this.#next) return { isAppended: false, next: this.#next };
    this.#log.append(text, isDurable);
    this.#next++;
    if (isDurable) this.#log.sync();
    for (const watcher of this.#watchers) watcher({ position, kind: 'record', text });
    return { isAppended: true, position };
  }

  #entries(): LogEntry[] {
    const entries: LogEntry[] = [];
    readDatabaseFile(this.#log.path, (json, number) => {
      const position = number === 0 ? 0 : this.#first + number - 1;
      // The schema is no entry of its own once a snapshot stands for it.
      if (number === 0 && this.#hasSnapshot) return;
      entries.push({ position, kind: this.#hasSnapshot && number === 1 ? 'snapshot' : 'record', text: formatJson(json) });
    });
    return entries;
  }

  async *read(from: number): AsyncGenerator<LogEntry> {
    for (const entry of this.#entries()) if (entry.position >= from) yield entry;
  }

  watch(from: number, onEntry: (entry: LogEntry) => void): () => void {
    const watcher = (entry: LogEntry): void => {
      if (entry.position >= from) onEntry(entry);
    };
    for (const entry of this.#entries()) watcher(entry);
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  async snapshot(position: number, text: string): Promise<void> {
    const kept: Json[] = [];
    let schema: Json = null;
    readDatabaseFile(this.#log.path, (json, number) => {
      if (number === 0) schema = json;
      else if (this.#first + number - 1 > position) kept.push(json);
    });
    const records = [formatJson(schema), text, ...kept.map((json) => formatJson(json))];
    const isDone = await this.#log.rewrite(records.map((record) => () => [record]));
    if (!isDone) return;
    this.#first = position;
    this.#hasSnapshot = true;
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#log.close();
  }
}
