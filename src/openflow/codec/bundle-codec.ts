// Bundles: OpenFlow 1.4.1 section 7.3.9, and ONF's extension 230 that brings them to OpenFlow 1.3 under an experimenter header.
// A message inside a bundle has the version and the transaction id of the message that carries it.
import { PeerError } from '../../base/errors.ts';
import type { BundleType, FlowMod, Message, OfVersion } from '../message.ts';
import { messageForm } from '../message-table.ts';
import { bundledLog, unreadableLog } from '../peer-logs.ts';
import type { TlvTable } from '../tlv-table.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodePackedFlowMod } from './packed/packed-flow-mod.ts';

/** Types of OpenFlow 1.4 on. */
export const OFPT_BUNDLE_CONTROL = 33;
export const OFPT_BUNDLE_ADD_MESSAGE = 34;
/** Subtypes of ONF's extension. */
export const ONFT_BUNDLE_CONTROL = 2300;
export const ONFT_BUNDLE_ADD_MESSAGE = 2301;

const HEADER_SIZE = 8;
const OFPT_FLOW_MOD = 14;
const NOTHING = new Uint8Array(0);

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** What a bundle can hold. */
const BUNDLABLE: ReadonlySet<string> = new Set(['OFPT_PACKET_OUT', 'OFPT_FLOW_MOD', 'NXT_FLOW_MOD', 'OFPT_GROUP_MOD', 'OFPT_PORT_MOD']);

/** Messages that the reference calls by the name of another form of theirs. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  `NXT_ROLE_REQUEST OFPT_ROLE_REQUEST
NXT_ROLE_REPLY OFPT_ROLE_REPLY
NXT_FLOW_REMOVED OFPT_FLOW_REMOVED
NXT_PACKET_IN OFPT_PACKET_IN
NXT_PACKET_IN2 OFPT_PACKET_IN
NXT_SET_ASYNC_CONFIG2 NXT_SET_ASYNC_CONFIG
OFPT_SET_ASYNC NXT_SET_ASYNC_CONFIG
OFPST_GROUP NXST_GROUP
OFPST_GROUP_DESC NXST_GROUP_DESC
OFPST_GROUP_FEATURES NXST_GROUP_FEATURES
OFPT_REQUESTFORWARD NXT_REQUESTFORWARD
ONFT_REQUESTFORWARD NXT_REQUESTFORWARD
ONFT_BUNDLE_CONTROL OFPT_BUNDLE_CONTROL
ONFT_BUNDLE_ADD_MESSAGE OFPT_BUNDLE_ADD_MESSAGE
ONFT_FLOW_MONITOR_CANCEL NXT_FLOW_MONITOR_CANCEL
ONFT_FLOW_MONITOR_PAUSED NXT_FLOW_MONITOR_PAUSED
ONFT_FLOW_MONITOR_RESUMED NXT_FLOW_MONITOR_RESUMED
ONFST_FLOW_MONITOR OFPST_FLOW_MONITOR
OFPT_ROLE_STATUS ONFT_ROLE_STATUS`
    .split('\n')
    .map((line) => line.split(' ') as [string, string]),
)
  .set('OFPST_QUEUE_DESC request', 'OFPT_QUEUE_GET_CONFIG_REQUEST')
  .set('OFPST_QUEUE_DESC reply', 'OFPT_QUEUE_GET_CONFIG_REPLY');

const otherName = (name: string): string => {
  const [first = '', ...rest] = name.split(' ');
  return OTHER_NAMES.get(name) ?? [OTHER_NAMES.get(first) ?? first, ...rest].join(' ');
};

/** Reads the body of a bundle control message. */
export function decodeBundleControl(from: ByteReader): Of<'bundleControl'> {
  const bundleId = from.u32();
  const type = from.u16();
  const flags = from.u16();
  return { kind: 'bundleControl', bundleId, type: type as BundleType, flags };
}

/** Writes the body of a bundle control message. */
export function encodeBundleControl(out: ByteWriter, message: Of<'bundleControl'>): void {
  out.u32(message.bundleId).u16(message.type).u16(message.flags);
}

/** Reads the body of a message that adds another to a bundle; what is in that other stays to be decoded. */
export function decodeBundleAdd(from: ByteReader, version: OfVersion, xid: number): Of<'bundleAdd'> {
  const bundleId = from.u32();
  const flags = from.skip(2).u16();
  const rest = from.rest();
  const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
  const size = rest.length >= 8 ? view.getUint16(2) : 0;
  if (rest.length >= 8 && view.getUint8(0) !== version)
    throw new PeerError('OFPBFC_BAD_VERSION', `version ${view.getUint8(0)} in a bundle of ${version}`);
  if (size < 8 || size > rest.length) throw new PeerError('OFPBFC_MSG_BAD_LEN', `message of ${size} bytes in ${rest.length}`);
  if (view.getUint32(4) !== xid) throw new PeerError('OFPBFC_MSG_BAD_XID', 'the message has another transaction id than its carrier');
  const inner = rest.slice(0, size);
  requireBundlable(inner);
  return { kind: 'bundleAdd', bundleId, flags, inner };
}

/** Reads a whole OFPT_BUNDLE_ADD_MESSAGE with a flow mod like others before, and nothing behind it; undefined when it has to be read the long way. */
export function decodeBundledFlowMod(bytes: Uint8Array, version: OfVersion, tlvTable: TlvTable | undefined): Of<'bundleAdd'> | undefined {
  const at = HEADER_SIZE + 8;
  if (bytes.length < at + HEADER_SIZE) return undefined;
  if (bytes[at] !== version || bytes[at + 1] !== OFPT_FLOW_MOD) return undefined;
  const size = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (at + size !== bytes.length) return undefined;
  for (let i = 4; i < HEADER_SIZE; i++) if (bytes[i] !== bytes[at + i]) return undefined;
  let decoded: FlowMod | PeerError | undefined;
  try {
    decoded = decodePackedFlowMod(bytes, at, size, version, tlvTable);
  } catch (error) {
    // The carrier is sound.
    if (!(error instanceof PeerError)) throw error;
    decoded = error;
  }
  if (decoded === undefined) return undefined;
  const bundleId = ((bytes[8]! << 24) | (bytes[9]! << 16) | (bytes[10]! << 8) | bytes[11]!) >>> 0;
  return { kind: 'bundleAdd', bundleId, flags: (bytes[14]! << 8) | bytes[15]!, inner: NOTHING, decoded };
}

/** Refuses what may not be in a bundle, and says so in the log, in the words of the reference. */
function requireBundlable(inner: Uint8Array): void {
  let name = '';
  let fault = '';
  try {
    name = messageForm(inner).name;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    fault = `OFPT14_BUNDLE_ADD_MESSAGE contained message is unparsable (${error.code})`;
    unreadableLog.warn(fault);
  }
  if (fault === '' && !BUNDLABLE.has(name)) {
    fault = `${otherName(name)} message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE`;
    bundledLog.warn(fault);
  }
  if (fault !== '') throw new PeerError('OFPBFC_MSG_UNSUP', fault);
}

/** Writes the body of a message that adds another to a bundle. */
export function encodeBundleAdd(out: ByteWriter, message: Of<'bundleAdd'>): void {
  out.u32(message.bundleId).u16(0).u16(message.flags).put(message.inner);
}
