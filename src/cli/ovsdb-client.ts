// ovsdb-client: speaks JSON-RPC with any OVSDB server.

import { strerror } from '../base/errno.ts';
import { errorText, KernelError } from '../base/errors.ts';
import { versionText } from '../base/version.ts';
import { runDir } from '../host/directories.ts';
import { realClock } from '../host/real-clock.ts';
import { applyReplayOptions } from '../host/replay/replay.ts';
import { openStream } from '../host/sockets/socket.ts';
import { isPassiveTarget } from '../host/sockets/socket-target.ts';
import { keysFromOptions, reportKeyFault, setTlsKeys } from '../host/sockets/tls-keys.ts';
import { splitServers } from '../ovsdb/client/servers.ts';
import type { Json } from '../ovsdb/json/json.ts';
import { RpcSession } from '../ovsdb/json/jsonrpc.ts';
import { sayPeerFault } from '../ovsdb/json/jsonrpc-faults.ts';
import type { Background } from './background.ts';
import {
  applyLogOptions,
  BACKGROUND_OPTIONS,
  fail,
  LOG_OPTIONS,
  type LogOutput,
  type OptionSpec,
  type ParsedOption,
  parseSeconds,
  parseUntilFault,
  REPLAY_OPTIONS,
  SSL_OPTIONS,
  sayFatalSignals,
  setAlarm,
  startToolLog,
  UsageError,
} from './options.ts';
import { type ClientContext, ClientError, isAsking, print, request } from './ovsdb-client/context.ts';
import { connectToOne } from './ovsdb-client/servers.ts';
import { applyTableOption, defaultStyle, TABLE_OPTIONS, TablePrinter } from './table-output.ts';

const PROGRAM = 'ovsdb-client';
const OPTIONS: readonly OptionSpec[] = [
  { name: 'timestamp' },
  { name: 'timeout', short: 't', argument: 'required' },
  { name: 'db-change-aware' },
  { name: 'no-db-change-aware' },
  { name: 'force' },
  ...REPLAY_OPTIONS,
  { name: 'leader-only' },
  { name: 'no-leader-only' },
  ...BACKGROUND_OPTIONS,
  { name: 'help', short: 'h' },
  { name: 'version', short: 'V' },
  ...LOG_OPTIONS,
  ...SSL_OPTIONS.filter(({ name }) => name !== 'peer-ca-cert'),
  ...TABLE_OPTIONS,
];

const EAFNOSUPPORT = 97;

type NotifyHandler = (method: string, params: Json[]) => void;

/** Throws an Error that says why not. */
async function open(server: string, onNotify: NotifyHandler): Promise<RpcSession> {
  try {
    const stream = await openStream(server, 6640);
    const session: RpcSession = new RpcSession(
      stream,
      {
        onRequest: (method, _params, id) => session.replyError(id, `unknown method ${method}`),
        onNotify,
        onClose: (reason) => {
          if (isEnding || session !== rpc) return;
          const why = sayPeerFault(server, reason);
          const what = isAsking() ? 'transaction failed' : `${server}: receive failed`;
          process.stderr.write(`${PROGRAM}: ${what} (${why === '' ? 'End of file' : why})\n`);
          process.exit(1);
        },
      },
      { clock: realClock, ignoresStrays: true },
    );
    return session;
  } catch (error) {
    throw new Error(error instanceof KernelError ? strerror(error.errno) : errorText(error), { cause: error });
  }
}

async function connect(server: string, onNotify: NotifyHandler): Promise<RpcSession> {
  try {
    return await open(server, onNotify);
  } catch (error) {
    const why = errorText(error);
    // What is of no known kind might have been a name to listen on, too.
    const verb = isPassiveTarget(server) || why === strerror(EAFNOSUPPORT) ? 'connect or listen' : 'connect';
    throw new ClientError(`failed to ${verb} to "${server}" (${why})`);
  }
}

let rpc: RpcSession | undefined;
let isEnding = false;

type CommandModule = { run(name: string, context: ClientContext): Promise<number | undefined> };
const load = {
  schema: (): Promise<CommandModule> => import('./ovsdb-client/schema.ts'),
  data: (): Promise<CommandModule> => import('./ovsdb-client/data.ts'),
  monitor: (): Promise<CommandModule> => import('./ovsdb-client/monitor.ts'),
};

/** Command -> module, least and most arguments after the server and the database. */
const commands = new Map<string, readonly [module: keyof typeof load, min: number, max: number, takesDatabase?: boolean]>([
  ['list-dbs', ['schema', 0, 0]],
  ['get-schema', ['schema', 0, 0, true]],
  ['get-schema-version', ['schema', 0, 0, true]],
  ['get-schema-cksum', ['schema', 0, 0, true]],
  ['list-tables', ['schema', 0, 0, true]],
  ['list-columns', ['schema', 0, 1, true]],
  ['convert', ['schema', 1, 1]],
  ['needs-conversion', ['schema', 1, 1]],
  ['transact', ['data', 1, 1]],
  ['query', ['data', 1, 1]],
  ['dump', ['data', 0, Number.POSITIVE_INFINITY, true]],
  ['backup', ['data', 0, 0, true]],
  ['restore', ['data', 0, 0, true]],
  ['monitor', ['monitor', 1, Number.POSITIVE_INFINITY, true]],
  ['monitor-cond', ['monitor', 2, 3, true]],
  ['monitor-cond-since', ['monitor', 2, 4, true]],
  ['wait', ['monitor', 2, 2]],
  ['lock', ['monitor', 1, 1]],
  ['steal', ['monitor', 1, 1]],
  ['unlock', ['monitor', 1, 1]],
]);

/** What these are given is looked at before there is a connection, what the others are given after. */
const READS_FIRST: ReadonlySet<string> = new Set(['wait', 'transact', 'query', 'convert', 'needs-conversion']);

const isServer = (text: string | undefined): boolean => text !== undefined && /^[a-z]\w*:/i.test(text);

/** Takes the database's name off the arguments, if it is there; what is left must be as many as the command takes. */
async function pickDatabase(
  session: RpcSession,
  named: string | undefined,
  args: string[],
  command: string,
  min: number,
  max: number,
): Promise<string> {
  if (named !== undefined) {
    if (args.length < min || args.length > max) throw new UsageError(`invalid syntax for '${command}' (use --help for help)`);
    return named;
  }
  const dbs = (await request(session, 'list_dbs', [])) as string[];
  const [first] = args;
  const isNamed = first !== undefined && args.length > min && dbs.includes(first);
  if (isNamed) args.shift();
  if (args.length < min || args.length > max) throw new UsageError(`invalid syntax for '${command}' (use --help for help)`);
  if (isNamed) return first;
  if (dbs.includes('Open_vSwitch')) return 'Open_vSwitch';
  const others = dbs.filter((name) => !name.startsWith('_'));
  if (others.length === 1 && others[0] !== undefined) return others[0];
  throw new ClientError('no default database for this server, please specify a database name');
}

/** Goes to where the options say; undefined when they say nothing of it. */
async function toBackground(options: readonly ParsedOption[], output: LogOutput): Promise<Background | undefined> {
  if (!options.some(({ name }) => BACKGROUND_OPTIONS.some((one) => one.name === name))) return undefined;
  const { daemonSettings } = await import('../daemon/plumbing/options.ts');
  const { Background } = await import('./background.ts');
  const background = new Background(PROGRAM, 'stdout', daemonSettings(PROGRAM, options), output);
  await background.enter();
  background.begin();
  process.once('exit', () => background.end());
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      background.end();
      process.kill(process.pid, signal);
    });
  }
  return background;
}

/** Runs the tool. */
export async function main(argv: string[]): Promise<number | undefined> {
  const output = startToolLog(PROGRAM);
  output.settings.setLevel(undefined, 'console', 'info');
  const style = defaultStyle();
  let hasTimestamps = false;
  let isForced = false;
  let mustLead = true;
  try {
    const { options, operands, fault } = parseUntilFault(argv, OPTIONS);
    setTlsKeys(keysFromOptions(options));
    for (const option of options) {
      const { name, value = '' } = option;
      applyLogOptions([option], output);
      reportKeyFault(option);
      if (applyTableOption(style, name, value)) continue;
      if (name === 'timestamp') hasTimestamps = true;
      else if (name === 'force') isForced = true;
      else if (name === 'leader-only' || name === 'no-leader-only') mustLead = name === 'leader-only';
      else if (name === 'timeout') {
        const seconds = parseSeconds(value);
        if (seconds === undefined || seconds === 0) throw new UsageError(`value ${value} on -t or --timeout is invalid`);
        setAlarm(seconds);
      } else if (name === 'version') {
        print(versionText(PROGRAM));
        return 0;
      } else if (name === 'help') {
        const { usage } = await import('./ovsdb-client/usage.ts');
        process.stdout.write(usage());
        return 0;
      }
    }
    if (fault !== undefined) throw fault;
    await applyReplayOptions(options);
    const [name, ...args] = operands;
    if (name === 'help') {
      const { usage } = await import('./ovsdb-client/usage.ts');
      process.stdout.write(usage());
      return 0;
    }
    if (name === undefined) throw new UsageError('missing command name; use --help for help');
    const command = commands.get(name);
    if (command === undefined) throw new UsageError(`unknown command '${name}'; use --help for help`);
    const [module, min, max, takesDatabase = false] = command;
    // A server is what looks like one where more is given than is needed; of what `wait` is given its number alone tells.
    const hasServer = args.length > min && (isServer(args[0]) || (name === 'wait' && args.length > max));
    const server = hasServer ? (args.shift() ?? '') : `unix:${runDir()}/db.sock`;
    const servers = name === 'wait' ? [server] : splitServers(server);
    const checkCount = (): void => {
      if (!takesDatabase && (args.length < min || args.length > max))
        throw new UsageError(`invalid syntax for '${name}' (use --help for help)`);
    };
    if (READS_FIRST.has(name)) checkCount();
    let named: string | undefined;
    if (servers.length > 1 && takesDatabase) {
      if (args.length <= min) throw new UsageError('database name is required with multiple remotes');
      named = args.shift();
    }
    sayFatalSignals();
    const background = module === 'monitor' && name !== 'wait' ? await toBackground(options, output) : undefined;
    const context: ClientContext = {
      background,
      server,
      args,
      style,
      hasTimestamps,
      isForced,
      printer: new TablePrinter(style, (bytes) => void process.stdout.write(bytes)),
      connect: async (onNotify = () => {}, database = named) => {
        if (servers.length > 1) rpc = await connectToOne(servers, database, mustLead, (one) => open(one, onNotify));
        else rpc = await connect(server, onNotify);
        checkCount();
        return rpc;
      },
      database: (session) => pickDatabase(session, named, args, name, min, max),
    };
    const code = await (await load[module]()).run(name, context);
    if (code === undefined) return undefined;
    isEnding = true;
    rpc?.close();
    return code;
  } catch (error) {
    isEnding = true;
    rpc?.close();
    return fail(PROGRAM, errorText(error));
  }
}
