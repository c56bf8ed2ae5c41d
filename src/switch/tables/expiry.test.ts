import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchAll, W } from '../../flow/key.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { flowMod, Simulation } from '../simulation-fixture.ts';
import { FlowRule, NO_FLAGS } from './rule.ts';

const COUNT = 100_000;

function flow(i: number, part: Partial<FlowMod>): FlowMod {
  const match = matchAll();
  match.key[W.ETH] = i + 1;
  match.mask[W.ETH] = 0xffffffff;
  return flowMod({ match, newCookie: BigInt(i), flags: { ...NO_FLAGS, sendFlowRem: true }, ...part });
}

test('with 100,000 flows that will end, time costs only for those that end', async (t) => {
  const s = new Simulation();
  const { core } = await s.bridge('br0');
  core.flowMod(flowMod({ command: 'delete', table: 255 }));
  const told: string[] = [];
  core.subscribe({ onFlowRemoved: ({ cookie, reason }) => told.push(`${cookie} ${reason}`) });
  const ending = new Map([
    [5000, { hardTimeoutSec: 10 }],
    [50_000, { idleTimeoutSec: 10 }],
    [99_999, { idleTimeoutSec: 20, hardTimeoutSec: 11 }],
  ]);
  core.apply(Array.from({ length: COUNT }, (_, i) => flow(i, ending.get(i) ?? { hardTimeoutSec: 3600, idleTimeoutSec: 1800 })));
  assert.equal(core.tableStats()[0]?.activeCount, COUNT);
  // Whoever looks at a flow to see whether it has to end asks it when.
  const asked = t.mock.method(FlowRule.prototype, 'dueMs');
  for (let second = 0; second < 9; second++) s.clock.advance(1000);
  assert.deepEqual([told, asked.mock.callCount()], [[], 0]);
  for (let second = 0; second < 6; second++) s.clock.advance(1000);
  assert.deepEqual(told.sort(), ['5000 hard', '50000 idle', '99999 hard']);
  assert.ok(asked.mock.callCount() <= 2 * ending.size, `${asked.mock.callCount()} flows were looked at`);
});
