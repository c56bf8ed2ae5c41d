// Tunnels in datapaths that put outer headers on themselves: out of a tunnel port the frame goes on, with its outer header, into the bridge
// below; what comes to that bridge's own address goes up into the tunnel.
//
// 1. The route to the tunnel's other end names a device and an address to send from; the bridge that has the device is the one below.
// 2. The neighbour table of that bridge has the link-layer address of the next hop, or it is asked for and the frame is dropped.
// 3. The outer header is put on and the walk goes on in the bridge below, from its local port. The header's fields follow from what has
//    been read already, so nothing that is read there adds to the mask.
import { formatMac } from '../../base/addresses.ts';
import type { TunnelKey } from '../../datapath/datapath.ts';
import { FRAG, type Key, W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import { sumBytes } from '../../wire/checksum.ts';
import { encodeTunnel, FLAG, type TunnelProtocol } from '../../wire/tunnel-headers.ts';
import type { SwitchPort } from '../ports.ts';
import { formatAddress, fromIpv4, fromWords, isIpv4 as isMapped, toWords } from '../underlay/address.ts';
import type { NativeTunnels } from '../underlay/native.ts';
import type { Mac } from '../underlay/neighbors.ts';
import { ROUTE_KIND } from '../underlay/routes.ts';
import type { Walk } from './translate.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const ARP_REPLY = 2;
const ADVERTISEMENT = 136;

const place = (words: readonly number[], ipv6: boolean): bigint => (ipv6 ? fromWords(words) : fromIpv4(words[3] ?? 0));

function putMac(bytes: Uint8Array, at: number, [high, low]: Mac): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, high);
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(at + 4, low);
}

/** The whole outer header; lengths, checksums and the UDP source port are the datapath's to fill in. */
function outerHeader(protocol: TunnelProtocol, tunnel: TunnelKey, from: Mac, to: Mac, source: bigint, destination: bigint): Uint8Array {
  const bytes = new Uint8Array(14 + 40 + 8 + 16 + tunnel.options.length);
  const view = new DataView(bytes.buffer);
  const isIpv6 = !isMapped(destination);
  putMac(bytes, 0, to);
  putMac(bytes, 6, from);
  view.setUint16(12, isIpv6 ? IPV6 : IPV4);
  const proto = protocol === 'gre' ? 47 : 17;
  if (isIpv6) {
    view.setUint32(14, ((6 << 28) | (tunnel.tos << 20)) >>> 0);
    view.setUint8(20, proto);
    view.setUint8(21, tunnel.ttl);
    toWords(source).forEach((word, i) => void view.setUint32(22 + 4 * i, word));
    toWords(destination).forEach((word, i) => void view.setUint32(38 + 4 * i, word));
  } else {
    view.setUint8(14, 0x45);
    view.setUint8(15, tunnel.tos);
    view.setUint16(20, (tunnel.flags & FLAG.DONT_FRAGMENT) !== 0 ? 0x4000 : 0);
    view.setUint8(22, tunnel.ttl);
    view.setUint8(23, proto);
    view.setUint32(26, Number(source & 0xffffffffn));
    view.setUint32(30, Number(destination & 0xffffffffn));
  }
  let at = isIpv6 ? 54 : 34;
  if (protocol !== 'gre') {
    view.setUint16(at + 2, tunnel.tpDst);
    // What is not zero asks for a checksum. Over IPv6 there is always one (RFC 8200 section 8.1).
    if (isIpv6 || (tunnel.flags & FLAG.CSUM) !== 0) view.setUint16(at + 6, 0xffff);
    at += 8;
  }
  const { id, flags, gbpId, gbpFlags, options } = tunnel;
  const header = {
    idHigh: Number(id >> 32n),
    idLow: Number(id & 0xffffffffn),
    flags,
    gbpId,
    gbpFlags,
    optionsSize: options.length,
  };
  return bytes.slice(0, at + encodeTunnel(protocol, bytes, at, header, options));
}

/** Makes a key that of the outer frame, as the bridge below sees it. */
function enterOuter(key: Key, inPort: number, header: Uint8Array): void {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  key.fill(0);
  key[W.IN_PORT] = inPort;
  for (let i = 0; i < 3; i++) key[W.ETH + i] = view.getUint32(4 * i);
  const isIpv6 = view.getUint16(12) === IPV6;
  const proto = view.getUint8(isIpv6 ? 20 : 23);
  key[W.TYPE] = (((isIpv6 ? IPV6 : IPV4) << 16) | proto) >>> 0;
  if (isIpv6) {
    const first = view.getUint32(14);
    key[W.IPV6_LABEL] = first & 0xfffff;
    key[W.TOS] = ((((first >>> 20) & 255) << 24) | (view.getUint8(21) << 16)) >>> 0;
    for (let i = 0; i < 8; i++) key[W.IPV6_SRC + i] = view.getUint32(22 + 4 * i);
  } else {
    key[W.TOS] = ((view.getUint8(15) << 24) | (view.getUint8(22) << 16)) >>> 0;
    key[W.NW_SRC] = view.getUint32(26);
    key[W.NW_DST] = view.getUint32(30);
  }
  if (proto === 17) key[W.TP] = view.getUint16((isIpv6 ? 54 : 34) + 2);
}

/** An ARP request, or a neighbour solicitation (RFC 4861 section 4.3). */
function neighborRequest(from: Mac, source: bigint, target: bigint): Uint8Array {
  if (isMapped(target)) {
    const frame = new Uint8Array(42);
    frame.fill(0xff, 0, 6);
    putMac(frame, 6, from);
    frame.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 1], 12);
    putMac(frame, 22, from);
    const view = new DataView(frame.buffer);
    view.setUint32(28, Number(source & 0xffffffffn));
    view.setUint32(38, Number(target & 0xffffffffn));
    return frame;
  }
  const frame = new Uint8Array(86);
  const view = new DataView(frame.buffer);
  const words = toWords(target);
  // The solicited-node address and its Ethernet group end in the target's last 24 bits.
  const tail = words[3] & 0xffffff;
  view.setUint32(0, (0x3333ff00 | (tail >>> 16)) >>> 0);
  view.setUint16(4, tail & 0xffff);
  putMac(frame, 6, from);
  view.setUint16(12, IPV6);
  view.setUint32(14, 0x60000000);
  view.setUint16(18, 32);
  view.setUint8(20, 58);
  view.setUint8(21, 255);
  toWords(source).forEach((word, i) => void view.setUint32(22 + 4 * i, word));
  [0xff020000, 0, 1, (0xff000000 | tail) >>> 0].forEach((word, i) => void view.setUint32(38 + 4 * i, word));
  view.setUint8(54, 135);
  words.forEach((word, i) => void view.setUint32(62 + 4 * i, word));
  frame.set([1, 1], 78);
  putMac(frame, 80, from);
  const sum = sumBytes(frame, 54, 32, sumBytes(frame, 22, 32, 58 + 32));
  view.setUint16(56, ~sum & 0xffff);
  return frame;
}

/** Sends the frame into a tunnel by way of the bridge below. */
export function nativeOutput(walk: Walk, native: NativeTunnels, port: SwitchPort, protocol: TunnelProtocol, tunnel: TunnelKey): void {
  walk.report('detail', 'output to native tunnel');
  const destination = place(tunnel.dst, tunnel.ipv6);
  const route = native.underlay.routes.lookup(destination, tunnel.mark);
  const below = route === undefined ? undefined : native.portNamed(route.device);
  // An address of its own has to be one of the host's.
  const own = tunnel.src.some((word) => word !== 0) ? place(tunnel.src, tunnel.ipv6) : undefined;
  const isOurs = own === undefined || native.underlay.routes.lookup(own, tunnel.mark)?.kind === ROUTE_KIND.local;
  if (route === undefined || !isOurs || below?.dpPort === undefined || below.link === undefined) {
    walk.report('warn', 'native tunnel routing failed');
    return;
  }
  const next = route.gateway === 0n ? destination : route.gateway;
  walk.report('detail', `tunneling to ${formatAddress(next)} via ${route.device}`);
  const source = own ?? route.source;
  const from = below.link.mac;
  const to = native.underlay.neighbors.get(below.bridge.name, next);
  if (to === undefined) {
    const what = isMapped(next) ? 'ARP' : 'ND';
    walk.report('detail', `neighbor cache miss for ${formatAddress(next)} on bridge ${below.bridge.name}, sending ${what} request`);
    // The question is asked whatever becomes of the frame, also for a trace; not from within this walk.
    queueMicrotask(() => native.send(below, neighborRequest(from, source, next)));
    return;
  }
  const ends = `${formatMac(...from)} ${formatAddress(source)} to ${formatMac(...to)} ${formatAddress(next)}`;
  walk.report('detail', `tunneling from ${ends}`);
  const header = outerHeader(protocol, tunnel, from, to, source, destination);
  const wild = walk.wild.slice();
  const base = walk.base.slice();
  const rest = walk.gather(() =>
    walk.continueAt(below, () => {
      enterOuter(walk.key, below.port, header);
      walk.base.set(walk.key);
    }),
  );
  walk.base.set(base);
  walk.wild.set(wild);
  // What goes nowhere below is not wrapped either.
  if (rest.length === 0) return;
  walk.effects.push({ kind: 'port', port, direction: 'tx' });
  const push = { kind: 'tunnelPush', tunnelPort: port.dpPort!, outPort: below.dpPort, protocol, header } as const;
  if (walk.isLast) walk.out.push(push, ...rest);
  else walk.out.push({ kind: 'clone', actions: [push, ...rest] });
}

/** The tunnel port that a frame for the bridge's own port belongs to instead, if it carries a tunnel's packet to one of its addresses. */
export function nativeInput(walk: Walk, native: NativeTunnels, port: SwitchPort): SwitchPort | undefined {
  const { key } = walk;
  const type = key[W.TYPE]! >>> 16;
  if (port.port !== OFPP.LOCAL) return undefined;
  const { underlay } = native;
  // Without tunnels nobody asks who the neighbours are.
  if (!underlay.hasListeners) return undefined;
  snoop(walk, native, type);
  if ((type !== IPV4 && type !== IPV6) || port.link === undefined || !underlay.routes.uses(port.name)) return undefined;
  walk.mark(W.ETH, -1);
  walk.mark(W.ETH + 1, 0xffff0000);
  const [high, low] = port.link.mac;
  if (key[W.ETH] !== high || key[W.ETH + 1]! >>> 16 !== low) return undefined;
  const isIpv6 = type === IPV6;
  for (let i = 0; i < (isIpv6 ? 4 : 1); i++) walk.mark((isIpv6 ? W.IPV6_DST : W.NW_DST) + i, -1);
  walk.mark(W.TYPE, 0xff);
  const address = isIpv6 ? fromWords(key, W.IPV6_DST) : fromIpv4(key[W.NW_DST]!);
  if (!underlay.devices.addressesOf(port.name).some((own) => own.address === address)) return undefined;
  const proto = key[W.TYPE]! & 255;
  const fragment = (key[W.TYPE]! >>> 8) & FRAG.ANY;
  if (fragment !== 0 || (proto !== 17 && proto !== 47)) return undefined;
  if (proto === 17) walk.mark(W.TP, 0xffff);
  const tunnel = underlay.listening(proto === 17 ? key[W.TP]! & 0xffff : 0);
  return tunnel?.bridge.native === native ? tunnel : undefined;
}

/** Learns neighbours from what answers them: ARP replies and neighbour advertisements. */
function snoop(walk: Walk, { underlay: { neighbors } }: NativeTunnels, type: number): void {
  const { key, bridge } = walk;
  const learn = (address: bigint, mac: Mac): void => {
    if (mac[0] !== 0 || mac[1] !== 0) walk.effects.push({ kind: 'call', fn: () => neighbors.set(bridge.name, address, mac) });
  };
  if (type === ARP) {
    walk.mark(W.TYPE, 0xff);
    if ((key[W.TYPE]! & 255) !== ARP_REPLY) return;
    walk.mark(W.NW_SRC, -1);
    walk.mark(W.NW_DST, -1);
    walk.mark(W.ARP_HW, -1);
    walk.mark(W.ARP_HW + 1, 0xffff0000);
    learn(fromIpv4(key[W.NW_SRC]!), [key[W.ARP_HW]!, key[W.ARP_HW + 1]! >>> 16]);
  } else if (type === IPV6 && (key[W.TYPE]! & 255) === 58 && key[W.TP]! >>> 16 === ADVERTISEMENT) {
    walk.mark(W.TYPE, 0xff);
    walk.mark(W.TP, -1);
    for (let i = 0; i < 4; i++) {
      walk.mark(W.ND_TARGET + i, -1);
      walk.mark(W.IPV6_SRC + i, -1);
      walk.mark(W.IPV6_DST + i, -1);
    }
    walk.mark(W.ARP_HW + 1, 0xffff);
    walk.mark(W.ARP_HW + 2, -1);
    const high = ((key[W.ARP_HW + 1]! << 16) | (key[W.ARP_HW + 2]! >>> 16)) >>> 0;
    learn(fromWords(key, W.ND_TARGET), [high, key[W.ARP_HW + 2]! & 0xffff]);
  }
}
