// TCP, small frames and latency through one switch between two namespaces: the first table of docs/performance.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { type Contender, contenders } from './contender.ts';
import type { BenchOptions } from './main.ts';
import { LEFT_IP, pingMicroseconds, RIGHT_IP, smallFrames, tcpGbits } from './measure.ts';
import { must, root, Site } from './namespaces.ts';

interface Figures {
  tcpGbits: number[];
  framesPerSec: number[];
  offeredPerSec: number[];
  cpuNs: number[];
  /** At a load that every contender takes. */
  steadyCpuNs: number[];
  pingUs: number[];
}

/** Frames a second that Open vSwitch still takes on a slow machine. */
const STEADY_PER_SEC = 20_000;

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function round(contender: Contender, seconds: number, figures: Figures, isSteadyToo: boolean): Promise<void> {
  const site = new Site();
  try {
    const [middle, left, right] = [site.namespace('m'), site.namespace('l'), site.namespace('r')];
    site.wire(middle, 'va', left, 'ea');
    site.wire(middle, 'vb', right, 'eb');
    must(['ip', '-n', left, 'addr', 'add', `${LEFT_IP}/24`, 'dev', 'ea']);
    must(['ip', '-n', right, 'addr', 'add', `${RIGHT_IP}/24`, 'dev', 'eb']);
    await contender.start(site, middle, left, right);
    site.run(left, ['ping', '-c', '3', '-i', '0.2', '-w', '10', RIGHT_IP]);
    figures.pingUs.push(await pingMicroseconds(site, left));
    figures.tcpGbits.push(await tcpGbits(site, left, right, seconds));
    const pid = contender.process?.(site, middle);
    if (pid !== undefined && isSteadyToo) {
      const { cpuNs, arrived, offered } = await smallFrames(site, left, middle, right, seconds, { pid, ratePerSec: STEADY_PER_SEC });
      if (cpuNs !== undefined && arrived > offered * 0.9) figures.steadyCpuNs.push(cpuNs);
    }
    const frames = await smallFrames(site, left, middle, right, seconds, { pid });
    figures.framesPerSec.push(frames.arrived);
    figures.offeredPerSec.push(frames.offered);
    if (frames.cpuNs !== undefined) figures.cpuNs.push(frames.cpuNs);
  } finally {
    site.end();
  }
}

/** The user-space datapath. */
export async function run(options: BenchOptions): Promise<void> {
  await compare('netdev', contenders, options);
}

/** Medians of a contender. */
export type Medians = (name: string) => { tcp: number; frames: number } | undefined;

/** Runs all contenders in turn, several rounds, and prints and keeps the table. */
export async function compare(bench: string, all: readonly Contender[], options: BenchOptions): Promise<Medians> {
  const results = new Map<Contender, Figures>();
  for (const contender of all) {
    if (options.only.length > 0 && !options.only.includes(contender.name)) continue;
    const reason = contender.cannot();
    if (reason === '')
      results.set(contender, { tcpGbits: [], framesPerSec: [], offeredPerSec: [], cpuNs: [], steadyCpuNs: [], pingUs: [] });
    else process.stderr.write(`${contender.label}: left out: ${reason}\n`);
  }
  for (let i = 1; i <= options.rounds; i++) {
    for (const [contender, figures] of results) {
      process.stderr.write(`round ${i} of ${options.rounds}: ${contender.label}\n`);
      try {
        await round(contender, options.seconds, figures, bench === 'netdev');
      } catch (error) {
        process.stderr.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }
  print(bench, results);
  keep(bench, results, options);
  return (name) => {
    const figures = [...results].find(([contender]) => contender.name === name)?.[1];
    return figures === undefined ? undefined : { tcp: median(figures.tcpGbits), frames: median(figures.framesPerSec) };
  };
}

function print(bench: string, results: ReadonlyMap<Contender, Figures>): void {
  const base = [...results].find(([contender]) => contender.name === 'ovs')?.[1];
  const cell = (values: number[], digits: number, against: number[] | undefined): string => {
    if (values.length === 0) return '-';
    const figure = median(values).toFixed(digits);
    const spread = `${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)}`;
    const ratio = against === undefined || against.length === 0 ? '' : ` ${(median(values) / median(against)).toFixed(2)}x`;
    return `${figure} (${spread})${ratio}`;
  };
  const rows = [['', 'TCP Gbit/s', '64-byte frames/s', 'offered/s', 'CPU ns/frame', `the same at ${STEADY_PER_SEC}/s`, 'ping us']];
  for (const [contender, f] of results) {
    rows.push([
      contender.label,
      cell(f.tcpGbits, 2, base?.tcpGbits),
      cell(f.framesPerSec, 0, base?.framesPerSec),
      cell(f.offeredPerSec, 0, undefined),
      cell(f.cpuNs, 0, base?.cpuNs),
      cell(f.steadyCpuNs, 0, base?.steadyCpuNs),
      cell(f.pingUs, 0, undefined),
    ]);
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  process.stdout.write(`\n${bench}: median (lowest-highest), ratio to Open vSwitch\n`);
  for (const row of rows)
    process.stdout.write(
      `  ${row
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()}\n`,
    );
}

function keep(bench: string, results: ReadonlyMap<Contender, Figures>, options: BenchOptions): void {
  const dir = join(root, 'bench/results');
  mkdirSync(dir, { recursive: true });
  const record = {
    bench,
    at: new Date().toISOString(),
    machine: { kernel: release(), cpus: cpus().length, model: cpus()[0]?.model ?? '' },
    rounds: options.rounds,
    seconds: options.seconds,
    contenders: [...results].map(([contender, figures]) => ({
      name: contender.name,
      label: contender.label,
      median: {
        tcpGbits: median(figures.tcpGbits),
        framesPerSec: median(figures.framesPerSec),
        offeredPerSec: median(figures.offeredPerSec),
        cpuNs: median(figures.cpuNs),
        steadyCpuNs: median(figures.steadyCpuNs),
        pingUs: median(figures.pingUs),
      },
      all: figures,
    })),
  };
  const file = join(dir, `${bench}.json`);
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  process.stdout.write(`\nkept in bench/results/${bench}.json\n`);
}
