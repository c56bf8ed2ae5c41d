// What the command line tools share: logging options, and how a usage fault or a time limit ends them.
import { type OptionSpec, type ParsedOption, UsageError } from '../base/getopt.ts';
import { hostPortFault } from '../base/host-port.ts';
import { logger } from '../base/log.ts';
import { FATAL_SIGNALS, fatalText } from '../base/signal-text.ts';
import { isSyslogMethod } from '../base/syslog-method.ts';
import type { LogOutput } from '../host/log-output.ts';
import { installLog } from '../host/log-output.ts';
import { parseProcessUser } from '../host/process-user.ts';

export { type OptionSpec, type ParsedOption, parseOptions, parseUntilFault, UsageError } from '../base/getopt.ts';
export {
  BACKGROUND_OPTIONS,
  backgroundUsage,
  connectionUsage,
  KEYS_USAGE,
  LOG_OPTIONS,
  logUsage,
  PKI_USAGE,
  REPLAY_OPTIONS,
  SSL_OPTIONS,
} from '../daemon/plumbing/options.ts';

const signalLog = logger('fatal_signal');

/** Starts a tool's log; most of the reference's tools have warnings and worse on the console, and some say all. */
export function startToolLog(program: string, console: 'warn' | 'info' = 'warn'): LogOutput {
  const output = installLog(program);
  output.settings.setLevel(undefined, 'console', console);
  return output;
}

/** Obeys -v, --log-file and --syslog-* of a parsed command line, and looks who --user is. Throws UsageError, ConfigError. */
export function applyLogOptions(options: readonly ParsedOption[], output: LogOutput): void {
  for (const { name, value } of options) {
    if (name === 'verbose') {
      const fault = output.settings.apply(value ?? '');
      if (fault !== undefined) throw new UsageError(`processing "${value}": ${fault}`);
    } else if (name === 'log-file' && output.openFile(value) !== undefined && value !== undefined) {
      // The log has said why; only a file that was named has to be there.
      process.exit(1);
    } else if (name === 'syslog-method' && output.choosesSyslog() && !isSyslogMethod(value ?? '')) {
      throw new UsageError(`unsupported syslog method '${value ?? ''}'`);
    } else if (name === 'user') {
      parseProcessUser(value ?? '');
    } else if (name === 'syslog-target') {
      const targetFault = hostPortFault(value ?? '');
      if (targetFault !== undefined) logger('socket_util').err(targetFault);
    }
  }
}

/** The options that a tool takes, as its own `--option` shows them. */
export function optionList(options: readonly OptionSpec[]): string {
  const lines = options.map(({ name, short, argument }) => {
    const what = argument === undefined ? '' : argument === 'optional' ? '[ARG]' : 'ARG';
    return `--${name}${what === '' ? '' : `=${what}`}\n${short === undefined ? '' : `-${short} ${what}\n`}`;
  });
  return lines.join('');
}

/** Says what is wrong on stderr and gives exit code 1. */
export function fail(program: string, message: string): number {
  process.stderr.write(`${program}: ${message}\n`);
  return 1;
}

let saysSignals = false;

/** Has the log say by which signal a tool that waits for something ends; it ends all the same. */
export function sayFatalSignals(): void {
  if (saysSignals) return;
  saysSignals = true;
  for (const fatalSignal of FATAL_SIGNALS) {
    const [signal] = fatalSignal;
    // The alarm's own end says so (setAlarm).
    if (signal === 'SIGALRM') continue;
    process.once(signal, () => {
      signalLog.warn(fatalText(fatalSignal));
      process.kill(process.pid, signal);
    });
  }
}

/** Kills the process with SIGALRM after `seconds`, as alarm(2) would; 0 is never. Gives the timer. */
export function setAlarm(seconds: number, before = sayAlarm): NodeJS.Timeout | undefined {
  if (seconds === 0) return undefined;
  const ring = (): void => {
    before();
    process.kill(process.pid, 'SIGALRM');
  };
  return setTimeout(ring, Math.min(seconds * 1000, 2 ** 31 - 1)).unref();
}

const sayAlarm = (): void => signalLog.warn('terminating with signal 14 (Alarm clock)');

/** A number of seconds from the command line; undefined when it is none. */
export function parseSeconds(text: string): number | undefined {
  return /^\s*\+?\d+$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined;
}

export type { LogOutput };
export type ToolOptions = readonly OptionSpec[];
