// Mutations: RFC 7047 section 5.1 `<mutation>`. Integers are 64-bit and checked; each result must satisfy its column.

import { exactInteger, type Json, MAX_INTEGER, MIN_INTEGER } from '../json/json.ts';
import type { Atom, SymbolTable } from './atom.ts';
import { type Datum, datumSubtract, datumUnion, makeSet, parseDatum } from './datum.ts';
import { constraintViolation, OvsdbError, syntaxError } from './error.ts';
import type { ColumnSchema, TableSchema } from './schema.ts';
import { type ColumnType, checkAtom, describeType, isMapType, isScalarType } from './types.ts';

const ARITHMETIC = ['+=', '-=', '*=', '/=', '%='] as const;
type Arithmetic = (typeof ARITHMETIC)[number];

export type Mutation = { readonly column: ColumnSchema; readonly arg: Datum; readonly mutator: Arithmetic | 'insert' | 'delete' };

const unlimited = (type: ColumnType): ColumnType => ({ ...type, min: 0, max: Number.POSITIVE_INFINITY });

export function parseMutation(json: Json, table: TableSchema, symbols?: SymbolTable): Mutation {
  const [name, mutator, value] = Array.isArray(json) ? json : [];
  if (!Array.isArray(json) || json.length !== 3 || typeof name !== 'string' || typeof mutator !== 'string')
    throw syntaxError(json, 'Parse error in mutation.');
  const column = table.columns.get(name);
  if (column === undefined) throw new OvsdbError('unknown column', `No column ${name} in table ${table.name}.`, { syntax: json });
  if (!column.isMutable) {
    throw new OvsdbError('constraint violation', `Cannot mutate immutable column ${name} in table ${table.name}.`, { syntax: json });
  }
  const { type } = column;
  const mismatch = (): never => {
    throw syntaxError(json, `Type mismatch: "${mutator}" operator may not be applied to column ${name} of type ${describeType(type)}.`);
  };
  const operand = value as Json;
  switch (mutator) {
    case '+=':
    case '-=':
    case '*=':
    case '/=':
    case '%=': {
      const isInteger = type.key.type === 'integer';
      if (isMapType(type) || !(isInteger || (type.key.type === 'real' && mutator !== '%='))) mismatch();
      return { column, mutator, arg: parseDatum(operand, { key: { type: type.key.type }, min: 1, max: 1 }, symbols) };
    }
    case 'insert':
      if (isScalarType(type)) mismatch();
      return { column, mutator, arg: parseDatum(operand, { ...type, min: 0 }, symbols) };
    case 'delete':
      if (isScalarType(type)) mismatch();
      return { column, mutator, arg: parseDeleted(operand, type, symbols) };
    default:
      throw new OvsdbError('unknown mutator', `No mutator named ${mutator}.`);
  }
}

/** What to delete from a map may be pairs or keys. */
function parseDeleted(json: Json, type: ColumnType, symbols: SymbolTable | undefined): Datum {
  try {
    return parseDatum(json, unlimited(type), symbols);
  } catch (error) {
    if (!(isMapType(type) && error instanceof OvsdbError)) throw error;
    return parseDatum(json, { key: type.key, min: 0, max: Number.POSITIVE_INFINITY }, symbols);
  }
}

function rangeError(mutator: string): OvsdbError {
  return new OvsdbError('range error', `Result of "${mutator}" operation is out of range.`);
}

function mutateReal(a: number, mutator: Arithmetic, b: number): number {
  if (mutator === '/=' && b === 0) throw new OvsdbError('domain error', 'Division by zero.');
  const result = mutator === '+=' ? a + b : mutator === '-=' ? a - b : mutator === '*=' ? a * b : a / b;
  if (!Number.isFinite(result)) throw rangeError(mutator);
  return result;
}

function mutateInteger(a: number | bigint, mutator: Arithmetic, b: number | bigint): number | bigint {
  if ((mutator === '/=' || mutator === '%=') && (b === 0 || b === 0n)) throw new OvsdbError('domain error', 'Division by zero.');
  const x = BigInt(a);
  const y = BigInt(b);
  if (mutator === '*=') return exactInteger(multiply(x, y));
  // The quotient of the least integer and -1 has no room, and the reference refuses the remainder with it.
  if (mutator === '%=' && y === -1n && x === MIN_INTEGER) throw rangeError(mutator);
  const result = mutator === '+=' ? x + y : mutator === '-=' ? x - y : mutator === '/=' ? x / y : x % y;
  if (BigInt.asIntN(64, result) !== result) throw rangeError(mutator);
  return exactInteger(result);
}

/** The product as the reference has it: a positive one must stay below what would just fit, and one of negative factors may reach 2^63, which wraps. */
function multiply(x: bigint, y: bigint): bigint {
  const product = x * y;
  const isTooLarge =
    x > 0n && y > 0n ? x >= MAX_INTEGER / y : x < 0n && y < 0n ? y === MIN_INTEGER || x < MIN_INTEGER / -y : product < MIN_INTEGER;
  if (isTooLarge) throw rangeError('*=');
  return BigInt.asIntN(64, product);
}

/** The value of a column after the mutation; throws when its constraints forbid it. */
export function mutateDatum(datum: Datum, mutation: Mutation): Datum {
  const { column, mutator, arg } = mutation;
  const { type } = column;
  let result: Datum;
  if (mutator === 'insert') {
    result = datumUnion(datum, arg);
  } else if (mutator === 'delete') {
    result = datumSubtract(datum, arg);
  } else {
    const b = arg.keys[0] as number;
    const isReal = type.key.type === 'real';
    const atoms = datum.keys.map((atom): Atom => {
      const next = isReal ? mutateReal(atom as number, mutator, b) : mutateInteger(atom as number | bigint, mutator, b);
      checkAtom(next, type.key);
      return next;
    });
    const set = makeSet(atoms);
    if (set.keys.length < atoms.length) throw constraintViolation(`Result of "${mutator}" operation contains duplicates.`);
    return set;
  }
  if (result.keys.length < type.min || result.keys.length > type.max) {
    throw constraintViolation(`Attempted to store ${result.keys.length} elements in ${describeType(type)}.`);
  }
  // What came was judged when it was parsed; what was there may be a default that is none of the values allowed, which the reference bears.
  return result;
}
