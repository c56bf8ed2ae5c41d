// vlog: every line belongs to a module and has a level; each destination shows a module's lines from a level on.
// Modules and levels are Open vSwitch's, so that `vlog/set`, `-v` and log readers find what they expect.
// This room formats and filters; `host/log-output.ts` owns the file, the console and syslog.

export const LOG_LEVELS = ['emer', 'err', 'warn', 'info', 'dbg'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One line before formatting. */
export interface LogRecord {
  module: string;
  level: LogLevel;
  message: string;
}

/** Takes what passes; installed once by the process. */
export interface LogSink {
  /** Whether any destination shows this module at this level; asked before a message is built. */
  shows(module: string, level: LogLevel): boolean;
  write(record: LogRecord): void;
  /** Milliseconds of a clock that does not go back, for a module of which not more than so much is to be written; undefined = all is. */
  limitClock?(module: string): number | undefined;
}

const silent: LogSink = { shows: () => false, write: () => {} };
let sink: LogSink = silent;
const modules = new Set<string>();

/** Installs the process's destination; returns the one before. */
export function setLogSink(next: LogSink): LogSink {
  const before = sink;
  sink = next;
  return before;
}

/** The names of all modules that asked for a logger, sorted. */
export function logModules(): string[] {
  return [...modules].sort();
}

/** A module's voice. Messages may be functions, called only when the line will be shown. */
export interface Logger {
  emer(message: string | (() => string)): void;
  err(message: string | (() => string)): void;
  warn(message: string | (() => string)): void;
  info(message: string | (() => string)): void;
  dbg(message: string | (() => string)): void;
  shows(level: LogLevel): boolean;
  /** What `LogSink.limitClock` says of this module. */
  limitClock?(): number | undefined;
}

/** The logger of `module` (Open vSwitch's module name, e.g. `bridge`, `ofproto`, `reconnect`). */
export function logger(module: string): Logger {
  modules.add(module);
  const at = (level: LogLevel) => (message: string | (() => string)) => {
    if (sink.shows(module, level)) sink.write({ module, level, message: typeof message === 'string' ? message : message() });
  };
  return {
    emer: at('emer'),
    err: at('err'),
    warn: at('warn'),
    info: at('info'),
    dbg: at('dbg'),
    shows: (level) => sink.shows(module, level),
    limitClock: () => sink.limitClock?.(module),
  };
}
