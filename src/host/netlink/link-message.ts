// rtnetlink link messages (rtnetlink(7), linux/if_link.h) as values. Pure: bytes in, bytes out; `links.ts` owns the sockets.
import { attributes, decodeMessages, encodeAttribute, encodeRequest, type NetlinkAnswer, NLM, word } from './netlink-message.ts';

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

export const IFF = { UP: 1, LOOPBACK: 8, PROMISC: 0x100, LOWER_UP: 0x10000 } as const;

/** What a datagram from the kernel says. */
export type LinkEvent = { kind: 'link'; link: Link } | { kind: 'gone'; index: number; name: string } | NetlinkAnswer;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
/** Bytes of struct ifinfomsg. */
const IFINFO_SIZE = 16;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINKINFO: 18, IFALIAS: 20, STATS64: 23, CARRIER: 33, CARRIER_CHANGES: 35 } as const;

const utf8 = new TextDecoder();
const cString = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
};

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
export const decodeLinkEvents = (bytes: Uint8Array): LinkEvent[] =>
  decodeMessages<LinkEvent>(bytes, (view, { type, body, end }) => {
    if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || end < body + IFINFO_SIZE) return undefined;
    // AF_BRIDGE reports ports of a Linux bridge with the same message types.
    if (bytes[body] !== 0) return undefined;
    const link = decodeLink(bytes, view, body, end);
    return type === RTM_NEWLINK ? { kind: 'link', link } : { kind: 'gone', index: link.index, name: link.name };
  });

/** struct ifinfomsg. */
function interfaceInfo(index: number, flags = 0, flagMask = 0): Uint8Array {
  const bytes = new Uint8Array(IFINFO_SIZE);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flagMask, true);
  return bytes;
}

/** A request for all links. */
export const encodeLinkDump = (sequence: number): Uint8Array => encodeRequest(RTM_GETLINK, NLM.DUMP, sequence, interfaceInfo(0));

/** A request for one link, told before the acknowledgement. */
export const encodeLinkGet = (sequence: number, index: number): Uint8Array =>
  encodeRequest(RTM_GETLINK, NLM.ACK, sequence, interfaceInfo(index));

/** A change of a device: address, MTU, flags. Acknowledged by the kernel. */
export function encodeLinkChange(
  sequence: number,
  index: number,
  change: { mac?: readonly [number, number]; mtu?: number; flags?: number; flagMask?: number; alias?: string },
): Uint8Array {
  const wanted: Uint8Array[] = [];
  if (change.mac !== undefined) {
    const mac = new Uint8Array(6);
    const view = new DataView(mac.buffer);
    view.setUint32(0, change.mac[0]);
    view.setUint16(4, change.mac[1]);
    wanted.push(encodeAttribute(IFLA.ADDRESS, mac));
  }
  if (change.mtu !== undefined) wanted.push(encodeAttribute(IFLA.MTU, word(change.mtu)));
  if (change.alias !== undefined) wanted.push(encodeAttribute(IFLA.IFALIAS, new TextEncoder().encode(change.alias)));
  return encodeRequest(RTM_NEWLINK, NLM.ACK, sequence, interfaceInfo(index, change.flags, change.flagMask), wanted);
}

/** A request to remove a device. */
export const encodeLinkDelete = (sequence: number, index: number): Uint8Array =>
  encodeRequest(RTM_DELLINK, NLM.ACK, sequence, interfaceInfo(index));
