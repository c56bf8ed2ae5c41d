// Databases that are given other schemas while they are served, by Debian's server and ours: whether each conversion is taken or what is wrong with it, what
// is in the database then, who hears of it, and what the next transactions make of it; and the same by `ovsdb-tool convert` on the file.
// WEFT_OVSDB_CONVERSIONS sets how many conversions are tried for each schema, WEFT_OVSDB_SCHEMAS how many schemas, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isChance } from './support/ovsdb-random-faults.ts';
import { OperationGenerator } from './support/ovsdb-random-operations.ts';
import { Dice, type RandomSchema, randomSchema, variedSchema } from './support/ovsdb-random-schema.ts';
import { Side } from './support/ovsdb-random-side.ts';
import { canonical, RawRpc } from './support/raw-rpc.ts';

const reference = '/usr/sbin/ovsdb-server';
const skip = !existsSync(reference);
const bin = join(import.meta.dirname, '../../bin');
const conversions = Number(process.env['WEFT_OVSDB_CONVERSIONS'] ?? 12);
const schemas = Number(process.env['WEFT_OVSDB_SCHEMAS'] ?? 5);
const firstSeed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);
const TRANSACTIONS = 12;
const DAMAGED = 60;
/** Follows changes of databases; the other one does not. */
const AWARE = 0;
const tally = { conversions: 0, taken: 0, transactions: 0, sound: 0, unsound: 0 };

/** Debian's server dies of some requests: there is nothing to compare with then. */
class Died extends Error {}

/** A schema with something wrong in it, for the most part. */
function damaged(dice: Dice, { text }: RandomSchema): string {
  const tokens = text.match(/"[^"]*"|[\d.e+-]+|true|false|[{}[\],:]/g) ?? [];
  const places = tokens.flatMap((token, at) => (/^["\dtf-]/.test(token) ? [at] : []));
  for (let i = dice.below(2); i >= 0; i--) {
    const at = dice.pick(places);
    const other = dice.chance(50) ? (tokens[dice.pick(places)] as string) : dice.pick(ODD_TOKENS);
    if (tokens[at + 1] !== ':' || other.startsWith('"')) tokens[at] = other;
  }
  return tokens.join('');
}

const ODD_TOKENS =
  '0 -1 1.5 4294967295 1e300 true false null {} [] "" "_x" "9" "x y" "uuid" "weak" "A" "refType" "mutable" "min" "set" "1.2"'.split(
    / (?!y)/,
  );

const tagOf = (answer: string): string | undefined => /"error":"([^"]*)"/.exec(answer)?.[1];

/** Of several rows with a fault the reference names the one that its table of rows brings first, which depends on all rows that ever were in it. */
const isOtherRow = (a: string, b: string): boolean => {
  const [theirs, ours] = [tagOf(a), tagOf(b)];
  return theirs !== undefined && ours !== undefined && [theirs, ours].every((tag) => /^(constraint|referential|syntax)/.test(tag));
};

/** What `ovsdb-tool convert` says of a copy of a file, and what is in the outcome; '' of a file that the reference wrote and cannot read. */
function offline(tool: string, dir: string, db: string, schema: RandomSchema): string {
  const place = (name: string): string => join(dir, name);
  writeFileSync(place('next'), schema.text);
  for (const name of ['copy', 'out']) for (const file of [name, `.${name}.~lock~`]) rmSync(place(file), { force: true });
  copyFileSync(db, place('copy'));
  // The reference takes each record by itself, and refuses what a later one mends.
  if (spawnSync('/usr/bin/ovsdb-tool', ['compact', place('copy')]).status !== 0) return '';
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(tool, args, { cwd: dir, encoding: 'utf8' });
    return `${status} ${stdout === '' ? '' : canonical(stdout)} ${stderr.replace(/^\S+\|ERR\|/gm, '')}`;
  };
  const said = run('convert', 'copy', 'next', 'out');
  const selects = schema.tables.map(({ name }) => `{"op":"select","table":"${name}","where":[]}`);
  return `${said}\n${said.startsWith('0') ? run('query', 'out', `["T",${selects.join(',')}]`) : ''}`;
}

async function differ(seed: number): Promise<void> {
  const dice = new Dice(seed);
  let schema = randomSchema(dice, 'T');
  const generator = new OperationGenerator(dice, schema);
  const dir = mkdtempSync(join(tmpdir(), 'weft-convert-'));
  const sides = [new Side(join(dir, 'theirs'), reference), new Side(join(dir, 'ours'), join(bin, 'ovsdb-server'))] as const;
  let context = '';
  const both = async (client: number, method: string, params: string): Promise<[string, string]> => {
    const [a = '', b = ''] = await Promise.all(sides.map((side) => side.clients[client]?.call(method, params) ?? 'closed'));
    if (a === 'closed') throw new Died();
    return [a, b];
  };
  const same = async (client: number, method: string, params: string): Promise<string> => {
    const [a, b] = await both(client, method, params);
    assert.equal(b, a, `seed ${seed} ${method} ${params}\n${context}`);
    return a;
  };
  const heard = async (): Promise<void> => {
    await same(AWARE, 'echo', '[]');
    const [a, b] = sides.map((side) => side.clients[AWARE]?.takeNotices());
    assert.deepEqual(b?.sort(), a?.sort(), context);
  };
  const watch = (): Promise<string> =>
    same(AWARE, 'monitor_cond', `["T","m",{${schema.tables.map(({ name }) => `"${name}":[{}]`).join(',')}}]`);
  try {
    for (const side of sides) await side.start([side.create(schema)]);
    await same(AWARE, 'set_db_change_aware', '[true]');
    await watch();
    for (let i = 0; i < conversions; i++) {
      for (let j = 0; j < TRANSACTIONS; j++) {
        const operations = generator.transaction();
        context = `seed ${seed}, transaction ${j} before conversion ${i}: [${operations.join(',\n')}]\nschema ${schema.text}`;
        const [a, b] = await both(AWARE, 'transact', `["T",${operations.join(',')}]`);
        if (!isChance(operations, a, b)) assert.equal(b, a, context);
        tally.transactions++;
        await heard();
      }
      const next = variedSchema(dice, schema, `1.${i + 1}.0`);
      context = `seed ${seed}, conversion ${i}\nfrom ${schema.text}\nto   ${next.text}\nof ${await sides[0].contents(schema)}`;
      const [wanted, have] = sides.map((side, at) =>
        offline(at === 0 ? '/usr/bin/ovsdb-tool' : join(bin, 'ovsdb-tool'), side.dir, join(sides[0].dir, 'db'), next),
      );
      // Where a rule of the new schema is broken, the reference leaves everything out and says nothing; ours says what is wrong.
      const isLost = /^0 {2}\n0 \[(\{"rows":\[\]\},?)+\]/.test(wanted ?? '') && /violation/.test(have ?? '');
      const isRefused = [wanted, have].every((said) => said?.startsWith('1'));
      if (!isLost && !isRefused) assert.equal(have, wanted, `ovsdb-tool convert, ${context}`);
      const [answer, ours] = await both(AWARE, 'convert', `["T",${next.text}]`);
      if (!isOtherRow(answer, ours)) assert.equal(ours, answer, context);
      tally.conversions++;
      await heard();
      await same(AWARE, 'get_schema', '["T"]');
      if (answer.includes('"result":{}')) {
        tally.taken++;
        schema = next;
        generator.converted(schema);
        for (const side of sides) {
          const other = side.clients[1] as RawRpc;
          for (let tries = 0; tries < 200 && !other.isClosed; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
          assert.ok(other.isClosed, `who follows no changes is cut off by ${side.program}`);
          side.clients[1] = await RawRpc.open(side.socket);
        }
        await watch();
      }
      const [theirs, own] = await Promise.all(sides.map((side) => side.contents(schema)));
      assert.deepEqual(own, theirs, context);
    }
    for (const side of sides) await side.stop();
    const [theirs, ours] = sides;
    await theirs.start([join(ours.dir, 'db')]);
    await ours.start([join(theirs.dir, 'db')]);
    assert.deepEqual(await ours.contents(schema), await theirs.contents(schema), `${context}, on the other's log`);
  } catch (error) {
    if (!(error instanceof Died)) throw error;
    for (let i = 0; i < 200 && sides[0].isAlive; i++) await new Promise((resolve) => setTimeout(resolve, 25));
    assert.ok(!sides[0].isAlive && sides[1].isAlive, `not of the reference alone: ${context}`);
  } finally {
    for (const side of sides) await side.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Schemas that are wrong, to an empty database. */
async function judge(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const schema = randomSchema(dice, 'T');
  const dir = mkdtempSync(join(tmpdir(), 'weft-convert-'));
  const sides = [new Side(join(dir, 'theirs'), reference), new Side(join(dir, 'ours'), join(bin, 'ovsdb-server'))] as const;
  try {
    for (const side of sides) await side.start([side.create(schema)]);
    for (let i = 0; i < DAMAGED; i++) {
      const text = damaged(dice, schema);
      for (const [method, params] of [
        ['set_db_change_aware', '[true]'],
        ['convert', `["T",${text}]`],
        ['get_schema', '["T"]'],
      ] as const) {
        const [a, b] = await Promise.all(sides.map((side) => side.clients[AWARE]?.call(method, params)));
        assert.equal(b, a, `seed ${seed} ${method} ${params} after ${text}`);
        if (method === 'convert') tally[a === '{"error":null,"result":{}}' ? 'sound' : 'unsound']++;
      }
    }
  } finally {
    for (const side of sides) await side.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

for (let seed = firstSeed; seed < firstSeed + schemas; seed++) {
  test(`${conversions} conversions, schema ${seed}`, { skip }, () => differ(seed));
  test(`${DAMAGED} damaged schemas, seed ${seed}`, { skip }, () => judge(seed));
}

test('enough was compared', { skip }, () => {
  const { conversions: all, taken, transactions, sound, unsound } = tally;
  const counts = `${all} conversions, ${taken} of them taken, ${transactions} transactions; ${sound + unsound} damaged schemas, ${sound} of them sound`;
  console.log(counts);
  assert.ok(taken > all / 5 && taken < all * 0.9 && unsound > sound, counts);
});
