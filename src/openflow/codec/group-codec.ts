// Group modifications and group statistics, descriptions and features. OpenFlow 1.3.5 sections 7.3.4.2 and 7.3.5.8 to 7.3.5.10,
// OpenFlow 1.5.1 section 7.3.4.3; Nicira's messages 31 and statistics 7, 8 and 9 carry the layout of 1.5 in OpenFlow 1.0.
// How a select group chooses travels as a property of Netronome's (experimenter 0x154d, type 1).

import { decodeText } from '../../base/byte-text.ts';
import { PeerError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { tunFieldIndex, wholeMask } from '../../flow/fields.ts';
import { OFPP } from '../action.ts';
import { sortHashFields } from '../field-order.ts';
import type {
  GroupBucket,
  GroupCommand,
  GroupFeatures,
  GroupMod,
  GroupSelection,
  GroupStats,
  GroupType,
  HashField,
  ReadGroupDesc,
} from '../group.ts';
import { BUCKET, GROUP_TYPES, noSelection, OFPG } from '../group.ts';
import type { OfVersion } from '../message.ts';
import { groupLog as log, propertyLogs } from '../peer-logs.ts';
import { readList } from './actions/partial.ts';
import { decodeBuckets, decodeProperties, encodeBuckets, hasBucketIds } from './bucket-codec.ts';
import { type ByteReader, type ByteWriter, bytesToBig } from './bytes.ts';
import { checkWildcards, decodeHeader, encodeFieldHeader, isFieldSized } from './fields/oxm.ts';
import { encodeTunValue } from './fields/tun-metadata.ts';
import { decodeExperimenter } from './properties.ts';

const NETRONOME = 0x154d;
const SELECTION_METHOD = 1;
const METHOD_SIZE = 16;

const COMMANDS: ReadonlyMap<number, GroupCommand> = new Map([
  [0, 'add'],
  [1, 'modify'],
  [2, 'delete'],
  [3, 'insert_bucket'],
  [5, 'remove_bucket'],
  [0x8000, 'add_or_mod'],
]);
const NUMBERS = new Map([...COMMANDS].map(([number, command]) => [command, number]));

function fault(code: string, text: string, to: Logger = log): never {
  to.warn(text);
  throw new PeerError(code, text);
}

function typeOf(number: number): GroupType {
  const type = GROUP_TYPES[number];
  if (type === undefined) throw new PeerError('OFPGMFC_BAD_TYPE', `group type ${number}`);
  return type;
}

/** Reads a selection's fields: entries whose value says which bits count. */
function decodeHashFields(from: ByteReader): HashField[] {
  const fields: HashField[] = [];
  try {
    while (from.left > 0) {
      const header = decodeHeader(from);
      const value = from.take(header.size);
      checkWildcards(value, header);
      if (header.hasMask) throw new PeerError('OFPBMC_BAD_MASK', 'a field with a mask');
      const field = isFieldSized(header) ? header.coded?.field : undefined;
      if (field === undefined) throw new PeerError('OFPBMC_BAD_FIELD', 'unknown field');
      if (fields.some((other) => other.field === field)) throw new PeerError('OFPBMC_DUP_FIELD', `${field.name} twice`);
      const mask = bytesToBig(value);
      const isWhole = value.every((byte) => byte === 0xff) || mask === 0n;
      if (!field.maskable && !isWhole) throw new PeerError('OFPBMC_BAD_MASK', `${field.name} has no mask`);
      fields.push({ field, mask });
    }
  } catch (error) {
    if (error instanceof PeerError) log.warn('ntr selection method fields are invalid');
    throw error;
  }
  return sortHashFields(fields);
}

function decodeSelection(body: ByteReader, type: ReadGroupDesc['type'], command: GroupCommand | undefined): GroupSelection {
  if (type === 'unknown') throw new PeerError('OFPGMFC_BAD_TYPE', 'a selection method for a group of no known type');
  if (type !== 'select') fault('OFPBPC_BAD_VALUE', 'ntr selection method property is only allowed for select groups');
  if (command === undefined) throw new PeerError('OFPGMFC_BAD_COMMAND', 'a selection method for no known command');
  if (command !== 'add' && command !== 'modify' && command !== 'add_or_mod') {
    fault('OFPBPC_BAD_VALUE', 'ntr selection method property is only allowed for add and delete group modifications');
  }
  // What stands before the fields, its own header and pad included.
  if (body.bytes.length + 4 < 40) fault('OFPBPC_BAD_LEN', `ntr selection method property length ${body.bytes.length + 4} is not valid`);
  body.skip(4);
  const name = body.take(METHOD_SIZE);
  if (!name.includes(0)) fault('OFPBPC_BAD_VALUE', 'ntr selection method is not null terminated');
  const method = decodeText(name.subarray(0, name.indexOf(0)));
  if (method !== 'hash' && method !== 'dp_hash') fault('OFPBPC_BAD_VALUE', `ntr selection method '${method}' is not supported`);
  const param = body.u64();
  const rest = body.rest();
  if (method === 'dp_hash') {
    if (rest.length > 0) fault('OFPBPC_BAD_VALUE', `ntr selection method ${method} does not support fields`);
    return { method, param, fields: [] };
  }
  return { method, param, fields: decodeHashFields(body.within(rest, 'OFPBMC_BAD_LEN')) };
}

function decodeGroupProperties(from: ByteReader, type: ReadGroupDesc['type'], command: GroupCommand | undefined): GroupSelection {
  let selection = noSelection();
  for (const property of decodeProperties(from)) {
    if (property.type !== 0xffff) fault('OFPBPC_BAD_TYPE', `unknown group property type ${property.type}`, propertyLogs.group);
    const { experimenter, experimenterType } = decodeExperimenter(property.body);
    if (experimenter !== NETRONOME || experimenterType !== SELECTION_METHOD) {
      fault(
        'OFPBPC_BAD_EXP_TYPE',
        `unknown group property type for exp_id 0x${experimenter.toString(16)}, exp_type ${experimenterType | 0}`,
        propertyLogs.group,
      );
    }
    selection = decodeSelection(property.body, type, command);
  }
  return selection;
}

function encodeSelection(out: ByteWriter, version: OfVersion, selection: GroupSelection): void {
  if (selection.method === '') return;
  const start = out.size;
  out.u16(0xffff).u16(0).u32(NETRONOME).u32(SELECTION_METHOD).u32(0);
  out.text(selection.method, METHOD_SIZE).u64(selection.param);
  for (const { field, mask } of selection.fields) {
    // An option has as many bytes as its value.
    if (tunFieldIndex(field) >= 0) {
      encodeTunValue(out, field, mask, wholeMask(field));
      continue;
    }
    // Of a field that has no number the size is said alone.
    if (field.codes.length === 0) out.u32(field.wireBytes);
    else encodeFieldHeader(out, field, version);
    out.big(mask, field.wireBytes);
  }
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}

/** What holds for every group modification, whatever its form, behind what `decodeGroupMod` asks of type and command. */
function check(mod: GroupMod): void {
  if (mod.command === 'remove_bucket' && mod.buckets.length > 0) throw new PeerError('OFPGMFC_BAD_BUCKET', 'buckets in remove_bucket');
  for (const { weight, watchPort, watchGroup } of mod.buckets) {
    const watches = watchPort !== OFPP.NONE || watchGroup !== OFPG.ANY;
    if (weight !== 0 && mod.type !== 'select' && mod.command !== 'insert_bucket') {
      throw new PeerError('OFPGMFC_INVALID_GROUP', 'a weight in a group that is no select group');
    }
    if (mod.type === 'ff' && !watches) throw new PeerError('OFPGMFC_INVALID_GROUP', 'a fast failover bucket that watches nothing');
    if ((mod.type === 'all' || mod.type === 'indirect') && watches) {
      throw new PeerError('OFPGMFC_WATCH_UNSUPPORTED', `watching in a group of type ${mod.type}`);
    }
  }
}

/** Reads what follows the header of OFPT_GROUP_MOD, or the subtype of NXT_GROUP_MOD. */
export function decodeGroupMod(from: ByteReader, version: OfVersion): GroupMod {
  const number = from.u16();
  const typeNumber = from.u8();
  from.skip(1);
  const group = from.u32();
  let commandBucket: number = BUCKET.ALL;
  const command = COMMANDS.get(number);
  let buckets: GroupBucket[];
  let type: GroupType;
  let selection = noSelection();
  if (hasBucketIds(version)) {
    const bucketsSize = from.u16();
    from.skip(2);
    commandBucket = from.u32();
    const isPlace = commandBucket <= BUCKET.MAX || commandBucket === BUCKET.FIRST || commandBucket === BUCKET.LAST;
    const isFit =
      command === 'insert_bucket'
        ? isPlace
        : command === 'remove_bucket'
          ? isPlace || commandBucket === BUCKET.ALL
          : commandBucket === BUCKET.ALL;
    if (!isFit) fault('OFPGMFC_BAD_BUCKET', `group command bucket id (${commandBucket}) is out of range`);
    if (bucketsSize > from.left) throw new PeerError('OFPBRC_BAD_LEN', `buckets of ${bucketsSize} bytes, ${from.left} left`);
    buckets = decodeBuckets(from, version, GROUP_TYPES[typeNumber], bucketsSize);
    selection = decodeGroupProperties(from, GROUP_TYPES[typeNumber] ?? 'unknown', command);
    type = typeOf(typeNumber);
  } else {
    buckets = decodeBuckets(from, version, GROUP_TYPES[typeNumber]);
    // OpenFlow 1.1 and 1.2 do not say so.
    if (version >= 4 && command === 'delete' && buckets.length > 0) throw new PeerError('OFPGMFC_INVALID_GROUP', 'a deletion with buckets');
    type = typeOf(typeNumber);
  }
  // Told before what is told of the command, whatever that is.
  if (type === 'indirect' && buckets.length !== 1 && command !== 'delete')
    throw new PeerError('OFPGMFC_INVALID_GROUP', 'an indirect group has one bucket');
  if (command === undefined) throw new PeerError('OFPGMFC_BAD_COMMAND', `group command ${number}`);
  const mod: GroupMod = { kind: 'groupMod', command, type, group, commandBucket, buckets, selection };
  check(mod);
  return mod;
}

/** Nothing was matched before a group, so that nothing says what its packets have. */
const UNCHECKED = { isUnchecked: true } as const;

/** Writes what follows the header of OFPT_GROUP_MOD, or the subtype of NXT_GROUP_MOD. */
export function encodeGroupMod(out: ByteWriter, version: OfVersion, mod: GroupMod): void {
  out
    .u16(NUMBERS.get(mod.command) ?? 0)
    .u8(GROUP_TYPES.indexOf(mod.type))
    .u8(0)
    .u32(mod.group);
  if (!hasBucketIds(version)) {
    encodeBuckets(out, version, mod.buckets, mod.type, UNCHECKED);
    return;
  }
  const sizeAt = out.size;
  out.u16(0).u16(0).u32(mod.commandBucket);
  const start = out.size;
  encodeBuckets(out, version, mod.buckets, mod.type, UNCHECKED);
  out.patch16(sizeAt, checkedSize(out.size - start));
  encodeSelection(out, version, mod.selection);
}

function checkedSize(size: number): number {
  if (size > 0xffff) throw new Error(`buckets of ${size} bytes do not fit: it does not fit a message`);
  return size;
}

/** Reads group descriptions to the end. */
export function decodeGroupDescs(from: ByteReader, version: OfVersion): ReadGroupDesc[] {
  const head = hasBucketIds(version) ? 16 : 8;
  return readList(from, () => {
    if (from.left < head) fault('OFPBRC_BAD_LEN', `OFPST11_GROUP_DESC reply has ${from.left} leftover bytes at end`);
    const left = from.left;
    const length = from.u16();
    if (length < head || length > left) fault('OFPBRC_BAD_LEN', `OFPST11_GROUP_DESC reply claims invalid length ${length}`);
    const end = from.at - 2 + length;
    const typeNumber = from.u8();
    from.skip(1);
    const group = from.u32();
    if (hasBucketIds(version)) {
      const bucketsSize = from.u16();
      from.skip(6);
      if (bucketsSize > end - from.at) fault('OFPBRC_BAD_LEN', `OFPST11_GROUP_DESC reply claims invalid bucket list length ${bucketsSize}`);
      const buckets = decodeBuckets(from, version, GROUP_TYPES[typeNumber], bucketsSize);
      const type = GROUP_TYPES[typeNumber] ?? 'unknown';
      // As in an addition: only select groups have one.
      return { group, type, buckets, selection: decodeGroupProperties(from.sub(end - from.at), type, 'add') };
    }
    const buckets = decodeBuckets(from.sub(end - from.at), version, GROUP_TYPES[typeNumber]);
    return { group, type: GROUP_TYPES[typeNumber] ?? 'unknown', buckets, selection: noSelection() };
  });
}

/** Writes one group description. */
export function encodeGroupDesc(out: ByteWriter, version: OfVersion, desc: ReadGroupDesc): void {
  const start = out.size;
  out
    .u16(0)
    .u8(GROUP_TYPES.indexOf(desc.type as GroupType) & 0xff)
    .u8(0)
    .u32(desc.group);
  if (hasBucketIds(version)) out.u16(0).zeros(6);
  const bucketsAt = out.size;
  encodeBuckets(out, version, desc.buckets, desc.type as GroupType);
  if (hasBucketIds(version)) {
    out.patch16(start + 8, checkedSize(out.size - bucketsAt));
    encodeSelection(out, version, desc.selection);
  }
  out.patch16(start, checkedSize(out.size - start));
}

/** OpenFlow 1.1 and 1.2 do not say how old a group is. */
const hasDuration = (version: OfVersion): boolean => version === 1 || version >= 4;

/** Reads group statistics to the end. */
export function decodeGroupStats(from: ByteReader, version: OfVersion): GroupStats[] {
  const head = hasDuration(version) ? 40 : 32;
  const name = version === 1 ? 'NXST_GROUP' : 'OFPST_GROUP';
  return readList(from, () => {
    const leftover = (): never => fault('OFPBRC_BAD_LEN', `${name} reply reply has ${from.left} leftover bytes at end`);
    if (from.left < head) leftover();
    const length = from.u16();
    // The length says how many whole buckets there are, and nothing else; of fewer than none there is not enough.
    const size = head + ((length - head) & ~15);
    if (length < 8) fault('OFPBRC_BAD_LEN', `${name} reply reply claims invalid length ${length}`);
    const body = from.sub(head - 2).skip(2);
    const group = body.u32();
    const refCount = body.u32();
    body.skip(4);
    const packetCount = body.u64();
    const byteCount = body.u64();
    const durationSec = hasDuration(version) ? body.u32() : 0xffffffff;
    const durationNsec = hasDuration(version) ? body.u32() : 0xffffffff;
    if (size < head || size - head > from.left) leftover();
    const counters = from.sub(size - head);
    const buckets: GroupStats['buckets'] = [];
    while (counters.left > 0) buckets.push({ packetCount: counters.u64(), byteCount: counters.u64() });
    return { group, refCount, packetCount, byteCount, durationSec, durationNsec, buckets };
  });
}

/** Writes the statistics of one group. */
export function encodeGroupStats(out: ByteWriter, version: OfVersion, stats: GroupStats): void {
  const start = out.size;
  out.u16(0).u16(0).u32(stats.group).u32(stats.refCount).u32(0).u64(stats.packetCount).u64(stats.byteCount);
  if (hasDuration(version)) out.u32(stats.durationSec).u32(stats.durationNsec);
  for (const bucket of stats.buckets) out.u64(bucket.packetCount).u64(bucket.byteCount);
  out.patch16(start, checkedSize(out.size - start));
}

/** Reads group features. */
export function decodeGroupFeatures(from: ByteReader): GroupFeatures {
  const four = (): number[] => [from.u32(), from.u32(), from.u32(), from.u32()];
  return { types: from.u32(), capabilities: from.u32(), maxGroups: four(), actions: four() };
}

/** Writes group features. */
export function encodeGroupFeatures(out: ByteWriter, features: GroupFeatures): void {
  out.u32(features.types).u32(features.capabilities);
  for (let i = 0; i < 4; i++) out.u32(features.maxGroups[i] ?? 0);
  for (let i = 0; i < 4; i++) out.u32(features.actions[i] ?? 0);
}
