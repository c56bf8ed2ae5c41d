// Many ports: 1,000 veth devices added to a bridge in one transaction, and taken off it in another; and for how long the daemon then keeps who asks it
// something waiting, while what it left for later is done. `netdev` and Open vSwitch open packet sockets, `system` has a program at each device.
import { type Contender, systemContenders } from './contender.ts';
import type { BenchOptions } from './main.ts';
import { must, Site } from './namespaces.ts';
import { Table } from './table.ts';

const PORTS = 1000;
const COLUMNS = ['added, s', 'answer then, median ms', 'worst', 'taken off, s', 'answer then, median', 'worst then'] as const;

const names = Array.from({ length: PORTS }, (_, i) => `p${i}`);

/** Pairs of devices, nobody at whose ends speaks of their own accord. */
function devices(namespace: string): void {
  must(['ip', 'netns', 'exec', namespace, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
  for (const name of ['va', 'vb', ...names]) {
    must(['ip', '-n', namespace, 'link', 'add', name, 'up', 'type', 'veth', 'peer', 'name', `${name}-far`]);
    must(['ip', '-n', namespace, 'link', 'set', `${name}-far`, 'up']);
  }
}

function secondsOf(body: () => void): number {
  const begin = performance.now();
  body();
  return (performance.now() - begin) / 1000;
}

/** Milliseconds until `ovs-appctl version` has its answer, its own start included, for some seconds. */
function answers(ask: () => void, seconds: number): { median: number; worst: number } {
  const all: number[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) all.push(secondsOf(ask) * 1000);
  all.sort((a, b) => a - b);
  return { median: all[all.length >> 1]!, worst: all.at(-1)! };
}

async function measure(contender: Contender, seconds: number, table: Table): Promise<void> {
  const site = new Site();
  try {
    const middle = site.namespace('m');
    devices(middle);
    await contender.start(site, middle, '', '');
    const all = (command: string): string[] => names.flatMap((name) => ['--', command, 'br0', name]).slice(1);
    const ask = (): void => void contender.appctl!(site, middle, ['version']);
    for (const [command, taken, median, worst] of [
      ['add-port', COLUMNS[0], COLUMNS[1], COLUMNS[2]],
      ['del-port', COLUMNS[3], COLUMNS[4], COLUMNS[5]],
    ] as const) {
      table.add(
        contender.label,
        taken,
        secondsOf(() => contender.vsctl!(site, middle, ['--timeout=60', ...all(command)])),
      );
      const found = answers(ask, seconds);
      table.add(contender.label, median, found.median);
      table.add(contender.label, worst, found.worst);
    }
  } finally {
    site.end();
  }
}

/** Prints and keeps the table. */
export async function run(options: BenchOptions): Promise<void> {
  const table = new Table(
    'ports',
    COLUMNS.map((name) => ({ name, digits: name.endsWith(', s') ? 2 : 0 })),
  );
  const chosen = systemContenders.filter(
    ({ name, vsctl, cannot }) => vsctl !== undefined && cannot() === '' && (options.only.length === 0 || options.only.includes(name)),
  );
  for (let i = 1; i <= options.rounds; i++) {
    for (const contender of chosen) {
      process.stderr.write(`ports, round ${i} of ${options.rounds}: ${contender.label}\n`);
      try {
        await measure(contender, options.seconds, table);
      } catch (error) {
        process.stderr.write(`  failed: ${error instanceof Error ? error.message.slice(-200) : String(error)}\n`);
      }
    }
  }
  const reference = chosen.find(({ name }) => name === 'ovs');
  table.print(`${PORTS} ports`, () => reference?.label);
  table.keep(options);
}
