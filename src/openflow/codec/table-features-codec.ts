// OFPMP_TABLE_FEATURES (OpenFlow 1.3.5 section 7.3.5.5, OpenFlow 1.5.1 section 7.3.5.18), and what OpenFlow 1.0 to 1.2 tell of a table's
// abilities beside its statistics.

import { PeerError } from '../../base/errors.ts';
import type { Field } from '../../flow/fields.ts';
import { mustField } from '../../flow/fields.ts';
import { inFieldOrder as inOrder } from '../field-order.ts';
import type { OfVersion } from '../message.ts';
import { tableLog as log, propertyLogs } from '../peer-logs.ts';
import type { ActionFeatures, TableFeatures, TableInstructions } from '../table-features.ts';
import { knownActionBits, TABLE_INSTRUCTIONS } from '../table-features.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeHeader, encodeFieldHeader, isFieldSized } from './fields/oxm.ts';
import { eachProperty, refuseProperty } from './properties.ts';

/** Numbers of properties; those of a miss are one higher. */
const PROPERTY = { INSTRUCTIONS: 0, NEXT: 2, WRITE: 4, APPLY: 6, MATCH: 8, WILDCARDS: 10, WRITE_SET: 12, APPLY_SET: 14 } as const;
const REQUIRED = [0, 2, 4, 6, 8, 10, 12, 14] as const;
const COMMANDS = ['replace', 'modify', 'enable', 'disable'] as const;
/** Properties below this number may be there once, known or not. */
const MAX_NUMBERED = 32;
const HEAD_SIZE = 64;
const EVICTION = 4;
const VACANCY = 8;

const noActions = (): ActionFeatures => ({ actions: 0, setFields: [] });
const noInstructions = (): TableInstructions => ({ next: [], instructions: [], write: noActions(), apply: noActions() });

function emptyFeatures(table: number, name: string): TableFeatures {
  return {
    table,
    name,
    command: 'replace',
    metadataMatch: 0n,
    metadataWrite: 0n,
    maxEntries: 0,
    hasProperties: true,
    onMatch: noInstructions(),
    onMiss: noInstructions(),
    match: [],
    masked: [],
    wildcarded: [],
  };
}

/** Reads numbers with their lengths, of instructions or actions. */
function decodeIds(from: ByteReader): number[] {
  const ids: number[] = [];
  while (from.left > 0) {
    const left = from.left;
    const id = left < 4 ? 0 : from.u16();
    const length = left < 4 ? 0 : from.u16();
    if (length < 4 || length > left) throw new PeerError('OFPBPC_BAD_LEN', `entry of ${length} bytes`);
    from.skip(length - 4);
    ids.push(id);
  }
  return ids;
}

/** Reads headers of fields; those not known are passed over. */
function decodeFields(body: ByteReader, isStrict: boolean, mayMask = false): { all: Field[]; masked: Field[] } {
  const from = body.within(body.rest(), 'OFPBMC_BAD_LEN');
  const all = new Set<Field>();
  const masked = new Set<Field>();
  while (from.left > 0) {
    const header = decodeHeader(from);
    const field = header.coded?.field;
    // A header that says another length than the field has is not that field's.
    if (field === undefined || !isFieldSized(header)) {
      if (isStrict) throw new PeerError('OFPBMC_BAD_FIELD', 'unknown field in a list of fields');
      continue;
    }
    all.add(field);
    if (header.hasMask) masked.add(field);
  }
  if (masked.size > 0 && !mayMask) throw new PeerError('OFPBMC_BAD_MASK', 'a mask in a list of fields');
  return { all: inOrder(all), masked: inOrder(masked) };
}

function instructionNames(numbers: readonly number[], isStrict: boolean): string[] {
  const unknown = numbers.find((number) => !TABLE_INSTRUCTIONS.some(([, known]) => known === number));
  if (isStrict && unknown !== undefined) throw new PeerError('OFPBIC_UNKNOWN_INST', `instruction ${unknown}`);
  return TABLE_INSTRUCTIONS.filter(([, number]) => numbers.includes(number)).map(([name]) => name);
}

/** Reads one table's features. Unless `isStrict`, instructions, fields and properties that there are not are passed over. */
export function decodeTableFeatures(from: ByteReader, version: OfVersion, isStrict = false): TableFeatures {
  const left = from.left;
  if (left < HEAD_SIZE) throw new PeerError('OFPBPC_BAD_LEN', `${left} bytes of table features`);
  const length = from.u16();
  if (length > left || length < HEAD_SIZE || length % 8 !== 0) throw new PeerError('OFPBPC_BAD_LEN', `table features of ${length} bytes`);
  const body = from.sub(length - 2);
  const table = body.u8();
  const commandNumber = body.u8();
  const command = version >= 6 ? COMMANDS[commandNumber] : 'replace';
  if (command === undefined) throw new PeerError('OFPTFFC_BAD_COMMAND', `command ${commandNumber}`);
  if (table > 254) throw new PeerError('OFPTFFC_BAD_TABLE', `table ${table}`);
  body.skip(4);
  const features = emptyFeatures(table, body.text(32));
  features.command = command;
  features.metadataMatch = body.u64();
  features.metadataWrite = body.u64();
  const config = body.u32();
  features.maxEntries = body.u32();
  if (version >= 5) {
    features.canEvict = (config & EVICTION) !== 0;
    features.canTellVacancy = (config & VACANCY) !== 0;
  }
  const seen = new Set<number>();
  let missing: readonly number[] = [];
  // OpenFlow 1.5 may leave the properties out altogether.
  if (version >= 6 && body.left === 0) features.hasProperties = false;
  else {
    decodeProperties(body, features, seen, version, isStrict);
    missing = REQUIRED.filter((type) => !seen.has(type));
  }
  if (missing.length > 0) {
    log.warn(() => `table features message missing ${missing.length} required properties, including property ${missing[0]}`);
    throw new PeerError('OFPTFFC_BAD_FEATURES', `property ${missing[0]} is missing`);
  }
  const { onMatch, onMiss } = features;
  if (!seen.has(PROPERTY.INSTRUCTIONS + 1)) onMiss.instructions = onMatch.instructions;
  if (!seen.has(PROPERTY.NEXT + 1)) onMiss.next = onMatch.next;
  if (!seen.has(PROPERTY.WRITE + 1)) onMiss.write.actions = onMatch.write.actions;
  if (!seen.has(PROPERTY.APPLY + 1)) onMiss.apply.actions = onMatch.apply.actions;
  if (!seen.has(PROPERTY.WRITE_SET + 1)) onMiss.write.setFields = onMatch.write.setFields;
  if (!seen.has(PROPERTY.APPLY_SET + 1)) onMiss.apply.setFields = onMatch.apply.setFields;
  return features;
}

function decodeProperties(from: ByteReader, features: TableFeatures, seen: Set<number>, version: OfVersion, isStrict: boolean): void {
  for (const property of eachProperty(from)) {
    const { body } = property;
    // The reference takes an experimenter's property for OpenFlow's of the same number, though not for one that must be there.
    const isOwn = property.experimenter === 0;
    const number = isOwn ? property.number : property.experimenterType;
    if (isOwn && number < MAX_NUMBERED && seen.has(number)) throw new PeerError('OFPTFFC_BAD_FEATURES', `property ${number} twice`);
    const side = (number & 1) === 0 ? features.onMatch : features.onMiss;
    switch (number & ~1) {
      case PROPERTY.INSTRUCTIONS:
        side.instructions = instructionNames(decodeIds(body), isStrict);
        break;
      case PROPERTY.NEXT:
        side.next = [...new Set(body.rest())].sort((a, b) => a - b);
        // 255 stands for all tables, and is none that there is.
        if (side.next.at(-1) === 255) throw new PeerError('OFPBPC_BAD_VALUE', 'table 255 among the next');
        break;
      case PROPERTY.WRITE:
        side.write.actions = actionBits(decodeIds(body), version);
        break;
      case PROPERTY.APPLY:
        side.apply.actions = actionBits(decodeIds(body), version);
        break;
      case PROPERTY.WRITE_SET:
        side.write.setFields = decodeFields(body, isStrict).all;
        break;
      case PROPERTY.APPLY_SET:
        side.apply.setFields = decodeFields(body, isStrict).all;
        break;
      case PROPERTY.MATCH:
        if (number !== PROPERTY.MATCH) refuseProperty(propertyLogs.table, !isStrict, 'table features', property);
        else ({ all: features.match, masked: features.masked } = decodeFields(body, isStrict, true));
        break;
      case PROPERTY.WILDCARDS:
        if (number !== PROPERTY.WILDCARDS) refuseProperty(propertyLogs.table, !isStrict, 'table features', property);
        else features.wildcarded = decodeFields(body, isStrict).all;
        break;
      default:
        refuseProperty(propertyLogs.table, !isStrict, 'table features', property);
    }
    if (isOwn) seen.add(number);
  }
}

const actionBits = (ids: readonly number[], version: OfVersion): number =>
  (ids.reduce((bits, id) => (id < 32 ? bits | (1 << id) : bits), 0) & knownActionBits(version)) >>> 0;

function encodeFields(out: ByteWriter, fields: readonly Field[], version: OfVersion, masked: readonly Field[] = []): void {
  for (const field of fields) encodeFieldHeader(out, field, version, masked.includes(field));
}

/** Writes one table's features. */
export function encodeTableFeatures(out: ByteWriter, version: OfVersion, features: TableFeatures): void {
  const start = out.size;
  const config = (features.canEvict === true ? EVICTION : 0) | (features.canTellVacancy === true ? VACANCY : 0);
  out
    .u16(0)
    .u8(features.table)
    .u8(version >= 6 ? COMMANDS.indexOf(features.command) : 0)
    .u32(0)
    .text(features.name, 32);
  out.u64(features.metadataMatch).u64(features.metadataWrite).u32(config).u32(features.maxEntries);
  const property = (type: number, body: () => void): void => {
    const at = out.size;
    out.u16(type).u16(0);
    body();
    out.patch16(at + 2, out.size - at);
    out.pad(at, 8);
  };
  const ids = (numbers: readonly number[]): void => {
    for (const number of numbers) out.u16(number).u16(4);
  };
  const bits = (value: number): number[] => Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((value >>> bit) & 1) === 1);
  if (features.hasProperties) {
    for (const [miss, side] of [features.onMatch, features.onMiss].entries()) {
      const numbers = TABLE_INSTRUCTIONS.filter(([name]) => side.instructions.includes(name)).map(([, number]) => number);
      property(PROPERTY.INSTRUCTIONS + miss, () => ids(numbers));
      property(PROPERTY.NEXT + miss, () => void out.put(Uint8Array.from(side.next)));
      property(PROPERTY.WRITE + miss, () => ids(bits(side.write.actions)));
      property(PROPERTY.WRITE_SET + miss, () => encodeFields(out, side.write.setFields, version));
      property(PROPERTY.APPLY + miss, () => ids(bits(side.apply.actions)));
      property(PROPERTY.APPLY_SET + miss, () => encodeFields(out, side.apply.setFields, version));
    }
    property(PROPERTY.MATCH, () => encodeFields(out, features.match, version, features.masked));
    property(PROPERTY.WILDCARDS, () => encodeFields(out, features.wildcarded, version));
  }
  out.patch16(start, out.size - start);
}

/** Bits of OpenFlow 1.0's wildcards, each with its field; addresses have six bits for their masks. */
const WILDCARDS10: readonly (readonly [number, string])[] = [
  [0x1, 'in_port'],
  [0x2, 'vlan_vid'],
  [0x4, 'eth_src'],
  [0x8, 'eth_dst'],
  [0x10, 'eth_type'],
  [0x20, 'nw_proto'],
  [0x40, 'tcp_src'],
  [0x80, 'tcp_dst'],
  [0x3f00, 'ip_src'],
  [0xfc000, 'ip_dst'],
  [0x100000, 'vlan_pcp'],
  [0x200000, 'nw_tos'],
];
const FIELDS11: readonly string[] =
  'in_port vlan_vid vlan_pcp eth_type nw_tos nw_proto tcp_src tcp_dst mpls_label mpls_tc - eth_src eth_dst ip_src ip_dst metadata'.split(
    ' ',
  );
const FIELDS12: readonly string[] = (
  'in_port_oxm - metadata eth_dst eth_src eth_type vlan_vid vlan_pcp ip_dscp nw_ecn nw_proto ip_src ip_dst tcp_src tcp_dst udp_src udp_dst ' +
  'sctp_src sctp_dst icmp_type icmp_code arp_op arp_spa arp_tpa arp_sha arp_tha ipv6_src ipv6_dst ipv6_label icmpv6_type icmpv6_code ' +
  'nd_target nd_sll nd_tll mpls_label mpls_tc'
).split(' ');

const fieldsOfBits = (bits: bigint, names: readonly string[]): Field[] =>
  inOrder(names.filter((name, bit) => name !== '-' && ((bits >> BigInt(bit)) & 1n) === 1n).map(mustField));

const MISSES = ['controller', 'continue', 'drop'] as const;

/** What a table is to do with what no flow matches, in its lowest two bits; that there is no such thing is logged, and no more. */
export function checkedMiss(config: number): number {
  if ((config & 3) === 3) log.warn(`bad table miss config ${config | 0}`);
  return config;
}

/** Reads what stands between a table's name and its numbers in the statistics of OpenFlow 1.0 to 1.2. */
export function decodeOldFeatures(from: ByteReader, version: OfVersion, table: number, name: string): TableFeatures {
  const features = emptyFeatures(table, name);
  if (version === 1) {
    const bits = from.u32();
    features.wildcarded = inOrder(WILDCARDS10.filter(([mask]) => (bits & mask) !== 0).map(([, label]) => mustField(label)));
    features.match = features.wildcarded;
    return features;
  }
  const sides = (instructions: number, write: ActionFeatures, apply: ActionFeatures): void => {
    const numbers = [1, 2, 3, 4, 5].filter((number) => (instructions & (1 << number)) !== 0);
    features.onMatch = { next: [], instructions: instructionNames(numbers, false), write, apply };
    features.onMiss = features.onMatch;
  };
  const known = knownActionBits(version);
  if (version === 2) {
    features.wildcarded = fieldsOfBits(BigInt(from.u32()), FIELDS11);
    // What may be left out is matched, whatever else is said.
    features.match = inOrder(new Set([...fieldsOfBits(BigInt(from.u32()), FIELDS11), ...features.wildcarded]));
    const instructions = from.u32();
    const write = { actions: (from.u32() & known) >>> 0, setFields: [] };
    // The reference takes what may be written for what may be applied.
    from.skip(4);
    sides(instructions, write, write);
  } else {
    const match = fieldsOfBits(from.u64(), FIELDS12);
    features.wildcarded = fieldsOfBits(from.u64(), FIELDS12);
    features.match = inOrder(new Set([...match, ...features.wildcarded]));
    const [write, apply] = [(from.u32() & known) >>> 0, (from.u32() & known) >>> 0];
    const [writeSet, applySet] = [fieldsOfBits(from.u64(), FIELDS12), fieldsOfBits(from.u64(), FIELDS12)];
    features.metadataMatch = from.u64();
    features.metadataWrite = from.u64();
    sides(from.u32(), { actions: write, setFields: writeSet }, { actions: apply, setFields: applySet });
  }
  features.miss = MISSES[checkedMiss(from.u32()) & 3] ?? 'controller';
  return features;
}
