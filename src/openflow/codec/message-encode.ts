// How each kind of message is written: what it is called in the table of messages, which may depend on the version, and what its body is;
// those of statistics are in `multipart-encode.ts`.
import { encodeError } from '../errors.ts';
import type { Message, MessageKind, OfVersion } from '../message.ts';
import { encodeAsync, encodeAsyncProperties } from './async-codec.ts';
import { encodeBundleAdd, encodeBundleControl } from './bundle-codec.ts';
import type { ByteWriter } from './bytes.ts';
import type { CodecOptions } from './codec-options.ts';
import { encodeCtFlush } from './ct-flush-codec.ts';
import { fitsOfp10 } from './fields/ofp10-match.ts';
import { encodeFlowMod, encodeNxFlowMod } from './flow-mod-codec.ts';
import { encodeFlowRemoved, encodeNxFlowRemoved } from './flow-removed-codec.ts';
import { encodeGroupMod } from './group-codec.ts';
import { encodeMeterMod } from './meter-codec.ts';
import { encodeNxPacketIn, encodeNxPacketIn2, encodePacketIn, encodePacketOut } from './packet-codec.ts';
import { encodePortMod, encodePortStatus } from './port-codec.ts';
import { encodeQueueConfigReply, encodeQueueConfigRequest } from './queue-config-codec.ts';
import { encodeFeatures, encodeRole, encodeRoleStatus, ROLES } from './session-codec.ts';
import { encodeTableMod, encodeTableStatus } from './table-codec.ts';
import { encodeTlvMod, encodeTlvReply } from './tlv-codec.ts';

type Kinded<M extends Message, K extends MessageKind> = M extends Message ? (K extends M['kind'] ? M : never) : never;
/** The message of a kind. */
export type Of<K extends MessageKind> = Kinded<Message, K>;

/** The name of a message in a version, and its body if it has one. */
export interface EncoderRow<M> {
  name(version: OfVersion, message: M, options: CodecOptions): string;
  body?(out: ByteWriter, message: M, version: OfVersion, options: CodecOptions): void;
}

export type EncoderRows = { readonly [K in MessageKind]?: EncoderRow<Of<K>> };

/** One name in all versions. */
export const named = (name: string) => (): string => name;

const isNxFlowMod = (version: OfVersion, { match, cookieMask }: Of<'flowMod'>, { nxFlows }: CodecOptions): boolean =>
  nxFlows ?? (version === 1 && (!fitsOfp10(match) || cookieMask !== 0n));

const isNxFlowRemoved = (version: OfVersion, { nxFlows }: CodecOptions): boolean => nxFlows === true && version === 1;

/** Flow monitors and bundles of OpenFlow 1.3 are the ONF's. */
const monitorName = (what: string) => (version: OfVersion) => `${version === 4 ? 'ONFT' : 'NXT'}_FLOW_MONITOR_${what}`;
const bundleName = (what: string) => (version: OfVersion) => `${version < 5 ? 'ONFT' : 'OFPT'}_BUNDLE_${what}`;
const roleName = (what: string) => (version: OfVersion) => `${version < 3 ? 'NXT' : 'OFPT'}_ROLE_${what}`;
const queueConfigName = (what: string) => (version: OfVersion) =>
  version < 5 ? `OFPT_QUEUE_GET_CONFIG_${what.toUpperCase()}` : `OFPST_QUEUE_DESC ${what}`;

function roleBody(out: ByteWriter, message: Of<'roleRequest'>, version: OfVersion): void {
  if (version < 3) out.u32(Math.max(0, ROLES.indexOf(message.role) - 1));
  else encodeRole(out, message);
}

function asyncBody(out: ByteWriter, { masks }: { masks: Map<string, number> }, version: OfVersion): void {
  if (version >= 5) encodeAsyncProperties(out, masks);
  else encodeAsync(out, masks);
}

const echoBody = (out: ByteWriter, { data }: { data: Uint8Array }): void => void out.put(data);
const configBody = (out: ByteWriter, message: Of<'setConfig'>): void => void out.u16(message.flags).u16(message.missSendLength);

export const ENCODERS: EncoderRows = {
  hello: {
    name: named('OFPT_HELLO'),
    // A bitmap is needed only when the header's version alone would say something else.
    body(out, { versions }, version) {
      if (versions !== 2 ** (version + 1) - 2) out.u16(1).u16(8).u32(versions);
    },
  },
  error: { name: named('OFPT_ERROR'), body: (out, message, version) => encodeError(out, version, message) },
  echoRequest: { name: named('OFPT_ECHO_REQUEST'), body: echoBody },
  echoReply: { name: named('OFPT_ECHO_REPLY'), body: echoBody },
  featuresRequest: { name: named('OFPT_FEATURES_REQUEST') },
  featuresReply: { name: named('OFPT_FEATURES_REPLY'), body: (out, message, version) => encodeFeatures(out, version, message) },
  getConfigRequest: { name: named('OFPT_GET_CONFIG_REQUEST') },
  getConfigReply: { name: named('OFPT_GET_CONFIG_REPLY'), body: configBody },
  setConfig: { name: named('OFPT_SET_CONFIG'), body: configBody },
  barrierRequest: { name: named('OFPT_BARRIER_REQUEST') },
  barrierReply: { name: named('OFPT_BARRIER_REPLY') },
  flowMod: {
    name: (version, message, options) => (isNxFlowMod(version, message, options) ? 'NXT_FLOW_MOD' : 'OFPT_FLOW_MOD'),
    body(out, message, version, options) {
      if (isNxFlowMod(version, message, options)) encodeNxFlowMod(out, version, message, options.flowModTableId);
      else encodeFlowMod(out, version, message, options.flowModTableId);
    },
  },
  packetIn: {
    name: (_, __, { packetInFormat }) =>
      packetInFormat === 1 ? 'NXT_PACKET_IN' : packetInFormat === 2 ? 'NXT_PACKET_IN2' : 'OFPT_PACKET_IN',
    body(out, message, version, { packetInFormat }) {
      if (packetInFormat === 1) encodeNxPacketIn(out, message);
      else if (packetInFormat === 2) encodeNxPacketIn2(out, message, version);
      else encodePacketIn(out, version, message);
    },
  },
  packetOut: { name: named('OFPT_PACKET_OUT'), body: (out, message, version) => encodePacketOut(out, version, message) },
  resume: { name: named('NXT_RESUME'), body: encodeNxPacketIn2 },
  flowRemoved: {
    name: (version, _, options) => (isNxFlowRemoved(version, options) ? 'NXT_FLOW_REMOVED' : 'OFPT_FLOW_REMOVED'),
    body(out, message, version, options) {
      if (isNxFlowRemoved(version, options)) encodeNxFlowRemoved(out, message);
      else encodeFlowRemoved(out, version, message);
    },
  },
  flowAge: { name: named('NXT_FLOW_AGE') },
  portStatus: { name: named('OFPT_PORT_STATUS'), body: (out, message, version) => encodePortStatus(out, version, message) },
  portMod: { name: named('OFPT_PORT_MOD'), body: (out, message, version) => encodePortMod(out, version, message) },
  tableMod: { name: named('OFPT_TABLE_MOD'), body: (out, message, version) => encodeTableMod(out, version, message) },
  tableStatus: { name: named('OFPT_TABLE_STATUS'), body: encodeTableStatus },
  groupMod: {
    name: (version) => (version === 1 ? 'NXT_GROUP_MOD' : 'OFPT_GROUP_MOD'),
    body: (out, message, version) => encodeGroupMod(out, version, message),
  },
  meterMod: { name: named('OFPT_METER_MOD'), body: encodeMeterMod },
  queueConfigRequest: {
    name: queueConfigName('request'),
    body: (out, message, version) => encodeQueueConfigRequest(out, version, message),
  },
  queueConfigReply: { name: queueConfigName('reply'), body: (out, message, version) => encodeQueueConfigReply(out, version, message) },
  roleRequest: { name: roleName('REQUEST'), body: roleBody },
  roleReply: { name: roleName('REPLY'), body: roleBody },
  roleStatus: { name: (version) => (version === 4 ? 'ONFT_ROLE_STATUS' : 'OFPT_ROLE_STATUS'), body: encodeRoleStatus },
  requestForward: {
    name: (version) => `${version < 4 ? 'NXT' : version === 4 ? 'ONFT' : 'OFPT'}_REQUESTFORWARD`,
    body: (out, { inner }) => void out.put(inner),
  },
  setAsync: { name: (version) => (version < 4 ? 'NXT_SET_ASYNC_CONFIG' : 'OFPT_SET_ASYNC'), body: asyncBody },
  getAsyncRequest: { name: named('OFPT_GET_ASYNC_REQUEST') },
  getAsyncReply: { name: named('OFPT_GET_ASYNC_REPLY'), body: asyncBody },
  setPacketInFormat: { name: named('NXT_SET_PACKET_IN_FORMAT'), body: (out, { format }) => void out.u32(format) },
  setFlowFormat: { name: named('NXT_SET_FLOW_FORMAT'), body: (out, { format }) => void out.u32(format) },
  flowModTableId: { name: named('NXT_FLOW_MOD_TABLE_ID'), body: (out, { enabled }) => void out.u8(enabled ? 1 : 0).zeros(7) },
  setControllerId: { name: named('NXT_SET_CONTROLLER_ID'), body: (out, { controllerId }) => void out.zeros(6).u16(controllerId) },
  ctFlushZone: { name: named('NXT_CT_FLUSH_ZONE'), body: (out, { zone }) => void out.zeros(6).u16(zone) },
  ctFlush: { name: named('NXT_CT_FLUSH'), body: encodeCtFlush },
  tlvTableMod: { name: named('NXT_TLV_TABLE_MOD'), body: encodeTlvMod },
  tlvTableRequest: { name: named('NXT_TLV_TABLE_REQUEST') },
  tlvTableReply: { name: named('NXT_TLV_TABLE_REPLY'), body: encodeTlvReply },
  flowMonitorCancel: { name: monitorName('CANCEL'), body: (out, { id }) => void out.u32(id) },
  flowMonitorPaused: { name: monitorName('PAUSED') },
  flowMonitorResumed: { name: monitorName('RESUMED') },
  bundleControl: { name: bundleName('CONTROL'), body: encodeBundleControl },
  bundleAdd: { name: bundleName('ADD_MESSAGE'), body: encodeBundleAdd },
};
