// The MTU towards an address, as the host's routing table and its path MTU cache know it.
import { closeFd, libc } from '../host/ffi.ts';

const cache = new Map<string, { mtu: number; untilMs: number }>();
const KEEP_MS = 5000;
const MOST = 4096;
const FALLBACK = 1500;

/** Asks a connected socket, which sends nothing. 1500 where there is no route. */
export function pathMtu(address: readonly number[], isIpv6: boolean): number {
  const name = `${isIpv6} ${address.join()}`;
  const now = performance.now();
  const known = cache.get(name);
  if (known !== undefined && known.untilMs > now) return known.mtu;
  if (cache.size >= MOST) cache.clear();
  const mtu = ask(address, isIpv6);
  cache.set(name, { mtu, untilMs: now + KEEP_MS });
  return mtu;
}

function ask(address: readonly number[], isIpv6: boolean): number {
  const c = libc();
  const fd = c.socket(isIpv6 ? 10 : 2, 2 | 0x80000, 17);
  if (fd < 0) return FALLBACK;
  try {
    const bytes = new Uint8Array(isIpv6 ? 28 : 16);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, isIpv6 ? 10 : 2, true);
    view.setUint16(2, 9);
    if (isIpv6) for (let i = 0; i < 4; i++) view.setUint32(8 + i * 4, address[i]!);
    else view.setUint32(4, address[3]!);
    if (c.connect(fd, bytes, bytes.length) < 0) return FALLBACK;
    const value = new Uint8Array(4);
    if (c.getsockopt(fd, isIpv6 ? 41 : 0, isIpv6 ? 24 : 14, value, Uint8Array.of(4, 0, 0, 0)) < 0) return FALLBACK;
    const mtu = new DataView(value.buffer).getInt32(0, true);
    // Loopback's 65536 is more than an IP packet can be.
    return mtu > 0 ? Math.min(mtu, 65535) : FALLBACK;
  } finally {
    closeFd(fd);
  }
}
