// Namespaces and processes of one benchmark, all removed by `end`, also when the run is interrupted.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');

/** Runs a command and gives what it printed; throws with its errors when it fails. */
export function must(command: string[], env: Record<string, string> = {}): string {
  const done = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 60_000 });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.error?.message ?? (done.stderr || done.stdout).trim()}`);
  return done.stdout;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Site {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  readonly #prefix = `wb${process.pid}`;
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #atEnd: (() => void)[] = [];
  readonly #onSignal = (): void => {
    this.end();
    process.exit(130);
  };

  constructor() {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  namespace(name: string): string {
    const full = `${this.#prefix}${name}`;
    must(['ip', 'netns', 'add', full]);
    this.#namespaces.push(full);
    must(['ip', '-n', full, 'link', 'set', 'lo', 'up']);
    // A socket that began with BBR, which may be the host's choice, goes on pacing whatever it is told later.
    must(['ip', 'netns', 'exec', full, 'sysctl', '-qw', 'net.ipv4.tcp_congestion_control=reno']);
    return full;
  }

  /** A veth pair between two namespaces, both ends up. */
  wire(a: string, aDevice: string, b: string, bDevice: string): void {
    must(['ip', 'link', 'add', aDevice, 'netns', a, 'type', 'veth', 'peer', 'name', bDevice, 'netns', b]);
    must(['ip', '-n', a, 'link', 'set', aDevice, 'up']);
    must(['ip', '-n', b, 'link', 'set', bDevice, 'up']);
  }

  run(namespace: string, command: string[], env: Record<string, string> = {}): string {
    return must(['ip', 'netns', 'exec', namespace, ...command], env);
  }

  start(namespace: string, command: string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', namespace, ...command], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    return child;
  }

  atEnd(fn: () => void): void {
    this.#atEnd.push(fn);
  }

  end(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    for (const fn of this.#atEnd.reverse()) fn();
    for (const child of this.#children) child.kill('SIGTERM');
    for (const name of this.#namespaces) spawnSync('ip', ['netns', 'del', name]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Resolves when a child has printed `text`. */
export function printed(child: ChildProcess, text: string, timeoutMs = 15_000): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${text}; so far: ${seen}`)), timeoutMs);
    const take = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('exit', (code) => reject(new Error(`ended with ${code}: ${seen}`)));
  });
}
