// Every field in every place where text may name it: matches, and the actions that set, load, move, push, pop, learn, choose by or drop it.
// Enumerated from the field table, so that a new row is compared in all of its forms without being asked for.
import { FIELDS, type Field, tunFieldIndex } from '../../src/flow/fields.ts';
import { prerequisite, valueText } from './flow-lines.ts';
import type { Dice } from './random.ts';

/** Options are alike: a few of them stand for all. */
const SOME_OPTIONS = 2;
const CHOSEN = FIELDS.filter((field) => tunFieldIndex(field) < SOME_OPTIONS);

const namesOf = (field: Field): string[] => [
  field.name,
  ...(field.alias === undefined ? [] : [field.alias]),
  ...field.codes.map(({ label }) => label),
];

/** A subfield: whole, or a part. */
function part(d: Dice, name: string, bits: number): { text: string; bits: number } {
  if (d.chance(1, 2)) return { text: `${name}[]`, bits };
  const start = d.below(bits);
  const end = start + d.below(Math.min(bits - start, 32));
  return { text: start === end && d.chance(1, 2) ? `${name}[${start}]` : `${name}[${start}..${end}]`, bits: end - start + 1 };
}

/** A part of a register, as wide as that. */
const register = (bits: number): string =>
  bits <= 32 ? `NXM_NX_REG0[0..${bits - 1}]` : bits <= 64 ? `NXM_NX_XREG0[0..${bits - 1}]` : `NXM_NX_XXREG0[0..${bits - 1}]`;

const FORMS: readonly ((d: Dice, field: Field, name: string) => string)[] = [
  (d, field, name) => `set_field:${valueText(d, field)}->${name}`,
  (d, field, name) => `set_field:${valueText(d, field)}->${name}`,
  (d, field, name) => {
    const { text, bits } = part(d, name, field.bits);
    return `load:0x${d.bits(Math.min(64, bits)).toString(16)}->${text}`;
  },
  (d, field, name) => {
    const { text, bits } = part(d, name, field.bits);
    return d.chance(1, 2) ? `move:${text}->${register(bits)}` : `move:${register(bits)}->${text}`;
  },
  (d, field, name) => `push:${part(d, name, field.bits).text},pop:${part(d, name, field.bits).text}`,
  (d, field, name) => `output:${part(d, name, field.bits).text}`,
  (d, field, name) => `multipath(eth_src,50,modulo_n,2,0,${part(d, name, field.bits).text})`,
  (d, field, name) => `bundle_load(eth_src,50,hrw,ofport,${part(d, name, field.bits).text},members:1,2)`,
  (d, field, name) => `learn(table=1,${d.chance(1, 2) ? `${name}=${valueText(d, field)}` : `${name}[]`})`,
  (d, field, name) => {
    const { text, bits } = part(d, name, field.bits);
    return `learn(table=1,${d.pick([`load:${text}->${register(bits)}`, `load:${register(bits)}->${text}`, `load:1->${text}`, `output:${text}`, `${text}=${register(bits)}`, `${register(bits)}=${text}`])})`;
  },
  (d, field, name) => `check_pkt_larger(100)->${part(d, name, field.bits).text}`,
  (_, __, name) => `delete_field:${name}`,
  (d, field, name) => `ct(zone=${part(d, name, field.bits).text})`,
  (d, field, name) => `ct(commit,exec(set_field:${valueText(d, field)}->${name}))`,
];

/** A match on a part of a field, or two. */
function matched(d: Dice, field: Field, name: string): string {
  const one = (): string => {
    const { text, bits } = part(d, name, field.bits);
    return `${text}=${d.chance(1, 2) ? '0x' : ''}${d.bits(Math.min(bits + (d.chance(1, 8) ? 1 : 0), 50)).toString(10)}`;
  };
  return d.chance(1, 3) ? `${one()},${one()}` : one();
}

const WRAPPERS = ['', '', '', 'write_actions', 'clone'];

/** One flow with one field in one form. */
export function fieldForm(d: Dice): string {
  const field = d.pick(CHOSEN);
  const name = d.pick(namesOf(field));
  const needs = prerequisite(d, field);
  const head = needs === '' ? '' : `${needs},`;
  if (d.chance(1, 4)) return `${head}${name}=${valueText(d, field)},actions=drop`;
  if (d.chance(1, 10)) return `${head}${matched(d, field, name)},actions=drop`;
  const action = d.pick(FORMS)(d, field, name);
  const wrapper = d.pick(WRAPPERS);
  return `${head}actions=${wrapper === '' ? action : `${wrapper}(${action})`}`;
}
