// Tables with a column of each type, and rows of values that are hard to print: control bytes, quotes, words that look like other values, long numbers.
import type { Dice } from './ovsdb-random-schema.ts';

const TYPES = ['integer', 'real', 'boolean', 'string', 'uuid'] as const;
type Kind = (typeof TYPES)[number];

export interface OutputColumn {
  readonly name: string;
  readonly key: Kind;
  readonly value: Kind | undefined;
  readonly min: number;
  readonly max: number;
}

/** Sets and maps of every type, in a table of `count` columns. */
export function outputColumns(dice: Dice, count: number): OutputColumn[] {
  return Array.from({ length: count }, (_, at) => {
    const max = dice.pick([1, 1, 3, 1000]);
    const name = `${dice.pick(['c', 'a_rather_long_name_of_a_column', 'X', 'name', 'Zz_9'])}${at}`;
    return { name, key: dice.pick(TYPES), value: dice.chance(30) ? dice.pick(TYPES) : undefined, min: dice.below(2), max };
  });
}

export function outputSchema(columns: readonly OutputColumn[]): string {
  const members = columns.map(({ name, key, value, min, max }) => [name, { type: { key, ...(value && { value }), min, max } }]);
  return JSON.stringify({ name: 'Out', version: '1.0.0', tables: { T: { columns: Object.fromEntries(members), isRoot: true } } });
}

const ALPHABETS: readonly string[] = [
  'abcXYZ019_-.',
  ' \t\n\r\b\f\v\u0001\u001b\u001f\u007f',
  '"\'\\/,;:{}[]()<>&=!@#%~`|?*$^+',
  '\u0080\u009f\u00a0é\u0301ß\u20ac\u2028\u2029\ufeff\ufffd\uffff',
  '😀\u{10ffff}\u{1d11e}',
];
const WORDS = [
  '',
  ' ',
  'true',
  'false',
  '[]',
  '{}',
  '0',
  '-1',
  '1.5',
  'null',
  '__proto__',
  '_uuid',
  'a b',
  '_x',
  '9lives',
  'x-y',
  'x.y',
  'a:b',
  'a=b',
  '\\',
  '"',
  '""',
];
const uuid = (dice: Dice): string =>
  `1${dice.below(0x1000000).toString(16).padStart(7, '0')}-1111-4111-8111-${dice.below(0x10000000).toString(16).padStart(12, '0')}`;

/** A text that is hard to print. */
export function hardText(dice: Dice): string {
  if (dice.chance(30)) return dice.pick(WORDS);
  if (dice.chance(6)) return `${dice.pick(['', 'x', ' '])}${uuid(dice)}${dice.pick(['', '0', ' y', ','])}`;
  const own = dice.chance(50) ? [dice.pick(ALPHABETS)] : ALPHABETS;
  return Array.from({ length: dice.below(dice.chance(10) ? 60 : 8) }, () => dice.pick([...dice.pick(own)])).join('');
}

const bits = new DataView(new ArrayBuffer(8));
const draw = (dice: Dice): void => {
  bits.setUint32(0, dice.below(0x100000000));
  bits.setUint32(4, dice.below(0x100000000));
};

function integerText(dice: Dice): string {
  draw(dice);
  if (dice.chance(40)) return String(dice.below(4000) - 2000);
  const shift = BigInt(dice.below(64));
  return String(bits.getBigInt64(0) >> shift);
}

function realText(dice: Dice): string {
  if (dice.chance(15))
    return dice.pick(['0', '-0.0', '1e15', '1e16', '123456789012345678', '9007199254740993', '1e-5', '5e-324', '1e-300']);
  if (dice.chance(40)) return String((dice.below(2_000_000) - 1_000_000) / dice.pick([1, 2, 3, 10, 1000, 1024]));
  if (dice.chance(30)) return `${dice.below(100000)}.${dice.below(1000000)}e${dice.below(40) - 20}`;
  for (;;) {
    draw(dice);
    const real = bits.getFloat64(0);
    // What the reference prints of the very largest it cannot read again.
    if (Number.isFinite(real) && Math.abs(real) < 1e308) return String(real);
  }
}

function atom(dice: Dice, kind: Kind): string {
  if (kind === 'integer') return integerText(dice);
  if (kind === 'real') return realText(dice);
  if (kind === 'boolean') return String(dice.chance(50));
  return kind === 'uuid' ? `["uuid","${uuid(dice)}"]` : JSON.stringify(hardText(dice));
}

/** Atoms that differ; reals that differ in their text too. */
function atoms(dice: Dice, kind: Kind, least: number, most: number): string[] {
  const wanted = least + dice.below(Math.min(most, dice.chance(5) ? 30 : 4) - least + 1);
  const list = new Map<string, string>();
  for (let tries = 0; tries < 60 && list.size < wanted; tries++) {
    const text = atom(dice, kind);
    const same = kind === 'real' ? Number(text).toPrecision(12) : text;
    if (same !== '-0.00000000000') list.set(Number(text) === 0 ? '0' : same, text);
  }
  return [...list.values()];
}

export function valueText(dice: Dice, { key, value, min, max }: Omit<OutputColumn, 'name'>): string {
  const keys = atoms(dice, key, min, max);
  if (value !== undefined) return `["map",[${keys.map((one) => `[${one},${atom(dice, value)}]`).join(',')}]]`;
  return keys.length === 1 ? (keys[0] as string) : `["set",[${keys.join(',')}]]`;
}

export function insertRows(dice: Dice, columns: readonly OutputColumn[], count: number): string {
  const rows = Array.from({ length: count }, () => {
    const given = columns.filter(() => dice.chance(85)).map((column) => `"${column.name}":${valueText(dice, column)}`);
    return `{"op":"insert","table":"T","uuid":"${uuid(dice)}","row":{${given.join(',')}}}`;
  });
  return `["Out",${rows.join(',')}]`;
}
