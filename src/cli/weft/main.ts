// `weft`: the commands that Open vSwitch has no name for. Each is loaded only when asked for.
import type { Tool } from '../main.ts';

interface Command {
  about: string;
  load(): Promise<{ main: Tool }>;
}

const commands = new Map<string, Command>([
  // one line a command, in alphabetical order
  ['controller', { about: 'an OpenFlow controller: a learning switch or a hub', load: () => import('./controller.ts') }],
  ['doctor', { about: 'what this machine offers, what is missing and what to do about it', load: () => import('./doctor.ts') }],
  ['lab', { about: 'hosts, machines and switches on this one machine, built and checked from a file', load: () => import('./lab.ts') }],
  ['schema-types', { about: 'TypeScript types of an OVSDB schema', load: () => import('./schema-types.ts') }],
]);

export const main: Tool = async (argv) => {
  const [name = '--help', ...rest] = argv;
  const command = commands.get(name);
  if (command !== undefined) return (await command.load()).main(rest);
  const help = name === '--help' || name === '-h' || name === 'help';
  const rows = [...commands].map(([title, { about }]) => `  weft ${title.padEnd(13)} ${about}\n`).join('');
  const text = `usage: weft COMMAND [ARGUMENTS]\n\n${rows}\n'weft COMMAND --help' says more.\n`;
  if (help) process.stdout.write(text);
  else process.stderr.write(`weft: unknown command '${name}'; see weft --help\n`);
  return help ? 0 : 1;
};
