// ovs-vsctl: reads and changes the switch's configuration database (ovs-vsctl(8)).
//
// 1. Parse the command line. 2. Fill a replica of the database. 3. Run all commands on one transaction. 4. Commit; when the database
// changed under us, wait and begin again at 3. 5. Print. 6. Wait until ovs-vswitchd has applied the change, and say which ports it could not set up.
import { readFileSync } from 'node:fs';
import { decodeText } from '../base/byte-text.ts';
import { errorText } from '../base/errors.ts';
import { UsageError } from '../base/getopt.ts';
import { logger } from '../base/log.ts';
import { DATABASE_SCHEMA_VERSION, versionText } from '../base/version.ts';
import { logDir, runDir } from '../host/directories.ts';
import { realClock } from '../host/real-clock.ts';
import { openStream } from '../host/sockets/socket.ts';
import { forgetKeyFaults, keysFromOptions, reportKeyFault, setTlsKeys } from '../host/sockets/tls-keys.ts';
import { connectIdl, type Replica } from '../ovsdb/client/replica.ts';
import type { ReplicaTransaction } from '../ovsdb/client/replica-transaction.ts';
import { mixedServers } from '../ovsdb/client/servers.ts';
import { ValueError } from '../ovsdb/engine/value-text.ts';
import { applyLogOptions, fail, sayFatalSignals, setAlarm, startToolLog } from './options.ts';
import { shippedSchema } from './shipped-schema.ts';
import { TablePrinter } from './table-output.ts';
import { type CommandLine, GLOBAL_OPTIONS, parseCommandLine, quoteArgument } from './vsctl/command-line.ts';
import { isWriter } from './vsctl/commands.ts';
import { Context, type Output } from './vsctl/context.ts';
import { CommandError, ExitWith, TryAgain } from './vsctl/error.ts';
import { neededTables } from './vsctl/needs.ts';
import { prepare } from './vsctl/prepare.ts';

const PROGRAM = 'ovs-vsctl';
const log = logger('vsctl');
const idlLog = logger('ovsdb_idl');

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  const output = startToolLog(PROGRAM);
  output.settings.setLevel('reconnect', undefined, 'warn');
  let line: CommandLine;
  forgetKeyFaults();
  try {
    line = parseCommandLine(argv, (option) => {
      applyLogOptions([option], output);
      setTlsKeys(keysFromOptions([option]));
      reportKeyFault(option);
    });
  } catch (error) {
    if (error instanceof UsageError) return fail(PROGRAM, error.message);
    throw error;
  }
  if (line.wants !== undefined) return answer(line.wants);
  const called = [PROGRAM, ...argv].map(quoteArgument).join(' ');
  const mayWrite = line.commands.some(({ invocation }) => isWriter(invocation.name));
  log[mayWrite ? 'info' : 'dbg'](() => `Called as ${called}`);
  const timer = setAlarm(line.timeoutSec);
  const target = line.db ?? `unix:${runDir()}/db.sock`;
  const shipped = shippedSchema();
  const tables = neededTables(line.commands, shipped.tables);
  const assumedSchema = shipped.of(tables);
  try {
    prepare(
      line.commands.map(({ invocation }) => invocation),
      assumedSchema,
    );
  } catch (error) {
    clearTimeout(timer);
    if (error instanceof CommandError || error instanceof ValueError) return fail(PROGRAM, error.message);
    throw error;
  }
  const idl = connectIdl(
    { remotes: mixedServers(target), database: 'Open_vSwitch', tables, assumedSchema, retry: line.retry },
    { connect: (remote) => openStream(remote, 6640), clock: realClock },
  );
  try {
    return await run(idl, line, called);
  } catch (error) {
    if (error instanceof ExitWith) return error.code;
    if (error instanceof CommandError || error instanceof ValueError) return fail(PROGRAM, error.message);
    if (error instanceof ConnectionLost) return fail(PROGRAM, `${target}: database connection failed (${error.message})`);
    throw error;
  } finally {
    idl.close();
    clearTimeout(timer);
  }
}

class ConnectionLost extends Error {}

let isWaiting = false;

async function changed(idl: Replica): Promise<void> {
  if (!isWaiting) sayFatalSignals();
  isWaiting = true;
  try {
    await idl.changed();
  } catch (error) {
    throw new ConnectionLost(errorText(error));
  }
}

async function run(idl: Replica, line: CommandLine, called: string): Promise<number> {
  while (!idl.hasContent) await changed(idl);
  for (;;) {
    const seen = idl.changeNumber;
    const attempt = await runOnce(idl, line, called);
    if (attempt !== undefined) return attempt;
    while (idl.changeNumber === seen || !idl.isCurrent) await changed(idl);
  }
}

/** One try at everything; undefined when it must be tried again after a change. */
async function runOnce(idl: Replica, line: CommandLine, called: string): Promise<number | undefined> {
  const { schema } = idl;
  if (schema === undefined) return undefined;
  const txn = idl.begin();
  const ctx = new Context(schema, txn, line.isDryRun);
  const root = ctx.root();
  const outputs: Output[] = [];
  try {
    for (const [at, { spec, invocation }] of line.commands.entries()) {
      ctx.isLast = at === line.commands.length - 1;
      ctx.output = { text: '', tables: [] };
      outputs.push(ctx.output);
      spec.run(ctx, invocation);
    }
    ctx.checkSymbols();
  } catch (error) {
    if (error instanceof TryAgain) return undefined;
    throw error;
  }
  let awaitedSerial = 0;
  if (line.wait) txn.increment('Open_vSwitch', root.uuid, 'next_cfg');
  txn.comment(`${PROGRAM} (invoked by ${invoker()}): ${called}`);
  txn.isDryRun = line.isDryRun;
  const { status, error } = await txn.commit();
  if (status === 'try again') return undefined;
  if (status === 'error') {
    idlLog.warn(`transaction error: ${error}`);
    throw new CommandError(`transaction error: ${error}`);
  }
  if (status !== 'success' && status !== 'unchanged') throw new CommandError(`transaction ${status}`);
  nameCreated(ctx, txn);
  // What was undone will never be applied.
  if (status === 'success' && line.wait && !line.isDryRun) awaitedSerial = txn.incremented;
  print(outputs, line);
  if (awaitedSerial > 0) {
    while (!isApplied(idl, awaitedSerial)) await changed(idl);
    reportFailures(idl, ctx.newPorts);
  }
  return 0;
}

/** `create` printed our own name for the row: the server gave it another. */
function nameCreated(ctx: Context, txn: ReplicaTransaction): void {
  for (const { output, uuid } of ctx.created) {
    const given = txn.insertedUuid(uuid);
    if (given !== undefined) output.text = output.text.replace(uuid, given);
  }
}

function print(outputs: readonly Output[], line: CommandLine): void {
  const all: Uint8Array[] = [];
  const printer = new TablePrinter(line.style, (bytes) => void all.push(bytes));
  for (const { text, tables } of outputs) {
    for (const table of tables) printer.print(table);
    if (tables.length > 0) continue;
    const shown = line.isOneline ? `${text.replace(/\n$/, '').replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n` : text;
    if (shown !== '') all.push(Buffer.from(shown));
  }
  if (all.length > 0) process.stdout.write(Buffer.concat(all));
}

function isApplied(idl: Replica, serial: number): boolean {
  for (const row of idl.rows('Open_vSwitch').values()) if (Number(row.scalar('cur_cfg')) >= serial) return true;
  return false;
}

function reportFailures(idl: Replica, names: ReadonlySet<string>): void {
  let hasFailed = false;
  for (const port of idl.rows('Port').values()) {
    if (!names.has(String(port.scalar('name')))) continue;
    for (const uuid of port.set('interfaces')) {
      const iface = idl.row('Interface', String(uuid));
      // No number at all: its bridge could not be made.
      if (iface === undefined || (iface.optional('ofport') ?? -1) !== -1) continue;
      const reason = iface.optional('error');
      const detail = reason === undefined ? '' : `: ${reason}`;
      fail(PROGRAM, `Error detected while setting up '${iface.scalar('name')}'${detail}.  See ovs-vswitchd log for details.`);
      hasFailed = true;
    }
  }
  if (hasFailed) fail(PROGRAM, `The default log directory is "${logDir()}".`);
}

/** The command that started us, as it was called, for the database's log. */
function invoker(): string {
  const pid = process.ppid;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`);
    const end = words.findIndex((byte) => byte === 0 || byte === 10);
    if (words.length === 0) return `PID ${pid}`;
    // Of a name of several lines it is the first, and the number.
    return decodeText(end < 0 ? words : words.subarray(0, end)) + (words[end] === 0 ? '' : ` (pid ${pid})`);
  } catch {
    return `PID ${pid}`;
  }
}

async function answer(wants: 'help' | 'version' | 'commands' | 'options'): Promise<number> {
  if (wants === 'version') {
    process.stdout.write(`${versionText(PROGRAM)}\nDB Schema ${DATABASE_SCHEMA_VERSION}\n`);
  } else if (wants === 'options') {
    const lines = GLOBAL_OPTIONS.map(({ name, short, argument }) => {
      const long = argument === undefined ? '' : '=ARG';
      return `--${name}${long}\n${short === undefined ? '' : `-${short}${argument === undefined ? '' : ' ARG'}\n`}`;
    });
    process.stdout.write(lines.join(''));
  } else if (wants === 'commands') {
    const { COMMANDS } = await import('./vsctl/commands.ts');
    const lines = [...COMMANDS.values()].map(
      ({ name, options, syntax }) => `${options.map((option) => `[${option}] `).join('')},${name},${syntax}\n`,
    );
    process.stdout.write(lines.join(''));
  } else {
    const { usage } = await import('./vsctl/usage.ts');
    process.stdout.write(usage());
  }
  return 0;
}
