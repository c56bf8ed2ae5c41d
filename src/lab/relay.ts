// A machine of the lab that is no real one still has a real tap: like QEMU it opens the tap that `tunctl` made on the host, with
// virtio_net headers and all offloads on, and moves frames to and from a tap that stands as eth0 in the machine's own namespace.
// One thread sleeps in poll(2); frames cross as they are, headers included, so 64 KB segments stay whole.
import { ConfigError } from '../base/errors.ts';
import { libc } from '../host/ffi.ts';

const O_RDONLY = 0;
const O_RDWR = 2;
const CLONE_NEWNET = 0x40000000;
// linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const POLLIN = 1;
const EBUSY = 16;
const FRAME_BYTES = 10 + 65536 + 64;

/** Joins `tap` here with `eth0` in the network namespace of process `pid`; returns only when a device goes away. */
export function relay(tap: string, pid: number): void {
  const calls = libc();
  const fail = (what: string): never => {
    const errno = calls.errno();
    const hint = errno === EBUSY ? '; another machine has it open' : '';
    throw new ConfigError(`${what}: ${calls.strerror(errno)}${hint}`);
  };
  const outer = openTap(tap, fail);
  const namespace = calls.open(`/proc/${pid}/ns/net`, O_RDONLY, 0);
  if (namespace < 0) fail(`namespace of process ${pid}`);
  if (calls.setns(namespace, CLONE_NEWNET) < 0) fail('setns');
  calls.close(namespace);
  const inner = openTap('eth0', fail);

  const buffer = new Uint8Array(FRAME_BYTES);
  const waiting = new Uint8Array(16);
  const view = new DataView(waiting.buffer);
  view.setInt32(0, outer, true);
  view.setInt32(8, inner, true);
  view.setInt16(4, POLLIN, true);
  view.setInt16(12, POLLIN, true);
  for (;;) {
    if (calls.poll(waiting, 2, -1) < 0) continue;
    const fromOuter = view.getInt16(6, true);
    const fromInner = view.getInt16(14, true);
    // A device that was deleted says POLLERR for ever.
    if ((fromOuter | fromInner) & ~POLLIN) return;
    if (fromOuter & POLLIN) pump(outer, inner);
    if (fromInner & POLLIN) pump(inner, outer);
  }

  /** Moves what waits, at most a burst, so that neither direction starves the other. A full queue drops, as a wire does. */
  function pump(from: number, to: number): void {
    for (let burst = 0; burst < 64; burst++) {
      const size = calls.read(from, buffer, FRAME_BYTES);
      if (size <= 0) return;
      calls.write(to, buffer, size);
    }
  }
}

function openTap(name: string, fail: (what: string) => never): number {
  const calls = libc();
  const O_NONBLOCK = 0x800;
  const fd = calls.open('/dev/net/tun', O_RDWR | O_NONBLOCK, 0);
  if (fd < 0) fail('/dev/net/tun');
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(name).subarray(0, 15));
  new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
  if (calls.ioctl(fd, TUNSETIFF, request) < 0) fail(`tap ${name}`);
  const headerSize = new Uint8Array(4);
  headerSize[0] = 10;
  calls.ioctl(fd, TUNSETVNETHDRSZ, headerSize);
  calls.ioctlInt(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
  return fd;
}
