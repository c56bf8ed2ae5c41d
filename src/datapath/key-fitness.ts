// Whether a key that somebody wrote has all that its own types make one expect, and nothing else: Open vSwitch's user-space datapath takes
// no flow of another. Facts: the running reference, group by group.
import { FRAG, VLAN_CFI, W } from '../flow/key.ts';
import type { ParsedKey } from './key-parse.ts';

export const IPV4 = 0x0800;
export const IPV6 = 0x86dd;
export const TAG_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
/** The group that an Ethernet type wants; no other of them may be there. */
export const NETWORKS: ReadonlyMap<number, string> = new Map([
  [IPV4, 'ipv4'],
  [IPV6, 'ipv6'],
  [0x0806, 'arp'],
  [0x8035, 'arp'],
  [0x8847, 'mpls'],
  [0x8848, 'mpls'],
  [0x894f, 'nsh'],
]);
const NETWORK_GROUPS: ReadonlySet<string> = new Set(NETWORKS.values());
/** The same for IP protocols. */
export const TRANSPORTS = {
  [IPV4]: new Map([
    [6, 'tcp'],
    [17, 'udp'],
    [132, 'sctp'],
    [1, 'icmp'],
  ]),
  [IPV6]: new Map([
    [6, 'tcp'],
    [17, 'udp'],
    [132, 'sctp'],
    [58, 'icmpv6'],
  ]),
} as const;
const TRANSPORT_GROUPS: readonly string[] = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'];
const MPLS_BOTTOM = 0x100;

/** Whether a datapath takes a flow with such a key. */
export function isWholeKey({ key, groups, encapsIsEmpty }: ParsedKey): boolean {
  if (!groups.has('in_port') || encapsIsEmpty) return false;
  if (groups.has('tunnel') && isZero(key, W.TUN_DST, 1) && isZero(key, W.TUN_IPV6_DST, 4)) return false;
  for (const word of [W.VLAN0, W.VLAN1]) {
    const tag = key[word]!;
    if (tag !== 0 && (!TAG_TYPES.has(tag >>> 16) || (tag & VLAN_CFI) === 0)) return false;
  }
  const type = groups.has('eth_type') ? key[W.TYPE]! >>> 16 : 0;
  // A type that is left out is not checked against what IP header there is.
  const network = type === 0 ? ['ipv4', 'ipv6'].find((name) => groups.has(name)) : NETWORKS.get(type);
  if (type === 0 ? network === undefined : type < 0x600 || TAG_TYPES.has(type)) return false;
  for (const name of NETWORK_GROUPS) if (groups.has(name) !== (name === network)) return false;
  if (network === 'mpls' && !hasBottom(key)) return false;
  return hasTransport(key, groups, type, network);
}

function hasTransport(key: ParsedKey['key'], groups: ReadonlySet<string>, type: number, network: string | undefined): boolean {
  const isIp = network === 'ipv4' || network === 'ipv6';
  const proto = key[W.TYPE]! & 0xff;
  if (isIp && type === 0 && proto !== 0) return false;
  const isLater = ((key[W.TYPE]! >>> 8) & FRAG.LATER) !== 0;
  const wanted = isIp && !isLater ? TRANSPORTS[network === 'ipv4' ? IPV4 : IPV6].get(proto) : undefined;
  for (const name of TRANSPORT_GROUPS) if (groups.has(name) !== (name === wanted)) return false;
  if (groups.has('tcp_flags') && wanted !== 'tcp') return false;
  const icmpType = key[W.TP]! >>> 16;
  const isDiscovery = wanted === 'icmpv6' && (icmpType === 135 || icmpType === 136) && (key[W.TP]! & 0xffff) === 0;
  return groups.has('nd') === isDiscovery;
}

function hasBottom(key: ParsedKey['key']): boolean {
  for (let entry = 0; entry < 3; entry++) if ((key[W.MPLS + entry]! & MPLS_BOTTOM) !== 0) return true;
  return false;
}

function isZero(key: ParsedKey['key'], word: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (key[word + i] !== 0) return false;
  return true;
}
