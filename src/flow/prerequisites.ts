// Whether a match has what a field needs (ovs-fields(7), "Prerequisites"): eth_type and nw_proto matched exactly, and so on.
import type { Prereq } from './fields.ts';
import type { Match } from './key.ts';
import { CT_STATE, FRAG, W } from './key.ts';

export const ETH = { IPV4: 0x0800, ARP: 0x0806, RARP: 0x8035, IPV6: 0x86dd, MPLS: 0x8847, MPLS_MCAST: 0x8848, NSH: 0x894f } as const;
export const IP = { ICMP: 1, IGMP: 2, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 } as const;

/** What the payload of a matched packet is, by a frame's eth_type or by a packet_type in the namespace of those; -1 when the match does not say. */
export function matchedEthType(match: Match): number {
  const packetType = (match.key[W.PACKET_TYPE] ?? 0) & (match.mask[W.PACKET_TYPE] ?? 0);
  if (packetType === 0) return matchedDlType(match);
  return packetType >>> 16 === 1 ? packetType & 0xffff : -1;
}

/** The eth_type that a match asks for exactly; -1 when it does not. */
export function matchedDlType({ key, mask }: Match): number {
  return (mask[W.TYPE] ?? 0) >>> 16 === 0xffff ? (key[W.TYPE] ?? 0) >>> 16 : -1;
}

/** The nw_proto (or arp_op) that a match asks for exactly; -1 when it does not. */
export function matchedProto({ key, mask }: Match): number {
  return ((mask[W.TYPE] ?? 0) & 0xff) === 0xff ? (key[W.TYPE] ?? 0) & 0xff : -1;
}

const isIp = (type: number): boolean => type === ETH.IPV4 || type === ETH.IPV6;

/** Later fragments have no ports. */
const isLaterFragment = ({ key, mask }: Match): boolean => ((key[W.TYPE] ?? 0) & (mask[W.TYPE] ?? 0) & (FRAG.LATER << 8)) !== 0;

/** Whether the prerequisite holds in a match. Ports of later fragments can be written, though they mean nothing: `headers` looks at protocols alone. */
export function prereqHolds(prereq: Prereq, match: Match, minds: 'fragments' | 'headers' = 'fragments'): boolean {
  const type = (): number => matchedEthType(match);
  const proto = (): number => matchedProto(match);
  const hasPorts = (): boolean => minds === 'headers' || !isLaterFragment(match);
  switch (prereq) {
    case 'none':
      return true;
    case 'ethernet':
      return isEthernet(match);
    case 'vlan':
      return isEthernet(match) && ((match.key[W.VLAN0] ?? 0) & (match.mask[W.VLAN0] ?? 0) & 0x1000) !== 0;
    case 'ct':
      return hasConnection(match);
    case 'mpls':
      return type() === ETH.MPLS || type() === ETH.MPLS_MCAST;
    case 'ipv4':
      return type() === ETH.IPV4;
    case 'ipv6':
      return type() === ETH.IPV6;
    case 'ip':
      return isIp(type());
    case 'arp':
      return type() === ETH.ARP || type() === ETH.RARP;
    case 'nsh':
      return type() === ETH.NSH;
    case 'tcp':
      return isIp(type()) && proto() === IP.TCP && hasPorts();
    case 'udp':
      return isIp(type()) && proto() === IP.UDP && hasPorts();
    case 'sctp':
      return isIp(type()) && proto() === IP.SCTP && hasPorts();
    case 'icmpv4':
      return type() === ETH.IPV4 && proto() === IP.ICMP;
    case 'icmpv6':
      return type() === ETH.IPV6 && proto() === IP.ICMPV6;
    case 'nd':
      return isNd(match, 135) || isNd(match, 136);
    case 'ndSolicit':
      return isNd(match, 135);
    case 'ndAdvert':
      return isNd(match, 136);
  }
}

const isEthernet = ({ key, mask }: Match): boolean => ((key[W.PACKET_TYPE] ?? 0) & (mask[W.PACKET_TYPE] ?? 0)) === 0;

/** A packet that belongs to a connection: in a state that only such have, or tracked and not invalid. */
function hasConnection({ key, mask }: Match): boolean {
  const [state, asked] = [key[W.CT_STATE] ?? 0, mask[W.CT_STATE] ?? 0];
  const { TRK, INV } = CT_STATE;
  if ((state & asked & ~(TRK | INV)) !== 0) return true;
  return (state & asked & TRK) !== 0 && (asked & INV) !== 0 && (state & INV) === 0;
}

function isNd(match: Match, icmpType: number): boolean {
  if (matchedEthType(match) !== ETH.IPV6 || matchedProto(match) !== IP.ICMPV6) return false;
  // Of no other code than 0, be it that none is asked for.
  return ((match.mask[W.TP] ?? 0) & (match.key[W.TP] ?? 0)) >>> 0 === (icmpType << 16) >>> 0;
}
