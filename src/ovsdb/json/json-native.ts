// JSON of some length by the runtime's own parser, where that gives what ours gives: a tool that reads a schema of 20 kB is done with it before ours would
// be compiled. Short texts are better off with ours, which is twice as quick once it is compiled.
//
// The runtime's own differs in numbers (reals, 64-bit integers, -0), in `\u` escapes, in members whose names are numbers, and has no limit on nesting.
// A text in which any of that may be is left to ours, as is every fault.
import type { Json, JsonObject } from './json.ts';

/** Shorter texts are not worth it, and of longer ones there would be two trees in memory at once. */
const MIN_SIZE = 2048;
const MAX_SIZE = 1 << 20;
/** It may stand in a string as well: that costs nothing but time. */
const DIFFICULT = /[[,:\s]-?(?:\d+[.eE]|\d{16})|[[,:\s]-0|\\u/;

class TooDifficult extends Error {}

/** The value, or undefined when the text is for `parseJson` to judge; `maxDepth` is how far arrays and objects may be nested. */
export function parseNatively(text: string, maxDepth: number): Json | undefined {
  if (text.length < MIN_SIZE || text.length > MAX_SIZE || DIFFICULT.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? mapped(value, maxDepth) : undefined;
  } catch {
    return undefined;
  }
}

/** Objects as maps; arrays are changed where they stand. */
function mapped(value: object, depth: number): Json {
  if (depth <= 0) throw new TooDifficult();
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item === 'object' && item !== null) value[i] = mapped(item, depth - 1);
    }
    return value as Json[];
  }
  const object: JsonObject = new Map();
  for (const name in value) {
    // The runtime puts such names first, wherever they stood.
    if (object.size === 0 && isNumeric(name)) throw new TooDifficult();
    const item: unknown = (value as Record<string, unknown>)[name];
    object.set(name, typeof item === 'object' && item !== null ? mapped(item, depth - 1) : (item as Json));
  }
  return object;
}

function isNumeric(name: string): boolean {
  const c = name.charCodeAt(0);
  return c >= 48 && c <= 57;
}
