// `weft controller APP`: an OpenFlow controller with one of the apps that come with Weft.
import { Command, CommanderError } from 'commander';
import { errorText } from '../../base/errors.ts';
import { setLogSink } from '../../base/log.ts';
import { createController } from '../../controller/controller.ts';
import { hub, learning } from '../../controller/learning.ts';
import type { OfVersion } from '../../openflow/message.ts';
import type { Tool } from '../main.ts';

const VERSIONS = new Map<string, OfVersion>([
  ['OpenFlow10', 1],
  ['OpenFlow11', 2],
  ['OpenFlow12', 3],
  ['OpenFlow13', 4],
  ['OpenFlow14', 5],
  ['OpenFlow15', 6],
]);

interface Options {
  listen?: string[];
  connect?: string[];
  protocols: string;
  idleTimeout: string;
  flows: boolean;
  quiet?: boolean;
}

function parseProtocols(text: string): OfVersion[] {
  return text.split(',').map((name) => {
    const version = VERSIONS.get(name);
    if (version === undefined) throw new Error(`${name}: unknown protocol; known are ${[...VERSIONS.keys()].join(', ')}`);
    return version;
  });
}

function logToStderr(isQuiet: boolean): void {
  const levels = isQuiet ? ['emer', 'err', 'warn'] : ['emer', 'err', 'warn', 'info'];
  setLogSink({
    shows: (_module, level) => levels.includes(level),
    write: ({ level, message }) => process.stderr.write(`${new Date().toISOString()} ${level.toUpperCase()} ${message}\n`),
  });
}

async function run(app: 'learning' | 'hub', options: Options): Promise<void> {
  const idleTimeoutSec = options.idleTimeout === 'permanent' ? 0 : Number(options.idleTimeout);
  if (!Number.isInteger(idleTimeoutSec) || idleTimeoutSec < 0 || idleTimeoutSec > 65_535) {
    throw new Error(`${options.idleTimeout}: the idle timeout is 1 to 65535 seconds, or 'permanent'`);
  }
  const versions = parseProtocols(options.protocols);
  logToStderr(options.quiet === true);
  const noFlows = !options.flows;
  const listen = options.listen ?? (options.connect === undefined ? ['ptcp:6653'] : []);
  const controller = await createController(
    { listen, connect: options.connect ?? [], versions },
    app === 'hub' ? hub({ noFlows }) : learning({ idleTimeoutSec, noFlows }),
  );
  for (const { name, port } of controller.listening) {
    process.stdout.write(
      `weft controller: ${app} listens on ${name}${port > 0 && !name.includes(String(port)) ? ` (port ${port})` : ''}\n`,
    );
  }
  const end = (): void => {
    controller.close();
    process.exit(0);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

function addApp(program: Command, app: 'learning' | 'hub', about: string): void {
  program
    .command(app)
    .description(about)
    .option('--listen <method...>', 'where switches connect to: ptcp:[PORT][:IP] or punix:PATH (ptcp:6653 when nothing is given)')
    .option('--connect <method...>', 'switches to connect to: tcp:IP[:PORT] or unix:PATH')
    .option('--protocols <list>', 'OpenFlow versions to speak', 'OpenFlow10,OpenFlow13')
    .option('--idle-timeout <seconds>', "how long a flow stays without frames, or 'permanent'", '60')
    .option('--no-flows', 'set no flows: every frame passes through the controller')
    .option('--quiet', 'say only what goes wrong')
    .action((options: Options) => run(app, options));
}

/** Runs the command; keeps running while the controller does. */
export const main: Tool = async (argv) => {
  const program = new Command('weft controller').description('an OpenFlow controller').exitOverride();
  program.configureOutput({ outputError: (text, write) => write(`weft controller: ${text.replace(/^error: /, '')}`) });
  addApp(program, 'learning', 'a learning switch: learns where addresses are and sets exact flows');
  addApp(program, 'hub', 'a hub: floods every frame');
  try {
    await program.parseAsync(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`weft controller: ${errorText(error)}\n`);
    return 1;
  }
};
