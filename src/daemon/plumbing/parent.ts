// The processes above a daemon. Node.js cannot fork, so each is our own runtime started again with the same command line and, in the
// environment, the role it is to play; descriptor 3 is a pipe on which the child says that it is ready.
//
//   --detach            the caller's process -> daemon
//   --monitor           the caller's process is the monitor -> daemon
//   --detach --monitor  the caller's process -> monitor -> daemon
//
// A child keeps the caller's stderr until it is ready, so that start-up failures are seen; then it lets go of it.
import type { ChildProcess } from 'node:child_process';
import { writeSync } from 'node:fs';
import { logger } from '../../base/log.ts';
import { SIGNAL_TEXT } from '../../base/signal-text.ts';
import { nameProcess, releaseStdio } from '../../host/daemonize.ts';
import type { LogOutput } from '../../host/log-output.ts';

const log = logger('daemon_unix');
export type Role = 'caller' | 'monitor' | 'daemon';
const ROLE_VARIABLE = 'WEFT_DAEMON_ROLE';
const RESTART_VARIABLE = 'WEFT_DAEMON_RESTARTED';
const READY_FD = 3;
const CRASHES = new Set(['SIGABRT', 'SIGALRM', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGPIPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ']);
/** A daemon that crashes at once is not restarted faster than this. */
const MIN_RESTART_INTERVAL_MS = 10_000;

/** Whether this daemon takes the place of one that crashed; asked once. */
export function takeRestarted(): boolean {
  const isRestarted = process.env[RESTART_VARIABLE] !== undefined;
  delete process.env[RESTART_VARIABLE];
  return isRestarted;
}

/** What this process is to be; asked once, for what the daemon starts later must not inherit it. */
export function takeRole(): Role {
  const role = process.env[ROLE_VARIABLE];
  delete process.env[ROLE_VARIABLE];
  return role === 'monitor' || role === 'daemon' ? role : 'caller';
}

/** Tells the process above that start-up succeeded. */
export function signalReady(): void {
  try {
    writeSync(READY_FD, 'R');
  } catch {
    // The one who waited is gone; the daemon runs on.
  }
}

function describeEnd(code: number | null, signal: string | null): string {
  return signal === null ? `exit status ${code ?? 0}` : `killed (${SIGNAL_TEXT.get(signal) ?? signal})`;
}

function start(role: Role, isDetached: boolean, isRestart = false): ChildProcess {
  // Loaded here: a daemon that has no child does without.
  return process.getBuiltinModule('node:child_process').spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: isDetached,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [ROLE_VARIABLE]: role, ...(isRestart ? { [RESTART_VARIABLE]: '1' } : {}) },
  });
}

/** Starts the process below and ends this one when that is ready or has failed, with its exit code. */
export function launch(program: string, role: Role): void {
  const child = start(role, true);
  let isReady = false;
  child.stdio[READY_FD]?.on('data', () => {
    isReady = true;
    process.exit(0);
  });
  child.on('exit', (code, signal) => {
    if (isReady) return;
    if (code !== null && code !== 0) process.exit(code);
    process.stderr.write(`${program}: fork child died before signaling startup (${describeEnd(code, signal)})\n`);
    process.exit(1);
  });
}

/** Starts the daemon again whenever it crashes; ends when it ends in any other way. */
export function monitor(program: string, role: Role, isDetached: boolean, output: LogOutput): void {
  let crashes = 0;
  let wasReady = false;
  let status = 'healthy';
  output.subprogram = 'monitor';
  const run = (): void => {
    const startedAt = Date.now();
    const child = start('daemon', false, crashes > 0);
    const pid = child.pid ?? 0;
    nameProcess('monitor', `${program}: monitoring pid ${pid} (${status})`);
    child.stdio[READY_FD]?.on('data', () => {
      if (wasReady) return;
      wasReady = true;
      if (isDetached) {
        output.settings.setLevel(undefined, 'console', 'off');
        if (role === 'monitor') signalReady();
        process.chdir('/');
        releaseStdio();
      }
    });
    child.on('exit', (code, signal) => {
      if (wasReady) output.reopenFile();
      const end = `pid ${pid} died, ${describeEnd(code, signal)}`;
      if (signal === null || !CRASHES.has(signal)) {
        if (wasReady) log.info(`${end}, exiting`);
        process.exit(code ?? 1);
      }
      crashes++;
      status = `${crashes} crashes: ${end}`;
      const wait = crashes === 1 ? 0 : Math.max(0, startedAt + MIN_RESTART_INTERVAL_MS - Date.now());
      if (wait > 0) log.warn(`${status}, waiting until ${MIN_RESTART_INTERVAL_MS / 1000} seconds since last restart`);
      setTimeout(() => {
        log.err(`${status}, restarting`);
        run();
      }, wait);
    });
  };
  run();
}
