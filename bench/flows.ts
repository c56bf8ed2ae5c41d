// The same switches with OpenFlow rules: ten tables in a row; 1, 1,000 and 100,000 flows; 1, 10 and 50 masks; and frames that each begin a
// new flow, with the time that the first frame of a flow takes. The Linux bridge, which knows no rules, has the same frames: what the machine can do.
import { type Contender, systemContenders } from './contender.ts';
import type { BenchOptions } from './main.ts';
import { LEFT_IP, newFlowMs, pingMicroseconds, RIGHT_IP, smallFrames, tcpGbits } from './measure.ts';
import { must, Site } from './namespaces.ts';
import { Table } from './table.ts';

/** What everything else than the frames measured needs. */
const OTHERS = ['priority=1,arp,actions=NORMAL', 'priority=1,in_port=2,actions=output:1', 'priority=0,actions=output:2'];

/** Ten tables, each of which looks at something else and goes on. */
function tenTables(): string[] {
  const looks = ['in_port=1', 'ip', 'ip,nw_ttl=64', 'ip,nw_tos=0', 'ip,nw_src=10.9.0.0/24', 'ip,nw_frag=no'];
  const rules: string[] = ['table=0,priority=9,arp,actions=NORMAL', 'table=0,priority=8,in_port=2,actions=output:1'];
  for (let table = 0; table < 9; table++) {
    rules.push(`table=${table},priority=5,${looks[table % looks.length]},actions=resubmit(,${table + 1})`);
    for (let i = 0; i < 20; i++) rules.push(`table=${table},priority=7,ip,nw_dst=172.${table}.${i}.0/24,actions=drop`);
  }
  return [...rules, 'table=9,actions=output:2'];
}

/** Each destination and source port is a flow of its own. */
const perFlow = [
  ...OTHERS,
  'priority=5,in_port=1,udp,actions=move:NXM_OF_IP_DST[]->NXM_NX_REG0[],move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],output:2',
];

/** As many masks as networks: each network has a rule that asks about other bits of the source. */
const perMask = (nets: number): string[] => [
  ...OTHERS,
  ...Array.from({ length: nets }, (_, i) => {
    const mask = [255, 255, i, 254].join('.');
    return `priority=5,in_port=1,udp,nw_dst=20.${i}.0.0/16,nw_src=10.9.0.0/${mask},actions=output:2`;
  }),
];

interface Scenario {
  name: string;
  rules: readonly string[];
  flows: number;
  nets: number;
  warmUpMs: number;
  introduction?: { ms: number; ratePerSec: number };
  withTcp?: boolean;
  isSetup?: boolean;
}

/** Flows a second that are introduced to a switch. */
const INTRODUCED_PER_SEC = 5000;

const frames = (name: string, rules: readonly string[], flows: number, nets = 1): Scenario => {
  const scenario = { name, rules, flows, nets, warmUpMs: 2000 };
  // A switch lets the number of its flows grow by 1,000 each half second, from 10,000 on.
  const ms = Math.max(flows / INTRODUCED_PER_SEC, flows / 2000) * 1000 + 5000;
  return flows < 1000 ? scenario : { ...scenario, introduction: { ms, ratePerSec: INTRODUCED_PER_SEC } };
};

const scenarios: readonly Scenario[] = [
  { ...frames('10 tables', tenTables(), 1), withTcp: true },
  frames('1 flow', perFlow, 1),
  frames('1,000 flows', perFlow, 1000),
  frames('100,000 flows', perFlow, 100_000),
  frames('1 mask', perMask(1), 1, 1),
  frames('10 masks', perMask(10), 1, 10),
  frames('50 masks', perMask(50), 1, 50),
  { name: 'new flows', rules: perFlow, flows: 60_000_000, nets: 1, warmUpMs: 500, isSetup: true },
];

async function round(contender: Contender, scenario: Scenario, seconds: number, table: Table): Promise<void> {
  const site = new Site();
  const row = `${scenario.name}: ${contender.label}`;
  try {
    const [middle, left, right] = [site.namespace('m'), site.namespace('l'), site.namespace('r')];
    site.wire(middle, 'va', left, 'ea');
    site.wire(middle, 'vb', right, 'eb');
    must(['ip', '-n', left, 'addr', 'add', `${LEFT_IP}/24`, 'dev', 'ea']);
    must(['ip', '-n', right, 'addr', 'add', `${RIGHT_IP}/24`, 'dev', 'eb']);
    await contender.start(site, middle, left, right);
    contender.rules?.(site, middle, scenario.rules);
    // Else flows end before their next frame comes.
    contender.vsctl?.(site, middle, ['set', 'Open_vSwitch', '.', 'other_config:max-idle=300000']);
    site.run(left, ['ping', '-c', '3', '-i', '0.2', '-w', '10', RIGHT_IP]);
    if (scenario.isSetup === true) {
      const { p50, p99 } = await newFlowMs(site, left, right, 1000, seconds);
      table.add(row, 'first frame ms, median', p50);
      table.add(row, 'p99', p99);
    }
    if (scenario.withTcp === true) {
      table.add(row, 'ping us', await pingMicroseconds(site, left));
      table.add(row, 'TCP Gbit/s', await tcpGbits(site, left, right, seconds));
    }
    const pid = contender.process?.(site, middle);
    const { arrived, cpuNs } = await smallFrames(site, left, middle, right, seconds, { variety: scenario, pid });
    table.add(row, 'frames/s', arrived);
    if (cpuNs !== undefined) table.add(row, 'CPU ns/frame', cpuNs);
  } finally {
    site.end();
  }
}

/** Runs all scenarios with all contenders, in turn. */
export async function run(options: BenchOptions): Promise<Table> {
  const table = new Table('flows', [
    { name: 'TCP Gbit/s', digits: 2 },
    { name: 'frames/s', digits: 0 },
    { name: 'CPU ns/frame', digits: 0 },
    { name: 'ping us', digits: 0 },
    { name: 'first frame ms, median', digits: 2 },
    { name: 'p99', digits: 2 },
  ]);
  const chosen = systemContenders.filter(
    (contender) => contender.cannot() === '' && (options.only.length === 0 || options.only.includes(contender.name)),
  );
  for (const scenario of scenarios) {
    if (!scenario.name.includes(options.scenario)) continue;
    for (let i = 1; i <= options.rounds; i++) {
      for (const contender of chosen) {
        process.stderr.write(`${scenario.name}, round ${i} of ${options.rounds}: ${contender.label}\n`);
        try {
          await round(contender, scenario, options.seconds, table);
        } catch (error) {
          process.stderr.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
        }
      }
    }
  }
  const reference = chosen.find((contender) => contender.name === 'ovs');
  table.print('flows', (row) => (reference === undefined ? undefined : row.replace(/: .*/, `: ${reference.label}`)));
  table.keep(options);
  return table;
}
