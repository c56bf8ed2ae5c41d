// The groups that a datapath flow's text is made of, `ipv4(src=...,ttl=...)`: which fields stand in each, where they are in the key and how
// they are written. Facts: ovs-dpctl(8), the running reference.
import { TUN_FLAG, W } from '../flow/key.ts';

/** Where a field stands, and how its value is written. */
export interface FieldPlace {
  at: number;
  bits: number;
  kind: 'number' | 'mac' | 'ipv4' | 'ipv6' | 'frag';
  /** Numbers in hexadecimal. */
  isHex?: boolean;
  /** Larger numbers are a fault; others are cut. */
  isLimited?: boolean;
}

export const number = (at: number, bits: number): FieldPlace => ({ at, bits, kind: 'number' });
const hexNumber = (at: number, bits: number): FieldPlace => ({ at, bits, kind: 'number', isHex: true });
const limited = (at: number, bits: number, isHex = false): FieldPlace => ({ at, bits, kind: 'number', isLimited: true, isHex });
const mac = (at: number): FieldPlace => ({ at, bits: 48, kind: 'mac' });
const ipv4 = (word: number): FieldPlace => ({ at: word * 32, bits: 32, kind: 'ipv4' });
const ipv6 = (word: number): FieldPlace => ({ at: word * 32, bits: 128, kind: 'ipv6' });

const PROTO = number(W.TYPE * 32 + 24, 8);
const TOS = hexNumber(W.TOS * 32, 8);
const TTL = number(W.TOS * 32 + 8, 8);
const FRAGMENT: FieldPlace = { at: W.TYPE * 32 + 16, bits: 8, kind: 'frag' };
const PORTS: Fields = { src: number(W.TP * 32, 16), dst: number(W.TP * 32 + 16, 16) };
/** A type has 16 bits of the key, of which the lower 8 are used. */
const ICMP: Fields = { type: number(W.TP * 32 + 8, 8), code: number(W.TP * 32 + 24, 8) };

export type Fields = Readonly<Record<string, FieldPlace>>;

/** Groups of `name=value` fields, in the order in which they are written. */
export const GROUPS: ReadonlyMap<string, Fields> = new Map(
  Object.entries({
    eth: { src: mac(W.ETH * 32 + 48), dst: mac(W.ETH * 32) },
    ipv4: { src: ipv4(W.NW_SRC), dst: ipv4(W.NW_DST), proto: PROTO, tos: TOS, ttl: TTL, frag: FRAGMENT },
    ipv6: {
      src: ipv6(W.IPV6_SRC),
      dst: ipv6(W.IPV6_DST),
      label: limited(W.IPV6_LABEL * 32 + 12, 20, true),
      proto: PROTO,
      tclass: TOS,
      hlimit: TTL,
      frag: FRAGMENT,
    },
    tcp: PORTS,
    udp: PORTS,
    sctp: PORTS,
    icmp: ICMP,
    icmpv6: ICMP,
    // An operation is 16 bits, of which the key has the lower 8.
    arp: {
      sip: ipv4(W.NW_SRC),
      tip: ipv4(W.NW_DST),
      op: number(W.TYPE * 32 + 16, 16),
      sha: mac(W.ARP_HW * 32),
      tha: mac(W.ARP_HW * 32 + 48),
    },
    nd: { target: ipv6(W.ND_TARGET), sll: mac(W.ARP_HW * 32), tll: mac(W.ARP_HW * 32 + 48) },
    nd_ext: { nd_reserved: hexNumber(W.ND_RESERVED * 32, 32), nd_options_type: number(W.ND_OPTIONS * 32, 8) },
    packet_type: { ns: number(W.PACKET_TYPE * 32, 16), id: hexNumber(W.PACKET_TYPE * 32 + 16, 16) },
    ct_tuple4: {
      src: ipv4(W.CT_NW_SRC),
      dst: ipv4(W.CT_NW_DST),
      proto: number(W.CT_ZONE * 32 + 16, 8),
      tp_src: number(W.CT_TP * 32, 16),
      tp_dst: number(W.CT_TP * 32 + 16, 16),
    },
    ct_tuple6: {
      src: ipv6(W.CT_IPV6_SRC),
      dst: ipv6(W.CT_IPV6_DST),
      proto: number(W.CT_ZONE * 32 + 16, 8),
      tp_src: number(W.CT_TP * 32, 16),
      tp_dst: number(W.CT_TP * 32 + 16, 16),
    },
    tunnel: {
      tun_id: hexNumber(W.TUN_ID * 32, 64),
      src: ipv4(W.TUN_SRC),
      dst: ipv4(W.TUN_DST),
      ipv6_src: ipv6(W.TUN_IPV6_SRC),
      ipv6_dst: ipv6(W.TUN_IPV6_DST),
      tos: hexNumber(W.TUN_FLAGS * 32 + 16, 8),
      ttl: number(W.TUN_FLAGS * 32 + 24, 8),
      tp_src: number(W.TUN_TP * 32, 16),
      tp_dst: number(W.TUN_TP * 32 + 16, 16),
    },
    vlan: { vid: limited(W.VLAN0 * 32 + 20, 12), pcp: limited(W.VLAN0 * 32 + 16, 3), cfi: limited(W.VLAN0 * 32 + 19, 1) },
    mpls: {
      label: limited(W.MPLS * 32, 20),
      tc: limited(W.MPLS * 32 + 20, 3),
      ttl: number(W.MPLS * 32 + 24, 8),
      bos: limited(W.MPLS * 32 + 23, 1),
    },
  } satisfies Record<string, Fields>),
);

/** Groups whose whole inside is one value. */
export const SINGLE: ReadonlyMap<string, FieldPlace> = new Map([
  ['skb_priority', hexNumber(W.SKB_PRIORITY * 32, 32)],
  ['skb_mark', hexNumber(W.PKT_MARK * 32, 32)],
  ['recirc_id', hexNumber(W.RECIRC_ID * 32, 32)],
  ['dp_hash', hexNumber(W.DP_HASH * 32, 32)],
  ['in_port', number(W.IN_PORT * 32, 32)],
  ['eth_type', hexNumber(W.TYPE * 32, 16)],
  ['ct_zone', hexNumber(W.CT_ZONE * 32, 16)],
  ['ct_mark', hexNumber(W.CT_MARK * 32, 32)],
  ['ct_label', hexNumber(W.CT_LABEL * 32, 128)],
]);

export type FlagNames = readonly (readonly [string, number])[];
const flagNames = (names: string): FlagNames => names.split(' ').map((name, i) => [name, 1 << i]);

/** Groups that are a set of flags; those of a tunnel are one of its fields. */
export const FLAGS: ReadonlyMap<string, { place: FieldPlace; names: FlagNames }> = new Map([
  ['ct_state', { place: limited(W.CT_STATE * 32 + 24, 8), names: flagNames('new est rel rpl inv trk snat dnat') }],
  ['tcp_flags', { place: limited(W.TOS * 32 + 20, 12), names: flagNames('fin syn rst psh ack urg ece cwr ns [200] [400] [800]') }],
  [
    'flags',
    {
      place: limited(W.TUN_FLAGS * 32, 16),
      names: [
        ['oam', TUN_FLAG.OAM],
        ['df', TUN_FLAG.DONT_FRAGMENT],
        ['csum', TUN_FLAG.CSUM],
        ['key', TUN_FLAG.KEY],
      ],
    },
  ],
]);
