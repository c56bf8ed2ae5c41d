// A column's value: RFC 7047 section 5.1 `<value>`. Keys are sorted and distinct; a map has a value at the place of each key. Never changed once made.

import type { Json } from '../json/json.ts';
import { ownText } from '../json/own-text.ts';
import { type Atom, atomToJson, compareAtoms, noTag, parseAtom, type SymbolTable } from './atom.ts';
import { constraintViolation, syntaxError } from './error.ts';
import { type ColumnType, checkAtom, type Datum, describeType } from './types.ts';

export type { Datum } from './types.ts';

/** Where a key stands or would stand: its index, or `-1 - index` of its place. */
export function findKey(keys: readonly Atom[], key: Atom): number {
  let low = 0;
  let high = keys.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareAtoms(keys[middle] as Atom, key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}

export const hasKey = (datum: Datum, key: Atom): boolean => findKey(datum.keys, key) >= 0;

/** The value of a map's key. */
export function mapValue(datum: Datum, key: Atom): Atom | undefined {
  const at = findKey(datum.keys, key);
  return at < 0 ? undefined : datum.values?.[at];
}

/** Sorts atoms; a duplicate is an error of `message`, or dropped when there is none. */
export function makeSet(atoms: readonly Atom[], message?: string): Datum {
  if (atoms.length < 2) return { keys: atoms };
  const keys = [...atoms].sort(compareAtoms);
  for (let i = 1; i < keys.length; i++) {
    if (keys[i] !== keys[i - 1]) continue;
    if (message !== undefined) throw noTag(message);
    return { keys: keys.filter((key, j) => j === 0 || key !== keys[j - 1]) };
  }
  return { keys };
}

/** Sorts pairs by key; a duplicate key is an error of `message`, or the first of them wins when there is none. */
export function makeMap(pairs: readonly (readonly [Atom, Atom])[], message?: string): Datum {
  const sorted = pairs.length < 2 ? pairs : [...pairs].sort((a, b) => compareAtoms(a[0], b[0]));
  const keys: Atom[] = [];
  const values: Atom[] = [];
  for (const [key, value] of sorted) {
    if (keys.length > 0 && keys.at(-1) === key) {
      if (message !== undefined) throw noTag(message);
      continue;
    }
    keys.push(key);
    values.push(value);
  }
  return { keys, values };
}

function describeCount(type: ColumnType): string {
  if (type.min === type.max) return type.min === 1 ? 'exactly one member' : `exactly ${type.min} members`;
  return `${type.min} ${type.max === Number.POSITIVE_INFINITY ? 'to 4294967295' : `to ${type.max}`} members`;
}

function checkCount(json: Json, length: number, type: ColumnType, kind: string): void {
  if (length >= type.min && length <= type.max) return;
  throw syntaxError(json, `${kind} must have ${describeCount(type)} but ${length} are present`);
}

/** Parses a value of a column type, with its constraints. */
export function parseDatum(json: Json, type: ColumnType, symbols?: SymbolTable): Datum {
  return type.value === undefined ? parseSet(json, type, symbols) : parseMap(json, type, symbols);
}

function parseSet(json: Json, type: ColumnType, symbols: SymbolTable | undefined): Datum {
  if (!Array.isArray(json) || json[0] !== 'set') {
    const atom = parseAtom(json, type.key.type, symbols);
    checkAtom(atom, type.key);
    return { keys: [atom] };
  }
  const items = json[1];
  if (json.length !== 2 || !Array.isArray(items)) throw syntaxError(json, 'expected ["set", <array>]');
  checkCount(json, items.length, type, 'set');
  const atoms = items.map((item) => {
    const atom = parseAtom(item, type.key.type, symbols);
    checkAtom(atom, type.key);
    return atom;
  });
  return makeSet(atoms, 'set contains duplicate');
}

function parseMap(json: Json, type: ColumnType, symbols: SymbolTable | undefined): Datum {
  const items = Array.isArray(json) && json.length === 2 && json[0] === 'map' ? json[1] : undefined;
  if (!Array.isArray(items) || type.value === undefined) throw syntaxError(json, 'expected ["map", <array>]');
  const { key: keyType, value: valueType } = type;
  checkCount(json, items.length, type, 'map');
  const pairs = items.map((item): [Atom, Atom] => {
    if (!Array.isArray(item) || item.length !== 2) throw syntaxError(item, 'expected 2-element array');
    const key = parseAtom(item[0] as Json, keyType.type, symbols);
    checkAtom(key, keyType);
    const value = parseAtom(item[1] as Json, valueType.type, symbols);
    checkAtom(value, valueType);
    return [key, value];
  });
  return makeMap(pairs, 'map contains duplicate key');
}

/** The value as RFC 7047 writes it: one atom bare, else a set or a map. */
export function datumToJson(datum: Datum, type: ColumnType): Json {
  const { keys, values } = datum;
  const keyType = type.key.type;
  const valueType = type.value?.type;
  if (valueType !== undefined) return ['map', keys.map((key, i) => [atomToJson(key, keyType), atomToJson(values?.[i] as Atom, valueType)])];
  if (keys.length === 1) return atomToJson(keys[0] as Atom, keyType);
  return ['set', keys.map((key) => atomToJson(key, keyType))];
}

/** A stored value of one atom, the commonest: a third of the memory of an object with a list of one. */
class SingleAtom implements Datum {
  readonly atom: Atom;
  constructor(atom: Atom) {
    this.atom = atom;
  }
  get keys(): readonly Atom[] {
    return [this.atom];
  }
  get values(): undefined {
    return undefined;
  }
}

const EMPTY_SET: Datum = { keys: [] };
const EMPTY_MAP: Datum = { keys: [], values: [] };

/** Names that stand in many maps are kept once. */
const names = new Map<string, string>();
const MAX_NAMES = 4096;

function ownName(atom: Atom): Atom {
  if (typeof atom !== 'string') return atom;
  const known = names.get(atom);
  if (known !== undefined) return known;
  const own = ownText(atom);
  if (names.size < MAX_NAMES && own.length <= 64) names.set(own, own);
  return own;
}

const ownAtom = (atom: Atom): Atom => (typeof atom === 'string' ? ownText(atom) : atom);

/** The value as it is stored: in the least memory, and without a hold on the message that it came in. */
export function ownDatum({ keys, values }: Datum): Datum {
  if (keys.length === 0) return values === undefined ? EMPTY_SET : EMPTY_MAP;
  // `map` gives lists that are no longer than what they hold.
  if (values !== undefined) return { keys: keys.map(ownName), values: values.map(ownAtom) };
  return keys.length === 1 ? new SingleAtom(ownAtom(keys[0] as Atom)) : { keys: keys.map(ownAtom) };
}

function sameAtoms(a: readonly Atom[], b: readonly Atom[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether a value that is not stored as an atom holds this one and nothing else. */
export const holdsOne = ({ keys, values }: Datum, atom: Atom): boolean => keys.length === 1 && keys[0] === atom && values === undefined;

export function datumsEqual(a: Datum, b: Datum): boolean {
  if (a === b) return true;
  if (a.atom !== undefined) return b.atom === undefined ? holdsOne(b, a.atom) : b.atom === a.atom;
  if (b.atom !== undefined) return holdsOne(a, b.atom);
  return sameAtoms(a.keys, b.keys) && (a.values === b.values || sameAtoms(a.values ?? [], b.values ?? []));
}

function compareAtomLists(a: readonly Atom[], b: readonly Atom[]): number {
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  for (let i = 0; i < a.length; i++) {
    const order = compareAtoms(a[i] as Atom, b[i] as Atom);
    if (order !== 0) return order;
  }
  return 0;
}

/** Orders two values of one column, for sorted output. */
export function compareDatums(a: Datum, b: Datum): number {
  return compareAtomLists(a.keys, b.keys) || compareAtomLists(a.values ?? [], b.values ?? []);
}

/** Every element of `b` (keys with their values in a map) is in `a`. */
export function includesAll(a: Datum, b: Datum): boolean {
  return b.keys.every((key, i) => includesElement(a, key, b.values?.[i]));
}

/** No element of `b` is in `a`. */
export function excludesAll(a: Datum, b: Datum): boolean {
  return b.keys.every((key, i) => !includesElement(a, key, b.values?.[i]));
}

function includesElement(a: Datum, key: Atom, value: Atom | undefined): boolean {
  const at = findKey(a.keys, key);
  return at >= 0 && (value === undefined || a.values?.[at] === value);
}

/** `a` with the elements of `b` that it has no key for. */
export function datumUnion(a: Datum, b: Datum): Datum {
  if (b.keys.length === 0) return a;
  if (a.keys.length === 0) return b;
  const keys: Atom[] = [];
  const values: Atom[] | undefined = a.values === undefined ? undefined : [];
  let i = 0;
  let j = 0;
  while (i < a.keys.length || j < b.keys.length) {
    const order = i === a.keys.length ? 1 : j === b.keys.length ? -1 : compareAtoms(a.keys[i] as Atom, b.keys[j] as Atom);
    const [from, at] = order <= 0 ? [a, i] : [b, j];
    keys.push(from.keys[at] as Atom);
    values?.push(from.values?.[at] as Atom);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  if (keys.length === a.keys.length) return a;
  return values === undefined ? { keys } : { keys, values };
}

/** `a` without the elements of `b`: its keys, and where `b` has values only pairs that agree. */
export function datumSubtract(a: Datum, b: Datum): Datum {
  return filterDatum(a, (key, value) => {
    const at = findKey(b.keys, key);
    return at < 0 || (b.values !== undefined && b.values[at] !== value);
  });
}

/** The elements for which `keep` says so. */
export function filterDatum(a: Datum, keep: (key: Atom, value: Atom | undefined) => boolean): Datum {
  const flags = a.keys.map((key, i) => keep(key, a.values?.[i]));
  if (flags.every(Boolean)) return a;
  const keys = a.keys.filter((_, i) => flags[i]);
  return a.values === undefined ? { keys } : { keys, values: a.values.filter((_, i) => flags[i]) };
}

/**
 * What leads from `a` to `b`, as `update2` and the log file give it: for a column of at most one element the new value,
 * else the elements that came or went, and of a changed pair the new one.
 */
export function datumDiff(a: Datum, b: Datum, type: ColumnType): Datum {
  if (type.max === 1) return b;
  if (a.values === undefined || b.values === undefined) return { keys: differentKeys(a.keys, b.keys) };
  const gone = filterDatum(a, (key) => !hasKey(b, key));
  const come = filterDatum(b, (key, value) => !includesElement(a, key, value));
  return datumUnion(come, gone);
}

/** The atoms of two sorted lists that are in one of them only. */
function differentKeys(a: readonly Atom[], b: readonly Atom[]): Atom[] {
  const keys: Atom[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const order = compareAtoms(a[i] as Atom, b[j] as Atom);
    if (order < 0) keys.push(a[i] as Atom);
    else if (order > 0) keys.push(b[j] as Atom);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  while (i < a.length) keys.push(a[i++] as Atom);
  while (j < b.length) keys.push(b[j++] as Atom);
  return keys;
}

/** Applies what `datumDiff` gave. */
export function applyDiff(a: Datum, diff: Datum, type: ColumnType): Datum {
  if (type.max === 1) return diff;
  if (a.values === undefined || diff.values === undefined) return datumDiff(a, diff, type);
  const kept = filterDatum(a, (key) => !hasKey(diff, key));
  const come = filterDatum(diff, (key, value) => !includesElement(a, key, value));
  return datumUnion(kept, come);
}

/** Throws unless the value holds as many elements as its column may, each within its constraints. */
export function checkDatum(datum: Datum, type: ColumnType): void {
  if (datum.keys.length < type.min || datum.keys.length > type.max) {
    throw constraintViolation(`Attempted to store ${datum.keys.length} elements in ${describeType(type)}.`);
  }
  for (const key of datum.keys) checkAtom(key, type.key);
  if (type.value !== undefined) for (const value of datum.values ?? []) checkAtom(value, type.value);
}
