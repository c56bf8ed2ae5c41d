// ovsdb-client's commands about schemas.

import { type DatabaseSchema, parseSchema, schemaToJson } from '../../ovsdb/engine/schema.ts';
import { columnTypeToJson } from '../../ovsdb/engine/type-json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { type ClientContext, print, request } from './context.ts';

async function localSchema(path: string): Promise<DatabaseSchema> {
  const { readSchema } = await import('../ovsdb-tool.ts');
  return readSchema(path);
}

export async function run(name: string, context: ClientContext): Promise<number> {
  const { args, style, printer } = context;
  if (name === 'convert' || name === 'needs-conversion') {
    const schema = await localSchema(args[0] ?? '');
    const rpc = await context.connect();
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
      printer.print({ columns: ['Table'], rows: [...schema.tables.keys()].map((table) => [{ text: table }]) });
      break;
    default: {
      const only = args[0];
      const rows = [...schema.tables.values()]
        .filter((table) => only === undefined || table.name === only)
        .flatMap((table) =>
          table.columnList.map((column) => [{ text: table.name }, { text: column.name }, { json: columnTypeToJson(column.type) }]),
        );
      if (only === undefined) printer.print({ columns: ['Table', 'Column', 'Type'], rows });
      else printer.print({ columns: ['Column', 'Type'], rows: rows.map((row) => row.slice(1)) });
    }
  }
  return 0;
}
