// Parts of fields on the wire: a header, and offset and width either apart or packed as (offset << 6) | (bits - 1).
import { PeerError } from '../../../base/errors.ts';
import type { Field } from '../../../flow/fields.ts';
import type { Subfield } from '../../action.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { decodeFieldHeader, encodeFieldHeader } from './oxm.ts';
import { codeFor, OXM_CLASSES } from './oxm-table.ts';

export const packBits = (offset: number, bits: number): number => (offset << 6) | (bits - 1);

/** Part of a field by its packed numbers, whether or not the field has it. */
export const subfieldFromPacked = (field: Field, packed: number): Subfield => ({ field, offset: packed >> 6, bits: (packed & 63) + 1 });

/** Nicira actions name fields by NXM headers in every version. */
export function encodeNxmHeader(out: ByteWriter, field: Field): void {
  // Of a field that text alone knows there is nothing to say.
  if (codeFor(field, 1) === undefined) out.u32(0);
  else encodeFieldHeader(out, field, 1);
}

/** A header where there are 32 bits for it: in the place of a longer one the reference leaves zeros. */
export function encodeFixedHeader(out: ByteWriter, field: Field): void {
  if (hasLongHeader(field)) out.u32(0);
  else encodeFieldHeader(out, field, 1);
}

export const decodeNxmHeader = (from: ByteReader): Field => decodeFieldHeader(from);

/** A field in the older layouts, whose place for it is 32 bits: what is unknown there has a fault of its own. */
export function decodeFixedHeader(from: ByteReader): Field {
  try {
    return decodeFieldHeader(from.sub(4), true);
  } catch (error) {
    if (!(error instanceof PeerError) || error.code === 'NXFMFC_INVALID_TLV_FIELD') throw error;
    throw new PeerError('OFPBAC_BAD_SET_TYPE', error.message);
  }
}

/** Whether a field's header does not fit the older layouts: it takes 8 bytes, or there is none. */
export function hasLongHeader(field: Field): boolean {
  const code = codeFor(field, 1);
  return code === undefined || OXM_CLASSES[code.cls].cls === 0xffff;
}
