// What the reference finds wrong with a command line before it asks the database anything: names of tables and columns, of all commands in order.
import { logger } from '../../base/log.ts';
import type { DatabaseSchema, TableSchema } from '../../ovsdb/engine/schema.ts';
import { takeToken } from '../../ovsdb/engine/value-text.ts';
import type { Invocation } from './context.ts';
import { CommandError } from './error.ts';
import { chosenColumns, findColumn, findTable } from './names.ts';

const log = logger('db_ctl_base');

/** The name that `column[:key][OP value]` begins with. */
export function columnNameOf(text: string): string {
  const { token } = takeToken(text, 0);
  if (token === '') throw new CommandError(`${text}: missing column name`);
  return token;
}

/** Which arguments name columns: `name` whole, `begin` at their beginning; `uuid` where `_uuid` is one too. */
const columnArguments: ReadonlyMap<string, { from: number; to?: number; as: 'name' | 'begin' | 'begin or uuid' }> = new Map([
  ['find', { from: 1, as: 'begin' }],
  ['get', { from: 2, as: 'begin or uuid' }],
  ['set', { from: 2, as: 'begin' }],
  ['add', { from: 2, to: 3, as: 'name' }],
  ['remove', { from: 2, to: 3, as: 'name' }],
  ['clear', { from: 2, as: 'name' }],
  ['wait-until', { from: 2, as: 'begin' }],
]);
const onTables = new Set([...columnArguments.keys(), 'list', 'create', 'destroy']);

/** Throws for the first fault. */
export function prepare(invocations: Iterable<Invocation>, schema: DatabaseSchema): void {
  for (const invocation of invocations)
    if (onTables.has(invocation.name)) prepareOne(invocation, findTable(schema, invocation.args[0] ?? ''));
}

function prepareOne({ name, args, options }: Invocation, table: TableSchema): void {
  if (name === 'list' || name === 'find') chosenColumns(table, options.get('--columns'));
  if (name === 'create' && !options.has('--id') && !table.isRoot)
    log.warn(`applying "create" command to table ${table.name} without --id option will have no effect`);
  const named = columnArguments.get(name);
  if (named === undefined) return;
  for (const text of args.slice(named.from, named.to))
    findColumn(
      table,
      named.as === 'name' ? text : columnNameOf(text),
      named.as === 'begin or uuid' && takeToken(text, 0).end === text.length,
    );
}
