// Random transactions over random schemas through Debian's ovsdb-server and ours: replies and monitor updates must say the same.
// WEFT_OVSDB_TRANSACTIONS sets how many transactions run for each schema, WEFT_OVSDB_SCHEMAS how many schemas, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectStream } from '../../src/host/socket.ts';
import { type Json, parseJson } from '../../src/ovsdb/json/json.ts';
import { formatJson } from '../../src/ovsdb/json/json-format.ts';
import { RpcSession } from '../../src/ovsdb/json/jsonrpc.ts';

const reference = '/usr/sbin/ovsdb-server';
const root = join(import.meta.dirname, '../..');
const transactions = Number(process.env['WEFT_OVSDB_TRANSACTIONS'] ?? 150);
const schemas = Number(process.env['WEFT_OVSDB_SCHEMAS'] ?? 3);
const firstSeed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);

/** A small generator that gives the same sequence for the same seed. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed * 2654435761;
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

type Plain = null | boolean | number | string | Plain[] | { [name: string]: Plain };
interface Column {
  name: string;
  key: string;
  value: string | undefined;
  min: number;
  max: number | 'unlimited';
  refTable?: string;
  isMutable: boolean;
}
interface Table {
  name: string;
  columns: Column[];
}

function randomSchema(dice: Dice): { json: Plain; tables: Table[] } {
  const names = ['A', 'B', 'C'];
  const tables: Table[] = [];
  const tablesJson: { [name: string]: Plain } = {};
  for (const name of names) {
    const columns: Column[] = [{ name: 'k', key: 'integer', value: undefined, min: 1, max: 1, isMutable: true }];
    const columnsJson: { [name: string]: Plain } = { k: { type: 'integer' } };
    for (let i = 0; i < 6; i++) {
      const key = dice.pick(['integer', 'real', 'boolean', 'string', 'uuid', 'ref', 'weak']);
      const isRef = key === 'ref' || key === 'weak';
      const refTable = dice.pick(names);
      const min = isRef || dice.chance(60) ? 0 : 1;
      const max = dice.pick<number | 'unlimited'>([1, 1, 2, 3, 'unlimited']);
      const value = !isRef && dice.chance(30) ? dice.pick(['integer', 'string']) : undefined;
      const base: { [name: string]: Plain } = { type: isRef ? 'uuid' : key };
      if (isRef) {
        base['refTable'] = refTable;
        if (key === 'weak') base['refType'] = 'weak';
      } else if (key === 'integer' && dice.chance(40)) {
        base['minInteger'] = 0;
        base['maxInteger'] = 5;
      } else if (key === 'string') {
        const kind = dice.below(3);
        if (kind === 0) base['maxLength'] = 2;
        else if (kind === 1) base['enum'] = ['set', ['', 'a', 'b']];
      }
      const type: { [name: string]: Plain } = { key: base, min, max };
      if (value !== undefined) type['value'] = value;
      const isMutable = !dice.chance(10);
      columns.push({ name: `c${i}`, key: isRef ? 'uuid' : key, value, min, max, ...(isRef ? { refTable } : {}), isMutable });
      columnsJson[`c${i}`] = { type, ephemeral: dice.chance(10), mutable: isMutable };
    }
    tables.push({ name, columns });
    tablesJson[name] = {
      columns: columnsJson,
      ...(name === 'A' || dice.chance(30) ? { isRoot: true } : {}),
      ...(dice.chance(30) ? { maxRows: 6 } : {}),
      ...(dice.chance(40) ? { indexes: [['k']] } : {}),
    };
  }
  return { json: { name: 'T', version: '1.0.0', tables: tablesJson }, tables };
}

class Generator {
  readonly dice: Dice;
  readonly tables: Table[];
  readonly uuids: Map<string, string[]>;
  #next = 0;
  constructor(dice: Dice, tables: Table[]) {
    this.dice = dice;
    this.tables = tables;
    this.uuids = new Map(tables.map((table) => [table.name, []]));
  }

  uuid(table: string | undefined): Plain {
    const known = this.uuids.get(table ?? 'A') ?? [];
    if (known.length > 0 && this.dice.chance(92)) return ['uuid', this.dice.pick(known)];
    return ['uuid', `00000000-0000-4000-8000-${String(this.dice.below(5)).padStart(12, '0')}`];
  }

  atom(type: string, column: Column | undefined): Plain {
    switch (this.dice.chance(2) ? this.dice.pick(['integer', 'string', 'boolean', 'real']) : type) {
      case 'integer':
        return this.dice.chance(5) ? this.dice.pick([-1, 2 ** 40, 7, 6]) : this.dice.below(6);
      case 'real':
        return this.dice.pick([0, 0.5, -1.25, 3, 1e30, 0.1]);
      case 'boolean':
        return this.dice.chance(50);
      case 'uuid':
        return this.uuid(column?.refTable);
      default:
        return this.dice.pick(['', 'a', 'b', 'ab', 'x y', 'abc', '\u20ac']);
    }
  }

  value(column: Column): Plain {
    const length = column.max === 1 && this.dice.chance(90) ? 1 - (column.min === 0 && this.dice.chance(30) ? 1 : 0) : this.dice.below(4);
    if (column.value !== undefined) {
      return ['map', Array.from({ length }, () => [this.atom(column.key, column), this.atom(column.value ?? '', undefined)])];
    }
    if (length === 1 && this.dice.chance(80)) return this.atom(column.key, column);
    return ['set', Array.from({ length }, () => this.atom(column.key, column))];
  }

  row(table: Table, immutable: boolean): Plain {
    const row: { [name: string]: Plain } = {};
    const columns = table.columns.filter((column) => immutable || column.isMutable || this.dice.chance(3));
    for (let i = this.dice.below(4); i > 0 && columns.length > 0; i--) {
      const column = this.dice.pick(columns);
      row[column.name] = this.value(column);
    }
    if (immutable && this.dice.chance(90)) row['k'] = this.#next++ % 20;
    return row;
  }

  where(table: Table): Plain {
    if (this.dice.chance(20)) return [];
    const column = this.dice.pick(table.columns);
    if (this.dice.chance(40)) return [['_uuid', '==', this.uuid(table.name)]];
    return [[column.name, this.dice.pick(['==', '!=', '<', '<=', '>', '>=', 'includes', 'excludes']), this.value(column)]];
  }

  operation(): Plain {
    const table = this.dice.pick(this.tables);
    const where = this.where(table);
    switch (this.dice.below(11)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const uuid = `${(0x10000000 + this.#next++).toString(16)}-1111-4111-8111-${String(this.dice.below(1e9)).padStart(12, '0')}`;
        this.uuids.get(table.name)?.push(uuid);
        return { op: 'insert', table: table.name, row: this.row(table, true), uuid };
      }
      case 4:
      case 5:
        return { op: 'update', table: table.name, where, row: this.row(table, false) };
      case 6:
      case 7: {
        const column = this.dice.pick(table.columns);
        const mutator = this.dice.pick(['+=', '-=', '*=', '/=', '%=', 'insert', 'insert', 'delete']);
        return { op: 'mutate', table: table.name, where, mutations: [[column.name, mutator, this.value(column)]] };
      }
      case 8:
        return this.dice.chance(50) ? { op: 'delete', table: table.name, where } : { op: 'select', table: table.name, where: [] };
      case 9:
        return {
          op: 'wait',
          table: table.name,
          where,
          columns: ['k'],
          until: this.dice.pick(['==', '!=']),
          rows: [{ k: this.dice.below(6) }],
          timeout: 0,
        };
      default:
        return { op: 'select', table: table.name, where, columns: [this.dice.pick(table.columns).name, 'k'] };
    }
  }
}

/** Sorted text without what is chosen at random by each server. */
function normal(json: Json): string {
  const walk = (value: Json): Json => {
    if (value instanceof Map) {
      const copy = new Map<string, Json>();
      for (const [name, member] of value) {
        if (name === '_version') continue;
        copy.set(
          name,
          name === 'rows' && Array.isArray(member)
            ? member.map(walk).sort((a, b) => (formatJson(a, { sort: true }) < formatJson(b, { sort: true }) ? -1 : 1))
            : walk(member),
        );
      }
      return copy;
    }
    if (Array.isArray(value)) return value.map(walk);
    return value;
  };
  // Which of several faulty rows is named first is chance.
  return formatJson(walk(json), { sort: true }).replace(
    /(?<="details":"Transaction causes multiple rows in )(.*?) First row, with UUID (\S+), (.*?)\. {2}Second row, with UUID (\S+), (.*?)\.(?=")/g,
    (_, head, a, b, c, d) => [head, ...[`${a} ${b}`, `${c} ${d}`].sort()].join(' '),
  );
}

/** A row or a set of several faulty columns: which fault is told is the chance of a hash order. */
function faultByChance(operations: readonly Plain[], a: string, b: string): boolean {
  const failing = (text: string): number => (parseJson(text) as Json[]).findIndex((result) => result instanceof Map && result.has('error'));
  // Where several references dangle or several rows collide, which is told first is chance too.
  const subject = (text: string): string | undefined =>
    /"details":"(Table \w+ column|Transaction causes multiple rows in [^(]*)/.exec(text)?.[1];
  const collision = (text: string): string | undefined => /identical values \(.*?\) for index/.exec(text)?.[0];
  if (subject(a) !== undefined && subject(a) === subject(b) && (collision(a) === undefined || collision(a) !== collision(b))) return true;
  // Of three rows or more that one operation made equal, any two may be named.
  const changed = [...a.matchAll(/"count":(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  const pairless = (text: string): string => text.replace(/(?<=for index on ).*?(?=","error")/, '');
  if (changed > 2 && collision(a) !== undefined && pairless(a) === pairless(b)) return true;
  // Of several rows that may not go, any may be named.
  const kept = (text: string): string => text.replace(/cannot delete (\w+) row \S+ because of \d+ remaining/, 'cannot delete');
  if (changed > 1 && a.includes('remaining reference(s)') && kept(a) === kept(b)) return true;
  const at = failing(a);
  const operation = operations[at] as { row?: object } | undefined;
  return at >= 0 && at === failing(b) && Object.keys(operation?.row ?? {}).length > 1;
}

class Server {
  readonly process: ChildProcess;
  readonly socket: string;
  rpc!: RpcSession;
  updates: Json[] = [];
  constructor(program: string, dir: string, schemaFile: string) {
    const db = join(dir, 'db');
    execFileSync('/usr/bin/ovsdb-tool', ['create', db, schemaFile]);
    this.socket = join(dir, 's');
    const env = { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir, OVS_DBDIR: dir };
    this.process = spawn(program, [`--remote=punix:${this.socket}`, `--unixctl=${join(dir, 'ctl')}`, '-vconsole:off', db], {
      env,
      stdio: 'ignore',
    });
  }
  async open(): Promise<void> {
    for (let i = 0; i < 600 && !existsSync(this.socket); i++) await new Promise((resolve) => setTimeout(resolve, 50));
    const stream = await connectStream(`unix:${this.socket}`);
    this.rpc = new RpcSession(stream, {
      onRequest: () => {},
      onNotify: (method, params) => void this.updates.push([method, ...params]),
      onClose: () => {},
    });
  }
  takeUpdates(): string[] {
    const taken = this.updates.map((update) => normal(update)).sort();
    this.updates = [];
    return taken;
  }
}

async function differ(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const { json, tables } = randomSchema(dice);
  const dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
  const servers: Server[] = [];
  try {
    writeFileSync(join(dir, 'schema'), JSON.stringify(json));
    for (const [name, program] of [
      ['theirs', reference],
      ['ours', join(root, 'bin/ovsdb-server')],
    ] as const) {
      const place = join(dir, name);
      execFileSync('mkdir', [place]);
      servers.push(new Server(program, place, join(dir, 'schema')));
    }
    const [theirs, ours] = servers as [Server, Server];
    for (const server of servers) await server.open();
    const call = async (method: string, params: Plain): Promise<[string, string]> => {
      const json = parseJson(JSON.stringify(params)) as Json[];
      return (await Promise.all(servers.map((server) => server.rpc.call(method, json).then((result) => normal(result))))) as [
        string,
        string,
      ];
    };
    const requests: { [name: string]: Plain } = {};
    for (const table of tables) requests[table.name] = { columns: table.columns.map((column) => column.name) };
    const cond: { [name: string]: Plain } = { A: [{ columns: ['k', 'c0', 'c1', 'c2'], where: [['k', '<', 3]] }], B: [{}] };
    await call('monitor', ['T', 'm1', requests]);
    await call('monitor_cond', ['T', 'm2', cond]);
    // Conditions on columns that are not watched, and requests that select some kinds of change only.
    const since: { [name: string]: Plain } = {
      A: [{ columns: ['c0', 'c3'], where: [['k', '>', 2]] }],
      B: [
        {
          columns: ['k', 'c1'],
          select: { insert: dice.chance(50), modify: dice.chance(70), delete: dice.chance(70), initial: dice.chance(50) },
        },
        { columns: ['c2'], select: { modify: dice.chance(50) } },
      ],
      C: [{ columns: ['k'], where: [dice.chance(50)] }],
    };
    const zero = '00000000-0000-0000-0000-000000000000';
    const [first, second] = await call('monitor_cond_since', ['T', 'm3', since, zero]);
    assert.equal(second, first);
    const generator = new Generator(dice, tables);
    for (let i = 0; i < transactions; i++) {
      const operations = Array.from({ length: 1 + dice.below(4) }, () => generator.operation());
      const [a, b] = await call('transact', ['T', ...operations]);
      const context = `seed ${seed}, transaction ${i}: ${JSON.stringify(operations)}\nschema ${JSON.stringify(json)}`;
      if (!faultByChance(operations, a, b)) assert.equal(b, a, context);
      if (dice.chance(6)) {
        const column = dice.pick(['k', 'c1', 'c4']);
        const changed = {
          A: [{ where: [['k', dice.pick(['<', '>=']), dice.below(6)]] }],
          C: [{ where: [[column, '==', generator.value(tables[2]!.columns.find(({ name }) => name === column)!)]] }],
        };
        const outcome = await Promise.allSettled(
          servers.map((server) => server.rpc.call('monitor_cond_change', parseJson(JSON.stringify(['m3', 'm3', changed])) as Json[])),
        );
        const said = outcome.map((one) => (one.status === 'fulfilled' ? normal(one.value) : String(one.reason)));
        assert.equal(said[1], said[0], `${context}\n${JSON.stringify(changed)}`);
      }
      // A round trip more, so that no update is on its way.
      await call('echo', []);
      assert.deepEqual(ours.takeUpdates(), theirs.takeUpdates(), context);
    }
    for (const table of tables) {
      const [a, b] = await call('transact', ['T', { op: 'select', table: table.name, where: [] }]);
      assert.equal(b, a);
    }
  } finally {
    for (const server of servers) {
      server.rpc?.close();
      server.process.kill();
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

for (let seed = firstSeed; seed < firstSeed + schemas; seed++) {
  test(`${transactions} random transactions agree with ovsdb-server 3.1, schema ${seed}`, { skip: !existsSync(reference) }, () =>
    differ(seed),
  );
}
