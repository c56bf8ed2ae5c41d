// How each request for statistics and each part of a reply is written, in the manner of `message-encode.ts`. OpenFlow 1.0.0 section 5.3.5,
// OpenFlow 1.3.5 section 7.3.5.
import type { OfVersion } from '../message.ts';
import type { TableFeatures } from '../table-features.ts';
import type { ByteWriter } from './bytes.ts';
import type { CodecOptions } from './codec-options.ts';
import { encodeMonitorRequests, encodeMonitorUpdates } from './flow-monitor-codec.ts';
import { encodeAggregate, encodeFlowStats, encodeFlowStatsRequest } from './flow-stats-codec.ts';
import { encodeGroupDesc, encodeGroupFeatures, encodeGroupStats } from './group-codec.ts';
import { encodeIpfix } from './ipfix-codec.ts';
import { type EncoderRows, named, type Of } from './message-encode.ts';
import { encodeMeterConfig, encodeMeterFeatures, encodeMeterStats } from './meter-codec.ts';
import { encodePort, encodePortDesc, encodePortStats } from './port-codec.ts';
import { encodeQueueStats } from './queue-stats-codec.ts';
import { encodeTableDescs } from './table-codec.ts';
import { encodeTableFeatures } from './table-features-codec.ts';
import { encodeTableStats } from './table-stats-codec.ts';

const isNx = (version: OfVersion, { nxFlows }: CodecOptions): boolean => nxFlows === true && version === 1;

/** Flows go in Nicira's form where that is wished for in OpenFlow 1.0. */
const flowName = (what: string) => (version: OfVersion, _: unknown, options: CodecOptions) =>
  `${isNx(version, options) ? 'NXST' : 'OFPST'}_${what}`;
/** Groups are Nicira's in OpenFlow 1.0, their features in 1.1, too. */
const groupName = (what: string) => (version: OfVersion) => `${version === 1 ? 'NXST' : 'OFPST'}_${what}`;
const groupFeaturesName = (direction: string) => (version: OfVersion) => `${version <= 2 ? 'NXST' : 'OFPST'}_GROUP_FEATURES ${direction}`;
/** Flow monitors are Nicira's up to OpenFlow 1.2, the ONF's in 1.3, and OpenFlow's own from 1.4 on. */
const monitorName = (direction: string) => (version: OfVersion) =>
  `${version >= 5 ? 'OFPST' : version === 4 ? 'ONFST' : 'NXST'}_FLOW_MONITOR ${direction}`;

const flowRequestBody = (out: ByteWriter, { request }: Of<'flowStatsRequest'>, version: OfVersion, options: CodecOptions): void =>
  encodeFlowStatsRequest(out, version, request, isNx(version, options));
const meterRequestBody = (out: ByteWriter, { meter }: Of<'meterStatsRequest'>): void => void out.u32(meter).u32(0);

function tableFeaturesBody(out: ByteWriter, { tables }: { tables: readonly TableFeatures[] }, version: OfVersion): void {
  for (const table of tables) encodeTableFeatures(out, version, table);
}

export const MULTIPART_ENCODERS: EncoderRows = {
  descRequest: { name: named('OFPST_DESC request') },
  descReply: {
    name: named('OFPST_DESC reply'),
    body(out, message) {
      out.text(message.manufacturer, 256).text(message.hardware, 256).text(message.software, 256);
      out.text(message.serial, 32).text(message.datapath, 256);
    },
  },
  flowStatsRequest: { name: flowName('FLOW request'), body: flowRequestBody },
  flowStatsReply: {
    name: flowName('FLOW reply'),
    body(out, { flows }, version, options) {
      for (const flow of flows) encodeFlowStats(out, version, flow, isNx(version, options));
    },
  },
  aggregateRequest: { name: flowName('AGGREGATE request'), body: flowRequestBody },
  aggregateReply: { name: flowName('AGGREGATE reply'), body: (out, message, version) => encodeAggregate(out, version, message) },
  tableStatsRequest: { name: named('OFPST_TABLE request') },
  tableStatsReply: {
    name: named('OFPST_TABLE reply'),
    body(out, { tables }, version) {
      for (const table of tables) encodeTableStats(out, version, table);
    },
  },
  tableFeaturesRequest: { name: named('OFPST_TABLE_FEATURES request'), body: tableFeaturesBody },
  tableFeaturesReply: { name: named('OFPST_TABLE_FEATURES reply'), body: tableFeaturesBody },
  tableDescRequest: { name: named('OFPST_TABLE_DESC request') },
  tableDescReply: { name: named('OFPST_TABLE_DESC reply'), body: (out, { tables }) => encodeTableDescs(out, tables) },
  flowMonitorRequest: {
    name: monitorName('request'),
    body: (out, { requests }, version) => encodeMonitorRequests(out, version, requests),
  },
  flowMonitorReply: { name: monitorName('reply'), body: (out, { updates }, version) => encodeMonitorUpdates(out, version, updates) },
  portStatsRequest: {
    name: named('OFPST_PORT request'),
    body(out, { port }, version) {
      encodePort(out, version, port);
      out.zeros(version === 1 ? 6 : 4);
    },
  },
  portStatsReply: {
    name: named('OFPST_PORT reply'),
    body(out, { ports }, version) {
      for (const port of ports) encodePortStats(out, version, port);
    },
  },
  portDescRequest: {
    name: named('OFPST_PORT_DESC request'),
    body(out, { port }, version) {
      if (version !== 6) return;
      encodePort(out, version, port);
      out.zeros(4);
    },
  },
  portDescReply: {
    name: named('OFPST_PORT_DESC reply'),
    body(out, { ports }, version) {
      for (const port of ports) encodePortDesc(out, version, port);
    },
  },
  queueStatsRequest: {
    name: named('OFPST_QUEUE request'),
    body(out, { port, queue }, version) {
      encodePort(out, version, port);
      if (version === 1) out.u16(0);
      out.u32(queue);
    },
  },
  queueStatsReply: {
    name: named('OFPST_QUEUE reply'),
    body(out, { queues }, version) {
      for (const queue of queues) encodeQueueStats(out, version, queue);
    },
  },
  ipfixBridgeRequest: { name: named('NXST_IPFIX_BRIDGE request') },
  ipfixBridgeReply: { name: named('NXST_IPFIX_BRIDGE reply'), body: (out, { stats }) => void encodeIpfix(out, stats) },
  ipfixFlowRequest: { name: named('NXST_IPFIX_FLOW request') },
  ipfixFlowReply: {
    name: named('NXST_IPFIX_FLOW reply'),
    body(out, { stats }) {
      for (const one of stats) encodeIpfix(out, one);
    },
  },
  groupStatsRequest: { name: groupName('GROUP request'), body: (out, { group }) => void out.u32(group).u32(0) },
  groupStatsReply: {
    name: groupName('GROUP reply'),
    body(out, { groups }, version) {
      for (const group of groups) encodeGroupStats(out, version, group);
    },
  },
  groupDescRequest: {
    name: groupName('GROUP_DESC request'),
    body(out, { group }, version) {
      if (version === 1 || version === 6) out.u32(group).u32(0);
    },
  },
  groupDescReply: {
    name: groupName('GROUP_DESC reply'),
    body(out, { groups }, version) {
      for (const group of groups) encodeGroupDesc(out, version, group);
    },
  },
  groupFeaturesRequest: { name: groupFeaturesName('request') },
  groupFeaturesReply: { name: groupFeaturesName('reply'), body: (out, { features }) => encodeGroupFeatures(out, features) },
  meterStatsRequest: { name: named('OFPST_METER request'), body: meterRequestBody },
  meterStatsReply: {
    name: named('OFPST_METER reply'),
    body(out, { meters }) {
      for (const meter of meters) encodeMeterStats(out, meter);
    },
  },
  meterConfigRequest: { name: named('OFPST_METER_CONFIG request'), body: meterRequestBody },
  meterConfigReply: {
    name: named('OFPST_METER_CONFIG reply'),
    body(out, { meters }) {
      for (const meter of meters) encodeMeterConfig(out, meter);
    },
  },
  meterFeaturesRequest: { name: named('OFPST_METER_FEATURES request') },
  meterFeaturesReply: { name: named('OFPST_METER_FEATURES reply'), body: (out, { features }) => encodeMeterFeatures(out, features) },
};
