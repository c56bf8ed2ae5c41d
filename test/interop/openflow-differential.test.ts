// The same OpenFlow bytes to Debian's ovs-vswitchd and to ours, two connections each: after every request all replies, errors and
// asynchronous messages must be equal, byte for byte. Longer runs: `node test/compare/switch/main.ts count=N seed=N`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASES } from '../compare/switch/cases.ts';
import { compareCases } from '../compare/switch/one-by-one.ts';
import { compareSwitches } from '../compare/switch/run.ts';
import { cannotCompare } from '../compare/switch/sides.ts';

const VERSIONS = [1, 2, 3, 4, 5, 6] as const;

test('random sequences of OpenFlow requests are answered as by the reference', { skip: cannotCompare, timeout: 300_000 }, async (t) => {
  const result = await compareSwitches({ seed: 700, sequences: 25, length: 40, faults: 0, versions: VERSIONS });
  t.diagnostic(`${result.messages} messages in ${result.steps} steps`);
  assert.ok(result.messages > 800, 'the sequences have run');
  assert.deepEqual(result.differences.slice(0, 2), []);
});

test('requests that were once answered otherwise', { skip: cannotCompare, timeout: 300_000 }, async (t) => {
  const results = await compareCases(CASES);
  for (const { name, said } of results) await t.test(name, () => assert.deepEqual(said.weft, said.debian));
});
