// Sets of fields as text: what begins alike is written once, `eth_{src,dst} reg0...reg15`.
import type { Field } from '../../flow/fields.ts';

const numbered = /^(.*?)(\d+)$/;

/** Runs of names that differ in a number alone become `first...last`. */
function foldNumbers(names: readonly string[]): string[] {
  const folded: string[] = [];
  for (let i = 0; i < names.length; ) {
    const first = names[i] ?? '';
    const [, stem, digits] = numbered.exec(first) ?? [];
    let end = i + 1;
    if (stem !== undefined) while (names[end] === `${stem}${Number(digits) + end - i}`) end++;
    folded.push(end - i > 1 ? `${first}...${names[end - 1]}` : first);
    i = end;
  }
  return folded;
}

/** Names that share what stands before their first `_` stand together. */
function foldNames(names: readonly string[], between: string): string {
  const parts: string[] = [];
  for (let i = 0; i < names.length; ) {
    const first = names[i] ?? '';
    const prefix = first.slice(0, first.indexOf('_') + 1);
    let end = i + 1;
    if (prefix !== '') while (end < names.length && names[end]?.startsWith(prefix)) end++;
    if (end - i > 1)
      parts.push(
        `${prefix}{${foldNames(
          names.slice(i, end).map((name) => name.slice(prefix.length)),
          ',',
        )}}`,
      );
    else parts.push(first);
    i = end;
  }
  return foldNumbers(parts).join(between);
}

/** Fields in their order as one text. */
export const formatFields = (fields: readonly Field[]): string =>
  foldNames(
    fields.map(({ name }) => name),
    ' ',
  );
