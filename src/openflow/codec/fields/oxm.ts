// NXM and OXM matches. One entry is a header (class 16, field 7, has-mask 1, length 8), for class 0xffff an experimenter number, a value
// and, with has-mask, a mask of the same size. OpenFlow 1.3.5 section 7.2.3; nicira extensions in ovs-fields(7).
//
// The key holds a few fields otherwise than the wire: VLAN fields carry the "present" bit, nw_tos and ip_dscp share a byte, in_port is
// 16 bits inside and 32 in OXM. Those are written out here; all others follow from the field table.

import { PeerError } from '../../../base/errors.ts';
import type { Field, FieldCode, Prereq } from '../../../flow/fields.ts';
import { maskBits, mustField, tunFieldIndex, wholeMask } from '../../../flow/fields.ts';
import { asksForPacket } from '../../../flow/implied-type.ts';
import type { Match } from '../../../flow/key.ts';
import { keyBits, matchAll, setKeyBits, W } from '../../../flow/key.ts';
import { MASKED_BY_VALUE } from '../../../flow/match-text.ts';
import { prereqHolds } from '../../../flow/prerequisites.ts';
import { OFPP } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { oxmLog as log } from '../../peer-logs.ts';
import { isWirePort32, portFromWire32, portToWire32 } from '../../ports.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { bytesToBig } from '../bytes.ts';
import type { CodedField } from './oxm-table.ts';
import { codeFor, fieldByCode, OXM_CLASSES } from './oxm-table.ts';
import { decodeTunEntry, decodeTunValue, encodeTunEntries, usableField } from './tun-metadata.ts';

const MAX_OPTION_BYTES = 124;
/** What an entry may say of an option's value; of what is longer than an option the end is lost. */
export const MAX_ENTRY_BYTES = 127;

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** The order in which the reference writes entries, prerequisites before what needs them. `vlan`, `regs` and `tun_metadata` stand for groups. */
const WIRE_ORDER =
  'packet_type dp_hash recirc_id conj_id in_port actset_output eth_src eth_dst eth_type vlan mpls_tc mpls_bos mpls_ttl mpls_label ' +
  'ip_src ip_dst ipv6_src ipv6_dst ip_frag nw_tos nw_ecn nw_ttl ipv6_label nw_proto tcp_src tcp_dst tcp_flags udp_src udp_dst sctp_src sctp_dst ' +
  'icmp_type icmp_code icmpv6_type icmpv6_code nd_reserved nd_target nd_options_type nd_sll nd_tll ' +
  'arp_op arp_spa arp_tpa arp_sha arp_tha ' +
  'tun_id tun_flags tun_src tun_dst tun_ipv6_src tun_ipv6_dst tun_gbp_id tun_gbp_flags tun_metadata tun_erspan_idx tun_erspan_ver ' +
  'tun_erspan_dir tun_erspan_hwid tun_gtpu_flags tun_gtpu_msgtype nsh_flags nsh_ttl nsh_mdtype nsh_np nsh_spi nsh_si nsh_c1 nsh_c2 nsh_c3 nsh_c4 regs pkt_mark ct_state ct_zone ct_mark ct_label ' +
  'ct_nw_src ct_ipv6_src ct_nw_dst ct_ipv6_dst ct_nw_proto ct_tp_src ct_tp_dst metadata';

/** Fields whose exact value is still sent with its mask, because only some bits of the wire's width exist. */
const ALWAYS_MASKED: ReadonlySet<string> = new Set(['ct_state', 'tun_flags']);

const GROUPS: ReadonlySet<string> = new Set(['vlan', 'regs', 'tun_metadata']);
let order: (Field | string)[] | undefined;
let registers: Field[] | undefined;
let wideRegisters: Field[] | undefined;

/** Writes the entries of a match, without padding or envelope. `nxm` takes NXM codes (OpenFlow 1.0 and 1.1's NXM). */
export function encodeMatchEntries(out: ByteWriter, match: Match, version: OfVersion, cookie?: { value: bigint; mask: bigint }): void {
  order ??= WIRE_ORDER.split(' ').map((name) => (GROUPS.has(name) ? name : mustField(name)));
  // OpenFlow 1.1 has OXM's ways with NXM's codes where there are such, as in the reference.
  const nxm = version === 1;
  for (const item of order) {
    if (item === 'vlan') encodeVlan(out, match, nxm);
    else if (item === 'regs') encodeRegisters(out, match, version);
    else if (item === 'tun_metadata') encodeTunEntries(out, match);
    else if (typeof item !== 'string') encodeField(out, match, item, version);
  }
  if (cookie !== undefined && cookie.mask !== 0n) {
    const exact = cookie.mask === ones(64);
    out
      .u16(1)
      .u8((30 << 1) | (exact ? 0 : 1))
      .u8(exact ? 8 : 16)
      .u64(cookie.value & cookie.mask);
    if (!exact) out.u64(cookie.mask);
  }
}

/** Fields of these groups are written whatever else is matched, as the reference does; who reads them finds out. */
const isWritten = (prereq: Prereq, match: Match): boolean =>
  prereq === 'ethernet' || prereq === 'ct' || prereq === 'nsh' || prereqHolds(prereq, match, 'headers');

/** Whether no word that holds a part of the field has a bit in the mask: most fields of most matches, found without making a bigint. */
function isAbsent(match: Match, field: Field): boolean {
  const last = (field.at + field.bits - 1) >> 5;
  for (let word = field.at >> 5; word <= last; word++) if (match.mask[word] !== 0) return false;
  return true;
}

/** Whether a match says something of an Ethernet header; `tag` is what of a VLAN tag counts. */
export const saysEthernet = ({ mask }: Match, tag = 0xffff): boolean =>
  mask.subarray(W.ETH, W.ETH + 3).some((bits) => bits !== 0) ||
  (mask[W.TYPE] ?? 0) >>> 16 !== 0 ||
  ((mask[W.VLAN0] ?? 0) & tag) !== 0 ||
  mask[W.VLAN1] !== 0;

/** Of a tag OXM can say the priority only where there is one. */
const TAG_BITS = { nxm: 0xffff, oxm: 0x1fff } as const;

/** Whether a tag's priority is all that a match says of an Ethernet header. */
const saysPriorityAlone = (match: Match): boolean => (match.mask[W.VLAN0] ?? 0) !== 0 && !saysEthernet(match, TAG_BITS.oxm);

function encodeField(out: ByteWriter, match: Match, field: Field, version: OfVersion): void {
  if (isAbsent(match, field)) return;
  // Types and codes of ICMP are written whole, as soon as anything is asked of the ports' places that they stand in.
  const isIcmp = ICMP_FIELDS.has(field.name);
  const above = isIcmp ? 8 : maskBits(field) - field.bits;
  const mask = keyBits(match.mask, field.at - above, field.bits + above);
  // A flow label is written for packets of either version.
  const prereq = field.name === 'ipv6_label' ? 'ip' : field.prereq;
  if (mask === 0n || !isWritten(prereq, match)) return;
  // Protocol 0 is no connection's, and without a protocol there are no ports.
  const isOfProtocol = field.name === 'ct_nw_proto' || field.name.startsWith('ct_tp_');
  if (isOfProtocol && ((match.key[W.CT_ZONE] ?? 0) & (match.mask[W.CT_ZONE] ?? 0) & 0xff00) === 0) return;
  const value = keyBits(match.key, field.at, field.bits);
  // What an Ethernet header is asked of is Ethernet.
  if (field.name === 'packet_type' && value === 0n && saysEthernet(match, version === 1 ? TAG_BITS.nxm : TAG_BITS.oxm)) return;
  if (field.name === 'in_port' || field.name === 'actset_output') {
    if (field.name === 'in_port' && version === 1) encodeEntry(out, 'in_port', version, value, undefined);
    else encodeEntry(out, field.name === 'in_port' ? 'in_port_oxm' : field.name, version, BigInt(portToWire32(Number(value))), undefined);
  } else if (field.name === 'nw_tos') {
    if ((mask & 0xfcn) !== 0xfcn) return;
    if (version === 1) encodeEntry(out, 'nw_tos', version, value & 0xfcn, undefined);
    else encodeEntry(out, 'ip_dscp', version, value >> 2n, undefined);
  } else {
    const exact = isIcmp || (mask === wholeMask(field) && !ALWAYS_MASKED.has(field.name));
    encodeEntry(out, field.name, version, value, exact ? undefined : mask);
  }
}

function encodeVlan(out: ByteWriter, match: Match, nxm: boolean): void {
  const mask = (match.mask[W.VLAN0] ?? 0) & 0xffff;
  const tci = (match.key[W.VLAN0] ?? 0) & 0xffff;
  if (mask === 0) return;
  if (nxm) {
    encodeEntry(out, 'vlan_tci', 1, BigInt(tci), mask === 0xffff ? undefined : BigInt(mask));
    return;
  }
  const vidMask = mask & 0x1fff;
  if (vidMask !== 0) encodeEntry(out, 'vlan_vid', 3, BigInt(tci & 0x1fff), vidMask === 0x1fff ? undefined : BigInt(vidMask));
  if ((mask & 0xe000) !== 0 && (tci & 0x1fff) !== 0) encodeEntry(out, 'vlan_pcp', 3, BigInt(tci >> 13), undefined);
}

function encodeRegisters(out: ByteWriter, match: Match, version: OfVersion): void {
  registers ??= Array.from({ length: 16 }, (_, i) => mustField(`reg${i}`));
  wideRegisters ??= Array.from({ length: 8 }, (_, i) => mustField(`xreg${i}`));
  for (const field of version >= 6 ? wideRegisters : registers) encodeField(out, match, field, version);
}

function encodeEntry(out: ByteWriter, name: string, version: OfVersion, value: bigint, mask: bigint | undefined): void {
  const field = mustField(name);
  const code = codeFor(field, version);
  if (code === undefined) return;
  encodeHeader(out, code, field.wireBytes, mask !== undefined);
  out.big(value, field.wireBytes);
  if (mask !== undefined) out.big(mask, field.wireBytes);
}

/** Writes an entry's header: 4 bytes, or 8 with an experimenter. */
export function encodeHeader(out: ByteWriter, code: FieldCode, wireBytes: number, hasMask: boolean): void {
  const { cls, experimenter } = OXM_CLASSES[code.cls];
  const payload = wireBytes * (hasMask ? 2 : 1) + (cls === 0xffff ? 4 : 0);
  out
    .u16(cls)
    .u8((code.num << 1) | (hasMask ? 1 : 0))
    .u8(payload);
  if (cls === 0xffff) out.u32(experimenter);
}

/** Code of the input port, whose numbers are all zero. */
const FIRST_CODE: FieldCode = { cls: 'nxm0', num: 0, label: 'NXM_OF_IN_PORT' };

/** Writes a field's header, as actions name fields. */
export function encodeFieldHeader(out: ByteWriter, field: Field, version: OfVersion, hasMask = false): void {
  const code = codeFor(field, version);
  if (code === undefined) {
    // Fields that text alone knows go by the first of all codes, as the reference writes them.
    encodeHeader(out, FIRST_CODE, field.wireBytes, hasMask);
    return;
  }
  // What an action names is the whole of an option, however long it is.
  encodeHeader(out, code, tunFieldIndex(field) < 0 ? field.wireBytes : MAX_OPTION_BYTES, hasMask);
}

/** A header read: the field it names, or undefined when unknown. */
export interface EntryHeader {
  coded: CodedField | undefined;
  hasMask: boolean;
  /** Bytes of value and mask that follow. */
  size: number;
  isCookie: boolean;
  /** As it stands there; class 0xffff is an experimenter's, whose header is longer. */
  cls: number;
  experimenter: number;
  num: number;
}

/** Reads an entry's header. */
export function decodeHeader(from: ByteReader): EntryHeader {
  const cls = from.u16();
  const second = from.u8();
  let size = from.u8();
  let experimenter = 0;
  if (cls === 0xffff) {
    if (size >= 4 && from.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'entry ends in its header');
    experimenter = from.left < 4 ? 0 : from.u32();
    if (size < 4) {
      log.warn(
        `OXM header ${vendorText(experimenter)}:${cls}:${second >> 1}:${second & 1}:${size} has invalid length ${size} (minimum is 8)`,
      );
      throw new PeerError('OFPBMC_BAD_LEN', 'experimenter entry without an experimenter');
    }
    size -= 4;
  }
  const hasMask = (second & 1) !== 0;
  const num = second >> 1;
  const isCookie = cls === 1 && num === 30 && size === (hasMask ? 16 : 8);
  const coded = isCookie ? undefined : fieldByCode(cls, experimenter, num);
  return { coded, hasMask, size, isCookie, cls, experimenter, num };
}

/** Whether a header that stands alone says the length of the field that it names. */
export function isFieldSized({ coded, hasMask, size }: EntryHeader): boolean {
  if (coded === undefined) return false;
  if (tunFieldIndex(coded.field) >= 0) return hasMask || size <= MAX_ENTRY_BYTES;
  // Behind value and mask a byte may be left.
  return (hasMask ? size >> 1 : size) === coded.field.wireBytes;
}

/** A field named in an action: the header alone stands there. Where it `takesMask` that says nothing. */
export function decodeFieldHeader(from: ByteReader, takesMask = false): Field {
  if (from.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'action ends in a field header');
  const header = decodeHeader(from);
  const coded = header.coded;
  if (coded === undefined) throw new PeerError('OFPBMC_BAD_FIELD', 'unknown field in an action');
  if (!isFieldSized(header)) throw new PeerError('OFPBMC_BAD_FIELD', 'bad field size in an action');
  if (header.hasMask && !takesMask) throw new PeerError('OFPBMC_BAD_MASK', 'field with a mask in an action');
  return usableField(coded.field, from.context);
}

const vendorText = (experimenter: number): string => (experimenter === 0 ? '0' : `0x${experimenter.toString(16)}`);

/** A header's numbers: experimenter, class, field, has-mask, bytes. */
function entryName({ cls, experimenter, num, hasMask, size }: EntryHeader): string {
  return `${vendorText(experimenter)}:${cls}:${num}:${hasMask ? 1 : 0}:${size + (cls === 0xffff ? 4 : 0)}`;
}

/** A decoded value of a field, both right-aligned. `mask` is all ones of the field's bits when exact. */
export interface FieldValue {
  field: Field;
  value: bigint;
  mask: bigint;
  /** Whether the mask on the wire left bits out. */
  isMasked?: boolean;
  /** Bits of that mask above those that the field has. */
  aboveMask?: bigint;
}

/** A value has no bits that its mask leaves out. */
function checkOutside(header: EntryHeader, value: bigint, mask: bigint): void {
  if ((value & ~mask) !== 0n) refuseWildcards(header);
}

/** Reads value and mask after a header, turned into the key's form (in_port_oxm becomes a 16-bit port). */
export function decodeFieldValue(from: ByteReader, header: EntryHeader, strict = true): FieldValue {
  const known = header.coded?.field;
  if (known === undefined) throw new PeerError('OFPBMC_BAD_FIELD', 'unknown field');
  const field = usableField(known, from.context);
  if (tunFieldIndex(field) >= 0) {
    const option = decodeTunValue(from, field, header.size, header.hasMask);
    checkOutside(header, option.value, option.mask);
    return { field, ...option };
  }
  const perValue = header.hasMask ? header.size >> 1 : header.size;
  if (perValue !== field.wireBytes) throw new PeerError('OFPBMC_BAD_LEN', `${field.name}: ${header.size} bytes`);
  let value = bytesToBig(from.take(perValue));
  const width = wireBits(field);
  let mask = ones(width);
  let isMasked = false;
  let aboveMask = 0n;
  if (header.hasMask) {
    const wireMask = bytesToBig(from.take(perValue));
    from.skip(header.size - 2 * perValue);
    checkOutside(header, value, wireMask);
    if (strict && !field.maskable && wireMask !== 0n && wireMask !== ones(field.wireBytes * 8))
      throw new PeerError('OFPBMC_BAD_MASK', `${field.name} has no mask`);
    mask = wireMask & ones(width + maskBits(field) - field.bits);
    isMasked = wireMask !== ones(field.wireBytes * 8);
    if (isMasked) aboveMask = wireMask & ~ones(width);
  }
  // Of a part of a port's number nothing is known yet.
  if (field.format === 'port32' && !isMasked) {
    // To be set, a number that is no port's stands for none.
    const isNone = !strict && !isWirePort32(Number(value));
    value = BigInt(isNone ? OFPP.NONE : portFromWire32(Number(value), 'OFPBMC_BAD_VALUE'));
  }
  if (value >> BigInt(width) !== 0n) throw new PeerError('OFPBMC_BAD_VALUE', `${field.name}: value too wide`);
  const isBadNsh = (field.name === 'nsh_ttl' && value > 63n) || (field.name === 'nsh_mdtype' && value !== 1n && value !== 2n);
  if (strict && isBadNsh) throw new PeerError('OFPBMC_BAD_VALUE', `${field.name} ${value}`);
  if (strict && field.name === 'nw_tos' && (value & 3n) !== 0n) throw new PeerError('OFPBMC_BAD_VALUE', 'nw_tos with ECN bits');
  return { field, value: value & mask, mask, isMasked, aboveMask };
}

/** Bits that may be nonzero on the wire; vlan_vid has the "present" bit beside its twelve. */
const wireBits = (field: Field): number => (field.name === 'vlan_vid' ? 13 : field.name === 'ct_state' ? 8 : field.bits);

/** Types and codes of ICMP fill the places of transport ports. */
const ICMP_FIELDS: ReadonlySet<string> = new Set(['icmp_type', 'icmp_code', 'icmpv6_type', 'icmpv6_code']);

/** Adds a field to a match, in the key's form. A zero mask adds nothing. */
export function addToMatch(match: Match, { field, value, mask, isMasked }: FieldValue): void {
  // Ethernet is the packet type of all flows that do not ask for another.
  if (mask === 0n || (field.name === 'packet_type' && value === 0n)) return;
  let at = field.at;
  let bits = field.bits;
  let stored = value;
  let storedMask = mask;
  if (field.name === 'in_port_oxm') {
    at = W.IN_PORT * 32 + 16;
    bits = 16;
    storedMask = 0xffffn;
  } else if (field.name === 'vlan_vid') {
    at -= 1;
    bits = 13;
  } else if (field.name === 'vlan_pcp' || field.name === 'dl_vlan_pcp') {
    bits = 4;
    stored = (value << 1n) | 1n;
    storedMask = (mask << 1n) | 1n;
  } else if (field.name === 'dl_vlan') {
    at -= 1;
    bits = 13;
    stored = value | 0x1000n;
    storedMask = mask | 0x1000n;
  } else if (ICMP_FIELDS.has(field.name)) {
    // A whole word stands there for them.
    at -= 8;
    bits = 16;
    storedMask = 0xffffn;
  } else if (field.name === 'nw_tos') {
    storedMask = 0xfcn;
  } else if (MASKED_BY_VALUE.has(field.name)) {
    storedMask = value & mask;
  } else if (field.maskBits !== undefined && (field.wholeBits !== undefined || (mask & ones(bits)) !== ones(bits))) {
    at -= field.maskBits - bits;
    bits = field.maskBits;
    if (isMasked !== true) storedMask = wholeMask(field);
  } else storedMask = mask & ones(bits);
  setKeyBits(match.key, at, bits, (keyBits(match.key, at, bits) & ~storedMask) | (stored & storedMask));
  setKeyBits(match.mask, at, bits, keyBits(match.mask, at, bits) | storedMask);
}

/** What a list of entries says. */
export interface DecodedMatch {
  match: Match;
  /** NXM flow-mods and requests may match cookies among the entries. */
  cookie?: { value: bigint; mask: bigint };
}

/** Fields that the reference keeps in one place, so that of two in one match the second is a duplicate. */
const ONE_PLACE: ReadonlyMap<string, string> = new Map([
  ['tcp_flags', 'nd_options_type'],
  ['nd_options_type', 'tcp_flags'],
]);

/** Whether any bit of a field is matched already, be it by another field that shares its bits. */
function isMatched(match: Match, field: Field): boolean {
  const other = ONE_PLACE.get(field.name);
  if (other !== undefined && keyBits(match.mask, mustField(other).at, mustField(other).bits) !== 0n) return true;
  if (field.name === 'vlan_vid') return keyBits(match.mask, field.at - 1, 13) !== 0n;
  if (field.name === 'nw_tos') return (keyBits(match.mask, field.at, field.bits) & 0xfcn) !== 0n;
  // In the place of a port, of which a part may be matched already.
  if (ICMP_FIELDS.has(field.name)) return keyBits(match.mask, field.at - 8, 16) !== 0n;
  const above = maskBits(field) - field.bits;
  return keyBits(match.mask, field.at - above, field.bits + above) !== 0n;
}

/** Even what is not known may have no bit in its value that its mask has not. */
export function checkWildcards(payload: Uint8Array, header: EntryHeader): void {
  if (!header.hasMask) return;
  const half = payload.length >> 1;
  for (let i = 0; i < half; i++) if (((payload[i] ?? 0) & ~(payload[half + i] ?? 0)) !== 0) refuseWildcards(header);
}

function refuseWildcards(header: EntryHeader): never {
  log.warn(() => `Rejecting NXM/OXM entry ${entryName(header)} with 1-bits in value for bits wildcarded by the mask.`);
  throw new PeerError('OFPBMC_BAD_WILDCARDS', 'value outside its mask');
}

/** Fields that are of no header: what a packet-out may say of its packet. */
const PIPELINE = /^(?:tun_.*|metadata|in_port|in_port_oxm|x{0,2}reg\d+|packet_type)$/;

/** Reads entries to the end of `from`. Unless `strict`, unknown fields and missing prerequisites are passed over, as in packet-ins. */
export function decodeMatchEntries(from: ByteReader, strict = true, mayHaveCookie = false, ofPipeline = false): DecodedMatch {
  const match = matchAll();
  const result: DecodedMatch = { match };
  // What is a part of a frame makes Ethernet its packet type, so that a packet type behind it is a second one.
  let hasPacketType = false;
  let isEthernet = false;
  while (from.left > 0) {
    const header = decodeHeader(from);
    if (header.isCookie && mayHaveCookie) {
      const value = from.u64();
      const mask = header.hasMask ? from.u64() : ones(64);
      if ((value & ~mask) !== 0n) refuseWildcards(header);
      if (result.cookie !== undefined) throw new PeerError('OFPBMC_DUP_FIELD', 'cookie twice');
      result.cookie = { value, mask };
      continue;
    }
    if (header.coded !== undefined && tunFieldIndex(header.coded.field) >= 0 && isFieldSized(header)) {
      decodeTunEntry(from, match, header.coded.field, header, strict, () => refuseWildcards(header));
      continue;
    }
    if (!isFieldSized(header)) {
      // A header that says another length than the field has is not that field's.
      checkWildcards(from.take(header.size), header);
      if (strict) throw new PeerError('OFPBMC_BAD_FIELD', 'unknown field');
      continue;
    }
    const value = decodeFieldValue(from, header);
    if (ofPipeline && !PIPELINE.test(value.field.name))
      throw new PeerError('OFPBRC_PIPELINE_FIELDS_ONLY', `${value.field.name} in a packet-out`);
    if (strict && !prereqHolds(value.field.prereq, match))
      throw new PeerError('OFPBMC_BAD_PREREQ', `${value.field.name}: prerequisite missing`);
    const isPacketType = value.field.name === 'packet_type';
    if (isMatched(match, value.field) || (isPacketType && hasPacketType))
      throw new PeerError('OFPBMC_DUP_FIELD', `${value.field.name} twice`);
    if (!hasPacketType && (isPacketType || value.field.prereq !== 'none')) {
      hasPacketType = true;
      isEthernet = value.value === 0n || !isPacketType;
    }
    addToMatch(match, value);
  }
  // What has nothing of a packet to say it by, or but a priority, is another flow than one that says nothing.
  if (isEthernet && (match.mask[W.RECIRC_ID] !== 0 || saysPriorityAlone(match) || !asksForPacket(match.mask)))
    match.mask[W.PACKET_TYPE] = 0xffffffff;
  return result;
}

/** An OXM match with its envelope (type 1, length, entries, zeros to 8 bytes), as in OpenFlow 1.2 and later. */
export function encodeOxmMatch(out: ByteWriter, match: Match, version: OfVersion): void {
  const start = out.size;
  out.u16(1).u16(0);
  encodeMatchEntries(out, match, version);
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}

/** Reads an OXM match with its envelope. */
export function decodeOxmMatch(from: ByteReader, strict = true, ofPipeline = false): DecodedMatch {
  if (from.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'match ends in its header');
  const type = from.u16();
  const length = from.u16();
  if (length < 4) throw new PeerError('OFPBMC_BAD_LEN', `match length ${length}`);
  if (type !== 1) throw new PeerError('OFPBMC_BAD_TYPE', `match type ${type}`);
  const fill = -length & 7;
  if (length + fill - 4 > from.left) throw new PeerError('OFPBMC_BAD_LEN', `match length ${length}`);
  const entries = from.sub(length - 4, 'OFPBMC_BAD_LEN');
  from.skip(fill);
  return decodeMatchEntries(entries, strict, false, ofPipeline);
}
