// The table-updates of another server's monitor, applied to a database of ours: rows keep their UUIDs.
import { isUuid } from '../../ovsdb/engine/atom.ts';
import type { Commit, Database, Table } from '../../ovsdb/engine/database.ts';
import { applyDiff, parseDatum } from '../../ovsdb/engine/datum.ts';
import { syntaxError } from '../../ovsdb/engine/error.ts';
import { UUID_COLUMN } from '../../ovsdb/engine/schema.ts';
import { defaultFields, Transaction } from '../../ovsdb/engine/transaction.ts';
import type { Datum } from '../../ovsdb/engine/types.ts';
import type { Json } from '../../ovsdb/json/json.ts';

function fieldsFrom(table: Table, uuid: string, base: readonly Datum[], row: Json, isDiff: boolean): Datum[] {
  if (!(row instanceof Map)) throw syntaxError(row, 'row must be JSON object');
  const fields = [...base];
  for (const [name, value] of row) {
    const column = table.schema.columns.get(name);
    if (column === undefined || name.startsWith('_')) continue;
    const type = isDiff && column.type.max > 1 ? { ...column.type, min: 0, max: Number.POSITIVE_INFINITY } : column.type;
    const datum = parseDatum(value, type);
    fields[column.index] = isDiff ? applyDiff(fields[column.index] as Datum, datum, column.type) : datum;
  }
  fields[UUID_COLUMN] = { keys: [uuid] };
  return fields;
}

/** Puts a row as an update of version 1 (`old`, `new`) or 2 (`initial`, `insert`, `modify`, `delete`) has it. */
function putRow(transaction: Transaction, table: Table, uuid: string, update: Json): void {
  if (!isUuid(uuid) || !(update instanceof Map)) throw syntaxError(update, 'row update must be object');
  const fresh = update.get('new') ?? update.get('initial') ?? update.get('insert');
  const changed = update.get('modify');
  if (fresh !== undefined && fresh !== null) {
    const base = update.has('new') ? transaction.get(table, uuid)?.fields : undefined;
    transaction.put(table, uuid, fieldsFrom(table, uuid, base ?? defaultFields(table.schema), fresh, false));
  } else if (changed !== undefined) {
    const base = transaction.get(table, uuid);
    if (base === undefined) throw syntaxError(update, `modification of row ${uuid} that is not there`);
    transaction.put(table, uuid, fieldsFrom(table, uuid, base.fields, changed, true));
  } else {
    transaction.put(table, uuid, undefined);
  }
}

/** Applies table-updates in one commit; with `replaced`, those tables lose all rows that the updates do not bring. Gives the commit, if anything changed; throws OvsdbError. */
export function applyTableUpdates(database: Database, updates: Json, replaced: Iterable<Table> = []): Commit | undefined {
  const transaction = new Transaction(database);
  for (const table of replaced) for (const uuid of table.rows.keys()) transaction.put(table, uuid, undefined);
  if (!(updates instanceof Map)) throw syntaxError(updates, 'table-updates must be object');
  for (const [name, rows] of updates) {
    const table = database.tables.get(name);
    if (table === undefined) throw syntaxError(undefined, `no table named ${name}`);
    if (!(rows instanceof Map)) throw syntaxError(rows, 'table-update must be object');
    for (const [uuid, update] of rows) putRow(transaction, table, uuid, update);
  }
  return transaction.commit();
}
