// A column's value straight as JSON text: the same as formatJson(datumToJson(...)), without the values between. Logs, replies and updates are made of it.
import { formatJsonString, formatReal, JsonReal, type PrintableJson } from '../json/json-format.ts';
import { type Atom, type AtomicType, atomToJson } from './atom.ts';
import type { ColumnType, Datum } from './types.ts';

function atomText(atom: Atom, type: AtomicType): string {
  switch (type) {
    case 'uuid':
      return `["uuid","${atom as string}"]`;
    case 'string':
      return formatJsonString(atom as string);
    case 'real':
      return formatReal(atom as number);
    default:
      return String(atom);
  }
}

/** A value for `formatJson`, with reals that are printed as such. */
export function printableDatum({ keys, values }: Datum, type: ColumnType): PrintableJson {
  const printable = (atom: Atom, kind: AtomicType): PrintableJson =>
    kind === 'real' ? new JsonReal(atom as number) : atomToJson(atom, kind);
  const atoms = keys.map((atom) => printable(atom, type.key.type));
  const { value } = type;
  if (value !== undefined) return ['map', atoms.map((atom, i) => [atom, printable(values?.[i] as Atom, value.type)])];
  return atoms.length === 1 ? (atoms[0] as PrintableJson) : ['set', atoms];
}

/** The text with that of a value behind it. */
export function appendDatum(text: string, { keys, values }: Datum, type: ColumnType): string {
  const keyType = type.key.type;
  let out = text;
  if (type.value !== undefined) {
    const valueType = type.value.type;
    out += '["map",[';
    for (let i = 0; i < keys.length; i++) {
      out += `${i === 0 ? '[' : ',['}${atomText(keys[i] as Atom, keyType)},${atomText(values?.[i] as Atom, valueType)}]`;
    }
    return `${out}]]`;
  }
  if (keys.length === 1) return out + atomText(keys[0] as Atom, keyType);
  out += '["set",[';
  for (let i = 0; i < keys.length; i++) out += (i === 0 ? '' : ',') + atomText(keys[i] as Atom, keyType);
  return `${out}]]`;
}
