// Base types and column types from and to JSON: RFC 7047 section 3.2.

import { type Json, type JsonObject, jsonObject, MAX_INTEGER, MIN_INTEGER } from '../json/json.ts';
import { ATOMIC_TYPES, type AtomicType } from './atom.ts';
import { datumToJson, parseDatum } from './datum.ts';
import { syntaxError } from './error.ts';
import { ObjectParser } from './object-parser.ts';
import { type BaseType, type ColumnType, isScalarType } from './types.ts';

/** Where this many are allowed there is no limit. */
export const MAX_COUNT = 0xffffffff;

function isAtomicType(text: Json): text is AtomicType {
  return typeof text === 'string' && (ATOMIC_TYPES as readonly string[]).includes(text);
}

function parseAtomicType(json: Json): AtomicType {
  if (typeof json !== 'string') throw syntaxError(json, 'atomic-type expected');
  if (!isAtomicType(json)) throw syntaxError(json, `"${json}" is not an atomic-type`);
  return json;
}

/** Parses a `<base-type>`. */
export function parseBaseType(json: Json): BaseType {
  if (typeof json === 'string') return { type: parseAtomicType(json) };
  const parser = new ObjectParser(json, 'ovsdb type');
  const type = parseAtomicType(parser.required('type', 'string'));
  const base: { -readonly [K in keyof BaseType]: BaseType[K] } = { type };
  const enumJson = parser.optional('enum', 'any');
  if (enumJson !== undefined) base.enum = parseDatum(enumJson, { key: { type }, min: 1, max: Number.POSITIVE_INFINITY });
  else if (type === 'integer') parseIntegerBounds(parser, base, json);
  else if (type === 'real') parseRealBounds(parser, base, json);
  else if (type === 'string') parseLengthBounds(parser, base, json);
  else if (type === 'uuid') parseReference(parser, base, json);
  parser.finish();
  return base;
}

type MutableBase = { -readonly [K in keyof BaseType]: BaseType[K] };

function parseIntegerBounds(parser: ObjectParser, base: MutableBase, json: Json): void {
  const min = parser.optional('minInteger', 'integer') as number | bigint | undefined;
  const max = parser.optional('maxInteger', 'integer') as number | bigint | undefined;
  // A bound that all integers keep is none.
  if (min !== undefined && min !== MIN_INTEGER) base.minInteger = min;
  if (max !== undefined && max !== MAX_INTEGER) base.maxInteger = max;
  if (min !== undefined && max !== undefined && min > max) throw syntaxError(json, 'minInteger exceeds maxInteger');
}

function parseRealBounds(parser: ObjectParser, base: MutableBase, json: Json): void {
  const min = parser.optional('minReal', 'number');
  const max = parser.optional('maxReal', 'number');
  if (min !== undefined && Number(min) !== -Number.MAX_VALUE) base.minReal = Number(min);
  if (max !== undefined && Number(max) !== Number.MAX_VALUE) base.maxReal = Number(max);
  if (base.minReal !== undefined && base.maxReal !== undefined && base.minReal > base.maxReal)
    throw syntaxError(json, 'minReal exceeds maxReal');
}

function parseLengthBounds(parser: ObjectParser, base: MutableBase, json: Json): void {
  for (const name of ['minLength', 'maxLength'] as const) {
    const length = parser.optional(name, 'integer');
    if (length === undefined) continue;
    if (Number(length) < 0 || Number(length) > MAX_COUNT) throw syntaxError(length, `${name} out of valid range 0 to 4294967295`);
    if (Number(length) !== (name === 'minLength' ? 0 : MAX_COUNT)) base[name] = Number(length);
  }
  if ((base.minLength ?? 0) > (base.maxLength ?? Number.POSITIVE_INFINITY)) throw syntaxError(json, 'minLength exceeds maxLength');
}

function parseReference(parser: ObjectParser, base: MutableBase, json: Json): void {
  const table = parser.optional('refTable', 'id') as string | undefined;
  if (table === undefined) return;
  base.refTable = table;
  base.refType = 'strong';
  const refType = parser.optional('refType', 'id');
  if (refType === undefined) return;
  if (refType !== 'strong' && refType !== 'weak') throw syntaxError(json, `refType must be "strong" or "weak" (not "${refType}")`);
  base.refType = refType;
}

function hasConstraints(base: BaseType): boolean {
  return Object.keys(base).length > 1;
}

export function baseTypeToJson(base: BaseType): Json {
  if (!hasConstraints(base)) return base.type;
  return jsonObject({
    type: base.type,
    enum: base.enum && datumToJson(base.enum, { key: { type: base.type }, min: 1, max: Number.POSITIVE_INFINITY }),
    minInteger: base.minInteger,
    maxInteger: base.maxInteger,
    minReal: base.minReal,
    maxReal: base.maxReal,
    minLength: base.minLength,
    maxLength: base.maxLength,
    refTable: base.refTable,
    refType: base.refType === 'weak' ? 'weak' : undefined,
  });
}

function parseCount(json: Json | undefined): number {
  if (json === undefined) return 1;
  if (json === 'unlimited') return Number.POSITIVE_INFINITY;
  if (typeof json !== 'number' || json < 0 || json >= MAX_COUNT) throw syntaxError(json, 'bad min or max value');
  return json;
}

/** Parses a `<type>`. */
export function parseColumnType(json: Json): ColumnType {
  if (typeof json === 'string') return { key: { type: parseAtomicType(json) }, min: 1, max: 1 };
  if (!(json instanceof Map)) throw syntaxError(json, 'string or object expected');
  const parser = new ObjectParser(json, 'ovsdb type');
  const key = parser.required('key', 'string', 'object');
  const value = parser.optional('value', 'string', 'object');
  const min = parser.optional('min', 'integer');
  const max = parser.optional('max', 'integer', 'string');
  parser.finish();
  const type = {
    key: parseBaseType(key),
    ...(value === undefined ? {} : { value: parseBaseType(value) }),
    min: parseCount(min),
    max: parseCount(max),
  };
  if (type.min > 1 || type.max < 1 || type.min > type.max) throw syntaxError(json, 'ovsdb type fails constraint checks');
  return type;
}

export function columnTypeToJson(type: ColumnType): Json {
  if (isScalarType(type) && !hasConstraints(type.key)) return type.key.type;
  const object: JsonObject = new Map([['key', baseTypeToJson(type.key)]]);
  if (type.value !== undefined) object.set('value', baseTypeToJson(type.value));
  if (type.min !== 1) object.set('min', type.min);
  if (type.max === Number.POSITIVE_INFINITY) object.set('max', 'unlimited');
  else if (type.max !== 1) object.set('max', type.max);
  return object;
}
