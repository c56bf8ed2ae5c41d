// Reads the members of a JSON object, and says what is wrong with the first that is missing, mistyped or unexpected in the words of the reference.

import { hashOrder } from '../../base/hash-order.ts';
import type { Json, JsonObject } from '../json/json.ts';
import { syntaxError } from './error.ts';

export type MemberKind =
  | 'null'
  | 'false'
  | 'true'
  | 'boolean'
  | 'integer'
  | 'real'
  | 'number'
  | 'string'
  | 'id'
  | 'array'
  | 'object'
  | 'any';

/** RFC 7047 section 3.1 `<id>`. */
export function isId(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** Whether a number stands for an OVSDB integer. */
export function isInteger(value: Json | undefined): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function isKind(value: Json, kind: MemberKind): boolean {
  switch (kind) {
    case 'any':
      return true;
    case 'null':
      return value === null;
    case 'true':
    case 'false':
      return value === (kind === 'true');
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return isInteger(value);
    case 'real':
      return typeof value === 'number' && !isInteger(value);
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint';
    case 'string':
      return typeof value === 'string';
    case 'id':
      return typeof value === 'string' && isId(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return value instanceof Map;
  }
}

export class ObjectParser {
  readonly #name: string | (() => string);
  readonly #object: JsonObject;
  /** Members asked for and found; their names, for the message when there are more. */
  readonly #used: string[] = [];

  /** `name` is what is being parsed, as an error shall call it. */
  constructor(json: Json, name: string | (() => string)) {
    this.#name = name;
    if (!(json instanceof Map)) throw syntaxError(undefined, `Parsing ${this.#title()} failed: Object expected.`);
    this.#object = json;
  }

  #title(): string {
    return typeof this.#name === 'string' ? this.#name : this.#name();
  }

  fail(message: string): never {
    throw syntaxError(this.#object, `Parsing ${this.#title()} failed: ${message}`);
  }

  /** A member of one of the kinds; it must be there. */
  required(name: string, kind: MemberKind, other?: MemberKind): Json {
    const value = this.optional(name, kind, other);
    if (value === undefined) this.fail(`Required '${name}' member is missing.`);
    return value;
  }

  optional(name: string, kind: MemberKind, other?: MemberKind): Json | undefined {
    const value = this.#object.get(name);
    if (value === undefined) return undefined;
    if (!this.#used.includes(name)) this.#used.push(name);
    if (!isKind(value, kind) && (other === undefined || !isKind(value, other))) this.fail(`Type mismatch for member '${name}'.`);
    return value;
  }

  /** All members must have been asked for. */
  finish(): void {
    const more = this.#object.size - this.#used.length;
    if (more === 0) return;
    for (const name of hashOrder([...this.#object.keys()])) {
      if (this.#used.includes(name)) continue;
      if (more === 1) this.fail(`Member '${name}' is present but not allowed here.`);
      this.fail(`Member '${name}' and ${more - 1} other member${more === 2 ? '' : 's'} are present but not allowed here.`);
    }
  }
}
