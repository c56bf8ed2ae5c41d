// Random OVSDB schemas, as text: every type, constraint and reference, with names and numbers that have bitten.

/** A small generator that gives the same sequence for the same seed. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = Math.imul(seed, 2654435761);
  }
  below(n: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 2246822519) + 0x9e3779b9) | 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 13), 3266489917);
    return ((x ^ (x >>> 16)) >>> 0) % n;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

export type Kind = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

export interface RandomBase {
  readonly kind: Kind;
  /** The values allowed, as JSON text. */
  readonly choices?: readonly string[];
  readonly refTable?: string;
  readonly json: string;
}

export interface RandomColumn {
  readonly name: string;
  readonly key: RandomBase;
  readonly value: RandomBase | undefined;
  readonly min: number;
  readonly max: number | 'unlimited';
  readonly isMutable: boolean;
  readonly isEphemeral: boolean;
  /** Its member of `columns`. */
  readonly text: string;
}

export interface RandomTable {
  readonly name: string;
  readonly columns: readonly RandomColumn[];
  /** Members of its schema beside the columns. */
  readonly members: readonly string[];
}

export interface RandomSchema {
  readonly name: string;
  readonly text: string;
  readonly tables: readonly RandomTable[];
}

const TABLES = ['A', 'B', 'constructor', 'D'];
const COLUMNS = ['c0', 'toString', 'constructor', 'c3', 'hasOwnProperty', 'c5', 'valueOf'];

function randomBase(dice: Dice, tables: readonly string[], isKey: boolean): RandomBase {
  const kind = dice.pick<Kind>(['integer', 'integer', 'real', 'boolean', 'string', 'string', 'uuid', 'uuid']);
  const members = [`"type":"${kind}"`];
  let choices: readonly string[] | undefined;
  let refTable: string | undefined;
  if (kind === 'uuid') {
    if (dice.chance(70)) {
      refTable = dice.pick(tables);
      members.push(`"refTable":"${refTable}"`);
      if (dice.chance(45)) members.push(`"refType":"${dice.pick(['weak', 'weak', 'strong'])}"`);
    }
  } else if (isKey && dice.chance(15)) {
    choices = {
      integer: ['-1', '0', '3', '9007199254740993'],
      real: ['0.5', '-1.25', '1e300'],
      boolean: ['true'],
      string: ['""', '"a"', '"\\u20ac"', '"__proto__"'],
    }[kind];
    members.push(`"enum":["set",[${choices.join(',')}]]`);
  } else if (kind === 'integer' && dice.chance(40)) {
    if (dice.chance(80)) members.push(`"minInteger":${dice.pick(['0', '-5', '-9223372036854775808'])}`);
    if (dice.chance(80)) members.push(`"maxInteger":${dice.pick(['5', '9007199254740993', '9223372036854775807'])}`);
  } else if (kind === 'real' && dice.chance(40)) {
    if (dice.chance(80)) members.push(`"minReal":${dice.pick(['0', '-1.5', '-1e30'])}`);
    if (dice.chance(80)) members.push(`"maxReal":${dice.pick(['5', '2.5', '1e30'])}`);
  } else if (kind === 'string' && dice.chance(40)) {
    if (dice.chance(40)) members.push(`"minLength":${dice.pick(['0', '1'])}`);
    members.push(`"maxLength":${dice.pick(['1', '2', '3'])}`);
  }
  return {
    kind,
    json: `{${members.join(',')}}`,
    ...(choices === undefined ? {} : { choices }),
    ...(refTable === undefined ? {} : { refTable }),
  };
}

function randomColumn(dice: Dice, name: string, tables: readonly string[]): RandomColumn {
  const key = randomBase(dice, tables, true);
  const value = dice.chance(25) ? randomBase(dice, tables, true) : undefined;
  const min = dice.chance(60) ? 0 : 1;
  const max = dice.pick<number | 'unlimited'>([1, 1, 2, 3, 'unlimited', 'unlimited']);
  const isMutable = !dice.chance(8);
  // A reference that must be there and is not kept on disk leaves a log that Debian's server does not take up again.
  const isReference = key.refTable !== undefined || value?.refTable !== undefined;
  const isEphemeral = dice.chance(12) && !(isReference && min > 0);
  return described(dice, { name, key, value, min, max, isMutable, isEphemeral });
}

/** With its text, where defaults may be left out. */
function described(dice: Dice, column: Omit<RandomColumn, 'text'>): RandomColumn {
  const { name, key, value, min, max, isMutable, isEphemeral } = column;
  const type = [`"key":${key.json}`];
  if (value !== undefined) type.push(`"value":${value.json}`);
  if (min !== 1 || dice.chance(50)) type.push(`"min":${min}`);
  if (max !== 1 || dice.chance(50)) type.push(`"max":${max === 'unlimited' ? '"unlimited"' : max}`);
  const members = [`"type":{${type.join(',')}}`];
  if (isEphemeral) members.push('"ephemeral":true');
  if (!isMutable) members.push('"mutable":false');
  return { ...column, text: `"${name}":{${members.join(',')}}` };
}

/** Every table has it, so that whoever makes operations has a column to count on. */
const COUNTED: RandomColumn = {
  name: 'k',
  key: { kind: 'integer', json: '' },
  value: undefined,
  min: 1,
  max: 1,
  isMutable: true,
  isEphemeral: false,
  text: '"k":{"type":"integer"}',
};

function tableMembers(dice: Dice, isRoot: boolean, columns: readonly RandomColumn[]): string[] {
  const members: string[] = [];
  if (isRoot || dice.chance(30)) members.push('"isRoot":true');
  if (dice.chance(25)) members.push(`"maxRows":${dice.pick([1, 4, 8])}`);
  // Of reals -0 and 0 are equal, but the reference's index has each under a hash of its own.
  const lasting = columns
    .filter((column) => !column.isEphemeral && !/real/.test(column.key.kind + column.value?.kind))
    .map(({ name }) => name);
  if (dice.chance(45)) {
    const indexes = [dice.chance(60) ? ['k'] : ['k', dice.pick(lasting)].filter((one, at, all) => all.indexOf(one) === at)];
    if (dice.chance(25)) indexes.push([dice.pick(lasting)]);
    members.push(`"indexes":${JSON.stringify(indexes)}`);
  }
  if (dice.chance(4)) members.push('"mutable":false');
  return members;
}

function schemaOf(name: string, version: string, tables: readonly RandomTable[]): RandomSchema {
  const texts = tables.map(
    ({ name, columns, members }) => `"${name}":{${[`"columns":{${columns.map(({ text }) => text).join(',')}}`, ...members].join(',')}}`,
  );
  return { name, tables, text: `{"name":"${name}","version":"${version}","cksum":"1 2","tables":{${texts.join(',')}}}` };
}

export function randomSchema(dice: Dice, name: string): RandomSchema {
  const names = TABLES.slice(0, 2 + dice.below(3));
  const tables = names.map((table): RandomTable => {
    const columns = [COUNTED, ...COLUMNS.slice(0, 3 + dice.below(5)).map((column) => randomColumn(dice, column, names))];
    return { name: table, columns, members: tableMembers(dice, table === 'A', columns) };
  });
  return schemaOf(name, '1.0.0', tables);
}

/** A column that another version of its table has: much like it, or another one. */
function variedColumn(dice: Dice, column: RandomColumn, tables: readonly string[]): RandomColumn {
  const { refTable } = column.key;
  const isLost = [column.key, column.value].some((base) => base?.refTable !== undefined && !tables.includes(base.refTable));
  if (isLost ? dice.chance(95) : dice.chance(6)) return randomColumn(dice, column.name, tables);
  if (column.name === 'k' || dice.chance(70)) return column;
  switch (dice.below(4)) {
    case 0:
      return described(dice, { ...column, isMutable: !column.isMutable });
    case 1:
      return described(dice, { ...column, max: dice.pick<number | 'unlimited'>([1, 2, 'unlimited', 'unlimited']) });
    case 2:
      return described(dice, { ...column, isEphemeral: !column.isEphemeral && !(refTable !== undefined && column.min > 0) });
    default:
      return described(dice, { ...column, min: 1 - column.min });
  }
}

/** The next version of a schema: tables and columns come, go and change. */
export function variedSchema(dice: Dice, schema: RandomSchema, version: string): RandomSchema {
  const kept = schema.tables.filter(({ name }) => name === 'A' || dice.chance(90));
  const fresh = dice.chance(12) ? TABLES.filter((name) => !schema.tables.some((table) => table.name === name)).slice(0, 1) : [];
  const names = [...kept.map(({ name }) => name), ...fresh];
  const tables = [...kept, ...fresh.map((name): RandomTable => ({ name, columns: [COUNTED], members: [] }))].map((table): RandomTable => {
    const columns = table.columns.filter(({ name }) => name === 'k' || dice.chance(95)).map((column) => variedColumn(dice, column, names));
    const absent = COLUMNS.filter((name) => !columns.some((column) => column.name === name));
    if (absent.length > 0 && (columns.length === 1 || dice.chance(25))) columns.push(randomColumn(dice, dice.pick(absent), names));
    const isOutOfDate = table.members.some((member) => member.includes('indexes'));
    const members = isOutOfDate || dice.chance(15) ? tableMembers(dice, table.name === 'A', columns) : table.members;
    return { name: table.name, columns, members };
  });
  return schemaOf(schema.name, version, tables);
}
