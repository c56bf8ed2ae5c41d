// Random transactions over random schemas through Debian's ovsdb-server and ours: answers and what monitors are told must be the same text, but for the
// order of members and rows. Afterwards each server is started on the other's log, and must find in it what the other had.
// WEFT_OVSDB_TRANSACTIONS sets how many transactions run for each schema, WEFT_OVSDB_SCHEMAS how many schemas, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isChance } from './support/ovsdb-random-faults.ts';
import { monitorRequests } from './support/ovsdb-random-monitors.ts';
import { OperationGenerator } from './support/ovsdb-random-operations.ts';
import { Dice, randomSchema } from './support/ovsdb-random-schema.ts';
import { Side } from './support/ovsdb-random-side.ts';

const reference = '/usr/sbin/ovsdb-server';
const root = join(import.meta.dirname, '../..');
const transactions = Number(process.env['WEFT_OVSDB_TRANSACTIONS'] ?? 120);
const schemas = Number(process.env['WEFT_OVSDB_SCHEMAS'] ?? 6);
const firstSeed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);
/** A file for what differed by chance. */
const chanceLog = process.env['WEFT_OVSDB_CHANCES'];
/** After which a request counts as one that is not answered. */
const ANSWER_MS = 8000;
const ZERO = '00000000-0000-0000-0000-000000000000';

interface Tally {
  transactions: number;
  failed: number;
  byChance: number;
  updates: number;
}
const tally: Tally = { transactions: 0, failed: 0, byChance: 0, updates: 0 };

async function differ(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const schema = randomSchema(dice, 'T');
  const dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
  const theirs = new Side(join(dir, 'theirs'), reference);
  const ours = new Side(join(dir, 'ours'), join(root, 'bin/ovsdb-server'));
  const sides = [theirs, ours];
  let context = '';
  const both = async (client: number, method: string, params: string): Promise<[string, string]> => {
    const late = new AbortController();
    const wait = sleep(ANSWER_MS, 'no answer', { signal: late.signal }).catch(() => 'no answer');
    const ask = (side: Side): Promise<string> => Promise.race([side.clients[client]!.call(method, params), wait]);
    const answers = (await Promise.all(sides.map(ask))) as [string, string];
    late.abort();
    assert.equal(answers[1] === 'no answer', answers[0] === 'no answer', `${answers.join('\n')}\n${method} ${params}\n${context}`);
    return answers;
  };
  const same = async (client: number, method: string, params: string): Promise<string> => {
    const [a, b] = await both(client, method, params);
    assert.equal(b, a, `seed ${seed} ${method} ${params}\n${context}`);
    return a;
  };
  /** False when the reference is no more. */
  const settle = async (): Promise<boolean> => {
    // A round trip of each client, so that no update is on its way.
    for (const client of [0, 1]) {
      const [a, b] = await both(client, 'echo', '[]');
      if (a !== 'closed') continue;
      assert.notEqual(b, 'closed', context);
      return false;
    }
    for (const client of [0, 1]) {
      const [a, b] = sides.map((side) => side.clients[client]?.takeNotices() ?? []);
      tally.updates += a?.length ?? 0;
      assert.deepEqual(b?.sort(), a?.sort(), context);
    }
    return true;
  };
  /** Debian's dies of some requests, and of some updates that follow; there is nothing to compare with then. */
  const died = async (answer: string, i: number, operations: readonly string[]): Promise<void> => {
    await Promise.race([theirs.ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
    assert.ok(!theirs.isAlive, `the reference closed the connection: ${context}`);
    assert.ok(ours.isAlive && answer !== 'closed', context);
    if (chanceLog !== undefined) appendFileSync(chanceLog, `seed ${seed} transaction ${i}: the reference died of ${operations.join()}\n`);
  };
  try {
    for (const side of sides) {
      await side.start([side.create(schema)]);
    }
    const generator = new OperationGenerator(dice, schema);
    await same(0, 'get_schema', '["T"]');
    await same(0, 'lock', '["held"]');
    await same(1, 'lock', '["other"]');
    let monitors = 0;
    const watch = async (client: number): Promise<void> => {
      const kind = dice.below(3);
      const id = JSON.stringify(dice.pick<unknown>([`m${monitors++}`, [monitors++], { constructor: monitors++ }]));
      const requests = monitorRequests(dice, schema, generator, kind > 0);
      const params = `["T",${id},${requests}${kind === 2 ? `,"${ZERO}"` : ''}]`;
      const [a, b] = await both(client, ['monitor', 'monitor_cond', 'monitor_cond_since'][kind] as string, params);
      // Which of several tables with a fault is told first is chance.
      if (!a.startsWith('{"error":{') || !b.startsWith('{"error":{')) assert.equal(b, a, `seed ${seed} ${params}\n${context}`);
    };
    await watch(0);
    await watch(0);
    await watch(1);
    await same(1, 'monitor_cond', '["T","all",{"A":[{}],"B":[{}]}]');
    for (let i = 0; i < transactions; i++) {
      const operations = generator.transaction();
      const client = dice.chance(80) ? 0 : 1;
      context = `seed ${seed}, transaction ${i}: [${operations.join(',\n')}]\nschema ${schema.text}`;
      const [a, b] = await both(client, 'transact', `["T",${operations.join(',')}]`);
      if (a === 'closed') {
        await died(b, i, operations);
        return;
      }
      tally.transactions++;
      if (a.includes('"error":"')) tally.failed++;
      if (a !== b && isChance(operations, a, b)) {
        tally.byChance++;
        if (chanceLog !== undefined) appendFileSync(chanceLog, `seed ${seed} transaction ${i}\n  theirs ${a}\n  ours   ${b}\n`);
      } else assert.equal(b, a, context);
      if (dice.chance(5)) {
        const table = dice.pick(schema.tables);
        await same(1, 'monitor_cond_change', `["all","all",{"${table.name}":[{"where":${generator.where(table)}}]}]`);
      }
      if (dice.chance(3)) await watch(dice.below(2));
      if (await settle()) continue;
      await died('', i, operations);
      return;
    }
    const before = await theirs.contents(schema);
    assert.deepEqual(await ours.contents(schema), before);
    await theirs.stop();
    await ours.stop();
    context = `seed ${seed}, on the other's log\n${schema.text}\nbefore ${before.join()}`;
    // Of two reals that become one text the reference writes a record that nobody can read.
    const isSound = spawnSync('/usr/bin/ovsdb-tool', ['compact', join(theirs.dir, 'db'), join(dir, 'compacted')]).status === 0;
    await theirs.start([join(ours.dir, 'db')]);
    await ours.start([join(theirs.dir, 'db')]);
    const onTheirs = await ours.contents(schema);
    if (isSound) assert.deepEqual(onTheirs, await theirs.contents(schema), context);
  } finally {
    for (const side of sides) await side.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

for (let seed = firstSeed; seed < firstSeed + schemas; seed++) {
  test(`${transactions} random transactions agree with ovsdb-server 3.1, schema ${seed}`, { skip: !existsSync(reference) }, () =>
    differ(seed),
  );
}

test('enough was compared', { skip: !existsSync(reference) }, () => {
  const { transactions: total, failed, byChance, updates } = tally;
  const counts = `${total} transactions, ${failed} of them refused, ${byChance} with another of several faults named, ${updates} updates`;
  if (chanceLog !== undefined) appendFileSync(chanceLog, `${counts}\n`);
  assert.ok(failed < total * 0.75 && byChance < total * 0.04 && updates > total / 6, counts);
});
