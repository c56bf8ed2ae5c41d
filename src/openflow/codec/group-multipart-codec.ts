// The multipart messages of groups and meters: their types by version, and Nicira's numbers in OpenFlow 1.0 (1.1 has group features
// only so).
import type { Message, OfVersion } from '../message.ts';
import { listMessage } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import {
  decodeGroupDescs,
  decodeGroupFeatures,
  decodeGroupStats,
  encodeGroupDesc,
  encodeGroupFeatures,
  encodeGroupStats,
} from './group-codec.ts';
import {
  decodeMeterConfigs,
  decodeMeterFeatures,
  decodeMeterStats,
  encodeMeterConfig,
  encodeMeterFeatures,
  encodeMeterStats,
} from './meter-codec.ts';

const WORDS = ['groupStats', 'groupDesc', 'groupFeatures', 'meterStats', 'meterConfig', 'meterFeatures'] as const;
type Word = (typeof WORDS)[number];

const OWN: Readonly<Record<Word, number>> = {
  groupStats: 6,
  groupDesc: 7,
  groupFeatures: 8,
  meterStats: 9,
  meterConfig: 10,
  meterFeatures: 11,
};
const NICIRA: Readonly<Partial<Record<Word, number>>> = { groupStats: 7, groupDesc: 8, groupFeatures: 9 };

/** The place of one of them in a version. */
function placeOf(word: Word, version: OfVersion): { number: number; isNicira: boolean } {
  const isNicira = version === 1 || (version === 2 && word === 'groupFeatures');
  return { number: (isNicira ? NICIRA[word] : undefined) ?? OWN[word], isNicira };
}

const wordAt = (version: OfVersion, number: number, isNicira: boolean): Word | undefined =>
  WORDS.find((word) => {
    const place = placeOf(word, version);
    return place.number === number && place.isNicira === isNicira;
  });

/** Reads a request of these; undefined when `number` is none. */
export function decodeGroupRequest(from: ByteReader, version: OfVersion, number: number, isNicira: boolean): Message | undefined {
  switch (wordAt(version, number, isNicira)) {
    case 'groupStats':
      return { kind: 'groupStatsRequest', group: from.u32() };
    case 'groupDesc':
      // Only OpenFlow 1.5 and Nicira's form can ask for one.
      return { kind: 'groupDescRequest', group: version === 1 || version === 6 ? from.u32() : 0xfffffffc };
    case 'groupFeatures':
      return { kind: 'groupFeaturesRequest' };
    case 'meterStats':
      return { kind: 'meterStatsRequest', meter: from.u32() };
    case 'meterConfig':
      return { kind: 'meterConfigRequest', meter: from.u32() };
    case 'meterFeatures':
      return { kind: 'meterFeaturesRequest' };
    case undefined:
      return undefined;
  }
}

/** Reads a reply of these; undefined when `number` is none. */
export function decodeGroupReply(
  from: ByteReader,
  version: OfVersion,
  number: number,
  isNicira: boolean,
  more: boolean,
): Message | undefined {
  switch (wordAt(version, number, isNicira)) {
    case 'groupStats':
      return listMessage(
        () => decodeGroupStats(from, version),
        (groups) => ({ kind: 'groupStatsReply', groups, more }),
      );
    case 'groupDesc':
      return listMessage(
        () => decodeGroupDescs(from, version),
        (groups) => ({ kind: 'groupDescReply', groups, more }),
      );
    case 'groupFeatures':
      return { kind: 'groupFeaturesReply', features: decodeGroupFeatures(from) };
    case 'meterStats':
      return listMessage(
        () => decodeMeterStats(from),
        (meters) => ({ kind: 'meterStatsReply', meters, more }),
      );
    case 'meterConfig':
      return listMessage(
        () => decodeMeterConfigs(from),
        (meters) => ({ kind: 'meterConfigReply', meters, more }),
      );
    case 'meterFeatures':
      return { kind: 'meterFeaturesReply', features: decodeMeterFeatures(from) };
    case undefined:
      return undefined;
  }
}

/** How the multipart codec begins a message, in a version's own form or Nicira's. */
export interface Envelopes {
  own(number: number, more: boolean): void;
  nicira(number: number, more: boolean): void;
}

/** Writes a request of these; false when the message is none. */
export function encodeGroupRequest(out: ByteWriter, version: OfVersion, message: Message, envelopes: Envelopes): boolean {
  const begin = (word: Word): void => {
    const { number, isNicira } = placeOf(word, version);
    if (isNicira) envelopes.nicira(number, false);
    else envelopes.own(number, false);
  };
  switch (message.kind) {
    case 'groupStatsRequest':
      begin('groupStats');
      out.u32(message.group).u32(0);
      return true;
    case 'groupDescRequest':
      begin('groupDesc');
      if (version === 1 || version === 6) out.u32(message.group).u32(0);
      return true;
    case 'groupFeaturesRequest':
      begin('groupFeatures');
      return true;
    case 'meterStatsRequest':
    case 'meterConfigRequest':
      begin(message.kind === 'meterStatsRequest' ? 'meterStats' : 'meterConfig');
      out.u32(message.meter).u32(0);
      return true;
    case 'meterFeaturesRequest':
      begin('meterFeatures');
      return true;
    default:
      return false;
  }
}

/** Writes a reply of these; false when the message is none. */
export function encodeGroupReply(out: ByteWriter, version: OfVersion, message: Message, envelopes: Envelopes): boolean {
  const begin = (word: Word, more: boolean): void => {
    const { number, isNicira } = placeOf(word, version);
    if (isNicira) envelopes.nicira(number, more);
    else envelopes.own(number, more);
  };
  switch (message.kind) {
    case 'groupStatsReply':
      begin('groupStats', message.more);
      for (const group of message.groups) encodeGroupStats(out, version, group);
      return true;
    case 'groupDescReply':
      begin('groupDesc', message.more);
      for (const group of message.groups) encodeGroupDesc(out, version, group);
      return true;
    case 'groupFeaturesReply':
      begin('groupFeatures', false);
      encodeGroupFeatures(out, message.features);
      return true;
    case 'meterStatsReply':
      begin('meterStats', message.more);
      for (const meter of message.meters) encodeMeterStats(out, meter);
      return true;
    case 'meterConfigReply':
      begin('meterConfig', message.more);
      for (const meter of message.meters) encodeMeterConfig(out, meter);
      return true;
    case 'meterFeaturesReply':
      begin('meterFeatures', false);
      encodeMeterFeatures(out, message.features);
      return true;
    default:
      return false;
  }
}
