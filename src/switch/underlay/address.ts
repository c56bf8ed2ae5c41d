// Addresses of the network below tunnels: 128 bits as one number, IPv4 in its place among IPv6 addresses (::ffff:a.b.c.d).
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../base/addresses.ts';

export const MAPPED = 0xffff00000000n;

export const isIpv4 = (address: bigint): boolean => address >> 32n === 0xffffn;
export const fromIpv4 = (word: number): bigint => MAPPED | BigInt(word >>> 0);
export const fromWords = (words: ArrayLike<number>, offset = 0): bigint =>
  [0, 1, 2, 3].reduce((all, i) => (all << 32n) | BigInt((words[offset + i] ?? 0) >>> 0), 0n);
/** Of 4 or 16 bytes. */
export const fromBytes = (bytes: Uint8Array): bigint =>
  bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), bytes.length === 4 ? 0xffffn : 0n);
export const toWords = (address: bigint): [number, number, number, number] => [
  Number((address >> 96n) & 0xffffffffn),
  Number((address >> 64n) & 0xffffffffn),
  Number((address >> 32n) & 0xffffffffn),
  Number(address & 0xffffffffn),
];

export function parseAddress(text: string): bigint | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return fromIpv4(ipv4);
  const ipv6 = parseIpv6(text);
  return ipv6 === undefined ? undefined : fromWords(ipv6);
}

export const formatAddress = (address: bigint): string =>
  isIpv4(address) ? formatIpv4(Number(address & 0xffffffffn)) : formatIpv6(toWords(address));

/** The mask of a prefix counted in 128 bits. */
export const prefixMask = (length: number): bigint => (length === 0 ? 0n : ((1n << BigInt(length)) - 1n) << BigInt(128 - length));

/** How many leading bits a mask has; undefined when it has others too. */
export function prefixLength(mask: bigint): number | undefined {
  let length = 0;
  while (length < 128 && ((mask >> BigInt(127 - length)) & 1n) === 1n) length++;
  return mask === prefixMask(length) ? length : undefined;
}

/** `ADDRESS[/LENGTH|/MASK]` with the length counted in 128 bits. */
export function parsePrefix(text: string): { address: bigint; length: number } | undefined {
  const cut = text.indexOf('/');
  const address = parseAddress(cut < 0 ? text : text.slice(0, cut));
  if (address === undefined) return undefined;
  if (cut < 0) return { address, length: 128 };
  const rest = text.slice(cut + 1);
  const offset = isIpv4(address) ? 96 : 0;
  if (/^\d+$/.test(rest)) return Number(rest) <= 128 - offset ? { address, length: Number(rest) + offset } : undefined;
  const mask = parseAddress(rest);
  if (mask === undefined || isIpv4(mask) !== isIpv4(address)) return undefined;
  const length = prefixLength(isIpv4(mask) ? mask | prefixMask(96) : mask);
  return length === undefined ? undefined : { address, length };
}
