// ovsdb-server: databases from files, remotes, and the commands of ovs-appctl.
import { useSha1 } from '../../base/cryptography.ts';
import { errorText } from '../../base/errors.ts';
import type { OptionSpec, ParsedOption } from '../../base/getopt.ts';
import { copiedOrder, hashOrder } from '../../base/hash-order.ts';
import { logger } from '../../base/log.ts';
import { SIGNAL_TEXT } from '../../base/signal-text.ts';
import { OPEN_VSWITCH_VERSION } from '../../base/version.ts';
import { dbDir } from '../../host/directories.ts';
import { opensslSha1 } from '../../host/ffi.ts';
import { reportKeyFault } from '../../host/sockets/tls-keys.ts';
import { REPLAY_OPTIONS, SSL_OPTIONS } from '../plumbing/options.ts';
import { type DaemonContext, runDaemon } from '../plumbing/plumbing.ts';
import { registerDatabaseCommands } from './commands.ts';
import { registerDiagnosticCommands } from './diagnostic-commands.ts';
import { OvsdbDaemon } from './ovsdb-daemon.ts';
import { usage } from './usage.ts';

const PROGRAM = 'ovsdb-server';
const log = logger('ovsdb_server');
/** Status columns are written this often at most. */
const STATUS_INTERVAL_MS = 2500;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'remote', argument: 'required' },
  { name: 'run', argument: 'required' },
];

/** These come after those of all daemons. */
const LAST_OPTIONS: readonly OptionSpec[] = [
  ...SSL_OPTIONS.filter(({ name }) => name === 'peer-ca-cert'),
  ...SSL_OPTIONS.filter(({ name }) => name !== 'peer-ca-cert'),
  { name: 'sync-from', argument: 'required' },
  { name: 'sync-exclude-tables', argument: 'required' },
  { name: 'active' },
  { name: 'no-dbs' },
  { name: 'disable-file-column-diff' },
  ...REPLAY_OPTIONS,
];

/** Of other keys counts what is in force when the databases are open. */
function obey(option: ParsedOption): void {
  if (option.name === 'peer-ca-cert') reportKeyFault(option);
}

async function start(context: DaemonContext): Promise<void> {
  useSha1(opensslSha1);
  const has = (name: string): boolean => context.options.some((option) => option.name === name);
  const last = (name: string): string => context.options.findLast((option) => option.name === name)?.value ?? '';
  const daemon = new OvsdbDaemon(
    !has('disable-file-column-diff'),
    { remote: last('sync-from'), excluded: last('sync-exclude-tables') },
    context.options,
  );
  const paths = context.operands.length > 0 || has('no-dbs') ? context.operands : [`${dbDir()}/conf.db`];
  context.onExit(() => daemon.close());
  for (const path of copiedOrder([...new Set(paths)])) {
    try {
      daemon.addDatabase(path);
    } catch (error) {
      context.fatal(errorText(error), 'ovsdb_server');
    }
  }
  const keyFaults = daemon.keys.faults();
  if (keyFaults !== '') context.fatal(keyFaults, 'ovsdb_server');
  daemon.keys.reportFaults();
  daemon.keys.refresh();
  registerDatabaseCommands(context.unixctl, daemon, () => void context.exit());
  context.onExit(registerDiagnosticCommands(context.unixctl, daemon));
  const remotes = copiedOrder([...new Set(context.options.flatMap(({ name, value = '' }) => (name === 'remote' ? [value] : [])))]);
  const faults: string[] = [];
  for (const remote of remotes) if (remote.startsWith('db:')) faults.push(await daemon.addRemote(remote));
  // A remote that cannot listen yet is tried again; those that make no sense are the end.
  const told = faults.filter((fault) => fault !== '');
  if (told.length > 0) context.fatal(told.map((fault) => `${fault}\n`).join(''), 'ovsdb_server');
  for (const remote of hashOrder(remotes)) if (!remote.startsWith('db:')) await daemon.addRemote(remote);
  await context.openControl();
  daemon.server.describe();
  const timer = setInterval(() => {
    daemon.sayTorn();
    daemon.remotes.writeStatus();
  }, STATUS_INTERVAL_MS);
  context.onExit(() => clearInterval(timer));
  context.ready();
  if (!has('run')) log.info(`ovsdb-server (Open vSwitch) ${OPEN_VSWITCH_VERSION}`);
  await daemon.startActive();
  if (has('sync-from') && !has('active')) daemon.replication.connect();
  daemon.remotes.writeStatus();
  const command = last('run');
  if (has('run')) {
    const { spawn } = process.getBuiltinModule('node:child_process');
    spawn('/bin/sh', ['-c', command], { stdio: 'inherit' }).on('exit', async (code, signal) => {
      await daemon.turn();
      if (code === 0) return void context.exit(0);
      const why = signal === null ? `exit status ${code}` : `killed (${SIGNAL_TEXT.get(signal) ?? signal})`;
      process.stderr.write(`${PROGRAM}: ${command}: child exited, ${why}\n`);
      void context.exit(1);
    });
  }
}

/** Runs the daemon. */
export function main(argv: string[]): Promise<number | undefined> {
  return runDaemon({ program: PROGRAM, options: OPTIONS, lastOptions: LAST_OPTIONS, obey, usage, opensControl: true, start }, argv);
}
