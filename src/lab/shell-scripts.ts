// The few lines of shell that make a process into a host: they run inside fresh namespaces, so nothing they mount is seen outside.

/** Process 1 of a lab: reaps every daemon that ends; when it is killed the kernel kills all that runs in the lab. */
export const keeperScript = `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/lock
ip link set lo up
echo ready
exec >/dev/null 2>&1 </dev/null
while :; do sleep 86400 & wait; done
`;

/** A host or machine: own name, own /run, own empty folders (the arguments after the name), then asleep for as long as the lab lives. */
export const placeScript = `
set -e
hostname "$1"
shift
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/netns /run/lab /run/openvswitch
mount -t sysfs sysfs /sys 2>/dev/null || :
mount -t bpf -o mode=0700 bpf /sys/fs/bpf 2>/dev/null || :
n=0
for dir in "$@"; do
  if [ ! -d "$dir" ]; then
    # The machine has no such folder, and must not get one: the nearest folder above it is rebuilt here out of links to its old contents.
    above=$dir
    while [ ! -d "$above" ]; do above=\${above%/*}; [ -n "$above" ] || { echo "$dir: nothing above it but /" >&2; exit 1; }; done
    n=$((n + 1))
    mkdir -p "/run/lab/above/$n"
    mount --bind "$above" "/run/lab/above/$n"
    mount -t tmpfs tmpfs "$above"
    for entry in "/run/lab/above/$n"/* "/run/lab/above/$n"/.[!.]*; do
      if [ -L "$entry" ]; then cp -P "$entry" "$above/"; elif [ -e "$entry" ]; then ln -s "$entry" "$above/"; fi
    done
    mkdir -p "$dir"
  fi
  mount -t tmpfs tmpfs "$dir"
done
ip link set lo up
echo ready
exec >/dev/null 2>&1 </dev/null
exec sleep 2147483647
`;
