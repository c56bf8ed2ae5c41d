// ovs-appctl: sends one command to a running daemon and shows its answer.
import { errorText } from '../base/errors.ts';
import { versionText } from '../base/version.ts';
import { controlCall } from '../daemon/plumbing/unixctl-client.ts';
import {
  applyLogOptions,
  fail,
  LOG_OPTIONS,
  type OptionSpec,
  optionList,
  parseSeconds,
  parseUntilFault,
  sayFatalSignals,
  setAlarm,
  startToolLog,
  UsageError,
} from './options.ts';

const PROGRAM = 'ovs-appctl';
const OPTIONS: readonly OptionSpec[] = [
  { name: 'target', short: 't', argument: 'required' },
  { name: 'execute', short: 'e' },
  { name: 'help', short: 'h' },
  { name: 'option', short: 'o' },
  { name: 'version', short: 'V' },
  { name: 'timeout', short: 'T', argument: 'required' },
  ...LOG_OPTIONS,
];

const USAGE = `ovs-appctl, for querying and controlling Open vSwitch daemon
usage: ovs-appctl [TARGET] COMMAND [ARG...]
Targets:
  -t, --target=TARGET  pidfile or socket to contact
Common commands:
  list-commands      List commands supported by the target
  version            Print version of the target
  vlog/list          List current logging levels
  vlog/list-pattern  List logging patterns for each destination.
  vlog/set [SPEC]
      Set log levels as detailed in SPEC, which may include:
      A valid module name (all modules, by default)
      'syslog', 'console', 'file' (all destinations, by default))
      'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', bydefault)
  vlog/reopen        Make the program reopen its log file
Other options:
  --timeout=SECS     wait at most SECS seconds for a response
  -h, --help         Print this helpful information
  -V, --version      Display ovs-appctl version information
`;

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  const output = startToolLog(PROGRAM, 'info');
  let target: string | undefined;
  let executes = false;
  try {
    const { options, operands, fault } = parseUntilFault(argv, OPTIONS, true);
    for (const option of options) {
      const { name, value = '' } = option;
      applyLogOptions([option], output);
      switch (name) {
        case 'target':
          if (target !== undefined) return fail(PROGRAM, '-t or --target may be specified only once');
          target = value;
          break;
        case 'execute':
          if (executes) return fail(PROGRAM, '-e or --execute may be speciifed only once');
          executes = true;
          break;
        case 'option':
          process.stdout.write(optionList(OPTIONS));
          return 0;
        case 'help':
          process.stdout.write(USAGE);
          return 0;
        case 'version':
          process.stdout.write(`${versionText(PROGRAM)}\n`);
          return 0;
        case 'timeout': {
          const seconds = parseSeconds(value);
          if (seconds === undefined || seconds === 0) return fail(PROGRAM, `value ${value} on -T or --timeout is invalid`);
          setAlarm(seconds);
          break;
        }
      }
    }
    if (fault !== undefined) throw fault;
    const [command, ...args] = operands;
    if (command === undefined) return fail(PROGRAM, 'at least one non-option argument is required (use --help for help)');
    target ??= 'ovs-vswitchd';
    sayFatalSignals();
    const reply = await controlCall(target, command, args);
    if (reply.kind === 'result') {
      process.stdout.write(reply.text);
      return 0;
    }
    process.stderr.write(reply.text);
    fail(PROGRAM, `${target}: server returned an error`);
    return 2;
  } catch (error) {
    if (error instanceof UsageError) return fail(PROGRAM, error.message);
    return fail(PROGRAM, errorText(error));
  }
}
