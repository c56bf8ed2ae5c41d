// What names on a command line mean: tables and columns by their names, in any case, with `-` for `_`, or by a unique beginning.
import type { ColumnSchema, DatabaseSchema, TableSchema } from '../../ovsdb/engine/schema.ts';
import { CommandError } from './error.ts';

const fold = (name: string): string => name.toLowerCase().replaceAll('-', '_');

/** The entries whose name is `given` but for case and `-`, else those that begin with it. */
export function matchName<T>(names: Iterable<[string, T]>, given: string): [string, T][] {
  const wanted = fold(given);
  const matches: [string, T][] = [];
  for (const [name, value] of names) {
    const folded = fold(name);
    if (folded === wanted) return [[name, value]];
    if (folded.startsWith(wanted)) matches.push([name, value]);
  }
  return matches;
}

/** The table that a name, its unique beginning, or another spelling of its case means. */
export function findTable(schema: DatabaseSchema, given: string): TableSchema {
  const names = [...schema.tables.keys()].map((name): [string, undefined] => [name, undefined]);
  const matches = given === '' ? [] : matchName(names, given).sort(([a], [b]) => (a < b ? -1 : 1));
  const [first] = matches;
  const table = first === undefined ? undefined : schema.tables.get(first[0]);
  if (table === undefined) throw new CommandError(`unknown table "${given}"`);
  if (matches.length > 1) throw new CommandError(`"${given}" matches multiple table names: ${matches.map(([name]) => name).join(', ')}`);
  return table;
}

/** The same for a column; `_uuid` is one only where rows are shown, and is never cut short. */
export function findColumn(table: TableSchema, given: string, withUuid = false): ColumnSchema {
  const uuid = table.columns.get('_uuid');
  if (withUuid && uuid !== undefined && fold(given) === '_uuid') return uuid;
  const known =
    given === '' ? [] : [...table.columns].filter(([name]) => name !== '_version' && name !== '_uuid').sort(([a], [b]) => (a < b ? -1 : 1));
  const matches = matchName(known, given);
  const [first] = matches;
  if (first === undefined) throw new CommandError(`${table.name} does not contain a column whose name matches "${given}"`);
  if (matches.length > 1) {
    throw new CommandError(
      `${table.name} contains more than one column whose name matches "${given}": ${matches.map(([name]) => name).join(', ')}`,
    );
  }
  return first[1];
}

/** The columns that `--columns` asks for, or all. */
export function chosenColumns(table: TableSchema, option: string | undefined): ColumnSchema[] {
  if (option === undefined) {
    const names = [...table.columns.keys()].filter((name) => name !== '_version').sort();
    return names.map((name) => table.columns.get(name) as ColumnSchema);
  }
  const names = option.split(/[, ]+/).filter((name) => name !== '');
  if (names.length === 0) throw new CommandError('must specify at least one column name');
  return names.map((name) => findColumn(table, name, true));
}
