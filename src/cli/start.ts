// Starts a tool: start TOOL ARG... The short-lived tools run from one bundled file each (`bundle.ts`), because reading TypeScript costs three
// times the runtime's own start; this file is bundled too, and `bin/launch` runs that when it is there. The daemons, and any tool whose
// bundle cannot be made, run from their sources.
import type { Module } from 'node:module';
import { encodeText } from '../base/byte-text.ts';
import { bundleAll, currentBundle, STARTER } from './bundle.ts';
import { commandWords } from './command-words.ts';
import type { Tool } from './main.ts';

const fs = process.getBuiltinModule('node:fs');
const tool = process.argv[2] ?? '';
/** The bundled tool that stays. */
const DAEMON = 'ovsdb-server';
const IN_SERVICE_MS = 1500;

if (tool === 'launch') {
  // `bin/launch` by its own name makes all bundles: for the time of installation.
  bundleAll();
} else {
  // Running from its source it has no bundle yet.
  if (process.argv[1]?.endsWith('.ts') === true) currentBundle(STARTER);
  const bundle = currentBundle(tool);
  // The specifier is not a literal, so that the bundle of this file does not take everything in.
  if (bundle === undefined) import(new URL('./main.ts', import.meta.url).href);
  else run(bundle);
}

// V8's bytecode is kept beside the bundle where that can be written, so that a second start compiles nothing. It is made when the tool is done, of
// the functions that were used, and for each command (`list-br`, `dump`) on its own: what another command uses would be missing or in the way.
// (module.enableCompileCache does as much for whole files, but costs 4 ms more.) V8 refuses what another V8 made.
async function run(file: string): Promise<void> {
  const { Script } = process.getBuiltinModule('node:vm');
  const store = `${file}.${process.version}-${process.arch}${commandName()}`;
  let cachedData: Buffer | undefined;
  try {
    cachedData = fs.readFileSync(store);
  } catch {
    // None yet.
  }
  // ASCII (esbuild escapes the rest), and a function's text as it stands: neither decoded nor copied.
  const script = new Script(fs.readFileSync(file, 'latin1'), { filename: file, cachedData });
  const made = { exports: {} as { main: Tool } };
  const body = script.runInThisContext() as (exports: object, require: (name: string) => unknown, module: Pick<Module, 'exports'>) => void;
  body(made.exports, requireFor(file), made);
  if (cachedData === undefined || script.cachedDataRejected) keepLater(() => keep(store, script.createCachedData()));
  await obey(made.exports.main);
}

function keepLater(keepNow: () => void): void {
  if (tool === DAEMON) {
    // Once it is in service; what starts it and what watches it use little of it.
    setTimeout(() => {
      if (!process.getActiveResourcesInfo().includes('ProcessWrap')) keepNow();
    }, IN_SERVICE_MS).unref();
    return;
  }
  // A command that failed has not used what one that does its work uses.
  process.once('exit', (code) => {
    if (code === 0) keepNow();
  });
}

/** What the runtime has is had at once; only koffi needs the loader that looks for packages. */
function requireFor(file: string): (name: string) => unknown {
  let load: NodeJS.Require | undefined;
  return (name) => {
    if (name.startsWith('node:')) return process.getBuiltinModule(name);
    load ??= process.getBuiltinModule('node:module').createRequire(file);
    return load(name);
  };
}

/** The command's name as part of a file's name, '' when there is none that could be one. */
function commandName(): string {
  if (tool === DAEMON) return '';
  const word = process.argv.slice(3).find((arg) => !arg.startsWith('-')) ?? '';
  return /^[a-z][a-z-]{1,30}$/.test(word) ? `.${word}` : '';
}

/** Whoever calls a tool with a thousand words that are no commands shall not fill the disk. */
const MAX_KEPT = 150;

function keep(store: string, data: Buffer): void {
  try {
    if (fs.readdirSync(store.slice(0, store.lastIndexOf('/'))).length > MAX_KEPT) return;
    fs.writeFileSync(`${store}.${process.pid}`, data);
    fs.renameSync(`${store}.${process.pid}`, store);
  } catch {
    // It is made again next time.
  }
}

const NO_TERMINALS: ReadonlySet<string> = new Set(['/dev/null', '/dev/zero', '/dev/full']);

/** The runtime's own streams take several milliseconds to load and only to write with them what one system call writes. */
function plainOutput(fd: number): Pick<NodeJS.WriteStream, 'write' | 'isTTY'> {
  return {
    get isTTY() {
      if (!fs.fstatSync(fd).isCharacterDevice() || NO_TERMINALS.has(fs.readlinkSync(`/proc/self/fd/${fd}`))) return false;
      return process.getBuiltinModule('node:tty').isatty(fd);
    },
    write(data: string | Uint8Array) {
      const bytes = typeof data === 'string' ? encodeText(data) : data;
      for (let at = 0; at < bytes.length; ) {
        try {
          at += fs.writeSync(fd, bytes, at);
        } catch (error) {
          // A reader that went away (`ovs-ofctl dump-flows br0 | head -1`) is no fault of ours.
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return false;
          // Whoever shares the descriptor has made it one that does not wait.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
      }
      return true;
    },
  };
}

/** The runtime's own way to this clock takes a millisecond and a half to load. */
function plainNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

async function obey(main: Tool): Promise<void> {
  Object.defineProperty(globalThis, 'performance', { configurable: true, value: { now: plainNow } });
  for (const [name, fd] of [
    ['stdout', 1],
    ['stderr', 2],
  ] as const) {
    Object.defineProperty(process, name, { configurable: true, value: plainOutput(fd) });
  }
  let code: number | undefined;
  try {
    code = await main(commandWords(3));
  } catch (error) {
    if (tool === DAEMON) throw error;
    // As the runtime would say it, without the line of the source, which is most of the bundle.
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    code = 1;
  }
  if (code === undefined) return;
  process.exitCode = code;
  // An end in order takes down what the kernel takes down as well; but a connection of the runtime's may still have something to send.
  if (!process.getActiveResourcesInfo().some((kind) => kind.endsWith('Wrap'))) process.exit();
}
