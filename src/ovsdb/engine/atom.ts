// Atoms: RFC 7047 section 5.1 `<atom>`. An integer is exact: a number while that is safe, else a bigint. A UUID is its text in lower case.

import { encodeText, invalidUtf8 } from '../../base/byte-text.ts';
import type { Atom } from '../client/idl.ts';
import type { Json } from '../json/json.ts';
import { compareText, formatJsonString, formatReal } from '../json/json-format.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isId, isInteger } from './object-parser.ts';

export type { Atom } from '../client/idl.ts';

export const ATOMIC_TYPES = ['integer', 'real', 'boolean', 'string', 'uuid'] as const;
export type AtomicType = (typeof ATOMIC_TYPES)[number];

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

/** Whether the text is a whole UUID, in either case. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

export function defaultAtom(type: AtomicType): Atom {
  switch (type) {
    case 'boolean':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    default:
      return 0;
  }
}

/** Orders two atoms of one type. */
export function compareAtoms(a: Atom, b: Atom): number {
  if (a === b) return 0;
  if (typeof a === 'string') return compareText(a, b as string);
  return a < b ? -1 : 1;
}

/** Gives the row that a `named-uuid` of a transaction stands for. */
export type SymbolTable = (name: string) => string;

/** Parses an atom; `symbols` is needed where `["named-uuid", ...]` may stand. */
export function parseAtom(json: Json, type: AtomicType, symbols?: SymbolTable): Atom {
  switch (type) {
    case 'integer':
      if (isInteger(json)) return json;
      throw syntaxError(json, 'expected integer');
    case 'real':
      if (typeof json === 'number' || typeof json === 'bigint') return Number(json);
      throw syntaxError(json, 'expected real');
    case 'boolean':
      if (typeof json === 'boolean') return json;
      throw syntaxError(json, 'expected boolean');
    case 'string':
      if (typeof json === 'string') return wellFormed(json);
      throw syntaxError(json, 'expected string');
    case 'uuid':
      return parseUuidAtom(json, symbols);
  }
}

/** The text, if it is UTF-8. */
export function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  const sequence = [...(invalidUtf8(encodeText(text)) ?? [])].map((byte) => ` 0x${byte.toString(16).padStart(2, '0')}`).join('');
  throw new OvsdbError('constraint violation', `not a valid UTF-8 string: invalid UTF-8 sequence${sequence}`);
}

function parseUuidAtom(json: Json, symbols: SymbolTable | undefined): string {
  if (Array.isArray(json) && json.length === 2 && typeof json[1] === 'string') {
    const [kind, text] = json;
    if (kind === 'uuid') {
      if (isUuid(text)) return text.toLowerCase();
      throw syntaxError(json, `"${text}" is not a valid UUID`);
    }
    if (kind === 'named-uuid' && symbols !== undefined) {
      if (!isId(text)) throw syntaxError(json, 'named-uuid string is not a valid <id>');
      return symbols(text);
    }
  }
  throw syntaxError(json, 'expected ["uuid", <string>]');
}

export function atomToJson(atom: Atom, type: AtomicType): Json {
  return type === 'uuid' ? ['uuid', atom as string] : atom;
}

/** An atom as `ovs-vsctl` prints it: a string in quotes unless it is a plain word that is no other kind of atom. */
export function formatAtom(atom: Atom, type: AtomicType): string {
  if (type === 'real') return formatReal(atom as number);
  if (type === 'string') return needsQuotes(atom as string) ? formatJsonString(atom as string) : (atom as string);
  return String(atom);
}

function needsQuotes(text: string): boolean {
  if (!/^[A-Za-z_][-A-Za-z0-9_.]*$/.test(text)) return true;
  return text === 'true' || text === 'false' || isUuid(text);
}

export function noTag(details: string): OvsdbError {
  return new OvsdbError('ovsdb error', details);
}
