// How a connection is set up: hello, features, configuration, roles and the forms of packet-ins and flows. OpenFlow 1.0.0 section 5.3.1,
// OpenFlow 1.3.5 sections 7.3.1, 7.3.2, 7.3.9 and 7.5.1.

import { PeerError } from '../../base/errors.ts';
import type { Message, OfVersion, Role } from '../message.ts';
import { packetLog, protocolLog, versionLog as utilLog } from '../peer-logs.ts';
import { listMessage } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodePortDescs, encodePortDesc } from './port-codec.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** By their numbers in OpenFlow 1.2 and later; Nicira's are one lower, without the first. */
export const ROLES: readonly Role[] = ['nochange', 'equal', 'primary', 'secondary'];
const NO_GENERATION = 0xffffffffffffffffn;

const HELLO_BITMAP = 1;

/** The versions that a hello offers, as bits: the last bitmap's, and without one all up to the header's. */
export function decodeHello(from: ByteReader, version: number): Extract<Message, { kind: 'hello' }> {
  let versions = 2 ** (Math.min(version, 31) + 1) - 2;
  let hasUnknown = false;
  while (from.left > 0) {
    const left = from.left;
    const type = left < 4 ? 0 : from.u16();
    const length = left < 4 ? 0 : from.u16();
    const padded = Math.ceil(length / 8) * 8;
    if (length < 4 || padded > left) {
      hasUnknown = true;
      break;
    }
    const element = from.sub(padded - 4);
    const size = length - 4;
    if (type !== HELLO_BITMAP || size === 0 || size % 4 !== 0) hasUnknown = true;
    else {
      const said = element.u32();
      const offered = said & ~1;
      if ((said & 1) !== 0) utilLog.warn('peer claims to support invalid OpenFlow version 0x00');
      if (offered === 0) {
        utilLog.warn('peer does not support any OpenFlow version (between 0x01 and 0x1f)');
        hasUnknown = true;
      } else versions = offered;
    }
  }
  const hello: Extract<Message, { kind: 'hello' }> = { kind: 'hello', versions: versions >>> 0 };
  if (hasUnknown) hello.hasUnknown = true;
  return hello;
}

/** Reads OFPT_SET_CONFIG. Only some of the flags may be set. */
export function decodeSetConfig(from: ByteReader, version: OfVersion): Message {
  const flags = from.u16();
  const known = version <= 3 ? 7 : 3;
  if ((flags & ~known) !== 0) throw new PeerError('OFPSCFC_BAD_FLAGS', `flags 0x${flags.toString(16)}`);
  return { kind: 'setConfig', flags, missSendLength: from.u16() };
}

/** Reads a role by its number. */
export function decodeRoleNumber(number: number): Role {
  const role = ROLES[number];
  if (role === undefined) throw new PeerError('OFPRRFC_BAD_ROLE', `role ${number}`);
  return role;
}

/** Reads OFPT_ROLE_REQUEST and OFPT_ROLE_REPLY. */
export function decodeRole(from: ByteReader, isRequest: boolean): Message {
  const role = decodeRoleNumber(from.u32());
  const generation = from.skip(4).u64();
  const has = generation !== NO_GENERATION && (!isRequest || role !== 'nochange');
  return { kind: isRequest ? 'roleRequest' : 'roleReply', role, generationId: has ? generation : undefined };
}

/** Reads Nicira's forms, which have no generation. */
export const decodeNxRole = (from: ByteReader, isRequest: boolean): Message => ({
  kind: isRequest ? 'roleRequest' : 'roleReply',
  role: decodeRoleNumber(from.u32() + 1),
  generationId: undefined,
});

/** Writes OFPT_ROLE_REQUEST and OFPT_ROLE_REPLY. */
export function encodeRole(out: ByteWriter, message: Of<'roleRequest' | 'roleReply'>): void {
  out
    .u32(ROLES.indexOf(message.role))
    .u32(0)
    .u64(message.generationId ?? (message.kind === 'roleRequest' ? 0n : NO_GENERATION));
}

const ROLE_REASONS = ['primary_request', 'configuration_changed', 'experimenter_data_changed'] as const;

/** Reads OFPT_ROLE_STATUS: a controller's role changed without its doing. */
export function decodeRoleStatus(from: ByteReader): Of<'roleStatus'> {
  const role = decodeRoleNumber(from.u32());
  const reason = ROLE_REASONS[from.u8()];
  const generation = from.skip(3).u64();
  return { kind: 'roleStatus', role, reason, generationId: generation === NO_GENERATION ? undefined : generation };
}

/** Writes OFPT_ROLE_STATUS. */
export function encodeRoleStatus(out: ByteWriter, message: Of<'roleStatus'>): void {
  out
    .u32(ROLES.indexOf(message.role))
    .u8(message.reason === undefined ? ROLE_REASONS.length : ROLE_REASONS.indexOf(message.reason))
    .zeros(3)
    .u64(message.generationId ?? NO_GENERATION);
}

/** Reads OFPT_FEATURES_REPLY. */
export function decodeFeatures(from: ByteReader, version: OfVersion): Message {
  const datapathId = from.u64();
  const buffers = from.u32();
  const tables = from.u8();
  const auxiliaryId = version >= 4 ? from.u8() : 0;
  from.skip(version >= 4 ? 2 : 3);
  const capabilities = from.u32();
  const actions = from.u32();
  const reply: Extract<Message, { kind: 'featuresReply' }> = {
    kind: 'featuresReply',
    datapathId,
    buffers,
    tables,
    auxiliaryId,
    capabilities,
    actions,
  };
  if (version > 3) return reply;
  return listMessage(
    () => decodePortDescs(from, version),
    (ports) => ({ ...reply, ports }),
  );
}

/** Writes OFPT_FEATURES_REPLY. */
export function encodeFeatures(out: ByteWriter, version: OfVersion, message: Of<'featuresReply'>): void {
  out.u64(message.datapathId).u32(message.buffers).u8(message.tables);
  if (version >= 4) out.u8(message.auxiliaryId).u16(0);
  else out.zeros(3);
  out.u32(message.capabilities).u32(version === 1 ? message.actions : 0);
  if (version <= 3) for (const port of message.ports ?? []) encodePortDesc(out, version, port);
}

/** The format that NXT_SET_PACKET_IN_FORMAT asks for. */
export function packetInFormat(format: number): number {
  if (format <= 2) return format;
  packetLog.warn(`NXT_SET_PACKET_IN_FORMAT message specified invalid packet-in format ${format}`);
  throw new PeerError('OFPBRC_EPERM', `packet-in format ${format}`);
}

/** Reads NXT_SET_FLOW_FORMAT; a format that is none is told in the log. */
export function decodeFlowFormat(from: ByteReader): Of<'setFlowFormat'> {
  const format = from.u32();
  if (format !== 0 && format !== 2) protocolLog.warn(`NXT_SET_FLOW_FORMAT message specified invalid flow format ${format}`);
  return { kind: 'setFlowFormat', format };
}
