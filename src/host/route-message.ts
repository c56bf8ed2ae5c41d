// rtnetlink address and route messages (rtnetlink(7), linux/if_addr.h) as values. Pure: bytes in, bytes out; `routes.ts` owns the sockets.

/** Which way packets to an address go. */
export interface Route {
  ifindex: number;
  /** The address that they come from: 4 or 16 bytes; undefined when the kernel did not say. */
  source: Uint8Array | undefined;
  /** The route's own MTU, 0 = the device's. */
  mtu: number;
  /** RTN_UNICAST is 1, RTN_LOCAL 2. */
  type: number;
}

/** What a datagram from the kernel says; `ack` with errno 0 is success. */
export type RouteEvent =
  /** An address of the device; scope 253 is the link, 254 this host. */
  | { kind: 'address'; address: Uint8Array; ifindex: number; scope: number }
  | { kind: 'route'; sequence: number; route: Route }
  | { kind: 'done' }
  | { kind: 'ack'; sequence: number; errno: number };

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA = { DST: 1, SRC: 2, OIF: 4, PREFSRC: 7, METRICS: 8, MARK: 16 } as const;
const RTAX_MTU = 2;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;

/** Calls `take` for each attribute of [start, end); stops at the first that does not fit. */
function attributes(view: DataView, start: number, end: number, take: (type: number, at: number, size: number) => void): void {
  let at = start;
  while (at + 4 <= end) {
    const size = view.getUint16(at, true);
    if (size < 4 || at + size > end) return;
    take(view.getUint16(at + 2, true) & 0x3fff, at + 4, size - 4);
    at += (size + 3) & ~3;
  }
}

const isAddress = (size: number): boolean => size === 4 || size === 16;

function decodeRoute(bytes: Uint8Array, view: DataView, body: number, end: number): Route {
  const route: Route = { ifindex: 0, source: undefined, mtu: 0, type: bytes[body + 7]! };
  attributes(view, body + 12, end, (type, at, size) => {
    if (type === RTA.OIF && size >= 4) route.ifindex = view.getInt32(at, true);
    else if (type === RTA.PREFSRC && isAddress(size)) route.source = bytes.slice(at, at + size);
    else if (type === RTA.METRICS) {
      attributes(view, at, at + size, (metric, metricAt, metricSize) => {
        if (metric === RTAX_MTU && metricSize >= 4) route.mtu = view.getUint32(metricAt, true);
      });
    }
  });
  return route;
}

/** Decodes one datagram. What is neither address nor route, or does not fit, is left out. */
export function decodeRouteEvents(bytes: Uint8Array): RouteEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: RouteEvent[] = [];
  let at = 0;
  while (at + 16 <= bytes.length) {
    const size = view.getUint32(at, true);
    const end = at + size;
    if (size < 16 || end > bytes.length) break;
    const type = view.getUint16(at + 4, true);
    const sequence = view.getUint32(at + 8, true);
    const body = at + 16;
    if (type === NLMSG_DONE) {
      events.push({ kind: 'done' });
    } else if (type === NLMSG_ERROR && size >= 20) {
      events.push({ kind: 'ack', sequence, errno: -view.getInt32(body, true) });
    } else if (type === RTM_NEWROUTE && size >= 28) {
      events.push({ kind: 'route', sequence, route: decodeRoute(bytes, view, body, end) });
    } else if (type === RTM_NEWADDR && size >= 24) {
      // On a point-to-point device ADDRESS is the other end's; IPv6 has no LOCAL.
      let local: Uint8Array | undefined;
      let address: Uint8Array | undefined;
      attributes(view, body + 8, end, (attribute, place, length) => {
        if (!isAddress(length)) return;
        if (attribute === IFA.LOCAL) local = bytes.slice(place, place + length);
        else if (attribute === IFA.ADDRESS) address = bytes.slice(place, place + length);
      });
      const own = local ?? address;
      if (own !== undefined)
        events.push({ kind: 'address', address: own, ifindex: view.getInt32(body + 4, true), scope: bytes[body + 3]! });
    }
    at += (size + 3) & ~3;
  }
  return events;
}

/** A request for all addresses. */
export function encodeAddressDump(sequence: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 24, true);
  view.setUint16(4, RTM_GETADDR, true);
  view.setUint16(6, 0x301, true); // NLM_F_REQUEST | NLM_F_DUMP
  view.setUint32(8, sequence, true);
  return bytes;
}

/** Asks which way packets to `to` go, with that source address (or whichever) and mark. */
export function encodeRouteRequest(sequence: number, to: Uint8Array, from: Uint8Array | undefined, mark: number): Uint8Array {
  const size = 28 + 4 + to.length + (from === undefined ? 0 : 4 + from.length) + (mark === 0 ? 0 : 8);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, RTM_GETROUTE, true);
  view.setUint16(6, 1, true);
  view.setUint32(8, sequence, true);
  bytes[16] = to.length === 4 ? 2 : 10;
  bytes[17] = to.length * 8;
  if (from !== undefined) bytes[18] = from.length * 8;
  let at = 28;
  const add = (type: number, value: Uint8Array): void => {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, type, true);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  };
  add(RTA.DST, to);
  if (from !== undefined) add(RTA.SRC, from);
  if (mark !== 0) add(RTA.MARK, new Uint8Array(Uint32Array.of(mark).buffer));
  return bytes;
}
