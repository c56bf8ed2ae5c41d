// Signals as logs and messages tell of them.

/** The C library's names of signals, as the log shows them. */
export const SIGNAL_TEXT = new Map([
  ['SIGHUP', 'Hangup'],
  ['SIGINT', 'Interrupt'],
  ['SIGQUIT', 'Quit'],
  ['SIGILL', 'Illegal instruction'],
  ['SIGABRT', 'Aborted'],
  ['SIGBUS', 'Bus error'],
  ['SIGFPE', 'Floating point exception'],
  ['SIGKILL', 'Killed'],
  ['SIGSEGV', 'Segmentation fault'],
  ['SIGPIPE', 'Broken pipe'],
  ['SIGALRM', 'Alarm clock'],
  ['SIGTERM', 'Terminated'],
  ['SIGXCPU', 'CPU time limit exceeded'],
  ['SIGXFSZ', 'File size limit exceeded'],
]);

/** Those that end a daemon or a tool, with their numbers (signal(7)), which the log says. */
export const FATAL_SIGNALS = [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGALRM', 14],
  ['SIGTERM', 15],
] as const;

/** What the log says of one. */
export const fatalText = ([name, number]: (typeof FATAL_SIGNALS)[number]): string =>
  `terminating with signal ${number} (${SIGNAL_TEXT.get(name)})`;
