// Messages to bytes and back: header, type numbers by version, Nicira's vendor messages, and the bodies in the files beside this one.
//
// Five questions have an answer that the bytes alone do not hold, so a caller may give it (`CodecOptions`): whether OpenFlow 1.0's
// flow-mod command carries a table, whether OpenFlow 1.0 uses Nicira's flow messages, the form of packet-ins,
// and the TLV table.
import { PeerError } from '../../base/errors.ts';
import { decodeError, encodeError } from '../errors.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { isOfAllVersions, messageForm } from '../message-table.ts';
import type { TlvTable } from '../tlv-table.ts';
import { NX_VENDOR, ONF_VENDOR } from './actions/action-constants.ts';
import { deprecatedRead } from './actions/action-forms.ts';
import { decodeAsync, decodeAsyncProperties, encodeAsync, encodeAsyncProperties } from './async-codec.ts';
import {
  decodeBundleAdd,
  decodeBundleControl,
  decodeBundledFlowMod,
  encodeBundleAdd,
  encodeBundleControl,
  OFPT_BUNDLE_ADD_MESSAGE,
  OFPT_BUNDLE_CONTROL,
  ONFT_BUNDLE_ADD_MESSAGE,
  ONFT_BUNDLE_CONTROL,
} from './bundle-codec.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { decodeCtFlush, encodeCtFlush } from './ct-flush-codec.ts';
import { fitsOfp10 } from './fields/ofp10-match.ts';
import { decodeFlowMod, decodeNxFlowMod, encodeFlowMod, encodeNxFlowMod } from './flow-codec.ts';
import { decodeMonitorCancel } from './flow-monitor-codec.ts';
import { decodeFlowRemoved, decodeNxFlowRemoved, encodeFlowRemoved, encodeNxFlowRemoved } from './flow-removed-codec.ts';
import { decodeGroupMod, encodeGroupMod } from './group-codec.ts';
import { decodeMeterMod, encodeMeterMod } from './meter-codec.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './multipart-codec.ts';
import { decodePackedFlowMod, decodePackedFlowMod10, packFlowMod } from './packed/packed-flow-mod.ts';
import {
  decodeNxPacketIn,
  decodeNxPacketIn2,
  decodePacketIn,
  decodePacketOut,
  encodeNxPacketIn,
  encodeNxPacketIn2,
  encodePacketIn,
  encodePacketOut,
} from './packet-codec.ts';
import { decodePortMod, decodePortStatus, encodePortMod, encodePortStatus } from './port-codec.ts';
import {
  decodeQueueConfigReply,
  decodeQueueConfigRequest,
  encodeQueueConfigReply,
  encodeQueueConfigRequest,
} from './queue-config-codec.ts';
import {
  decodeFeatures,
  decodeFlowFormat,
  decodeHello,
  decodeNxRole,
  decodeRole,
  decodeRoleStatus,
  decodeSetConfig,
  encodeFeatures,
  encodeRole,
  encodeRoleStatus,
  packetInFormat,
  ROLES,
} from './session-codec.ts';
import { decodeTableMod, decodeTableStatus, encodeTableMod, encodeTableStatus } from './table-codec.ts';
import { decodeTlvMod, decodeTlvReply, encodeTlvMod, encodeTlvReply } from './tlv-codec.ts';

export interface CodecOptions {
  /** OpenFlow 1.0: the flow-mod command's upper byte is a table (NXT_FLOW_MOD_TABLE_ID). */
  flowModTableId?: boolean;
  /**
   * Send flow messages in Nicira's form, of which OpenFlow 1.1 and later have flow-mods alone. Undefined: flow-mods of OpenFlow 1.0 in
   * whichever form can say their match, others plain.
   */
  nxFlows?: boolean;
  /** Form of packet-ins sent: 0 the version's own, 1 NXT_PACKET_IN, 2 NXT_PACKET_IN2. */
  packetInFormat?: number;
  /** What tun_metadata fields stand for; without one their values are taken as long as they are. */
  tlvTable?: TlvTable;
  /** Flow mods come with `packed` in the place of `match`, and share lists of actions: the way of a switch, which takes many. */
  packsFlows?: boolean;
  /** Properties of requests that are not known are faults: the way of a switch. Who only shows messages passes over them. */
  isStrict?: boolean;
}

/** Message types that are the same number in every version that has them. */
const T = {
  HELLO: 0,
  ERROR: 1,
  ECHO_REQUEST: 2,
  ECHO_REPLY: 3,
  EXPERIMENTER: 4,
  FEATURES_REQUEST: 5,
  FEATURES_REPLY: 6,
  GET_CONFIG_REQUEST: 7,
  GET_CONFIG_REPLY: 8,
  SET_CONFIG: 9,
  PACKET_IN: 10,
  FLOW_REMOVED: 11,
  PORT_STATUS: 12,
  PACKET_OUT: 13,
  FLOW_MOD: 14,
} as const;

/** Types that moved after OpenFlow 1.0. */
const later = (version: OfVersion) =>
  version === 1
    ? { PORT_MOD: 15, TABLE_MOD: -1, STATS_REQUEST: 16, STATS_REPLY: 17, BARRIER_REQUEST: 18, BARRIER_REPLY: 19 }
    : { PORT_MOD: 16, TABLE_MOD: 17, STATS_REQUEST: 18, STATS_REPLY: 19, BARRIER_REQUEST: 20, BARRIER_REPLY: 21 };

const HEADER_SIZE = 8;
const OFPT10_BARRIER_REQUEST = 18;
/** From OpenFlow 1.1 on. */
const OFPT_BARRIER_REQUEST = 20;
const OFPT_ROLE_STATUS = 30;
const OFPT_TABLE_STATUS = 31;
const OFPT_REQUESTFORWARD = 32;

/** OFPT_QUEUE_GET_CONFIG_REQUEST; the reply's type is the next. */
const queueConfigType = (version: OfVersion): number => (version === 1 ? 20 : 22);
/** Of OpenFlow 1.1 and 1.3 on. */
const GROUP_MOD = 15;
const METER_MOD = 29;

/** Of the ONF; paused and resumed are the next numbers. */
const ONFT_FLOW_MONITOR_CANCEL = 1870;
const ONFT_ROLE_STATUS = 1911;
const ONFT_REQUESTFORWARD = 2350;

const ROLE = { REQUEST: 24, REPLY: 25, GET_ASYNC_REQUEST: 26, GET_ASYNC_REPLY: 27, SET_ASYNC: 28 } as const;

/** Subtypes of Nicira's messages. */
const NXT = {
  ROLE_REQUEST: 10,
  ROLE_REPLY: 11,
  SET_FLOW_FORMAT: 12,
  FLOW_MOD: 13,
  FLOW_REMOVED: 14,
  FLOW_MOD_TABLE_ID: 15,
  SET_PACKET_IN_FORMAT: 16,
  PACKET_IN: 17,
  SET_ASYNC_CONFIG: 19,
  SET_CONTROLLER_ID: 20,
  SET_ASYNC_CONFIG2: 27,
  FLOW_MONITOR_CANCEL: 21,
  FLOW_MONITOR_PAUSED: 22,
  FLOW_MONITOR_RESUMED: 23,
  TLV_TABLE_MOD: 24,
  TLV_TABLE_REQUEST: 25,
  TLV_TABLE_REPLY: 26,
  CT_FLUSH_ZONE: 29,
  CT_FLUSH: 32,
  FLOW_AGE: 18,
  RESUME: 28,
  PACKET_IN2: 30,
  GROUP_MOD: 31,
  REQUESTFORWARD: 132,
} as const;

/** Reads one whole message. Throws PeerError named by the OpenFlow error that should answer it. */
export function decodeMessage(bytes: Uint8Array, options: CodecOptions = {}): Framed {
  if (options.packsFlows === true) {
    const framed = decodeQuickly(bytes, options);
    if (framed !== undefined) return framed;
  }
  const from = new ByteReader(bytes, undefined, { tlvTable: options.tlvTable });
  const versionNumber = from.u8();
  const type = from.u8();
  const length = from.u16();
  const xid = from.u32();
  if (length < 8 || length !== bytes.length) throw new PeerError('OFPBRC_BAD_LEN', `message length ${length}, ${bytes.length} bytes`);
  if (type === T.HELLO) return { version: clampVersion(versionNumber), xid, message: decodeHello(from, versionNumber) };
  const isKnown = versionNumber >= 1 && versionNumber <= 6;
  if (!isKnown && (versionNumber < 1 || !isOfAllVersions(type))) throw new PeerError('OFPBRC_BAD_VERSION', `version ${versionNumber}`);
  // What an error means is not known of versions that there are not.
  if (!isKnown && type === T.ERROR) throw new PeerError('OFPBRC_BAD_LEN', `error of version ${versionNumber}`);
  const version = clampVersion(versionNumber);
  const form = messageForm(bytes);
  const deprecatedBefore = deprecatedRead();
  const framed: Framed = {
    version,
    xid,
    name: form.name,
    message: decodeBody(from, version, type, xid, options),
  };
  if (options.packsFlows === true && framed.message.kind === 'flowMod') packFlowMod(framed.message, bytes, version, deprecatedBefore);
  if (form.isMultipart) framed.multipartFlags = ((bytes[10] ?? 0) << 8) | (bytes[11] ?? 0);
  return framed;
}

/** A barrier, or a flow mod, alone or on its way into a bundle, where it is like others before; undefined for all else. */
function decodeQuickly(bytes: Uint8Array, { tlvTable, flowModTableId }: CodecOptions): Framed | undefined {
  const version = bytes[0] as OfVersion;
  const type = bytes[1];
  if (version < 1 || version > 6 || version === 2 || ((bytes[2]! << 8) | bytes[3]!) !== bytes.length) return undefined;
  const barrier = version === 1 ? OFPT10_BARRIER_REQUEST : OFPT_BARRIER_REQUEST;
  if (type !== T.FLOW_MOD && type !== OFPT_BUNDLE_ADD_MESSAGE && type !== barrier) return undefined;
  const xid = ((bytes[4]! << 24) | (bytes[5]! << 16) | (bytes[6]! << 8) | bytes[7]!) >>> 0;
  if (type === barrier)
    return bytes.length === HEADER_SIZE ? { version, xid, name: 'OFPT_BARRIER_REQUEST', message: { kind: 'barrierRequest' } } : undefined;
  if (type === T.FLOW_MOD) {
    const message =
      version === 1
        ? decodePackedFlowMod10(bytes, flowModTableId === true, tlvTable)
        : decodePackedFlowMod(bytes, 0, bytes.length, version, tlvTable);
    return message && { version, xid, name: 'OFPT_FLOW_MOD', message };
  }
  const message = version >= 5 ? decodeBundledFlowMod(bytes, version, tlvTable) : undefined;
  return message && { version, xid, name: 'OFPT_BUNDLE_ADD_MESSAGE', message };
}

const clampVersion = (number: number): OfVersion => Math.min(6, Math.max(1, number)) as OfVersion;

function decodeBody(from: ByteReader, version: OfVersion, type: number, xid: number, options: CodecOptions): Message {
  switch (type) {
    case T.ERROR:
      return decodeError(from, version);
    case T.ECHO_REQUEST:
      return { kind: 'echoRequest', data: from.rest().slice() };
    case T.ECHO_REPLY:
      return { kind: 'echoReply', data: from.rest().slice() };
    case T.EXPERIMENTER:
      return decodeExperimenter(from, version, xid, options);
    case T.FEATURES_REQUEST:
      return { kind: 'featuresRequest' };
    case T.FEATURES_REPLY:
      return decodeFeatures(from, version);
    case T.GET_CONFIG_REQUEST:
      return { kind: 'getConfigRequest' };
    case T.GET_CONFIG_REPLY:
      return { kind: 'getConfigReply', flags: from.u16(), missSendLength: from.u16() };
    case T.SET_CONFIG:
      return decodeSetConfig(from, version);
    case T.PACKET_IN:
      return decodePacketIn(from, version);
    case T.FLOW_REMOVED:
      return decodeFlowRemoved(from, version);
    case T.PORT_STATUS:
      return decodePortStatus(from, version);
    case T.PACKET_OUT:
      return decodePacketOut(from, version);
    case T.FLOW_MOD:
      return decodeFlowMod(from, version, options.flowModTableId === true);
  }
  const t = later(version);
  switch (type) {
    case t.PORT_MOD:
      return decodePortMod(from, version, options.isStrict !== true);
    case t.TABLE_MOD:
      return decodeTableMod(from, version);
    case t.STATS_REQUEST:
      return decodeRequest(from, version, options.isStrict === true);
    case t.STATS_REPLY:
      return decodeReply(from, version);
    case t.BARRIER_REQUEST:
      return { kind: 'barrierRequest' };
    case t.BARRIER_REPLY:
      return { kind: 'barrierReply' };
  }
  if (version >= 2 && type === GROUP_MOD) return decodeGroupMod(from, version);
  if (version >= 4 && type === METER_MOD) return decodeMeterMod(from);
  if (version >= 3 && (type === ROLE.REQUEST || type === ROLE.REPLY)) return decodeRole(from, type === ROLE.REQUEST);
  if (version >= 4 && type >= ROLE.GET_ASYNC_REQUEST && type <= ROLE.SET_ASYNC) {
    if (type === ROLE.GET_ASYNC_REQUEST) return { kind: 'getAsyncRequest' };
    const masks = version >= 5 ? decodeAsyncProperties(from, version, type === ROLE.SET_ASYNC) : decodeAsync(from, version);
    return { kind: type === ROLE.SET_ASYNC ? 'setAsync' : 'getAsyncReply', masks };
  }
  if (version < 5 && type === queueConfigType(version)) return decodeQueueConfigRequest(from, version);
  if (version < 5 && type === queueConfigType(version) + 1) return decodeQueueConfigReply(from, version, false);
  if (version >= 5 && type === OFPT_ROLE_STATUS) return decodeRoleStatus(from);
  if (version >= 5 && type === OFPT_REQUESTFORWARD) return { kind: 'requestForward', inner: from.rest().slice() };
  if (version >= 5 && type === OFPT_TABLE_STATUS) return decodeTableStatus(from);
  if (version >= 5 && type === OFPT_BUNDLE_CONTROL) return decodeBundleControl(from);
  if (version >= 5 && type === OFPT_BUNDLE_ADD_MESSAGE) return decodeBundleAdd(from, version, xid);
  return { kind: 'unknown', type, experimenter: 0, subtype: 0, body: from.rest().slice() };
}

function decodeExperimenter(from: ByteReader, version: OfVersion, xid: number, options: CodecOptions): Message {
  const experimenter = from.u32();
  const subtype = from.u32();
  if (experimenter === NX_VENDOR) {
    switch (subtype) {
      case NXT.ROLE_REQUEST:
      case NXT.ROLE_REPLY:
        return decodeNxRole(from, subtype === NXT.ROLE_REQUEST);
      case NXT.SET_FLOW_FORMAT:
        return decodeFlowFormat(from);
      case NXT.FLOW_MOD:
        // After OpenFlow 1.0 the command always carries a table.
        return decodeNxFlowMod(from, version, version > 1 || options.flowModTableId === true);
      case NXT.FLOW_REMOVED:
        return decodeNxFlowRemoved(from);
      case NXT.FLOW_MOD_TABLE_ID:
        return { kind: 'flowModTableId', enabled: from.u8() !== 0 };
      case NXT.SET_PACKET_IN_FORMAT:
        return { kind: 'setPacketInFormat', format: packetInFormat(from.u32()) };
      case NXT.PACKET_IN:
        return decodeNxPacketIn(from);
      case NXT.PACKET_IN2:
        return decodeNxPacketIn2(from, 'packetIn');
      case NXT.RESUME:
        return decodeNxPacketIn2(from, 'resume', options.isStrict !== true);
      case NXT.FLOW_AGE:
        return { kind: 'flowAge' };
      case NXT.REQUESTFORWARD:
        return { kind: 'requestForward', inner: from.rest().slice() };
      case NXT.SET_ASYNC_CONFIG:
        return { kind: 'setAsync', masks: decodeAsync(from, version) };
      case NXT.SET_ASYNC_CONFIG2:
        return { kind: 'setAsync', masks: decodeAsyncProperties(from, version, true) };
      case NXT.TLV_TABLE_MOD:
        return decodeTlvMod(from);
      case NXT.TLV_TABLE_REQUEST:
        return { kind: 'tlvTableRequest' };
      case NXT.TLV_TABLE_REPLY:
        return decodeTlvReply(from);
      case NXT.FLOW_MONITOR_CANCEL:
        return decodeMonitorCancel(from);
      case NXT.FLOW_MONITOR_PAUSED:
        return { kind: 'flowMonitorPaused' };
      case NXT.FLOW_MONITOR_RESUMED:
        return { kind: 'flowMonitorResumed' };
      case NXT.CT_FLUSH_ZONE:
        return { kind: 'ctFlushZone', zone: from.skip(6).u16() };
      case NXT.CT_FLUSH:
        return decodeCtFlush(from);
      case NXT.GROUP_MOD:
        return decodeGroupMod(from, version);
      case NXT.SET_CONTROLLER_ID:
        return { kind: 'setControllerId', controllerId: from.skip(6).u16() };
    }
  }
  if (experimenter === ONF_VENDOR && version === 4) {
    if (subtype === ONFT_FLOW_MONITOR_CANCEL) return decodeMonitorCancel(from);
    if (subtype === ONFT_FLOW_MONITOR_CANCEL + 1) return { kind: 'flowMonitorPaused' };
    if (subtype === ONFT_FLOW_MONITOR_CANCEL + 2) return { kind: 'flowMonitorResumed' };
    if (subtype === ONFT_ROLE_STATUS) return decodeRoleStatus(from);
    if (subtype === ONFT_REQUESTFORWARD) return { kind: 'requestForward', inner: from.rest().slice() };
    if (subtype === ONFT_BUNDLE_CONTROL) return decodeBundleControl(from);
    if (subtype === ONFT_BUNDLE_ADD_MESSAGE) return decodeBundleAdd(from, version, xid);
  }
  return { kind: 'unknown', type: T.EXPERIMENTER, experimenter, subtype, body: from.rest().slice() };
}

/** Writes one whole message. */
export function encodeMessage(version: OfVersion, xid: number, message: Message, options: CodecOptions = {}): Uint8Array {
  const out = spare ?? new ByteWriter();
  spare = undefined;
  try {
    return encodeInto(out, version, xid, message, options);
  } finally {
    out.cut(0);
    if (out.bytes.length <= MAX_SPARE) spare = out;
  }
}

/** What was written with last: it has room, and what a message needs of it is copied. */
let spare: ByteWriter | undefined;
const MAX_SPARE = 1 << 18;

function encodeInto(out: ByteWriter, version: OfVersion, xid: number, message: Message, options: CodecOptions): Uint8Array {
  out
    .u8(version)
    .u8(0)
    .u16(0)
    .u32(xid >>> 0);
  const type = encodeBody(out, version, message, options);
  if (out.size > 0xffff) throw new Error(`${message.kind} of ${out.size} bytes does not fit a message`);
  const bytes = out.result();
  bytes[1] = type;
  bytes[2] = out.size >> 8;
  bytes[3] = out.size & 0xff;
  return bytes;
}

function vendor(out: ByteWriter, subtype: number): number {
  out.u32(NX_VENDOR).u32(subtype);
  return T.EXPERIMENTER;
}

/** Writes what follows the header; gives the type. */
function encodeBody(out: ByteWriter, version: OfVersion, message: Message, options: CodecOptions): number {
  const t = later(version);
  const nx = options.nxFlows === true;
  switch (message.kind) {
    case 'hello': {
      // A bitmap is needed only when the header's version alone would say something else.
      if (message.versions !== 2 ** (version + 1) - 2) out.u16(1).u16(8).u32(message.versions);
      return T.HELLO;
    }
    case 'error':
      encodeError(out, version, message);
      return T.ERROR;
    case 'echoRequest':
    case 'echoReply':
      out.put(message.data);
      return message.kind === 'echoRequest' ? T.ECHO_REQUEST : T.ECHO_REPLY;
    case 'featuresRequest':
      return T.FEATURES_REQUEST;
    case 'featuresReply':
      encodeFeatures(out, version, message);
      return T.FEATURES_REPLY;
    case 'getConfigRequest':
      return T.GET_CONFIG_REQUEST;
    case 'getConfigReply':
    case 'setConfig':
      out.u16(message.flags).u16(message.missSendLength);
      return message.kind === 'setConfig' ? T.SET_CONFIG : T.GET_CONFIG_REPLY;
    case 'barrierRequest':
      return t.BARRIER_REQUEST;
    case 'barrierReply':
      return t.BARRIER_REPLY;
    case 'flowMod': {
      const useNx = options.nxFlows ?? (version === 1 && (!fitsOfp10(message.match) || message.cookieMask !== 0n));
      if (useNx) {
        vendor(out, NXT.FLOW_MOD);
        encodeNxFlowMod(out, version, message, options.flowModTableId);
        return T.EXPERIMENTER;
      }
      encodeFlowMod(out, version, message, options.flowModTableId);
      return T.FLOW_MOD;
    }
    case 'packetIn':
      if (options.packetInFormat === 1) {
        vendor(out, NXT.PACKET_IN);
        encodeNxPacketIn(out, message);
        return T.EXPERIMENTER;
      }
      if (options.packetInFormat === 2) {
        vendor(out, NXT.PACKET_IN2);
        encodeNxPacketIn2(out, message, version);
        return T.EXPERIMENTER;
      }
      encodePacketIn(out, version, message);
      return T.PACKET_IN;
    case 'packetOut':
      encodePacketOut(out, version, message);
      return T.PACKET_OUT;
    case 'flowRemoved':
      if (nx && version === 1) {
        vendor(out, NXT.FLOW_REMOVED);
        encodeNxFlowRemoved(out, message);
        return T.EXPERIMENTER;
      }
      encodeFlowRemoved(out, version, message);
      return T.FLOW_REMOVED;
    case 'portStatus':
      encodePortStatus(out, version, message);
      return T.PORT_STATUS;
    case 'portMod':
      encodePortMod(out, version, message);
      return t.PORT_MOD;
    case 'tableMod':
      encodeTableMod(out, version, message);
      return t.TABLE_MOD;
    case 'roleStatus':
      if (version === 4) out.u32(ONF_VENDOR).u32(ONFT_ROLE_STATUS);
      encodeRoleStatus(out, message);
      return version === 4 ? T.EXPERIMENTER : OFPT_ROLE_STATUS;
    case 'requestForward':
      if (version < 4) vendor(out, NXT.REQUESTFORWARD);
      else if (version === 4) out.u32(ONF_VENDOR).u32(ONFT_REQUESTFORWARD);
      out.put(message.inner);
      return version < 5 ? T.EXPERIMENTER : OFPT_REQUESTFORWARD;
    case 'flowAge':
      return vendor(out, NXT.FLOW_AGE);
    case 'resume':
      vendor(out, NXT.RESUME);
      encodeNxPacketIn2(out, message, version);
      return T.EXPERIMENTER;
    case 'tableStatus':
      encodeTableStatus(out, message);
      return OFPT_TABLE_STATUS;
    case 'queueConfigRequest':
      if (version >= 5) {
        encodeRequest(out, version, message, nx);
        return t.STATS_REQUEST;
      }
      encodeQueueConfigRequest(out, version, message);
      return queueConfigType(version);
    case 'queueConfigReply':
      if (version >= 5) {
        encodeReply(out, version, message, nx);
        return t.STATS_REPLY;
      }
      encodeQueueConfigReply(out, version, message);
      return queueConfigType(version) + 1;
    case 'ctFlushZone':
      vendor(out, NXT.CT_FLUSH_ZONE);
      out.zeros(6).u16(message.zone);
      return T.EXPERIMENTER;
    case 'ctFlush':
      vendor(out, NXT.CT_FLUSH);
      encodeCtFlush(out, message);
      return T.EXPERIMENTER;
    case 'roleRequest':
    case 'roleReply': {
      const isRequest = message.kind === 'roleRequest';
      if (version < 3) {
        vendor(out, isRequest ? NXT.ROLE_REQUEST : NXT.ROLE_REPLY);
        out.u32(Math.max(0, ROLES.indexOf(message.role) - 1));
        return T.EXPERIMENTER;
      }
      encodeRole(out, message);
      return isRequest ? ROLE.REQUEST : ROLE.REPLY;
    }
    case 'setAsync':
      if (version < 4) {
        vendor(out, NXT.SET_ASYNC_CONFIG);
        encodeAsync(out, message.masks);
        return T.EXPERIMENTER;
      }
      if (version >= 5) encodeAsyncProperties(out, message.masks);
      else encodeAsync(out, message.masks);
      return ROLE.SET_ASYNC;
    case 'getAsyncRequest':
      return ROLE.GET_ASYNC_REQUEST;
    case 'getAsyncReply':
      if (version >= 5) encodeAsyncProperties(out, message.masks);
      else encodeAsync(out, message.masks);
      return ROLE.GET_ASYNC_REPLY;
    case 'setPacketInFormat':
      out.u32(NX_VENDOR).u32(NXT.SET_PACKET_IN_FORMAT).u32(message.format);
      return T.EXPERIMENTER;
    case 'setFlowFormat':
      out.u32(NX_VENDOR).u32(NXT.SET_FLOW_FORMAT).u32(message.format);
      return T.EXPERIMENTER;
    case 'flowModTableId':
      out
        .u32(NX_VENDOR)
        .u32(NXT.FLOW_MOD_TABLE_ID)
        .u8(message.enabled ? 1 : 0)
        .zeros(7);
      return T.EXPERIMENTER;
    case 'setControllerId':
      out.u32(NX_VENDOR).u32(NXT.SET_CONTROLLER_ID).zeros(6).u16(message.controllerId);
      return T.EXPERIMENTER;
    case 'tlvTableMod':
      vendor(out, NXT.TLV_TABLE_MOD);
      encodeTlvMod(out, message);
      return T.EXPERIMENTER;
    case 'tlvTableRequest':
      return vendor(out, NXT.TLV_TABLE_REQUEST);
    case 'tlvTableReply':
      vendor(out, NXT.TLV_TABLE_REPLY);
      encodeTlvReply(out, message);
      return T.EXPERIMENTER;
    case 'flowMonitorCancel':
    case 'flowMonitorPaused':
    case 'flowMonitorResumed': {
      const which = message.kind === 'flowMonitorCancel' ? 0 : message.kind === 'flowMonitorPaused' ? 1 : 2;
      if (version === 4) out.u32(ONF_VENDOR).u32(ONFT_FLOW_MONITOR_CANCEL + which);
      else vendor(out, NXT.FLOW_MONITOR_CANCEL + which);
      if (message.kind === 'flowMonitorCancel') out.u32(message.id);
      return T.EXPERIMENTER;
    }
    case 'bundleControl':
    case 'bundleAdd': {
      const isControl = message.kind === 'bundleControl';
      if (version < 5) out.u32(ONF_VENDOR).u32(isControl ? ONFT_BUNDLE_CONTROL : ONFT_BUNDLE_ADD_MESSAGE);
      if (isControl) encodeBundleControl(out, message);
      else encodeBundleAdd(out, message);
      if (version < 5) return T.EXPERIMENTER;
      return isControl ? OFPT_BUNDLE_CONTROL : OFPT_BUNDLE_ADD_MESSAGE;
    }
    case 'groupMod':
      if (version === 1) vendor(out, NXT.GROUP_MOD);
      encodeGroupMod(out, version, message);
      return version === 1 ? T.EXPERIMENTER : GROUP_MOD;
    case 'meterMod':
      encodeMeterMod(out, message);
      return METER_MOD;
    case 'unknown':
      if (message.type === T.EXPERIMENTER) out.u32(message.experimenter).u32(message.subtype);
      out.put(message.body);
      return message.type;
    default:
      if (encodeRequest(out, version, message, nx)) return t.STATS_REQUEST;
      encodeReply(out, version, message, nx);
      return t.STATS_REPLY;
  }
}
