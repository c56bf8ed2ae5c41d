// Words of `key=value`, `key:value` and `key(value)` between commas and blanks, as the reference's commands read them.

/** The pairs of a text; a key alone has the value ''. */
export function* keyValues(text: string): Generator<readonly [key: string, value: string]> {
  const pattern = /[\s,]*([^\s,=:(]+)(?:[=:]([^\s,]*)|\(([^)]*)\)?)?|[\s,]*[=:(][^\s,]*/y;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) yield [found[1] ?? '', found[2] ?? found[3] ?? ''];
}

/** A number that begins a text, cut to its bits as C does. */
export function leadingNumber(text: string, bits: number): number | undefined {
  const found = /^\s*([+-]?)(\d+)/.exec(text);
  if (found === null) return undefined;
  const value = BigInt(found[2]!);
  return Number(BigInt.asUintN(bits, found[1] === '-' ? -value : value));
}

/** A whole number in any base that has no more bits. */
export function wholeNumber(text: string, bits: number): number | undefined {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) return undefined;
  const value = Number(/^0\d/.test(text) ? `0o${text.slice(1)}` : text);
  return value < 2 ** bits ? value : undefined;
}
