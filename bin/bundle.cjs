// Keeps each short-lived tool as one JavaScript file, .cache/tools/TOOL-KEY.cjs, made from its sources by esbuild.
//
// A bundle is used only if it was made from what the sources hold now. .cache/tools/TOOL.json lists them with size, times and hash:
// 1. All sizes and times as listed: the bundle is current. This costs a microsecond or two a file.
// 2. Otherwise all contents as listed (a copied checkout): it is current; the new times are noted.
// 3. Otherwise it is made anew, where .cache can be written, and the tool runs from its sources where not.
// A file changed so lately that a second change could leave the same time has no time noted, so that 2 decides.
// Files are written beside their place and moved there, so that tools that start together disturb each other at most by doing work twice.
//
// `node bin/bundle.cjs` makes all of them, for the time of installation.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const root = path.dirname(__dirname);
const dir = `${root}/.cache/tools`;
const FORMAT = 1;
/** Kernel times have steps of up to 10 ms. */
const SETTLED_MS = 100;
const TOOLS = ['ovs-appctl', 'ovs-dpctl', 'ovs-ofctl', 'ovs-vsctl', 'ovsdb-client', 'ovsdb-tool', 'tunctl'];

/** The path of the tool's bundle, made now if need be; undefined when the tool must run from its sources. */
exports.current = function current(tool) {
  if (!TOOLS.includes(tool)) return undefined;
  try {
    const list = JSON.parse(fs.readFileSync(`${dir}/${tool}.json`, 'utf8'));
    if (list.format === FORMAT && (list.inputs.every(isUntouched) || hasSameContents(tool, list))) {
      const file = `${dir}/${list.file}`;
      if (fs.existsSync(file)) return file;
    }
  } catch {
    // None yet, or one that cannot be read: make it.
  }
  try {
    return make(tool);
  } catch {
    return undefined;
  }
};

function stamp(file) {
  const { size, mtimeMs, ctimeMs, ino } = fs.statSync(`${root}/${file}`);
  return `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}

function isUntouched(input) {
  return input.stamp === stamp(input.file);
}

function hash(data) {
  return require('node:crypto').createHash('sha256').update(data).digest('hex');
}

function hasSameContents(tool, list) {
  const started = Date.now();
  const inputs = list.inputs.map(({ file }) => note(file, started));
  if (!inputs.every((input, index) => input.hash === list.inputs[index].hash)) return false;
  try {
    write(`${tool}.json`, JSON.stringify({ ...list, inputs }));
  } catch {
    // A checkout that cannot be written is read again at every start.
  }
  return true;
}

function note(file, started) {
  const noted = stamp(file);
  const isSettled = fs.statSync(`${root}/${file}`).ctimeMs < started - SETTLED_MS;
  return { file, stamp: isSettled ? noted : '', hash: hash(fs.readFileSync(`${root}/${file}`)) };
}

function write(name, data) {
  const temporary = `${dir}/${name}.${process.pid}`;
  fs.writeFileSync(temporary, data);
  fs.renameSync(temporary, `${dir}/${name}`);
}

function make(tool) {
  const started = Date.now();
  fs.mkdirSync(dir, { recursive: true });
  const scratch = fs.mkdtempSync(`${dir}/new-`);
  try {
    return bundle(tool, scratch, started);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function bundle(tool, scratch, started) {
  const { spawnSync } = require('node:child_process');
  const { pathToFileURL } = require('node:url');
  // The binary itself: esbuild's own wrapper would start another Node.js, and npm may have blocked the script that replaces it.
  const esbuild = require.resolve(`@esbuild/linux-${process.arch}/bin/esbuild`);
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
      '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":true,"target":"esnext"}}',
      `--define:import.meta.url=${JSON.stringify(place)}`,
      `--outfile=${scratch}/tool.cjs`,
      `--metafile=${scratch}/meta.json`,
      '--log-level=error',
    ],
    { cwd: root, stdio: 'ignore' },
  );
  if (made.status !== 0) throw new Error('esbuild failed');
  const meta = JSON.parse(fs.readFileSync(`${scratch}/meta.json`, 'utf8'));
  const code = fs.readFileSync(`${scratch}/tool.cjs`);
  const inputs = [...Object.keys(meta.inputs), 'bin/bundle.cjs', 'node_modules/esbuild/package.json'];
  // What changed while it was read may not be what was read.
  for (const input of inputs) if (fs.statSync(`${root}/${input}`).ctimeMs >= started) throw new Error(`${input} has just changed`);
  const file = `${tool}-${hash(code).slice(0, 16)}.cjs`;
  write(file, code);
  write(`${tool}.json`, JSON.stringify({ format: FORMAT, file, inputs: inputs.map((input) => note(input, started)) }));
  for (const old of fs.readdirSync(dir)) {
    if (!old.startsWith(file) && old.startsWith(`${tool}-`)) fs.rmSync(`${dir}/${old}`, { force: true });
  }
  return `${dir}/${file}`;
}

if (require.main === module) {
  for (const tool of TOOLS) if (exports.current(tool) === undefined) process.stderr.write(`${tool} will run from its sources\n`);
}
