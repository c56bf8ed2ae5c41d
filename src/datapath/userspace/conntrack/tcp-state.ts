// A TCP connection as two windows, after van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001), and as Open vSwitch's
// user-space datapath follows it: each side has a state of its own, the octet it has sent to, and the last it may send.
//
//   1. A first SYN makes the connection; a SYN after both sides closed makes a new one.
//   2. The first packet of a side sets its window; a connection picked up in the middle starts with open windows.
//   3. A packet is valid when its data end within what the other side lets it send, start no more than a window back, and acknowledge no more
//      than a window forth or back. A reset must be at the edge.
//   4. Otherwise it is let through only while a side has not spoken or both are done, within a fixed distance.
//
// Sequence numbers are compared modulo 2^32.

export const TCP_STATE = {
  CLOSED: 0,
  LISTEN: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  ESTABLISHED: 4,
  CLOSE_WAIT: 5,
  FIN_WAIT_1: 6,
  CLOSING: 7,
  LAST_ACK: 8,
  FIN_WAIT_2: 9,
  TIME_WAIT: 10,
} as const;
export const TCP_STATE_NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'CLOSE_WAIT',
  'FIN_WAIT_1',
  'CLOSING',
  'LAST_ACK',
  'FIN_WAIT_2',
  'TIME_WAIT',
] as const;

export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;
const { FIN, SYN, RST, PSH, ACK, URG } = TCP_FLAG;

/** What a packet does to a connection: refused, part of it, part of one still being made, or the first of another. */
export const VERDICT = { INVALID: 0, VALID: 1, VALID_NEW: 2, NEW: 3 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** Which timeout holds after a packet. */
export const TCP_TIMEOUT = { FIRST: 0, OPENING: 1, ESTABLISHED: 2, CLOSING: 3, FIN_WAIT: 4, CLOSED: 5 } as const;

export interface TcpPeer {
  state: number;
  seqLow: number;
  seqHigh: number;
  maxWindow: number;
  /** Shift count with SCALE_GIVEN when the side offered one; SCALE_UNKNOWN when its SYN was not seen. */
  scale: number;
}

export interface TcpConnection {
  /** The side that opened the connection, and the other. */
  peers: readonly [TcpPeer, TcpPeer];
  timeout: number;
}

/** What of a packet counts. */
export interface TcpSegment {
  flags: number;
  seq: number;
  ack: number;
  window: number;
  payload: number;
  /** As `TcpPeer.scale`, from the options of a SYN. */
  scale: number;
}

export const SCALE_GIVEN = 0x80;
export const SCALE_UNKNOWN = 0x40;
const SCALE_MASK = 0x0f;
const MAX_SCALE = 14;
/** How far off an acknowledgement may be; 1500 is a margin. */
const MAX_SKEW = 0xffff + 1500;

const atLeast = (a: number, b: number): boolean => ((a - b) | 0) >= 0;
const above = (a: number, b: number): boolean => ((a - b) | 0) > 0;

/** Flags that no stack sends together. */
export function hasImpossibleFlags(flags: number): boolean {
  if ((flags & SYN) !== 0) {
    if ((flags & (RST | FIN)) !== 0) return true;
  } else if ((flags & (ACK | RST)) === 0) {
    return true;
  }
  return (flags & ACK) === 0 && (flags & (FIN | PSH | URG)) !== 0;
}

/** Whether a segment may be the first one seen of a connection: a SYN, or one of a connection that was there before, but no half-open one. */
export const maySegmentOpen = (flags: number): boolean => !hasImpossibleFlags(flags) && (flags & (SYN | ACK)) !== (SYN | ACK);

export const newTcpConnection = (): TcpConnection => ({
  peers: [
    { state: 0, seqLow: 0, seqHigh: 0, maxWindow: 0, scale: 0 },
    { state: 0, seqLow: 0, seqHigh: 0, maxWindow: 0, scale: 0 },
  ],
  timeout: TCP_TIMEOUT.FIRST,
});

const scaleDown = (window: number, by: number): number => Math.ceil(window / (1 << by));

/** Starts a connection with its first segment. */
export function openTcp(connection: TcpConnection, segment: TcpSegment): void {
  const [src, dst] = connection.peers;
  const { flags, seq, payload } = segment;
  src.seqLow = seq | 0;
  src.seqHigh = (seq + payload + 1) | 0;
  if ((flags & SYN) !== 0) {
    src.seqHigh = (src.seqHigh + 1) | 0;
    src.scale = segment.scale;
    dst.scale = 0;
  } else {
    src.scale = SCALE_UNKNOWN;
    dst.scale = SCALE_UNKNOWN;
  }
  src.maxWindow = Math.max(segment.window, 1);
  // The window of a SYN is never scaled.
  if ((src.scale & SCALE_MASK) !== 0) src.maxWindow = scaleDown(src.maxWindow, src.scale & SCALE_MASK);
  if ((flags & FIN) !== 0) src.seqHigh = (src.seqHigh + 1) | 0;
  dst.seqLow = 0;
  dst.seqHigh = 1;
  dst.maxWindow = 1;
  src.state = TCP_STATE.SYN_SENT;
  dst.state = TCP_STATE.CLOSED;
  connection.timeout = TCP_TIMEOUT.FIRST;
}

/** One more segment, from the side that opened (`isReply` false) or the other. */
export function updateTcp(connection: TcpConnection, segment: TcpSegment, isReply: boolean, checksSequences = true): Verdict {
  const src = connection.peers[isReply ? 1 : 0];
  const dst = connection.peers[isReply ? 0 : 1];
  const { flags, payload } = segment;
  if (hasImpossibleFlags(flags)) return VERDICT.INVALID;
  const isSyn = (flags & SYN) !== 0;

  // 1.
  if ((flags & (SYN | ACK)) === SYN) {
    if (dst.state >= TCP_STATE.FIN_WAIT_2 && src.state >= TCP_STATE.FIN_WAIT_2) {
      src.state = TCP_STATE.CLOSED;
      dst.state = TCP_STATE.CLOSED;
      return VERDICT.NEW;
    }
    if (src.state <= TCP_STATE.SYN_SENT) {
      src.state = TCP_STATE.SYN_SENT;
      connection.timeout = TCP_TIMEOUT.FIRST;
      return VERDICT.VALID_NEW;
    }
  }

  let srcScale = 0;
  let dstScale = 0;
  if (!isSyn) {
    if ((src.scale & dst.scale & SCALE_GIVEN) !== 0) {
      srcScale = src.scale & SCALE_MASK;
      dstScale = dst.scale & SCALE_MASK;
    } else if ((src.scale & dst.scale & SCALE_UNKNOWN) !== 0) {
      srcScale = MAX_SCALE;
      dstScale = MAX_SCALE;
    }
  }

  let { window } = segment;
  let seq = segment.seq | 0;
  const firstSeq = seq;
  let { ack } = segment;
  let end = (seq + payload + (isSyn ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0)) | 0;
  let checksSkew = true;
  // 2.
  if (src.state < TCP_STATE.SYN_SENT) {
    if (isSyn && (dst.scale & SCALE_GIVEN) !== 0) {
      src.scale = segment.scale;
      if ((src.scale & SCALE_GIVEN) !== 0) {
        srcScale = src.scale & SCALE_MASK;
        window = scaleDown(window, srcScale);
        dstScale = dst.scale & SCALE_MASK;
      } else {
        // Only one side scales: then none does.
        dst.maxWindow = (dst.maxWindow << (dst.scale & SCALE_MASK)) >>> 0;
        dst.scale = 0;
      }
    }
    src.seqLow = seq;
    src.state = TCP_STATE.SYN_SENT;
    const reach = (end + Math.max(1, dst.maxWindow * (1 << dstScale))) | 0;
    if (src.seqHigh === 1 || atLeast(reach, src.seqHigh)) {
      src.seqHigh = reach;
      checksSkew = false;
    }
    if (window > src.maxWindow) src.maxWindow = window;
  }

  if ((flags & ACK) === 0 || (ack === 0 && (flags & RST) !== 0)) ack = dst.seqLow;
  if (seq === end) {
    // Without data nothing can be out of the window.
    seq = src.seqLow;
    end = seq;
  }
  const skew = checksSkew ? (dst.seqLow - ack) | 0 : 0;
  const isEdge = firstSeq === src.seqLow || firstSeq === ((src.seqLow + 1) | 0) || ((firstSeq + 1) | 0) === src.seqLow;
  // 3.
  const isWithin =
    atLeast(src.seqHigh, end) &&
    atLeast(seq, (src.seqLow - dst.maxWindow * (1 << dstScale)) | 0) &&
    skew >= -MAX_SKEW &&
    skew <= MAX_SKEW * (1 << srcScale) &&
    ((flags & RST) === 0 || isEdge);
  if (isWithin || !checksSequences) {
    if (window > src.maxWindow) src.maxWindow = window;
    if (above(end, src.seqLow)) src.seqLow = end;
    const allowed = window * (1 << srcScale);
    if (atLeast((ack + allowed) | 0, dst.seqHigh)) dst.seqHigh = (ack + Math.max(allowed, 1)) | 0;
    if (isSyn && src.state < TCP_STATE.SYN_SENT) src.state = TCP_STATE.SYN_SENT;
    if ((flags & FIN) !== 0 && src.state < TCP_STATE.CLOSING) src.state = TCP_STATE.CLOSING;
    if ((flags & ACK) !== 0) {
      if (dst.state === TCP_STATE.SYN_SENT) dst.state = TCP_STATE.ESTABLISHED;
      else if (dst.state === TCP_STATE.CLOSING) dst.state = TCP_STATE.FIN_WAIT_2;
    }
    if ((flags & RST) !== 0) {
      src.state = TCP_STATE.TIME_WAIT;
      dst.state = TCP_STATE.TIME_WAIT;
    }
    connection.timeout = timeoutOf(src.state, dst.state);
    return VERDICT.VALID;
  }
  // 4.
  if (
    (dst.state < TCP_STATE.SYN_SENT || dst.state >= TCP_STATE.FIN_WAIT_2 || src.state >= TCP_STATE.FIN_WAIT_2) &&
    atLeast((src.seqHigh + MAX_SKEW) | 0, end) &&
    atLeast(seq, (src.seqLow - MAX_SKEW) | 0)
  ) {
    if (window > src.maxWindow) src.maxWindow = window;
    if (above(end, src.seqLow)) src.seqLow = end;
    const allowed = window * (1 << srcScale);
    if (atLeast((ack + allowed) | 0, dst.seqHigh)) dst.seqHigh = (ack + Math.max(allowed, 1)) | 0;
    if ((flags & FIN) !== 0 && src.state < TCP_STATE.CLOSING) src.state = TCP_STATE.CLOSING;
    if ((flags & RST) !== 0) {
      src.state = TCP_STATE.TIME_WAIT;
      dst.state = TCP_STATE.TIME_WAIT;
    }
    return VERDICT.VALID;
  }
  return VERDICT.INVALID;
}

function timeoutOf(a: number, b: number): number {
  const low = Math.min(a, b);
  const high = Math.max(a, b);
  if (low >= TCP_STATE.FIN_WAIT_2) return TCP_TIMEOUT.CLOSED;
  if (low >= TCP_STATE.CLOSING) return TCP_TIMEOUT.FIN_WAIT;
  if (low < TCP_STATE.ESTABLISHED) return TCP_TIMEOUT.OPENING;
  return high >= TCP_STATE.CLOSING ? TCP_TIMEOUT.CLOSING : TCP_TIMEOUT.ESTABLISHED;
}

/** The window scale that the options of a SYN offer, as `TcpPeer.scale` (RFC 7323 section 2.2). */
export function readScale(bytes: Uint8Array, l4: number): number {
  const end = l4 + (bytes[l4 + 12]! >>> 4) * 4;
  for (let at = l4 + 20; at < end; ) {
    const kind = bytes[at]!;
    if (kind === 0) return 0;
    if (kind === 1) {
      at++;
      continue;
    }
    const size = at + 1 < end ? bytes[at + 1]! : 0;
    if (size < 2 || at + size > end) return 0;
    if (kind === 3 && size === 3) return SCALE_GIVEN | Math.min(bytes[at + 2]!, MAX_SCALE);
    at += size;
  }
  return 0;
}
