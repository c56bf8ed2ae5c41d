// ovsdb-client's commands about schemas.

import { hashOrder } from '../../base/hash-order.ts';
import { type ColumnSchema, type DatabaseSchema, parseSchema, schemaToJson, type TableSchema } from '../../ovsdb/engine/schema.ts';
import { columnTypeToJson } from '../../ovsdb/engine/type-json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { type ClientContext, print, request } from './context.ts';

async function localSchema(path: string): Promise<DatabaseSchema> {
  const { readSchema } = await import('../ovsdb-tool.ts');
  return readSchema(path);
}

/** In the order of the reference, which has read them into one table and put them from there into another. */
const tableNames = ({ tables }: DatabaseSchema): string[] => hashOrder(hashOrder([...tables.keys()]));

/** The same; the first two are those that every table has. */
const columnNames = (names: readonly string[]): string[] => hashOrder([...names.slice(0, 2), ...hashOrder(names.slice(2))]);

export async function run(name: string, context: ClientContext): Promise<number> {
  const { args, style, printer } = context;
  if (name === 'convert' || name === 'needs-conversion') {
    const schema = await localSchema(args[0] ?? '');
    const rpc = await context.connect(undefined, schema.name);
    if (name === 'convert') {
      await request(rpc, 'convert', [schema.name, schemaToJson(schema)]);
      return 0;
    }
    const remote = parseSchema(await request(rpc, 'get_schema', [schema.name]));
    const text = (one: DatabaseSchema): string => formatJson(schemaToJson(one), { sort: true });
    print(text(remote) === text(schema) ? 'no' : 'yes');
    return 0;
  }
  const rpc = await context.connect();
  if (name === 'list-dbs') {
    for (const db of (await request(rpc, 'list_dbs', [])) as string[]) print(db);
    return 0;
  }
  const json = await request(rpc, 'get_schema', [await context.database(rpc)]);
  const schema = parseSchema(json);
  switch (name) {
    case 'get-schema':
      print(formatJson(schemaToJson(schema), { sort: true, pretty: style.pretty }));
      break;
    case 'get-schema-version':
      print(schema.version);
      break;
    case 'get-schema-cksum':
      print(schema.cksum);
      break;
    case 'list-tables':
      printer.print({ columns: ['Table'], rows: tableNames(schema).map((table) => [{ text: table }]) });
      break;
    default: {
      const only = args[0];
      const rows = tableNames(schema)
        .filter((name) => only === undefined || name === only)
        .flatMap((name) => {
          const { columns } = schema.tables.get(name) as TableSchema;
          return columnNames([...columns.keys()]).map((column) => [
            { text: name },
            { text: column },
            { json: columnTypeToJson((columns.get(column) as ColumnSchema).type) },
          ]);
        });
      if (only === undefined) printer.print({ columns: ['Table', 'Column', 'Type'], rows });
      else printer.print({ columns: ['Column', 'Type'], rows: rows.map((row) => row.slice(1)) });
    }
  }
  return 0;
}
