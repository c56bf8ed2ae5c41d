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

/** Two hosts, with a wire between them that is a port of both switches, and another for the outer packets of tunnels. */
class Hosts {
  readonly site = new Site();
  readonly #contender: Contender;
  readonly #hosts = [this.site.namespace('1'), this.site.namespace('2')] as const;
  readonly #left = this.site.namespace('l');
  readonly #right = this.site.namespace('r');

  constructor(contender: Contender) {
    this.#contender = contender;
  }

  async start(): Promise<void> {
    const { site } = this;
    const contender = this.#contender;
    const [one, two] = this.#hosts;
    const [left, right] = [this.#left, this.#right];
    site.wire(one, 'va', left, 'ea');
    site.wire(two, 'va', right, 'eb');
    site.wire(one, 'vb', two, 'vb');
    site.wire(one, 'wan', two, 'wan');
    for (const [station, device, address] of [
      [left, 'ea', LEFT_IP],
      [right, 'eb', RIGHT_IP],
    ] as const) {
      must(['ip', '-n', station, 'addr', 'add', `${address}/24`, 'dev', device]);
      must(['ip', '-n', station, 'link', 'set', device, 'mtu', String(INNER_MTU)]);
    }
    await contender.start(site, one, left, '');
    await contender.start(site, two, '', right);
    for (const [i, host] of this.#hosts.entries()) {
      let device = 'wan';
      if (contender.needsUnderlayBridge === true) {
        device = 'under';
        contender.vsctl?.(site, host, [
          'add-br',
          device,
          '--',
          'set',
          'bridge',
          device,
          'datapath_type=netdev',
          '--',
          'add-port',
          device,
          'wan',
        ]);
        must(['ip', '-n', host, 'link', 'set', device, 'up']);
      }
      must(['ip', '-n', host, 'addr', 'add', `172.16.9.${i + 1}/24`, 'dev', device]);
    }
  }

  async measure(path: Path, seconds: number, table: Table): Promise<void> {
    const { site } = this;
    const contender = this.#contender;
    if (path !== 'untunnelled') {
      for (const [i, host] of this.#hosts.entries()) {
        contender.vsctl?.(site, host, [
          ...['--if-exists', 'del-port', 'br0', 'vb', '--', '--if-exists', 'del-port', 'br0', 't0', '--', 'add-port', 'br0', 't0', '--'],
          ...[
            'set',
            'interface',
            't0',
            `type=${path}`,
            `options:remote_ip=172.16.9.${2 - i}`,
            ...(path === 'gre' ? [] : ['options:key=7']),
          ],
        ]);
      }
    }
    site.run(this.#left, ['ping', '-c', '5', '-i', '0.2', '-w', '15', RIGHT_IP]);
    const row = `${path}: ${contender.label}`;
    table.add(row, 'ping us', await pingMicroseconds(site, this.#left));
    table.add(row, 'TCP Gbit/s', await tcpGbits(site, this.#left, this.#right, seconds));
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
      const hosts = new Hosts(contender);
      try {
        await hosts.start();
        for (const path of PATHS) {
          if (path !== 'untunnelled' && contender.vsctl === undefined) continue;
          process.stderr.write(`tunnels, round ${i} of ${options.rounds}: ${contender.label}, ${path}\n`);
          try {
            await hosts.measure(path, options.seconds, table);
          } catch (error) {
            process.stderr.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
          }
        }
      } finally {
        hosts.site.end();
      }
    }
  }
  table.print('tunnels, ratio to the same path without', (row) => row.replace(/^[^:]*/, 'untunnelled'));
  table.keep(options);
  return table;
}
