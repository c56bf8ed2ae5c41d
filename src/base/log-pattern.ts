// A log line's text from its pattern: `%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m` (ovs-appctl(8), vlog/set PATTERN).
import type { LogLevel } from './log.ts';

/** What a pattern may speak of. */
export interface LogFacts {
  program: string;
  module: string;
  level: LogLevel;
  message: string;
  serial: number;
  /** Milliseconds since 1970 and since the program's start. */
  wallMs: number;
  elapsedMs: number;
  pid: number;
  hostname: string;
  /** Name of the process within the program, '' for the main one. */
  subprogram: string;
  /** Syslog facility times 8 plus severity. */
  priority: number;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const LONG_MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');
const LONG_DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** strftime's common conversions, and `#` for digits of the fraction of a second. */
export function formatTime(template: string, wallMs: number, isUtc: boolean): string {
  // Shifting by the zone lets the UTC getters serve both.
  const offsetMin = isUtc ? 0 : -new Date(wallMs).getTimezoneOffset();
  const t = new Date(wallMs + offsetMin * 60_000);
  const two = (n: number) => String(n).padStart(2, '0');
  const hour12 = t.getUTCHours() % 12 || 12;
  const convert = (c: string): string => {
    switch (c) {
      case 'Y':
        return String(t.getUTCFullYear());
      case 'y':
        return two(t.getUTCFullYear() % 100);
      case 'm':
        return two(t.getUTCMonth() + 1);
      case 'd':
        return two(t.getUTCDate());
      case 'e':
        return String(t.getUTCDate()).padStart(2);
      case 'H':
        return two(t.getUTCHours());
      case 'I':
        return two(hour12);
      case 'M':
        return two(t.getUTCMinutes());
      case 'S':
        return two(t.getUTCSeconds());
      case 'p':
        return t.getUTCHours() < 12 ? 'AM' : 'PM';
      case 'b':
      case 'h':
        return MONTHS[t.getUTCMonth()] ?? '';
      case 'B':
        return LONG_MONTHS[t.getUTCMonth()] ?? '';
      case 'a':
        return DAYS[t.getUTCDay()] ?? '';
      case 'A':
        return LONG_DAYS[t.getUTCDay()] ?? '';
      case 'T':
        return `${convert('H')}:${convert('M')}:${convert('S')}`;
      case 'R':
        return `${convert('H')}:${convert('M')}`;
      case 'F':
        return `${convert('Y')}-${convert('m')}-${convert('d')}`;
      case 'D':
        return `${convert('m')}/${convert('d')}/${convert('y')}`;
      case 's':
        return String(Math.floor(wallMs / 1000));
      case 'z':
        return `${offsetMin < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(offsetMin) / 60))}${two(Math.abs(offsetMin) % 60)}`;
      case 'Z':
        return isUtc ? 'UTC' : '';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '%':
        return '%';
      default:
        return `%${c}`;
    }
  };
  const text = template.replace(/%([\s\S])/g, (_, c: string) => convert(c));
  const fraction = String(Math.floor(wallMs) % 1000).padStart(3, '0');
  return text.replace(/#+/g, (run) => fraction.padEnd(run.length, '0').slice(0, run.length));
}

function expand(letter: string, template: string | undefined, facts: LogFacts): string {
  switch (letter) {
    case 'A':
      return facts.program;
    case 'B':
      return String(facts.priority);
    case 'c':
      return facts.module;
    case 'd':
      return formatTime(template ?? '%Y-%m-%d %H:%M:%S', facts.wallMs, false);
    case 'D':
      return formatTime(template ?? '%Y-%m-%d %H:%M:%S', facts.wallMs, true);
    case 'E':
      return facts.hostname;
    case 'm':
      return facts.message;
    case 'N':
      return String(facts.serial);
    case 'n':
      return '\n';
    case 'p':
      return facts.level.toUpperCase();
    case 'P':
      return String(facts.pid);
    case 'r':
      return String(Math.floor(facts.elapsedMs));
    case 't':
      return facts.subprogram === '' ? 'main' : facts.subprogram;
    case 'T':
      return facts.subprogram === '' ? '' : `(${facts.subprogram})`;
    default:
      return letter;
  }
}

/** The line for a record. */
export function formatLogLine(pattern: string, facts: LogFacts): string {
  return pattern.replace(
    /%(-?)(0?)(\d*)(?:([dD])\{([^}]*)\}|([\s\S]))/g,
    (_, left: string, zero: string, width: string, date, template, plain) => {
      const text = expand(date ?? plain, template, facts);
      if (width === '') return text;
      // A hostile pattern must not make gigabytes of padding.
      const columns = Math.min(Number(width), 1000);
      return left === '-' ? text.padEnd(columns) : text.padStart(columns, zero === '0' ? '0' : ' ');
    },
  );
}
