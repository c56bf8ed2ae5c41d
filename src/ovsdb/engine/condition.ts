// Conditions: RFC 7047 section 5.1 `<condition>`, and the reference's additions: true and false, and order on optional numbers.

import type { Json } from '../json/json.ts';
import { type Atom, compareAtoms, type SymbolTable } from './atom.ts';
import { datumKey } from './database.ts';
import { type Datum, datumsEqual, excludesAll, includesAll, parseDatum } from './datum.ts';
import { OvsdbError, syntaxError } from './error.ts';
import type { ColumnSchema, TableSchema } from './schema.ts';
import { type ColumnType, describeType, isOptionalScalarType, isScalarType } from './types.ts';

const FUNCTIONS = ['==', '!=', '<', '<=', '>', '>=', 'includes', 'excludes'] as const;
type ConditionFunction = (typeof FUNCTIONS)[number];

export type Clause = boolean | { readonly column: ColumnSchema; readonly fn: ConditionFunction; readonly arg: Datum };
/** True of a row when all clauses are. */
export type Condition = readonly Clause[];

const isOrder = (fn: string): boolean => fn[0] === '<' || fn[0] === '>';

function parseClause(json: Json, table: TableSchema, symbols: SymbolTable | undefined): Clause {
  if (typeof json === 'boolean') return json;
  const [name, fn, value] = Array.isArray(json) ? json : [];
  if (!Array.isArray(json) || json.length !== 3 || typeof name !== 'string' || typeof fn !== 'string')
    throw syntaxError(json, 'Parse error in condition.');
  const column = table.columns.get(name);
  if (column === undefined) throw new OvsdbError('unknown column', `No column ${name} in table ${table.name}.`, { syntax: json });
  const known = FUNCTIONS.find((candidate) => candidate === fn);
  if (known === undefined) throw new OvsdbError('unknown function', `No function named ${fn}.`);
  let type: ColumnType = column.type;
  if (isOrder(fn)) {
    const isNumber = type.key.type === 'integer' || type.key.type === 'real';
    if (!isNumber || !(isScalarType(type) || isOptionalScalarType(type))) {
      throw syntaxError(json, `Type mismatch: "${fn}" operator may not be applied to column ${name} of type ${describeType(type)}.`);
    }
    type = { ...type, min: 1 };
  } else if ((fn === 'includes' || fn === 'excludes') && !isScalarType(type)) {
    // What is included cannot be more than the column holds; what is excluded may.
    type = { ...type, min: 0, max: fn === 'includes' ? type.max : Number.POSITIVE_INFINITY };
  }
  return { column, fn: known, arg: parseDatum(value as Json, type, symbols) };
}

/** Parses the `where` member of an operation. */
export function parseCondition(json: Json, table: TableSchema, symbols?: SymbolTable): Condition {
  if (!Array.isArray(json)) throw syntaxError(json, 'array expected');
  return json.map((clause) => parseClause(clause, table, symbols));
}

function clauseHolds(clause: Clause, fields: readonly Datum[]): boolean {
  if (typeof clause === 'boolean') return clause;
  const field = fields[clause.column.index] as Datum;
  const { arg } = clause;
  switch (clause.fn) {
    case '==':
      return datumsEqual(field, arg);
    case '!=':
      return !datumsEqual(field, arg);
    case 'includes':
      return includesAll(field, arg);
    case 'excludes':
      return excludesAll(field, arg);
    default: {
      const [a] = field.keys;
      const [b] = arg.keys;
      if (a === undefined || b === undefined) return false;
      const order = compareAtoms(a, b);
      if (clause.fn === '<') return order < 0;
      if (clause.fn === '<=') return order <= 0;
      return clause.fn === '>' ? order > 0 : order >= 0;
    }
  }
}

export function conditionHolds(condition: Condition, fields: readonly Datum[]): boolean {
  for (const clause of condition) if (!clauseHolds(clause, fields)) return false;
  return true;
}

/** Tells whether a monitor shows a row: one of its clauses holds, or there is none. */
export type RowTest = (fields: readonly Datum[]) => boolean;

/** A monitor's condition made ready to be put to many rows: what a column may be equal to is looked up at once, however many values there are. */
export function rowTest(condition: Condition): RowTest {
  if (condition.length === 0) return () => true;
  const wanted = new Map<number, Set<Atom>>();
  const others: Clause[] = [];
  for (const clause of condition) {
    const pinned = pinnedAtom([clause]);
    if (pinned === undefined) others.push(clause);
    else wanted.set(pinned.index, (wanted.get(pinned.index) ?? new Set()).add(pinned.atom));
  }
  const lookups = [...wanted].map(([index, atoms]) => ({ index, atoms }));
  return (fields) => {
    for (let i = 0; i < lookups.length; i++) {
      const { index, atoms } = lookups[i]!;
      const field = fields[index]!;
      const atom = field.atom ?? (field.values === undefined && field.keys.length === 1 ? field.keys[0] : undefined);
      if (atom !== undefined && atoms.has(atom)) return true;
    }
    for (let i = 0; i < others.length; i++) if (clauseHolds(others[i]!, fields)) return true;
    return false;
  };
}

const sameClause = (a: Clause, b: Clause): boolean =>
  typeof a === 'boolean' || typeof b === 'boolean' ? a === b : a.column === b.column && a.fn === b.fn && datumsEqual(a.arg, b.arg);

/** Finds the rows that may be shown by one of two conditions and not by the other: by what stands in one alone. */
export function differenceTest(before: Condition, after: Condition): RowTest {
  if (before.length === 0 || after.length === 0) return () => true;
  const lacking = (a: Condition, b: Condition): Clause[] => a.filter((one) => !b.some((other) => sameClause(one, other)));
  const clauses = [...lacking(before, after), ...lacking(after, before)];
  return clauses.length === 0 ? () => false : rowTest(clauses);
}

/** The UUID that the condition pins `_uuid` to, so that no table need be searched. */
export function pinnedUuid(condition: Condition): string | undefined {
  for (const clause of condition) {
    if (typeof clause !== 'boolean' && clause.column.index === 0 && (clause.fn === '==' || clause.fn === 'includes'))
      return clause.arg.keys[0] as string | undefined;
  }
  return undefined;
}

/** The one atom that the condition has a column hold, when it says nothing else: the common case of a search through many rows. */
export function pinnedAtom(condition: Condition): { readonly index: number; readonly atom: Atom } | undefined {
  const [clause] = condition;
  if (condition.length !== 1 || clause === undefined || typeof clause === 'boolean' || clause.fn !== '==') return undefined;
  const { keys, values } = clause.arg;
  const [atom] = keys;
  return keys.length === 1 && values === undefined && atom !== undefined ? { index: clause.column.index, atom } : undefined;
}

/** The text by which an index finds the rows, when the condition says what each of its columns equals. */
export function pinnedKey(condition: Condition, columns: readonly ColumnSchema[]): string | undefined {
  let text = '';
  for (const column of columns) {
    const clause = condition.find((one) => typeof one !== 'boolean' && one.column === column && one.fn === '==');
    if (clause === undefined || typeof clause === 'boolean') return undefined;
    text += datumKey(clause.arg);
  }
  return text;
}
