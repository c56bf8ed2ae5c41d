// Control commands of the datapath to Debian's ovs-vswitchd and to ours: equal text. Longer runs: `node test/compare/dpctl/main.ts count=N`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareDpctl, compareKept } from '../compare/dpctl/run.ts';
import { cannotRunReference } from './support/dummy-daemons.ts';

const SECTIONS = ['actions', 'normalize', 'byHand', 'filters', 'tracking', 'files', 'trace', 'packetOut', 'datapaths'];

test('generated dpctl commands are answered as by the reference', { skip: cannotRunReference, timeout: 300_000 }, async (t) => {
  const { calls, differences, known } = await compareDpctl(SECTIONS, 900, 1700);
  t.diagnostic(`${calls} calls, ${[...known].map(([name, count]) => `${count} times: ${name}`).join(', ')}`);
  assert.ok(calls >= 1650);
  assert.deepEqual(differences.slice(0, 3), []);
});

test('dpctl commands that were once answered otherwise', { skip: cannotRunReference, timeout: 300_000 }, async () => {
  assert.deepEqual((await compareKept()).differences.slice(0, 3), []);
});
