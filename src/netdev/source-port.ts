// The UDP source port of a tunnel's packets, made from the inner flow (RFC 7348 section 5, RFC 8926 section 3.3): so the underlay can spread
// flows over its ways and cores, and the packets of one flow stay together.
import type { Packet } from './packet.ts';

/** Linux's usual range of local ports. */
export const FIRST_SOURCE_PORT = 32_768;
export const SOURCE_PORTS = 28_232;

const range = { first: FIRST_SOURCE_PORT, count: SOURCE_PORTS };

/** From now on the tunnels of this thread have ports from `low` up to, and not with, `high`; `low` where they are the same. */
export function setSourcePorts(low: number, high: number): void {
  range.first = low;
  range.count = Math.max(1, high - low);
}

const mix = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x85ebca6b);
  return h ^ (h >>> 13);
};

/** The port for a frame: of its addresses, protocol and ports; of its Ethernet addresses where it is neither IPv4 nor IPv6. */
export function sourcePort(packet: Packet): number {
  const { bytes, start, length } = packet;
  const end = start + length;
  let at = start + 12;
  let hash = 0;
  for (
    let i = 0;
    i < 2 && end - at >= 6 && ((bytes[at] === 0x81 && bytes[at + 1] === 0) || (bytes[at] === 0x88 && bytes[at + 1] === 0xa8));
    i++
  )
    at += 4;
  const type = end - at >= 2 ? (bytes[at]! << 8) | bytes[at + 1]! : 0;
  at += 2;
  const isIpv4 = type === 0x0800 && end - at >= 20;
  const isIpv6 = type === 0x86dd && end - at >= 40;
  const from = isIpv4 ? at + 12 : isIpv6 ? at + 8 : start;
  const to = isIpv4 ? at + 20 : isIpv6 ? at + 40 : Math.min(end, start + 12);
  for (let i = from; i + 3 < to; i += 4) hash = mix(hash, (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!);
  if (isIpv4 || isIpv6) {
    const protocol = isIpv4 ? bytes[at + 9]! : bytes[at + 6]!;
    hash = mix(hash, protocol);
    // Fragments have no ports, or only the first of them: all go by the addresses.
    const isFragment = isIpv4 && ((bytes[at + 6]! & 0x3f) | bytes[at + 7]!) !== 0;
    const l4 = isIpv4 ? at + (bytes[at]! & 15) * 4 : at + 40;
    if (!isFragment && (protocol === 6 || protocol === 17 || protocol === 132) && end - l4 >= 4) {
      hash = mix(hash, (bytes[l4]! << 24) | (bytes[l4 + 1]! << 16) | (bytes[l4 + 2]! << 8) | bytes[l4 + 3]!);
    }
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return range.first + ((hash >>> 0) % range.count);
}
