// A standalone database in a file: its log replayed at the start, commits appended to it, compacted on request and by itself.
import { logger } from '../../base/log.ts';
import { captureRows, commitText, recordBytesTransaction, recordTransaction, snapshotPieces } from '../../ovsdb/engine/commit-json.ts';
import { type Commit, Database } from '../../ovsdb/engine/database.ts';
import { OvsdbError } from '../../ovsdb/engine/error.ts';
import { type DatabaseSchema, parseSchema, schemaToJson } from '../../ovsdb/engine/schema.ts';
import type { Transaction } from '../../ovsdb/engine/transaction.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { FileLog } from './file-log.ts';
import type { RewriteRecords } from './record-writer.ts';

export { lockFileName } from './file-places.ts';
export { readDatabaseFile, readDatabaseSchema } from './file-records.ts';

const serverLog = logger('ovsdb_server');
/** When the server compacts by itself (ovsdb-server(1), ovsdb-server/compact): at this size, if that is twice what it was ... */
const AUTO_COMPACT_SIZE = 10 * 1024 * 1024;
/** ... not before so many commits and so much time since the last time ... */
const AUTO_COMPACT_COMMITS = 100;
const AUTO_COMPACT_INTERVAL_MS = 10 * 60 * 1000;
/** ... and whatever its size after a day with so many commits. */
const AUTO_COMPACT_LATEST_MS = 24 * 60 * 60 * 1000;
/** Records larger than this are not made into one value. */
const LARGE_RECORD_SIZE = 256 * 1024;

export interface OpenOptions {
  isReadOnly?: boolean;
  /** A torn tail is an error. */
  isStrict?: boolean;
  /** Write of changed columns the difference. */
  isDiff?: boolean;
}

export class DatabaseFile {
  readonly database: Database;
  readonly #log: FileLog;
  readonly #isDiff: boolean;
  #compactSize: number;
  #compactedMs = performance.now();
  #commits = 0;
  #tear = '';
  #compaction: Promise<void> | undefined;

  private constructor(database: Database, log: FileLog, isDiff: boolean) {
    this.database = database;
    this.#log = log;
    this.#isDiff = isDiff;
    this.#compactSize = log.size;
    database.store = (commit) => this.#append(commit);
  }

  /** Makes a file with a schema; it must not exist. */
  static create(path: string, schema: DatabaseSchema, snapshot?: Json): void {
    const records = [() => [formatJson(schemaToJson(schema))]];
    if (snapshot !== undefined) records.push(() => [formatJson(snapshot)]);
    FileLog.create(path, records);
  }

  /** Opens a file; a read-only one is not locked, a strict one must not be torn. */
  static open(path: string, options: OpenOptions = {}): DatabaseFile {
    const { isReadOnly = false, isStrict = false } = options;
    let database: Database | undefined;
    let isOver = false;
    /**
     * A whole record may say what cannot be, or break a rule of the schema: it changes nothing, and a server goes on with the next. To a tool the one is a
     * fault; at the other it stops reading, and writes nothing behind it.
     */
    const replay = (read: (database: Database) => Transaction | undefined): boolean => {
      if (isOver) return true;
      if (database === undefined) return false;
      let transaction: Transaction | undefined;
      try {
        transaction = read(database);
      } catch (error) {
        if (isStrict || !(error instanceof OvsdbError)) throw error;
        serverLog.err(error.message);
        return true;
      }
      try {
        transaction?.commit();
      } catch (error) {
        if ((isStrict && !isReadOnly) || !(error instanceof OvsdbError)) throw error;
        isOver = isStrict;
        if (!isStrict) serverLog.info(error.message);
      }
      return transaction !== undefined;
    };
    const { log, scan } = FileLog.open(
      path,
      isReadOnly,
      (json, number) => {
        if (number === 0) database = new Database(parseSchema(json));
        else replay((into) => recordTransaction(into, json));
      },
      (body) => body.length > LARGE_RECORD_SIZE && replay((into) => recordBytesTransaction(into, body)),
    );
    if (database === undefined) throw new OvsdbError('ovsdb error', `${path}: unexpected file format`);
    if (scan.fault !== '') {
      if (isStrict) {
        log.close();
        throw new OvsdbError(scan.faultTag, scan.fault);
      }
    }
    const file = new DatabaseFile(database, log, options.isDiff !== false);
    if (scan.fault !== '') file.#tear = `${scan.faultTag}: ${scan.fault}`;
    file.sayTorn();
    return file;
  }

  /** Says what is wrong with the file's end, which the next record replaces. */
  sayTorn(): void {
    if (!this.#log.isTorn) this.#tear = '';
    if (this.#tear !== '') serverLog.err(this.#tear);
  }

  get path(): string {
    return this.#log.path;
  }

  get size(): number {
    return this.#log.size;
  }

  /** What keeps the database from being written; '' when nothing does. */
  get fault(): string {
    return this.#log.fault;
  }

  #append(commit: Commit): void {
    if (this.fault !== '') throw new OvsdbError('I/O error', this.fault);
    const text = commitText(commit, Date.now(), { isDiff: this.#isDiff });
    if (text !== undefined) {
      this.#log.append(text, commit.isDurable);
      this.#commits++;
    } else if (commit.isDurable) {
      this.#log.wantSync();
    }
  }

  /** Brings durable commits to the disk, however many there were since the last time. */
  sync(): void {
    this.#log.sync();
  }

  /** Whether it is time to compact without being asked. */
  get wantsCompaction(): boolean {
    if (this.#commits < AUTO_COMPACT_COMMITS || this.#compaction !== undefined) return false;
    const elapsedMs = performance.now() - this.#compactedMs;
    if (elapsedMs < AUTO_COMPACT_INTERVAL_MS) return false;
    return elapsedMs >= AUTO_COMPACT_LATEST_MS || (this.size >= AUTO_COMPACT_SIZE && this.size > 2 * this.#compactSize);
  }

  #records(comment: string, isDiff = false): RewriteRecords {
    const { schema } = this.database;
    const rows = captureRows(this.database);
    const dateMs = Date.now();
    return [() => [formatJson(schemaToJson(schema))], () => snapshotPieces(rows, comment, dateMs, { isDiff })];
  }

  #compacted(): void {
    this.#compactSize = this.size;
    this.#compactedMs = performance.now();
    this.#commits = 0;
  }

  /** Rewrites the file with one record for all that the database holds, at once. */
  compactNow(comment: string): void {
    this.#log.rewriteNow(this.#records(comment));
    this.#compacted();
  }

  /** The same while commits go on; asked for twice it is done once. */
  compact(comment: string): Promise<void> {
    this.#compaction ??= this.#log
      .rewrite(this.#records(comment, this.#isDiff))
      .then((isDone) => {
        if (isDone) this.#compacted();
      })
      .finally(() => {
        this.#compaction = undefined;
      });
    return this.#compaction;
  }

  close(): void {
    this.database.store = undefined;
    this.#log.close();
  }
}
