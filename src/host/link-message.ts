// rtnetlink link messages (rtnetlink(7), linux/if_link.h) as values. Pure: bytes in, bytes out; `links.ts` owns the sockets.

/** Frames and bytes of a device as the kernel counts them. */
export interface LinkCounters {
  rxPackets: bigint;
  txPackets: bigint;
  rxBytes: bigint;
  txBytes: bigint;
  rxErrors: bigint;
  txErrors: bigint;
  rxDropped: bigint;
  txDropped: bigint;
  multicast: bigint;
  collisions: bigint;
  rxOverErrors: bigint;
  rxCrcErrors: bigint;
  rxFrameErrors: bigint;
  rxMissedErrors: bigint;
}

/** One network device. */
export interface Link {
  index: number;
  name: string;
  /** Upper 32 and lower 16 bits; zero where the device has no Ethernet address. */
  mac: readonly [number, number];
  mtu: number;
  /** IFF_* of net/if.h, with IFF_LOWER_UP. */
  flags: number;
  /** How often the carrier came or went since the device was made. */
  carrierChanges: number;
  /** Whether the device has a carrier, up or not. */
  hasCarrier: boolean;
  /** The text that `ip link set DEV alias` gives. */
  alias: string;
  /** `tun`, `veth`, `dummy`, ... or empty. */
  kind: string;
  counters: LinkCounters | undefined;
}

export const IFF = { UP: 1, PROMISC: 0x100, LOWER_UP: 0x10000 } as const;

/** What a datagram from the kernel says. */
export type LinkEvent =
  | { kind: 'link'; link: Link }
  | { kind: 'gone'; index: number; name: string }
  | { kind: 'done' }
  /** The answer to a route question: the device that frames leave by. */
  | { kind: 'route'; sequence: number; index: number }
  /** An acknowledgement; errno 0 is success. */
  | { kind: 'ack'; sequence: number; errno: number };

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWROUTE = 24;
const RTA_OIF = 4;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINKINFO: 18, IFALIAS: 20, STATS64: 23, CARRIER: 33, CARRIER_CHANGES: 35 } as const;

const utf8 = new TextDecoder();
const cString = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
};

/** Calls `take` for each attribute between `at` and `end`; stops at the first that does not fit. */
function attributes(view: DataView, start: number, end: number, take: (type: number, at: number, size: number) => void): void {
  let at = start;
  while (at + 4 <= end) {
    const size = view.getUint16(at, true);
    if (size < 4 || at + size > end) return;
    take(view.getUint16(at + 2, true) & 0x3fff, at + 4, size - 4);
    at += (size + 3) & ~3;
  }
}

function counters(view: DataView, at: number): LinkCounters {
  const n = (i: number): bigint => view.getBigUint64(at + 8 * i, true);
  return {
    rxPackets: n(0),
    txPackets: n(1),
    rxBytes: n(2),
    txBytes: n(3),
    rxErrors: n(4),
    txErrors: n(5),
    rxDropped: n(6),
    txDropped: n(7),
    multicast: n(8),
    collisions: n(9),
    rxOverErrors: n(11),
    rxCrcErrors: n(12),
    rxFrameErrors: n(13),
    rxMissedErrors: n(15),
  };
}

function decodeLink(bytes: Uint8Array, view: DataView, start: number, end: number): Link {
  const link: Link = {
    index: view.getInt32(start + 4, true),
    name: '',
    mac: [0, 0],
    mtu: 0,
    flags: view.getUint32(start + 8, true),
    carrierChanges: 0,
    hasCarrier: false,
    alias: '',
    kind: '',
    counters: undefined,
  };
  attributes(view, start + 16, end, (type, at, size) => {
    switch (type) {
      case IFLA.IFNAME:
        link.name = cString(bytes.subarray(at, at + size));
        break;
      case IFLA.ADDRESS:
        if (size === 6) link.mac = [view.getUint32(at), view.getUint16(at + 4)];
        break;
      case IFLA.MTU:
        if (size >= 4) link.mtu = view.getUint32(at, true);
        break;
      case IFLA.CARRIER:
        link.hasCarrier = bytes[at] === 1;
        break;
      case IFLA.IFALIAS:
        link.alias = cString(bytes.subarray(at, at + size));
        break;
      case IFLA.CARRIER_CHANGES:
        if (size >= 4) link.carrierChanges = view.getUint32(at, true);
        break;
      case IFLA.STATS64:
        if (size >= 128) link.counters = counters(view, at);
        break;
      case IFLA.LINKINFO:
        attributes(view, at, at + size, (inner, innerAt, innerSize) => {
          if (inner === 1) link.kind = cString(bytes.subarray(innerAt, innerAt + innerSize));
        });
    }
  });
  return link;
}

/** Decodes one datagram. What is not about links, or does not fit, is left out. */
export function decodeLinkEvents(bytes: Uint8Array): LinkEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: LinkEvent[] = [];
  let at = 0;
  while (at + 16 <= bytes.length) {
    const size = view.getUint32(at, true);
    const end = at + size;
    if (size < 16 || end > bytes.length) break;
    const type = view.getUint16(at + 4, true);
    const body = at + 16;
    if (type === NLMSG_DONE) events.push({ kind: 'done' });
    else if (type === NLMSG_ERROR && size >= 20) {
      events.push({ kind: 'ack', sequence: view.getUint32(at + 8, true), errno: -view.getInt32(body, true) });
    } else if (type === RTM_NEWROUTE && size >= 28) {
      let index = 0;
      attributes(view, body + 12, end, (attribute, place, length) => {
        if (attribute === RTA_OIF && length >= 4) index = view.getInt32(place, true);
      });
      events.push({ kind: 'route', sequence: view.getUint32(at + 8, true), index });
    } else if ((type === RTM_NEWLINK || type === RTM_DELLINK) && size >= 32) {
      // AF_BRIDGE reports ports of a Linux bridge with the same message types.
      if (bytes[body] === 0) {
        const link = decodeLink(bytes, view, body, end);
        events.push(type === RTM_NEWLINK ? { kind: 'link', link } : { kind: 'gone', index: link.index, name: link.name });
      }
    }
    at += (size + 3) & ~3;
  }
  return events;
}

/** A request for all links. */
export function encodeLinkDump(sequence: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, RTM_GETLINK, true);
  view.setUint16(6, 0x301, true); // NLM_F_REQUEST | NLM_F_DUMP
  view.setUint32(8, sequence, true);
  return bytes;
}

/** A change of a device: address, MTU, flags. Acknowledged by the kernel. */
export function encodeLinkChange(
  sequence: number,
  index: number,
  change: { mac?: readonly [number, number]; mtu?: number; flags?: number; flagMask?: number; alias?: string },
): Uint8Array {
  const alias = change.alias === undefined ? undefined : new TextEncoder().encode(change.alias);
  const aliasSize = alias === undefined ? 0 : (4 + alias.length + 3) & ~3;
  const size = 32 + (change.mac === undefined ? 0 : 12) + (change.mtu === undefined ? 0 : 8) + aliasSize;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, RTM_NEWLINK, true);
  view.setUint16(6, 0x5, true); // NLM_F_REQUEST | NLM_F_ACK
  view.setUint32(8, sequence, true);
  view.setInt32(20, index, true);
  view.setUint32(24, change.flags ?? 0, true);
  view.setUint32(28, change.flagMask ?? 0, true);
  let at = 32;
  if (change.mac !== undefined) {
    view.setUint16(at, 10, true);
    view.setUint16(at + 2, IFLA.ADDRESS, true);
    view.setUint32(at + 4, change.mac[0]);
    view.setUint16(at + 8, change.mac[1]);
    at += 12;
  }
  if (change.mtu !== undefined) {
    view.setUint16(at, 8, true);
    view.setUint16(at + 2, IFLA.MTU, true);
    view.setUint32(at + 4, change.mtu, true);
    at += 8;
  }
  if (alias !== undefined) {
    view.setUint16(at, 4 + alias.length, true);
    view.setUint16(at + 2, IFLA.IFALIAS, true);
    bytes.set(alias, at + 4);
  }
  return bytes;
}

/** Asks which way an address is reached: 4 bytes of IPv4 or 16 of IPv6. */
export function encodeRouteQuestion(sequence: number, address: Uint8Array): Uint8Array {
  const size = 28 + 4 + address.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, 26, true); // RTM_GETROUTE
  view.setUint16(6, 1, true);
  view.setUint32(8, sequence, true);
  bytes[16] = address.length === 4 ? 2 : 10;
  bytes[17] = address.length * 8;
  view.setUint16(28, 4 + address.length, true);
  view.setUint16(30, 1, true); // RTA_DST
  bytes.set(address, 32);
  return bytes;
}

/** A request to remove a device. */
export function encodeLinkDelete(sequence: number, index: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, RTM_DELLINK, true);
  view.setUint16(6, 0x5, true);
  view.setUint32(8, sequence, true);
  view.setInt32(20, index, true);
  return bytes;
}
