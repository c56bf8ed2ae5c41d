// TCP through switches that stand beside each other and take turns of about a second, to and fro: what else the machine does hits neighbours
// in time alike, so the median of their ratios tells apart what single runs, which differ by a quarter, cannot. A second bridge takes turns
// too: what its ratio differs from 1 by is chance.
import { type Contender, systemContenders } from './contender.ts';
import type { BenchOptions } from './main.ts';
import { LEFT_IP, RIGHT_IP, tcpGbits } from './measure.ts';
import { must, Site } from './namespaces.ts';
import { Table } from './table.ts';

/** What others are compared with. */
const BASE = 'bridge';
const bridge = systemContenders.find(({ name }) => name === BASE)!;
export const SECOND_BRIDGE = `${bridge.label}, a second one`;
export const TURNS = { rounds: 30, seconds: 1 } as const;
const RATIO = 'of the bridge, in turns';
/** Bytes that may be on their way: left to itself TCP has from a third of a megabyte to three, and the rate of any switch varies with that. */
const WINDOW = 512 << 10;

interface Place {
  contender: Contender;
  left: string;
  right: string;
}

/** Runs the bridge and the others in turns; the ratios stand in the table. */
export async function inTurns(others: readonly Contender[], { rounds, seconds }: { rounds: number; seconds: number }): Promise<Table> {
  const table = new Table('tcp', [
    { name: 'TCP Gbit/s', digits: 1 },
    { name: RATIO, digits: 3 },
  ]);
  const site = new Site();
  try {
    const places: Place[] = [];
    for (const contender of [bridge, ...others, { ...bridge, label: SECOND_BRIDGE }]) {
      const at = places.length;
      const [left, middle, right] = [site.namespace(`l${at}`), site.namespace(`m${at}`), site.namespace(`r${at}`)];
      site.wire(middle, 'va', left, 'ea');
      site.wire(middle, 'vb', right, 'eb');
      must(['ip', '-n', left, 'addr', 'add', `${LEFT_IP}/24`, 'dev', 'ea']);
      must(['ip', '-n', right, 'addr', 'add', `${RIGHT_IP}/24`, 'dev', 'eb']);
      await contender.start(site, middle, left, right);
      site.run(left, ['ping', '-c', '3', '-i', '0.2', '-w', '10', RIGHT_IP]);
      places.push({ contender, left, right });
    }
    for (let i = 0; i < rounds; i++) {
      process.stderr.write(`tcp in turns: round ${i + 1} of ${rounds}\n`);
      const gbits = new Map<Place, number>();
      for (const place of i % 2 === 0 ? places : places.toReversed())
        gbits.set(place, await tcpGbits(site, place.left, place.right, seconds, WINDOW));
      for (const [place, figure] of gbits) {
        table.add(place.contender.label, 'TCP Gbit/s', figure);
        if (place !== places[0]) table.add(place.contender.label, RATIO, figure / gbits.get(places[0]!)!);
      }
    }
  } finally {
    site.end();
  }
  table.print('tcp', () => undefined);
  return table;
}

/** TCP of the contender with this label to the bridge's. */
export const turnRatio = (table: Table, label: string): number => table.median(label, RATIO);

/** Without Open vSwitch netdev, which is slower by more than chance can hide, unless it is asked for. */
export async function run(options: BenchOptions): Promise<void> {
  const wanted = options.only.length > 0 ? options.only : ['weft-system'];
  const table = await inTurns(
    systemContenders.filter(({ name, cannot }) => name !== BASE && wanted.includes(name) && cannot() === ''),
    options,
  );
  table.keep(options);
}
