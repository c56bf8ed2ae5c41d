import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../base/errors.ts';
import { mustField } from '../../flow/fields.ts';
import { matchAll, setKeyBits, W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { flowMod, Simulation } from '../simulation-fixture.ts';
import { NO_FLAGS } from './rule.ts';
import { NO_LIMIT } from './table-room.ts';

const ALL_FLOWS = { match: matchAll(), table: 255, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
const whole = (name: string): { field: ReturnType<typeof mustField>; offset: number; bits: number } => {
  const field = mustField(name);
  return { field, offset: 0, bits: field.bits };
};

/** A flow known by its cookie; `group` is a value to group by. */
const flow = (cookie: number, part: Partial<FlowMod> & { group?: number } = {}): FlowMod => {
  const match = matchAll();
  match.key[W.IN_PORT] = cookie;
  match.mask[W.IN_PORT] = 0xffff;
  setKeyBits(match.key, mustField('reg0').at, 32, BigInt(part.group ?? 0));
  setKeyBits(match.mask, mustField('reg0').at, 32, 0xffffffffn);
  return flowMod({ newCookie: BigInt(cookie), match, flags: { ...NO_FLAGS, sendFlowRem: true }, ...part });
};

async function bridgeWith(limit: Partial<typeof NO_LIMIT>) {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  bridge.core.flowMod(flowMod({ command: 'delete', table: 255 }));
  bridge.core.tables.limitTables(new Map([[0, { ...NO_LIMIT, ...limit }]]));
  const cookies = (): number[] => [...bridge.core.flows(ALL_FLOWS)].map((one) => Number(one.cookie)).sort((a, b) => a - b);
  return { s, core: bridge.core, cookies };
}

test('a full table refuses, unless it evicts: then the least important flow that ends soonest goes, and never a permanent one', async () => {
  const refusing = await bridgeWith({ maxFlows: 2 });
  refusing.core.flowMod(flow(1));
  refusing.core.flowMod(flow(2));
  assert.throws(
    () => refusing.core.flowMod(flow(3)),
    (error: unknown) => error instanceof PeerError && error.code === 'OFPFMFC_TABLE_FULL',
  );
  // What is there can be replaced, and a bundle may delete before it adds.
  refusing.core.flowMod(flow(2, { priority: 32768 }));
  refusing.core.apply([flow(1, { command: 'delete_strict', table: 0 }), flow(3)]);
  assert.deepEqual(refusing.cookies(), [2, 3]);

  const { core, cookies, s } = await bridgeWith({ maxFlows: 4, evicts: true });
  const reasons: string[] = [];
  core.subscribe({ onFlowRemoved: (removed) => reasons.push(`${removed.cookie} ${removed.reason}`) });
  core.flowMod(flow(1));
  core.flowMod(flow(2, { hardTimeoutSec: 50, importance: 5 }));
  core.flowMod(flow(3, { hardTimeoutSec: 90 }));
  core.flowMod(flow(4, { idleTimeoutSec: 60 }));
  core.flowMod(flow(5, { hardTimeoutSec: 100 }));
  assert.deepEqual(cookies(), [1, 2, 3, 5]);
  core.flowMod(flow(6));
  assert.deepEqual(cookies(), [1, 2, 5, 6]);
  core.flowMod(flow(7));
  core.flowMod(flow(8));
  assert.deepEqual(cookies(), [1, 6, 7, 8]);
  assert.throws(() => core.flowMod(flow(9)), PeerError);
  assert.deepEqual(reasons, ['4 eviction', '3 eviction', '5 eviction', '2 eviction']);
  s.clock.advance(1000);
});

test('the largest group pays; a lowered limit is kept at once; a controller can turn eviction on', async () => {
  const { core, cookies } = await bridgeWith({ maxFlows: 5, evicts: true, groups: [whole('reg0')] });
  for (const [cookie, group] of [
    [1, 7],
    [2, 8],
    [3, 8],
    [4, 8],
    [5, 9],
  ] as const)
    core.flowMod(flow(cookie, { group, hardTimeoutSec: 100 - cookie }));
  core.flowMod(flow(6, { group: 9, hardTimeoutSec: 5 }));
  assert.deepEqual(cookies(), [1, 2, 3, 5, 6]);
  core.tables.limitTables(new Map([[0, { ...NO_LIMIT, maxFlows: 2, evicts: true }]]));
  assert.equal(cookies().length, 2);
  core.tables.limitTables(new Map([[0, { ...NO_LIMIT, maxFlows: 2 }]]));
  assert.throws(() => core.flowMod(flow(20)), PeerError);
  core.tableMod({ kind: 'tableMod', table: 0, miss: 'default', settings: { evicts: true } });
  core.flowMod(flow(20));
  assert.ok(cookies().includes(20));
});

test('whatever comes, no table holds more than its limit, and what eviction leaves is what a slow search would leave', async () => {
  const one = fc.record({
    idle: fc.integer({ min: 0, max: 3 }),
    importance: fc.integer({ min: 0, max: 2 }),
    group: fc.integer({ min: 0, max: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 40 }), fc.integer({ min: 1, max: 8 }), async (flows, maxFlows) => {
      const { core, cookies } = await bridgeWith({ maxFlows, evicts: true, groups: [whole('reg0')] });
      const model: { cookie: number; due: number; importance: number; group: number }[] = [];
      for (const [i, { idle, importance, group }] of flows.entries()) {
        const cookie = i + 1;
        let refused = false;
        if (model.length >= maxFlows) {
          const mortal = model.filter((m) => m.due !== 0);
          const size = (g: number): number => mortal.filter((m) => m.group === g).length;
          const largest = Math.max(0, ...mortal.map((m) => size(m.group)));
          const pick = mortal.filter((m) => size(m.group) === largest).sort((a, b) => a.importance - b.importance || a.due - b.due);
          const equal = pick.filter((m) => m.importance === pick[0]?.importance && m.due === pick[0]?.due);
          if (equal.length === 0) refused = true;
          else {
            // Among equals any may go: take the one that went.
            core.flowMod(flow(cookie, { idleTimeoutSec: idle * 10, importance, group }));
            const left = new Set(cookies());
            const gone = equal.find((m) => !left.has(m.cookie));
            assert.ok(gone !== undefined, `none of ${equal.map((m) => m.cookie).join()} went`);
            model.splice(model.indexOf(gone), 1);
            model.push({ cookie, due: idle * 10, importance, group });
          }
        } else {
          core.flowMod(flow(cookie, { idleTimeoutSec: idle * 10, importance, group }));
          model.push({ cookie, due: idle * 10, importance, group });
        }
        if (refused) assert.throws(() => core.flowMod(flow(cookie, { idleTimeoutSec: idle * 10, importance, group })), PeerError);
        assert.deepEqual(
          cookies(),
          model.map((m) => m.cookie).sort((a, b) => a - b),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('controllers hear when a table gets full, and once when it has room again', async () => {
  const { core } = await bridgeWith({ maxFlows: 10 });
  const told: string[] = [];
  core.subscribe({ onTableStatus: (reason, desc) => told.push(`${reason} ${desc.vacancy?.now}`) });
  core.tableMod({ kind: 'tableMod', table: 0, miss: 'default', settings: { tellsVacancy: true, vacancy: { down: 30, up: 60, now: 0 } } });
  for (let i = 1; i <= 9; i++) core.flowMod(flow(i));
  assert.deepEqual(told, ['vacancy_down 20']);
  for (let i = 1; i <= 9; i++) core.flowMod(flow(i, { command: 'delete_strict', table: 0 }));
  assert.deepEqual(told, ['vacancy_down 20', 'vacancy_up 70']);
  assert.deepEqual(core.tableDescs()[0], {
    table: 0,
    evicts: false,
    evictionFlags: 7,
    tellsVacancy: true,
    vacancy: { down: 30, up: 60, now: 100 },
  });
});

test('several flows that go at once are each taken from the group that is largest then, and a batch that fails changes no group', async () => {
  const limit = { maxFlows: 5, evicts: true, groups: [whole('reg0')] };
  const { core, cookies } = await bridgeWith(limit);
  core.flowMod(flow(1, { group: 1 }));
  core.flowMod(flow(2, { group: 1, hardTimeoutSec: 20, importance: 9 }));
  core.flowMod(flow(3, { group: 1, hardTimeoutSec: 10 }));
  core.flowMod(flow(4, { group: 2, hardTimeoutSec: 50, importance: 5 }));
  // The second flow is one too many once the table cannot evict any more: nothing of the batch stays.
  core.tables.limitTables(new Map([[0, { ...NO_LIMIT, ...limit, maxFlows: 4 }]]));
  const bad = flow(9, { actions: [{ kind: 'group', group: 7 }] });
  assert.throws(() => core.apply([flow(5, { group: 1, hardTimeoutSec: 5 }), bad]), PeerError);
  assert.deepEqual(cookies(), [1, 2, 3, 4]);
  core.tables.limitTables(new Map([[0, { ...NO_LIMIT, ...limit, maxFlows: 2 }]]));
  assert.deepEqual(cookies(), [1, 2]);
});

test('a flow that a failed batch was to delete can still be evicted, before those that are to go later', async () => {
  const { core, cookies } = await bridgeWith({ maxFlows: 2, evicts: true });
  core.flowMod(flow(1, { hardTimeoutSec: 10 }));
  core.flowMod(flow(2, { hardTimeoutSec: 50 }));
  const bad = flow(9, { actions: [{ kind: 'group', group: 7 }] });
  assert.throws(() => core.apply([flow(1, { command: 'delete_strict', table: 0 }), bad]), PeerError);
  core.flowMod(flow(3, { hardTimeoutSec: 90 }));
  assert.deepEqual(cookies(), [2, 3]);
});

test('a table of many groups of a flow each evicts the one that is to go first, flow after flow', async () => {
  const count = 3000;
  const { core, cookies } = await bridgeWith({ maxFlows: count, evicts: true, groups: [whole('reg0')] });
  for (let i = 1; i <= count; i++) core.flowMod(flow(i, { group: i, hardTimeoutSec: 100 + i, importance: i % 7 }));
  const gone = [...Array(count + 1).keys()].slice(1).sort((a, b) => (a % 7) - (b % 7) || a - b);
  for (let i = 1; i <= 1500; i++) core.flowMod(flow(count + i, { group: count + i, hardTimeoutSec: 60_000, importance: 9 }));
  assert.deepEqual(
    cookies(),
    [...gone.slice(1500), ...Array.from({ length: 1500 }, (_, i) => count + 1 + i)].sort((a, b) => a - b),
  );
});
