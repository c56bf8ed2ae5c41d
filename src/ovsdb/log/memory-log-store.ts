// A LogStore in memory: what the contract says in the fewest words, for tests and as the twin of the others.
import type { AppendOutcome, LogEntry, LogStore } from './log-store.ts';

export class MemoryLogStore implements LogStore {
  #entries: LogEntry[];
  #next: number;
  readonly #watchers = new Set<(entry: LogEntry) => void>();

  constructor(entries: readonly LogEntry[] = []) {
    this.#entries = [...entries];
    this.#next = (entries.at(-1)?.position ?? -1) + 1;
  }

  /** What it holds, for another store of the same content. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  async next(): Promise<number> {
    return this.#next;
  }

  async append(position: number, text: string): Promise<AppendOutcome> {
    if (position !== this.#next) return { isAppended: false, next: this.#next };
    const entry: LogEntry = { position: this.#next++, kind: 'record', text };
    this.#entries.push(entry);
    for (const watcher of this.#watchers) watcher(entry);
    return { isAppended: true, position };
  }

  async *read(from: number): AsyncGenerator<LogEntry> {
    for (const entry of [...this.#entries]) if (entry.position >= from) yield entry;
  }

  watch(from: number, onEntry: (entry: LogEntry) => void): () => void {
    const watcher = (entry: LogEntry): void => {
      if (entry.position >= from) onEntry(entry);
    };
    for (const entry of this.#entries) watcher(entry);
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  async snapshot(position: number, text: string): Promise<void> {
    const kept = this.#entries.filter((entry) => entry.position > position);
    this.#entries = [{ position, kind: 'snapshot', text }, ...kept];
  }

  async close(): Promise<void> {
    this.#watchers.clear();
  }
}
