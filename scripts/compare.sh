#!/bin/sh
# `npm run compare:ofctl -- [SECTION...] [count=N] [seed=N]`, `npm run compare:messages -- [NAME...] [count=N] [seed=N]` and
# `npm run fuzz:openflow -- [TARGET...] [runs=N] [seed=N]`: the long runs of test/compare; `fuzz:inputs` those of test/fuzz.
set -eu
cd "$(dirname "$0")/.."
sh scripts/bootstrap.sh
script=$1
shift
node=$(ls -d "$PWD"/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
exec "$node" --disable-warning=ExperimentalWarning "test/compare/$script.ts" "$@"
