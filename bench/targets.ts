// The data plane's targets, and what a run of `npm run bench -- datapath` reached of each.
import { systemContenders } from './contender.ts';
import type { Medians } from './netdev.ts';
import type { Table } from './table.ts';
import { SECOND_BRIDGE, turnRatio } from './turns.ts';

export interface Target {
  /** What is measured. */
  text: string;
  /** NaN when not measured. */
  figure: number;
  /** What it should be, in words; where there is no bound it is only stated. */
  wanted: string;
  isMet: boolean | undefined;
}

/** What `system` should have of Open vSwitch netdev's TCP. */
const TIMES_NETDEV = 15;

/** Of the kernel's program alone, nanoseconds for a frame. */
export interface ProgramFigures {
  oneFlow: number;
  manyFlows: number;
  /** For each further mask that the first frame of a flow is looked up in, in vain. */
  perMask: number;
}

const label = (name: string): string => systemContenders.find((contender) => contender.name === name)?.label ?? name;

/** Each target with its figure. */
export function targets(traffic: Medians, turns: Table, flows: Table, tunnels: Table, program: ProgramFigures): Target[] {
  const all: Target[] = [];
  const least = (text: string, figure: number, bound: number): void =>
    void all.push({ text, figure, wanted: `at least ${bound}`, isMet: figure >= bound });
  const most = (text: string, figure: number, bound: number): void =>
    void all.push({ text, figure, wanted: `at most ${bound}`, isMet: figure <= bound });
  const state = (text: string, figure: number): void => void all.push({ text, figure, wanted: 'to be stated', isMet: undefined });
  const ratio = (name: string, base: string, figure: 'tcp' | 'frames'): number =>
    (traffic(name)?.[figure] ?? Number.NaN) / (traffic(base)?.[figure] ?? Number.NaN);
  const turn = turnRatio(turns, label('weft-system'));
  const second = turnRatio(turns, SECOND_BRIDGE);
  all.push({
    text: 'system: TCP to the Linux bridge, in turns',
    figure: turn,
    wanted: `at least 1, or what a second bridge has: ${second.toFixed(2)}`,
    isMet: turn >= Math.min(1, second),
  });
  least('system: frames/s to the Linux bridge', ratio('weft-system', 'bridge', 'frames'), 1);
  const limit = ratio('bridge', 'ovs', 'tcp');
  const times = ratio('weft-system', 'ovs', 'tcp');
  // What the kernel itself does not have is nobody's to reach (decision 010): then the first row is the target.
  if (limit < TIMES_NETDEV)
    all.push({
      text: 'system: TCP to Open vSwitch netdev',
      figure: times,
      wanted: `at least ${TIMES_NETDEV}, of which the Linux bridge has ${limit.toFixed(1)}`,
      isMet: undefined,
    });
  else least('system: TCP to Open vSwitch netdev', times, TIMES_NETDEV);
  least('system: frames/s to Open vSwitch netdev', ratio('weft-system', 'ovs', 'frames'), 3);
  least('netdev: TCP to Open vSwitch netdev', ratio('weft', 'ovs', 'tcp'), 8);
  least('netdev: frames/s to Open vSwitch netdev', ratio('weft', 'ovs', 'frames'), 3);
  const flow = (scenario: string, name: string, column: string): number => flows.median(`${scenario}: ${label(name)}`, column);
  const frames = (scenario: string): number => flow(scenario, 'weft-system', 'frames/s');
  most('system: frames/s of 1 flow to those of 100,000', flow('100,000 flows', 'weft-system', 'one flow to all'), 1.3);
  state('system: the program alone, time with 100,000 flows to that with 1', program.manyFlows / program.oneFlow);
  state('system: a further mask, ns of the first frame of a flow', program.perMask);
  state('system: a further mask, ns of any frame of traffic under 50', (1e9 / frames('50 masks') - 1e9 / frames('1 mask')) / 49);
  for (const name of ['weft-system', 'weft']) {
    const short = name === 'weft' ? 'netdev' : 'system';
    least(`${short}: new flows/s to Open vSwitch netdev`, flow('new flows', name, 'frames/s') / flow('new flows', 'ovs', 'frames/s'), 1);
    most(`${short}: first frame of a flow, 99th of a hundred, ms`, flow('new flows', name, 'p99'), 5);
    const cpu = flow('new flows', name, 'CPU ns/frame') / flow('new flows', 'ovs', 'CPU ns/frame');
    state(`${short}: processor time of a new flow to Open vSwitch netdev`, cpu);
  }
  for (const name of ['ovs', 'bridge'])
    state(`${label(name)}: first frame of a flow, 99th of a hundred, ms`, flow('new flows', name, 'p99'));
  const tunnel = (path: string, name: string): number =>
    tunnels.median(`${path}: ${label(name)}`, 'TCP Gbit/s') / tunnels.median(`untunnelled: ${label(name)}`, 'TCP Gbit/s');
  for (const path of ['gre', 'vxlan', 'geneve']) least(`system: TCP through ${path} to untunnelled`, tunnel(path, 'weft-system'), 0.7);
  for (const name of ['weft', 'ovs']) state(`${label(name)}: TCP through vxlan to untunnelled`, tunnel('vxlan', name));
  return all;
}

/** One line each. */
export function printTargets(all: readonly Target[]): void {
  process.stdout.write('\ntargets of docs/performance.md: measured (wanted)\n');
  for (const { text, figure, wanted, isMet } of all) {
    const verdict = Number.isNaN(figure) ? 'not measured' : isMet === undefined ? '-' : isMet ? 'met' : 'NOT MET';
    process.stdout.write(`  ${verdict.padEnd(12)}  ${text}: ${figure.toFixed(2)} (${wanted})\n`);
  }
}
