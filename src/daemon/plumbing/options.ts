// The options that all daemons share, and their part of --help.
import type { OptionSpec, ParsedOption } from '../../base/getopt.ts';
import { logDir, runDir } from '../../host/directories.ts';

export interface DaemonSettings {
  detach: boolean;
  monitor: boolean;
  changeFolder: boolean;
  /** Absolute path, undefined when no pidfile was asked for. */
  pidfile: string | undefined;
  overwritePidfile: boolean;
  user: string | undefined;
  /** The pidfile as far as it was known when `--user` came: what is wrong with that is told with it. */
  pidfileAtUser: string | undefined;
  /** Undefined for the default place, 'none' for no control socket. */
  unixctl: string | undefined;
}

/** What tells a program to go to the background; tools that go on until they are ended have these too. */
export const BACKGROUND_OPTIONS: readonly OptionSpec[] = [
  { name: 'detach' },
  { name: 'no-self-confinement' },
  { name: 'no-chdir' },
  { name: 'pidfile', argument: 'optional' },
  { name: 'overwrite-pidfile' },
  { name: 'monitor' },
  { name: 'user', argument: 'required' },
];

export const DAEMON_OPTIONS: readonly OptionSpec[] = [
  { name: 'unixctl', argument: 'required' },
  { name: 'help', short: 'h' },
  { name: 'version', short: 'V' },
  ...BACKGROUND_OPTIONS,
];

/** -v and its kin; the command line tools have them too. */
export const LOG_OPTIONS: readonly OptionSpec[] = [
  { name: 'verbose', short: 'v', argument: 'optional' },
  { name: 'log-file', argument: 'optional' },
  { name: 'syslog-method', argument: 'required' },
  { name: 'syslog-target', argument: 'required' },
];

/** Keys and certificates for `ssl:` connections. */
export const SSL_OPTIONS: readonly OptionSpec[] = [
  { name: 'private-key', short: 'p', argument: 'required' },
  { name: 'certificate', short: 'c', argument: 'required' },
  { name: 'ca-cert', short: 'C', argument: 'required' },
  { name: 'ssl-protocols', argument: 'required' },
  { name: 'ssl-ciphers', argument: 'required' },
  { name: 'peer-ca-cert', argument: 'required' },
  { name: 'bootstrap-ca-cert', argument: 'required' },
];

/** For programs that can be recorded and replayed. */
export const REPLAY_OPTIONS: readonly OptionSpec[] = [
  { name: 'record', argument: 'optional' },
  { name: 'replay', argument: 'optional' },
];

/** The section of --help on where keys are. */
export const KEYS_USAGE = `PKI configuration (required to use SSL):
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
`;

/** The sections of --help on keys and TLS. */
export const PKI_USAGE = `${KEYS_USAGE}  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create
SSL options:
  --ssl-protocols=PROTOS  list of SSL protocols to enable
  --ssl-ciphers=CIPHERS   list of SSL ciphers to enable
`;

/** The section of --help on how a database server is reached; `peer` is the help's word for it. */
export const activeUsage = (peer: string): string => `Active ${peer} connection methods:
  tcp:HOST:PORT           PORT at remote HOST
  ssl:HOST:PORT           SSL PORT at remote HOST
  unix:FILE               Unix domain socket named FILE
`;

/** The sections of --help on how a database server is reached or waited for. */
export const connectionUsage = (peer: string): string => `${activeUsage(peer)}Passive ${peer} connection methods:
  ptcp:PORT[:IP]          listen to TCP PORT on IP
  pssl:PORT[:IP]          listen for SSL on PORT on IP
  punix:FILE              listen on Unix domain socket FILE
`;

/** An absolute path: as given when it begins with a slash, else in the run directory. */
export function inRunDir(path: string): string {
  return path.startsWith('/') ? path : `${runDir()}/${path}`;
}

/** Takes the shared options out of a parsed command line. */
export function daemonSettings(program: string, options: readonly ParsedOption[]): DaemonSettings {
  const settings: DaemonSettings = {
    detach: false,
    monitor: false,
    changeFolder: true,
    pidfile: undefined,
    overwritePidfile: false,
    user: undefined,
    pidfileAtUser: undefined,
    unixctl: undefined,
  };
  for (const { name, value } of options) {
    if (name === 'detach') settings.detach = true;
    else if (name === 'monitor') settings.monitor = true;
    else if (name === 'no-chdir') settings.changeFolder = false;
    else if (name === 'pidfile') settings.pidfile = inRunDir(value ?? `${program}.pid`);
    else if (name === 'overwrite-pidfile') settings.overwritePidfile = true;
    else if (name === 'user') [settings.user, settings.pidfileAtUser] = [value, settings.pidfile];
    else if (name === 'unixctl') settings.unixctl = value;
  }
  return settings;
}

/** The shared sections of --help. */
export const daemonUsage = (program: string): string => `${backgroundUsage(program)}${logUsage(program)}`;

/** The section of --help on going to the background. */
export function backgroundUsage(program: string): string {
  return `
Daemon options:
  --detach                run in background as daemon
  --monitor               creates a process to monitor this daemon
  --user=username[:group] changes the effective daemon user:group
  --no-chdir              do not chdir to '/'
  --pidfile[=FILE]        create pidfile (default: ${runDir()}/${program}.pid)
  --overwrite-pidfile     with --pidfile, start even if already running
`;
}

/** The logging section of --help. */
export function logUsage(program: string): string {
  return `
Logging options:
  -vSPEC, --verbose=SPEC   set logging levels
  -v, --verbose            set maximum verbosity level
  --log-file[=FILE]        enable logging to specified FILE
                           (default: ${logDir()}/${program}.log)
  --syslog-method=(libc|unix:file|udp:ip:port)
                           specify how to send messages to syslog daemon
  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP
`;
}
