#!/bin/sh
# Runs a command as if it had the machine to itself: /run and Open vSwitch's folders are empty and private, loopback is up.
# Called inside `unshare --net --mount --pid --fork --kill-child --mount-proc`, where this shell is process 1:
# it reaps daemons that end, and when it ends so does every process that was started in here.
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
# Programs that outlive their daemon end with this machine.
[ ! -d /sys/fs/bpf ] || mount -t bpf -o mode=0700 bpf /sys/fs/bpf || :
mkdir -p /run/lock /run/netns /run/openvswitch
for dir in /etc/openvswitch /var/log/openvswitch /var/lib/openvswitch; do
  [ ! -d "$dir" ] || mount -t tmpfs tmpfs "$dir"
done
ip link set lo up
"$@" &
set +e
wait $!
