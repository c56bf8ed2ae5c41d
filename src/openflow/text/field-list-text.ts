// Sets of fields as text: what begins alike is written once, `eth_{src,dst} reg0...reg15`, as the reference writes it.
import type { Field } from '../../flow/fields.ts';

const numbered = /^(.*?)(\d+)$/;

/** How many names from `start` on differ from the one before by one in a number at the end alone. */
function runLength(names: readonly string[], start: number): number {
  const [, stem, digits] = numbered.exec(names[start] ?? '') ?? [];
  let end = start + 1;
  if (stem !== undefined) while (names[end] === `${stem}${Number(digits) + end - start}`) end++;
  return end - start;
}

/** The longest beginning that two names share and that ends in `_`. */
function commonPrefix(a: string, b: string): string {
  let size = 0;
  while (size < a.length && a[size] === b[size]) size++;
  return a.slice(0, a.lastIndexOf('_', size - 1) + 1);
}

/**
 * Names that share what stands before their first `_` stand together, unless three or more are one run of numbers. What is written once is what
 * the first two of them share, and as much is cut from the others, be it of another beginning.
 */
function foldNames(names: readonly string[], between: string): string {
  const parts: string[] = [];
  for (let i = 0; i < names.length; ) {
    const first = names[i] ?? '';
    const shared = first.slice(0, first.indexOf('_') + 1);
    let end = i + 1;
    if (shared !== '') while (names[end]?.startsWith(shared) === true) end++;
    const run = runLength(names, i);
    if (run > 2 && i + run >= end) {
      parts.push(`${first}...${names[i + run - 1]}`);
      i += run;
      continue;
    }
    if (end - i > 1) {
      const prefix = commonPrefix(first, names[i + 1] ?? '');
      parts.push(
        `${prefix}{${foldNames(
          names.slice(i, end).map((name) => name.slice(prefix.length)),
          ',',
        )}}`,
      );
    } else parts.push(first);
    i = end;
  }
  return parts.join(between);
}

/** Fields in their order as one text. */
export const formatFields = (fields: readonly Field[]): string =>
  foldNames(
    fields.map(({ name }) => name),
    ' ',
  );
