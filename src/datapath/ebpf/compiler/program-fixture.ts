// What tests of programs have in common: a tunnel with its outer header, a network service header.
import type { TunnelKey } from '../../datapath.ts';

export const ALL = 0xffffffff;
/** An outer header on record. */
export const outer = { index: 3, size: 36, isIpv6: false, isUdp: true, hasSum: false, users: 0 };
export const tunnelKey: TunnelKey = {
  id: 7n,
  src: [0, 0, 0, 1],
  dst: [0, 0, 0, 2],
  ipv6: false,
  tos: 0,
  ttl: 64,
  tpSrc: 0,
  tpDst: 0,
  flags: 8,
  gbpId: 0,
  gbpFlags: 0,
  options: new Uint8Array(0),
  mark: 0,
};
export const nshHeader: Uint8Array = Uint8Array.of(0x0f, 0xc6, 1, 3, 0, 0, 9, 255, ...new Uint8Array(16));
