// Which module shows lines of which level at which destination, and the words by which people change that: `-vSPEC` and `vlog/set SPEC`.
import type { LogLevel } from './log.ts';
import { logModules } from './log.ts';
import { modulesOf } from './log-modules.ts';

export const LOG_DESTINATIONS = ['syslog', 'console', 'file'] as const;
export type LogDestination = (typeof LOG_DESTINATIONS)[number];

/** A number so that comparing is cheap: 0 shows nothing, 5 shows debugging too. */
const RANK: Readonly<Record<LogLevel | 'off', number>> = { off: 0, emer: 1, err: 2, warn: 3, info: 4, dbg: 5 };
const RANK_NAMES = ['OFF', 'EMER', 'ERR', 'WARN', 'INFO', 'DBG'];

const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp clock ftp ntp audit alert clock2 local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );

export const DEFAULT_PATTERNS: Readonly<Record<LogDestination, string>> = {
  syslog: 'ovs|%05N|%c%T|%p|%m',
  console: '%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
  file: '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
};

function word<T extends string>(words: readonly T[], text: string): T | undefined {
  const lower = text.toLowerCase();
  return words.find((candidate) => candidate === lower);
}

/** Levels, patterns and facility of one process. */
export class LogSettings {
  readonly patterns = new Map<LogDestination, string>(Object.entries(DEFAULT_PATTERNS) as [LogDestination, string][]);
  /** Number of the syslog facility; undefined means the destination's own default. */
  facility: number | undefined;
  readonly #defaults = new Map<LogDestination, number>(LOG_DESTINATIONS.map((d) => [d, RANK.info]));
  readonly #overrides = new Map<string, Map<LogDestination, number>>();
  readonly #noRateLimit = new Set<string>();
  readonly #program: string;

  constructor(program = '') {
    this.#program = program;
  }

  shows(module: string, level: LogLevel, destination: LogDestination): boolean {
    return this.#rank(module, destination) >= RANK[level];
  }

  #rank(module: string, destination: LogDestination): number {
    return this.#overrides.get(module)?.get(destination) ?? this.#defaults.get(destination) ?? 0;
  }

  /** Sets a level; no module means all, no destination means all. */
  setLevel(module: string | undefined, destination: LogDestination | undefined, level: LogLevel | 'off'): void {
    for (const d of destination === undefined ? LOG_DESTINATIONS : [destination]) {
      if (module === undefined) {
        this.#defaults.set(d, RANK[level]);
        for (const override of this.#overrides.values()) override.delete(d);
      } else {
        const override = this.#overrides.get(module) ?? new Map<LogDestination, number>();
        override.set(d, RANK[level]);
        this.#overrides.set(module, override);
      }
    }
  }

  /** The names that `-v` knows, sorted: Open vSwitch's of the program, and ours beside them. */
  modules(): string[] {
    const { own, foreign } = modulesOf(this.#program);
    return [...new Set([...logModules().filter((module) => !foreign.has(module)), ...own])].sort();
  }

  #knows(module: string): boolean {
    return this.modules().includes(module);
  }

  /** Obeys one SPEC; gives the text of what is wrong with it, or undefined. Words before a fault have no effect. */
  apply(spec: string): string | undefined {
    const words = spec.split(/[ ,:]+/).filter((w) => w !== '');
    const first = words[0];
    if (first === 'PATTERN') {
      const [, destination = '', pattern] = /^[ ,:]*PATTERN[ ,:]+([^ ,:]*)[ ,:]?([\s\S]*)$/.exec(spec) ?? [];
      if (destination === '') return 'missing destination';
      const which = word([...LOG_DESTINATIONS, 'any'], destination);
      if (which === undefined) return `unknown destination "${destination}"`;
      for (const d of which === 'any' ? LOG_DESTINATIONS : [which]) this.patterns.set(d, pattern ?? '');
      return undefined;
    }
    if (first === 'FACILITY') {
      const number = FACILITIES.indexOf((words[1] ?? '').toLowerCase());
      if (number < 0) return 'invalid facility';
      this.facility = number;
      return undefined;
    }
    let module: string | undefined;
    let destination: LogDestination | undefined;
    let level: LogLevel | 'off' | undefined;
    for (const w of words) {
      const asDestination = word(LOG_DESTINATIONS, w);
      const asLevel = word(Object.keys(RANK) as (LogLevel | 'off')[], w);
      if (asDestination !== undefined) {
        if (destination !== undefined) return 'cannot specify multiple destinations';
        destination = asDestination;
      } else if (asLevel !== undefined) {
        if (level !== undefined) return 'cannot specify multiple levels';
        level = asLevel;
      } else if (w.toLowerCase() !== 'any') {
        const name = w.toLowerCase().replaceAll('-', '_');
        if (!this.#knows(name)) return `no destination, level, or module "${w}"`;
        if (module !== undefined) return 'cannot specify multiple modules';
        module = name;
      }
    }
    this.setLevel(module, destination, level ?? 'dbg');
    return undefined;
  }

  /** Turns rate limiting of modules off or on again; text of the fault when one is unknown. Without names: of all. */
  setRateLimit(names: readonly string[], isLimited: boolean): string | undefined {
    const chosen: string[] = [];
    for (const name of names.length === 0 ? ['any'] : names) {
      const isAny = name.toLowerCase() === 'any';
      if (!isAny && !this.#knows(name)) return 'unknown module';
      chosen.push(...(isAny ? this.modules() : [name]));
    }
    for (const name of chosen) {
      if (isLimited) this.#noRateLimit.delete(name);
      else this.#noRateLimit.add(name);
    }
    return undefined;
  }

  isRateLimited(module: string): boolean {
    return !this.#noRateLimit.has(module);
  }

  /** What `vlog/list` prints. */
  list(): string {
    const lines = ['                 console    syslog    file', '                 -------    ------    ------'];
    const name = (module: string, d: LogDestination) => (RANK_NAMES[this.#rank(module, d)] ?? '').padStart(4);
    for (const module of this.modules()) {
      lines.push(`${module.padEnd(16)}  ${name(module, 'console')}       ${name(module, 'syslog')}       ${name(module, 'file')}`);
    }
    return `${lines.join('\n')}\n`;
  }

  /** What `vlog/list-pattern` prints. */
  listPatterns(): string {
    const lines = ['         prefix                            format', '         ------                            ------'];
    for (const d of LOG_DESTINATIONS) {
      const prefix = d === 'syslog' ? '<%B> %D{%h %e %T} %E %A:' : 'none';
      lines.push(`${d.toUpperCase().padEnd(7)}  ${prefix.padEnd(32)}  ${this.patterns.get(d)}`);
    }
    return `${lines.join('\n')}\n`;
  }
}
