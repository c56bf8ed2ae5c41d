// From argv to settings and commands. Nothing here touches the database.

import { type OptionSpec, type ParsedOption, parseUntilFault, UsageError } from '../../base/getopt.ts';
import { hashOrder } from '../../base/hash-order.ts';
import { LOG_OPTIONS, SSL_OPTIONS } from '../../daemon/plumbing/options.ts';
import { applyTableOption, defaultStyle, TABLE_OPTIONS, type TableStyle } from '../table-output.ts';
import { COMMAND_OPTIONS, COMMANDS, type CommandSpec } from './commands.ts';
import type { Invocation } from './context.ts';

export interface CommandLine {
  /** Options that are answered at once. */
  wants: 'help' | 'version' | 'commands' | 'options' | undefined;
  db: string | undefined;
  wait: boolean;
  timeoutSec: number;
  retry: boolean;
  isDryRun: boolean;
  isOneline: boolean;
  style: TableStyle;
  commands: { spec: CommandSpec; invocation: Invocation }[];
}

/** The options that are no command's, in the order that `--options` shows. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'db', argument: 'required' },
  { name: 'no-syslog' },
  { name: 'no-wait' },
  { name: 'dry-run' },
  { name: 'oneline' },
  { name: 'timeout', short: 't', argument: 'required' },
  { name: 'retry' },
  { name: 'help', short: 'h' },
  { name: 'commands' },
  { name: 'options' },
  // Of clustered databases; one server is always the leader, and remotes are tried in their order.
  { name: 'leader-only' },
  { name: 'no-leader-only' },
  { name: 'shuffle-remotes' },
  { name: 'no-shuffle-remotes' },
  { name: 'version', short: 'V' },
  ...LOG_OPTIONS,
  ...TABLE_OPTIONS,
  ...SSL_OPTIONS.filter(({ name }) => name !== 'peer-ca-cert'),
  { name: 'peer-ca-cert', argument: 'required' },
];

const localSpecs: readonly OptionSpec[] = COMMAND_OPTIONS.map((option) =>
  option.endsWith('=') ? { name: option.slice(2, -1), argument: 'required' } : { name: option.slice(2) },
);
const localNames = new Set(localSpecs.map((spec) => spec.name));

/** All names that may stand before the first command. */
export const ALL_OPTIONS: readonly OptionSpec[] = [...GLOBAL_OPTIONS, ...localSpecs];

/** Parses a whole command line. Options of the log and of keys are obeyed by `obey` as they come, whatever is wrong behind them. Throws UsageError. */
export function parseCommandLine(argv: readonly string[], obey: (option: ParsedOption) => void = () => {}): CommandLine {
  const line: CommandLine = {
    wants: undefined,
    db: undefined,
    wait: true,
    timeoutSec: 0,
    retry: false,
    isDryRun: false,
    isOneline: false,
    style: defaultStyle('list'),
    commands: [],
  };
  const { options, operands, fault } = parseUntilFault(argv, ALL_OPTIONS, true);
  const first: string[] = [];
  for (const option of options) {
    // Of one given twice before the first command the first counts.
    const isRepeated = first.some((word) => word.split('=')[0] === `--${option.name}`);
    if (localNames.has(option.name) && isRepeated) continue;
    if (localNames.has(option.name)) first.push(`--${option.name}${option.value === undefined ? '' : `=${option.value}`}`);
    else takeGlobal(line, option, obey);
    if (line.wants !== undefined) return line;
  }
  if (fault !== undefined) throw fault;
  for (const words of split([...first, ...operands])) line.commands.push(parseCommand(words));
  if (line.commands.length === 0) throw new UsageError('missing command name (use --help for help)');
  return line;
}

function takeGlobal(line: CommandLine, { name, value = '' }: ParsedOption, obey: (option: ParsedOption) => void): void {
  if (applyTableOption(line.style, name, value)) return;
  switch (name) {
    case 'db':
      line.db = value;
      break;
    case 'no-wait':
      line.wait = false;
      break;
    case 'dry-run':
      line.isDryRun = true;
      break;
    case 'oneline':
      line.isOneline = true;
      break;
    case 'timeout':
      if (!/^\d+$/.test(value) || Number(value) === 0 || Number(value) >= 2 ** 32)
        throw new UsageError(`value ${value} on -t or --timeout is invalid`);
      line.timeoutSec = Number(value);
      break;
    case 'retry':
      line.retry = true;
      break;
    case 'help':
    case 'version':
    case 'commands':
    case 'options':
      line.wants = name;
      break;
    case 'leader-only':
    case 'no-leader-only':
    case 'shuffle-remotes':
    case 'no-shuffle-remotes':
      break;
    case 'no-syslog':
      obey({ name: 'verbose', value: 'vsctl:syslog:warn' });
      break;
    default:
      obey({ name, value: value === '' ? undefined : value });
  }
}

/** The commands between `--` words; empty ones count for nothing. */
function split(words: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === '--') commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands.filter((command) => command.length > 0);
}

function parseCommand(words: readonly string[]): { spec: CommandSpec; invocation: Invocation } {
  const options = new Map<string, string | undefined>();
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const word = words[at] ?? '';
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (options.has(name)) throw new UsageError(`'${word}' option specified multiple times`);
    options.set(name, equals < 0 ? undefined : word.slice(equals + 1));
  }
  const name = words[at];
  if (name === undefined) throw new UsageError('missing command name (use --help for help)');
  const spec = COMMANDS.get(name);
  if (spec === undefined) throw new UsageError(`unknown command '${name}'; use --help for help`);
  const given = new Map<string, string>();
  // Of several faults the reference tells the first that it comes by.
  for (const option of hashOrder([...options.keys()])) {
    const value = options.get(option);
    const takesValue = spec.options.includes(`${option}=`);
    if (!takesValue && !spec.options.includes(option)) throw new UsageError(`'${name}' command has no '${option}' option`);
    if (takesValue && value === undefined) throw new UsageError(`missing argument to '${option}' option on '${name}' command`);
    if (!takesValue && value !== undefined) throw new UsageError(`'${option}' option on '${name}' does not accept an argument`);
    given.set(option, value ?? '');
  }
  const args = words.slice(at + 1);
  if (args.length < spec.minArgs) throw new UsageError(`'${name}' command requires at least ${spec.minArgs} arguments`);
  if (args.length > spec.maxArgs) {
    const hint = args.some((arg) => arg.startsWith('-'))
      ? ' (note that options must precede command names and follow a "--" argument)'
      : '';
    throw new UsageError(`'${name}' command takes at most ${spec.maxArgs} arguments${hint}`);
  }
  // The reference shows options in an order of its own, not in that of the command line.
  const ordered = spec.options.filter((option) => given.has(option));
  return { spec, invocation: { name, options: given, args, line: [...ordered, ...words.slice(at)].map(quoteArgument).join(' ') } };
}

/** The word as the reference shows it: in quotes when it holds space, a quote or a backslash. */
export function quoteArgument(word: string): string {
  return /[\t\n\v\r "'\\]/.test(word) ? `"${word.replaceAll(/["\\]/g, '\\$&')}"` : word;
}
