// rtnetlink address and route messages (rtnetlink(7), linux/if_addr.h) as values. Pure: bytes in, bytes out; `routes.ts` owns the sockets.
import { attributes, decodeMessages, encodeAttribute, encodeRequest, type NetlinkAnswer, NLM, word } from './netlink-message.ts';

/** Which way packets to an address, or to a network, go. */
export interface Route {
  /** 4 or 16 bytes; undefined where the kernel leaves zeros out. */
  destination: Uint8Array | undefined;
  isIpv6: boolean;
  /** Bits of the destination that count. */
  length: number;
  /** 0 where there is no one device. */
  ifindex: number;
  /** 4 or 16 bytes; undefined on the link. */
  gateway: Uint8Array | undefined;
  mark: number;
  /** The address that they come from: 4 or 16 bytes; undefined when the kernel did not say. */
  source: Uint8Array | undefined;
  /** The route's own MTU, 0 = the device's. */
  mtu: number;
  /** RTN_UNICAST or RTN_LOCAL, among others. */
  type: number;
}

/** What a datagram from the kernel says. */
export type RouteEvent =
  /** An address of the device, with the length of its network's prefix; scope 253 is the link, 254 this host. */
  | { kind: 'address'; address: Uint8Array; length: number; ifindex: number; scope: number }
  | { kind: 'route'; sequence: number; route: Route }
  /** A neighbour that a device has found, with its Ethernet address. */
  | { kind: 'neighbor'; address: Uint8Array; mac: readonly [number, number]; ifindex: number }
  | NetlinkAnswer;

export const RTN = { UNICAST: 1, LOCAL: 2 } as const;

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const RTA = { DST: 1, SRC: 2, OIF: 4, GATEWAY: 5, PREFSRC: 7, METRICS: 8, MARK: 16 } as const;
const RTAX_MTU = 2;
const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes of struct rtmsg and of struct ifaddrmsg. */
const RTMSG_SIZE = 12;
const IFADDR_SIZE = 8;
/** Bytes of struct ndmsg. */
const NDMSG_SIZE = 12;
const NDA = { DST: 1, LLADDR: 2 } as const;
/** NUD_REACHABLE, _STALE, _DELAY, _PROBE: found, and not by hand. */
const FOUND = 0x02 | 0x04 | 0x08 | 0x10;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;

const isAddress = (size: number): boolean => size === 4 || size === 16;

function decodeRoute(bytes: Uint8Array, view: DataView, body: number, end: number): Route {
  const route: Route = {
    destination: undefined,
    isIpv6: bytes[body] === AF_INET6,
    length: bytes[body + 1]!,
    ifindex: 0,
    gateway: undefined,
    mark: 0,
    source: undefined,
    mtu: 0,
    type: bytes[body + 7]!,
  };
  attributes(view, body + 12, end, (type, at, size) => {
    if (type === RTA.OIF && size >= 4) route.ifindex = view.getInt32(at, true);
    else if (type === RTA.DST && isAddress(size)) route.destination = bytes.slice(at, at + size);
    else if (type === RTA.GATEWAY && isAddress(size)) route.gateway = bytes.slice(at, at + size);
    else if (type === RTA.MARK && size >= 4) route.mark = view.getUint32(at, true);
    else if (type === RTA.PREFSRC && isAddress(size)) route.source = bytes.slice(at, at + size);
    else if (type === RTA.METRICS) {
      attributes(view, at, at + size, (metric, metricAt, metricSize) => {
        if (metric === RTAX_MTU && metricSize >= 4) route.mtu = view.getUint32(metricAt, true);
      });
    }
  });
  return route;
}

function decodeNeighbor(bytes: Uint8Array, view: DataView, body: number, end: number): RouteEvent | undefined {
  if ((view.getUint16(body + 8, true) & FOUND) === 0) return undefined;
  let address: Uint8Array | undefined;
  let mac: readonly [number, number] | undefined;
  attributes(view, body + NDMSG_SIZE, end, (type, at, size) => {
    if (type === NDA.DST && isAddress(size)) address = bytes.slice(at, at + size);
    else if (type === NDA.LLADDR && size === 6) mac = [view.getUint32(at), view.getUint16(at + 4)];
  });
  return address === undefined || mac === undefined
    ? undefined
    : { kind: 'neighbor', address, mac, ifindex: view.getInt32(body + 4, true) };
}

/** Decodes one datagram. What is neither address, route nor neighbour, or does not fit, is left out. */
export const decodeRouteEvents = (bytes: Uint8Array): RouteEvent[] =>
  decodeMessages<RouteEvent>(bytes, (view, { type, sequence, body, end }) => {
    if (type === RTM_NEWROUTE && end >= body + RTMSG_SIZE) return { kind: 'route', sequence, route: decodeRoute(bytes, view, body, end) };
    if (type === RTM_NEWNEIGH && end >= body + NDMSG_SIZE) return decodeNeighbor(bytes, view, body, end);
    if (type !== RTM_NEWADDR || end < body + IFADDR_SIZE) return undefined;
    // On a point-to-point device ADDRESS is the other end's; IPv6 has no LOCAL.
    let local: Uint8Array | undefined;
    let address: Uint8Array | undefined;
    attributes(view, body + IFADDR_SIZE, end, (attribute, place, length) => {
      if (!isAddress(length)) return;
      if (attribute === IFA.LOCAL) local = bytes.slice(place, place + length);
      else if (attribute === IFA.ADDRESS) address = bytes.slice(place, place + length);
    });
    const own = local ?? address;
    if (own === undefined) return undefined;
    return { kind: 'address', address: own, length: bytes[body + 1]!, ifindex: view.getInt32(body + 4, true), scope: bytes[body + 3]! };
  });

/** A request for all addresses. */
export const encodeAddressDump = (sequence: number): Uint8Array =>
  encodeRequest(RTM_GETADDR, NLM.DUMP, sequence, new Uint8Array(IFADDR_SIZE));

/** A request for all routes of all tables. */
export const encodeRouteDump = (sequence: number): Uint8Array =>
  encodeRequest(RTM_GETROUTE, NLM.DUMP, sequence, new Uint8Array(RTMSG_SIZE));

/** A request for all neighbours of all devices. */
export const encodeNeighborDump = (sequence: number): Uint8Array =>
  encodeRequest(RTM_GETNEIGH, NLM.DUMP, sequence, new Uint8Array(NDMSG_SIZE));

/** Asks which way packets to `to` go, with that source address (or whichever) and mark. */
export function encodeRouteRequest(sequence: number, to: Uint8Array, from: Uint8Array | undefined, mark: number): Uint8Array {
  const head = new Uint8Array(RTMSG_SIZE);
  head[0] = to.length === 4 ? AF_INET : AF_INET6;
  head[1] = to.length * 8;
  const wanted = [encodeAttribute(RTA.DST, to)];
  if (from !== undefined) {
    head[2] = from.length * 8;
    wanted.push(encodeAttribute(RTA.SRC, from));
  }
  if (mark !== 0) wanted.push(encodeAttribute(RTA.MARK, word(mark)));
  return encodeRequest(RTM_GETROUTE, 0, sequence, head, wanted);
}
