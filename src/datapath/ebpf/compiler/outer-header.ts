// The header that a tunnel puts before a frame, ready but for what each packet has of its own: lengths, the IPv4 checksum and
// identification, and the UDP source port. Pure.
import { sumBytes } from '../../../wire/checksum.ts';
import { encodeTunnel, FLAG, type TunnelProtocol } from '../../../wire/tunnel-headers.ts';
import type { TunnelKey } from '../../datapath.ts';
import { OUTER_VALUE } from './map-layout.ts';

/** Bytes that there is room for, from the outer IP header on. */
export const MAX_OUTER_SIZE: number = OUTER_VALUE.size - OUTER_VALUE.header;
const DEFAULT_TTL = 64;
const IPPROTO_UDP = 17;
const IPPROTO_GRE = 47;

export interface OuterTemplate {
  bytes: Uint8Array;
  isIpv6: boolean;
  isUdp: boolean;
  /** Of the IPv4 header with its length and checksum 0. */
  sum: number;
  /** Whether a checksum covers the inner frame; what it covers of this header, without lengths and source port. */
  hasSum: boolean;
  covered: number;
}

const put32 = (b: Uint8Array, at: number, value: number): void => new DataView(b.buffer).setUint32(at, value);

/** Makes the header; or gives why the kernel cannot send it. `source` is 4 words like `tunnel.src`. */
export function outerTemplate(
  protocol: TunnelProtocol,
  port: number,
  tunnel: TunnelKey,
  source: readonly number[],
): OuterTemplate | 'tunnel_options' {
  const isUdp = protocol !== 'gre';
  const l3 = tunnel.ipv6 ? 40 : 20;
  const bytes = new Uint8Array(l3 + (isUdp ? 8 : 0) + 16 + tunnel.options.length);
  const header = {
    idHigh: 0,
    idLow: Number(tunnel.id & 0xffffffffn),
    flags: tunnel.flags,
    gbpId: tunnel.gbpId,
    gbpFlags: tunnel.gbpFlags,
    optionsSize: tunnel.options.length,
  };
  const at = l3 + (isUdp ? 8 : 0);
  const size = at + encodeTunnel(protocol, bytes, at, header, tunnel.options);
  if (size > MAX_OUTER_SIZE) return 'tunnel_options';
  if (isUdp) new DataView(bytes.buffer).setUint16(l3 + 2, tunnel.tpDst || port);
  const ipProtocol = isUdp ? IPPROTO_UDP : IPPROTO_GRE;
  const ttl = tunnel.ttl || DEFAULT_TTL;
  if (tunnel.ipv6) {
    put32(bytes, 0, ((6 << 28) | (tunnel.tos << 20)) >>> 0);
    bytes[6] = ipProtocol;
    bytes[7] = ttl;
    for (let i = 0; i < 4; i++) {
      put32(bytes, 8 + i * 4, source[i]!);
      put32(bytes, 24 + i * 4, tunnel.dst[i]!);
    }
  } else {
    bytes.set([0x45, tunnel.tos, 0, 0, 0, 0, (tunnel.flags & FLAG.DONT_FRAGMENT) !== 0 ? 0x40 : 0, 0, ttl, ipProtocol]);
    put32(bytes, 12, source[3]!);
    put32(bytes, 16, tunnel.dst[3]!);
  }
  const hasSum = (tunnel.flags & FLAG.CSUM) !== 0;
  // UDP's pseudo header: addresses and protocol.
  const before = !isUdp ? 0 : sumBytes(bytes, tunnel.ipv6 ? 8 : 12, tunnel.ipv6 ? 32 : 8, IPPROTO_UDP);
  const covered = hasSum ? sumBytes(bytes, l3, size - l3, before) : 0;
  return { bytes: bytes.subarray(0, size), isIpv6: tunnel.ipv6, isUdp, sum: tunnel.ipv6 ? 0 : sumBytes(bytes, 0, 20), hasSum, covered };
}
