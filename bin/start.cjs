// Starts a tool: node start.cjs TOOL ARG... The short-lived tools run from one bundled file each (bin/bundle.cjs), because reading TypeScript
// costs three times the runtime's own start; the daemons, and any tool whose bundle cannot be made, run from their sources.
'use strict';
const fs = require('node:fs');
const { Script } = require('node:vm');
const { current } = require('./bundle.cjs');

const tool = process.argv[2];
const bundle = current(tool);
if (bundle === undefined) {
  import('../src/cli/main.ts');
} else {
  run(bundle);
}

// V8's bytecode is kept beside the bundle where that can be written, so that a second start compiles nothing. It is made when the tool is done,
// of the functions that were used. (module.enableCompileCache does as much, but costs 4 ms more.) V8 refuses what another V8 made.
async function run(file) {
  const store = `${file}.${process.version}-${process.arch}`;
  let cachedData;
  try {
    cachedData = fs.readFileSync(store);
  } catch {
    // None yet.
  }
  const source = `(function (exports, require, module) {${fs.readFileSync(file, 'utf8')}\n})`;
  const script = new Script(source, { filename: file, cachedData });
  const made = { exports: {} };
  script.runInThisContext()(made.exports, require, made);
  if (cachedData === undefined || script.cachedDataRejected) process.once('exit', () => keep(store, script.createCachedData()));
  await obey(made.exports.main);
}

function keep(store, data) {
  try {
    fs.writeFileSync(`${store}.${process.pid}`, data);
    fs.renameSync(`${store}.${process.pid}`, store);
  } catch {
    // It is made again next time.
  }
}

async function obey(main) {
  // A reader that went away (`ovs-ofctl dump-flows br0 | head -1`) is no fault of ours. The stream is made when it is first asked for.
  const { get } = Object.getOwnPropertyDescriptor(process, 'stdout');
  Object.defineProperty(process, 'stdout', {
    configurable: true,
    get: () => {
      Object.defineProperty(process, 'stdout', { configurable: true, value: get.call(process).on('error', () => {}) });
      return process.stdout;
    },
  });
  const code = await main(process.argv.slice(3));
  if (code !== undefined) process.exitCode = code;
}
