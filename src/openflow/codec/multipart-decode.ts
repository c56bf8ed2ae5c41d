// How the body of each request for statistics and of each part of a reply is read, by its name in the table of messages without the
// prefix: the prefix says whose form it is, OpenFlow's own, Nicira's (NXST) or the ONF's. OpenFlow 1.0.0 section 5.3.5, OpenFlow 1.3.5
// section 7.3.5.
import type { Message, OfVersion } from '../message.ts';
import { listMessage, readList } from './actions/partial.ts';
import type { ByteReader } from './bytes.ts';
import { decodeMonitorRequests, decodeMonitorUpdates } from './flow-monitor-codec.ts';
import { decodeAggregate, decodeFlowStats, decodeFlowStatsRequest } from './flow-stats-codec.ts';
import { decodeGroupDescs, decodeGroupFeatures, decodeGroupStats } from './group-codec.ts';
import { decodeIpfix } from './ipfix-codec.ts';
import { decodeMeterConfigs, decodeMeterFeatures, decodeMeterStats } from './meter-codec.ts';
import { decodePort, decodePortDescs, decodePortStats } from './port-codec.ts';
import { decodeQueueConfigReply, decodeQueueConfigRequest } from './queue-config-codec.ts';
import { decodeQueueStats } from './queue-stats-codec.ts';
import { decodeTableDescs } from './table-codec.ts';
import { decodeTableFeatures } from './table-features-codec.ts';
import { decodeTableStats } from './table-stats-codec.ts';

const MORE = 1;
/** Where no group is named, all are meant. */
const ALL_GROUPS = 0xfffffffc;
const ANY_PORT = 0xffff;

interface Part {
  isNicira: boolean;
  more: boolean;
  /** What table features name without there being such is refused. */
  isStrict: boolean;
}

type Decode = (from: ByteReader, version: OfVersion, part: Part) => Message;

const REQUESTS: Readonly<Record<string, Decode>> = {
  DESC: () => ({ kind: 'descRequest' }),
  FLOW: (from, version, { isNicira }) => ({ kind: 'flowStatsRequest', request: decodeFlowStatsRequest(from, version, isNicira) }),
  AGGREGATE: (from, version, { isNicira }) => ({ kind: 'aggregateRequest', request: decodeFlowStatsRequest(from, version, isNicira) }),
  TABLE: () => ({ kind: 'tableStatsRequest' }),
  PORT: (from, version) => ({ kind: 'portStatsRequest', port: decodePort(from, version) }),
  QUEUE: (from, version) => {
    const port = decodePort(from, version);
    if (version === 1) from.skip(2);
    return { kind: 'queueStatsRequest', port, queue: from.u32() };
  },
  // Only OpenFlow 1.5 can ask for one.
  PORT_DESC: (from, version) => ({ kind: 'portDescRequest', port: version === 6 ? decodePort(from, version) : ANY_PORT }),
  FLOW_MONITOR: (from, version) =>
    listMessage(
      () => decodeMonitorRequests(from, version),
      (requests) => ({ kind: 'flowMonitorRequest', requests }),
    ),
  TABLE_FEATURES: (from, version, { isStrict }) =>
    listMessage(
      () => readList(from, () => decodeTableFeatures(from, version, isStrict)),
      (tables) => ({ kind: 'tableFeaturesRequest', tables }),
    ),
  TABLE_DESC: () => ({ kind: 'tableDescRequest' }),
  QUEUE_DESC: (from, version) => decodeQueueConfigRequest(from, version),
  IPFIX_BRIDGE: () => ({ kind: 'ipfixBridgeRequest' }),
  IPFIX_FLOW: () => ({ kind: 'ipfixFlowRequest' }),
  GROUP: (from) => ({ kind: 'groupStatsRequest', group: from.u32() }),
  // Only OpenFlow 1.5 and Nicira's form can ask for one.
  GROUP_DESC: (from, version) => ({ kind: 'groupDescRequest', group: version === 1 || version === 6 ? from.u32() : ALL_GROUPS }),
  GROUP_FEATURES: () => ({ kind: 'groupFeaturesRequest' }),
  METER: (from) => ({ kind: 'meterStatsRequest', meter: from.u32() }),
  METER_CONFIG: (from) => ({ kind: 'meterConfigRequest', meter: from.u32() }),
  METER_FEATURES: () => ({ kind: 'meterFeaturesRequest' }),
};

const REPLIES: Readonly<Record<string, Decode>> = {
  DESC: (from, _, { more }) => ({
    kind: 'descReply',
    manufacturer: from.text(256),
    hardware: from.text(256),
    software: from.text(256),
    serial: from.text(32),
    datapath: from.text(256),
    more,
  }),
  FLOW: (from, version, { isNicira, more }) =>
    listMessage(
      () => decodeFlowStats(from, version, isNicira),
      (flows) => ({ kind: 'flowStatsReply', flows, more }),
    ),
  AGGREGATE: (from, version) => decodeAggregate(from, version),
  TABLE: (from, version, { more }) => ({ kind: 'tableStatsReply', tables: decodeTableStats(from, version), more }),
  PORT: (from, version, { more }) =>
    listMessage(
      () => decodePortStats(from, version),
      (ports) => ({ kind: 'portStatsReply', ports, more }),
    ),
  QUEUE: (from, version, { more }) =>
    listMessage(
      () => decodeQueueStats(from, version),
      (queues) => ({ kind: 'queueStatsReply', queues, more }),
    ),
  PORT_DESC: (from, version, { more }) =>
    listMessage(
      () => decodePortDescs(from, version),
      (ports) => ({ kind: 'portDescReply', ports, more }),
    ),
  FLOW_MONITOR: (from, version, { more }) =>
    listMessage(
      () => decodeMonitorUpdates(from, version),
      (updates) => ({ kind: 'flowMonitorReply', updates, more }),
    ),
  TABLE_FEATURES: (from, version, { more }) =>
    listMessage(
      () => readList(from, () => decodeTableFeatures(from, version)),
      (tables) => ({ kind: 'tableFeaturesReply', tables, more }),
    ),
  TABLE_DESC: (from, _, { more }) =>
    listMessage(
      () => decodeTableDescs(from),
      (tables) => ({ kind: 'tableDescReply', tables, more }),
    ),
  QUEUE_DESC: (from, version, { more }) => decodeQueueConfigReply(from, version, more),
  IPFIX_BRIDGE: (from) => ({ kind: 'ipfixBridgeReply', stats: decodeIpfix(from) }),
  IPFIX_FLOW: (from, _, { more }) =>
    listMessage(
      () => readList(from, decodeIpfix),
      (stats) => ({ kind: 'ipfixFlowReply', stats, more }),
    ),
  GROUP: (from, version, { more }) =>
    listMessage(
      () => decodeGroupStats(from, version),
      (groups) => ({ kind: 'groupStatsReply', groups, more }),
    ),
  GROUP_DESC: (from, version, { more }) =>
    listMessage(
      () => decodeGroupDescs(from, version),
      (groups) => ({ kind: 'groupDescReply', groups, more }),
    ),
  GROUP_FEATURES: (from) => ({ kind: 'groupFeaturesReply', features: decodeGroupFeatures(from) }),
  METER: (from, _, { more }) =>
    listMessage(
      () => decodeMeterStats(from),
      (meters) => ({ kind: 'meterStatsReply', meters, more }),
    ),
  METER_CONFIG: (from, _, { more }) =>
    listMessage(
      () => decodeMeterConfigs(from),
      (meters) => ({ kind: 'meterConfigReply', meters, more }),
    ),
  METER_FEATURES: (from) => ({ kind: 'meterFeaturesReply', features: decodeMeterFeatures(from) }),
};

/** The reader of the multipart message of that name; undefined when there is none. */
function decoderOf(name: string): { decode: Decode | undefined; owner: string } {
  const [, owner = '', word = '', direction = ''] = /^([A-Z]+)_(\w+) (\w+)$/.exec(name) ?? [];
  return { decode: (direction === 'request' ? REQUESTS : REPLIES)[word], owner };
}

/** Whether a multipart message of that name can be read. */
export const isMultipartKnown = (name: string): boolean => decoderOf(name).decode !== undefined;

/** Reads what follows the header of the multipart message of that name. */
export function decodeMultipart(from: ByteReader, version: OfVersion, name: string, isStrict: boolean): Message {
  const { decode, owner } = decoderOf(name);
  if (decode === undefined) throw new Error(`no way to read ${name}`);
  const isNicira = owner === 'NXST';
  const more = (from.skip(2).u16() & MORE) !== 0;
  if (version > 1) from.skip(4);
  // Vendor and subtype, behind which Nicira's have four bytes more in OpenFlow 1.0.
  if (owner !== 'OFPST') from.skip(isNicira && version === 1 ? 12 : 8);
  return decode(from, version, { isNicira, more, isStrict });
}
