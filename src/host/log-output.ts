// Where log lines go: stderr, a file, and syslog. One LogOutput a process; it is the LogSink of `base/log.ts`.
//
// Lines are written at once and synchronously: what was logged before a crash is in the file.
import { closeSync, fchownSync, fstatSync, openSync, writeSync } from 'node:fs';
import { encodeText } from '../base/byte-text.ts';
import { strerror, systemErrno } from '../base/errno.ts';
import { type LogLevel, type LogRecord, type LogSink, logger, setLogSink } from '../base/log.ts';
import { LogSettings } from '../base/log-levels.ts';
import { beginLimits } from '../base/log-limit.ts';
import { formatLogLine } from '../base/log-pattern.ts';
import { logDir } from './directories.ts';

const log = logger('vlog');
const SEVERITY: Readonly<Record<LogLevel, number>> = { emer: 1, err: 3, warn: 4, info: 6, dbg: 7 };
const FACILITY_DAEMON = 3;
const FACILITY_LOCAL0 = 16;

/** Sends one line to a syslog daemon. */
export type SyslogSender = (priority: number, line: string) => void;

function isSameFile(a: number, b: number): boolean {
  const [one, other] = [fstatSync(a), fstatSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}

export class LogOutput implements LogSink {
  readonly settings: LogSettings;
  readonly program: string;
  /** Shown by %t and %T, e.g. `monitor`. */
  subprogram = '';
  #serial = 0;
  #startedAt = Date.now();
  #filePath: string | undefined;
  /** As it was given: what messages call it. */
  #fileName = '';
  #fileFd = -1;
  #syslog: SyslogSender | undefined;
  /** Whether an option has said how the system log is reached. */
  isSyslogChosen = false;
  #target: SyslogSender | undefined;

  constructor(program: string) {
    this.program = program;
    this.settings = new LogSettings(program);
  }

  shows(module: string, level: LogLevel): boolean {
    const s = this.settings;
    return (
      s.shows(module, level, 'console') ||
      (this.#fileFd >= 0 && s.shows(module, level, 'file')) ||
      // Lines for a system log that is not there count all the same, so that serial numbers agree with the reference's.
      s.shows(module, level, 'syslog')
    );
  }

  limitClock(module: string): number | undefined {
    return this.settings.isRateLimited(module) ? performance.now() : undefined;
  }

  write(record: LogRecord): void {
    const { module, level } = record;
    const serial = ++this.#serial;
    const wallMs = Date.now();
    const facility = this.settings.facility;
    const facts = {
      program: this.program,
      module,
      level,
      message: '',
      serial,
      wallMs,
      elapsedMs: wallMs - this.#startedAt,
      pid: process.pid,
      // Most patterns do not show it, and most tools log nothing.
      get hostname() {
        return process.getBuiltinModule('node:os').hostname();
      },
      subprogram: this.subprogram,
      priority: (facility ?? FACILITY_LOCAL0) * 8 + SEVERITY[level],
    };
    const toConsole = this.settings.shows(module, level, 'console');
    const toFile = this.#fileFd >= 0 && this.settings.shows(module, level, 'file');
    const toSyslog = (this.#syslog ?? this.#target) !== undefined && this.settings.shows(module, level, 'syslog');
    // Text with lines of its own, as of an OpenFlow message, stands in files as it is; the system log takes a line at a time.
    facts.message = record.message.endsWith('\n') ? record.message.slice(0, -1) : record.message;
    if (toConsole) this.#put(2, `${formatLogLine(this.settings.patterns.get('console') ?? '', facts)}\n`);
    if (toFile) this.#put(this.#fileFd, `${formatLogLine(this.settings.patterns.get('file') ?? '', facts)}\n`);
    if (!toSyslog) return;
    for (const message of facts.message.split('\n')) {
      facts.message = message;
      const line = formatLogLine(this.settings.patterns.get('syslog') ?? '', facts);
      this.#syslog?.((facility ?? FACILITY_DAEMON) * 8 + SEVERITY[level], line);
      this.#target?.(facts.priority, formatLogLine(`<%B>%D{%h %e %T} %E %A: ${this.settings.patterns.get('syslog')}`, facts));
    }
  }

  #put(fd: number, line: string): void {
    try {
      writeSync(fd, encodeText(line));
    } catch {
      // A full disk or a console that is gone must not stop the program.
    }
  }

  /** Names the log file (default: the program's own in the log folder) that `reopenFile` will open. */
  setFile(path?: string): string {
    const target = path === undefined ? `${logDir()}/${this.program}.log` : path;
    this.#fileName = target;
    // The path must survive a change of folder; what is empty is no path at all.
    this.#filePath = target.startsWith('/') || target === '' ? target : `${process.cwd()}/${target}`;
    return this.#filePath;
  }

  /** Starts logging to a file; gives the fault's text or undefined. */
  openFile(path?: string): string | undefined {
    return this.#open(this.setFile(path));
  }

  #open(absolute: string): string | undefined {
    let fd: number;
    try {
      fd = openSync(absolute, 'a', 0o660);
    } catch (error) {
      const text = strerror(systemErrno(error));
      log.warn(`failed to open ${this.#fileName} for logging: ${text}`);
      return text;
    }
    if (this.#fileFd >= 0) {
      if (isSameFile(fd, this.#fileFd)) {
        closeSync(fd);
        return undefined;
      }
      log.info('closing log file');
      this.closeFile();
    }
    this.#fileFd = fd;
    log.info(`opened log file ${this.#fileName}`);
    return undefined;
  }

  /**
   * Whether an option may still say how the system log is reached: that is settled by the first that does, and by the first line that is logged before.
   */
  choosesSyslog(): boolean {
    const isOpen = !this.isSyslogChosen && this.#serial === 0;
    this.isSyslogChosen ||= isOpen;
    return isOpen;
  }

  reopenFile(): string | undefined {
    if (this.#filePath === undefined) return undefined;
    return this.#open(this.#filePath);
  }

  /** Whether a log file was asked for. */
  get hasFile(): boolean {
    return this.#filePath !== undefined;
  }

  /** Says why the program ends: at level emer to the log, as `PROGRAM: message` to the console. */
  writeFatal(module: string, message: string): void {
    const wasShown = this.settings.shows(module, 'emer', 'console');
    if (wasShown) this.settings.setLevel(module, 'console', 'off');
    if (this.shows(module, 'emer')) this.write({ module, level: 'emer', message });
    this.#put(2, `${this.program}: ${message}\n`);
  }

  /** Gives the file to another user, who is to go on writing it. */
  chownFile(uid: number, gid: number): void {
    if (this.#fileFd >= 0) fchownSync(this.#fileFd, uid, gid);
  }

  closeFile(): void {
    if (this.#fileFd < 0) return;
    closeSync(this.#fileFd);
    this.#fileFd = -1;
  }

  /** Sets who takes lines for the system log. */
  setSyslog(sender: SyslogSender | undefined): void {
    this.#syslog = sender;
  }

  /** Sets who takes lines for `--syslog-target`. */
  setSyslogTarget(sender: SyslogSender | undefined): void {
    this.#target = sender;
  }
}

/** Makes the process's log output and installs it. */
export function installLog(program: string): LogOutput {
  const output = new LogOutput(program);
  setLogSink(output);
  beginLimits();
  return output;
}
