// struct ifreq and the ioctls that take one (netdevice(7)).
import { writeFileSync } from 'node:fs';
import { KernelError } from '../base/errors.ts';
import { check, closeFd, libc } from './ffi.ts';

const IFREQ_SIZE = 40;
const SIOCGIFNAME = 0x8910;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFMTU = 0x8922;
const SIOCGIFHWADDR = 0x8927;
const SIOCSIFHWADDR = 0x8924;

/** An ifreq of that interface, rest zero. */
export function interfaceRequest(name: string): Uint8Array {
  const bytes = Buffer.from(name, 'latin1');
  if (bytes.length === 0 || bytes.length > 15) throw new KernelError('ifreq', 19, 'No such device', name);
  const request = new Uint8Array(IFREQ_SIZE);
  request.set(bytes);
  return request;
}

function withSocket<T>(body: (fd: number) => T): T {
  const fd = check('socket', libc().socket(2, 2 | 0x80000, 0));
  try {
    return body(fd);
  } finally {
    closeFd(fd);
  }
}

/** The index of an interface, 0 when there is none of that name. */
export const interfaceIndex = (name: string): number => libc().ifNametoindex(name);

/** The name of an interface, undefined when there is none of that index. */
export function interfaceName(index: number): string | undefined {
  const request = new Uint8Array(IFREQ_SIZE);
  new DataView(request.buffer).setInt32(16, index, true);
  const found = withSocket((fd) => libc().ioctl(fd, SIOCGIFNAME, request)) >= 0;
  return found ? Buffer.from(request.subarray(0, Math.max(0, request.indexOf(0)))).toString('latin1') : undefined;
}

/** Sets the MAC address. */
export function setInterfaceMac(name: string, mac: readonly [number, number]): void {
  const request = interfaceRequest(name);
  const view = new DataView(request.buffer);
  view.setUint16(16, 1, true);
  view.setUint32(18, mac[0]);
  view.setUint16(22, mac[1]);
  withSocket((fd) => check('SIOCSIFHWADDR', libc().ioctl(fd, SIOCSIFHWADDR, request), name));
}

/** Whether the interface has that MAC address. */
export function hasInterfaceMac(name: string, mac: readonly [number, number]): boolean {
  const request = interfaceRequest(name);
  if (withSocket((fd) => libc().ioctl(fd, SIOCGIFHWADDR, request)) < 0) return false;
  const view = new DataView(request.buffer);
  return view.getUint32(18) === mac[0] && view.getUint16(22) === mac[1];
}

/** The hardware's type (ARPHRD_ of linux/if_arp.h), undefined when there is no such interface. */
export function interfaceHardware(name: string): number | undefined {
  const request = interfaceRequest(name);
  if (withSocket((fd) => libc().ioctl(fd, SIOCGIFHWADDR, request)) < 0) return undefined;
  return new DataView(request.buffer).getUint16(16, true);
}

/** The host's neighbours behind the interface stay known when its carrier goes, where the kernel has such a setting (from 5.16). */
export function keepNeighbours(name: string): void {
  for (const file of [`ipv4/conf/${name}/arp_evict_nocarrier`, `ipv6/conf/${name}/ndisc_evict_nocarrier`]) {
    try {
      writeFileSync(`/proc/sys/net/${file}`, '0');
    } catch {
      // An old kernel, or one that may not be written to: neighbours are asked for again.
    }
  }
}

/** Sets the MTU. */
export function setInterfaceMtu(name: string, mtu: number): void {
  const request = interfaceRequest(name);
  new DataView(request.buffer).setInt32(16, mtu, true);
  withSocket((fd) => check('SIOCSIFMTU', libc().ioctl(fd, SIOCSIFMTU, request), name));
}

/** Turns interface flags (IFF_UP = 1, IFF_PROMISC = 0x100, ...) on and off; gives what they were. */
export function changeInterfaceFlags(name: string, on: number, off: number): number {
  const request = interfaceRequest(name);
  const view = new DataView(request.buffer);
  return withSocket((fd) => {
    check('SIOCGIFFLAGS', libc().ioctl(fd, SIOCGIFFLAGS, request), name);
    const before = view.getUint16(16, true);
    view.setUint16(16, (before | on) & ~off, true);
    if (view.getUint16(16, true) !== before) check('SIOCSIFFLAGS', libc().ioctl(fd, SIOCSIFFLAGS, request), name);
    return before;
  });
}
