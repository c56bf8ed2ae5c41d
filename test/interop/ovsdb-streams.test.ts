// What monitors are told over time, by Debian's server and ours: two databases in one server, three clients, monitors of every kind, conditions that
// change in mid-stream and take other ids, monitors that end, clients that go and come back with the last transaction they heard of. Once straight from
// a standalone server, where no transaction is remembered, and once from relays of one clustered server, where a client is told what it missed.
// WEFT_OVSDB_STREAM_STEPS sets how many steps are gone for each seed, WEFT_OVSDB_STREAMS how many seeds, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { rowsOf, withoutDangling } from './support/ovsdb-dangling.ts';
import { GoneRows } from './support/ovsdb-gone-rows.ts';
import { isChance } from './support/ovsdb-random-faults.ts';
import { monitorRequests } from './support/ovsdb-random-monitors.ts';
import { OperationGenerator } from './support/ovsdb-random-operations.ts';
import { Dice, type RandomSchema, randomSchema } from './support/ovsdb-random-schema.ts';
import { Side } from './support/ovsdb-random-side.ts';
import { RawRpc } from './support/raw-rpc.ts';

const reference = '/usr/sbin/ovsdb-server';
const skip = !existsSync(reference);
const own = join(import.meta.dirname, '../../bin/ovsdb-server');
const steps = Number(process.env['WEFT_OVSDB_STREAM_STEPS'] ?? 200);
const count = Number(process.env['WEFT_OVSDB_STREAMS'] ?? 3);
const firstSeed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);
const CLIENTS = 3;
/** One more client, which has no monitors and stays. */
const WRITER = CLIENTS;
const ANSWER_MS = 3000;
const ZERO = '00000000-0000-0000-0000-000000000000';

interface Monitor {
  client: number;
  id: string;
  schema: RandomSchema;
  requests: string;
  /** 0: `monitor`, 1: `monitor_cond`, 2: `monitor_cond_since`. */
  kind: number;
}

const tally = { transactions: 0, updates: 0, changes: 0, resumed: 0, found: 0 };

/** Debian's server dies of some requests, and as a cluster of one answers nothing any more after others: there is nothing to compare with then. */
class Died extends Error {}

/** Walks two servers through the same steps. `transact` makes a transaction known to both. */
class Walk {
  readonly dice: Dice;
  readonly sides: readonly Side[];
  readonly databases: readonly { schema: RandomSchema; generator: OperationGenerator }[];
  monitors: Monitor[] = [];
  /** Of each client. */
  readonly #gone = Array.from({ length: CLIENTS }, () => new GoneRows());
  #ids = 0;

  constructor(dice: Dice, sides: readonly Side[], schemas: readonly RandomSchema[]) {
    this.dice = dice;
    this.sides = sides;
    this.databases = schemas.map((schema) => ({ schema, generator: new OperationGenerator(dice, schema) }));
  }

  /** Asks both the same, or what `params` gives for each; the answers must be the same unless both are faults and `mayDiffer`. */
  async ask(client: number, method: string, params: string | ((rpc: RawRpc) => string), mayDiffer = false): Promise<string> {
    const asked: string[] = [];
    const [a = '', b = ''] = await Promise.all(
      this.sides.map((side) => {
        const rpc = side.clients[client] as RawRpc;
        const text = typeof params === 'string' ? params : params(rpc);
        asked.push(text);
        return rpc.call(method, text);
      }),
    );
    this.record(`${client} ${method} ${asked[0]}\n   -> ${a.slice(0, 300)}`);
    if (a === 'closed') throw new Died();
    const isFault = (answer: string): boolean => answer.startsWith('{"error":{');
    if (!(mayDiffer && isFault(a) && isFault(b))) assert.equal(b, a, `${method} ${asked[0]}\n${this.context}`);
    return isFault(a) || isFault(b) ? '' : a;
  }

  /** The last steps, for whoever has to find out. */
  readonly #past: string[] = [];
  record(text: string): void {
    this.#past.push(text);
    if (this.#past.length > 60) this.#past.shift();
  }

  get context(): string {
    return `steps until then:\n${this.#past.join('\n')}`;
  }

  async settle(): Promise<void> {
    for (const side of this.sides) for (const client of side.clients) await client.call('echo', '[]');
    if (this.sides[0]?.clients.some(({ isClosed }) => isClosed)) throw new Died();
    for (let i = 0; i < CLIENTS; i++) {
      const [a, b] = this.sides.map((side) => side.clients[i]?.takeNotices() ?? []);
      tally.updates += a?.length ?? 0;
      const told = this.#gone[i]?.filter(a ?? [], b ?? []);
      assert.deepEqual(b?.sort(), told?.sort(), `client ${i}\n${this.context}`);
    }
  }

  async watch(): Promise<void> {
    const { dice } = this;
    const { schema, generator } = dice.pick(this.databases);
    const kind = dice.below(3);
    const id = JSON.stringify(dice.pick<unknown>([`m${this.#ids++}`, [this.#ids++, 'x'], { constructor: this.#ids++ }]));
    const requests = monitorRequests(dice, schema, generator, kind > 0);
    await this.begin({ client: dice.below(CLIENTS), id, schema, requests, kind });
  }

  async begin(monitor: Monitor, lastId: (rpc: RawRpc) => string = () => ZERO): Promise<string> {
    const { client, id, schema, requests, kind } = monitor;
    const params = (rpc: RawRpc): string => `["${schema.name}",${id},${requests}${kind === 2 ? `,"${lastId(rpc)}"` : ''}]`;
    const answer = await this.ask(client, ['monitor', 'monitor_cond', 'monitor_cond_since'][kind] as string, params, true);
    if (answer !== '') this.monitors.push(monitor);
    return answer;
  }

  async change(): Promise<void> {
    const { dice } = this;
    const monitor = dice.pick(this.monitors.filter(({ kind }) => kind > 0));
    if (monitor === undefined) return;
    const generator = this.databases.find(({ schema }) => schema === monitor.schema)?.generator as OperationGenerator;
    const watched = Object.keys(JSON.parse(monitor.requests) as object);
    const tables = monitor.schema.tables.filter(({ name }) => watched.includes(name) && dice.chance(60));
    const next = dice.chance(25) ? `"n${this.#ids++}"` : monitor.id;
    const conditions = tables.map((table) => `"${table.name}":[{"where":${generator.where(table)}}]`);
    const answer = await this.ask(monitor.client, 'monitor_cond_change', `[${monitor.id},${next},{${conditions.join(',')}}]`, true);
    if (answer === '') {
      // Of a change that it refuses the reference leaves in force what the hashes of tables brought before the fault.
      this.monitors.splice(this.monitors.indexOf(monitor), 1);
      await this.ask(monitor.client, 'monitor_cancel', `[${monitor.id}]`);
      return;
    }
    tally.changes++;
    this.#gone[monitor.client]?.rename(monitor.id, next);
    monitor.id = next;
  }

  /** A client goes and comes back, with its monitors. */
  async comeBack(between: () => Promise<void>): Promise<void> {
    const client = this.dice.below(CLIENTS);
    this.#gone[client] = new GoneRows();
    const mine = this.monitors.filter((monitor) => monitor.client === client);
    this.monitors = this.monitors.filter((monitor) => monitor.client !== client);
    const known = this.sides.map((side) => side.clients[client]?.lastIds as Map<string, string>);
    for (const side of this.sides) side.clients[client]?.close();
    await between();
    for (const [i, side] of this.sides.entries()) {
      const rpc = await RawRpc.open(side.socket);
      for (const [id, last] of known[i] ?? []) rpc.lastIds.set(id, last);
      side.clients[client] = rpc;
    }
    for (const monitor of mine) {
      const answer = await this.begin(monitor, (rpc) => rpc.lastIds.get(monitor.id) ?? ZERO);
      if (monitor.kind < 2) continue;
      tally.resumed++;
      if (answer.includes('"result":[true')) tally.found++;
    }
  }

  async step(transact: (schema: RandomSchema, operations: readonly string[]) => Promise<void>): Promise<void> {
    const { dice } = this;
    const work = async (): Promise<void> => {
      const { schema, generator } = dice.pick(this.databases);
      const operations = generator.transaction();
      this.record(`transact ${schema.name}: [${operations.join(',\n')}]`);
      tally.transactions++;
      await transact(schema, operations);
    };
    const choice = dice.below(100);
    if (choice < 70) await work();
    else if (choice < 78) await this.watch();
    else if (choice < 90) await this.change();
    else if (choice < 93 && this.monitors.length > 0) {
      const [gone] = this.monitors.splice(dice.below(this.monitors.length), 1);
      await this.ask(gone?.client ?? 0, 'monitor_cancel', `[${gone?.id}]`);
    } else if (choice < 97) {
      await this.comeBack(async () => {
        for (let i = dice.below(4); i > 0; i--) await work();
      });
    } else await work();
    await this.settle();
  }
}

/** The answer to a transaction, `no answer` of one that waits for others. */
function transact(side: Side, client: number, schema: RandomSchema, operations: readonly string[]): Promise<string> {
  const answer = side.clients[client]?.call('transact', `["${schema.name}",${operations.join(',')}]`) ?? Promise.resolve('closed');
  return Promise.race([answer, sleep(ANSWER_MS, 'no answer')]);
}

async function straight(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const schemas = ['T', 'constructor'].map((name) => randomSchema(dice, name));
  const dir = mkdtempSync(join(tmpdir(), 'weft-streams-'));
  const sides = [new Side(join(dir, 'theirs'), reference), new Side(join(dir, 'ours'), own)];
  try {
    for (const side of sides)
      await side.start(
        schemas.map((schema, i) => side.create(schema, `db${i}`)),
        CLIENTS + 1,
      );
    const walk = new Walk(dice, sides, schemas);
    for (let i = 0; i < 4; i++) await walk.watch();
    for (let i = 0; i < steps; i++) {
      await walk.step(async (schema, operations) => {
        const [a = '', b = ''] = await Promise.all(sides.map((side) => transact(side, WRITER, schema, operations)));
        if (a === 'closed') throw new Died();
        if (a === 'no answer' || b === 'no answer' || !isChance(operations, a, b)) assert.equal(b, a, walk.context);
      });
    }
    for (const schema of schemas) {
      const [theirs = [], ours = []] = await Promise.all(sides.map((side) => side.contents(schema, WRITER)));
      if (!isDeepStrictEqual(ours, theirs)) assert.deepEqual(rowsOf(ours), withoutDangling(rowsOf(theirs)));
    }
  } catch (error) {
    if (!(error instanceof Died)) throw error;
    for (let i = 0; i < 200 && sides[0]?.isAlive; i++) await sleep(25);
    assert.ok(!sides[0]?.isAlive && sides[1]?.isAlive, 'not of the reference alone');
  } finally {
    for (const side of sides) await side.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function relayed(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const schemas = ['T', 'constructor'].map((name) => randomSchema(dice, name));
  const dir = mkdtempSync(join(tmpdir(), 'weft-streams-'));
  const source = new Side(join(dir, 'source'), reference);
  const sides = [new Side(join(dir, 'theirs'), reference), new Side(join(dir, 'ours'), own)];
  try {
    const files = schemas.map((schema, i) => {
      const alone = source.create(schema, `alone${i}`);
      execFileSync('/usr/bin/ovsdb-tool', ['create-cluster', `${alone}.cluster`, alone, `unix:${dir}/source/raft${i}`]);
      return `${alone}.cluster`;
    });
    await source.start(files, 1);
    for (const side of sides) {
      await side.start(
        schemas.map(({ name }) => `relay:${name}:unix:${source.socket}`),
        CLIENTS + 1,
      );
    }
    /** Both relays have what the source has. */
    const caughtUp = async (schema: RandomSchema): Promise<void> => {
      const contents = await Promise.race([source.contents(schema), sleep(ANSWER_MS)]);
      if (contents === undefined) throw new Died();
      const want = JSON.stringify(contents);
      // Arithmetic too makes numbers that no relay of the reference's can read.
      if (/\de[-+]30\d/.test(want)) throw new Died();
      for (const side of sides) {
        let have = '';
        for (let i = 0; i < 400 && have !== want; i++) {
          if (i > 0) await sleep(10);
          have = JSON.stringify(await side.contents(schema, WRITER));
        }
        if (have !== want && sides[0]?.isAlive === false) throw new Died();
        assert.equal(have, want, `${side.program}`);
      }
    };
    // Before the source was heard there was nothing to serve: who came then was sent away.
    for (const schema of schemas) {
      for (let i = 0; i < 400; i++) {
        for (const side of sides)
          for (const [at, one] of side.clients.entries()) if (one.isClosed) side.clients[at] = await RawRpc.open(side.socket);
        const answers = await Promise.all(sides.map((side) => side.contents(schema, WRITER)));
        if (!answers.flat().some((answer) => /closed|"error":\{/.test(answer))) break;
        await sleep(25);
      }
      await caughtUp(schema);
    }
    for (const side of sides) side.clients = await Promise.all(side.clients.map(() => RawRpc.open(side.socket)));
    const walk = new Walk(dice, sides, schemas);
    for (let i = 0; i < 4; i++) await walk.watch();
    for (let i = 0; i < steps; i++) {
      await walk.step(async (schema, operations) => {
        // What the reference prints of the largest number it cannot read again.
        if (operations.some((operation) => operation.includes('e308'))) return;
        if ((await transact(source, 0, schema, operations)) === 'closed') throw new Died();
        await caughtUp(schema);
      });
    }
  } catch (error) {
    if (!(error instanceof Died)) throw error;
    assert.ok(sides[1]?.isAlive, 'not of the reference alone');
  } finally {
    for (const side of [...sides, source]) await side.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

for (let seed = firstSeed; seed < firstSeed + count; seed++) {
  test(`${steps} steps with a standalone server, seed ${seed}`, { skip }, () => straight(seed));
  test(`${steps} steps with relays, seed ${seed}`, { skip }, () => relayed(seed));
}

test('enough was compared', { skip }, () => {
  const { transactions, updates, changes, resumed, found } = tally;
  const counts = `${transactions} transactions, ${updates} updates, ${changes} changed conditions, ${resumed} monitors taken up again, ${found} of them told what they missed alone`;
  console.log(counts);
  assert.ok(updates > transactions / 20 && changes > transactions / 60 && found > 0 && found < resumed, counts);
});
