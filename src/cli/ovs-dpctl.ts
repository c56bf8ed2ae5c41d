// ovs-dpctl: looks at datapaths. The reference's asks the kernel; our datapath lives in ovs-vswitchd, so we ask that through `dpctl/...`.
import { errorText } from '../base/errors.ts';
import { versionText } from '../base/version.ts';
import { controlCall } from '../daemon/plumbing/unixctl-client.ts';
import { usage } from './dpctl-usage.ts';
import {
  applyLogOptions,
  fail,
  LOG_OPTIONS,
  type OptionSpec,
  parseOptions,
  parseSeconds,
  setAlarm,
  startToolLog,
  UsageError,
} from './options.ts';

const PROGRAM = 'ovs-dpctl';
/** What the daemon calls itself before each fault; see dpctl-fault.ts. */
const SPEAKER = /^ovs-vswitchd(\(ovs-vswitchd\))?: /;
/** Options that the daemon understands and we only pass on. */
const PASSED: readonly OptionSpec[] = [
  { name: 'statistics', short: 's' },
  { name: 'clear' },
  { name: 'may-create' },
  { name: 'read-only' },
  { name: 'more', short: 'm' },
  { name: 'names' },
  { name: 'no-names' },
];
const OPTIONS: readonly OptionSpec[] = [
  ...PASSED,
  { name: 'timeout', short: 't', argument: 'required' },
  { name: 'help', short: 'h' },
  { name: 'version', short: 'V' },
  ...LOG_OPTIONS,
];

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  const output = startToolLog(PROGRAM, 'info');
  try {
    // Options may follow the command, and the daemon wants those that are its own before the arguments.
    const { options, operands } = parseOptions(argv, OPTIONS);
    applyLogOptions(options, output);
    const passed: string[] = [];
    for (const { name, value = '' } of options) {
      if (name === 'help') {
        process.stdout.write(usage());
        return 0;
      }
      if (name === 'version') {
        process.stdout.write(`${versionText(PROGRAM)}\n`);
        return 0;
      }
      if (name === 'timeout') {
        const seconds = parseSeconds(value);
        if (seconds === undefined) return fail(PROGRAM, `value ${value} on -t or --timeout is invalid`);
        setAlarm(seconds);
      } else if (PASSED.some((spec) => spec.name === name)) {
        passed.push(name === 'statistics' ? '-s' : name === 'more' ? '-m' : `--${name}`);
      }
    }
    const [command, ...args] = operands;
    if (command === undefined) return fail(PROGRAM, 'missing command name; use --help for help');
    const reply = await controlCall('ovs-vswitchd', `dpctl/${command}`, [...passed, ...args]);
    if (reply.kind === 'result') {
      process.stdout.write(reply.text);
      return 0;
    }
    if (reply.text.includes('is not a valid command')) return fail(PROGRAM, `unknown command '${command}'; use --help for help`);
    process.stderr.write(
      SPEAKER.test(reply.text) ? reply.text.replaceAll(new RegExp(SPEAKER, 'gm'), `${PROGRAM}: `) : `${PROGRAM}: ${reply.text}`,
    );
    return 1;
  } catch (error) {
    if (error instanceof UsageError) return fail(PROGRAM, error.message);
    return fail(PROGRAM, errorText(error));
  }
}
