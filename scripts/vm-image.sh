#!/bin/sh
# Makes what the lab's real virtual machines boot, under .cache/vm: Debian's cloud kernel (unpacked, not installed) and an initramfs
# of busybox and the virtio modules. A second call finds it there and does nothing.
set -eu
cd "$(dirname "$0")/.."
out=.cache/vm
[ -s "$out/vmlinuz" ] && [ -s "$out/initramfs.gz" ] && [ "$out/initramfs.gz" -nt scripts/vm-image.sh ] && exit 0

say() { printf 'weft: %s\n' "$*"; }
fail() { printf 'weft: %s\n' "$*" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || fail "--vm=qemu is made for x86-64 machines; --vm=namespace works everywhere"

rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say "fetching Debian's cloud kernel for the virtual machines (unpacked under .cache/vm, not installed)"
package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }')
if [ -z "$package" ] || ! (cd "$work" && apt-get download -q "$package") >"$work/log" 2>&1; then
  apt-get update -q >"$work/log" 2>&1 </dev/null || { cat "$work/log" >&2; fail "apt-get update failed"; }
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { print $2; exit }')
  (cd "$work" && apt-get download -q "$package") >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "could not fetch $package"; }
fi
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"

root=$work/root
mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/etc"
cp "$(command -v busybox)" "$root/bin/busybox"
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net; do
  file=$(find "$work/kernel/lib/modules" "$work/kernel/usr/lib/modules" -name "$module.ko*" 2>/dev/null | head -n 1)
  # What is not a module is part of the kernel.
  [ -z "$file" ] || cp "$file" "$root/modules/"
done
cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=vt100
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net; do
  [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko
done
for word in $(cat /proc/cmdline); do case $word in weft.name=*) hostname "${word#weft.name=}" ;; esac; done
ip link set lo up
export PS1="$(hostname)# "
while :; do setsid cttyhack sh </dev/ttyS0 >/dev/ttyS0 2>&1; done
END
chmod 755 "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initramfs.gz"
cp "$work"/kernel/boot/vmlinuz-* "$out/vmlinuz"
mv "$work/initramfs.gz" "$out/initramfs.gz"
say "the virtual machines' kernel and initramfs are ready"
