// A frame on its way through a datapath: a window into some memory, with headroom before it, and what virtio_net_hdr said of it.
// Packets are reused; nothing here allocates while frames move.
//
// `isQueued` says that a device holds the memory until its next flush: whoever wants to change or reuse the bytes flushes first.

/**
 * Bytes kept free before a frame: room for the virtio header, two tags, three labels, and the longest NSH with an Ethernet header. A frame of
 * 1600 bytes still fits a slot of 2 KB with it and what the kernel puts there.
 */
export const HEADROOM = 320;
/** The longest frame: a super-segment of 64 KB with its headers and tags. */
export const MAX_FRAME = 65536 + 128;

/** GSO types of virtio_net_hdr (virtio 1.2 section 5.1.6). */
export const GSO = { NONE: 0, TCPV4: 1, UDP: 3, TCPV6: 4, UDP_L4: 5, ECN: 0x80 } as const;

/** Outer header of a received frame; addresses are 4 words, IPv4 in the last. */
export interface TunnelInfo {
  idHigh: number;
  idLow: number;
  isIpv6: boolean;
  src: Uint32Array;
  dst: Uint32Array;
  tos: number;
  ttl: number;
  tpSrc: number;
  tpDst: number;
  flags: number;
  gbpId: number;
  gbpFlags: number;
  /** Geneve options as on the wire, big-endian words, and their size in bytes. */
  options: Uint32Array;
  optionsSize: number;
}

/** Words of the longest options (RFC 8926 section 3.4). */
export const OPTION_WORDS = 63;

/** One with nothing in it, to be filled again and again. */
export const newTunnelInfo = (): TunnelInfo => ({
  idHigh: 0,
  idLow: 0,
  isIpv6: false,
  src: new Uint32Array(4),
  dst: new Uint32Array(4),
  tos: 0,
  ttl: 0,
  tpSrc: 0,
  tpDst: 0,
  flags: 0,
  gbpId: 0,
  gbpFlags: 0,
  options: new Uint32Array(OPTION_WORDS),
  optionsSize: 0,
});

export class Packet {
  bytes: Uint8Array;
  /** Address of bytes[0]; 0 when the memory may not be named to the kernel. */
  address: number;
  start = 0;
  length = 0;
  csumStart = 0;
  csumOffset = 0;
  gsoType = 0;
  gsoSize = 0;
  isQueued = false;
  /** Bytes that may still be put before the frame. */
  headroom = HEADROOM - 16;
  /** Datapath port, on frames from a device that stands for many ports. */
  port = 0;
  /** The kernel's mark and priority of the frame, where the device tells them. */
  mark = 0;
  priority = 0;
  /** Of a frame that a program in the kernel looked up before, and what it found out then. */
  recircId = 0;
  dpHash = 0;
  /** The flow that the kernel found then has counted it. */
  isCounted = false;
  /** The kernel has a flow for it, and wants it to follow others of that flow; or has none. */
  hasFlow = false;
  isMiss = false;
  /** ct_state (0 = not tracked), zone and mark. */
  ctState = 0;
  ctZone = 0;
  ctMark = 0;
  /** Not 0: no frame to be forwarded, but a copy that a userspace action in the kernel asked for; its reason's number plus 1, and token. */
  cause = 0;
  token = 0;
  /** Set on frames that came out of a tunnel. */
  tunnel: TunnelInfo | undefined = undefined;

  constructor(bytes: Uint8Array, address: number) {
    this.bytes = bytes;
    this.address = address;
  }

  /** Points at a frame of other memory, forgetting everything else. */
  point(bytes: Uint8Array, address: number, start: number, length: number): void {
    this.bytes = bytes;
    this.address = address;
    this.start = start;
    this.length = length;
    this.csumStart = 0;
    this.csumOffset = 0;
    this.gsoType = 0;
    this.gsoSize = 0;
    this.isQueued = false;
    this.headroom = HEADROOM - 16;
    this.tunnel = undefined;
    this.mark = 0;
    this.priority = 0;
    this.recircId = 0;
    this.dpHash = 0;
    this.isCounted = false;
    this.hasFlow = false;
    this.isMiss = false;
    this.ctState = 0;
    this.cause = 0;
  }

  /** Takes a copy of another packet into this one's own memory. */
  copyFrom(from: Packet): void {
    this.start = HEADROOM;
    this.length = from.length;
    copyBytes(from.bytes, from.start, this.bytes, HEADROOM, from.length);
    this.csumStart = from.csumStart;
    this.csumOffset = from.csumOffset;
    this.gsoType = from.gsoType;
    this.gsoSize = from.gsoSize;
    this.tunnel = from.tunnel;
    this.headroom = HEADROOM - 16;
    this.isQueued = false;
  }

  /** Whether some device must finish a checksum or split it. */
  get needsOffload(): boolean {
    return this.csumStart !== 0 || this.gsoType !== 0;
  }
}

/** Copies without making a view where that costs more than the copy. */
export function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length <= 96) for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]!;
  else to.set(from.subarray(fromAt, fromAt + length), toAt);
}

/** A packet with memory of its own, for one frame of any size. */
export const newPacket = (): Packet => {
  const packet = new Packet(new Uint8Array(HEADROOM + MAX_FRAME), 0);
  packet.start = HEADROOM;
  return packet;
};
