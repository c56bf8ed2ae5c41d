// A database's content under another schema (ovsdb-server(1), `ovsdb-client convert`).

import { Database } from './database.ts';
import { type Datum, datumToJson, ownDatum, parseDatum } from './datum.ts';
import { type DatabaseSchema, type TableSchema, UUID_COLUMN } from './schema.ts';
import { defaultFields, Transaction } from './transaction.ts';

/** Columns of one name under both schemas: their places in a row's fields, and how a value of the one becomes a value of the other. */
interface Kept {
  readonly from: number;
  readonly to: number;
  readonly convert: (datum: Datum) => Datum;
}

function keptColumns(from: TableSchema, to: TableSchema): Kept[] {
  return from.columnList.slice(2).flatMap(({ name, type, index }) => {
    const column = to.columns.get(name);
    if (column === undefined) return [];
    // Of a column with the same type, too: a default may be none of the values allowed.
    return [{ from: index, to: column.index, convert: (datum: Datum) => ownDatum(parseDatum(datumToJson(datum, type), column.type)) }];
  });
}

/**
 * Tables and columns that the schema does not know are dropped, those that are new have defaults, and all that is checked at a commit is checked: what
 * nothing refers to is collected, too. Throws OvsdbError when a value does not fit or a rule is broken; the database stays as it was.
 */
export function convertDatabase(database: Database, schema: DatabaseSchema): Database {
  const converted = new Database(schema);
  const transaction = new Transaction(converted);
  for (const table of database.tables.values()) {
    const target = converted.tables.get(table.schema.name);
    if (target === undefined) continue;
    const kept = keptColumns(table.schema, target.schema);
    for (const { uuid, fields } of table.rows.values()) {
      const now = defaultFields(target.schema).slice();
      for (const { from, to, convert } of kept) now[to] = convert(fields[from] as Datum);
      now[UUID_COLUMN] = fields[UUID_COLUMN] as Datum;
      transaction.put(target, uuid, now);
    }
  }
  transaction.commit();
  return converted;
}
