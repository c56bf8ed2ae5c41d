// Keeps each short-lived tool as one JavaScript file, .cache/tools/TOOL-KEY.cjs, made from its sources by esbuild; and their starter as start.cjs.
//
// A bundle is used only if it was made from what the sources hold now. .cache/tools/TOOL.json lists them with size, times and hash:
// 1. All sizes and times as listed: the bundle is current. This costs a microsecond or two a file.
// 2. Otherwise all contents as listed (a copied checkout): it is current; the new times are noted.
// 3. Otherwise it is made anew, where .cache can be written, and the tool runs from its sources where not.
// A file changed so lately that a second change could leave the same time has no time noted, so that 2 decides.
// Files are written beside their place and moved there, so that tools that start together disturb each other at most by doing work twice.
const fs = process.getBuiltinModule('node:fs');

const root = process
  .getBuiltinModule('node:url')
  .fileURLToPath(new URL('../..', import.meta.url))
  .replace(/\/$/, '');
const dir = `${root}/.cache/tools`;
/** Goes up with every change of what a bundle is: one that an older starter made is made anew. */
const FORMAT = 4;
/** Kernel times have steps of up to 10 ms. */
const SETTLED_MS = 100;
export const STARTER = 'start';
const BUNDLED: ReadonlySet<string> = new Set([
  STARTER,
  'ovs-appctl',
  'ovs-dpctl',
  'ovs-ofctl',
  'ovs-vsctl',
  'ovsdb-client',
  'ovsdb-server',
  'ovsdb-tool',
  'tunctl',
]);
/** What decides a bundle beside its own sources. */
const MAKERS = ['src/cli/bundle.ts', 'src/cli/start.ts', 'node_modules/esbuild/package.json'];

interface Input {
  file: string;
  /** Size, times and inode when it was read; none when they are not to be trusted. */
  stamp: readonly number[];
  hash: string;
}

interface Bundle {
  format: number;
  file: string;
  inputs: Input[];
}

/**
 * The path of the tool's bundle, made now if need be; undefined when the tool must run from its sources. The starter is a source of every tool: it is
 * looked at when one of them is not current.
 */
export function currentBundle(tool: string): string | undefined {
  if (!BUNDLED.has(tool)) {
    currentBundle(STARTER);
    return undefined;
  }
  try {
    const bundle = JSON.parse(fs.readFileSync(`${dir}/${tool}.json`, 'utf8')) as Bundle;
    if (bundle.format === FORMAT && (bundle.inputs.every(isUntouched) || hasSameContents(tool, bundle))) {
      const file = `${dir}/${bundle.file}`;
      if (fs.existsSync(file)) return file;
    }
  } catch {
    // None yet, or one that cannot be read: make it.
  }
  if (tool !== STARTER) currentBundle(STARTER);
  try {
    return make(tool);
  } catch {
    return undefined;
  }
}

/** Makes all that are not current. */
export function bundleAll(): void {
  for (const tool of BUNDLED) {
    if (currentBundle(tool) === undefined) process.stderr.write(`${tool} will run from its sources\n`);
  }
}

function stamp(file: string): readonly number[] {
  const { size, mtimeMs, ctimeMs, ino } = fs.statSync(`${root}/${file}`);
  return [size, mtimeMs, ctimeMs, ino];
}

function isUntouched({ file, stamp }: Input): boolean {
  const { size, mtimeMs, ctimeMs, ino } = fs.statSync(`${root}/${file}`);
  return size === stamp[0] && mtimeMs === stamp[1] && ctimeMs === stamp[2] && ino === stamp[3];
}

function hash(data: Uint8Array): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(data).digest('hex');
}

function hasSameContents(tool: string, bundle: Bundle): boolean {
  const started = Date.now();
  const inputs = bundle.inputs.map(({ file }) => note(file, started));
  if (!inputs.every((input, index) => input.hash === bundle.inputs[index]?.hash)) return false;
  try {
    write(`${tool}.json`, JSON.stringify({ ...bundle, inputs }));
  } catch {
    // A checkout that cannot be written is read again at every start.
  }
  return true;
}

function note(file: string, started: number): Input {
  const noted = stamp(file);
  const isSettled = fs.statSync(`${root}/${file}`).ctimeMs < started - SETTLED_MS;
  return { file, stamp: isSettled ? noted : [], hash: hash(fs.readFileSync(`${root}/${file}`)) };
}

function write(name: string, data: string | Uint8Array): void {
  const temporary = `${dir}/${name}.${process.pid}`;
  fs.writeFileSync(temporary, data);
  fs.renameSync(temporary, `${dir}/${name}`);
}

function make(tool: string): string {
  const started = Date.now();
  fs.mkdirSync(dir, { recursive: true });
  const scratch = fs.mkdtempSync(`${dir}/new-`);
  try {
    return bundleInto(tool, scratch, started);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function bundleInto(tool: string, scratch: string, started: number): string {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { createRequire } = process.getBuiltinModule('node:module');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  // The binary itself: esbuild's own wrapper would start another Node.js, and npm may have blocked the script that replaces it.
  const esbuild = createRequire(`${root}/package.json`).resolve(`@esbuild/linux-${process.arch}/bin/esbuild`);
  // What reads its own place (koffi, the schema) is two folders deep in the package, as this file that stands for all of them.
  const place = pathToFileURL(`${root}/src/cli/main.ts`).href;
  const made = spawnSync(
    esbuild,
    [
      `src/cli/${tool}.ts`,
      '--bundle',
      '--platform=node',
      '--format=cjs',
      '--target=node26',
      '--external:koffi',
      '--minify-whitespace',
      '--minify-syntax',
      // Half a millisecond to a whole one less to read. A daemon's faults shall be told with the names of the sources.
      ...(tool === 'ovsdb-server' ? [] : ['--minify-identifiers']),
      // The starter is loaded by the runtime, the others are functions for it to call.
      ...(tool === STARTER ? [] : ['--banner:js=(function (exports, require, module) {', '--footer:js=})']),
      '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":true,"target":"esnext"}}',
      `--define:import.meta.url=${JSON.stringify(place)}`,
      `--outfile=${scratch}/tool.cjs`,
      `--metafile=${scratch}/meta.json`,
      '--log-level=error',
    ],
    { cwd: root, stdio: 'ignore' },
  );
  if (made.status !== 0) throw new Error('esbuild failed');
  const meta = JSON.parse(fs.readFileSync(`${scratch}/meta.json`, 'utf8')) as { inputs: object };
  const code = fs.readFileSync(`${scratch}/tool.cjs`);
  const inputs = [...new Set([...Object.keys(meta.inputs), ...MAKERS])];
  // What changed while it was read may not be what was read.
  for (const input of inputs) if (fs.statSync(`${root}/${input}`).ctimeMs >= started) throw new Error(`${input} has just changed`);
  // The launcher knows the starter by a name that stays.
  const file = tool === STARTER ? `${STARTER}.cjs` : `${tool}-${hash(code).slice(0, 16)}.cjs`;
  write(file, code);
  write(`${tool}.json`, JSON.stringify({ format: FORMAT, file, inputs: inputs.map((input) => note(input, started)) } satisfies Bundle));
  for (const old of fs.readdirSync(dir)) {
    if (!old.startsWith(file) && old.startsWith(`${tool}-`) && old.includes('.cjs')) fs.rmSync(`${dir}/${old}`, { force: true });
  }
  return `${dir}/${file}`;
}
