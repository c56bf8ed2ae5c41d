// Coverage counters: how often something rare or interesting happened, for `ovs-appctl coverage/show`. Never per frame.
import type { Clock } from './clock.ts';

/** One event's counter. */
export interface CoverageCounter {
  readonly name: string;
  total: number;
}

interface Tracked extends CoverageCounter {
  before: number;
  /** Counts of the last 12 periods of 5 seconds and of the last 60 minutes. */
  periods: number[];
  minutes: number[];
}

const counters = new Map<string, Tracked>();
const PERIOD_SEC = 5;

/** The counter of that name, the same one each time. */
export function coverageCounter(name: string): CoverageCounter {
  let counter = counters.get(name);
  if (counter === undefined) {
    counter = { name, total: 0, before: 0, periods: [], minutes: [] };
    counters.set(name, counter);
  }
  return counter;
}

/** Takes a sample every five seconds from now on. */
export function runCoverage(clock: Clock): () => void {
  let periods = 0;
  let cancel = (): void => {};
  const sample = (): void => {
    periods++;
    for (const counter of counters.values()) {
      counter.periods.unshift(counter.total - counter.before);
      counter.before = counter.total;
      counter.periods.length = Math.min(counter.periods.length, 12);
      if (periods % 12 === 0) {
        counter.minutes.unshift(sum(counter.periods));
        counter.minutes.length = Math.min(counter.minutes.length, 60);
      }
    }
    cancel = clock.after(PERIOD_SEC * 1000, sample);
  };
  cancel = clock.after(PERIOD_SEC * 1000, sample);
  return () => cancel();
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);

/** The total of a counter, or undefined when there is none of that name. */
export function readCoverage(name: string): number | undefined {
  return counters.get(name)?.total;
}

/** The text of `coverage/show`. */
export function formatCoverage(): string {
  const all = [...counters.values()];
  const hit = all.filter((counter) => counter.total > 0);
  let hash = 0x811c9dc5;
  for (const { name } of hit) for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  const lines = [
    `Event coverage, avg rate over last: ${PERIOD_SEC} seconds, last minute, last hour,  hash=${hash.toString(16).padStart(8, '0')}:`,
  ];
  for (const { name, periods, minutes, total } of hit) {
    const rates = [(periods[0] ?? 0) / PERIOD_SEC, sum(periods) / 60, (sum(minutes) + sum(periods)) / 3600];
    const text = [rates[0]?.toFixed(1), rates[1]?.toFixed(3), rates[2]?.toFixed(4)];
    lines.push(
      `${name.padEnd(24)} ${text[0]?.padStart(5)}/sec ${text[1]?.padStart(9)}/sec   ${text[2]?.padStart(11)}/sec   total: ${total}`,
    );
  }
  lines.push(`${all.length - hit.length} events never hit`);
  return lines.join('\n');
}
