// The grammar under all flow text: words with values, `key`, `key=value`, `key:value`, `key(value)` and `key(a)->b`, between commas or
// blanks. Parentheses and brackets inside a value hold their commas together.

export interface KeyValue {
  key: string;
  /** What follows `=` or `:`, or stands in parentheses, with `)->` and what follows that; undefined when there is nothing. */
  value: string | undefined;
  /** `(`, `:`, `=` or ''. */
  mark: string;
  /** Where the text goes on behind the word and the separator that ended it. */
  end: number;
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
      const from = at + 1;
      at = end + 1;
      if (text.startsWith('->', at)) {
        at = valueEnd(text, at + 2);
        found.push({ key, value: text.slice(from, at), mark, end: at + 1 });
      } else found.push({ key, value, mark, end: at });
    } else if (mark === ':' || mark === '=') {
      const from = at + 1;
      at = valueEnd(text, from);
      found.push({ key, value: text.slice(from, at), mark, end: at + 1 });
    } else {
      found.push({ key, value: undefined, mark: '', end: at + 1 });
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

/** Cuts the word of a command off the front of a text; the word may be short, and the first command that begins so is meant. */
export function cutCommandWord<T extends string>(text: string, commands: readonly T[]): { command: T; text: string } | undefined {
  const [, word = '', rest = ''] = /^[ \t\r\n]*([^, \t\r\n]*)(.*)$/s.exec(text) ?? [];
  const command = word === '' ? undefined : commands.find((name) => name.startsWith(word));
  return command === undefined ? undefined : { command, text: rest };
}
