// A match as text, in the order and words of ovs-ofctl: `ip,in_port=1,nw_src=10.0.0.0/8`. Facts: ovs-fields(7) and the reference's output.

import { ConfigError } from '../base/errors.ts';
import type { Masked, PortNames } from './field-text.ts';
import { formatField, parseField } from './field-text.ts';
import type { Field } from './fields.ts';
import { fieldNamed, maskBits, mustField, tunFieldIndex, wholeMask } from './fields.ts';
import type { Match } from './key.ts';
import { keyBits, setKeyBits, tunPresentBit, W } from './key.ts';
import { ETH, IP, matchedDlType, matchedProto } from './prerequisites.ts';
import { hasColors, paintMatchPart } from './text-colors.ts';
import { addTunField, bytesOf, nextPlace } from './tun-fields.ts';

/** Names that stand for an Ethernet type, and an IP protocol. */
const SHORTHANDS: ReadonlyMap<string, { type: number; proto?: number }> = new Map([
  ['eth', { type: -1 }],
  ['ip', { type: ETH.IPV4 }],
  ['ipv4', { type: ETH.IPV4 }],
  ['ip4', { type: ETH.IPV4 }],
  ['arp', { type: ETH.ARP }],
  ['icmp', { type: ETH.IPV4, proto: IP.ICMP }],
  ['tcp', { type: ETH.IPV4, proto: IP.TCP }],
  ['udp', { type: ETH.IPV4, proto: IP.UDP }],
  ['sctp', { type: ETH.IPV4, proto: IP.SCTP }],
  ['ipv6', { type: ETH.IPV6 }],
  ['ip6', { type: ETH.IPV6 }],
  ['icmp6', { type: ETH.IPV6, proto: IP.ICMPV6 }],
  ['tcp6', { type: ETH.IPV6, proto: IP.TCP }],
  ['udp6', { type: ETH.IPV6, proto: IP.UDP }],
  ['sctp6', { type: ETH.IPV6, proto: IP.SCTP }],
  ['rarp', { type: ETH.RARP }],
  ['mpls', { type: ETH.MPLS }],
  ['mplsm', { type: ETH.MPLS_MCAST }],
]);

/** The reference matches these fields only where the value has ones. */
export const MASKED_BY_VALUE: ReadonlySet<string> = new Set([
  'tun_erspan_ver',
  'tun_erspan_dir',
  'tun_erspan_hwid',
  'tun_gtpu_flags',
  'tun_gtpu_msgtype',
]);

/** The protocols that a word stands for; undefined when it is none. `type` -1 is any Ethernet frame. */
export const protocolNamed = (name: string): { type: number; proto?: number } | undefined => SHORTHANDS.get(name);

/** Adds `name=value` to a match, as flow text has it. False when no field or shorthand has that name. Throws ConfigError. */
export function addFieldText(
  match: Match,
  name: string,
  value: string | undefined,
  names?: PortNames,
  told?: (field: Field, mask: bigint | undefined) => void,
): boolean {
  const shorthand = SHORTHANDS.get(name);
  if (shorthand !== undefined && (value === undefined || value === '')) {
    if (shorthand.type >= 0) addField(match, mustField('eth_type'), BigInt(shorthand.type), 0xffffn);
    else told?.(mustField('packet_type'), 0n);
    if (shorthand.proto === undefined) return true;
    setBits(match, W.TYPE * 32 + 24, 8, BigInt(shorthand.proto), 0xffn);
    return true;
  }
  const field = fieldNamed(name);
  if (field === undefined) return false;
  if (tunFieldIndex(field) >= 0) {
    addTunText(match, field, value);
    told?.(field, 1n);
    return true;
  }
  // Without a value the field only has to be there.
  const masked = parseFieldOrAny(field, value === undefined || value === '' ? '0/0' : value, names);
  told?.(field, value === '*' ? undefined : masked.mask);
  if (masked.mask === 0n) clearField(match, field);
  else addField(match, field, masked.value, masked.mask);
  return true;
}

/** Fields that have a place in common with others: what of it is theirs. */
const PLACES: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['nw_tos', [W.TOS * 32, 6]],
  ['icmp_type', [W.TP * 32, 16]],
  ['icmp_code', [W.TP * 32 + 16, 16]],
  ['icmpv6_type', [W.TP * 32, 16]],
  ['icmpv6_code', [W.TP * 32 + 16, 16]],
]);

/** Takes a field out of a match. */
function clearField(match: Match, field: Field): void {
  const [at, bits] = PLACES.get(field.name) ?? [field.at + field.bits - maskBits(field), maskBits(field)];
  setKeyBits(match.key, at, bits, 0n);
  setKeyBits(match.mask, at, bits, 0n);
}

/** A field alone asks that the option be there; a value has as many bytes as its text. */
function addTunText(match: Match, field: Field, text: string | undefined): void {
  if (match.tunFields?.some(({ index }) => index === tunFieldIndex(field)) === true)
    throw new ConfigError(`field ${field.name} set multiple times`);
  const isPresence = text === undefined || text === '' || text === '*';
  const { value, mask } = isPresence ? { value: 0n, mask: 0n } : parseField(field, text);
  const isExact = mask === (1n << BigInt(field.bits)) - 1n;
  const bytes = Math.max(bytesOf(value), isExact ? 0 : bytesOf(mask));
  const place = nextPlace(match, tunFieldIndex(field), bytes);
  if (place === undefined) throw new ConfigError(`${text}: no room for ${field.name} in a match`);
  addTunField(match, isExact ? place : { ...place, isMasked: true }, value, isExact ? (1n << BigInt(place.bits)) - 1n : mask);
}

/** As `parseField`; an asterisk matches anything. */
function parseFieldOrAny(field: Field, value: string, names?: PortNames): Masked {
  return value === '*' ? { value: 0n, mask: 0n } : parseField(field, value, names);
}

function setBits(match: Match, at: number, bits: number, value: bigint, mask: bigint): void {
  setKeyBits(match.key, at, bits, (keyBits(match.key, at, bits) & ~mask) | (value & mask));
  setKeyBits(match.mask, at, bits, keyBits(match.mask, at, bits) | mask);
}

/** What a packet is by its packet type, it is, whatever else is asked: called when all of a text is read. */
export function settleEthType(match: Match): void {
  const packetType = (match.key[W.PACKET_TYPE] ?? 0) & (match.mask[W.PACKET_TYPE] ?? 0);
  if (packetType >>> 16 !== 1 || (match.mask[W.TYPE] ?? 0) >>> 16 === 0) return;
  setBits(match, W.TYPE * 32, 16, BigInt(packetType & 0xffff), 0xffffn);
}

/** Adds a field's value in the terms of text to a match: a later value replaces the earlier one. */
export function addField(match: Match, field: Field, value: bigint, mask: bigint): void {
  const at = field.at;
  switch (field.name) {
    case 'packet_type':
      // Ethernet is every flow's packet type unless it asks for another.
      if (value === 0n) {
        clearField(match, field);
        return;
      }
      setBits(match, at, field.bits, value, mask);
      return;
    case 'dl_vlan':
      if (value === 0xffffn) setVlan(match, 0xffff, 0);
      else setVlan(match, 0x1fff, Number(value & 0xfffn) | 0x1000);
      return;
    case 'vlan_pcp':
    case 'dl_vlan_pcp':
      setBits(match, W.VLAN0 * 32 + 16, 4, (value << 1n) | 1n, 0xfn);
      return;
    case 'vlan_vid':
      // The tag's presence is part of it, and as much of both as the mask has is matched.
      setKeyBits(match.key, at - 1, 13, value & mask);
      setKeyBits(match.mask, at - 1, 13, mask);
      return;
    case 'nw_tos':
      setBits(match, at, 8, value & 0xfcn, 0xfcn);
      return;
    case 'icmp_type':
    case 'icmp_code':
    case 'icmpv6_type':
    case 'icmpv6_code':
      // A whole word stands there for them, as for transport ports.
      setBits(match, at - 8, 16, value, 0xffffn);
      return;
    case 'in_port_oxm':
      setBits(match, W.IN_PORT * 32 + 16, 16, value, 0xffffn);
      return;
    default:
      // Replace, not merge: the reference's setters overwrite the mask.
      setKeyBits(match.key, at, field.bits, value & mask);
      setKeyBits(
        match.mask,
        at + field.bits - maskBits(field),
        maskBits(field),
        MASKED_BY_VALUE.has(field.name) && mask !== 0n ? value : mask,
      );
  }
}

function setVlan(match: Match, mask: number, tci: number): void {
  match.mask[W.VLAN0] = ((match.mask[W.VLAN0] ?? 0) & 0xffffe000) | mask;
  // A priority given before the VLAN stays, unless there is to be no tag.
  match.key[W.VLAN0] = tci === 0 ? 0 : ((match.key[W.VLAN0] ?? 0) & 0xe000) | tci;
}

/** The type by whose names fields are shown: that of the packet type if it is one, whatever else is matched. */
function shownEthType(match: Match): number {
  const packetType = (match.key[W.PACKET_TYPE] ?? 0) & (match.mask[W.PACKET_TYPE] ?? 0);
  return packetType >>> 16 === 1 ? packetType & 0xffff : matchedDlType(match);
}

/** The order in which fields are printed; `TYPE` is the protocol keyword and `VLAN` the VLAN group. */
const PRINT_ORDER =
  'pkt_mark recirc_id dp_hash conj_id skb_priority actset_output ct_state ct_zone ct_mark ct_label ct_nw_src ct_ipv6_src ct_nw_dst ct_ipv6_dst ' +
  'ct_nw_proto CT_PORTS packet_type TYPE reg0 reg1 reg2 reg3 reg4 reg5 reg6 reg7 reg8 reg9 reg10 reg11 reg12 reg13 reg14 reg15 ' +
  'tun_id tun_src tun_dst tun_ipv6_src tun_ipv6_dst tun_gbp_id tun_gbp_flags tun_tos tun_ttl ERSPAN ' +
  'tun_gtpu_flags tun_gtpu_msgtype tun_flags TUN_METADATA metadata in_port VLAN eth_src eth_dst eth_type';
const NETWORK_ORDER: Readonly<Record<string, string>> = {
  arp: 'arp_spa arp_tpa arp_op arp_sha arp_tha',
  nsh: 'nsh_flags nsh_ttl nsh_mdtype nsh_np nsh_spi nsh_si NSH_CONTEXT nw_proto',
  ipv4: 'ip_src ip_dst nw_proto',
  ipv6: 'ipv6_src ipv6_dst ipv6_label nw_proto',
  other: 'ip_src ip_dst nw_proto',
};
const TRAFFIC = 'nw_tos nw_ecn nw_ttl';
const MPLS = 'mpls_label mpls_tc mpls_ttl mpls_bos INNER_MPLS';

/** Names under which fields are printed, where not the table's first. */
const PRINT_NAMES: ReadonlyMap<string, string> = new Map([
  ['eth_src', 'dl_src'],
  ['eth_dst', 'dl_dst'],
  ['eth_type', 'dl_type'],
  ['ip_src', 'nw_src'],
  ['ip_dst', 'nw_dst'],
  ['ip_frag', 'nw_frag'],
  ['tun_gtpu_flags', 'gtpu_flags'],
  ['tun_gtpu_msgtype', 'gtpu_msgtype'],
]);

interface Keyword {
  text: string;
  skipType: boolean;
  skipProto: boolean;
}

function keyword(match: Match): Keyword {
  // A match that asks for a type has it told as the one that its packet type says.
  const type = matchedDlType(match) < 0 ? -1 : shownEthType(match);
  const proto = matchedProto(match);
  const named = (text: string, byProto = false): Keyword => ({ text, skipType: true, skipProto: byProto });
  if (type === ETH.IPV4) {
    const names: Readonly<Record<number, string>> = { [IP.ICMP]: 'icmp', [IP.TCP]: 'tcp', [IP.UDP]: 'udp', [IP.SCTP]: 'sctp' };
    const name = names[proto];
    return name === undefined ? named('ip') : named(name, true);
  }
  if (type === ETH.IPV6) {
    const names: Readonly<Record<number, string>> = { [IP.ICMPV6]: 'icmp6', [IP.TCP]: 'tcp6', [IP.UDP]: 'udp6', [IP.SCTP]: 'sctp6' };
    const name = names[proto];
    return name === undefined ? named('ipv6') : named(name, true);
  }
  if (type === ETH.ARP) return named('arp');
  if (type === ETH.RARP) return named('rarp');
  if (type === ETH.MPLS) return named('mpls');
  if (type === ETH.MPLS_MCAST) return named('mplsm');
  return { text: '', skipType: false, skipProto: false };
}

function transportFields(type: number, proto: number, { key, mask }: Match): string {
  if (type === ETH.IPV4 && proto === IP.ICMP) return 'icmp_type icmp_code';
  if (type === ETH.IPV6 && proto === IP.ICMPV6) {
    return 'icmpv6_type icmpv6_code nd_target nd_sll nd_tll nd_reserved nd_options_type';
  }
  const packetType = (key[W.PACKET_TYPE] ?? 0) & (mask[W.PACKET_TYPE] ?? 0);
  const isTcp = (type === ETH.IPV4 || type === ETH.IPV6) && proto === IP.TCP && (packetType === 0 || packetType >>> 16 === 1);
  return isTcp ? 'tp_src tp_dst tcp_flags' : 'tp_src tp_dst';
}

const CT_TUPLE = [W.CT_NW_SRC, W.CT_NW_DST, ...Array.from({ length: 8 }, (_, i) => W.CT_IPV6_SRC + i)];

/** Whether a match is of recirculated packets and asks for Ethernet: any field of a packet does so. */
export function isRecirculatedEthernet({ key, mask }: Match): boolean {
  if (mask[W.RECIRC_ID] === 0) return false;
  if (mask[W.PACKET_TYPE] !== 0) return key[W.PACKET_TYPE] === 0;
  // So is whether it has addresses and ports of a connection.
  const hasTuple = ((mask[W.CT_ZONE] ?? 0) & 0xff00) !== 0 || CT_TUPLE.some((word) => mask[word] !== 0);
  const type = hasTuple || (mask[W.TYPE] ?? 0) !== 0 || (mask[W.VLAN0] ?? 0) !== 0 || (mask[W.TP] ?? 0) !== 0 || (mask[W.TOS] ?? 0) !== 0;
  return (
    type ||
    mask[W.NW_SRC] !== 0 ||
    mask[W.NW_DST] !== 0 ||
    mask.subarray(W.ETH, W.ETH + 3).some((bits) => bits !== 0) ||
    mask.subarray(W.IPV6_LABEL, W.ND_OPTIONS + 1).some((bits) => bits !== 0)
  );
}

/** The version, and the fields that this version has. */
function erspanFields(match: Match): string {
  const { at, bits } = mustField('tun_erspan_ver');
  const version = keyBits(match.key, at, bits) & keyBits(match.mask, at, bits);
  return `tun_erspan_ver${version === 1n ? ' tun_erspan_idx' : version === 2n ? ' tun_erspan_dir tun_erspan_hwid' : ''}`;
}

/** Writes a match; `priority` is printed in front when it is not 32768. */
export function formatMatch(match: Match, priority = 0x8000, names?: PortNames): string {
  const parts: string[] = priority === 0x8000 ? [] : [`priority=${priority}`];
  // What a frame's key says of the type counts where no match asks for it.
  const asked = shownEthType(match);
  const type = asked < 0 ? (match.key[W.TYPE] ?? 0) >>> 16 : asked;
  const proto = matchedProto(match);
  const word = keyword(match);
  const add = (list: string): void => {
    for (const name of list.split(' ')) {
      if (name === 'TYPE') {
        // A recirculated packet may be of another type than Ethernet.
        if (isRecirculatedEthernet(match)) parts.push('eth');
        if (word.text !== '') parts.push(word.text);
      } else if (name === 'VLAN') {
        formatVlan(match, parts, W.VLAN0, '');
        formatVlan(match, parts, W.VLAN1, '1');
      } else if (name === 'INNER_MPLS') {
        for (const inner of [1, 2]) if (match.mask[W.MPLS + inner] !== 0) parts.push(`mpls_lse${inner}=${match.key[W.MPLS + inner]}`);
      } else if (name === 'ERSPAN') add(erspanFields(match));
      else if (name === 'TUN_METADATA') formatTunFields(match, parts);
      else if (name === 'CT_PORTS') {
        if (((match.mask[W.CT_ZONE] ?? 0) & 0xff00) !== 0) add('ct_tp_src ct_tp_dst');
      } else if (name === 'NSH_CONTEXT') {
        // Metadata of type 1 alone has these.
        if ((((match.key[W.NSH] ?? 0) >>> 8) & 0xff) === 1 && ((match.mask[W.NSH] ?? 0) & 0xff00) !== 0) add('nsh_c1 nsh_c2 nsh_c3 nsh_c4');
      } else if (name === 'eth_type' && word.skipType) continue;
      else if (name === 'nw_proto' && word.skipProto) continue;
      else formatOne(match, name, parts, names);
    }
  };
  add(PRINT_ORDER);
  const isArp = type === ETH.ARP || type === ETH.RARP;
  const family = isArp ? 'arp' : type === ETH.IPV6 ? 'ipv6' : type === ETH.IPV4 ? 'ipv4' : type === ETH.NSH ? 'nsh' : 'other';
  add(NETWORK_ORDER[family] ?? '');
  add(TRAFFIC);
  add(MPLS);
  add('ip_frag');
  add(transportFields(type, proto, match));
  return (hasColors() ? parts.map(paintMatchPart) : parts).join(',');
}

function formatTunFields(match: Match, parts: string[]): void {
  const fields = [...(match.tunFields ?? [])].sort((a, b) => a.index - b.index);
  for (const { index, at, bits, isBound } of fields) {
    const name = `tun_metadata${index}`;
    const given = keyBits(match.mask, at, bits);
    // To who does not know the option's size, a mask of ones over the last bytes is none.
    const mask = !isBound && given !== 0n && given === (1n << BigInt(bytesOf(given) * 8)) - 1n ? (1n << BigInt(bits)) - 1n : given;
    if (keyBits(match.key, tunPresentBit(index), 1) === 0n) parts.push(`${name}=NP`);
    else if (mask === 0n) parts.push(name);
    else parts.push(`${name}=${formatField({ ...mustField(name), at, bits }, { value: keyBits(match.key, at, bits), mask })}`);
  }
}

const ICMP_PLACES: ReadonlyMap<string, string> = new Map([
  ['icmp_type', 'tcp_src'],
  ['icmp_code', 'tcp_dst'],
  ['icmpv6_type', 'tcp_src'],
  ['icmpv6_code', 'tcp_dst'],
]);

/**
 * What the reference keeps in one place is shown by the name that the protocol gives it, whoever wrote it: this happens to metadata of packets
 * alone, which no prerequisites are asked of. True when there was such.
 */
function formatOther(match: Match, name: string, parts: string[]): boolean {
  const other = name === 'nd_options_type' ? 'tcp_flags' : name === 'tcp_flags' ? 'nd_options_type' : undefined;
  if (other === undefined) return false;
  const { at, bits } = mustField(other);
  const above = maskBits(mustField(other)) - bits;
  const [value, mask] = [keyBits(match.key, at, bits), keyBits(match.mask, at - above, bits + above)];
  if (mask === 0n) return false;
  const isExact = mask === wholeMask(mustField(other));
  const field = mustField(name);
  if (other === 'nd_options_type') parts.push(`${name}=${formatField(field, { value, mask: (1n << BigInt(field.bits)) - 1n })}`);
  else parts.push(`${name}=${isExact ? String(value) : `0x${value.toString(16)}/0x${mask.toString(16)}`}`);
  return true;
}

function formatOne(match: Match, name: string, parts: string[], names?: PortNames): void {
  if (formatOther(match, name, parts)) return;
  // The type and code of ICMP are printed from the whole place of a port that they stand in.
  const place = ICMP_PLACES.get(name);
  const field = mustField(place ?? name);
  const isTos = field.name === 'nw_tos';
  const isAction = field.name === 'in_port' || field.name === 'actset_output';
  const at = field.at;
  const bits = isTos ? 6 : field.bits;
  const above = isTos ? 0 : maskBits(field) - bits;
  const mask = keyBits(match.mask, at - above, bits + above);
  if (mask === 0n) return;
  const value = keyBits(match.key, at, bits);
  // Ethernet is every flow's packet type unless it says another.
  if (name === 'packet_type' && value === 0n) return;
  const label = name.startsWith('tp_')
    ? name
    : name.startsWith('icmpv6')
      ? name.replace('icmpv6', 'icmp')
      : (PRINT_NAMES.get(name) ?? name);
  if (isTos)
    parts.push(`${label}=${mask === 0x3fn ? String(value << 2n) : `0x${(value << 2n).toString(16)}/0x${(mask << 2n).toString(16)}`}`);
  else if (field.name === 'ipv6_label') parts.push(`${label}=${flowLabel(value, mask)}`);
  else if (value === 0n && /^nsh_(spi|c[1-4])$/.test(field.name))
    parts.push(`${label}=0x0${mask === (1n << BigInt(bits)) - 1n ? '' : `/0x${mask.toString(16)}`}`);
  else if (field.name === 'nsh_flags' && mask !== 0xffn) {
    const two = (v: bigint): string => `0x${v.toString(16).padStart(2, '0')}`;
    parts.push(`${label}=${two(value)}/${two(mask)}`);
  } else if (MASKED_BY_VALUE.has(field.name) || field.name === 'tun_gbp_flags' || field.name === 'tun_erspan_idx')
    parts.push(`${label}=${formatField(field, { value, mask: (1n << BigInt(bits)) - 1n }, names)}`);
  // In hexadecimal, without a mark of it.
  else if (field.name === 'tun_tos') parts.push(`${label}=${value.toString(16)}`);
  else if (field.name === 'recirc_id') parts.push(`${label}=${value === 0n ? '0' : `0x${value.toString(16)}`}`);
  // The type that a packet type says stands for the one that is matched beside it.
  else if (field.name === 'eth_type') parts.push(`${label}=0x${shownEthType(match).toString(16).padStart(4, '0')}`);
  else if (field.name === 'ct_zone')
    parts.push(`${label}=${mask === 0xffffn ? String(value) : `0x${value.toString(16)}/0x${mask.toString(16)}`}`);
  else if (isAction) parts.push(`${label}=${formatField(mustField('in_port'), { value, mask: 0xffffn }, names)}`);
  else if (field.name === 'ct_state') parts.push(`${label}=${formatField(field, { value, mask }, names)}`);
  else parts.push(`${label}=${formatField(field, { value, mask }, names)}`);
}

const flowLabel = (value: bigint, mask: bigint): string => {
  const text = (v: bigint): string => `0x${v.toString(16).padStart(5, '0')}`;
  return mask === 0xfffffn ? text(value) : `${text(value)}/${text(mask)}`;
};

/** The tag in a word of the key; `suffix` tells the inner from the outer one. */
function formatVlan(match: Match, parts: string[], word: number, suffix: string): void {
  const mask = (match.mask[word] ?? 0) & 0xffff;
  const tci = (match.key[word] ?? 0) & 0xffff;
  if (mask === 0) return;
  const vid = mask & 0xfff;
  const pcp = mask & 0xe000;
  if ((mask & 0x1000) !== 0 && (tci & 0x1000) !== 0 && (vid === 0 || vid === 0xfff) && (pcp === 0 || pcp === 0xe000) && mask !== 0x1000) {
    if (vid !== 0) parts.push(`dl_vlan${suffix}=${tci & 0xfff}`);
    if (pcp !== 0) parts.push(`dl_vlan_pcp${suffix}=${tci >> 13}`);
    return;
  }
  const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
  parts.push(`vlan_tci${suffix}=${mask === 0xffff ? hex4(tci) : `${hex4(tci)}/${hex4(mask)}`}`);
}
