// Logs every change of chosen tables, row by row: `ovsdb-server/tlog-set` and `ovsdb-server/tlog-list`.
import { logger } from '../../base/log.ts';
import type { Commit, Database, Row, Table } from '../../ovsdb/engine/database.ts';
import type { Datum } from '../../ovsdb/engine/datum.ts';
import { formatDatum } from '../../ovsdb/engine/datum-text.ts';

const log = logger('transaction');

function line(table: Table, op: string, row: Row): string {
  const fields = table.schema.columnList.map(({ name, index, type }) => `${name}:${formatDatum(row.fields[index] as Datum, type)}`);
  return `table:${table.schema.name},op:${op},${fields.join(',')}`;
}

export class TableLog {
  /** Tables by name, for they are others after a conversion. */
  readonly #chosen = new Map<Database, Set<string>>();

  /** Logs the changes of a table, or no longer. */
  set(database: Database, table: string, isOn: boolean): void {
    let tables = this.#chosen.get(database);
    if (tables === undefined) {
      tables = new Set();
      this.#chosen.set(database, tables);
      database.listeners.add((commit) => this.#write(database, commit));
    }
    if (isOn) tables.add(table);
    else tables.delete(table);
  }

  #write(database: Database, { changes }: Commit): void {
    const tables = this.#chosen.get(database);
    if (tables === undefined || tables.size === 0) return;
    for (const { table, before, after } of changes) {
      if (!tables.has(table.schema.name)) continue;
      const row = after ?? before;
      if (row !== undefined) log.info(line(table, before === undefined ? 'inserted' : after === undefined ? 'deleted' : 'updated', row));
    }
  }

  /** What is logged, as a table. */
  list(databases: Iterable<readonly [string, Database]>): string {
    let text = 'database        table                       logging\n--------        -----                       -------\n';
    for (const [name, database] of databases) {
      text += `${name.padEnd(16)} \n`;
      for (const table of [...database.tables.keys()].sort()) {
        text += `${''.padEnd(16)}${table.padEnd(27)} ${this.#chosen.get(database)?.has(table) === true ? 'ON' : 'OFF'}\n`;
      }
    }
    return text;
  }
}
