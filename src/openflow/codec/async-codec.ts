// Asynchronous message configuration: which events a controller hears, by its role. Names are `EVENT.ROLE` with EVENT one of packetIn,
// portStatus, flowRemoved, roleStatus, tableStatus, requestForward and ROLE primary (or equal) or secondary; a value has a bit a reason.
import { PeerError } from '../../base/errors.ts';
import type { OfVersion } from '../message.ts';
import { asyncValueLog, propertyLogs } from '../peer-logs.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { eachProperty, refuseProperty, TWO_EXPERIMENTERS } from './properties.ts';

/** Names in the order of OpenFlow 1.4's property numbers. */
const PROPERTIES = [
  'packetIn.secondary',
  'packetIn.primary',
  'portStatus.secondary',
  'portStatus.primary',
  'flowRemoved.secondary',
  'flowRemoved.primary',
  'roleStatus.secondary',
  'roleStatus.primary',
  'tableStatus.secondary',
  'tableStatus.primary',
  'requestForward.secondary',
  'requestForward.primary',
] as const;

/** The bits that each event has, by its name. */
const ALLOWED: ReadonlyMap<string, number> = new Map([
  ['packetIn', 0x3f],
  ['portStatus', 0x7],
  ['flowRemoved', 0x3f],
  ['roleStatus', 0x7],
  ['tableStatus', 0x18],
  ['requestForward', 0x3],
]);
const LABELS: ReadonlyMap<string, string> = new Map([
  ['packetIn', 'PACKET_IN'],
  ['portStatus', 'PORT_STATUS'],
  ['flowRemoved', 'FLOW_REMOVED'],
  ['roleStatus', 'ROLE_STATUS'],
  ['tableStatus', 'TABLE_STATUS'],
  ['requestForward', 'REQUESTFORWARD'],
]);

/** Before OpenFlow 1.4 there are fewer reasons to send packets. */
const ALLOWED_BEFORE: ReadonlyMap<string, number> = new Map([...ALLOWED, ['packetIn', 0x7]]);
const allowedIn = (version: OfVersion): ReadonlyMap<string, number> => (version >= 5 ? ALLOWED : ALLOWED_BEFORE);

const FIXED = [
  'packetIn.primary',
  'packetIn.secondary',
  'portStatus.primary',
  'portStatus.secondary',
  'flowRemoved.primary',
  'flowRemoved.secondary',
] as const;

/** Reads OpenFlow 1.3's and Nicira's fixed form. */
export function decodeAsync(from: ByteReader, version: OfVersion): Map<string, number> {
  const allowed = allowedIn(version);
  return new Map(FIXED.map((name) => [name, (from.u32() & (allowed.get(name.slice(0, name.indexOf('.'))) ?? 0)) >>> 0]));
}

export function encodeAsync(out: ByteWriter, masks: ReadonlyMap<string, number>): void {
  for (const name of FIXED) out.u32(masks.get(name) ?? 0);
}

/** Reads OpenFlow 1.4's list of properties. A setting (`isStrict`) may have no bit that means nothing. */
export function decodeAsyncProperties(from: ByteReader, version: OfVersion, isStrict: boolean): Map<string, number> {
  const masks = new Map<string, number>();
  for (const property of eachProperty(from, TWO_EXPERIMENTERS)) {
    const { number, body } = property;
    const name = PROPERTIES[number];
    if (name === undefined) {
      refuseProperty(propertyLogs.async, !isStrict, 'async config', property, 'OFPACFC_UNSUPPORTED');
      continue;
    }
    if (body.left !== 4) throw new PeerError('OFPBPC_BAD_LEN', `property of ${body.left + 4} bytes`);
    const bits = body.u32();
    const event = name.slice(0, name.indexOf('.'));
    const allowed = allowedIn(version).get(event) ?? 0;
    if (isStrict && (bits & ~allowed) !== 0) {
      asyncValueLog.warn(() => `bad value 0x${bits.toString(16)} for ${LABELS.get(event)} (allowed mask 0x${allowed.toString(16)})`);
      throw new PeerError('OFPACFC_INVALID', `bits 0x${bits.toString(16)} of ${event}`);
    }
    masks.set(name, (bits & allowed) >>> 0);
  }
  return masks;
}

export function encodeAsyncProperties(out: ByteWriter, masks: ReadonlyMap<string, number>): void {
  for (const [type, name] of PROPERTIES.entries()) {
    const mask = masks.get(name);
    if (mask !== undefined) out.u16(type).u16(8).u32(mask);
  }
}
