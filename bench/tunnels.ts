// Two hosts, a switch on each, and between them GRE, VXLAN or Geneve; beside the same path without a tunnel, where the wire between the hosts
// is itself a port of both switches.
import { type Contender, systemContenders } from './contender.ts';
import type { BenchOptions } from './main.ts';
import { LEFT_IP, pingMicroseconds, RIGHT_IP, tcpGbits } from './measure.ts';
import { must, Site } from './namespaces.ts';
import { Table } from './table.ts';

const PATHS = ['untunnelled', 'gre', 'vxlan', 'geneve'] as const;
type Path = (typeof PATHS)[number];
/** Room for the outer header of each. */
const INNER_MTU = 1400;

async function round(contender: Contender, path: Path, seconds: number, table: Table): Promise<void> {
  const site = new Site();
  const row = `${path}: ${contender.label}`;
  try {
    const [one, two, left, right] = [site.namespace('1'), site.namespace('2'), site.namespace('l'), site.namespace('r')];
    site.wire(one, 'va', left, 'ea');
    site.wire(two, 'va', right, 'eb');
    // The other port of a contender's switch: the wire, or a pair that leads nowhere.
    if (path === 'untunnelled') {
      site.wire(one, 'vb', two, 'vb');
    } else {
      for (const host of [one, two]) site.wire(host, 'vb', host, 'unused');
      site.wire(one, 'wan', two, 'wan');
      must(['ip', '-n', one, 'addr', 'add', '172.16.9.1/24', 'dev', 'wan']);
      must(['ip', '-n', two, 'addr', 'add', '172.16.9.2/24', 'dev', 'wan']);
    }
    for (const [station, device, address] of [
      [left, 'ea', LEFT_IP],
      [right, 'eb', RIGHT_IP],
    ] as const) {
      must(['ip', '-n', station, 'addr', 'add', `${address}/24`, 'dev', device]);
      must(['ip', '-n', station, 'link', 'set', device, 'mtu', String(INNER_MTU)]);
    }
    await contender.start(site, one, left, '');
    await contender.start(site, two, '', right);
    if (path !== 'untunnelled') {
      const tunnel = (remote: string): string[] => [
        ...['del-port', 'br0', 'vb', '--', 'add-port', 'br0', 't0', '--'],
        ...['set', 'interface', 't0', `type=${path}`, `options:remote_ip=${remote}`, ...(path === 'gre' ? [] : ['options:key=7'])],
      ];
      contender.vsctl?.(site, one, tunnel('172.16.9.2'));
      contender.vsctl?.(site, two, tunnel('172.16.9.1'));
    }
    site.run(left, ['ping', '-c', '5', '-i', '0.3', '-w', '15', RIGHT_IP]);
    table.add(row, 'ping us', await pingMicroseconds(site, left));
    table.add(row, 'TCP Gbit/s', await tcpGbits(site, left, right, seconds));
  } finally {
    site.end();
  }
}

/** Runs all paths with all contenders, in turn; the Linux bridge has no tunnel here. */
export async function run(options: BenchOptions): Promise<Table> {
  const table = new Table('tunnels', [
    { name: 'TCP Gbit/s', digits: 2 },
    { name: 'ping us', digits: 0 },
  ]);
  const chosen = systemContenders.filter(
    (contender) => contender.cannot() === '' && (options.only.length === 0 || options.only.includes(contender.name)),
  );
  for (let i = 1; i <= options.rounds; i++) {
    for (const contender of chosen) {
      for (const path of PATHS) {
        if (path !== 'untunnelled' && contender.vsctl === undefined) continue;
        process.stderr.write(`round ${i} of ${options.rounds}: ${contender.label}, ${path}\n`);
        try {
          await round(contender, path, options.seconds, table);
        } catch (error) {
          process.stderr.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
        }
      }
    }
  }
  table.print('tunnels, ratio to the same path without', (row) => row.replace(/^[^:]*/, 'untunnelled'));
  table.keep(options);
  return table;
}
