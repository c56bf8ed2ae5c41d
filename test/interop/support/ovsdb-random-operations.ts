// Random operations on a random schema, as text: sound for the most part, so that rows come to be, and damaged now and then.
import type { Dice, Kind, RandomBase, RandomColumn, RandomSchema, RandomTable } from './ovsdb-random-schema.ts';

const INTEGERS =
  '-1 7 6 9223372036854775807 -9223372036854775808 9223372036854775808 9007199254740993 4294967296 1e3 10.0 1.5e1 -0 0.0 2.5 12345678901234567890'.split(
    ' ',
  );
const REALS =
  '0 -0.0 0.1 1.0 0.5 1e300 2.3e-308 123456789.125 0.30000000000000004 1e15 1e16 1e17 123456789012345678 3.0e0 -1.25 2.5 100 9223372036854775807 1e-7 1.7976931348623157e308 0.1e-5 33.333333333333336'.split(
    ' ',
  );
const STRINGS = [
  '',
  'a',
  'b',
  'ab',
  'abc',
  'x y',
  '\u20ac',
  '\u{1f600}',
  '\u0001\t\n',
  '"q"\\',
  '/',
  '__proto__',
  'constructor',
  '\u007f',
  'e\u0301',
];

export class OperationGenerator {
  readonly dice: Dice;
  #schema: RandomSchema;
  readonly #uuids = new Map<string, string[]>();
  #names: [name: string, table: string][] = [];
  #next = 0;

  constructor(dice: Dice, schema: RandomSchema) {
    this.dice = dice;
    this.#schema = schema;
    for (const { name } of schema.tables) this.#uuids.set(name, []);
  }

  /** The database has another schema now; its rows are known still. */
  converted(schema: RandomSchema): void {
    this.#schema = schema;
    for (const { name } of schema.tables) if (!this.#uuids.has(name)) this.#uuids.set(name, []);
  }

  #uuid(table: string | undefined): string {
    const { dice } = this;
    const known = this.#uuids.get(table ?? dice.pick(this.#schema.tables).name) ?? [];
    if (dice.chance(1)) return dice.pick(['["uuid","x"]', '["uuid"]', '["uuid",1]', '"x"', '["named-uuid",1]', '["named-uuid","1"]']);
    if (dice.chance(12) && this.#names.length > 0) {
      const fit = this.#names.filter(([, of]) => table === undefined || of === table || dice.chance(5));
      if (fit.length > 0) return `["named-uuid","${dice.pick(fit)[0]}"]`;
    }
    if (dice.chance(1)) return '["named-uuid","nosuch"]';
    if (known.length > 0 && dice.chance(94)) return `["uuid","${dice.pick(known.slice(-12))}"]`;
    return `["uuid","00000000-0000-4000-8000-${String(dice.below(4)).padStart(12, '0')}"]`;
  }

  #atom(base: RandomBase): string {
    const { dice } = this;
    if (base.choices !== undefined && dice.chance(95)) return dice.pick(base.choices);
    const kind = dice.chance(1) ? dice.pick<Kind>(['integer', 'string', 'boolean', 'real', 'uuid']) : base.kind;
    switch (kind) {
      case 'integer':
        return dice.chance(10) ? dice.pick(INTEGERS) : String(dice.below(6));
      case 'real':
        return dice.chance(60) ? dice.pick(['0', '0.5', '1.5', '2', '2.25']) : dice.pick(REALS);
      case 'boolean':
        return String(dice.chance(50));
      case 'uuid':
        return this.#uuid(base.refTable);
      default:
        return dice.chance(50) ? JSON.stringify(dice.pick(['a', 'b', 'ab'])) : JSON.stringify(dice.pick(STRINGS));
    }
  }

  /** Atoms that differ, unless by a fault. */
  #atoms(base: RandomBase, length: number): string[] {
    const list: string[] = [];
    for (let tries = 0; list.length < length && tries < 12; tries++) {
      const atom = this.#atom(base);
      if (!list.includes(atom) || this.dice.chance(2)) list.push(atom);
    }
    return list;
  }

  /** `use`: what it is for decides how many elements it may have. */
  value(column: RandomColumn, use: 'column' | 'part' | 'mutation' = 'column'): string {
    const { dice } = this;
    if (dice.below(300) === 0)
      return dice.pick(['null', '{}', '[]', '["set"]', '["map",[]]', '["set",{}]', '["map",[[1]]]', '["set",[["set",[]]]]']);
    const most = column.max === 'unlimited' ? 4 : column.max;
    const least = use === 'column' || (most === 1 && column.value === undefined) ? column.min : 0;
    const length = dice.chance(1) ? dice.below(5) : least + dice.below(most - least + 1);
    const { value } = column;
    if (value !== undefined) {
      return `["map",[${this.#atoms(column.key, length)
        .map((key) => `[${key},${this.#atom(value)}]`)
        .join(',')}]]`;
    }
    if (length === 1 && dice.chance(85)) return this.#atom(column.key);
    return `["set",[${this.#atoms(column.key, length).join(',')}]]`;
  }

  #row(table: RandomTable, isInsert: boolean): string {
    const { dice } = this;
    const members = new Map<string, string>();
    const columns = table.columns.filter((column) => isInsert || column.isMutable || dice.chance(2));
    for (let i = dice.below(isInsert ? 5 : 3); i > 0; i--) {
      const column = dice.pick(columns);
      members.set(column.name, this.value(column));
    }
    // Columns whose default is not allowed, or that must name a row, are given one.
    if (isInsert && dice.chance(95)) {
      for (const column of table.columns) {
        const needs =
          column.min === 1 &&
          (column.key.refTable !== undefined || column.value?.refTable !== undefined || column.key.choices !== undefined);
        if ((needs || column.key.json.includes('Length":1') || column.value?.choices !== undefined) && !members.has(column.name))
          members.set(column.name, this.value(column));
      }
    }
    if (isInsert && dice.chance(92)) members.set('k', String(this.#next++ % 24));
    if (dice.chance(1)) members.set(dice.pick(['nosuch', '_uuid', '_version', '__proto__', '']), '1');
    return `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
  }

  #clause(table: RandomTable): string {
    const { dice } = this;
    if (dice.chance(6))
      return dice.pick(['true', 'false', 'true', 'false', 'true', '["nosuch","==",1]', '["k","~",1]', '["k","=="]', '1', '["k",1,1]']);
    if (dice.chance(35))
      return `["_uuid","${dice.pick(['==', '==', '==', '!=', 'includes', 'excludes', dice.chance(10) ? '<' : '=='])}",${this.#uuid(table.name)}]`;
    const column = dice.pick(table.columns);
    const isScalar = column.value === undefined && column.max === 1 && (column.key.kind === 'integer' || column.key.kind === 'real');
    const functions =
      isScalar || dice.chance(1) ? ['==', '!=', '<', '<=', '>', '>=', 'includes', 'excludes'] : ['==', '!=', 'includes', 'excludes'];
    const name = dice.pick(functions);
    return `["${column.name}","${name}",${this.value(column, name.length > 2 ? 'part' : 'column')}]`;
  }

  where(table: RandomTable): string {
    const { dice } = this;
    if (dice.chance(12)) return '[]';
    return `[${Array.from({ length: 1 + Number(dice.chance(25)) }, () => this.#clause(table)).join(',')}]`;
  }

  #columns(table: RandomTable): string {
    const { dice } = this;
    const names = table.columns.map((column) => column.name).filter(() => dice.chance(40));
    if (dice.chance(20)) names.push('_uuid');
    if (dice.chance(1)) names.push(dice.pick(['nosuch', 'k', '__proto__']));
    return JSON.stringify(names);
  }

  #insert(table: RandomTable): string {
    const { dice } = this;
    const row = this.#row(table, true);
    const members = [`"table":"${table.name}"`, `"row":${row}`];
    if (dice.chance(35)) {
      const name = dice.chance(2) ? dice.pick(['', '1x', '__proto__', 'a-b']) : dice.chance(97) ? `n${this.#names.length}` : 'n0';
      this.#names.push([name, table.name]);
      members.push(`"uuid-name":"${name}"`);
    }
    // The two servers would choose differently; nearly all rows are named by us.
    const known = this.#uuids.get(table.name) ?? [];
    let uuid = `${(0x10000000 + this.#next++).toString(16)}-1111-4111-8111-${String(dice.below(1e9)).padStart(12, '0')}`;
    if (dice.chance(1) && known.length > 0) uuid = dice.pick(known);
    else known.push(uuid);
    members.push(`"uuid":"${dice.chance(1) ? dice.pick(['x', uuid.toUpperCase(), `${uuid}0`]) : uuid}"`);
    return `{"op":"insert",${members.join(',')}}`;
  }

  #mutation(table: RandomTable): string {
    const { dice } = this;
    const column = dice.pick(table.columns.filter((one) => one.isMutable || dice.chance(5)));
    if (column === undefined || dice.chance(1))
      return dice.pick(['["nosuch","+=",1]', '["k","~=",1]', '["k","+="]', '["_uuid","insert",1]', '1']);
    const isNumber = column.value === undefined && (column.key.kind === 'integer' || column.key.kind === 'real');
    if (isNumber && dice.chance(60)) {
      const operand =
        column.key.kind === 'integer'
          ? dice.pick(['1', '2', '0', '-1', '3', '9223372036854775807', '-9223372036854775808', '1.5'])
          : dice.pick(['1', '0.5', '0', '-2', '1e300', '3.7']);
      return `["${column.name}","${dice.pick(['+=', '-=', '*=', '/=', '%='])}",${operand}]`;
    }
    if (dice.chance(2)) return `["${column.name}","${dice.pick(['+=', '*=', 'insert', '%='])}",${this.value(column, 'mutation')}]`;
    if (dice.chance(50)) return `["${column.name}","insert",${this.value(column, 'mutation')}]`;
    // A map's entries are deleted by their keys or by pairs.
    const isKeys = column.value !== undefined && dice.chance(50);
    return `["${column.name}","delete",${this.value(isKeys ? { ...column, value: undefined } : column, 'mutation')}]`;
  }

  #sound(): string {
    const { dice } = this;
    const table = dice.pick(this.#schema.tables);
    const head = `"table":"${dice.chance(1) ? dice.pick(['nosuch', '__proto__', 'toString']) : table.name}","where":${this.where(table)}`;
    switch (dice.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#insert(table);
      case 4:
      case 5:
        return `{"op":"update",${head},"row":${this.#row(table, false)}}`;
      case 6:
      case 7:
      case 8:
        return `{"op":"mutate",${head},"mutations":[${Array.from({ length: dice.chance(80) ? 1 : dice.below(4) }, () => this.#mutation(table)).join(',')}]}`;
      case 9:
        return `{"op":"delete",${head}}`;
      case 10:
        return `{"op":"wait",${head},"columns":["k"],"until":"${dice.pick(['==', '!='])}","rows":[${dice.chance(50) ? `{"k":${dice.below(6)}}` : ''}],"timeout":0}`;
      case 11:
        return dice.pick([
          '{"op":"comment","comment":"a \\"word\\""}',
          '{"op":"commit","durable":true}',
          '{"op":"commit","durable":false}',
          '{"op":"assert","lock":"held"}',
          dice.chance(30) ? '{"op":"assert","lock":"other"}' : '{"op":"assert","lock":"held"}',
          dice.chance(30) ? '{"op":"abort"}' : '{"op":"comment","comment":""}',
        ]);
      case 12:
        return `{"op":"select",${head}}`;
      default:
        return `{"op":"select",${head},"columns":${this.#columns(table)}}`;
    }
  }

  /** The operations of one transaction. */
  transaction(): string[] {
    const { dice } = this;
    this.#names = [];
    return Array.from({ length: 1 + dice.below(4) }, () => {
      const text = this.#sound();
      if (!dice.chance(1)) return text;
      // A member less, one more, or one of another type.
      const members = Object.entries(JSON.parse(text) as object);
      const at = dice.below(members.length);
      const kind = dice.below(3);
      if (kind === 0) members.splice(at, 1);
      else if (kind === 1) members.push(['strange', 1]);
      else (members[at] as [string, unknown])[1] = dice.pick<unknown>([1, 'x', null, [], {}, true]);
      return JSON.stringify(Object.fromEntries(members));
    });
  }
}
