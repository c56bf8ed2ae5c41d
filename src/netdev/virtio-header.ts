// The 10 bytes of virtio_net_hdr, little-endian (virtio 1.2 section 5.1.6): flags, gso type, header length, gso size, checksum start and offset.
import type { Packet } from './packet.ts';
import { completeSctp, SCTP_CHECKSUM } from './segment.ts';

export const VIRTIO_HEADER_SIZE = 10;
const NEEDS_CSUM = 1;

/** Takes what the header at `at` says into the packet. */
export function readVirtioHeader(bytes: Uint8Array, at: number, packet: Packet): void {
  packet.gsoType = bytes[at + 1]!;
  packet.gsoSize = packet.gsoType === 0 ? 0 : bytes[at + 4]! | (bytes[at + 5]! << 8);
  if ((bytes[at]! & NEEDS_CSUM) !== 0) {
    packet.csumStart = bytes[at + 6]! | (bytes[at + 7]! << 8);
    packet.csumOffset = bytes[at + 8]! | (bytes[at + 9]! << 8);
    if (packet.csumOffset === SCTP_CHECKSUM) {
      completeSctp(packet, packet.csumStart);
      packet.csumStart = 0;
    }
  }
}

/** Writes a packet's state as a header. The header length reaches to the end of the checksum's transport header. */
export function writeVirtioHeader(bytes: Uint8Array, at: number, packet: Packet): void {
  const { csumStart, csumOffset, gsoType, gsoSize } = packet;
  let headerSize = 0;
  if (gsoType !== 0 && csumStart !== 0) {
    // TCP's own length stands in the upper half of its 13th byte; a UDP header has 8.
    headerSize = csumOffset === 16 ? csumStart + (packet.bytes[packet.start + csumStart + 12]! >> 4) * 4 : csumStart + 8;
  }
  bytes[at] = csumStart === 0 ? 0 : NEEDS_CSUM;
  bytes[at + 1] = gsoType;
  bytes[at + 2] = headerSize;
  bytes[at + 3] = headerSize >> 8;
  bytes[at + 4] = gsoSize;
  bytes[at + 5] = gsoSize >> 8;
  bytes[at + 6] = csumStart;
  bytes[at + 7] = csumStart >> 8;
  bytes[at + 8] = csumOffset;
  bytes[at + 9] = csumOffset >> 8;
}
