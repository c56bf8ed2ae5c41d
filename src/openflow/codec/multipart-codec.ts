// Statistics (multipart) requests and replies. OpenFlow 1.0.0 section 5.3.5, OpenFlow 1.3.5 section 7.3.5, and Nicira's NXST_FLOW and
// NXST_AGGREGATE inside OpenFlow 1.0's vendor statistics.
import { PeerError } from '../../base/errors.ts';
import type { Message, OfVersion, TableStats } from '../message.ts';
import { NX_VENDOR, ONF_VENDOR } from './actions/action-constants.ts';
import { listMessage, readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOxs, encodeOxs } from './fields/oxs.ts';
import { decodeFlowStats, decodeFlowStatsRequest, encodeFlowStats, encodeFlowStatsRequest } from './flow-codec.ts';
import { decodeMonitorRequests, decodeMonitorUpdates, encodeMonitorRequests, encodeMonitorUpdates } from './flow-monitor-codec.ts';
import { decodeGroupReply, decodeGroupRequest, type Envelopes, encodeGroupReply, encodeGroupRequest } from './group-multipart-codec.ts';
import { decodeIpfix, encodeIpfix } from './ipfix-codec.ts';
import { decodePort, decodePortDescs, decodePortStats, encodePort, encodePortDesc, encodePortStats } from './port-codec.ts';
import {
  decodeQueueConfigReply,
  decodeQueueConfigRequest,
  encodeQueueConfigReply,
  encodeQueueConfigRequest,
} from './queue-config-codec.ts';
import { decodeTableDescs, encodeTableDescs } from './table-codec.ts';
import { decodeOldFeatures, decodeTableFeatures, encodeTableFeatures } from './table-features-codec.ts';

const NXST_FLOW_MONITOR = 2;
const NXST_IPFIX_BRIDGE = 3;
const NXST_IPFIX_FLOW = 4;
const ONFST_FLOW_MONITOR = 1870;

const TYPE = {
  DESC: 0,
  FLOW: 1,
  AGGREGATE: 2,
  TABLE: 3,
  PORT: 4,
  QUEUE: 5,
  TABLE_FEATURES: 12,
  PORT_DESC: 13,
  TABLE_DESC: 14,
  QUEUE_DESC: 15,
  FLOW_MONITOR: 16,
  EXPERIMENTER: 0xffff,
} as const;
const MORE = 1;
type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** Which numbers a message kind has; `nx` when Nicira's form is meant. */
interface Envelope {
  type: number;
  more: boolean;
  nx: boolean;
}

function decodeEnvelope(from: ByteReader, version: OfVersion): Envelope & { subtype: number; vendor: number } {
  const type = from.u16();
  const more = (from.u16() & MORE) !== 0;
  if (version > 1) from.skip(4);
  if (type !== TYPE.EXPERIMENTER) return { type, more, nx: false, subtype: 0, vendor: 0 };
  const vendor = from.u32();
  const subtype = from.u32();
  if (vendor === NX_VENDOR) from.skip(version === 1 ? 4 : 0);
  return { type, more, nx: vendor === NX_VENDOR, subtype, vendor };
}

const isMonitor = (version: OfVersion, vendor: number, subtype: number): boolean =>
  version <= 3
    ? vendor === NX_VENDOR && subtype === NXST_FLOW_MONITOR
    : version === 4 && vendor === ONF_VENDOR && subtype === ONFST_FLOW_MONITOR;

/** Reads a statistics request; `isStrict` refuses what table features name without there being such. */
export function decodeRequest(from: ByteReader, version: OfVersion, isStrict = false): Message {
  const start = from.at;
  const { type, nx, subtype, vendor } = decodeEnvelope(from, version);
  if (nx && version === 1 && subtype === 0) return { kind: 'flowStatsRequest', request: decodeFlowStatsRequest(from, version, true) };
  if (nx && version === 1 && subtype === 1) return { kind: 'aggregateRequest', request: decodeFlowStatsRequest(from, version, true) };
  if (isMonitor(version, vendor, subtype)) return monitorRequests(from, version);
  if (nx && subtype === NXST_IPFIX_BRIDGE) return { kind: 'ipfixBridgeRequest' };
  if (nx && subtype === NXST_IPFIX_FLOW) return { kind: 'ipfixFlowRequest' };
  const group = vendor === 0 || nx ? decodeGroupRequest(from, version, nx ? subtype : type, nx) : undefined;
  if (group !== undefined) return group;
  switch (type) {
    case TYPE.DESC:
      return { kind: 'descRequest' };
    case TYPE.FLOW:
      return { kind: 'flowStatsRequest', request: decodeFlowStatsRequest(from, version, false) };
    case TYPE.AGGREGATE:
      return { kind: 'aggregateRequest', request: decodeFlowStatsRequest(from, version, false) };
    case TYPE.TABLE:
      return { kind: 'tableStatsRequest' };
    case TYPE.FLOW_MONITOR:
      if (version < 5) break;
      return monitorRequests(from, version);
    case TYPE.TABLE_FEATURES:
      return listMessage(
        () => readList(from, () => decodeTableFeatures(from, version, isStrict)),
        (tables) => ({ kind: 'tableFeaturesRequest', tables }),
      );
    case TYPE.TABLE_DESC:
      return { kind: 'tableDescRequest' };
    case TYPE.QUEUE_DESC:
      return decodeQueueConfigRequest(from, version);
    case TYPE.PORT:
      return { kind: 'portStatsRequest', port: decodePort(from, version) };
    case TYPE.PORT_DESC:
      return { kind: 'portDescRequest', port: version === 6 && from.left >= 4 ? decodePort(from, version) : 0xffff };
    case TYPE.QUEUE: {
      const port = decodePort(from, version);
      if (version === 1) from.skip(2);
      return { kind: 'queueStatsRequest', port, queue: from.u32() };
    }
  }
  const body = from.bytes.slice(start);
  return {
    kind: 'unknown',
    type: version === 1 ? 16 : 18,
    experimenter: vendor,
    subtype: type === TYPE.EXPERIMENTER ? subtype : type,
    body,
  };
}

/** Reads a statistics reply. */
export function decodeReply(from: ByteReader, version: OfVersion): Message {
  const start = from.at;
  const { type, more, nx, subtype, vendor } = decodeEnvelope(from, version);
  if (nx && version === 1 && subtype === 0) return flowStats(from, version, true, more);
  if (nx && version === 1 && subtype === 1) return decodeAggregate(from, version);
  if (isMonitor(version, vendor, subtype)) return monitorUpdates(from, version, more);
  if (nx && subtype === NXST_IPFIX_BRIDGE) return { kind: 'ipfixBridgeReply', stats: decodeIpfix(from) };
  if (nx && subtype === NXST_IPFIX_FLOW) {
    return listMessage(
      () => readList(from, decodeIpfix),
      (stats) => ({ kind: 'ipfixFlowReply', stats, more }),
    );
  }
  const group = vendor === 0 || nx ? decodeGroupReply(from, version, nx ? subtype : type, nx, more) : undefined;
  if (group !== undefined) return group;
  switch (type) {
    case TYPE.DESC:
      return {
        kind: 'descReply',
        manufacturer: from.text(256),
        hardware: from.text(256),
        software: from.text(256),
        serial: from.text(32),
        datapath: from.text(256),
        more,
      };
    case TYPE.FLOW:
      return flowStats(from, version, false, more);
    case TYPE.AGGREGATE:
      return decodeAggregate(from, version);
    case TYPE.TABLE:
      return { kind: 'tableStatsReply', tables: decodeTableStats(from, version), more };
    case TYPE.FLOW_MONITOR:
      if (version < 5) break;
      return monitorUpdates(from, version, more);
    case TYPE.TABLE_FEATURES:
      return listMessage(
        () => readList(from, () => decodeTableFeatures(from, version)),
        (tables) => ({ kind: 'tableFeaturesReply', tables, more }),
      );
    case TYPE.TABLE_DESC:
      return listMessage(
        () => decodeTableDescs(from),
        (tables) => ({ kind: 'tableDescReply', tables, more }),
      );
    case TYPE.QUEUE_DESC:
      return decodeQueueConfigReply(from, version, more);
    case TYPE.PORT:
      return listMessage(
        () => decodePortStats(from, version),
        (ports) => ({ kind: 'portStatsReply', ports, more }),
      );
    case TYPE.PORT_DESC:
      return listMessage(
        () => decodePortDescs(from, version),
        (ports) => ({ kind: 'portDescReply', ports, more }),
      );
    case TYPE.QUEUE:
      return listMessage(
        () => decodeQueueStats(from, version),
        (queues) => ({ kind: 'queueStatsReply', queues, more }),
      );
  }
  const body = from.bytes.slice(start);
  return {
    kind: 'unknown',
    type: version === 1 ? 17 : 19,
    experimenter: vendor,
    subtype: type === TYPE.EXPERIMENTER ? subtype : type,
    body,
  };
}

const monitorRequests = (from: ByteReader, version: OfVersion): Message =>
  listMessage(
    () => decodeMonitorRequests(from, version),
    (requests) => ({ kind: 'flowMonitorRequest', requests }),
  );

const monitorUpdates = (from: ByteReader, version: OfVersion, more: boolean): Message =>
  listMessage(
    () => decodeMonitorUpdates(from, version),
    (updates) => ({ kind: 'flowMonitorReply', updates, more }),
  );

const flowStats = (from: ByteReader, version: OfVersion, nx: boolean, more: boolean): Message =>
  listMessage(
    () => decodeFlowStats(from, version, nx),
    (flows) => ({ kind: 'flowStatsReply', flows, more }),
  );

function decodeAggregate(from: ByteReader, version: OfVersion): Of<'aggregateReply'> {
  if (version === 6) {
    const oxs = decodeOxs(from);
    return { kind: 'aggregateReply', packetCount: oxs.packetCount, byteCount: oxs.byteCount, flowCount: oxs.flowCount ?? 0xffffffff };
  }
  return { kind: 'aggregateReply', packetCount: from.u64(), byteCount: from.u64(), flowCount: from.u32() };
}

/** Bytes of one table's entry, and how many bytes lie between its name and its numbers, by version. */
const TABLE_SIZE: Readonly<Record<number, number>> = { 1: 64, 2: 88, 3: 128 };

function decodeTableStats(from: ByteReader, version: OfVersion): TableStats[] {
  return readList(from, () => {
    if (version >= 4) {
      const table = from.u8();
      from.skip(3);
      return { table, name: '', maxEntries: 0, activeCount: from.u32(), lookupCount: from.u64(), matchedCount: from.u64() };
    }
    const entry = from.sub(TABLE_SIZE[version] ?? 0);
    const table = entry.u8();
    entry.skip(version === 1 ? 3 : 7);
    const name = entry.text(32);
    const features = decodeOldFeatures(entry, version, table, name);
    const maxEntries = entry.u32();
    features.maxEntries = maxEntries;
    return { table, name, maxEntries, activeCount: entry.u32(), lookupCount: entry.u64(), matchedCount: entry.u64(), features };
  });
}

/** What every table can do, as OpenFlow 1.1 and 1.2 tell with its statistics: bits of fields, instructions and actions. */
const MATCH11 = 0xfbff;
const INSTRUCTIONS = 0x3e;
const GOTO_TABLE = 2;
const LAST_TABLE = 253;
const ACTIONS11 = 0x01ffe7ff;
const MATCH12 = 0x101ffffffffdn;
const WRITE12 = 0xffffffbddn;
const ACTIONS12 = 0x03ff8001;
const ALL_METADATA = 0xffffffffffffffffn;

function encodeTableStats(out: ByteWriter, version: OfVersion, t: TableStats): void {
  if (version >= 4) {
    out.u8(t.table).zeros(3).u32(t.activeCount).u64(t.lookupCount).u64(t.matchedCount);
    return;
  }
  out
    .u8(t.table)
    .zeros(version === 1 ? 3 : 7)
    .text(t.name, 32);
  // The reference tells OpenFlow 1.1 of its own numbering, 1.2 of the protocol's.
  const { miss = 0 } = t;
  const config = version === 2 ? miss : Math.max(0, miss - 1);
  // The last table has none to go to.
  const instructions = t.table === LAST_TABLE ? INSTRUCTIONS & ~GOTO_TABLE : INSTRUCTIONS;
  if (version === 1) out.u32(0x3fffff);
  else if (version === 2) out.u32(MATCH11).u32(MATCH11).u32(instructions).u32(ACTIONS11).u32(ACTIONS11).u32(config);
  else {
    out.u64(MATCH12).u64(MATCH12).u32(ACTIONS12).u32(ACTIONS12).u64(WRITE12).u64(WRITE12);
    out.u64(ALL_METADATA).u64(ALL_METADATA).u32(instructions).u32(config);
  }
  out.u32(t.maxEntries).u32(t.activeCount).u64(t.lookupCount).u64(t.matchedCount);
}

function decodeQueueStats(from: ByteReader, version: OfVersion): Of<'queueStatsReply'>['queues'] {
  return readList(from, () => {
    let entry = from;
    if (version >= 5) {
      const length = from.u16();
      if (length < 48) throw new PeerError('OFPBRC_BAD_LEN', `queue statistics of ${length} bytes`);
      entry = from.sub(length - 2).skip(6);
    }
    const port = decodePort(entry, version);
    if (version === 1) entry.skip(2);
    const queue = entry.u32();
    const txBytes = entry.u64();
    const txPackets = entry.u64();
    const txErrors = entry.u64();
    const durationSec = version >= 4 ? entry.u32() : 0xffffffff;
    const durationNsec = version >= 4 ? entry.u32() : 0xffffffff;
    return { port, queue, txBytes, txPackets, txErrors, durationSec, durationNsec };
  });
}

function encodeQueueStats(out: ByteWriter, version: OfVersion, q: Of<'queueStatsReply'>['queues'][number]): void {
  if (version >= 5) out.u16(48).zeros(6);
  encodePort(out, version, q.port);
  if (version === 1) out.u16(0);
  out.u32(q.queue).u64(q.txBytes).u64(q.txPackets).u64(q.txErrors);
  if (version >= 4) out.u32(q.durationSec).u32(q.durationNsec);
}

function envelope(out: ByteWriter, version: OfVersion, type: number, more: boolean): void {
  out.u16(type).u16(more ? MORE : 0);
  if (version > 1) out.u32(0);
}

function nxEnvelope(out: ByteWriter, version: OfVersion, subtype: number, more: boolean): void {
  envelope(out, version, TYPE.EXPERIMENTER, more);
  out.u32(NX_VENDOR).u32(subtype);
  if (version === 1) out.u32(0);
}

const envelopes = (out: ByteWriter, version: OfVersion): Envelopes => ({
  own: (number, more) => envelope(out, version, number, more),
  nicira: (number, more) => nxEnvelope(out, version, number, more),
});

/** Flow monitors are Nicira's up to OpenFlow 1.2, the ONF's in 1.3, and OpenFlow's own from 1.4 on. */
function monitorEnvelope(out: ByteWriter, version: OfVersion, more: boolean): void {
  if (version >= 5) {
    envelope(out, version, TYPE.FLOW_MONITOR, more);
    return;
  }
  envelope(out, version, TYPE.EXPERIMENTER, more);
  if (version === 4) out.u32(ONF_VENDOR).u32(ONFST_FLOW_MONITOR);
  else {
    out.u32(NX_VENDOR).u32(NXST_FLOW_MONITOR);
    if (version === 1) out.u32(0);
  }
}

/** Writes a statistics request's body; false when the message is none. `nx` asks for Nicira's form in OpenFlow 1.0. */
export function encodeRequest(out: ByteWriter, version: OfVersion, message: Message, nx: boolean): boolean {
  const simple = (type: number): true => {
    envelope(out, version, type, false);
    return true;
  };
  switch (message.kind) {
    case 'descRequest':
      return simple(TYPE.DESC);
    case 'flowStatsRequest':
    case 'aggregateRequest': {
      const isFlow = message.kind === 'flowStatsRequest';
      const useNx = nx && version === 1;
      if (useNx) nxEnvelope(out, version, isFlow ? 0 : 1, false);
      else simple(isFlow ? TYPE.FLOW : TYPE.AGGREGATE);
      encodeFlowStatsRequest(out, version, message.request, useNx);
      return true;
    }
    case 'tableStatsRequest':
      return simple(TYPE.TABLE);
    case 'flowMonitorRequest':
      monitorEnvelope(out, version, false);
      encodeMonitorRequests(out, version, message.requests);
      return true;
    case 'tableFeaturesRequest':
      simple(TYPE.TABLE_FEATURES);
      for (const table of message.tables) encodeTableFeatures(out, version, table);
      return true;
    case 'ipfixBridgeRequest':
    case 'ipfixFlowRequest':
      nxEnvelope(out, version, message.kind === 'ipfixBridgeRequest' ? NXST_IPFIX_BRIDGE : NXST_IPFIX_FLOW, false);
      return true;
    case 'tableDescRequest':
      return simple(TYPE.TABLE_DESC);
    case 'queueConfigRequest':
      simple(TYPE.QUEUE_DESC);
      encodeQueueConfigRequest(out, version, message);
      return true;
    case 'portStatsRequest':
      simple(TYPE.PORT);
      encodePort(out, version, message.port);
      out.zeros(version === 1 ? 6 : 4);
      return true;
    case 'portDescRequest':
      simple(TYPE.PORT_DESC);
      if (version === 6) {
        encodePort(out, version, message.port);
        out.zeros(4);
      }
      return true;
    case 'queueStatsRequest':
      simple(TYPE.QUEUE);
      encodePort(out, version, message.port);
      if (version === 1) out.u16(0);
      out.u32(message.queue);
      return true;
    default:
      return encodeGroupRequest(out, version, message, envelopes(out, version));
  }
}

/** Writes a statistics reply's body; false when the message is none. */
export function encodeReply(out: ByteWriter, version: OfVersion, message: Message, nx: boolean): boolean {
  const start = (type: number, more: boolean): void => envelope(out, version, type, more);
  switch (message.kind) {
    case 'descReply':
      start(TYPE.DESC, message.more);
      out.text(message.manufacturer, 256).text(message.hardware, 256).text(message.software, 256);
      out.text(message.serial, 32).text(message.datapath, 256);
      return true;
    case 'flowStatsReply': {
      const useNx = nx && version === 1;
      if (useNx) nxEnvelope(out, version, 0, message.more);
      else start(TYPE.FLOW, message.more);
      for (const flow of message.flows) encodeFlowStats(out, version, flow, useNx);
      return true;
    }
    case 'aggregateReply':
      if (nx && version === 1) nxEnvelope(out, version, 1, false);
      else start(TYPE.AGGREGATE, false);
      if (version === 6)
        encodeOxs(out, {
          durationSec: 0,
          durationNsec: 0,
          packetCount: message.packetCount,
          byteCount: message.byteCount,
          flowCount: message.flowCount,
        });
      else out.u64(message.packetCount).u64(message.byteCount).u32(message.flowCount).u32(0);
      return true;
    case 'tableStatsReply':
      start(TYPE.TABLE, message.more);
      for (const table of message.tables) encodeTableStats(out, version, table);
      return true;
    case 'flowMonitorReply':
      monitorEnvelope(out, version, message.more);
      encodeMonitorUpdates(out, version, message.updates);
      return true;
    case 'tableFeaturesReply':
      start(TYPE.TABLE_FEATURES, message.more);
      for (const table of message.tables) encodeTableFeatures(out, version, table);
      return true;
    case 'ipfixBridgeReply':
      nxEnvelope(out, version, NXST_IPFIX_BRIDGE, false);
      encodeIpfix(out, message.stats);
      return true;
    case 'ipfixFlowReply':
      nxEnvelope(out, version, NXST_IPFIX_FLOW, message.more);
      for (const stats of message.stats) encodeIpfix(out, stats);
      return true;
    case 'tableDescReply':
      start(TYPE.TABLE_DESC, message.more);
      encodeTableDescs(out, message.tables);
      return true;
    case 'queueConfigReply':
      start(TYPE.QUEUE_DESC, message.more);
      encodeQueueConfigReply(out, version, message);
      return true;
    case 'portStatsReply':
      start(TYPE.PORT, message.more);
      for (const port of message.ports) encodePortStats(out, version, port);
      return true;
    case 'portDescReply':
      start(TYPE.PORT_DESC, message.more);
      for (const port of message.ports) encodePortDesc(out, version, port);
      return true;
    case 'queueStatsReply':
      start(TYPE.QUEUE, message.more);
      for (const queue of message.queues) encodeQueueStats(out, version, queue);
      return true;
    default:
      return encodeGroupReply(out, version, message, envelopes(out, version));
  }
}
