// Checksums and segments in software, for outputs that cannot take virtio_net_hdr's promises.
//
//   1. A plan says where the headers of a frame end, and at how many bytes of payload to split.
//   2. Each piece has the frame's headers, changed: lengths, IPv4 id, TCP sequence and flags, and whole checksums; its payload stays
//      where it is. So a piece is (header bytes, payload window), sent as two vectors.
//
// A frame with a partial checksum and no segments is the case of one piece. Facts: RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1.
import { crc32c, fold, sumBytes } from '../wire/checksum.ts';
import { GSO, type Packet } from './packet.ts';

/** How a frame falls into pieces; reused, filled by `planSegments`. */
export interface SegmentPlan {
  /** Length of all headers, from the frame's start. */
  headerSize: number;
  l3: number;
  l4: number;
  isTcp: boolean;
  isIpv6: boolean;
  /** Payload bytes in each piece but the last. */
  pieceSize: number;
  pieces: number;
}

export const newSegmentPlan = (): SegmentPlan => ({ headerSize: 0, l3: 0, l4: 0, isTcp: false, isIpv6: false, pieceSize: 0, pieces: 0 });

/** A TCP frame whose IP packet is longer than this and has a partial checksum is a super-segment. */
const ORDINARY_MTU = 1500;
/** RFC 8200 section 5. */
const SAFE_MTU = 1280;

const get16 = (b: Uint8Array, i: number): number => (b[i]! << 8) | b[i + 1]!;
const put16 = (b: Uint8Array, i: number, value: number): void => {
  b[i] = value >>> 8;
  b[i + 1] = value;
};

/** Finds the network header behind Ethernet and tags; -1 when it is not IP. */
function networkOffset(packet: Packet): number {
  const { bytes, start } = packet;
  let at = 12;
  let type = get16(bytes, start + at);
  while ((type === 0x8100 || type === 0x88a8) && at < 24) {
    at += 4;
    type = get16(bytes, start + at);
  }
  return type === 0x0800 || type === 0x86dd ? at + 2 : -1;
}

/** Labels, and headers with a frame behind them, that are passed on the way to an IP header. */
const MAX_PASSED = 16;

/** Finds the IP header behind whatever was put before it: tags, labels, NSH, with a frame or an IP packet inside; -1 when there is none. */
function innerNetworkOffset({ bytes, start, length, csumStart }: Packet): number {
  let at = 12;
  for (let passed = 0; passed < MAX_PASSED && at + 10 <= length; passed++) {
    const type = get16(bytes, start + at);
    at += 2;
    if (type === 0x0800 || type === 0x86dd) return at;
    if (type === 0x8100 || type === 0x88a8) at += 2;
    else if (type === 0x8847 || type === 0x8848) {
      while (at + 4 < length && (bytes[start + at + 2]! & 1) === 0) at += 4;
      at += 4;
      // Nothing says what is behind the last label: an IP header has the size that the transport header's place leaves it, no frame does.
      const size = csumStart - at;
      const version = bytes[start + at]! >> 4;
      if (version === 4 && (bytes[start + at]! & 15) * 4 === size) return at;
      if (version === 6 && size >= 40 && (size & 7) === 0) return at;
      at += 12;
    } else if (type === 0x894f) {
      const next = bytes[start + at + 3]!;
      at += (bytes[start + at + 1]! & 0x3f) * 4;
      if (next === 1 || next === 2) return at;
      if (next !== 3) return -1;
      at += 12;
    } else return -1;
  }
  return -1;
}

/** Whether a device cannot make a super-segment's pieces, because something other than tags stands before its IP header. */
export const needsPieces = (packet: Packet): boolean => packet.gsoType !== 0 && networkOffset(packet) < 0;

/**
 * Plans the pieces of a TCP or UDP frame whose checksum is partial, so that none is longer than `most` bytes (0 = no limit but the
 * frame's own segment size). False when the frame is something else, or its headers are not all there.
 */
export function planSegments(packet: Packet, most: number, plan: SegmentPlan): boolean {
  const l3 = innerNetworkOffset(packet);
  const l4 = packet.csumStart;
  const { bytes, start, length } = packet;
  if (l3 < 0 || l4 < l3 + 20 || l4 + 8 > length) return false;
  const gso = packet.gsoType & ~GSO.ECN;
  const isTcp = packet.csumOffset === 16;
  if (!isTcp && packet.csumOffset !== 6) return false;
  if (isTcp && l4 + 20 > length) return false;
  const headerSize = l4 + (isTcp ? (bytes[start + l4 + 12]! >> 4) * 4 : 8);
  if (headerSize > length || headerSize > 512) return false;
  const payload = length - headerSize;
  let pieceSize = payload;
  if (gso === GSO.TCPV4 || gso === GSO.TCPV6 || gso === GSO.UDP_L4) pieceSize = Math.min(payload, packet.gsoSize);
  else if (gso !== GSO.NONE) return false;
  // A TCP segment may be split again; a datagram is what its sender made it.
  if (isTcp && most > headerSize + 64) pieceSize = Math.min(pieceSize, most - headerSize);
  if (pieceSize === 0 && payload > 0) return false;
  plan.headerSize = headerSize;
  plan.l3 = l3;
  plan.l4 = l4;
  plan.isTcp = isTcp;
  plan.isIpv6 = bytes[start + l3]! >> 4 === 6;
  plan.pieceSize = pieceSize;
  plan.pieces = pieceSize === 0 ? 1 : Math.ceil(payload / pieceSize);
  return true;
}

/** Payload offset of piece `index`, from the frame's start. */
export const pieceStart = (plan: SegmentPlan, index: number): number => plan.headerSize + index * plan.pieceSize;
/** Payload length of piece `index`. */
export const pieceLength = (plan: SegmentPlan, packet: Packet, index: number): number =>
  Math.min(plan.pieceSize, packet.length - pieceStart(plan, index));

/** Writes the headers of piece `index` to `out` at `at`, with all checksums whole. */
export function writePieceHeader(plan: SegmentPlan, packet: Packet, index: number, out: Uint8Array, at: number): void {
  const { bytes, start } = packet;
  const { headerSize, l3, l4, isTcp, isIpv6 } = plan;
  for (let i = 0; i < headerSize; i++) out[at + i] = bytes[start + i]!;
  const payload = pieceLength(plan, packet, index);
  const network = at + l3;
  const transport = at + l4;
  const transportSize = headerSize - l4 + payload;
  let sum = isTcp ? 6 : 17;
  if (isIpv6) {
    put16(out, network + 4, headerSize - l3 - 40 + payload);
    sum = sumBytes(out, network + 8, 32, sum);
  } else {
    put16(out, network + 2, headerSize - l3 + payload);
    put16(out, network + 4, get16(bytes, start + l3 + 4) + index);
    put16(out, network + 10, 0);
    put16(out, network + 10, ~sumBytes(out, network, l4 - l3) & 0xffff);
    sum = sumBytes(out, network + 12, 8, sum);
  }
  if (isTcp && plan.pieces > 1) {
    const sequence =
      ((out[transport + 4]! << 24) | (out[transport + 5]! << 16) | (out[transport + 6]! << 8) | out[transport + 7]!) +
      index * plan.pieceSize;
    put16(out, transport + 4, (sequence >>> 16) & 0xffff);
    put16(out, transport + 6, sequence & 0xffff);
    // FIN and PSH belong to the last piece, CWR to the first.
    if (index < plan.pieces - 1) out[transport + 13] = out[transport + 13]! & ~0x09;
    if (index > 0) out[transport + 13] = out[transport + 13]! & ~0x80;
  }
  if (!isTcp) put16(out, transport + 4, transportSize);
  const checksumAt = transport + (isTcp ? 16 : 6);
  put16(out, checksumAt, 0);
  sum = fold(sum + transportSize);
  sum = sumBytes(out, transport, headerSize - l4, sum);
  sum = sumBytes(bytes, start + pieceStart(plan, index), payload, sum);
  const checksum = ~sum & 0xffff;
  put16(out, checksumAt, checksum === 0 && !isTcp ? 0xffff : checksum);
}

/** Where SCTP has its checksum, and no other protocol that devices make checksums of. */
export const SCTP_CHECKSUM = 8;

/**
 * Completes the checksum that a host's SCTP left to its device: a CRC-32c (RFC 9260 section 6.8), which virtio_net_hdr cannot ask for, so
 * that it has to be there before the packet goes on. `l4` is the offset of the SCTP header in the frame.
 */
export function completeSctp({ bytes, start, length }: Packet, l4: number): void {
  if (l4 + 12 > length) return;
  const at = start + l4;
  const crc = crc32c(bytes, at, length - l4, at + SCTP_CHECKSUM);
  for (let i = 0; i < 4; i++) bytes[at + SCTP_CHECKSUM + i] = crc >>> (8 * i);
}

/** Completes a partial checksum of any protocol in place: the sum from csumStart on, which includes the pseudo header's. */
export function completeChecksum(packet: Packet): void {
  if (packet.csumStart === 0) return;
  const { bytes, start, length, csumStart, csumOffset } = packet;
  packet.csumStart = 0;
  if (csumStart + csumOffset + 2 > length) return;
  const checksum = ~sumBytes(bytes, start + csumStart, length - csumStart) & 0xffff;
  put16(bytes, start + csumStart + csumOffset, checksum === 0 && csumOffset === 6 ? 0xffff : checksum);
}

/**
 * Recognises the partial checksum of a TCP or UDP frame that came without virtio_net_hdr: the field holds exactly the pseudo header's sum.
 * A tunnel device on the same machine hands such frames over, since no wire made anyone finish them. Where a whole checksum happens to
 * have that value, finishing it again gives the same.
 * A TCP super-segment comes so too, and nothing says at how many bytes its sender would have split it: `SAFE_MTU` suits every path.
 */
export function recognizePartialChecksum(packet: Packet): void {
  const l3 = networkOffset(packet);
  if (l3 < 0) return;
  const { bytes, start, length } = packet;
  const network = start + l3;
  if (l3 + 40 > length) return;
  let headerSize = 40;
  let protocol: number;
  let size: number;
  let sum: number;
  if (bytes[network]! >> 4 === 6) {
    protocol = bytes[network + 6]!;
    size = get16(bytes, network + 4);
    sum = sumBytes(bytes, network + 8, 32);
  } else {
    headerSize = (bytes[network]! & 15) * 4;
    // A fragment's checksum covers what is not here.
    if (headerSize < 20 || (get16(bytes, network + 6) & 0x3fff) !== 0) return;
    protocol = bytes[network + 9]!;
    size = get16(bytes, network + 2) - headerSize;
    sum = sumBytes(bytes, network + 12, 8);
  }
  if (protocol !== 6 && protocol !== 17) return;
  const offset = protocol === 6 ? 16 : 6;
  const l4 = l3 + headerSize;
  if (size < offset + 2 || l4 + size > length) return;
  if (get16(bytes, start + l4 + offset) !== fold(sum + protocol + size)) return;
  packet.csumStart = l4;
  packet.csumOffset = offset;
  if (protocol !== 6 || l4 + size - l3 <= ORDINARY_MTU || l4 + 20 > length) return;
  const most = SAFE_MTU - headerSize - (bytes[start + l4 + 12]! >> 4) * 4;
  packet.gsoType = headerSize === 40 && bytes[network]! >> 4 === 6 ? GSO.TCPV6 : GSO.TCPV4;
  packet.gsoSize = most;
}
