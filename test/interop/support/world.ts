// A small world for one interop test: hosts (network namespaces with a name of their own), wires between them, and the programs that run there.
// Everything made here is removed when the test ends: processes by pid, namespaces by name, files with their folder.
//
//   const w = world(t);
//   const h1 = w.host('h1'), vm = w.host('vm');
//   w.wire(h1, 'p1', vm, 'eth0');
//   vm.ok('ip addr add 192.168.2.2/24 dev eth0');
//   await h1.startOvsdb('weft');             // or 'debian'
//   await h1.startVswitchd('weft');
//   h1.ok('ovs-vsctl add-br br0', { tools: 'weft' });
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { whenEnded } from './ended.ts';

/** Whose programs a command finds first: this package's `bin/` or Debian's. */
export type Tools = 'weft' | 'debian';

/** What a command gave. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Settings of one command. */
export interface RunOptions {
  tools?: Tools;
  env?: Record<string, string>;
  input?: string;
  /** Milliseconds until the command is killed; 20 s when not given. */
  timeout?: number;
}

/** A program that keeps running. */
export interface Running {
  readonly pid: number;
  /** All that it printed so far, stdout and stderr together. */
  output(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** The repository's folder. */
export const root = join(import.meta.dirname, '../../..');
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const debianSchema = '/usr/share/openvswitch/vswitch.ovsschema';

/** Why interop tests cannot run here, or '' when they can; give it to `test(..., { skip: cannot() || false })`. */
export function cannot(...programs: string[]): string {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['ip', ...programs]) {
    if (!systemPath.split(':').some((dir) => existsSync(join(dir, program)))) return `needs the program ${program}`;
  }
  return '';
}

/** Makes a world that ends with the test. */
export function world(t: Pick<TestContext, 'after'>): World {
  const made = new World();
  t.after(() => made.end());
  return made;
}

/** Waits until `check` gives something truthy and returns it; throws with `what` after `timeout` ms. */
export async function eventually<T>(what: string, check: () => T | Promise<T>, timeout = 10_000): Promise<T> {
  const end = Date.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what} (last: ${String(last)})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let sequence = 0;

export class World {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'weft-interop-'));
  readonly prefix: string = `wi${process.pid}-${++sequence}`;
  readonly hosts: Host[] = [];
  readonly running: Running[] = [];

  /** A new host: a network namespace with loopback up and folders of its own for Open vSwitch's files. */
  host(name: string): Host {
    const made = new Host(this, name);
    this.hosts.push(made);
    return made;
  }

  /** A cable: a veth pair, both ends up. */
  wire(a: Host, aDevice: string, b: Host, bDevice: string): void {
    must(['ip', 'link', 'add', aDevice, 'netns', a.netns, 'type', 'veth', 'peer', 'name', bDevice, 'netns', b.netns]);
    a.ok(`ip link set ${aDevice} up`);
    b.ok(`ip link set ${bDevice} up`);
  }

  async end(): Promise<void> {
    for (const program of this.running) await program.stop('SIGKILL');
    for (const host of this.hosts) host.remove();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export class Host {
  readonly name: string;
  readonly netns: string;
  /** Folder of this host's sockets, databases and logs (OVS_RUNDIR, OVS_DBDIR, OVS_LOGDIR). */
  readonly dir: string;
  readonly #world: World;

  constructor(world: World, name: string) {
    this.name = name;
    this.#world = world;
    this.netns = `${world.prefix}-${name}`;
    this.dir = join(world.dir, name);
    mkdirSync(this.dir);
    must(['ip', 'netns', 'add', this.netns]);
    must(['ip', '-n', this.netns, 'link', 'set', 'lo', 'up']);
  }

  /** The environment a command sees. */
  env(options: RunOptions = {}): Record<string, string> {
    const path = options.tools === 'debian' ? systemPath : `${join(root, 'bin')}:${systemPath}`;
    return {
      PATH: path,
      LC_ALL: 'C',
      TZ: 'UTC',
      HOME: this.dir,
      OVS_RUNDIR: this.dir,
      OVS_DBDIR: this.dir,
      OVS_LOGDIR: this.dir,
      ...options.env,
    };
  }

  /** Runs a command (a shell line, or argv as a list) here and waits; `tools` is 'weft' unless said otherwise. */
  run(command: string | string[], options: RunOptions = {}): Outcome {
    const done = spawnSync('ip', ['netns', 'exec', this.netns, ...argv(command)], {
      env: this.env(options),
      input: options.input ?? '',
      timeout: options.timeout ?? 20_000,
      killSignal: 'SIGKILL',
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    return {
      code: done.status ?? 128,
      stdout: done.stdout ?? '',
      stderr: (done.stderr ?? '') + (done.error ? `\n${done.error.message}` : ''),
    };
  }

  /** Runs a command that must exit 0; returns its stdout. */
  ok(command: string | string[], options: RunOptions = {}): string {
    const done = this.run(command, options);
    if (done.code !== 0) throw new Error(`${this.name}: ${String(command)}\nexit code ${done.code}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  /** Runs a command without blocking this process (needed when the test itself serves the other end). */
  async runAsync(command: string | string[], options: RunOptions = {}): Promise<Outcome> {
    const child = spawn('ip', ['netns', 'exec', this.netns, ...argv(command)], { env: this.env(options), stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 20_000);
    const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 128)));
    clearTimeout(timer);
    return { code, stdout, stderr };
  }

  /** Starts a program that keeps running (no --detach); it is killed when the test ends. */
  start(command: string | string[], options: RunOptions = {}): Running {
    // `exec` so that the pid is the program's own: ip netns exec already replaces itself.
    const line = typeof command === 'string' ? `exec ${command}` : command;
    const child = spawn('ip', ['netns', 'exec', this.netns, ...argv(line)], { env: this.env(options), stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let over = false;
    const take = (chunk: string): void => {
      text = (text + chunk).slice(-1_000_000);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('exit', () => {
      over = true;
    });
    const failed = new Promise<number>((resolve) => {
      child.once('error', (error) => {
        over = true;
        take(error.message);
        resolve(127);
      });
    });
    const ended = Promise.race([whenEnded(child), failed]);
    const program: Running = {
      pid: child.pid ?? 0,
      output: () => text,
      ended,
      async stop(signal = 'SIGTERM') {
        if (!over) child.kill(signal);
        const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
        const code = await ended;
        clearTimeout(hard);
        return code;
      },
    };
    this.#world.running.push(program);
    return program;
  }

  /** Starts ovsdb-server with a fresh conf.db (unless one stands there) on db.sock; returns when it has detached. */
  async startOvsdb(tools: Tools, args: string[] = []): Promise<void> {
    const db = join(this.dir, 'conf.db');
    if (!existsSync(db)) {
      const schema = existsSync(debianSchema) ? [debianSchema] : [];
      this.ok(['ovsdb-tool', 'create', db, ...schema], { tools });
    }
    const more = args.length > 0 ? args : ['--remote=db:Open_vSwitch,Open_vSwitch,manager_options'];
    const daemon = ['ovsdb-server', '--detach', '--no-chdir', '--pidfile', '--log-file', `--remote=punix:${join(this.dir, 'db.sock')}`];
    this.ok([...daemon, ...more], { tools, timeout: 30_000 });
    this.ok('ovs-vsctl --no-wait init', { tools });
  }

  /** Starts ovs-vswitchd against this host's db.sock; returns when it has detached. */
  async startVswitchd(tools: Tools, args: string[] = []): Promise<void> {
    this.ok(['ovs-vswitchd', '--detach', '--no-chdir', '--pidfile', '--log-file', ...args], { tools, timeout: 30_000 });
  }

  /** The pid in a daemon's pidfile. */
  pidOf(daemon: 'ovsdb-server' | 'ovs-vswitchd'): number {
    return Number(readFileSync(join(this.dir, `${daemon}.pid`), 'utf8'));
  }

  /** A daemon's log so far. */
  log(daemon: 'ovsdb-server' | 'ovs-vswitchd'): string {
    const file = join(this.dir, `${daemon}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Kills what still runs in this namespace, then deletes it. */
  remove(): void {
    const pids = spawnSync('ip', ['netns', 'pids', this.netns], { encoding: 'utf8' }).stdout;
    for (const pid of (pids ?? '').split('\n').filter((text) => text !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    spawnSync('ip', ['netns', 'del', this.netns]);
  }
}

function argv(command: string | string[]): string[] {
  return typeof command === 'string' ? ['sh', '-c', command] : command;
}

function must(command: string[]): void {
  const [program = '', ...args] = command;
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr ?? done.error?.message}`);
}
