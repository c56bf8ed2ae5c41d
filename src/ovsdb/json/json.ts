// JSON as OVSDB needs it: exact 64-bit integers, members in a Map (so that `__proto__` is data), a nesting limit, the reference's error text.
//
// A number without fraction that fits 64 bits is an integer: a JavaScript number while that is exact, else a bigint. All else is a real.
// `parseJson` in json-text.ts takes text; `JsonStream` in json-stream.ts cuts a byte stream into texts.

export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

/** A text that is no JSON; the message is the reference's, with its position. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  /** The text ended too early: more of it might have been right. */
  readonly isIncomplete: boolean;
  constructor(message: string, isIncomplete: boolean) {
    super(message);
    this.isIncomplete = isIncomplete;
  }
}

/** Arrays and objects inside one another, at most. */
export const MAX_JSON_DEPTH = 1000;

export const MIN_INTEGER = -(2n ** 63n);
export const MAX_INTEGER = 2n ** 63n - 1n;

/** An integer as OVSDB holds it: a number while exact, else a bigint. */
export function exactInteger(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** A JSON object from pairs. */
export function jsonObject(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const object: JsonObject = new Map();
  for (const [name, value] of Object.entries(members)) if (value !== undefined) object.set(name, value);
  return object;
}

/** The value as an object, or undefined. */
export function asObject(value: Json | undefined): JsonObject | undefined {
  return value instanceof Map ? value : undefined;
}
