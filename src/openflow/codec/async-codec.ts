// Asynchronous message configuration: which events a controller hears, by its role. Names are `EVENT.ROLE` with EVENT one of packetIn,
// portStatus, flowRemoved, roleStatus, tableStatus, requestForward and ROLE primary (or equal) or secondary; a value has a bit a reason.
import { PeerError } from '../../base/errors.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

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

const FIXED = [
  'packetIn.primary',
  'packetIn.secondary',
  'portStatus.primary',
  'portStatus.secondary',
  'flowRemoved.primary',
  'flowRemoved.secondary',
] as const;

/** Reads OpenFlow 1.3's and Nicira's fixed form. */
export function decodeAsync(from: ByteReader): Map<string, number> {
  return new Map(FIXED.map((name) => [name, from.u32()]));
}

export function encodeAsync(out: ByteWriter, masks: ReadonlyMap<string, number>): void {
  for (const name of FIXED) out.u32(masks.get(name) ?? 0);
}

/** Reads OpenFlow 1.4's list of properties. */
export function decodeAsyncProperties(from: ByteReader): Map<string, number> {
  const masks = new Map<string, number>();
  while (from.left >= 4) {
    const type = from.u16();
    const length = from.u16();
    if (length < 8) throw new PeerError('OFPBPC_BAD_LEN', `property of ${length} bytes`);
    const body = from.sub(length - 4, 'OFPBPC_BAD_LEN');
    from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
    const name = PROPERTIES[type];
    if (name === undefined) throw new PeerError('OFPACFC_INVALID', `asynchronous property ${type}`);
    masks.set(name, body.u32());
  }
  if (from.left > 0) throw new PeerError('OFPBRC_BAD_LEN', `${from.left} bytes after the last property`);
  return masks;
}

export function encodeAsyncProperties(out: ByteWriter, masks: ReadonlyMap<string, number>): void {
  for (const [type, name] of PROPERTIES.entries()) {
    const mask = masks.get(name);
    if (mask !== undefined) out.u16(type).u16(8).u32(mask);
  }
}
