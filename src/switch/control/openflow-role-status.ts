// The message that a controller is no longer the primary one.
import { ONF_VENDOR } from '../../openflow/codec/actions/action-constants.ts';
import type { OfVersion } from '../../openflow/message.ts';

/** OFPT_ROLE_STATUS with role secondary, reason "another controller became primary": OpenFlow 1.4 section 7.4.4; for 1.3 EXT-191. */
export function roleStatus(version: OfVersion, generationId: bigint): Uint8Array {
  const isExtension = version === 4;
  const bytes = new Uint8Array(isExtension ? 32 : 24);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, isExtension ? 4 : 30);
  view.setUint16(2, bytes.length);
  if (isExtension) {
    view.setUint32(8, ONF_VENDOR);
    view.setUint32(12, 1911);
  }
  const at = isExtension ? 16 : 8;
  view.setUint32(at, 3);
  view.setBigUint64(at + 8, generationId);
  return bytes;
}
