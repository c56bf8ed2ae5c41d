// `npm run bench [-- NAME...] [--rounds=N] [--seconds=S]`.
import { parseArgs } from 'node:util';
import { tcp } from './measure.ts';

/** What a benchmark is told. */
export interface BenchOptions {
  rounds: number;
  seconds: number;
  /** Contenders wanted; empty = all. */
  only: string[];
  /** Scenarios of `flows` wanted, by a part of their names; empty = all. */
  scenario: string;
}

/** `rounds` and `seconds`: what one of these takes if it is not told otherwise, else 3. */
interface Bench {
  help: string;
  rounds?: number;
  seconds?: number;
  load: () => Promise<{ run: (options: BenchOptions) => Promise<unknown> }>;
}

const benches: Record<string, Bench> = {
  netdev: { help: 'TCP, 64-byte frames and ping: our netdev, the Linux bridge, Open vSwitch netdev', load: () => import('./netdev.ts') },
  startup: { help: 'a command from start to end, beside the bare runtime', load: () => import('./startup.ts') },
  datapath: {
    help: 'the same with our system datapath; the kernel program alone by flows and masks; then flows, tunnels and the targets: a quarter of an hour',
    rounds: 2,
    seconds: 2,
    load: () => import('./datapath.ts'),
  },
  tcp: {
    help: 'TCP of our system datapath and the Linux bridge in turns of a second: their ratio',
    rounds: 30,
    seconds: 1,
    load: () => import('./turns.ts'),
  },
  flows: { help: 'ten tables, many flows, many masks, new flows: our datapaths, Open vSwitch netdev', load: () => import('./flows.ts') },
  tunnels: { help: 'GRE, VXLAN and Geneve between two hosts, beside the same path without', load: () => import('./tunnels.ts') },
  ovsdb: { help: 'transactions a second of ovsdb-server, by clients and monitors, beside Open vSwitch', load: () => import('./ovsdb.ts') },
  southbound: {
    help: "a database like OVN's southbound one with 6,000 ports and 100 clients: time and bytes of an update, beside Open vSwitch",
    load: () => import('./southbound.ts'),
  },
  openflow: {
    help: '100,000 flows in, out and away, singly and as a bundle, beside Open vSwitch under its ovs-ofctl',
    load: () => import('./openflow.ts'),
  },
  ports: {
    help: '1,000 ports added in one transaction and taken off in another, and how long the daemon then keeps others waiting',
    rounds: 1,
    seconds: 15,
    load: () => import('./ports.ts'),
  },
  core: { help: 'frames a second through key extraction, flow table and actions alone', load: () => import('./core.ts') },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
    scenario: { type: 'string', default: '' },
    congestion: { type: 'string', default: tcp.congestion },
    help: { type: 'boolean', default: false },
  },
});
tcp.congestion = values.congestion;
if (values.help) {
  process.stdout.write(
    'usage: npm run bench -- [NAME...] [--rounds=N] [--seconds=S] [--only=CONTENDER,...] [--scenario=PART] [--congestion=reno|cubic|bbr]\n\n',
  );
  for (const [name, bench] of Object.entries(benches)) process.stdout.write(`  ${name.padEnd(10)} ${bench.help}\n`);
} else {
  // `datapath` runs these as well.
  const all = Object.keys(benches).filter((name) => name !== 'flows' && name !== 'tunnels' && name !== 'tcp');
  const wanted = positionals.length === 0 ? all : positionals;
  for (const name of wanted) {
    const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
    if (bench === undefined) {
      process.stderr.write(`bench: no benchmark is named ${name}; see --help\n`);
      process.exitCode = 1;
      break;
    }
    const only = values.only === '' ? [] : values.only.split(',');
    const rounds = Number(values.rounds ?? bench.rounds ?? 3);
    const seconds = Number(values.seconds ?? bench.seconds ?? 3);
    await (await bench.load()).run({ rounds, seconds, only, scenario: values.scenario });
  }
}
