#!/bin/sh
# `npm test`: types, lint, layering, unit and property tests, golden scenarios; with root also the interop tests.
#   npm test                    everything
#   npm test -- --unit          what needs no root
#   npm test -- --interop       the interop tests alone
#   npm test -- FILE...         these test files alone
set -eu
cd "$(dirname "$0")/.."
sh scripts/bootstrap.sh
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
# The shell's own launcher finds the runtime for this machine.
node=$(ls -d "$PWD"/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
exec "$node" --disable-warning=ExperimentalWarning scripts/run-tests.ts "$@"
