// Starts a tool: node start.cjs TOOL ARG... The short-lived tools run from one bundled file each (bin/bundle.cjs), because reading TypeScript
// costs three times the runtime's own start; the daemons, and any tool whose bundle cannot be made, run from their sources.
'use strict';
const { enableCompileCache } = require('node:module');
const { current } = require('./bundle.cjs');

const tool = process.argv[2];
const bundle = current(tool);
if (bundle === undefined) {
  import('../src/cli/main.ts');
} else {
  // V8's bytecode is kept beside the bundle where that can be written, so that a second start compiles nothing.
  enableCompileCache(`${__dirname}/../.cache/compile`);
  run(require(bundle).main);
}

async function run(main) {
  const code = await main(process.argv.slice(3));
  if (code !== undefined) process.exitCode = code;
}
