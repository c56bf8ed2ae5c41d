// The grammar under all flow text: words with values, `key`, `key=value`, `key:value`, `key(value)` and `key(a)->b`, between commas or
// blanks. Parentheses and brackets inside a value hold their commas together.

export interface KeyValue {
  key: string;
  /** What follows `=` or `:`, or stands in parentheses; undefined when there is nothing. */
  value: string | undefined;
  /** What follows `->` after a closing parenthesis. */
  after: string | undefined;
  /** `(`, `:`, `=` or ''. */
  mark: string;
}

const isSeparator = (c: string): boolean => c === ',' || c === ' ' || c === '\t' || c === '\r' || c === '\n';

/** Cuts text into words with their values. */
export function splitKeyValues(text: string): KeyValue[] {
  const found: KeyValue[] = [];
  let at = 0;
  while (at < text.length) {
    while (at < text.length && isSeparator(text.charAt(at))) at++;
    if (at >= text.length) break;
    const start = at;
    while (at < text.length && !isSeparator(text.charAt(at)) && !':=('.includes(text.charAt(at))) at++;
    const key = text.slice(start, at);
    const mark = text.charAt(at);
    if (mark === '(') {
      const end = closing(text, at);
      const value = text.slice(at + 1, end);
      at = end + 1;
      let after: string | undefined;
      if (text.startsWith('->', at)) {
        const from = at + 2;
        at = valueEnd(text, from);
        after = text.slice(from, at);
      }
      found.push({ key, value, after, mark });
    } else if (mark === ':' || mark === '=') {
      const from = at + 1;
      at = valueEnd(text, from);
      found.push({ key, value: text.slice(from, at), after: undefined, mark });
    } else {
      found.push({ key, value: undefined, after: undefined, mark: '' });
    }
  }
  return found;
}

/** Where a value ends: at the next separator outside parentheses and brackets. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === '(') depth++;
    else if (c === ')' && depth > 0) depth--;
    else if (depth === 0 && isSeparator(c)) break;
  }
  return at;
}

function closing(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return at;
  }
  return text.length;
}

/** Cuts a list at commas outside parentheses, without looking into the parts. */
export function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
