// Values as people see them: with brackets and quotes, or bare for scripts.
import { type Atom, formatAtom } from './atom.ts';
import { type ColumnType, type Datum, isMapType } from './types.ts';

/** The text of a value: `[a, b]`, `{k=v}`; a lone element without brackets where the column can hold but one. */
export function formatDatum(datum: Datum, type: ColumnType): string {
  const { keys, values } = datum;
  const items = keys.map((key, i) => {
    const text = formatAtom(key, type.key.type);
    return type.value === undefined ? text : `${text}=${formatAtom(values?.[i] as Atom, type.value.type)}`;
  });
  const list = items.join(', ');
  if (type.max === 1 && items.length > 0) return list;
  return isMapType(type) ? `{${list}}` : `[${list}]`;
}

/** The text without brackets and quotes, elements with a space between. */
export function formatDatumBare(datum: Datum, type: ColumnType): string {
  const bare = (atom: Atom, kind: typeof type.key.type): string => (kind === 'string' ? String(atom) : formatAtom(atom, kind));
  return datum.keys
    .map((key, i) => bare(key, type.key.type) + (type.value === undefined ? '' : `=${bare(datum.values?.[i] as Atom, type.value.type)}`))
    .join(' ');
}
