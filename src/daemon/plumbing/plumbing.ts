// What every daemon has in common: options, log, pidfile, background, control socket, and an end that leaves nothing behind.
//
// A daemon gives `runDaemon` its name, its own options and `start`. `start` sets up what the daemon does and calls `ctx.ready()` when it
// is in service; only then does `--detach` return. Whatever `start` throws is the reason why the daemon cannot run.
import { chdir } from 'node:process';
import { errorText } from '../../base/errors.ts';
import { type OptionSpec, type ParsedOption, parseUntilFault, UsageError } from '../../base/getopt.ts';
import { hostPortFault } from '../../base/host-port.ts';
import { logger } from '../../base/log.ts';
import { FATAL_SIGNALS, fatalText } from '../../base/signal-text.ts';
import { isSyslogMethod } from '../../base/syslog-method.ts';
import { versionText } from '../../base/version.ts';
import { createPidfile, nameProcess, type Pidfile, releaseStdio } from '../../host/daemonize.ts';
import { runDir } from '../../host/directories.ts';
import { installLog, type LogOutput } from '../../host/log-output.ts';
import { becomeUser, CAPABILITY, parseProcessUser } from '../../host/process-user.ts';
import { applyReplayOptions } from '../../host/replay/replay.ts';
import { openSyslog, openSyslogTarget } from '../../host/syslog.ts';
import { DAEMON_OPTIONS, type DaemonSettings, daemonSettings, inRunDir, LOG_OPTIONS, SSL_OPTIONS } from './options.ts';
import { launch, monitor, type Role, signalReady, takeRestarted, takeRole } from './parent.ts';
import { UnixctlServer } from './unixctl.ts';
import { registerLogCommands } from './unixctl-log.ts';

const signalLog = logger('fatal_signal');

/** Whether whoever started the daemon ignores a signal, as nohup does: `bin/launch` hands on what the kernel had of it (SigIgn in proc(5)). */
function isIgnored(signal: number): boolean {
  const text = process.env['WEFT_IGNORED_SIGNALS'] ?? '';
  return /^[0-9a-f]+$/.test(text) && ((BigInt(`0x${text}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/** How long clean-up may go without getting on before the process ends all the same. */
const EXIT_PATIENCE_MS = 5000;

export interface DaemonSpec {
  program: string;
  /** The daemon's own options; they come first where abbreviations are ambiguous. */
  options?: readonly OptionSpec[];
  /** What stands after the options of all daemons instead of those of TLS. */
  lastOptions?: readonly OptionSpec[];
  /** Obeys an option where it stands, before a later one is found to be wrong. */
  obey?(option: ParsedOption): void;
  /** The whole text of --help. */
  usage(): string;
  /** Lines after the first of --version. */
  versionLines?: readonly string[];
  /** Usage of the `exit` command and its number of arguments, e.g. `[--cleanup]` and 1. */
  exitUsage?: string;
  exitArgs?: number;
  /** The control socket comes when `start` asks for it with `openControl`, not before. */
  opensControl?: boolean;
  /** Capabilities that the daemon keeps when it becomes another user, beside what all keep. */
  capabilities?: readonly number[];
  start(context: DaemonContext): void | Promise<void>;
}

/** How a daemon ends. */
export interface ExitReason {
  /** The signal that asked for it, if one did. */
  signal?: NodeJS.Signals;
  /** The words after `exit`, e.g. `--cleanup`. */
  args: readonly string[];
  /** Clean-up is getting on: it has as much time again. */
  goesOn(): void;
}

export interface DaemonContext {
  readonly program: string;
  /** All parsed options, in order. */
  readonly options: readonly ParsedOption[];
  readonly operands: readonly string[];
  readonly unixctl: UnixctlServer;
  readonly log: LogOutput;
  /** Opens the control socket, for a daemon that has things to do before; a socket that cannot be is the end. */
  openControl(): Promise<void>;
  /** Says that the daemon serves; to be called once. */
  ready(): void;
  /** Calls `fn` before the process ends in order. */
  onExit(fn: (reason: ExitReason) => void | Promise<void>): void;
  /** Ends the process in order. */
  exit(code?: number): Promise<void>;
  /** Ends the process with `PROGRAM: message` and exit code 1. */
  fatal(message: string, module?: string): never;
}

/** Thrown to the top by `fatal`. */
class FatalError extends Error {}

function applyLogOption({ name, value }: ParsedOption, output: LogOutput, role: Role): void {
  if (name === 'verbose') {
    const fault = output.settings.apply(value ?? '');
    if (fault !== undefined) throw new UsageError(`processing "${value}": ${fault}`);
  } else if (role === 'daemon' && name === 'log-file') {
    // A warning has said why. Without the usual file a daemon goes on, without the one that was named it does not.
    if (output.openFile(value) !== undefined && value !== undefined) process.exit(1);
  } else if (name === 'log-file') {
    output.setFile(value);
  } else if (name === 'syslog-method') {
    if (!output.choosesSyslog()) return;
    if (!isSyslogMethod(value ?? '')) throw new UsageError(`unsupported syslog method '${value}'`);
    if (role === 'daemon') output.setSyslog(openSyslog(output.program, value ?? ''));
  } else if (name === 'syslog-target') {
    const fault = hostPortFault(value ?? '');
    if (fault !== undefined) logger('socket_util').err(fault);
    else if (role === 'daemon') output.setSyslogTarget(openSyslogTarget(value ?? ''));
  }
}

/** Runs a daemon; gives an exit code only when there is nothing to run. */
export async function runDaemon(spec: DaemonSpec, argv: readonly string[]): Promise<number | undefined> {
  const { program } = spec;
  const givenRole = takeRole();
  const output = installLog(program);
  if (takeRestarted()) output.subprogram = program;
  let parsed: ReturnType<typeof parseUntilFault>;
  let settings: DaemonSettings;
  let role: Role = givenRole;
  try {
    parsed = parseUntilFault(argv, [...(spec.options ?? []), ...DAEMON_OPTIONS, ...LOG_OPTIONS, ...(spec.lastOptions ?? SSL_OPTIONS)]);
    settings = daemonSettings(program, parsed.options);
    const runsHere = givenRole === 'daemon' || (givenRole === 'caller' && !settings.detach && !settings.monitor);
    if (runsHere) role = 'daemon';
    // Each is obeyed before a later one is found to be wrong.
    for (const option of parsed.options) {
      if (option.name === 'help') {
        process.stdout.write(spec.usage());
        return 0;
      }
      if (option.name === 'version') {
        process.stdout.write(`${[versionText(program), ...(spec.versionLines ?? [])].join('\n')}\n`);
        return 0;
      }
      applyLogOption(option, output, role);
      if (role === 'daemon') spec.obey?.(option);
    }
    if (parsed.fault !== undefined) throw parsed.fault;
    if (role === 'daemon' && !output.isSyslogChosen)
      output.setSyslog(openSyslog(output.program, process.env['OVS_SYSLOG_METHOD'] ?? 'libc'));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${program}: ${error.message}\n`);
    return 1;
  }
  if (role !== 'daemon') {
    if (givenRole === 'caller' && settings.detach) launch(program, settings.monitor ? 'monitor' : 'daemon');
    else monitor(program, givenRole, settings.detach, output);
    return undefined;
  }
  await serve(spec, argv, settings, parsed, output, givenRole === 'daemon');
  return undefined;
}

async function serve(
  spec: DaemonSpec,
  argv: readonly string[],
  settings: DaemonSettings,
  parsed: ReturnType<typeof parseUntilFault>,
  output: LogOutput,
  hasParent: boolean,
): Promise<void> {
  const { program } = spec;
  await applyReplayOptions(parsed.options);
  const unixctl = new UnixctlServer(program);
  const exitHooks: ((reason: ExitReason) => void | Promise<void>)[] = [];
  let pidfile: Pidfile | undefined;
  let isEnding = false;

  const cleanUp = async (asked: Omit<ExitReason, 'goesOn'>): Promise<void> => {
    isEnding = true;
    let lose = (): void => {};
    const patience = new Promise<void>((resolve) => {
      lose = resolve;
    });
    const timer = setTimeout(() => lose(), EXIT_PATIENCE_MS).unref();
    const reason: ExitReason = { ...asked, goesOn: () => void timer.refresh() };
    const hooks = async () => {
      for (const hook of exitHooks.reverse()) await hook(reason);
    };
    await Promise.race([hooks().catch((error) => signalLog.err(`clean-up failed: ${errorText(error)}`)), patience]);
    unixctl.close();
    pidfile?.remove();
  };
  const fatal = (message: string, module = 'daemon'): never => {
    output.writeFatal(module, message);
    pidfile?.remove();
    unixctl.close();
    process.exitCode = 1;
    process.exit(1);
    throw new FatalError(message);
  };

  const openControl = async (): Promise<void> => {
    if (settings.unixctl === 'none') return;
    const socket = settings.unixctl === undefined ? `${runDir()}/${program}.${process.pid}.ctl` : inRunDir(settings.unixctl);
    try {
      await unixctl.listen(socket);
    } catch (error) {
      const reason = errorText(error).replace(/^[^ ]*: /, '');
      fatal(`${socket}: could not initialize control socket (${reason})`, 'unixctl');
    }
  };

  nameProcess(program, [program, ...argv].join(' '));
  process.on('uncaughtException', (error) => {
    output.writeFatal('util', `uncaught ${error instanceof Error ? error.stack : String(error)}`);
    unixctl.close();
    pidfile?.remove();
    // The monitor restarts what a signal of a programming error ended.
    if (settings.monitor) process.abort();
    process.exit(1);
  });
  for (const fatalSignal of FATAL_SIGNALS) {
    const [signal, number] = fatalSignal;
    if (isIgnored(number)) {
      process.on(signal, () => {});
      continue;
    }
    process.on(signal, () => {
      if (isEnding) return;
      signalLog.warn(fatalText(fatalSignal));
      void cleanUp({ signal, args: [] }).then(() => {
        // Whoever waits for us shall see the signal in our exit status.
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      });
    });
  }

  const context: DaemonContext = {
    program,
    options: parsed.options,
    operands: parsed.operands,
    unixctl,
    log: output,
    openControl,
    ready: () => {
      if (hasParent) signalReady();
      if (!settings.detach) return;
      if (settings.changeFolder) chdir('/');
      output.settings.setLevel(undefined, 'console', 'off');
      releaseStdio();
    },
    onExit: (fn) => void exitHooks.push(fn),
    exit: async (code = 0) => {
      if (isEnding) return;
      await cleanUp({ args: [] });
      process.exit(code);
    },
    fatal,
  };

  if (settings.user !== undefined) {
    try {
      const user = parseProcessUser(settings.user, settings.pidfileAtUser);
      output.chownFile(user.uid, user.gid);
      becomeUser(user, [CAPABILITY.NET_BIND_SERVICE, CAPABILITY.IPC_LOCK, ...(spec.capabilities ?? [])]);
    } catch (error) {
      fatal(errorText(error), 'daemon_unix');
    }
  }
  if (settings.pidfile !== undefined) {
    try {
      pidfile = createPidfile(settings.pidfile, settings.overwritePidfile);
    } catch (error) {
      fatal(errorText(error), 'daemon_unix');
    }
  }
  registerLogCommands(unixctl, output);
  unixctl.register('exit', spec.exitUsage ?? '', 0, spec.exitArgs ?? 0, (args) => {
    // The reply goes out first: the socket closes in order.
    setImmediate(() => {
      if (isEnding) return;
      void cleanUp({ args }).then(() => setTimeout(() => process.exit(0), 20));
    });
    return '';
  });
  if (spec.opensControl !== true) await openControl();
  try {
    await spec.start(context);
  } catch (error) {
    fatal(errorText(error), spec.program.replaceAll('-', '_'));
  }
}
