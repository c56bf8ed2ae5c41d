#!/bin/sh
# `npm run bench [-- NAME]`: the tables of docs/performance.md.
set -eu
cd "$(dirname "$0")/.."
sh scripts/bootstrap.sh test
node=$(ls -d "$PWD"/node_modules/node-linux-*/bin/node | head -n 1)
exec "$node" --disable-warning=ExperimentalWarning bench/main.ts "$@"
