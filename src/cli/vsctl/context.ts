// What a command works on: the transaction, the rows as it has made them so far, the names that `--id` gave, and the output.

import { hashOrder } from '../../base/hash-order.ts';
import { logger } from '../../base/log.ts';
import { temporaryUuid } from '../../base/temporary-uuid.ts';
import type { ReplicaRow } from '../../ovsdb/client/replica-row.ts';
import type { ReplicaTransaction } from '../../ovsdb/client/replica-transaction.ts';
import type { ColumnSchema, DatabaseSchema, TableSchema } from '../../ovsdb/engine/schema.ts';
import type { RowSymbols } from '../../ovsdb/engine/value-text.ts';
import type { OutputTable } from '../table-output.ts';
import { CommandError } from './error.ts';
import { findColumn, findTable } from './names.ts';

import { ROW_NAMING } from './tables.ts';

const log = logger('vsctl');

/** A command of the command line, parsed. */
export interface Invocation {
  name: string;
  /** Option name (`--may-exist`) to its value, '' when it takes none. */
  options: ReadonlyMap<string, string>;
  args: readonly string[];
  /** All of its words, as a shell would need them. */
  line: string;
}

/** What one command has to say. */
export interface Output {
  text: string;
  tables: OutputTable[];
}

interface RowSymbol {
  uuid: string;
  isCreated: boolean;
  /** Whether the row stays without a reference. */
  isRoot: boolean;
  references: 'none' | 'weak' | 'strong';
}

export class Context {
  readonly schema: DatabaseSchema;
  readonly txn: ReplicaTransaction;
  readonly symbols = new Map<string, RowSymbol>();
  /** Names of ports whose interfaces shall be checked after the switch has applied the change. */
  readonly newPorts = new Set<string>();
  /** What `add-bond-iface` and `del-bond-iface` have done. */
  readonly interfaceChanges: { port: string; how: 'insert' | 'delete'; uuid: string }[] = [];
  readonly isDryRun: boolean;
  /** Whether the command at hand is the last. */
  isLast = false;
  /** Rows that `create` made, whose UUIDs are known only after the commit. */
  readonly created: { output: Output; uuid: string }[] = [];
  output: Output = { text: '', tables: [] };

  constructor(schema: DatabaseSchema, txn: ReplicaTransaction, isDryRun: boolean) {
    this.schema = schema;
    this.txn = txn;
    this.isDryRun = isDryRun;
  }

  print(text: string): void {
    this.output.text += text;
  }

  /** Prints each on a line of its own. */
  printLines(lines: Iterable<string>): void {
    for (const line of lines) this.output.text += `${line}\n`;
  }

  table(given: string): TableSchema {
    return findTable(this.schema, given);
  }

  column(table: TableSchema, given: string): ColumnSchema {
    return findColumn(table, given);
  }

  /** The row that `record` names, or undefined; an error when it must exist. */
  row(table: TableSchema, record: string, mustExist: boolean): ReplicaRow | undefined {
    const found = this.#findRow(table, record);
    if (found === undefined && mustExist) throw new CommandError(`no row "${record}" in table ${table.name}`);
    return found;
  }

  #findRow(table: TableSchema, record: string): ReplicaRow | undefined {
    const rows = this.txn.rows(table.name);
    const lower = record.toLowerCase();
    const exact = this.txn.row(table.name, lower);
    if (exact !== undefined) return exact;
    if (record.startsWith('@')) {
      const symbol = this.symbols.get(record);
      return symbol === undefined ? undefined : this.txn.row(table.name, symbol.uuid);
    }
    const naming = ROW_NAMING.get(table.name);
    if (record === '.' && rows.length === 1) return rows[0];
    if (naming?.kind === 'by') {
      const named = rows.filter((row) => row.set(naming.column).some((atom) => String(atom) === record));
      if (named.length > 1) throw new CommandError(`multiple rows in ${table.name} match "${record}"`);
      if (named[0] !== undefined) return named[0];
    } else if (naming?.kind === 'via') {
      const referring = this.txn.rows(naming.table).find((row) => row.optional(naming.nameColumn) === record);
      const targets = referring?.set(naming.column) ?? [];
      // Of several none is meant.
      const target = targets.length === 1 ? targets[0] : undefined;
      if (target !== undefined) return this.txn.row(table.name, String(target));
    }
    if (!/^[0-9a-f][0-9a-f-]{3,}$/.test(lower)) return undefined;
    const beginning = rows.filter((row) => row.uuid.startsWith(lower));
    return beginning.length === 1 ? beginning[0] : undefined;
  }

  /** The row for `@name` in a value, which a later command may yet create. */
  readonly symbol: RowSymbols = (name, { refType }) => {
    let symbol = this.symbols.get(name);
    if (symbol === undefined) {
      symbol = { uuid: temporaryUuid(), isCreated: false, isRoot: true, references: 'none' };
      this.symbols.set(name, symbol);
    }
    if (symbol.references !== 'strong') symbol.references = refType ?? 'strong';
    return symbol.uuid;
  };

  /** Takes `--id=@name` for a row to be created; gives the row's UUID. */
  createSymbol(name: string, isRoot: boolean): string {
    if (!name.startsWith('@')) throw new CommandError(`row id "${name}" does not begin with "@"`);
    const symbol: RowSymbol = this.symbols.get(name) ?? { uuid: temporaryUuid(), isCreated: false, isRoot, references: 'none' };
    if (symbol.isCreated) throw new CommandError(`row id "${name}" may only be specified on one --id option`);
    symbol.isCreated = true;
    symbol.isRoot = isRoot;
    this.symbols.set(name, symbol);
    return symbol.uuid;
  }

  /** Takes `--id=@name` for a row that exists. */
  bindSymbol(name: string, uuid: string): void {
    if (!name.startsWith('@')) throw new CommandError(`row id "${name}" does not begin with "@"`);
    const symbol = this.symbols.get(name);
    if (symbol?.isCreated) throw new CommandError(`row id "${name}" may only be specified on one --id option`);
    if (symbol !== undefined) throw new CommandError(`row id "${name}" specified on "get" command was used before it was defined`);
    this.symbols.set(name, { uuid, isCreated: true, isRoot: true, references: 'none' });
  }

  /** Fails when a value names a row that no command made; warns of rows that will not last. */
  checkSymbols(): void {
    for (const name of hashOrder([...this.symbols.keys()])) {
      const symbol = this.symbols.get(name);
      if (symbol === undefined) continue;
      if (!symbol.isCreated) {
        throw new CommandError(`row id "${name}" is referenced but never created (e.g. with "-- --id=${name} create ...")`);
      }
      if (symbol.isRoot || symbol.references === 'strong') continue;
      const what = symbol.references === 'weak' ? 'only a weak reference' : 'no reference';
      log.warn(`row id "${name}" was created but ${what} to it was inserted, so it will not actually appear in the database`);
    }
  }

  /** The row of Open_vSwitch, made when there is none. */
  root(): ReplicaRow {
    const [row] = this.txn.rows('Open_vSwitch');
    if (row !== undefined) return row;
    const uuid = this.txn.insert('Open_vSwitch');
    return this.txn.row('Open_vSwitch', uuid) as ReplicaRow;
  }
}
