// Version negotiation: OpenFlow 1.3.5 section 6.3.1 and 7.5.1. Both ends say at once what they speak; the highest common version holds.
import { PeerError } from '../../base/errors.ts';
import type { OfVersion } from '../message.ts';

const OFPT_HELLO = 0;
const OFPHET_VERSIONBITMAP = 1;

/** Bit n stands for version n. */
export function versionBitmap(versions: readonly OfVersion[]): number {
  let bitmap = 0;
  for (const version of versions) bitmap |= 1 << version;
  return bitmap;
}

/** The highest version in a bitmap, 0 when there is none. */
export function highestVersion(bitmap: number): number {
  return bitmap === 0 ? 0 : 31 - Math.clz32(bitmap);
}

/** A hello that offers `versions`. The bitmap is left out where the header's version says it all. */
export function encodeHello(versions: readonly OfVersion[], xid: number): Uint8Array {
  const bitmap = versionBitmap(versions);
  const highest = highestVersion(bitmap);
  const isComplete = bitmap === (1 << (highest + 1)) - 2;
  const bytes = new Uint8Array(isComplete ? 8 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, highest);
  view.setUint8(1, OFPT_HELLO);
  view.setUint16(2, bytes.length);
  view.setUint32(4, xid);
  if (!isComplete) {
    view.setUint16(8, OFPHET_VERSIONBITMAP);
    view.setUint16(10, 8);
    view.setUint32(12, bitmap);
  }
  return bytes;
}

/** What a whole hello offers, as a bitmap. Elements that make no sense are passed over, as the specification wants. */
export function decodeHello(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint8(1) !== OFPT_HELLO) throw new PeerError('OFPBRC_BAD_TYPE', 'not a hello');
  const version = view.getUint8(0);
  if (version === 0) throw new PeerError('OFPBRC_BAD_TYPE', 'version 0 in hello');
  for (let at = 8; at + 8 <= bytes.length; ) {
    const size = view.getUint16(at + 2);
    if (size < 4 || at + size > bytes.length) break;
    if (view.getUint16(at) === OFPHET_VERSIONBITMAP && size >= 8) {
      // Versions from 32 on would be in further words; nobody has them.
      const bitmap = view.getUint32(at + 4) & 0xfffffffe;
      if (bitmap !== 0) return bitmap >>> 0;
    }
    at += (size + 7) & ~7;
  }
  return version >= 31 ? 0xfffffffe : 2 ** (version + 1) - 2;
}

/** A set of versions as log lines have it: `version 0x06 and earlier`, `version 0x04`, `versions 0x01, 0x04`. */
export function formatVersions(bitmap: number): string {
  const versions: string[] = [];
  for (let v = 1; v < 32; v++) if ((bitmap >>> v) & 1) versions.push(`0x${v.toString(16).padStart(2, '0')}`);
  if (versions.length === 0) return 'no versions';
  const highest = highestVersion(bitmap);
  if (versions.length > 1 && versions.length === highest) return `version ${versions.at(-1)} and earlier`;
  return `version${versions.length > 1 ? 's' : ''} ${versions.join(', ')}`;
}
