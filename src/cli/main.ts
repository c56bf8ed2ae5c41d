// Every executable starts here: the first argument names the tool, and only that tool's modules are loaded.
import { enableCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandWords } from './command-words.ts';

// V8's bytecode is kept beside the installed package where that can be written, so that a second start compiles nothing.
enableCompileCache(join(dirname(fileURLToPath(import.meta.url)), '../../.cache/compile'));

/** A tool: argv after its own name, giving the exit code, or undefined while it keeps running. */
export type Tool = (argv: string[]) => Promise<number | undefined> | number | undefined;

const tools: Record<string, () => Promise<{ main: Tool }>> = {
  // one line a tool, in alphabetical order
  'ovs-appctl': () => import('./ovs-appctl.ts'),
  'ovs-dpctl': () => import('./ovs-dpctl.ts'),
  'ovs-vsctl': () => import('./ovs-vsctl.ts'),
  'ovs-ofctl': () => import('./ovs-ofctl.ts'),
  'ovsdb-client': () => import('./ovsdb-client.ts'),
  'ovsdb-server': () => import('./ovsdb-server.ts'),
  'ovsdb-tool': () => import('./ovsdb-tool.ts'),
  'ovs-vswitchd': () => import('./ovs-vswitchd.ts'),
  tunctl: () => import('./tunctl.ts'),
  weft: () => import('./weft/main.ts'),
};

const [name = '', ...argv] = commandWords(2);
const load = Object.hasOwn(tools, name) ? tools[name] : undefined;
if (load === undefined) {
  process.stderr.write(`${name}: not built yet\n`);
  process.exitCode = 1;
} else {
  const code = await (await load()).main(argv);
  if (code !== undefined) process.exitCode = code;
}
