#!/bin/sh
# `npm run format`: rewrites what Biome can put right.
set -eu
cd "$(dirname "$0")/.."
sh scripts/bootstrap.sh
exec node_modules/.bin/biome check --write "$@"
