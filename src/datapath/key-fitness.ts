// Whether a key that somebody wrote has all that its own types make one expect, and nothing else: Open vSwitch's user-space datapath takes
// no flow of another. Facts: the running reference, group by group.
import { FRAG, VLAN_CFI, W } from '../flow/key.ts';
import type { KeyAttribute } from './attribute-parse.ts';
import type { ParsedKey } from './key-parse.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TAG_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
/** The group that an Ethernet type wants; no other of them may be there. */
const NETWORKS: ReadonlyMap<number, string> = new Map([
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
const TRANSPORTS = {
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

/** Whether attributes are a frame's: less or more than their types promise, or a fault in words. */
export type KeyFitness = { kind: 'whole' | 'little' | 'much' } | { kind: 'fault'; text: string };

const METADATA: ReadonlySet<string> = new Set(
  'skb_priority skb_mark recirc_id dp_hash ct_state ct_zone ct_mark ct_label ct_tuple4 ct_tuple6 tunnel in_port packet_type eth'.split(' '),
);
const lastField = (attribute: KeyAttribute | undefined, name: string): number | undefined => {
  const value = attribute?.fields.get(name)?.[0];
  return value === undefined ? undefined : Number(value);
};

/** The same as `isWholeKey` of a key without a mask, with the reason; one tag is told. */
export function keyFitness(attributes: readonly KeyAttribute[]): KeyFitness {
  const whole = checkLayer(attributes, 0);
  return typeof whole === 'string' ? { kind: 'fault', text: whole } : { kind: whole.isLess ? 'little' : whole.isMore ? 'much' : 'whole' };
}

interface Balance {
  isLess: boolean;
  isMore: boolean;
}

function checkLayer(attributes: readonly KeyAttribute[], depth: number): Balance | string {
  const found = new Map<string, KeyAttribute>();
  for (const attribute of attributes) {
    if (found.has(attribute.group)) return `duplicate ${attribute.group} attribute in flow key`;
    found.set(attribute.group, attribute);
  }
  const tunnel = found.get('tunnel');
  if (tunnel !== undefined && !tunnel.fields.has('ttl')) return 'tunnel options missing TTL';
  const type = lastField(found.get('eth_type'), '');
  if (depth === 0 && TAG_TYPES.has(type ?? 0)) return checkTag(found);
  if (type !== undefined && type < 0x600) return `invalid Ethertype ${type} in flow key`;
  return checkNetwork(found, type, depth);
}

function checkTag(found: ReadonlyMap<string, KeyAttribute>): Balance | string {
  const tag = found.get('vlan');
  const inner = found.get('encap')?.inner;
  if (tag !== undefined && lastField(tag, 'cfi') === 0) {
    const tci = (lastField(tag, 'vid') ?? 0) | ((lastField(tag, 'pcp') ?? 0) << 13);
    if (tci !== 0) return `OVS_KEY_ATTR_VLAN 0x${tci.toString(16).padStart(4, '0')} is nonzero but CFI bit is not set`;
    return { isLess: false, isMore: false };
  }
  const own = { isLess: tag === undefined || inner === undefined, isMore: hasOthers(found, new Set(['eth_type', 'vlan', 'encap'])) };
  if (own.isLess || inner === undefined || inner.length === 0) return own;
  const within = checkLayer(inner, 1);
  if (typeof within === 'string') return within;
  return { isLess: own.isLess || within.isLess, isMore: own.isMore || within.isMore };
}

const hasOthers = (found: ReadonlyMap<string, KeyAttribute>, wanted: ReadonlySet<string>, depth = 0): boolean =>
  [...found.keys()].some((group) => !wanted.has(group) && (depth > 0 || !METADATA.has(group)));

function checkNetwork(found: ReadonlyMap<string, KeyAttribute>, type: number | undefined, depth: number): Balance | string {
  const wanted = new Set(type === undefined ? [] : ['eth_type']);
  const optional = new Set<string>();
  const network = type === undefined ? ['ipv4', 'ipv6'].find((name) => found.has(name)) : NETWORKS.get(type);
  if (network !== undefined) wanted.add(network);
  const header = network === undefined ? undefined : found.get(network);
  const op = network === 'arp' ? (lastField(header, 'op') ?? 0) : 0;
  if (op > 255) return `unsupported ARP opcode ${op} in flow key`;
  const entries = header?.entries ?? [];
  const bottoms = entries.map((entry) => entry.get('bos')?.[0] === 1n);
  if (bottoms.slice(0, -1).includes(true)) return 'MPLS BOS set in non-innermost label';
  let isLess = network === 'mpls' && header !== undefined && bottoms.at(-1) !== true;
  if ((network === 'ipv4' || network === 'ipv6') && header !== undefined) {
    const isLater = ((lastField(header, 'frag') ?? 0) & FRAG.LATER) !== 0;
    const proto = lastField(header, 'proto') ?? 0;
    const transport = isLater ? undefined : TRANSPORTS[network === 'ipv4' ? IPV4 : IPV6].get(proto);
    if (transport !== undefined) wanted.add(transport);
    if (transport === 'tcp') optional.add('tcp_flags');
    const icmp = found.get('icmpv6');
    const icmpType = lastField(icmp, 'type');
    if (transport === 'icmpv6' && (icmpType === 135 || icmpType === 136) && (lastField(icmp, 'code') ?? 0) === 0) {
      wanted.add('nd');
      optional.add('nd_ext');
    }
  }
  for (const group of wanted) isLess ||= !found.has(group);
  return { isLess, isMore: hasOthers(found, new Set([...wanted, ...optional]), depth) };
}
