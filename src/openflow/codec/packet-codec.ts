// Packet-in and packet-out in all their forms. OpenFlow 1.0.0 sections 5.3.6 and 5.4.1, OpenFlow 1.3.5 sections 7.3.7 and 7.4.1;
// NXT_PACKET_IN and NXT_PACKET_IN2 carry the frame's metadata as NXM entries.

import { PeerError } from '../../base/errors.ts';
import type { Match } from '../../flow/key.ts';
import { matchAll, setKeyBits, W } from '../../flow/key.ts';
import type { Action } from '../action.ts';
import { OFPP, type PacketInReason } from '../action.ts';
import type { OfVersion, PacketIn, PacketOut, Resume } from '../message.ts';
import { packetLog as log, propertyLogs } from '../peer-logs.ts';
import { decodeActions, encodeActions } from './actions/action-codec.ts';
import { PACKET_IN_REASONS } from './actions/action-constants.ts';
import { contextOf } from './actions/action-context.ts';
import { listOf } from './actions/list-check.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeMatchEntries, decodeOxmMatch, encodeMatchEntries, encodeOxmMatch } from './fields/oxm.ts';
import { decodeNxmMatch, encodeAnyMatch, encodeNxmMatch } from './match-codec.ts';
import { decodePort, encodePort } from './port-codec.ts';
import { eachProperty, refuseProperty } from './properties.ts';

/** The OpenFlow port a match names as in_port, 0xffff (none) when it does not. */
export const inPortOf = (match: Match): number =>
  ((match.mask[W.IN_PORT] ?? 0) & 0xffff) === 0 ? 0xffff : (match.key[W.IN_PORT] ?? 0) & 0xffff;

/** A match of in_port alone. */
export function inPortMatch(port: number): Match {
  const match = matchAll();
  match.key[W.IN_PORT] = port;
  match.mask[W.IN_PORT] = 0xffff;
  return match;
}

const ALL_ONES = 0xffffffffffffffffn;

function reason(number: number): PacketInReason | number {
  return PACKET_IN_REASONS[number] ?? number;
}

const numberOfReason = (reason: PacketInReason | number): number =>
  typeof reason === 'number' ? reason : PACKET_IN_REASONS.indexOf(reason);

/** The reason's number in a version: 1.0 to 1.3 know three, and say `action` for those that came later. */
function reasonNumber(version: OfVersion, name: PacketInReason | number): number {
  const number = numberOfReason(name);
  if (name === 'explicit_miss' || name === 'implicit_miss') return 0;
  return version < 5 && number > 2 ? 1 : number;
}

/** Reads OFPT_PACKET_IN. */
export function decodePacketIn(from: ByteReader, version: OfVersion): PacketIn {
  const bufferId = from.u32();
  if (version === 1) {
    const totalLength = from.u16();
    const match = inPortMatch(from.u16());
    const why = reason(from.u8());
    from.skip(1);
    return { kind: 'packetIn', bufferId, totalLength, reason: why, table: 0, cookie: ALL_ONES, match, data: from.rest().slice() };
  }
  if (version === 2) {
    const match = inPortMatch(decodePort(from, version));
    from.skip(4);
    const totalLength = from.u16();
    const why = reason(from.u8());
    const table = from.u8();
    return { kind: 'packetIn', bufferId, totalLength, reason: why, table, cookie: ALL_ONES, match, data: from.rest().slice() };
  }
  const totalLength = from.u16();
  const why = reason(from.u8());
  const table = from.u8();
  const cookie = version >= 4 ? from.u64() : ALL_ONES;
  const match = decodeOxmMatch(from, false).match;
  from.skip(2);
  return { kind: 'packetIn', bufferId, totalLength, reason: why, table, cookie, match, data: from.rest().slice() };
}

/** Writes OFPT_PACKET_IN. */
export function encodePacketIn(out: ByteWriter, version: OfVersion, p: PacketIn): void {
  out.u32(p.bufferId);
  const number = reasonNumber(version, p.reason);
  if (version === 1) out.u16(p.totalLength).u16(inPortOf(p.match)).u8(number).u8(0);
  else if (version === 2) {
    encodePort(out, version, inPortOf(p.match));
    encodePort(out, version, inPortOf(p.match));
    out.u16(p.totalLength).u8(number).u8(p.table);
  } else {
    out.u16(p.totalLength).u8(number).u8(p.table);
    if (version >= 4) out.u64(p.cookie);
    encodeOxmMatch(out, p.match, version);
    out.u16(0);
  }
  out.put(p.data);
}

/** Reads NXT_PACKET_IN. */
export function decodeNxPacketIn(from: ByteReader): PacketIn {
  const bufferId = from.u32();
  const totalLength = from.u16();
  const why = reason(from.u8());
  const table = from.u8();
  const cookie = from.u64();
  const matchLength = from.u16();
  from.skip(6);
  const match = decodeNxmMatch(from, matchLength, false).match;
  from.skip(2);
  return { kind: 'packetIn', bufferId, totalLength, reason: why, table, cookie, match, data: from.rest().slice() };
}

/** Writes what follows the subtype of NXT_PACKET_IN. */
export function encodeNxPacketIn(out: ByteWriter, p: PacketIn): void {
  out.u32(p.bufferId).u16(p.totalLength).u8(numberOfReason(p.reason)).u8(p.table).u64(p.cookie);
  const lengthAt = out.size;
  out.u16(0).zeros(6);
  const length = encodeNxmMatch(out, p.match);
  out.patch16(lengthAt, length);
  out.u16(0).put(p.data);
}

/** Properties of NXT_PACKET_IN2 and NXT_RESUME. */
const PROPERTY = {
  PACKET: 0,
  FULL_LENGTH: 1,
  BUFFER: 2,
  TABLE: 3,
  COOKIE: 4,
  REASON: 5,
  METADATA: 6,
  USERDATA: 7,
  CONTINUATION: 8,
} as const;

/** Reads NXT_PACKET_IN2 and NXT_RESUME; `isLoose` passes over properties that are not known. */
export function decodeNxPacketIn2<K extends 'packetIn' | 'resume'>(
  from: ByteReader,
  kind: K,
  isLoose = true,
): Omit<PacketIn, 'kind'> & { kind: K } {
  const p: Omit<PacketIn, 'kind'> & { kind: K } = {
    kind,
    bufferId: 0xffffffff,
    totalLength: 0,
    reason: 0,
    table: 0,
    cookie: ALL_ONES,
    match: matchAll(),
    data: new Uint8Array(0),
  };
  p.reason = reason(0);
  for (const property of eachProperty(from)) {
    const { number, body } = property;
    const sized = (size: number): ByteReader => {
      // A byte may have others behind it.
      if (size === 1 ? body.left < 1 : body.left !== size)
        throw new PeerError('OFPBPC_BAD_LEN', `property ${number} of ${body.left} bytes`);
      return body;
    };
    switch (number) {
      case PROPERTY.PACKET:
        p.data = body.rest().slice();
        break;
      case PROPERTY.FULL_LENGTH:
        p.totalLength = sized(4).u32();
        break;
      case PROPERTY.BUFFER:
        p.bufferId = sized(4).u32();
        break;
      case PROPERTY.TABLE:
        p.table = sized(1).u8();
        break;
      case PROPERTY.COOKIE:
        p.cookie = sized(12).skip(4).u64();
        break;
      case PROPERTY.REASON:
        p.reason = reason(sized(1).u8());
        break;
      case PROPERTY.METADATA:
        p.match = decodeMatchEntries(body.within(body.rest(), 'OFPBMC_BAD_LEN'), !isLoose).match;
        break;
      case PROPERTY.USERDATA:
        p.userdata = body.rest().slice();
        break;
      case PROPERTY.CONTINUATION:
        if (body.left < 4) throw new PeerError('OFPBPC_BAD_LEN', 'continuation cut off');
        p.continuation = body.rest().slice();
        break;
      default:
        refuseProperty(propertyLogs.packet, isLoose, 'NX_PACKET_IN2', property);
    }
  }
  if (p.data.length === 0) {
    log.warn('NXT_PACKET_IN2 lacks packet');
    throw new PeerError('OFPBRC_BAD_LEN', 'packet-in without a packet');
  }
  if (p.totalLength === 0) p.totalLength = p.data.length;
  else if (p.totalLength < p.data.length) {
    log.warn(`NXT_PACKET_IN2 claimed full_len < len`);
    throw new PeerError('OFPBRC_BAD_LEN', `full length ${p.totalLength} of ${p.data.length} bytes`);
  }
  return p;
}

/** Writes what follows the subtype of NXT_PACKET_IN2. */
export function encodeNxPacketIn2(out: ByteWriter, p: PacketIn | Resume, version: OfVersion): void {
  const property = (type: number, body: (out: ByteWriter) => void): void => {
    const start = out.size;
    out.u16(type).u16(0);
    body(out);
    out.patch16(start + 2, out.size - start);
    out.pad(start, 8);
  };
  property(PROPERTY.PACKET, (o) => o.put(p.data));
  if (p.totalLength !== p.data.length) property(PROPERTY.FULL_LENGTH, (o) => o.u32(p.totalLength));
  if (p.bufferId !== 0xffffffff) property(PROPERTY.BUFFER, (o) => o.u32(p.bufferId));
  property(PROPERTY.TABLE, (o) => o.u8(p.table));
  if (p.cookie !== ALL_ONES) property(PROPERTY.COOKIE, (o) => o.u32(0).u64(p.cookie));
  property(PROPERTY.REASON, (o) => o.u8(numberOfReason(p.reason)));
  // As OXM also in OpenFlow 1.0.
  property(PROPERTY.METADATA, (o) => encodeMatchEntries(o, p.match, version === 1 ? 3 : version));
  const { userdata, continuation } = p;
  if (continuation !== undefined) property(PROPERTY.CONTINUATION, (o) => o.put(continuation));
  if (userdata !== undefined && userdata.length > 0) property(PROPERTY.USERDATA, (o) => o.put(userdata));
}

/** Reads OFPT_PACKET_OUT. */
export function decodePacketOut(from: ByteReader, version: OfVersion): PacketOut {
  const bufferId = from.u32();
  let match: Match;
  let actionsSize: number;
  if (version === 6) {
    actionsSize = from.u16();
    from.skip(2);
    // Fields that it does not know are passed over, and OXM is the only form.
    match = decodeOxmMatch(from, false, true).match;
  } else {
    match = inPortMatch(decodePort(from, version, 'OFPBAC_BAD_OUT_PORT'));
    actionsSize = from.u16();
    if (version > 1) from.skip(6);
  }
  // OpenFlow 1.5 may leave it out, where it is a fault told before those of actions; that there is none must be said.
  const isSaid = ((match.mask[W.IN_PORT] ?? 0) & 0xffff) !== 0;
  if (!isSaid) throw new PeerError('OFPBRC_BAD_PORT', 'packet-out from no port');
  const port = inPortOf(match);
  const checkPort = (): void => {
    if (port < OFPP.MAX || port === OFPP.LOCAL || port === OFPP.CONTROLLER || port === OFPP.NONE) return;
    log.warn(`packet-out has bad input port 0x${port.toString(16)}`);
    throw new PeerError('OFPBRC_BAD_PORT', `packet-out from port ${port}`);
  };
  let actions: Action[];
  try {
    actions = decodeActions(listOf(from, actionsSize, 'actions'), version, 'plain');
  } catch (error) {
    // What options stand for is asked last of all.
    if (error instanceof PeerError && error.code === 'NXFMFC_INVALID_TLV_FIELD') checkPort();
    throw error;
  }
  checkPort();
  return { kind: 'packetOut', bufferId, match, actions, data: from.rest().slice() };
}

/** Writes OFPT_PACKET_OUT. */
export function encodePacketOut(out: ByteWriter, version: OfVersion, p: PacketOut): void {
  out.u32(p.bufferId);
  let sizeAt = out.size;
  if (version === 6) {
    out.u16(0).u16(0);
    encodeAnyMatch(out, p.match, version);
  } else {
    encodePort(out, version, inPortOf(p.match));
    sizeAt = out.size;
    out.u16(0);
    if (version > 1) out.zeros(6);
  }
  const start = out.size;
  // Nothing is known of the frame's tags, and nothing is kept of what is done to them.
  encodeActions(out, p.actions, version, { ...contextOf(p.match), isUnchecked: true });
  out.patch16(sizeAt, out.size - start);
  out.put(p.data);
}

/** Copies of these are what a packet-in's metadata is built with: sets one field's bits in a match. */
export function setMatchBits(match: Match, at: number, bits: number, value: bigint): void {
  setKeyBits(match.key, at, bits, value);
  setKeyBits(match.mask, at, bits, (1n << BigInt(bits)) - 1n);
}
