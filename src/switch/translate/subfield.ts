// Reading and writing parts of fields in a key, the bits of a mask that stand for them, and what must hold for a field to exist.
import { type Field, type Prereq, tunFieldIndex } from '../../flow/fields.ts';
import { FRAG, type Key, keyBits, setKeyBits, tunPresentBit, VLAN_CFI, W } from '../../flow/key.ts';
import { OFPP, type Subfield } from '../../openflow/action.ts';
import { isWirePort32, portFromWire32, portToWire32 } from '../../openflow/ports.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';

/** A part of a field where it stands in a bridge's keys. Of an option there is as much as the table says; it has no place if there is none. */
export function placedPart(part: Subfield, table: TlvTable): Subfield {
  const { field } = part;
  if (field.isUnplaced !== true) return part;
  const placed = table.field(tunFieldIndex(field));
  return placed === undefined ? part : { ...part, field: { ...placed, partBits: field.bits } };
}

/** How many bits of a part the key has: above them are zeros that nobody can set. */
function kept({ field, offset, bits }: Subfield): number {
  if (field.isUnplaced === true) return 0;
  return field.partBits === undefined ? bits : Math.max(0, Math.min(bits, field.bits - offset));
}

const start = (part: Subfield): number => part.field.at + part.field.bits - part.offset - kept(part);

const isPort = ({ field }: Subfield): boolean => field.format === 'port32';

/** Ports are read as OpenFlow has them, in 32 bits. */
export function readSubfield(key: Key, part: Subfield): bigint {
  const { field, offset, bits } = part;
  if (!isPort(part)) return keyBits(key, start(part), kept(part));
  return (BigInt(portToWire32(key[field.at >> 5]!)) >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n);
}

export function writeSubfield(key: Key, part: Subfield, value: bigint): void {
  if (isPort(part)) writePort(key, part, value);
  else setKeyBits(key, start(part), kept(part), value);
  settle(key, part);
}

/** Writes a part of a port's 32 bits; what then names no port is none. */
function writePort(key: Key, { field, offset, bits }: Subfield, value: bigint): void {
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(offset);
  const wire = Number((BigInt(portToWire32(key[field.at >> 5]!)) & ~mask) | ((value << BigInt(offset)) & mask));
  key[field.at >> 5] = isWirePort32(wire) ? portFromWire32(wire) : OFPP.NONE;
}

/** The same as to write to one part what is read from another; parts of one word, most are, without big numbers. */
export function moveSubfield(key: Key, from: Subfield, to: Subfield): void {
  const bits = kept(from);
  const [source, target] = [start(from), start(to)];
  const [right, left] = [32 - (source & 31) - bits, 32 - (target & 31) - bits];
  if (bits !== kept(to) || right < 0 || left < 0 || bits === 0 || isPort(from) || isPort(to)) {
    writeSubfield(key, to, readSubfield(key, from));
    return;
  }
  const low = bits === 32 ? -1 : (1 << bits) - 1;
  const value = (key[source >> 5]! >>> right) & low;
  key[target >> 5] = (key[target >> 5]! & ~(low << left)) | (value << left);
  settle(key, to);
}

/** What else holds of a key in which a part has been written. */
function settle(key: Key, part: Subfield): void {
  if (part.field.at >> 5 === W.VLAN0) fixVlan(key);
  const option = part.field.isUnplaced === true ? -1 : tunFieldIndex(part.field);
  if (option >= 0) setKeyBits(key, tunPresentBit(option), 1, 1n);
}

/** Adds all bits of a part of a field to a mask. */
export function markSubfield(wild: Key, part: Subfield): void {
  markBits(wild, start(part), kept(part));
}

/** Adds bits [at, at+bits) to a mask. */
export function markBits(wild: Key, at: number, bits: number): void {
  for (let left = bits, from = at; left > 0; ) {
    const inWord = from & 31;
    const take = Math.min(32 - inWord, left);
    const low = take === 32 ? -1 : (1 << take) - 1;
    wild[from >> 5] = wild[from >> 5]! | (low << (32 - inWord - take));
    from += take;
    left -= take;
  }
}

/** A tag that came into being by writing its fields has the usual TPID. */
export function fixVlan(key: Key): void {
  const tag = key[W.VLAN0]!;
  if ((tag & VLAN_CFI) !== 0 && tag >>> 16 === 0) key[W.VLAN0] = (0x81000000 | tag) >>> 0;
}

const etherType = (key: Key): number => key[W.TYPE]! >>> 16;
const protocol = (key: Key): number => key[W.TYPE]! & 0xff;

export const isIpv4 = (key: Key): boolean => etherType(key) === 0x0800;
export const isIpv6 = (key: Key): boolean => etherType(key) === 0x86dd;
export const isIp = (key: Key): boolean => isIpv4(key) || isIpv6(key);
export const isArp = (key: Key): boolean => etherType(key) === 0x0806 || etherType(key) === 0x8035;
export const isMpls = (key: Key): boolean => etherType(key) === 0x8847 || etherType(key) === 0x8848;

function hasTransport(key: Key, wild: Key, wanted: number): boolean {
  if (!isIp(key)) return false;
  wild[W.TYPE] = wild[W.TYPE]! | 0xff;
  return protocol(key) === wanted && (key[W.TYPE]! & (FRAG.LATER << 8)) === 0;
}

/** Whether the frame has what a field belongs to; un-wildcards what it looks at. The Ethernet type is always un-wildcarded already. */
export function hasPrereq(key: Key, wild: Key, prereq: Prereq): boolean {
  switch (prereq) {
    case 'none':
      return true;
    case 'ethernet':
      return key[W.PACKET_TYPE] === 0;
    case 'vlan':
      wild[W.VLAN0] = wild[W.VLAN0]! | VLAN_CFI;
      return (key[W.VLAN0]! & VLAN_CFI) !== 0;
    case 'ct':
      return false;
    case 'mpls':
      return isMpls(key);
    case 'ipv4':
      return isIpv4(key);
    case 'ipv6':
      return isIpv6(key);
    case 'ip':
      return isIp(key);
    case 'arp':
      return isArp(key);
    case 'nsh':
      return etherType(key) === 0x894f;
    case 'tcp':
      return hasTransport(key, wild, 6);
    case 'udp':
      return hasTransport(key, wild, 17);
    case 'sctp':
      return hasTransport(key, wild, 132);
    case 'icmpv4':
      return isIpv4(key) && hasTransport(key, wild, 1);
    case 'icmpv6':
      return isIpv6(key) && hasTransport(key, wild, 58);
    case 'nd':
    case 'ndSolicit':
    case 'ndAdvert': {
      if (!isIpv6(key) || !hasTransport(key, wild, 58)) return false;
      wild[W.TP] = (wild[W.TP]! | 0xffffffff) >>> 0;
      const type = key[W.TP]! >>> 16;
      if ((key[W.TP]! & 0xffff) !== 0) return false;
      return prereq === 'nd' ? type === 135 || type === 136 : type === (prereq === 'ndSolicit' ? 135 : 136);
    }
  }
}

/** The whole of a field. */
export const wholeField = (field: Field): Subfield => ({ field, offset: 0, bits: field.bits });

/** The words of the connection tracker. */
export const CT_WORDS: readonly number[] = [
  W.CT_STATE,
  W.CT_ZONE,
  W.CT_MARK,
  ...Array.from({ length: W.TUN_ID - W.CT_LABEL }, (_, i) => W.CT_LABEL + i),
];
