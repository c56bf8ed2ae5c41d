// 100,000 flows into a switch one by one and as one bundle, out again, and away: our ovs-vswitchd beside Open vSwitch's, in turns, under the
// same client (Debian's ovs-ofctl). Processor time of the daemon is shown beside the clock: on a shared machine it is the steadier figure.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeMessage, encodeMessage } from '../src/openflow/codec/codec.ts';
import type { FlowMod } from '../src/openflow/message.ts';
import { parseFlow } from '../src/openflow/text/flow-text.ts';
import type { BenchOptions } from './main.ts';

const root = join(import.meta.dirname, '..');
const FLOWS = Number(process.env['FLOWS'] ?? 100_000);
const CLIENT = '/usr/bin/ovs-ofctl';
const VERSIONS = 'OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
const contenders = [
  { name: 'weft', program: join(root, 'bin/ovs-vswitchd') },
  { name: 'ovs', program: '/usr/sbin/ovs-vswitchd' },
];

/** Flows as a firewall has them: addresses, ports and priorities differ, over a few masks and tables. */
function flowLines(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const address = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
    const shapes = [
      `tcp,nw_src=${address},tp_dst=${1 + (i % 1000)}`,
      `ip,nw_dst=${address}`,
      `in_port=${1 + (i % 3)},udp,nw_src=${address}`,
    ];
    return `table=${i % 4},priority=${1000 + (i % 7)},${shapes[i % shapes.length]},actions=${i % 2 === 0 ? 'output:2' : 'dec_ttl,output:3'}`;
  });
}

/** The same flows, each with a cookie and actions of its own. */
const ownLines = (lines: readonly string[]): string[] =>
  lines.map((line, i) =>
    line.replace('priority', `cookie=${i + 1},priority`).replace(/actions=.*/, `actions=load:${i}->NXM_NX_REG1[],resubmit(,5)`),
  );

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const rssBytes = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Figure {
  seconds: number;
  cpu: number;
}

/** A switch with one bridge, in a folder and a network namespace of its own. */
class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-bench-openflow-'));
  readonly #running: ChildProcess[] = [];
  #switch = 0;
  readonly #env = { ...process.env, OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir };

  async start(program: string): Promise<void> {
    const db = join(this.dir, 'conf.db');
    spawnSync('/usr/bin/ovsdb-tool', ['create', db, '/usr/share/openvswitch/vswitch.ovsschema'], { env: this.#env });
    this.#spawn(['/usr/sbin/ovsdb-server', db, `--remote=punix:${this.dir}/db.sock`, '-vconsole:off']);
    await this.#exists(join(this.dir, 'db.sock'));
    this.#switch = this.#spawn([program, `unix:${this.dir}/db.sock`, '--enable-dummy', '-vconsole:off']);
    const ports = [1, 2, 3].map((n) => `-- add-port br0 p${n} -- set interface p${n} type=dummy ofport_request=${n}`).join(' ');
    const line = `--timeout=30 --db=unix:${this.dir}/db.sock add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure protocols=${VERSIONS} ${ports}`;
    const made = spawnSync('/usr/bin/ovs-vsctl', line.split(' '), { env: this.#env, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`ovs-vsctl: ${made.stderr}`);
    await this.#exists(join(this.dir, 'br0.mgmt'));
  }

  #spawn(argv: string[]): number {
    const child = spawn('unshare', ['--net', '--mount', ...argv], { env: this.#env, stdio: 'ignore', cwd: this.dir });
    this.#running.push(child);
    return child.pid ?? 0;
  }

  async #exists(path: string): Promise<void> {
    for (let i = 0; !existsSync(path); i++) {
      if (i > 600) throw new Error(`${path} does not come`);
      await sleep(50);
    }
  }

  get rss(): number {
    return rssBytes(this.#switch);
  }

  /** Time of one command of the client's, and of the switch's processor meanwhile. */
  run(...args: string[]): Figure & { stdout: string } {
    const before = cpuSeconds(this.#switch);
    const start = performance.now();
    const done = spawnSync(CLIENT, args, { env: this.#env, encoding: 'utf8', maxBuffer: 1 << 29 });
    if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stderr}`);
    return { seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(this.#switch) - before, stdout: done.stdout };
  }

  end(): void {
    for (const child of this.#running) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Messages a second of our codec alone. */
function codecRates(lines: readonly string[]): { decode: number; encode: number } {
  const mods: FlowMod[] = lines.slice(0, 20_000).map((line) => parseFlow(line, 'add'));
  const bytes = mods.map((mod, i) => encodeMessage(5, i, mod));
  const rate = (work: () => void): number => {
    work();
    const start = performance.now();
    for (let i = 0; i < 5; i++) work();
    return (5 * mods.length * 1000) / (performance.now() - start);
  };
  return {
    decode: rate(() => {
      for (const one of bytes) decodeMessage(one);
    }),
    encode: rate(() => {
      for (const [i, mod] of mods.entries()) encodeMessage(5, i, mod);
    }),
  };
}

/** Runs the benchmark. */
export async function run(options: BenchOptions): Promise<void> {
  const lines = flowLines(FLOWS);
  const figures = new Map<string, Map<string, Figure[]>>();
  const memory = new Map<string, number[]>();
  const note = (who: string, what: string, figure: Figure): void => {
    const row = figures.get(what) ?? new Map<string, Figure[]>();
    figures.set(what, row);
    row.set(who, [...(row.get(who) ?? []), { seconds: figure.seconds, cpu: figure.cpu }]);
  };
  const wanted = contenders.filter(
    ({ name, program }) => existsSync(program) && (options.only.length === 0 || options.only.includes(name)),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, program } of wanted) {
      const bench = new Bench();
      try {
        await bench.start(program);
        const file = join(bench.dir, 'flows.txt');
        writeFileSync(file, `${lines.join('\n')}\n`);
        const ownFile = join(bench.dir, 'own.txt');
        writeFileSync(ownFile, `${ownLines(lines).join('\n')}\n`);
        const empty = bench.rss;
        note(name, 'add-flows, one by one', bench.run('-OOpenFlow14', 'add-flows', 'br0', file));
        memory.set(name, [...(memory.get(name) ?? []), (bench.rss - empty) / FLOWS]);
        const dump = bench.run('-OOpenFlow14', '--no-names', 'dump-flows', 'br0');
        const shown = dump.stdout.split('\n').filter((line) => line.includes('actions=')).length;
        if (shown !== FLOWS) throw new Error(`${name}: ${shown} of ${FLOWS} flows`);
        note(name, 'dump-flows', dump);
        note(name, 'dump-aggregate', bench.run('-OOpenFlow14', 'dump-aggregate', 'br0'));
        note(name, 'del-flows', bench.run('-OOpenFlow14', 'del-flows', 'br0'));
        note(name, 'add-flows, one bundle', bench.run('-OOpenFlow14', '--bundle', 'add-flows', 'br0', file));
        note(name, 'the same bundle again', bench.run('-OOpenFlow14', '--bundle', 'add-flows', 'br0', file));
        note(name, 'mod-flows', bench.run('-OOpenFlow14', 'mod-flows', 'br0', 'actions=output:1'));
        note(name, 'del-flows of a table', bench.run('-OOpenFlow14', 'del-flows', 'br0', 'table=1'));
        note(name, 'a bundle, each its own', bench.run('-OOpenFlow14', '--bundle', 'add-flows', 'br0', ownFile));
        note(name, 'dump-flows, each its own', bench.run('-OOpenFlow14', '--no-names', 'dump-flows', 'br0'));
        bench.run('-OOpenFlow14', 'del-flows', 'br0');
        note(name, 'add-flows, OpenFlow 1.0', bench.run('add-flows', 'br0', file));
        note(name, 'dump-flows, OpenFlow 1.0', bench.run('--no-names', 'dump-flows', 'br0'));
        note(name, 'del-flows, OpenFlow 1.0', bench.run('del-flows', 'br0'));
      } finally {
        bench.end();
      }
    }
  }
  process.stdout.write(`${FLOWS} flows, medians of ${options.rounds}: seconds by the clock (processor seconds of the daemon)\n\n`);
  for (const [what, row] of figures) {
    const cells = wanted.map(({ name }) => {
      const all = row.get(name) ?? [];
      return `${name} ${median(all.map((f) => f.seconds)).toFixed(2)} (${median(all.map((f) => f.cpu)).toFixed(2)})`;
    });
    const [ours, theirs] = ['weft', 'ovs'].map((name) => median((row.get(name) ?? []).map((f) => f.seconds)));
    const ratio = ours !== undefined && theirs !== undefined && wanted.length > 1 ? `  ${(ours / theirs).toFixed(2)} times` : '';
    process.stdout.write(`${what.padEnd(26)} ${cells.join('   ')}${ratio}\n`);
  }
  for (const [name, all] of memory) process.stdout.write(`memory of a flow: ${name} ${median(all).toFixed(0)} bytes\n`);
  const { decode, encode } = codecRates(lines);
  process.stdout.write(`our codec alone: ${Math.round(decode)} flow mods decoded and ${Math.round(encode)} encoded a second\n`);
}
