// Frames that are no Ethernet frames for a while: what decap leaves and encap starts from.
//
// A bare packet keeps 14 bytes before it that are no part of it and hold its type where an Ethernet header would: so everything that reads and
// changes headers works on it as it is. `packetType` (namespace << 16 | type, 0 = Ethernet) says which it is. No port is sent a bare packet.
import { layoutL3 } from '../../flow/extract.ts';
import type { Packet } from '../../netdev/packet.ts';
import { shift } from './headers.ts';

const ETHERNET = 14;
const NSH = 0x894f;
/** RFC 8300 section 2.2: next protocols and their Ethernet types; 0 stands for a whole Ethernet frame. */
const NEXT_TYPES: readonly (number | undefined)[] = [undefined, 0x0800, 0x86dd, 0, NSH, 0x8847];

const typeOf = (packet: Packet): number => (packet.bytes[packet.start + 12]! << 8) | packet.bytes[packet.start + 13]!;

function setType(packet: Packet, type: number): void {
  packet.bytes[packet.start + 12] = type >>> 8;
  packet.bytes[packet.start + 13] = type;
}

/** Puts `size` zeros before the packet; false when there is no room. */
function prepend(packet: Packet, size: number): boolean {
  if (packet.headroom < size) return false;
  shift(packet, 0, size);
  packet.bytes.fill(0, packet.start, packet.start + size);
  return true;
}

/** Takes off the Ethernet header; gives the packet type. Tags have been refused before. */
export function popEth(packet: Packet, layout: number, packetType: number): number {
  if (packetType !== 0 || packet.length < ETHERNET) return packetType;
  // What stands between (LLC) goes with the header.
  const l3 = Math.max(layoutL3(layout), ETHERNET);
  const type = l3 > ETHERNET ? (packet.bytes[packet.start + l3 - 2]! << 8) | packet.bytes[packet.start + l3 - 1]! : typeOf(packet);
  if (l3 > ETHERNET) shift(packet, 0, ETHERNET - l3);
  packet.bytes.fill(0, packet.start, packet.start + 12);
  setType(packet, type);
  return (0x10000 | type) >>> 0;
}

/** Puts an Ethernet header with these addresses (destination, source) before a bare packet. */
export function pushEth(packet: Packet, addresses: Uint8Array): number {
  packet.bytes.set(addresses, packet.start);
  return 0;
}

/** Puts an NSH before the packet; gives the packet type, -1 when there is no room. */
export function pushNsh(packet: Packet, header: Uint8Array, packetType: number): number {
  const size = header.length;
  // Before a bare packet it goes behind the place holder; before a frame with a place holder of its own.
  if (!prepend(packet, packetType === 0 ? size + ETHERNET : size)) return -1;
  if (packetType !== 0) packet.bytes.fill(0, packet.start, packet.start + 12);
  packet.bytes.set(header, packet.start + ETHERNET);
  setType(packet, NSH);
  return 0x10000 | NSH;
}

/** Takes off the NSH of a bare packet; gives the packet type of what is left, -1 when it cannot be told. */
export function popNsh(packet: Packet): number {
  if (packet.length < ETHERNET + 8 || typeOf(packet) !== NSH) return -1;
  const at = packet.start + ETHERNET;
  const size = (packet.bytes[at + 1]! & 0x3f) * 4;
  const type = NEXT_TYPES[packet.bytes[at + 3]!];
  if (size < 8 || packet.length < ETHERNET + size || type === undefined) return -1;
  if (type === 0) {
    shift(packet, 0, -(size + ETHERNET));
    return packet.length < ETHERNET ? -1 : 0;
  }
  shift(packet, 0, -size);
  packet.bytes.fill(0, packet.start, packet.start + 12);
  setType(packet, type);
  return (0x10000 | type) >>> 0;
}

/** Puts a label before the whole packet; gives the packet type, -1 when there is no room. */
export function addMpls(packet: Packet, ethertype: number, lse: number, packetType: number): number {
  if (!prepend(packet, packetType === 0 ? 4 + ETHERNET : 4)) return -1;
  packet.bytes.fill(0, packet.start, packet.start + 12);
  const at = packet.start + ETHERNET;
  for (let i = 0; i < 4; i++) packet.bytes[at + i] = lse >>> (24 - 8 * i);
  setType(packet, ethertype);
  return (0x10000 | ethertype) >>> 0;
}
