// Escapes in JSON strings.
import { byteText } from '../../base/byte-text.ts';

type Fail = (message: string) => never;

const simpleEscapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** The text of a string's inside as it stands between the quotes; `fail` is told of the first fault. */
export function unescapeText(raw: string, fail: Fail): string {
  let out = '';
  for (let i = 0; i < raw.length; ) {
    const slash = raw.indexOf('\\', i);
    if (slash < 0) return out + raw.slice(i);
    out += raw.slice(i, slash);
    const c = raw.charAt(slash + 1);
    i = slash + 2;
    const simple = simpleEscapes.get(c);
    if (simple !== undefined) {
      out += simple;
    } else if (c === 'u') {
      const [text, next] = unicodeEscape(raw, i, fail);
      out += text;
      i = next;
    } else {
      fail(`bad escape \\${c}`);
    }
  }
  return out;
}

/** The text of an escape whose digits stand at `at`, and the place behind it. */
function unicodeEscape(raw: string, at: number, fail: Fail): [string, number] {
  const unit = hexUnit(raw, at, fail);
  if (unit < 0xd800 || unit > 0xdbff) {
    if (unit === 0) fail('null bytes not supported in quoted strings');
    // A trailing half by itself is let through, as the reference does: as three bytes, which are no UTF-8.
    if (unit >= 0xdc00 && unit <= 0xdfff) return [byteText(0xed, 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)), at + 4];
    return [String.fromCharCode(unit), at + 4];
  }
  const low = raw.slice(at + 4, at + 6) === '\\u' ? hexUnit(raw, at + 6, fail) : -1;
  if (low < 0) fail('malformed escaped surrogate pair');
  if (low < 0xdc00 || low > 0xdfff) fail('second half of escaped surrogate pair is not trailing surrogate');
  return [String.fromCharCode(unit, low), at + 10];
}

function hexUnit(raw: string, at: number, fail: Fail): number {
  const digits = raw.slice(at, at + 4);
  if (digits.length < 4) fail('quoted string ends within \\u escape');
  if (!/^[0-9a-f]{4}$/i.test(digits)) fail('malformed \\u escape');
  return Number.parseInt(digits, 16);
}
