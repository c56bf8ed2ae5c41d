// Base types with their constraints, and column types: RFC 7047 section 3.2 `<base-type>` and `<type>`.

import { formatReal } from '../json/json-format.ts';
import { type Atom, type AtomicType, defaultAtom, formatAtom } from './atom.ts';
import { constraintViolation } from './error.ts';

/** A column's value. Keys are sorted and distinct; a map has a value at the place of each key. Never changed once made. */
export interface Datum {
  readonly keys: readonly Atom[];
  readonly values?: readonly Atom[] | undefined;
  /** The one key of a value that is stored as such: whoever looks at it makes no list. */
  readonly atom?: Atom;
}

/** One kind of atom and what it may be. A bound that is undefined does not bind. */
export interface BaseType {
  readonly type: AtomicType;
  readonly enum?: Datum;
  readonly minInteger?: number | bigint;
  readonly maxInteger?: number | bigint;
  readonly minReal?: number;
  readonly maxReal?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly refTable?: string;
  readonly refType?: 'strong' | 'weak';
}

/** What a column holds: `min` (0 or 1) to `max` (Infinity for unlimited) keys, each with a value if it is a map. */
export interface ColumnType {
  readonly key: BaseType;
  readonly value?: BaseType;
  readonly min: number;
  readonly max: number;
}

export function scalarType(type: AtomicType): ColumnType {
  return { key: { type }, min: 1, max: 1 };
}

export const isScalarType = (type: ColumnType): boolean => type.min === 1 && type.max === 1 && type.value === undefined;
export const isOptionalScalarType = (type: ColumnType): boolean => type.min === 0 && type.max === 1 && type.value === undefined;
export const isMapType = (type: ColumnType): boolean => type.value !== undefined;

/** Throws when an atom is not what its base type allows. */
export function checkAtom(atom: Atom, base: BaseType): void {
  if (base.enum !== undefined) {
    if (base.enum.keys.includes(atom)) return;
    const allowed = base.enum.keys.map((key) => formatAtom(key, base.type)).join(', ');
    throw constraintViolation(`${formatAtom(atom, base.type)} is not one of the allowed values ([${allowed}])`);
  }
  if (base.type === 'integer') checkRange(atom as number | bigint, base.minInteger, base.maxInteger, String);
  else if (base.type === 'real') checkRange(atom as number, base.minReal, base.maxReal, (value) => formatReal(Number(value)));
  else if (base.type === 'string') checkLength(atom as string, base);
}

type Num = number | bigint;

function checkRange(value: Num, min: Num | undefined, max: Num | undefined, format: (value: Num) => string): void {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return;
  const head = `${format(value)} is `;
  if (max === undefined) throw constraintViolation(`${head}less than minimum allowed value ${format(min ?? 0)}`);
  if (min === undefined) throw constraintViolation(`${head}greater than maximum allowed value ${format(max)}`);
  throw constraintViolation(`${head}not in the valid range ${format(min)} to ${format(max)} (inclusive)`);
}

function checkLength(text: string, { minLength, maxLength }: BaseType): void {
  if (minLength === undefined && maxLength === undefined) return;
  const length = [...text].length;
  if (length < (minLength ?? 0)) throw constraintViolation(`"${text}" length ${length} is less than minimum allowed length ${minLength}`);
  if (length > (maxLength ?? Number.POSITIVE_INFINITY))
    throw constraintViolation(`"${text}" length ${length} is greater than maximum allowed length ${maxLength}`);
}

/** A column type in words, e.g. `set of up to 3 integers`. */
export function describeType(type: ColumnType): string {
  const { key, value, min, max } = type;
  const isOne = min === 1 && max === 1;
  if (isOne && value === undefined) return key.type;
  const plural = isMapType(type) ? '' : 's';
  const count = max === Number.POSITIVE_INFINITY ? (min === 0 ? '' : `${min} or more `) : min === 0 ? `up to ${max} ` : `${min} to ${max} `;
  const what = value === undefined ? `${key.type}${plural}` : `(${key.type}, ${value.type}) pairs`;
  return `${value === undefined ? 'set' : 'map'} of ${count}${what}`;
}

/** The value a column has in a row that was given none. */
export function defaultDatum(type: ColumnType): Datum {
  if (type.min === 0) return type.value === undefined ? { keys: [] } : { keys: [], values: [] };
  const keys = [defaultAtom(type.key.type)];
  return type.value === undefined ? { keys } : { keys, values: [defaultAtom(type.value.type)] };
}
