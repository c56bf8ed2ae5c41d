// The headers between an outer IP packet and an inner Ethernet frame: GRE (RFC 2784, RFC 2890), VXLAN (RFC 7348, with the group policy bits
// of draft-smith-vxlan-group-policy) and Geneve (RFC 8926).
import { sumBytes } from './checksum.ts';

export type TunnelProtocol = 'gre' | 'vxlan' | 'geneve';

/** What such a header says; reused. Bits of `flags` as TUN_FLAG in flow/key: OAM 1, DONT_FRAGMENT 2, CSUM 4, KEY 8. */
export interface TunnelHeader {
  idHigh: number;
  idLow: number;
  flags: number;
  gbpId: number;
  gbpFlags: number;
  /** Bytes of Geneve options, which end where the header does. */
  optionsSize: number;
}

export const FLAG = { OAM: 1, DONT_FRAGMENT: 2, CSUM: 4, KEY: 8 } as const;
const TRANSPARENT_ETHERNET = 0x6558;

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const get32 = (b: Uint8Array, i: number): number => ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0;

/**
 * Reads the header at [at, end) into `header`. Gives its size, or -1 when it is no header of an Ethernet frame or is damaged. Without
 * `checksSum` a GRE checksum is the caller's.
 */
export function decodeTunnel(
  protocol: TunnelProtocol,
  b: Uint8Array,
  at: number,
  end: number,
  header: TunnelHeader,
  checksSum = true,
): number {
  header.idHigh = 0;
  header.idLow = 0;
  header.flags = 0;
  header.gbpId = 0;
  header.gbpFlags = 0;
  header.optionsSize = 0;
  if (protocol === 'gre') return decodeGre(b, at, end, header, checksSum);
  if (end - at < 8) return -1;
  if (protocol === 'vxlan') {
    if ((b[at]! & 0x08) === 0) return -1;
    if ((b[at]! & 0x80) !== 0) {
      header.gbpFlags = b[at + 1]!;
      header.gbpId = get16(b, at + 2);
    }
    header.idLow = get32(b, at + 4) >>> 8;
    header.flags = FLAG.KEY;
    return 8;
  }
  const size = 8 + (b[at]! & 0x3f) * 4;
  if (b[at]! >> 6 !== 0 || end - at < size || get16(b, at + 2) !== TRANSPARENT_ETHERNET) return -1;
  header.idLow = get32(b, at + 4) >>> 8;
  header.flags = FLAG.KEY | ((b[at + 1]! & 0x80) !== 0 ? FLAG.OAM : 0);
  header.optionsSize = size - 8;
  return size;
}

function decodeGre(b: Uint8Array, at: number, end: number, header: TunnelHeader, checksSum: boolean): number {
  if (end - at < 4) return -1;
  const flags = b[at]!;
  // Routing and the reserved bits are of RFC 1701 and must be refused; so must any version but 0.
  if ((flags & 0x4f) !== 0 || (b[at + 1]! & 7) !== 0 || get16(b, at + 2) !== TRANSPARENT_ETHERNET) return -1;
  const size = 4 + ((flags & 0x80) >> 5) + ((flags & 0x20) >> 3) + ((flags & 0x10) >> 2);
  if (end - at < size) return -1;
  let next = at + 4;
  if ((flags & 0x80) !== 0) {
    if (checksSum && sumBytes(b, at, end - at) !== 0xffff) return -1;
    header.flags |= FLAG.CSUM;
    next += 4;
  }
  if ((flags & 0x20) !== 0) {
    header.idLow = get32(b, next);
    header.flags |= FLAG.KEY;
  }
  return size;
}

/** Writes the header for an Ethernet frame; gives its size. A GRE checksum is left 0 at `at` + 4 for the caller, who has the payload. */
export function encodeTunnel(protocol: TunnelProtocol, b: Uint8Array, at: number, header: TunnelHeader, options: Uint8Array): number {
  if (protocol === 'gre') {
    const hasSum = (header.flags & FLAG.CSUM) !== 0;
    const hasKey = (header.flags & FLAG.KEY) !== 0;
    b[at] = (hasSum ? 0x80 : 0) | (hasKey ? 0x20 : 0);
    b[at + 1] = 0;
    b[at + 2] = TRANSPARENT_ETHERNET >> 8;
    b[at + 3] = TRANSPARENT_ETHERNET & 255;
    let next = at + 4;
    if (hasSum) {
      put32(b, next, 0);
      next += 4;
    }
    if (hasKey) {
      put32(b, next, header.idLow);
      next += 4;
    }
    return next - at;
  }
  if (protocol === 'vxlan') {
    const hasPolicy = header.gbpId !== 0 || header.gbpFlags !== 0;
    b[at] = hasPolicy ? 0x88 : 0x08;
    b[at + 1] = hasPolicy ? header.gbpFlags : 0;
    b[at + 2] = header.gbpId >> 8;
    b[at + 3] = header.gbpId;
    put32(b, at + 4, header.idLow << 8);
    return 8;
  }
  const optionsSize = options.length & ~3;
  b[at] = optionsSize >> 2;
  b[at + 1] = (header.flags & FLAG.OAM) !== 0 ? 0x80 : 0;
  b[at + 2] = TRANSPARENT_ETHERNET >> 8;
  b[at + 3] = TRANSPARENT_ETHERNET & 255;
  put32(b, at + 4, header.idLow << 8);
  for (let i = 0; i < optionsSize; i++) b[at + 8 + i] = options[i]!;
  // The critical bit of any option shows in the header (RFC 8926 section 3.4).
  for (let i = 0; i + 4 <= optionsSize; i += 4 + (options[i + 3]! & 0x1f) * 4) {
    if ((options[i + 2]! & 0x80) !== 0) b[at + 1] = b[at + 1]! | 0x40;
  }
  return 8 + optionsSize;
}

function put32(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 24;
  b[i + 1] = value >>> 16;
  b[i + 2] = value >>> 8;
  b[i + 3] = value;
}
