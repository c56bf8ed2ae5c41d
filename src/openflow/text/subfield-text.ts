// Parts of fields in actions: `NXM_NX_REG0[0..5]`, `NXM_OF_ETH_SRC[]`, `reg0[3]`. Facts: ovs-actions(7), "Field Specifications".
import { ConfigError } from '../../base/errors.ts';
import type { Field } from '../../flow/fields.ts';
import { fieldNamed, partBits } from '../../flow/fields.ts';
import type { Subfield } from '../action.ts';
import { codeFor, fieldByLabel } from '../codec/fields/oxm-table.ts';
import { scanned } from './number-text.ts';

/** The field of a label or a name. */
export const fieldOfText = (text: string): Field | undefined => fieldByLabel(text)?.field ?? fieldNamed(text);

/** Reads a subfield from the front; gives what is left too. Throws ConfigError. */
export function parseSubfieldPart(text: string): { subfield: Subfield; rest: string } {
  const m = /^([^[-]*)(\[[^\]]*\])?/.exec(text);
  const name = m?.[1] ?? '';
  const brackets = m?.[2];
  const whole = text;
  const field = fieldOfText(name);
  if (field === undefined) throw new ConfigError(`${whole}: unknown field \`${name}'`);
  const rest = text.slice((m?.[0] ?? '').length);
  if (brackets === undefined && rest.startsWith('[')) {
    throw new ConfigError(`${whole}: syntax error expecting [] or [<bit>] or [<start>..<end>]`);
  }
  const range = brackets?.slice(1, -1) ?? '';
  if (range === '') return { subfield: { field, offset: 0, bits: partBits(field) }, rest };
  const r = /^\s*([+-]?\d+)(?:\.\.\s*([+-]?\d+))?$/.exec(range);
  if (r === null) throw new ConfigError(`${whole}: syntax error expecting [] or [<bit>] or [<start>..<end>]`);
  const first = scanned(r[1] ?? '');
  const last = r[2] === undefined ? first : scanned(r[2]);
  if (first > last) throw new ConfigError(`${whole}: starting bit ${first} is after ending bit ${last}`);
  if (first < 0 || first >= partBits(field))
    throw new ConfigError(`${whole}: starting bit ${first} is not valid because field is only ${partBits(field)} bits wide`);
  if (last >= partBits(field))
    throw new ConfigError(`${whole}: ending bit ${last} is not valid because field is only ${partBits(field)} bits wide`);
  return { subfield: { field, offset: first, bits: last - first + 1 }, rest };
}

/** Reads a subfield that is all of a text. */
export function parseSubfield(text: string): Subfield {
  const { subfield, rest } = parseSubfieldPart(text);
  if (rest !== '') throw new ConfigError('unexpected input following field syntax');
  return subfield;
}

/** The label of a field, by its NXM code where it has one. */
export const fieldLabel = (field: Field): string => codeFor(field, 1)?.label ?? field.name;

/** Writes a subfield. */
export function formatSubfield({ field, offset, bits }: Subfield): string {
  const label = fieldLabel(field);
  if (offset === 0 && bits === partBits(field)) return `${label}[]`;
  if (bits === 1) return `${label}[${offset}]`;
  return `${label}[${offset}..${offset + bits - 1}]`;
}
