// Where a lab lives: a tree of processes in namespaces of its own (pid, mount, network, host name), so that it meets nothing of the machine
// and ends as one. Process 1 of the pid namespace is the keeper; each host and machine is a sleeping process in further network and mount
// namespaces, entered with nsenter(1).
//
// Nothing can be left behind: the keeper's parent (unshare --kill-child) takes it along when it dies, and dies itself with the lab runner
// (setpriv --pdeathsig), also when that is killed with -9. With process 1 the kernel kills every process of the lab, and with the last
// process go its namespaces, devices and mounts. Only a lab that is to be kept has no such tie; it is found again through `kept.ts`.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keeperScript, placeScript } from './shell-scripts.ts';

/** What a command gave. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** It took longer than it may and was killed. */
  timedOut: boolean;
}

/** Anything that commands run on. */
export interface Place {
  readonly name: string;
  /** Runs a line of shell; resolves when it ends, whatever it started in the background. */
  run(command: string, timeoutMs?: number): Promise<Outcome>;
}

const toolsDir = process.env['WEFT_LAB_PATH'] ?? join(import.meta.dirname, '../../bin');
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Folders that every host has to itself, whether or not Open vSwitch is installed on the machine. */
const hostDirectories = ['/etc/openvswitch', '/var/log/openvswitch'];

/** A host: a process asleep in its own network, mount and host-name namespaces. */
export class Host implements Place {
  readonly name: string;
  /** As seen from outside the lab. */
  readonly pid: number;
  readonly environment: Record<string, string>;

  constructor(name: string, pid: number, environment: Record<string, string>) {
    this.name = name;
    this.pid = pid;
    this.environment = {
      PATH: `${toolsDir}:${systemPath}`,
      HOME: '/root',
      TERM: process.env['TERM'] ?? 'dumb',
      LC_ALL: 'C',
      ...environment,
    };
  }

  run(command: string, timeoutMs = 60_000): Promise<Outcome> {
    return runIn(this.pid, ['sh', '-c', command], this.environment, timeoutMs);
  }

  /** Runs argv as given, with an answer. */
  exec(argv: string[], timeoutMs = 60_000): Promise<Outcome> {
    return runIn(this.pid, argv, this.environment, timeoutMs);
  }

  /** A file of this host as a path outside. */
  outside(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }
}

/** The arguments after `nsenter` that enter a place of a lab. */
export function enterArguments(pid: number): string[] {
  return ['--target', String(pid), '--mount', '--net', '--uts', '--pid', '--'];
}

export class Sandbox {
  readonly keeper: ChildProcess;
  /** The keeper's parent, whose end is the lab's end. */
  readonly rootPid: number;
  readonly #init: number;
  #places: number[] = [];

  private constructor(keeper: ChildProcess, init: number) {
    this.keeper = keeper;
    this.rootPid = keeper.pid ?? 0;
    this.#init = init;
  }

  /** Opens an empty sandbox; a kept one outlives this process. */
  static async open(keep: boolean): Promise<Sandbox> {
    const unshare = [
      'unshare',
      '--mount',
      '--net',
      '--uts',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      keeperScript,
      'weft-lab',
    ];
    const [program = '', ...args] = keep ? unshare : ['setpriv', '--pdeathsig', 'KILL', ...unshare];
    const keeper = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd: '/' });
    await ready(keeper, 'namespaces for the lab');
    if (keep) keeper.unref();
    return new Sandbox(keeper, childOf(keeper.pid ?? 0));
  }

  /** Adds a host or the namespace of a machine. */
  async place(name: string, directories: string[], environment: Record<string, string>, isHost: boolean): Promise<Host> {
    const own = isHost ? [...hostDirectories, ...directories] : directories;
    const inner = ['unshare', '--net', '--mount', '--uts', 'sh', '-c', placeScript, `weft-lab-${name}`, name, ...own];
    const process_ = spawn('nsenter', ['--target', String(this.#init), '--mount', '--pid', '--', ...inner], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
      env: { ...process.env, PATH: systemPath },
    });
    await ready(process_, name);
    process_.unref();
    const pid = childOf(process_.pid ?? 0);
    this.#places.push(pid);
    return new Host(name, pid, environment);
  }

  /** A network: a learning bridge in the keeper's namespace, the cables' other ends. */
  network(name: string, mtu?: number): void {
    this.#ip('link', 'add', `n-${name}`.slice(0, 15), 'type', 'bridge');
    if (mtu !== undefined) this.#ip('link', 'set', `n-${name}`.slice(0, 15), 'mtu', String(mtu));
    this.#ip('link', 'set', `n-${name}`.slice(0, 15), 'up');
  }

  /** A cable from a host's device to a network. */
  cable(host: Host, device: string, networkName: string, mtu?: number): void {
    const end = `c${this.#cables++}`;
    this.#ip('link', 'add', end, 'type', 'veth', 'peer', 'name', device, 'netns', String(host.pid));
    if (mtu !== undefined) this.#ip('link', 'set', end, 'mtu', String(mtu));
    this.#ip('link', 'set', end, 'master', `n-${networkName}`.slice(0, 15), 'up');
  }
  #cables = 0;

  #ip(...args: string[]): void {
    // Only the network namespace is entered, so that pids mean what they mean here.
    const done = spawnSync('nsenter', ['--target', String(this.#init), '--net', '--', 'ip', ...args], {
      encoding: 'utf8',
      env: { PATH: systemPath },
    });
    if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${(done.stderr || done.error?.message || '').trim()}`);
  }

  /** Kills everything in the lab and returns when it is gone. */
  close(): void {
    endLab(this.rootPid, [this.#init, ...this.#places]);
  }
}

/** Kills a lab by the pid of its keeper's parent; returns when all the given processes are gone, at most 5 s later. */
export function endLab(rootPid: number, pids: number[]): void {
  for (const pid of [...pids.slice(0, 1), rootPid]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
  const end = Date.now() + 5000;
  // No timers here: this also runs while the process is being ended by a signal.
  while (pids.some(alive) && Date.now() < end) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until a place's script says that it is set up. */
function ready(child: ChildProcess, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let stderr = '';
    let done = false;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout?.setEncoding('utf8').on('data', () => {
      done = true;
      // The pipes must not keep this process alive, nor break the other side, which is silent from now on.
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve();
    });
    child.once('error', (error) => reject(new Error(`${what}: ${error.message}`)));
    child.once('exit', (code) => {
      if (!done) setTimeout(() => reject(new Error(`${what}: could not be set up (exit code ${code}): ${stderr.trim()}`)), 20);
    });
  });
}

/** The only child of a process: what unshare --fork or nsenter --pid started. */
function childOf(pid: number): number {
  const file = `/proc/${pid}/task/${pid}/children`;
  const child = existsSync(file) ? Number(readFileSync(file, 'utf8').trim().split(' ')[0]) : Number.NaN;
  if (!(child > 0)) throw new Error(`process ${pid} of the lab ended at once`);
  return child;
}

function runIn(pid: number, argv: string[], env: Record<string, string>, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    // A process group of its own: Ctrl-C is for the runner alone, and a command that hangs is killed with its children.
    const child = spawn('nsenter', [...enterArguments(pid), ...argv], { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const outcome: Outcome = { code: 127, stdout: '', stderr: '', timedOut: false };
    const limit = 1 << 20;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (outcome.stdout.length < limit) outcome.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (outcome.stderr.length < limit) outcome.stderr += text;
    });
    const timer = setTimeout(() => {
      outcome.timedOut = true;
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // It ended in this very moment.
      }
    }, timeoutMs);
    const finish = (code: number): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      outcome.code = code;
      resolve(outcome);
    };
    child.once('error', (error) => {
      outcome.stderr += error.message;
      finish(127);
    });
    let ended = false;
    // All that was printed has been read at `close`; but a daemon may hold the pipes open, so `exit` is enough after a moment.
    child.once('close', (code) => {
      if (!ended) finish(code ?? 128);
      ended = true;
    });
    child.once('exit', (code) => {
      setTimeout(() => {
        if (!ended) finish(code ?? 128);
        ended = true;
      }, 100);
    });
  });
}
