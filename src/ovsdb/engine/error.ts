// An OVSDB error: RFC 7047 section 3.1 `error`, `details`, and the `syntax` that was wrong. As JSON for a client, as a line for a person.
import { strerror } from '../../base/errno.ts';
import { type Json, type JsonObject, jsonObject } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';

export interface OvsdbErrorExtra {
  /** The JSON that was wrong. */
  syntax?: Json | undefined;
  errno?: number;
}

/** Thrown by everything in this room that judges a schema, a value, an operation or a file. */
export class OvsdbError extends Error {
  override readonly name = 'OvsdbError';
  /** The `error` member, e.g. `constraint violation`. */
  readonly tag: string;
  readonly details: string;
  /** Sorted JSON text of what was wrong, or undefined. */
  readonly syntax: string | undefined;
  readonly errno: number;

  constructor(tag: string, details: string, extra: OvsdbErrorExtra = {}) {
    const syntax = extra.syntax === undefined ? undefined : formatJson(extra.syntax, { sort: true });
    const errno = extra.errno ?? 0;
    const where = syntax === undefined ? '' : `syntax "${syntax}": `;
    super(`${where}${tag}${details === '' ? '' : `: ${details}`}${errno === 0 ? '' : ` (${strerror(errno)})`}`);
    this.tag = tag;
    this.details = details;
    this.syntax = syntax;
    this.errno = errno;
  }

  toJson(): JsonObject {
    return jsonObject({
      details: this.details === '' ? undefined : this.details,
      error: this.tag,
      syntax: this.syntax,
      'io-error': this.errno === 0 ? undefined : strerror(this.errno),
    });
  }
}

/** A fault in the shape of some JSON. */
export function syntaxError(syntax: Json | undefined, details: string): OvsdbError {
  return new OvsdbError('syntax error', details, { syntax });
}

export function constraintViolation(details: string): OvsdbError {
  return new OvsdbError('constraint violation', details);
}
