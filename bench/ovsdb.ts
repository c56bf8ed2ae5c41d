// Transactions a second of ovsdb-server: 1, 10 and 100 clients, 0 and 100 monitors, durable or not; ours beside Open vSwitch's, in short turns,
// with the same client program. Then a large database.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './main.ts';
import { Load, SCHEMA } from './ovsdb-load.ts';
import { measureSize, type SizeResult } from './ovsdb-size.ts';

const root = join(import.meta.dirname, '..');
const contenders = [
  { name: 'weft', server: join(root, 'bin/ovsdb-server') },
  { name: 'ovs', server: '/usr/sbin/ovsdb-server' },
];
const WARM_UP_MS = 800;
/** Contenders take turns this often, both running, so that what else the machine does hits them alike. */
const SLICE_MS = 200;

interface Server {
  readonly dir: string;
  readonly child: ChildProcess;
  load: Load | undefined;
}

interface Measured {
  readonly rates: number[];
  /** Microseconds of processor time of the server for a transaction. */
  readonly cpuUs: number[];
  rssMb: number;
}

/** Processor time of all threads of a process so far, in microseconds. */
function cpuTimeUs(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  }
  return total;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function start(server: string): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-ovsdb-'));
  const path = join(dir, 's');
  writeFileSync(join(dir, 'schema'), SCHEMA);
  execFileSync(join(root, 'bin/ovsdb-tool'), ['create', join(dir, 'db'), join(dir, 'schema')]);
  const child = spawn(server, [`--remote=punix:${path}`, '--unixctl=none', '-vconsole:off', join(dir, 'db')], { stdio: 'ignore' });
  for (let i = 0; i < 400 && !existsSync(path); i++) await sleep(25);
  await sleep(100);
  return { dir, child, load: undefined };
}

/** A server that is still going down may write once more. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

function slice(server: Server, measured: Measured): void {
  const pid = server.child.pid ?? 0;
  const before = cpuTimeUs(pid);
  const began = performance.now();
  const rate = server.load?.run(SLICE_MS) ?? Number.NaN;
  // The slice's own time and not the rest's: what is left to be read adds a little to both.
  const count = (rate * Math.min(SLICE_MS, performance.now() - began)) / 1000;
  measured.rates.push(rate);
  measured.cpuUs.push((cpuTimeUs(pid) - before) / Math.max(1, count));
}

/** One round: all contenders up, then slices in turn. */
async function round(servers: readonly string[], shape: Shape, seconds: number, measured: readonly Measured[]): Promise<void> {
  const running: Server[] = [];
  try {
    for (const server of servers) {
      const started = await start(server);
      running.push(started);
      started.load = new Load(join(started.dir, 's'), shape.clients, shape.monitors, shape.isDurable);
    }
    for (const { load } of running) for (let ms = 0; ms < WARM_UP_MS; ms += SLICE_MS) load?.run(SLICE_MS);
    for (let i = 0; i < (seconds * 1000) / SLICE_MS; i++) {
      const order = [...running.keys()];
      if (i % 2 === 1) order.reverse();
      for (const at of order) slice(running[at] as Server, measured[at] as Measured);
      await sleep(0);
    }
    for (const [at, { child }] of running.entries()) {
      const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? '0';
      (measured[at] as Measured).rssMb = Number(rss) / 1024;
    }
  } finally {
    for (const { load, child, dir } of running) {
      load?.close();
      await end(child);
      rmSync(dir, { recursive: true, force: true });
    }
  }
}

interface Shape {
  clients: number;
  monitors: number;
  isDurable: boolean;
}

/** What `--scenario` is looked for in. */
const nameOf = ({ clients, monitors, isDurable }: Shape): string =>
  `clients ${clients}, monitors ${monitors}, ${isDurable ? 'durable' : 'not durable'}`;
const LARGE = '100 MB database';

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;

async function measureRates(options: BenchOptions, wanted: readonly (typeof contenders)[number][], results: object[]): Promise<void> {
  process.stdout.write(
    'clients monitors durable    weft tx/s     ovs tx/s   ratio (quartiles)  weft us/tx  ovs us/tx   ratio  weft MB  ovs MB\n',
  );
  for (const isDurable of [false, true]) {
    for (const monitors of [0, 100]) {
      for (const clients of [1, 10, 100]) {
        const shape = { clients, monitors, isDurable };
        if (!nameOf(shape).includes(options.scenario)) continue;
        const measured = wanted.map((): Measured => ({ rates: [], cpuUs: [], rssMb: 0 }));
        const servers = wanted.map(({ server }) => server);
        for (let i = 0; i < options.rounds; i++) await round(servers, shape, options.seconds, measured);
        const of = (name: string): Measured =>
          measured[wanted.findIndex((one) => one.name === name)] ?? { rates: [], cpuUs: [], rssMb: Number.NaN };
        const [weft, ovs] = [of('weft'), of('ovs')];
        // Slices that followed each other are compared.
        const ratios = sorted(weft.rates.map((rate, i) => rate / (ovs.rates[i] ?? Number.NaN)));
        const quartile = (part: number): string => (ratios[Math.floor((ratios.length * part) / 4)] ?? Number.NaN).toFixed(2);
        const cells = [clients, monitors, isDurable ? 'yes' : 'no', median(weft.rates).toFixed(0), median(ovs.rates).toFixed(0)];
        cells.push(
          median(ratios).toFixed(2),
          `(${quartile(1)}-${quartile(3)})`,
          median(weft.cpuUs).toFixed(1),
          median(ovs.cpuUs).toFixed(1),
        );
        cells.push((median(ovs.cpuUs) / median(weft.cpuUs)).toFixed(2), weft.rssMb.toFixed(0), ovs.rssMb.toFixed(0));
        const widths = [7, 8, 7, 12, 12, 7, 12, 11, 10, 7, 8, 7];
        process.stdout.write(`${cells.map((cell, i) => String(cell).padStart(widths[i] ?? 8)).join(' ')}\n`);
        results.push({ ...shape, ratio: median(ratios), weft, ovs });
      }
    }
  }
}

export async function run(options: BenchOptions): Promise<void> {
  const results: object[] = [];
  const wanted = contenders.filter(({ name, server }) => existsSync(server) && (options.only.length === 0 || options.only.includes(name)));
  await measureRates(options, wanted, results);
  if (LARGE.includes(options.scenario)) results.push({ large: await measureLarge(options, wanted) });
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, 'bench/results/ovsdb.json'), `${JSON.stringify(results, undefined, 1)}\n`);
}

async function measureLarge(options: BenchOptions, wanted: readonly (typeof contenders)[number][]): Promise<object> {
  process.stdout.write('\n100 MB database      weft      ovs    ratio\n');
  const sizes = new Map(contenders.map(({ name }) => [name, [] as SizeResult[]]));
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, server } of wanted) sizes.get(name)?.push(await measureSize(server, 100e6));
  }
  for (const [label, member] of [
    ['open, ms', 'openMs'],
    ['dump, ms', 'dumpMs'],
    ['memory after, MB', 'rssMb'],
    ['memory at most, MB', 'peakMb'],
  ] as const) {
    const [weft, ovs] = contenders.map(({ name }) => median((sizes.get(name) ?? []).map((size) => size[member]))) as [number, number];
    // Less is better: the ratio is turned, so that more is better as above.
    process.stdout.write(
      `${label.padEnd(18)} ${weft.toFixed(0).padStart(6)}   ${ovs.toFixed(0).padStart(6)}   ${(ovs / weft).toFixed(2).padStart(6)}\n`,
    );
  }
  return Object.fromEntries(sizes);
}
