// The data plane's targets, and what a run of `npm run bench -- datapath` reached of each.
import { systemContenders } from './contender.ts';
import type { Medians } from './netdev.ts';
import type { Table } from './table.ts';

export interface Target {
  text: string;
  /** NaN when not measured. */
  figure: number;
  isMet: boolean;
}

const label = (name: string): string => systemContenders.find((contender) => contender.name === name)?.label ?? name;

/** Each target with its figure. */
export function targets(traffic: Medians, flows: Table, tunnels: Table): Target[] {
  const all: Target[] = [];
  const least = (text: string, figure: number, bound: number): void =>
    void all.push({ text: `${text}, at least ${bound}`, figure, isMet: figure >= bound });
  const most = (text: string, figure: number, bound: number): void =>
    void all.push({ text: `${text}, at most ${bound}`, figure, isMet: figure <= bound });
  const ratio = (name: string, base: string, figure: 'tcp' | 'frames'): number =>
    (traffic(name)?.[figure] ?? Number.NaN) / (traffic(base)?.[figure] ?? Number.NaN);
  least('system TCP to the Linux bridge', ratio('weft-system', 'bridge', 'tcp'), 1);
  least('system frames/s to the Linux bridge', ratio('weft-system', 'bridge', 'frames'), 1);
  least('system TCP to Open vSwitch netdev', ratio('weft-system', 'ovs', 'tcp'), 15);
  least('system frames/s to Open vSwitch netdev', ratio('weft-system', 'ovs', 'frames'), 3);
  least('netdev TCP to Open vSwitch netdev', ratio('weft', 'ovs', 'tcp'), 8);
  least('netdev frames/s to Open vSwitch netdev', ratio('weft', 'ovs', 'frames'), 3);
  const flow = (scenario: string, name: string, column: string): number => flows.median(`${scenario}: ${label(name)}`, column);
  const few = flow('1 flow', 'weft-system', 'frames/s');
  most('system frames/s, 1 flow to 100,000', few / flow('100,000 flows', 'weft-system', 'frames/s'), 1.3);
  for (const name of ['weft-system', 'weft']) {
    most(`${label(name)}: 99th of a hundred first frames, ms`, flow('new flows', name, 'p99'), 5);
    const rate = flow('new flows', name, 'frames/s') / flow('new flows', 'ovs', 'frames/s');
    least(`${label(name)}: frames/s that each begin a flow, to Open vSwitch netdev`, rate, 1);
  }
  const tunnel = (path: string): number => tunnels.median(`${path}: ${label('weft-system')}`, 'TCP Gbit/s');
  for (const path of ['gre', 'vxlan', 'geneve']) least(`system TCP, ${path} to untunnelled`, tunnel(path) / tunnel('untunnelled'), 0.7);
  return all;
}
