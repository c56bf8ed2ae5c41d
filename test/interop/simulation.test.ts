// The simulation of `--enable-dummy=override` for test harnesses: control commands answer on ours as on Debian's ovs-vswitchd.
import { test } from 'node:test';
import { BRIDGE, COMMANDS } from './simulation-lines.ts';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
const appctl = (lines: readonly string[]): string[] => lines.map((line) => `ovs-appctl ${line}`);

/** Addresses of dummy devices by their order: routes of the host shift the reference's count. */
function ranked(text: string): string[] {
  const seen = [...new Set(text.match(/aa:55:aa:55:00:(?!00)[0-9a-f]{2}/g))].sort();
  return text.replace(/aa:55:aa:55:00:(?!00)[0-9a-f]{2}/g, (mac) => `MAC${seen.indexOf(mac)}`).split('\n');
}

test('control commands of features that nothing configures', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override', '--disable-system', '--disable-system-route']);
  compare(hosts, [BRIDGE, 'ovs-ofctl show br0', ...appctl(COMMANDS)], ranked);
});
