// struct sockaddr of Unix and Internet sockets, both ways.
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { encodeText } from '../../base/byte-text.ts';

export const AF_UNIX = 1;
const AF_INET = 2;
export const AF_INET6 = 10;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC. */
export const SOCK_STREAM_NONBLOCK = 1 | 0o4000 | 0o2000000;

/** The address of a path that fits. */
export function unixAddress(path: string): Uint8Array {
  const bytes = encodeText(path);
  const address = new Uint8Array(2 + bytes.length + 1);
  address[0] = AF_UNIX;
  address.set(bytes, 2);
  return address;
}

/** The address of an IPv4 or IPv6 address and a port; undefined when the text is neither. */
export function internetAddress(place: string, port: number): Uint8Array | undefined {
  const v4 = parseIpv4(place);
  const v6 = v4 === undefined ? parseIpv6(place) : undefined;
  if (v4 === undefined && v6 === undefined) return undefined;
  const address = new Uint8Array(v4 === undefined ? 28 : 16);
  const view = new DataView(address.buffer);
  view.setUint16(0, v4 === undefined ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  if (v4 !== undefined) view.setUint32(4, v4);
  for (const [i, word] of (v6 ?? []).entries()) view.setUint32(8 + 4 * i, word);
  return address;
}

/** The name of a TCP peer. */
export function peerName(address: Uint8Array): string {
  const view = new DataView(address.buffer);
  const port = view.getUint16(2);
  if (view.getUint16(0, true) === AF_INET) return `tcp:${formatIpv4(view.getUint32(4))}:${port}`;
  const words = [8, 12, 16, 20].map((at) => view.getUint32(at));
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `tcp:${formatIpv4(words[3] ?? 0)}:${port}`;
  return `tcp:[${formatIpv6(words)}]:${port}`;
}
