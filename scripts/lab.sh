#!/bin/sh
# `npm run lab`: makes the checkout ready, then hands over to `weft lab`, which explains itself with --help.
set -eu
cd "$(dirname "$0")/.."
sets=lab
for argument in "$@"; do
  case $argument in
    --help | -h | --list | --check | --check=*) sets= ;;
    --vm=qemu | qemu) sets="lab qemu" ;;
  esac
done
if [ -n "$sets" ] && [ "$(id -u)" != 0 ]; then
  echo "weft lab: network namespaces and taps need root; run: sudo npm run lab" >&2
  exit 1
fi
# shellcheck disable=SC2086
sh scripts/bootstrap.sh $sets
case $sets in *qemu) sh scripts/vm-image.sh ;; esac
exec bin/weft lab "$@"
