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

const MANY = 100_000;

interface Scenario {
  name: string;
  rules: readonly string[];
  flows: number;
  nets: number;
  withTcp?: boolean;
  /** Measured while each frame begins a flow. */
  isSetup?: boolean;
}

const scenarios: readonly Scenario[] = [
  { name: '10 tables', rules: tenTables(), flows: 1, nets: 1, withTcp: true },
  { name: '1 flow', rules: perFlow, flows: 1, nets: 1 },
  { name: '1,000 flows', rules: perFlow, flows: 1000, nets: 1 },
  { name: '100,000 flows', rules: perFlow, flows: MANY, nets: 1 },
  { name: '1 mask', rules: perMask(1), flows: 1, nets: 1 },
  { name: '10 masks', rules: perMask(10), flows: 1, nets: 10 },
  { name: '50 masks', rules: perMask(50), flows: 1, nets: 50 },
  { name: 'new flows', rules: perFlow, flows: 60_000_000, nets: 1, isSetup: true },
];

/** Flows a second that are introduced to a switch, and for how long at most. */
const INTRODUCED_PER_SEC = 10_000;
const MOST_INTRODUCED_MS = 30_000;
const FLOW_LIMIT = '200000';

/** A switch between two stations, for all scenarios in turn. */
class Bench {
  readonly site = new Site();
  readonly #contender: Contender;
  readonly middle = this.site.namespace('m');
  readonly left = this.site.namespace('l');
  readonly right = this.site.namespace('r');

  constructor(contender: Contender) {
    this.#contender = contender;
  }

  async start(): Promise<void> {
    const { site, middle, left, right } = this;
    const contender = this.#contender;
    site.wire(middle, 'va', left, 'ea');
    site.wire(middle, 'vb', right, 'eb');
    must(['ip', '-n', left, 'addr', 'add', `${LEFT_IP}/24`, 'dev', 'ea']);
    must(['ip', '-n', right, 'addr', 'add', `${RIGHT_IP}/24`, 'dev', 'eb']);
    await contender.start(site, middle, left, right);
    // Else flows end before their next frame comes.
    contender.vsctl?.(site, middle, ['set', 'Open_vSwitch', '.', 'other_config:max-idle=300000']);
    // Else the number of flows may only grow by 1,000 each half second.
    contender.appctl?.(site, middle, ['upcall/set-flow-limit', FLOW_LIMIT]);
  }

  /** Flows in the datapath; infinite where there are none. */
  #flowCount(): number {
    const text = this.#contender.appctl?.(this.site, this.middle, ['dpctl/show']);
    return text === undefined ? Number.POSITIVE_INFINITY : Number(/flows: (\d+)/.exec(text)?.[1]);
  }

  async measure(scenario: Scenario, seconds: number, table: Table): Promise<void> {
    const { site, middle, left, right } = this;
    const contender = this.#contender;
    const row = `${scenario.name}: ${contender.label}`;
    contender.rules?.(site, middle, scenario.rules);
    contender.appctl?.(site, middle, ['dpctl/del-flows']);
    site.run(left, ['ping', '-c', '2', '-i', '0.2', '-w', '10', RIGHT_IP]);
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
    const { flows, nets } = scenario;
    const isDone = (): boolean => this.#flowCount() >= flows;
    const introduction =
      scenario.isSetup === true || flows < 1000 || contender.appctl === undefined
        ? undefined
        : { ratePerSec: INTRODUCED_PER_SEC, mostMs: MOST_INTRODUCED_MS, isDone };
    const warmUpMs = scenario.isSetup === true ? 500 : 1000;
    const { arrived, cpuNs, threads } = await smallFrames(site, left, middle, right, seconds, {
      variety: { flows, nets, warmUpMs, introduction },
      pid,
    });
    table.add(row, 'frames/s', arrived);
    if (cpuNs !== undefined) table.add(row, 'CPU ns/frame', cpuNs);
    if (scenario.isSetup === true && threads !== undefined) {
      table.add(row, 'first thread', threads.first.ns);
      table.add(row, 'kernel', threads.first.systemNs);
      table.add(row, 'others', threads.others.ns);
      table.add(row, 'kernel there', threads.others.systemNs);
    }
    if (introduction !== undefined) table.add(row, 'flows in place', Math.min(flows, this.#flowCount()));
    if (flows !== MANY) return;
    // Another program may have the processor for a while: what is compared has to be measured close together.
    for (let i = 0; i < 3; i++) {
      const some = async (count: number): Promise<number> =>
        (await smallFrames(site, left, middle, right, seconds / 2, { variety: { flows: count, nets, warmUpMs: 500 }, pid })).arrived;
      const one = await some(1);
      table.add(row, 'one flow to all', one / (await some(MANY)));
    }
  }
}

/** Runs all scenarios with all contenders, in turn. */
export async function run(options: BenchOptions): Promise<Table> {
  const table = new Table('flows', [
    { name: 'TCP Gbit/s', digits: 2 },
    { name: 'frames/s', digits: 0 },
    { name: 'CPU ns/frame', digits: 0 },
    { name: 'first thread', digits: 0 },
    { name: 'kernel', digits: 0 },
    { name: 'others', digits: 0 },
    { name: 'kernel there', digits: 0 },
    { name: 'flows in place', digits: 0 },
    { name: 'one flow to all', digits: 2 },
    { name: 'ping us', digits: 0 },
    { name: 'first frame ms, median', digits: 2 },
    { name: 'p99', digits: 2 },
  ]);
  const chosen = systemContenders.filter(
    (contender) => contender.cannot() === '' && (options.only.length === 0 || options.only.includes(contender.name)),
  );
  for (let i = 1; i <= options.rounds; i++) {
    for (const contender of chosen) {
      const bench = new Bench(contender);
      try {
        await bench.start();
        for (const scenario of scenarios) {
          if (!scenario.name.includes(options.scenario)) continue;
          process.stderr.write(`flows, round ${i} of ${options.rounds}: ${contender.label}, ${scenario.name}\n`);
          try {
            await bench.measure(scenario, options.seconds, table);
          } catch (error) {
            process.stderr.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
          }
        }
      } finally {
        bench.site.end();
      }
    }
  }
  const reference = chosen.find((contender) => contender.name === 'ovs');
  table.print('flows', (row) => (reference === undefined ? undefined : row.replace(/: .*/, `: ${reference.label}`)));
  table.keep(options);
  return table;
}
