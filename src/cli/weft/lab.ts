// `weft lab`: arguments of the lab runner.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { errorText } from '../../base/errors.ts';
import type { MachineKind } from '../../lab/machine.ts';
import type { Tool } from '../main.ts';

const labsFolder = join(import.meta.dirname, '../../../labs');
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Options {
  vm: MachineKind;
  keep?: boolean;
  list?: boolean;
  check?: boolean;
  schema?: boolean;
  enter?: string;
  down?: boolean;
  relay?: string;
}

const epilogue = `
FILE is a lab file, or the name of one that comes with Weft (see --list); the walkthrough when not given.
It runs as root and makes everything in namespaces of its own; nothing is left on the machine afterwards.

  npm run lab                          the walkthrough: two VMs on two hosts share one network
  npm run lab -- --vm=qemu             with two real virtual machines
  npm run lab -- labs/vlans.yaml       another lab
  npm run lab -- --keep                look around afterwards
  bin/weft lab --enter host1           a shell on a host of a kept lab
  bin/weft lab --enter vm1 -- ping 192.168.2.9
  bin/weft lab --down                  remove it

docs/labs.md tells how to write a lab.
`;

export const main: Tool = async (argv) => {
  const separator = argv.indexOf('--');
  const [own, inner] = separator < 0 ? [argv, []] : [argv.slice(0, separator), argv.slice(separator + 1)];
  const program = new Command('weft lab')
    .description('Builds hosts, machines and switches on this one machine from a file, checks each step, and takes everything down again.')
    .argument('[file]', 'the lab')
    .option('--vm <kind>', 'what a machine is: namespace (quick) or qemu (a real virtual machine)', machineKind, 'namespace' as MachineKind)
    .option('--keep', 'leave the lab running')
    .option('--enter <place>', 'open a shell on a host or machine of a kept lab, or run what follows --')
    .option('--down', 'remove kept labs')
    .option('--list', 'list the labs that come with Weft')
    .option('--check', 'only check the file')
    .option('--schema', 'print the JSON Schema of lab files, for editors')
    .addHelpText('after', epilogue)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`weft lab: ${text.replace(/^error: /, '')}`) });
  // Internal: the process behind a namespace machine.
  program.addOption(program.createOption('--relay <tap:pid>').hideHelp());
  try {
    program.parse(own, { from: 'user' });
    return await dispatch(program.opts<Options>(), program.args[0], inner);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    for (const line of errorText(error).split('\n')) process.stderr.write(`weft lab: ${line}\n`);
    return 1;
  }
};

function machineKind(value: string): MachineKind {
  if (value === 'namespace' || value === 'qemu') return value;
  throw new InvalidArgumentError('There are namespace and qemu.');
}

async function dispatch(options: Options, named: string | undefined, inner: string[]): Promise<number> {
  const { readLab, labJsonSchema } = await import('../../lab/lab-file.ts');
  if (options.relay !== undefined) {
    const [tap = '', pid = ''] = options.relay.split(':');
    (await import('../../lab/relay.ts')).relay(tap, Number(pid));
    return 0;
  }
  if (options.schema) {
    process.stdout.write(`${JSON.stringify(labJsonSchema(), null, 2)}\n`);
    return 0;
  }
  if (options.list) {
    for (const file of readdirSync(labsFolder).filter((entry) => entry.endsWith('.yaml'))) {
      const lab = readLab(join(labsFolder, file));
      process.stdout.write(`${lab.name.padEnd(16)} ${lab.title}\n`);
    }
    return 0;
  }
  const file = locate(named ?? 'walkthrough');
  if (options.check) {
    const lab = readLab(file);
    process.stdout.write(`${file}: fine: ${lab.steps.length} steps\n`);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('network namespaces and taps need root; run: sudo npm run lab');
  if (options.down) {
    const { removeKept } = await import('../../lab/kept.ts');
    const ended = removeKept(named);
    process.stdout.write(ended.length === 0 ? 'There is no kept lab.\n' : ended.map((name) => `The lab '${name}' is removed.\n`).join(''));
    return 0;
  }
  if (options.enter !== undefined) return enter(options.enter, inner);
  const lab = readLab(file);
  needPrograms();
  const { runLab } = await import('../../lab/run.ts');
  return runLab(lab, { machines: options.vm, keep: options.keep === true });
}

function locate(named: string): string {
  const shipped = join(labsFolder, `${named}.yaml`);
  if (!named.includes('/') && !existsSync(named) && existsSync(shipped))
    return relative(process.cwd(), shipped).startsWith('..') ? shipped : relative(process.cwd(), shipped);
  return named;
}

function needPrograms(): void {
  const needed = ['ip', 'ping', 'busybox', 'unshare', 'nsenter', 'setpriv'];
  const missing = needed.filter((program) => !systemPath.split(':').some((dir) => existsSync(join(dir, program))));
  if (missing.length > 0)
    throw new Error(`this machine lacks ${missing.join(', ')}; 'npm run lab' installs the Debian packages that hold them`);
  if (!existsSync('/dev/net/tun')) throw new Error("there is no /dev/net/tun: the kernel's tun module is missing; try: modprobe tun");
}

async function enter(place: string, command: string[]): Promise<number> {
  const { keptLabs } = await import('../../lab/kept.ts');
  const { enterArguments } = await import('../../lab/sandbox.ts');
  const labs = keptLabs();
  if (labs.length === 0) throw new Error('there is no kept lab; start one with: npm run lab -- --keep');
  for (const lab of labs) {
    const consolePath = Object.hasOwn(lab.consoles, place) ? lab.consoles[place] : undefined;
    if (consolePath !== undefined) {
      const { talk } = await import('../../lab/console.ts');
      return talk(consolePath, command);
    }
    const pid = Object.hasOwn(lab.places, place) ? lab.places[place] : undefined;
    if (pid === undefined) continue;
    const inside = command.length > 0 ? command : ['sh', '-c', 'command -v bash >/dev/null && exec bash --norc || exec sh'];
    const env = { ...lab.environment[place], TERM: process.env['TERM'] ?? 'dumb', PS1: `${place}# ` };
    const done = spawnSync('nsenter', [...enterArguments(pid), ...inside], { stdio: 'inherit', env, cwd: '/' });
    return done.status ?? 1;
  }
  const names = labs.flatMap((lab) => [...Object.keys(lab.places), ...Object.keys(lab.consoles)]);
  throw new Error(`no kept lab has a host or machine named '${place}'; there are ${names.join(', ')}`);
}
