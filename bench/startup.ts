// What a command costs from start to end, beside the bare runtime (`node -e 0`): wall time and processor time, medians over interleaved rounds.
// The servers are Debian's, with a dummy datapath, so that only the tools differ; Debian's own tools stand below for comparison.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './main.ts';

const root = join(import.meta.dirname, '..');
const LIMIT = 1.5;

interface Contender {
  name: string;
  argv: string[];
  wallMs: number[];
  cpuMs: number[];
}

/** Prints the table. */
export function run(options: BenchOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-startup-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  try {
    startServers(dir, env);
    measure(dir, env, Math.max(options.rounds * 10, 10), options.only);
  } finally {
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server']) stop(`${dir}/${daemon}.pid`);
    rmSync(dir, { recursive: true });
  }
  return Promise.resolve();
}

function startServers(dir: string, env: NodeJS.ProcessEnv): void {
  const must = (program: string, ...args: string[]): void => {
    const { status, stderr } = spawnSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  };
  const daemon = ['--detach', '--no-chdir', '-vconsole:off'];
  must('/usr/bin/ovsdb-tool', 'create', `${dir}/conf.db`, '/usr/share/openvswitch/vswitch.ovsschema');
  must('/usr/sbin/ovsdb-server', `--remote=punix:${dir}/db.sock`, ...daemon, `--pidfile=${dir}/ovsdb-server.pid`, `${dir}/conf.db`);
  must('/usr/bin/ovs-vsctl', '--no-wait', 'init');
  must('/usr/sbin/ovs-vswitchd', '--enable-dummy', ...daemon, `--pidfile=${dir}/ovs-vswitchd.pid`, `unix:${dir}/db.sock`);
  must('/usr/bin/ovs-vsctl', 'add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy');
}

function stop(pidfile: string): void {
  try {
    process.kill(Number(readFileSync(pidfile, 'utf8')));
  } catch {
    // It never came up.
  }
}

function measure(dir: string, env: NodeJS.ProcessEnv, rounds: number, only: readonly string[]): void {
  const commands = [
    ['ovs-vsctl', 'list-br'],
    ['ovs-vsctl', 'show'],
    ['ovs-ofctl', 'dump-flows', 'br0'],
    ['ovs-ofctl', 'add-flow', 'br0', 'priority=7,ip,nw_dst=10.0.0.1,actions=output:1'],
    ['ovs-appctl', 'version'],
    ['ovsdb-client', 'list-dbs'],
    ['ovsdb-client', 'dump', 'Bridge', 'name'],
    ['ovsdb-tool', 'db-name', `${dir}/conf.db`],
  ].filter(([tool]) => only.length === 0 || only.includes(String(tool)));
  const contenders: Contender[] = [{ name: 'bare runtime', argv: [process.execPath, '-e', '0'], wallMs: [], cpuMs: [] }];
  for (const [tool, ...args] of commands) {
    contenders.push({ name: [tool, ...args].join(' '), argv: [join(root, 'bin', String(tool)), ...args], wallMs: [], cpuMs: [] });
  }
  for (const [tool, ...args] of commands.slice(0, 3)) {
    contenders.push({ name: `Debian's ${[tool, ...args].join(' ')}`, argv: [`/usr/bin/${tool}`, ...args], wallMs: [], cpuMs: [] });
  }
  // The first two rounds make bundles and bytecode.
  for (let round = -2; round < rounds; round++) {
    for (const contender of contenders) {
      const [program = '', ...args] = contender.argv;
      const before = childrenCpuMs();
      const start = performance.now();
      const { status, stderr } = spawnSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
      const wall = performance.now() - start;
      if (status !== 0) throw new Error(`${contender.name}: ${stderr}`);
      if (round < 0) continue;
      contender.wallMs.push(wall);
      contender.cpuMs.push(childrenCpuMs() - before);
    }
  }
  report(contenders, rounds);
}

/** Processor time of all children that have ended, in clock ticks of 10 ms summed by the kernel, too coarse alone: medians over rounds smooth it. */
function childrenCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

const sorted = (values: readonly number[]): number[] => [...values].sort((x, y) => x - y);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function report(contenders: readonly Contender[], rounds: number): void {
  const [bare] = contenders;
  if (bare === undefined) return;
  process.stdout.write(`\nStart to end of one command, ${rounds} rounds, against the bare runtime (target ${LIMIT}x)\n\n`);
  process.stdout.write(
    `${'command'.padEnd(72)}${'wall ms'.padStart(9)}${'lowest'.padStart(9)}${'ratio'.padStart(8)}${'CPU ms'.padStart(9)}${'ratio'.padStart(8)}\n`,
  );
  const rows = contenders.map(({ name, wallMs, cpuMs }) => {
    const row = {
      name,
      wallMs: median(wallMs),
      lowestMs: sorted(wallMs)[0] ?? Number.NaN,
      wallRatio: median(wallMs) / median(bare.wallMs),
      cpuMs: mean(cpuMs),
      cpuRatio: mean(cpuMs) / mean(bare.cpuMs),
    };
    const cells = [row.wallMs.toFixed(1).padStart(9), row.lowestMs.toFixed(1).padStart(9), `${row.wallRatio.toFixed(2)}x`.padStart(8)];
    cells.push(row.cpuMs.toFixed(1).padStart(9), `${row.cpuRatio.toFixed(2)}x`.padStart(8));
    process.stdout.write(`${name.padEnd(72)}${cells.join('')}\n`);
    return row;
  });
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, 'bench/results/startup.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
}
