// The key of a frame from the attributes that somebody wrote, layer by layer: what a layer's type does not promise is left out, what it
// promises and is not there is zero, and whether that was so is told. Facts: the running reference (`dpctl/normalize-actions`,
// `ofproto/trace`, `netdev-dummy/receive`), group by group.
import { FRAG, type Key, VLAN_CFI, W } from '../flow/key.ts';
import { type KeyAttribute, ones } from './attribute-parse.ts';
import { formatAttributes } from './attribute-text.ts';
import { IPV4, IPV6, NETWORKS, TAG_TYPES, TRANSPORTS } from './key-fitness.ts';
import { FLAGS, GROUPS, SINGLE } from './key-groups.ts';
import { keyOf } from './key-parse.ts';

/** A type for a frame that has none: its two bytes are a length (IEEE 802.3). */
const NO_TYPE = 0x05ff;
const FIRST_TYPE = 0x0600;
const ETHERTYPES_NAMESPACE = 1;
const METADATA: ReadonlySet<string> = new Set(
  'skb_priority skb_mark recirc_id dp_hash ct_state ct_zone ct_mark ct_label ct_tuple4 ct_tuple6 tunnel in_port packet_type eth'.split(' '),
);
/** Headers that say the type where nobody else does, the first of them that is there. */
const TYPE_OF_HEADER = [
  ['ipv4', IPV4],
  ['ipv6', IPV6],
  ['mpls', 0x8847],
] as const;

/** What a frame would have of a key: its own key, and whether the attributes were less or more than that; or a fault in words. */
export type FrameKey = { key: Key; isLess: boolean; isMore: boolean } | string;

type Layer = ReadonlyMap<string, KeyAttribute>;
const fieldOf = (attribute: KeyAttribute | undefined, name: string): number | undefined => {
  const value = attribute?.fields.get(name)?.[0];
  return value === undefined ? undefined : Number(value);
};

class FrameReader {
  readonly #vlanLimit: number;
  isLess = false;
  isMore = false;
  readonly tags: number[] = [];
  type = 0;
  /** What counts of the attributes. */
  readonly kept: KeyAttribute[] = [];

  constructor(vlanLimit: number) {
    this.#vlanLimit = vlanLimit;
  }

  /** Reads a layer, and those within it; gives the fault. */
  layer(attributes: readonly KeyAttribute[], depth: number): string | undefined {
    const found = new Map<string, KeyAttribute>();
    for (const attribute of attributes) {
      if (found.has(attribute.group)) return `duplicate ${attribute.group} attribute in flow key`;
      found.set(attribute.group, attribute);
    }
    const tunnel = found.get('tunnel');
    if (depth === 0 && tunnel !== undefined && !tunnel.fields.has('ttl')) return 'tunnel options missing TTL';
    if (depth === 0) this.kept.push(...attributes.filter(({ group }) => METADATA.has(group)));
    const type = fieldOf(found.get('eth_type'), '');
    if (depth < this.#vlanLimit && TAG_TYPES.has(type ?? 0)) return this.#tag(found, type!, depth);
    if (type !== undefined && type < FIRST_TYPE) return `invalid Ethertype ${type} in flow key`;
    return this.#network(found, type, depth);
  }

  #countOthers(found: Layer, wanted: readonly string[], depth: number): void {
    for (const group of found.keys()) if (!wanted.includes(group) && (depth > 0 || !METADATA.has(group))) this.isMore = true;
  }

  #tag(found: Layer, type: number, depth: number): string | undefined {
    this.#countOthers(found, ['eth_type', 'vlan', 'encap'], depth);
    const tag = found.get('vlan');
    const inner = found.get('encap')?.inner;
    if (tag === undefined || inner === undefined) this.isLess = true;
    const tci = (fieldOf(tag, 'vid') ?? 0) | ((fieldOf(tag, 'pcp') ?? 0) << 13);
    const isTag = tag !== undefined && fieldOf(tag, 'cfi') !== 0;
    if (tag === undefined || (!isTag && tci === 0)) {
      this.isMore ||= (inner?.length ?? 0) > 0;
      return undefined;
    }
    if (!isTag && inner !== undefined) return `OVS_KEY_ATTR_VLAN 0x${tci.toString(16).padStart(4, '0')} is nonzero but CFI bit is not set`;
    this.tags.push(((type << 16) | VLAN_CFI | tci) >>> 0);
    if (inner?.length === 0) this.type = NO_TYPE;
    return inner === undefined || inner.length === 0 ? undefined : this.layer(inner, depth + 1);
  }

  #network(found: Layer, ownType: number | undefined, depth: number): string | undefined {
    const header = TYPE_OF_HEADER.find(([group]) => found.has(group));
    const packetType = found.get('packet_type');
    const named =
      depth === 0 && !found.has('eth') && fieldOf(packetType, 'ns') === ETHERTYPES_NAMESPACE ? fieldOf(packetType, 'id') : undefined;
    this.type = ownType ?? named ?? header?.[1] ?? NO_TYPE;
    // Where the packet's type says it, no header is missed.
    const network = ownType === undefined ? header?.[0] : NETWORKS.get(ownType);
    const wanted = [...(ownType === undefined ? [] : ['eth_type']), ...(network === undefined ? [] : [network])];
    const attribute = network === undefined ? undefined : found.get(network);
    if (network === 'arp' && (fieldOf(attribute, 'op') ?? 0) > 255) return `unsupported ARP opcode ${fieldOf(attribute, 'op')} in flow key`;
    if (network === 'mpls') {
      const bottoms = (attribute?.entries ?? []).map((entry) => entry.get('bos')?.[0] === 1n);
      if (bottoms.slice(0, -1).includes(true)) return 'MPLS BOS set in non-innermost label';
      if (attribute !== undefined && bottoms.at(-1) !== true) this.isLess = true;
    }
    const isFitting = attribute !== undefined && NETWORKS.get(this.type) === network;
    if (isFitting) this.kept.push(attribute);
    const optional: string[] = [];
    if (attribute !== undefined && (network === 'ipv4' || network === 'ipv6')) {
      const isLater = ((fieldOf(attribute, 'frag') ?? 0) & FRAG.LATER) !== 0;
      const proto = fieldOf(attribute, 'proto') ?? 0;
      const transport = isLater ? undefined : TRANSPORTS[network === 'ipv4' ? IPV4 : IPV6].get(proto);
      if (transport !== undefined) wanted.push(transport);
      if (transport === 'tcp') optional.push('tcp_flags');
      const icmp = found.get('icmpv6');
      const icmpType = fieldOf(icmp, 'type');
      if (transport === 'icmpv6' && (icmpType === 135 || icmpType === 136) && (fieldOf(icmp, 'code') ?? 0) === 0) {
        wanted.push('nd');
        optional.push('nd_ext');
      }
      const behind = [...wanted, ...optional].filter((group) => group !== 'eth_type' && group !== network);
      if (isFitting) this.kept.push(...behind.flatMap((group) => found.get(group) ?? []));
    }
    for (const group of wanted) if (!found.has(group)) this.isLess = true;
    this.#countOthers(found, [...wanted, ...optional], depth);
    return undefined;
  }
}

/**
 * The key that a frame of these attributes would have; `vlanLimit`: how many tags are told. A fault is in the reference's words, with the
 * attributes as it prints them.
 */
export function frameKeyOf(attributes: readonly KeyAttribute[], vlanLimit: number): FrameKey {
  const reader = new FrameReader(vlanLimit);
  const fault = reader.layer(attributes, 0);
  if (fault !== undefined) return `${fault}; the flow key in error is: ${formatAttributes(attributes, true)}`;
  const { key, groups } = keyOf(reader.kept, vlanLimit);
  key[W.TYPE] = ((reader.type << 16) | (key[W.TYPE]! & 0xffff)) >>> 0;
  for (const [i, tag] of reader.tags.entries()) key[W.VLAN0 + i] = tag;
  const outer = attributes.find(({ group }) => group === 'eth_type');
  // Without Ethernet addresses it is no Ethernet frame.
  if (groups.has('eth')) key[W.PACKET_TYPE] = 0;
  else if (outer !== undefined) key[W.PACKET_TYPE] = ((ETHERTYPES_NAMESPACE << 16) | fieldOf(outer, '')!) >>> 0;
  return { key, isLess: reader.isLess, isMore: reader.isMore };
}

const bitsOf = (group: string, name: string): number =>
  (SINGLE.get(group) ?? FLAGS.get(name === 'flags' ? 'flags' : group)?.place ?? GROUPS.get(group)?.[name])?.bits ?? 0;

/** The same attributes as if no value of them had a mask. */
export function withoutMasks(attributes: readonly KeyAttribute[]): KeyAttribute[] {
  type Values = KeyAttribute['fields'];
  const exact = (group: string, fields: Values): Values =>
    new Map([...fields].map(([name, [value]]) => [name, [value, ones(bitsOf(group, name))] as const]));
  return attributes.map(({ isSigned: _, ...attribute }) => ({
    ...attribute,
    fields: exact(attribute.group, attribute.fields),
    ...(attribute.inner === undefined ? {} : { inner: withoutMasks(attribute.inner) }),
    ...(attribute.entries === undefined ? {} : { entries: attribute.entries.map((entry) => exact(attribute.group, entry)) }),
  }));
}
