// Tunnels whose outer headers the datapath itself puts on and takes off, frame by frame: for datapaths whose ports are no devices.

import { hashAdd, hashFinish } from '../../base/murmur-hash.ts';
import { layoutL3 } from '../../flow/extract.ts';
import { type Key, W } from '../../flow/key.ts';
import { OPTION_WORDS, type Packet, type TunnelInfo } from '../../netdev/packet.ts';
import { sumBytes } from '../../wire/checksum.ts';
import { decodeTunnel, type TunnelHeader, type TunnelProtocol } from '../../wire/tunnel-headers.ts';
import { shift } from './headers.ts';

const ETHERNET = 14;
const IPV4 = 20;
const IPV6 = 40;
const UDP = 8;

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const put16 = (b: Uint8Array, i: number, value: number): void => {
  b[i] = value >>> 8;
  b[i + 1] = value;
};

/** Outer UDP source ports, as `tnl/egress_port_range` sets them. */
const range = { low: 32768, high: 61000 };

/** Sets the range for all tunnels of this process. */
export function setSourcePorts(low: number, high: number): void {
  range.low = low;
  range.high = high;
}

/** A word of the key as a little-endian machine reads the same bytes from the frame. */
const swap = (word: number): number => ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
const PORTED: ReadonlySet<number> = new Set([6, 17, 132, 1, 58]);

/** The reference's choice: its hash of the inner frame's addresses, protocol and ports, spread over the range. */
function sourcePort(key: Key): number {
  const type = key[W.TYPE]! >>> 16;
  let hash = 0;
  const isArp = type === 0x0806 || type === 0x8035;
  // The operation of ARP stands in the place of a protocol.
  if (type === 0x0800 || isArp || type === 0x86dd) {
    const [first, count] = type === 0x86dd ? [W.IPV6_SRC, 8] : [W.NW_SRC, 2];
    for (let i = 0; i < count; i++) hash = hashAdd(hash, swap(key[first + i]!));
    const proto = key[W.TYPE]! & 255;
    hash = hashAdd(hash, proto);
    if (PORTED.has(proto)) hash = hashAdd(hash, swap(key[W.TP]!));
  }
  const spread = BigInt(hashFinish(hash, 42)) * BigInt(range.high - range.low);
  return Number(spread >> 32n) + range.low;
}

/** Puts a whole outer header (Ethernet, IP, and what follows) before the frame and fills in its lengths and checksums; false without room. */
export function pushTunnel(packet: Packet, key: Key, header: Uint8Array): boolean {
  if (packet.headroom < header.length) return false;
  const port = sourcePort(key);
  shift(packet, 0, header.length);
  const { bytes, start } = packet;
  bytes.set(header, start);
  packet.csumStart = 0;
  packet.gsoType = 0;
  const ip = start + ETHERNET;
  const isIpv6 = get16(bytes, start + 12) === 0x86dd;
  const payload = ip + (isIpv6 ? IPV6 : IPV4);
  const size = packet.length - ETHERNET;
  if (isIpv6) put16(bytes, ip + 4, size - IPV6);
  else {
    put16(bytes, ip + 2, size);
    put16(bytes, ip + 10, 0);
    put16(bytes, ip + 10, ~sumBytes(bytes, ip, IPV4) & 0xffff);
  }
  const length = start + packet.length - payload;
  if (bytes[isIpv6 ? ip + 6 : ip + 9] === 17) {
    put16(bytes, payload, port);
    put16(bytes, payload + 4, length);
    if (get16(bytes, payload + 6) !== 0) {
      put16(bytes, payload + 6, 0);
      const addresses = sumBytes(bytes, isIpv6 ? ip + 8 : ip + 12, isIpv6 ? 32 : 8, 17 + length);
      put16(bytes, payload + 6, ~sumBytes(bytes, payload, length, addresses) & 0xffff || 0xffff);
    }
  } else if ((bytes[payload]! & 0x80) !== 0) {
    put16(bytes, payload + 4, ~sumBytes(bytes, payload, length) & 0xffff);
  }
  return true;
}

const decoded: TunnelHeader = { idHigh: 0, idLow: 0, flags: 0, gbpId: 0, gbpFlags: 0, optionsSize: 0 };

/** Takes the outer header off a frame whose key and layout are given; tells what it said, or undefined when it is none. */
export function popTunnel(packet: Packet, key: Key, layout: number, protocol: TunnelProtocol): TunnelInfo | undefined {
  const { bytes, start } = packet;
  const end = start + packet.length;
  const ip = start + layoutL3(layout);
  const isIpv6 = key[W.TYPE]! >>> 16 === 0x86dd;
  const transport = ip + (isIpv6 ? IPV6 : (bytes[ip]! & 15) * 4);
  const at = protocol === 'gre' ? transport : transport + UDP;
  if (at > end) return undefined;
  const size = decodeTunnel(protocol, bytes, at, end, decoded);
  if (size < 0 || end - at - size < ETHERNET) return undefined;
  const { idHigh, idLow, gbpId, gbpFlags, optionsSize } = decoded;
  const address = (v4: number, v6: number): Uint32Array => (isIpv6 ? key.slice(v6, v6 + 4) : Uint32Array.of(0, 0, 0, key[v4]!));
  const hasCsum = protocol !== 'gre' && get16(bytes, transport + 6) !== 0 ? 4 : 0;
  const options = new Uint32Array(OPTION_WORDS);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + size - optionsSize, optionsSize);
  for (let i = 0; i < optionsSize >> 2; i++) options[i] = view.getUint32(4 * i);
  const info: TunnelInfo = {
    idHigh,
    idLow,
    isIpv6,
    src: address(W.NW_SRC, W.IPV6_SRC),
    dst: address(W.NW_DST, W.IPV6_DST),
    tos: key[W.TOS]! >>> 24,
    ttl: (key[W.TOS]! >>> 16) & 255,
    tpSrc: protocol === 'gre' ? 0 : key[W.TP]! >>> 16,
    tpDst: protocol === 'gre' ? 0 : key[W.TP]! & 0xffff,
    flags: decoded.flags | hasCsum,
    gbpId,
    gbpFlags,
    options,
    optionsSize,
  };
  shift(packet, 0, start - (at + size));
  return info;
}
