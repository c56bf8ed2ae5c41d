// The database commands: list, find, get, set, add, remove, clear, create, destroy, wait-until, comment.

import { randomUuid } from '../../base/cryptography.ts';
import { rowOrder } from '../../base/hash-order.ts';
import { logger } from '../../base/log.ts';
import type { ReplicaRow } from '../../ovsdb/client/replica-row.ts';
import type { Atom } from '../../ovsdb/engine/atom.ts';
import { atomToJson, formatAtom } from '../../ovsdb/engine/atom.ts';
import {
  checkDatum,
  compareDatums,
  datumSubtract,
  datumsEqual,
  datumToJson,
  datumUnion,
  excludesAll,
  filterDatum,
  findKey,
  includesAll,
  makeMap,
  parseDatum,
} from '../../ovsdb/engine/datum.ts';
import { formatDatum } from '../../ovsdb/engine/datum-text.ts';
import { type OvsdbError, syntaxError } from '../../ovsdb/engine/error.ts';
import type { ColumnSchema, TableSchema } from '../../ovsdb/engine/schema.ts';
import { type ColumnType, type Datum, defaultDatum, describeType, isScalarType } from '../../ovsdb/engine/types.ts';
import { parseAtomText, parseDatumText, takeToken } from '../../ovsdb/engine/value-text.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import type { Cell } from '../table-output.ts';
import type { Context, Invocation } from './context.ts';
import { CommandError, TryAgain } from './error.ts';
import { chosenColumns, findColumn } from './names.ts';
import { columnNameOf } from './prepare.ts';

const log = logger('db_ctl_base');
const OPERATORS = ['{not-in}', '{in}', '{!=}', '{<=}', '{>=}', '{=}', '{<}', '{>}', '!=', '<=', '>=', '=', '<', '>'];
const OPERATOR_LIST = '"=", "!=", "<", ">", "<=", ">=", "{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", or "{not-in}"';

interface Argument {
  column: ColumnSchema;
  key: string | undefined;
  operator: string;
  value: string | undefined;
}

/** Parses `column[:key][=value]`. */
function parseArgument(table: TableSchema, text: string, withUuid = false): Argument {
  const { end } = takeToken(text, 0);
  const column = findColumn(table, columnNameOf(text), withUuid && end === text.length);
  let at = end;
  let key: string | undefined;
  if (text.charAt(at) === ':') {
    const taken = takeToken(text, at + 1);
    key = taken.token;
    at = taken.end;
  }
  // An operator has something behind it.
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at) && text.length > at + candidate.length) ?? '';
  const rest = text.slice(at + operator.length);
  return { column, key, operator, value: operator === '' && rest === '' ? undefined : rest };
}

function requireMutable(table: TableSchema, column: ColumnSchema, row: ReplicaRow, ctx: Context): void {
  // A row of this very transaction may still be given its immutable columns.
  if (column.isMutable || !ctx.txn.isStored(table.name, row.uuid)) return;
  throw new CommandError(`cannot modify read-only column ${column.name} in table ${table.name}`);
}

/** Sets a column, or one key of it, from `column[:key]=value`. */
export function setColumn(ctx: Context, table: TableSchema, row: ReplicaRow, text: string): void {
  const { column, key, operator, value } = parseArgument(table, text);
  if (operator !== '=' || value === undefined || value === '')
    throw new CommandError(`${text}: argument does not end in "=" followed by a value.`);
  requireMutable(table, column, row, ctx);
  setParsed(ctx, table, row, column, key, value);
}

function setParsed(ctx: Context, table: TableSchema, row: ReplicaRow, column: ColumnSchema, key: string | undefined, value: string): void {
  const { type } = column;
  const now = ctx.txn.row(table.name, row.uuid) ?? row;
  if (key === undefined) {
    ctx.txn.setDatum(table.name, row.uuid, column.name, parseDatumText(value, type, ctx.symbol));
    return;
  }
  if (type.value === undefined) throw new CommandError(`cannot specify key to set for non-map column ${column.name}`);
  const keyAtom = parseAtomText(key, type.key, ctx.symbol);
  const valueAtom = parseAtomText(value, type.value, ctx.symbol);
  const others = mapPairs(now.datum(column.name)).filter(([k]) => k !== keyAtom);
  ctx.txn.verify(table.name, row.uuid, column.name);
  ctx.txn.setDatum(table.name, row.uuid, column.name, makeMap([...others, [keyAtom, valueAtom]]));
}

function mapPairs(datum: Datum): [Atom, Atom][] {
  return datum.keys.map((key, i) => [key, datum.values?.[i] as Atom]);
}

function show(ctx: Context, columns: readonly ColumnSchema[], rows: readonly ReplicaRow[]): void {
  const cells = rows.map((row) => columns.map((column): Cell => ({ datum: row.datum(column.name), type: column.type })));
  ctx.output.tables.push({ columns: columns.map((column) => column.name), rows: cells });
}

/** All rows, in the order in which the reference comes by them. */
function allRows(ctx: Context, table: TableSchema): ReplicaRow[] {
  const rows = new Map(ctx.txn.rows(table.name).map((row) => [row.uuid, row]));
  const [stored, fresh] = [true, false].map((which) => [...rows.keys()].filter((uuid) => ctx.txn.isStored(table.name, uuid) === which));
  return rowOrder(stored ?? [], fresh).map((uuid) => rows.get(uuid) as ReplicaRow);
}

export function list(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const columns = chosenColumns(table, options.get('--columns'));
  const mustExist = !options.has('--if-exists');
  const records = args.slice(1);
  const rows = records.length === 0 ? allRows(ctx, table) : records.map((record) => ctx.row(table, record, mustExist));
  show(
    ctx,
    columns,
    rows.filter((row) => row !== undefined),
  );
}

export function find(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const columns = chosenColumns(table, options.get('--columns'));
  const conditions = args.slice(1);
  const holds = (row: ReplicaRow): boolean => conditions.every((condition) => conditionHolds(ctx, table, row, condition));
  show(ctx, columns, allRows(ctx, table).filter(holds));
}

/** Whether a row meets `column[:key]OPvalue`. */
function conditionHolds(ctx: Context, table: TableSchema, row: ReplicaRow, text: string): boolean {
  const { column, key, operator, value } = parseArgument(table, text);
  if (operator === '' || value === undefined || value === '')
    throw new CommandError(`${text}: argument does not end in ${OPERATOR_LIST} followed by a value.`);
  const { type } = column;
  const have = row.datum(column.name);
  if (key === undefined) return compare(have, parseDatumText(value, type, ctx.symbol), operator);
  if (type.value === undefined) throw new CommandError(`cannot specify key to check for non-map column ${column.name}`);
  const at = findKey(have.keys, parseAtomText(key, type.key, ctx.symbol));
  const wanted = parseDatumText(value, { key: type.value, min: 0, max: Number.POSITIVE_INFINITY }, ctx.symbol);
  if (at < 0 && !operator.startsWith('{')) return false;
  return compare({ keys: at < 0 ? [] : [have.values?.[at] as Atom] }, wanted, operator);
}

function orderHolds(order: number, operator: string): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0;
  }
}

function compare(have: Datum, wanted: Datum, operator: string): boolean {
  switch (operator) {
    case '{=}':
      return datumsEqual(have, wanted);
    case '{!=}':
      return !datumsEqual(have, wanted);
    case '{<=}':
    case '{in}':
      return includesAll(wanted, have);
    case '{<}':
      return includesAll(wanted, have) && have.keys.length < wanted.keys.length;
    case '{>=}':
      return includesAll(have, wanted);
    case '{>}':
      return includesAll(have, wanted) && have.keys.length > wanted.keys.length;
    case '{not-in}':
      return excludesAll(have, wanted);
    default:
      return orderHolds(compareDatums(have, wanted), operator);
  }
}

export function get(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const mustExist = !options.has('--if-exists');
  const id = options.get('--id');
  if (id !== undefined && !mustExist) throw new CommandError('--if-exists and --id may not be specified together');
  const row = ctx.row(table, args[1] ?? '', mustExist);
  if (row === undefined) return;
  if (id !== undefined) ctx.bindSymbol(id, row.uuid);
  for (const text of args.slice(2)) {
    const { column, key, operator, value } = parseArgument(table, text, true);
    if (operator !== '' || value !== undefined) throw new CommandError(`${text}: trailing garbage "${operator}${value}" in argument`);
    const { type } = column;
    const datum = row.datum(column.name);
    if (key === undefined) {
      ctx.print(`${formatDatum(datum, type)}\n`);
      continue;
    }
    if (type.value === undefined) throw new CommandError(`cannot specify key to get for non-map column ${column.name}`);
    const at = findKey(datum.keys, parseAtomText(key, type.key, ctx.symbol));
    if (at >= 0) ctx.print(`${formatAtom(datum.values?.[at] as Atom, type.value.type)}\n`);
    else if (mustExist) throw new CommandError(`no key "${key}" in ${table.name} record "${args[1]}" column ${column.name}`);
    else ctx.print('\n');
  }
}

export function set(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const row = ctx.row(table, args[1] ?? '', !options.has('--if-exists'));
  if (row === undefined) return;
  for (const text of args.slice(2)) setColumn(ctx, table, row, text);
}

interface Target {
  table: TableSchema;
  column: ColumnSchema;
  row: ReplicaRow | undefined;
}

function columnTarget(ctx: Context, { args, options }: Invocation): Target {
  const table = ctx.table(args[0] ?? '');
  const column = ctx.column(table, args[2] ?? '');
  const row = ctx.row(table, args[1] ?? '', !options.has('--if-exists'));
  if (row !== undefined) requireMutable(table, column, row, ctx);
  return { table, column, row };
}

const unlimited = (type: ColumnType, min = 1): ColumnType => ({ ...type, min, max: Number.POSITIVE_INFINITY });

export function add(ctx: Context, invocation: Invocation): void {
  const { table, column, row } = columnTarget(ctx, invocation);
  if (row === undefined) return;
  const { type } = column;
  let datum = row.datum(column.name);
  let all: Datum | undefined;
  for (const text of invocation.args.slice(3)) {
    const added = parseDatumText(text, unlimited(type), ctx.symbol);
    all = all === undefined ? added : datumUnion(all, added);
    // A key that the map has keeps its value for the commands that follow; at the end of a transaction `add` is a mutation that replaces it.
    datum = ctx.isLast ? datumUnion(added, datum) : datumUnion(datum, added);
  }
  if (datum.keys.length > type.max) {
    if (ctx.isLast) tooMany(column.name, all ?? datum, datum, type);
    refuseCount('add', datum, column, table);
  }
  ctx.txn.verify(table.name, row.uuid, column.name);
  ctx.txn.setDatum(table.name, row.uuid, column.name, datum);
}

function refuseCount(operation: 'add' | 'remove', datum: Datum, { name, type }: ColumnSchema, table: TableSchema): never {
  const what = `${datum.keys.length} ${type.value === undefined ? 'values' : 'pairs'}`;
  const limit = datum.keys.length < type.min ? `minimum number is ${type.min}` : `maximum number is ${type.max}`;
  throw new CommandError(`"${operation}" operation would put ${what} in column ${name} of table ${table.name} but the ${limit}`);
}

/** What the server says of a mutation with more than the column holds, or that leads to more. */
function tooMany(column: string, added: Datum, datum: Datum, type: ColumnType): never {
  const wanted: Json =
    type.value === undefined ? ['set', added.keys.map((key) => atomToJson(key, type.key.type))] : datumToJson(added, type);
  try {
    if (isScalarType(type)) {
      const text = `Type mismatch: "insert" operator may not be applied to column ${column} of type ${describeType(type)}.`;
      throw syntaxError([column, 'insert', wanted], text);
    }
    parseDatum(wanted, { ...type, min: 0 });
    checkDatum(datum, type);
  } catch (error) {
    const text = `transaction error: ${formatJson((error as OvsdbError).toJson(), { sort: true })}`;
    logger('ovsdb_idl').warn(text);
    throw new CommandError(text);
  }
  throw new CommandError('transaction error');
}

export function remove(ctx: Context, invocation: Invocation): void {
  const { table, column, row } = columnTarget(ctx, invocation);
  if (row === undefined) return;
  const { type } = column;
  const before = row.datum(column.name);
  let datum = before;
  for (const text of invocation.args.slice(3)) datum = withoutText(ctx, datum, text, type);
  if (datum.keys.length < type.min || datum.keys.length > type.max) refuseCount('remove', datum, column, table);
  ctx.txn.verify(table.name, row.uuid, column.name);
  ctx.txn.setDatum(table.name, row.uuid, column.name, datum);
}

function withoutText(ctx: Context, datum: Datum, text: string, type: ColumnType): Datum {
  if (type.value === undefined) return datumSubtract(datum, parseDatumText(text, unlimited(type), ctx.symbol));
  try {
    return datumSubtract(datum, parseDatumText(text, unlimited(type), ctx.symbol));
  } catch {
    // Not a pair, so keys alone.
    const keys = parseDatumText(text, { key: type.key, min: 1, max: Number.POSITIVE_INFINITY }, ctx.symbol).keys;
    return filterDatum(datum, (key) => !keys.includes(key));
  }
}

export function clear(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const columns = args.slice(2).map((name) => ctx.column(table, name));
  const row = ctx.row(table, args[1] ?? '', !options.has('--if-exists'));
  if (row === undefined) return;
  for (const column of columns) {
    requireMutable(table, column, row, ctx);
    if (column.type.min > 0) {
      throw new CommandError(
        `"clear" operation cannot be applied to column ${column.name} of table ${table.name}, which is not allowed to be empty`,
      );
    }
  }
  for (const column of columns) ctx.txn.setDatum(table.name, row.uuid, column.name, defaultDatum(column.type));
}

export function create(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const id = options.get('--id');
  const wanted = id === undefined ? randomUuid() : ctx.createSymbol(id, table.isRoot);
  const uuid = ctx.txn.insert(table.name, {}, wanted);
  const row = ctx.txn.row(table.name, uuid) as ReplicaRow;
  for (const text of args.slice(1)) setColumn(ctx, table, row, text);
  ctx.print(`${uuid}\n`);
  ctx.created.push({ output: ctx.output, uuid });
}

export function destroy(ctx: Context, { args, options }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const records = args.slice(1);
  if (options.has('--all')) {
    if (records.length > 0) throw new CommandError('--all and records argument should not be specified together');
    if (options.has('--if-exists')) throw new CommandError('--all and --if-exists should not be specified together');
    for (const row of ctx.txn.rows(table.name)) ctx.txn.delete(table.name, row.uuid);
    return;
  }
  if (records.length === 0) log.warn('either --all or records argument should be specified');
  for (const record of records) {
    const row = ctx.row(table, record, !options.has('--if-exists'));
    if (row !== undefined) ctx.txn.delete(table.name, row.uuid);
  }
}

export function waitUntil(ctx: Context, { args }: Invocation): void {
  const table = ctx.table(args[0] ?? '');
  const conditions = args.slice(2);
  const row = ctx.row(table, args[1] ?? '', false);
  if (row === undefined || !conditions.every((condition) => conditionHolds(ctx, table, row, condition))) throw new TryAgain();
}

/** Its words are in the log with the whole command line. */
export function comment(): void {}
