// Groups and meters four ways: Debian's ovs-ofctl and ours, on Debian's ovs-vswitchd and on ours. RUNS in the environment is how many
// generated sections of each kind are compared, SEED where they begin.
import { test } from 'node:test';
import { groupSections } from './group-lines.ts';
import { fourWays } from './support/four-ways.ts';
import { cannot } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd', 'ovs-ofctl', 'python3') || false;
const runs = Number(process.env['RUNS'] ?? 1);
const seed = Number(process.env['SEED'] ?? 1);

test('groups and meters, four ways', { skip, timeout: 3_600_000 }, async (t) => {
  const reset = ['ovs-ofctl del-flows br0', 'ovs-ofctl -OOpenFlow15 del-groups br0', 'ovs-ofctl -OOpenFlow15 del-meters br0'];
  await fourWays(t, groupSections(runs, seed), reset);
});
