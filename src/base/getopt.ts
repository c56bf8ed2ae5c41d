// Command line options as the GNU C library's getopt_long reads them: unique abbreviations of long names, joined short options, `--`.
// Errors are its texts, without the program's name.
import { ConfigError } from './errors.ts';

/** One long option; `short` is its letter. Order matters: it is the order in which ambiguous names are listed. */
export interface OptionSpec {
  name: string;
  short?: string;
  /** Whether a value follows; none when left out. */
  argument?: 'required' | 'optional';
}

export interface ParsedOption {
  /** The long name. */
  name: string;
  value: string | undefined;
}

export interface ParsedOptions {
  options: ParsedOption[];
  operands: string[];
}

/** A fault in a command line. */
export class UsageError extends ConfigError {
  override readonly name = 'UsageError';
}

/** `whole` is the word as it stands on the command line. */
function findLong(specs: readonly OptionSpec[], given: string, whole: string): OptionSpec {
  const exact = specs.find((spec) => spec.name === given);
  if (exact !== undefined) return exact;
  const matches = specs.filter((spec) => spec.name.startsWith(given));
  const [first] = matches;
  if (first === undefined) throw new UsageError(`unrecognized option '${whole}'`);
  if (matches.length > 1) {
    throw new UsageError(`option '${whole}' is ambiguous; possibilities: ${matches.map((m) => `'--${m.name}'`).join(' ')}`);
  }
  return first;
}

/** Parses options; `stopAtOperand` leaves everything from the first non-option on alone. Throws UsageError. */
export function parseOptions(argv: readonly string[], specs: readonly OptionSpec[], stopAtOperand = false): ParsedOptions {
  const options: ParsedOption[] = [];
  return { options, operands: scanOptions(argv, specs, stopAtOperand, options) };
}

/**
 * The same up to the first fault: the options before it are to be obeyed, which may end the program or find another fault, and then `fault` is to be
 * thrown.
 */
export function parseUntilFault(
  argv: readonly string[],
  specs: readonly OptionSpec[],
  stopAtOperand = false,
): ParsedOptions & { fault: UsageError | undefined } {
  const options: ParsedOption[] = [];
  try {
    return { options, operands: scanOptions(argv, specs, stopAtOperand, options), fault: undefined };
  } catch (error) {
    if (error instanceof UsageError) return { options, operands: [], fault: error };
    throw error;
  }
}

/** Fills `options`; gives the operands. */
function scanOptions(argv: readonly string[], specs: readonly OptionSpec[], stopAtOperand: boolean, options: ParsedOption[]): string[] {
  const operands: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? '';
    if (arg === '--') {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const spec = findLong(specs, equals < 0 ? arg.slice(2) : arg.slice(2, equals), arg);
      let value = equals < 0 ? undefined : arg.slice(equals + 1);
      if (value !== undefined && spec.argument === undefined) throw new UsageError(`option '--${spec.name}' doesn't allow an argument`);
      if (value === undefined && spec.argument === 'required') {
        if (i + 1 >= argv.length) throw new UsageError(`option '--${spec.name}' requires an argument`);
        value = argv[++i];
      }
      options.push({ name: spec.name, value });
    } else if (arg.startsWith('-') && arg !== '-') {
      for (let at = 1; at < arg.length; at++) {
        const letter = arg.charAt(at);
        const spec = specs.find((candidate) => candidate.short === letter);
        if (spec === undefined) throw new UsageError(`invalid option -- '${letter}'`);
        const rest = arg.slice(at + 1);
        if (spec.argument === undefined) {
          options.push({ name: spec.name, value: undefined });
          continue;
        }
        if (rest !== '') options.push({ name: spec.name, value: rest });
        else if (spec.argument === 'optional') options.push({ name: spec.name, value: undefined });
        else if (i + 1 >= argv.length) throw new UsageError(`option requires an argument -- '${letter}'`);
        else options.push({ name: spec.name, value: argv[++i] });
        break;
      }
    } else if (stopAtOperand) {
      operands.push(...argv.slice(i));
      break;
    } else {
      operands.push(arg);
    }
  }
  return operands;
}
