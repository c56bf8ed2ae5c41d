// How the body of each message is read, by its name in the table of messages; those of statistics are in `multipart-decode.ts`. A hello
// comes before a version is agreed on, and is read by itself.
import { decodeError } from '../errors.ts';
import type { Message, OfVersion } from '../message.ts';
import { decodeAsync, decodeAsyncProperties } from './async-codec.ts';
import { decodeBundleAdd, decodeBundleControl } from './bundle-codec.ts';
import type { ByteReader } from './bytes.ts';
import type { CodecOptions } from './codec-options.ts';
import { decodeCtFlush } from './ct-flush-codec.ts';
import { decodeFlowMod, decodeNxFlowMod } from './flow-mod-codec.ts';
import { decodeMonitorCancel } from './flow-monitor-codec.ts';
import { decodeFlowRemoved, decodeNxFlowRemoved } from './flow-removed-codec.ts';
import { decodeGroupMod } from './group-codec.ts';
import { decodeMeterMod } from './meter-codec.ts';
import { decodeNxPacketIn, decodeNxPacketIn2, decodePacketIn, decodePacketOut } from './packet-codec.ts';
import { decodePortMod, decodePortStatus } from './port-codec.ts';
import { decodeQueueConfigReply, decodeQueueConfigRequest } from './queue-config-codec.ts';
import {
  decodeFeatures,
  decodeFlowFormat,
  decodeNxRole,
  decodeRole,
  decodeRoleStatus,
  decodeSetConfig,
  packetInFormat,
} from './session-codec.ts';
import { decodeTableMod, decodeTableStatus } from './table-codec.ts';
import { decodeTlvMod, decodeTlvReply } from './tlv-codec.ts';

/** Reads what follows the header, of an experimenter's message what follows its subtype. */
export type DecodeBody = (from: ByteReader, version: OfVersion, options: CodecOptions, xid: number) => Message;

const asyncOf = (from: ByteReader, version: OfVersion, isSet: boolean): Map<string, number> =>
  version >= 5 ? decodeAsyncProperties(from, version, isSet) : decodeAsync(from, version);

const requestForward: DecodeBody = (from) => ({ kind: 'requestForward', inner: from.rest().slice() });
const bundleAdd: DecodeBody = (from, version, _, xid) => decodeBundleAdd(from, version, xid);

export const DECODERS: Readonly<Record<string, DecodeBody>> = {
  OFPT_ERROR: decodeError,
  OFPT_ECHO_REQUEST: (from) => ({ kind: 'echoRequest', data: from.rest().slice() }),
  OFPT_ECHO_REPLY: (from) => ({ kind: 'echoReply', data: from.rest().slice() }),
  OFPT_FEATURES_REQUEST: () => ({ kind: 'featuresRequest' }),
  OFPT_FEATURES_REPLY: decodeFeatures,
  OFPT_GET_CONFIG_REQUEST: () => ({ kind: 'getConfigRequest' }),
  OFPT_GET_CONFIG_REPLY: (from) => ({ kind: 'getConfigReply', flags: from.u16(), missSendLength: from.u16() }),
  OFPT_SET_CONFIG: decodeSetConfig,
  OFPT_PACKET_IN: decodePacketIn,
  OFPT_FLOW_REMOVED: decodeFlowRemoved,
  OFPT_PORT_STATUS: decodePortStatus,
  OFPT_PACKET_OUT: (from, version) => decodePacketOut(from, version),
  OFPT_FLOW_MOD: (from, version, { flowModTableId }) => decodeFlowMod(from, version, flowModTableId === true),
  OFPT_GROUP_MOD: decodeGroupMod,
  OFPT_PORT_MOD: (from, version, { isStrict }) => decodePortMod(from, version, isStrict !== true),
  OFPT_TABLE_MOD: decodeTableMod,
  OFPT_BARRIER_REQUEST: () => ({ kind: 'barrierRequest' }),
  OFPT_BARRIER_REPLY: () => ({ kind: 'barrierReply' }),
  OFPT_QUEUE_GET_CONFIG_REQUEST: decodeQueueConfigRequest,
  OFPT_QUEUE_GET_CONFIG_REPLY: (from, version) => decodeQueueConfigReply(from, version, false),
  OFPT_ROLE_REQUEST: (from) => decodeRole(from, true),
  OFPT_ROLE_REPLY: (from) => decodeRole(from, false),
  OFPT_GET_ASYNC_REQUEST: () => ({ kind: 'getAsyncRequest' }),
  OFPT_GET_ASYNC_REPLY: (from, version) => ({ kind: 'getAsyncReply', masks: asyncOf(from, version, false) }),
  OFPT_SET_ASYNC: (from, version) => ({ kind: 'setAsync', masks: asyncOf(from, version, true) }),
  OFPT_METER_MOD: (from) => decodeMeterMod(from),
  OFPT_ROLE_STATUS: (from) => decodeRoleStatus(from),
  OFPT_TABLE_STATUS: (from) => decodeTableStatus(from),
  OFPT_REQUESTFORWARD: requestForward,
  OFPT_BUNDLE_CONTROL: (from) => decodeBundleControl(from),
  OFPT_BUNDLE_ADD_MESSAGE: bundleAdd,

  NXT_ROLE_REQUEST: (from) => decodeNxRole(from, true),
  NXT_ROLE_REPLY: (from) => decodeNxRole(from, false),
  NXT_SET_FLOW_FORMAT: (from) => decodeFlowFormat(from),
  // After OpenFlow 1.0 the command always carries a table.
  NXT_FLOW_MOD: (from, version, { flowModTableId }) => decodeNxFlowMod(from, version, version > 1 || flowModTableId === true),
  NXT_FLOW_REMOVED: (from) => decodeNxFlowRemoved(from),
  NXT_FLOW_MOD_TABLE_ID: (from) => ({ kind: 'flowModTableId', enabled: from.u8() !== 0 }),
  NXT_SET_PACKET_IN_FORMAT: (from) => ({ kind: 'setPacketInFormat', format: packetInFormat(from.u32()) }),
  NXT_PACKET_IN: (from) => decodeNxPacketIn(from),
  NXT_PACKET_IN2: (from) => decodeNxPacketIn2(from, 'packetIn'),
  NXT_RESUME: (from, _, { isStrict }) => decodeNxPacketIn2(from, 'resume', isStrict !== true),
  NXT_FLOW_AGE: () => ({ kind: 'flowAge' }),
  NXT_SET_ASYNC_CONFIG: (from, version) => ({ kind: 'setAsync', masks: decodeAsync(from, version) }),
  NXT_SET_ASYNC_CONFIG2: (from, version) => ({ kind: 'setAsync', masks: decodeAsyncProperties(from, version, true) }),
  NXT_SET_CONTROLLER_ID: (from) => ({ kind: 'setControllerId', controllerId: from.skip(6).u16() }),
  NXT_FLOW_MONITOR_CANCEL: (from) => decodeMonitorCancel(from),
  NXT_FLOW_MONITOR_PAUSED: () => ({ kind: 'flowMonitorPaused' }),
  NXT_FLOW_MONITOR_RESUMED: () => ({ kind: 'flowMonitorResumed' }),
  NXT_TLV_TABLE_MOD: (from) => decodeTlvMod(from),
  NXT_TLV_TABLE_REQUEST: () => ({ kind: 'tlvTableRequest' }),
  NXT_TLV_TABLE_REPLY: (from) => decodeTlvReply(from),
  NXT_CT_FLUSH_ZONE: (from) => ({ kind: 'ctFlushZone', zone: from.skip(6).u16() }),
  NXT_CT_FLUSH: (from) => decodeCtFlush(from),
  NXT_GROUP_MOD: decodeGroupMod,
  NXT_REQUESTFORWARD: requestForward,

  ONFT_FLOW_MONITOR_CANCEL: (from) => decodeMonitorCancel(from),
  ONFT_FLOW_MONITOR_PAUSED: () => ({ kind: 'flowMonitorPaused' }),
  ONFT_FLOW_MONITOR_RESUMED: () => ({ kind: 'flowMonitorResumed' }),
  ONFT_ROLE_STATUS: (from) => decodeRoleStatus(from),
  ONFT_REQUESTFORWARD: requestForward,
  ONFT_BUNDLE_CONTROL: (from) => decodeBundleControl(from),
  ONFT_BUNDLE_ADD_MESSAGE: bundleAdd,
};
