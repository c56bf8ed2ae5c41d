// Groups as text. Facts: ovs-ofctl(8), "Group Syntax", and the reference's output and messages.
import type { PortNames } from '../../flow/field-text.ts';
import { formatField, formatPort, hex, parseField, parsePort, wholeInteger } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex, wholeMask } from '../../flow/fields.ts';
import type { Action } from '../action.ts';
import { OFPP } from '../action.ts';
import { hasBucketIds } from '../codec/bucket-codec.ts';
import { sortHashFields } from '../field-order.ts';
import type { GroupBucket, GroupCommand, GroupMod, GroupSelection, GroupStats, GroupType, HashField, ReadGroupDesc } from '../group.ts';
import { BUCKET, noSelection, OFPG } from '../group.ts';
import type { OfVersion } from '../message.ts';
import { formatActions } from './action-format.ts';
import { parseActions } from './action-parse.ts';
import { formatDuration } from './flow-text.ts';
import { cutCommandWord, splitKeyValues } from './key-value-text.ts';
import { fault, numberOf, u32, u64 } from './number-text.ts';

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

const TYPES: ReadonlyMap<string, GroupType> = new Map([
  ['all', 'all'],
  ['select', 'select'],
  ['indirect', 'indirect'],
  ['ff', 'ff'],
  ['fast_failover', 'ff'],
]);

/** What a command takes of a group's text. */
const TAKES: Readonly<Record<GroupCommand, { type: boolean; buckets: boolean; commandBucket: boolean }>> = {
  add: { type: true, buckets: true, commandBucket: false },
  modify: { type: true, buckets: true, commandBucket: false },
  add_or_mod: { type: true, buckets: true, commandBucket: false },
  delete: { type: false, buckets: false, commandBucket: false },
  insert_bucket: { type: false, buckets: true, commandBucket: true },
  remove_bucket: { type: false, buckets: false, commandBucket: true },
};

const COMMAND_WORDS: readonly GroupCommand[] = ['add', 'add_or_mod', 'modify', 'delete', 'insert_bucket', 'remove_bucket'];

/** Cuts a command word, as files of groups may have, off the front of a line. */
export const cutGroupCommand = (text: string): { command: GroupCommand; text: string } | undefined => cutCommandWord(text, COMMAND_WORDS);

/** Reads a group. Throws ConfigError in the reference's words, without a prefix. */
export function parseGroup(text: string, command: GroupCommand, names?: PortNames): GroupMod {
  const takes = TAKES[command];
  const cut = text.indexOf('bucket=');
  const hasBuckets = cut >= 0;
  if (hasBuckets && !takes.buckets) fault('bucket is not needed');
  const selection = noSelection();
  let group: number | undefined;
  let type: GroupType | undefined;
  let commandBucket: number | undefined;
  let hasParam = false;
  let namesSelection = false;
  for (const { key, value } of splitKeyValues(hasBuckets ? text.slice(0, cut) : text)) {
    const words = value ?? '';
    switch (key) {
      case 'command_bucket_id':
        if (!takes.commandBucket) fault('command bucket id is not needed');
        commandBucket = parseCommandBucket(words, command);
        break;
      case 'group_id':
        group = words === 'all' ? OFPG.ALL : u32(words);
        if (group !== OFPG.ALL && group > OFPG.MAX) fault(`invalid group id ${group}`);
        break;
      case 'type':
        if (!takes.type) fault('type is not needed');
        type = TYPES.get(words) ?? fault(`invalid group type ${words}`);
        break;
      case 'selection_method':
        if (!takes.type) fault('selection method is not needed');
        if (words.length > 15) fault('selection method is longer than 15 bytes long');
        selection.method = words;
        namesSelection = true;
        break;
      case 'selection_method_param':
        if (!takes.type) fault('selection method param is not needed');
        namesSelection = true;
        selection.param = u64(words);
        hasParam = selection.param !== 0n;
        break;
      case 'fields':
        if (!takes.type) fault('fields are not needed');
        namesSelection = true;
        selection.fields = parseHashFields(words, names);
        break;
      default:
        fault(`unknown keyword ${key}`);
    }
  }
  if (group === undefined && (command !== 'delete' || text !== '')) fault('must specify a group_id');
  if (takes.type && type === undefined) fault('must specify a type');
  if (command === 'insert_bucket' && commandBucket === undefined) fault('must specify a command bucket id');
  const kind = type ?? 'all';
  checkSelection(selection, hasParam);
  const buckets = hasBuckets ? parseBuckets(text.slice(cut + 'bucket='.length), kind, command, names) : [];
  allocateIds(buckets);
  if (kind === 'indirect' && buckets.length > 1) fault('Indirect groups can have at most one bucket.');
  return {
    kind: 'groupMod',
    command,
    type: kind,
    group: group ?? OFPG.ALL,
    commandBucket: commandBucket ?? BUCKET.ALL,
    buckets: buckets as GroupBucket[],
    selection,
    ...(namesSelection && selection.method === '' ? { namesSelection } : {}),
  };
}

function checkSelection(selection: GroupSelection, hasParam: boolean): void {
  if (selection.method !== 'hash' && selection.fields.length > 0) fault('fields may only be specified with "selection_method=hash"');
  if (selection.method === '' && hasParam) fault('selection_method_param is only allowed with "selection_method"');
}

function parseCommandBucket(text: string, command: GroupCommand): number {
  if (text === 'all') {
    if (command !== 'remove_bucket') fault('command_bucket_id=all is not permitted');
    return BUCKET.ALL;
  }
  if (text === 'first') return BUCKET.FIRST;
  if (text === 'last') return BUCKET.LAST;
  const id = u32(text);
  if (id === BUCKET.ALL && command !== 'remove_bucket') fault('command_bucket_id=all is not permitted');
  if (id > BUCKET.MAX && id < BUCKET.FIRST) fault(`invalid command bucket id ${id}`);
  return id;
}

/** Whether a value says only a part of its field; `given` is a mask's text. */
function isPartly(field: Field, mask: bigint, text: string, given: string | undefined): boolean {
  if (field.format === 'decimal' || field.format === 'hex')
    return given !== undefined && wholeInteger(given, field.wireBytes) !== ones(field.wireBytes * 8);
  // Of flags said as a number or by name every bit is meant.
  if (field.format === 'ctState' || field.format === 'tunFlags') return /^[+-]|\//.test(text);
  return (mask & wholeMask(field)) !== wholeMask(field);
}

/** Reads the fields of a select group: a field alone counts whole, a value says which of its bits do. */
function parseHashFields(text: string, names?: PortNames): HashField[] {
  const fields: HashField[] = [];
  for (const { key, value, end } of splitKeyValues(text)) {
    const field = fieldNamed(key);
    // Some words of the reference quote what was not read yet.
    if (field === undefined) return fault(`${text.slice(end)}: unknown field ${key}`);
    if (fields.some((other) => other.field === field)) return fault(`${key}: duplicate field`);
    let mask = ones(field.wireBytes * 8);
    if (value !== undefined && value !== '') {
      if (value === '*') return fault('*: wildcards not allowed here');
      const parsed = parseField(field, value, names);
      // All of the bytes count, be there no such bits.
      const isNumber = tunFieldIndex(field) < 0 && (field.format === 'decimal' || field.format === 'hex');
      const [number = '', given] = value.split('/');
      const bits = (isNumber ? wholeInteger(number, field.wireBytes) : undefined) ?? parsed.value;
      if (isPartly(field, parsed.mask, value, given)) fault(`${value}: wildcards not allowed here`);
      if (bits === 0n && tunFieldIndex(field) < 0) fault(`${text.slice(end)}: values are wildcards here and must not be all-zeros`);
      if (!field.maskable && bits !== ones(field.wireBytes * 8)) fault(`${value}: invalid mask for field ${field.name}`);
      mask = bits;
    }
    fields.push({ field, mask });
  }
  return sortHashFields(fields);
}

/** A bucket whose number may not be given yet. */
type DraftBucket = Omit<GroupBucket, 'bucketId'> & { bucketId: number | undefined };

function parseBuckets(text: string, type: GroupType, command: GroupCommand, names?: PortNames): DraftBucket[] {
  return text.split('bucket=').map((part) => {
    const { bucket, hasWeight } = parseBucket(part, type, names);
    // A bucket to insert goes into a group whose type the text does not say.
    if (hasWeight && type !== 'select' && command !== 'insert_bucket') fault('Only select groups can have bucket weights.');
    return bucket;
  });
}

/** What is no action, by its name in the text. */
export const INSTRUCTIONS: ReadonlyMap<Action['kind'], string> = new Map([
  ['gotoTable', 'goto_table'],
  ['writeMetadata', 'write_metadata'],
  ['writeActions', 'write_actions'],
  ['clearActions', 'clear_actions'],
]);

function parseBucket(text: string, type: GroupType, names?: PortNames): { bucket: DraftBucket; hasWeight: boolean } {
  const actions: string[] = [];
  let hasActions = false;
  let weight: number | undefined;
  let bucketId: number | undefined;
  let watchPort: number = OFPP.NONE;
  let watchGroup: number = OFPG.ANY;
  for (const { key, value } of splitKeyValues(text)) {
    const words = value ?? '';
    switch (key) {
      case 'weight':
        weight = numberOf(words, 16, 'weight');
        break;
      case 'watch_port':
        watchPort = parsePort(words, names) ?? fault(`${words}: invalid watch_port`);
        if (watchPort >= OFPP.MAX && watchPort !== OFPP.NONE && watchPort !== OFPP.CONTROLLER) fault(`${words}: invalid watch_port`);
        break;
      case 'watch_group':
        watchGroup = u32(words);
        if (watchGroup > OFPG.MAX) fault(`invalid watch_group id ${watchGroup}`);
        break;
      case 'bucket_id':
        bucketId = u32(words);
        if (bucketId > BUCKET.MAX) fault(`invalid bucket_id id ${bucketId}`);
        break;
      case 'actions':
      case 'action':
        hasActions = true;
        if (words !== '') actions.push(words);
        break;
      default:
        hasActions = true;
        // Read anew in parentheses, so that what has an arrow behind its own has one parenthesis too many: the reference takes it as ill.
        actions.push(words === '' && key !== '' ? key : `${key}(${words})`);
    }
  }
  if (!hasActions) fault('bucket must specify actions');
  if (type === 'ff' && watchPort === OFPP.NONE && watchGroup === OFPG.ANY) {
    fault('fast failover bucket requires watch_port or watch_group');
  }
  const parsed = parseActions(actions.join(','), { names });
  const instruction = parsed.map((action) => INSTRUCTIONS.get(action.kind)).find((name) => name !== undefined);
  if (instruction !== undefined) fault(`${instruction} instruction not allowed here`);
  const bucket = { bucketId, weight: weight ?? (type === 'select' ? 1 : 0), watchPort, watchGroup, actions: parsed };
  return { bucket, hasWeight: weight !== undefined && weight !== 0 };
}

/**
 * Numbers the buckets without a number, upwards with those left out that are behind the first of them. The reference does not look at those
 * before it, so that numbers may be there twice.
 */
function allocateIds(buckets: DraftBucket[]): void {
  const first = buckets.findIndex(({ bucketId }) => bucketId === undefined);
  if (first < 0) return;
  const taken = new Set(buckets.slice(first).map(({ bucketId }) => bucketId));
  let next = 0;
  for (const bucket of buckets) {
    if (bucket.bucketId !== undefined) continue;
    while (taken.has(next)) next++;
    bucket.bucketId = next++;
  }
}

function bucketText(bucket: GroupBucket, version: OfVersion, type: ReadGroupDesc['type'], names?: PortNames): string {
  let text = 'bucket=';
  if (hasBucketIds(version)) text += `bucket_id:${bucket.bucketId},`;
  if (bucket.weight !== (type === 'select' ? 1 : 0)) text += `weight:${bucket.weight},`;
  if (bucket.watchPort !== OFPP.NONE) text += `watch_port:${formatPort(bucket.watchPort, names)},`;
  if (bucket.watchGroup !== OFPG.ANY) text += `watch_group:${bucket.watchGroup},`;
  return `${text}actions=${formatActions(bucket.actions, names)}`;
}

const TUN_FLAGS = ['oam', 'df', 'csum', 'key'];
const STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const bitsOf = (value: bigint, bits: number): boolean[] => Array.from({ length: bits }, (_, bit) => ((value >> BigInt(bit)) & 1n) === 1n);

/** Bits of a field that count for a hash, written as if they were a value of the field, with bits that no value has. */
function hashMaskText(field: Field, mask: bigint): string {
  const all = ones(field.name === 'vlan_vid' ? 13 : field.bits);
  switch (field.format) {
    case 'tunFlags': {
      const above = mask & ~ones(TUN_FLAGS.length);
      const names = TUN_FLAGS.filter((_, bit) => bitsOf(mask, TUN_FLAGS.length)[bit]);
      return [...names, ...(above === 0n ? [] : [hex(above)])].join('|') || '0';
    }
    case 'tcpFlags': {
      const above = mask & ~all;
      const known = formatField(field, { value: mask & all, mask: all });
      if (above === 0n) return known;
      return known === '0' ? hex(above) : `${known}|${hex(above)}`;
    }
    case 'ctState':
      return bitsOf(mask, 32)
        .map((isSet, bit) => `${isSet ? '+' : '-'}${STATES[bit] ?? '[Unknown]'}`)
        .join('');
    case 'packetType':
      return mask === 0n ? 'eth' : formatField(field, { value: mask, mask: all });
    case 'frag':
      return formatField(field, { value: mask & all, mask: all });
    default:
      return formatField(field, { value: mask, mask: all });
  }
}

function selectionText(selection: GroupSelection): string {
  if (selection.method === '') return '';
  let text = `,selection_method=${selection.method}`;
  if (selection.param !== 0n) text += `,selection_method_param=${selection.param}`;
  const fields = selection.fields.map(({ field, mask }) => {
    return mask === ones(field.wireBytes * 8) ? field.name : `${field.name}=${hashMaskText(field, mask)}`;
  });
  if (fields.length === 1) text += `,fields=${fields[0]}`;
  else if (fields.length > 1) text += `,fields(${fields.join(',')})`;
  return text;
}

/** A group as text: `group_id=1,type=select,bucket=...`; without `type` where a command does not say it. */
export function formatGroupDesc(desc: ReadGroupDesc, version: OfVersion, names?: PortNames, hasType = true): string {
  const buckets = desc.buckets.map((bucket) => `,${bucketText(bucket, version, desc.type, names)}`);
  const type = hasType ? `,type=${desc.type}` : '';
  return `group_id=${desc.group}${type}${selectionText(desc.selection)}${buckets.join('')}`;
}

const UNKNOWN = 0xffffffffffffffffn;
const COMMAND_NAMES: Readonly<Record<GroupCommand, string>> = {
  add: 'ADD',
  modify: 'MOD',
  add_or_mod: 'ADD_OR_MOD',
  delete: 'DEL',
  insert_bucket: 'INSERT_BUCKET',
  remove_bucket: 'REMOVE_BUCKET',
};

function commandBucketText(id: number): string {
  if (id === BUCKET.ALL) return 'all';
  if (id === BUCKET.FIRST) return 'first';
  return id === BUCKET.LAST ? 'last' : String(id);
}

/** A group modification, without what stands before its command. */
export function formatGroupMod(mod: GroupMod, version: OfVersion, names?: PortNames): string {
  const { commandBucket, type } = TAKES[mod.command];
  const place = commandBucket && hasBucketIds(version) ? `command_bucket_id:${commandBucketText(mod.commandBucket)},` : '';
  const hasType = type || mod.command === 'delete';
  return `${COMMAND_NAMES[mod.command]} ${place}${formatGroupDesc(mod, version, names, hasType)}`;
}

/** One line of `dump-group-stats`. */
export function formatGroupStats(stats: GroupStats): string {
  let text = `group_id=${stats.group},`;
  if (stats.durationSec !== 0xffffffff) text += `duration=${formatDuration(stats.durationSec, stats.durationNsec)},`;
  text += `ref_count=${stats.refCount},packet_count=${stats.packetCount},byte_count=${stats.byteCount}`;
  for (const [i, bucket] of stats.buckets.entries()) {
    if (bucket.packetCount !== UNKNOWN) text += `,bucket${i}:packet_count=${bucket.packetCount},byte_count=${bucket.byteCount}`;
  }
  return text;
}
