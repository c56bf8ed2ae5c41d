// What every action of Nicira's has around its body: 0xffff, its length, the vendor, a subtype, and padding to eight bytes.

import type { ByteWriter } from '../bytes.ts';
import { NX_VENDOR } from './action-constants.ts';

/** Writes one Nicira action: header, body, padding. */
export function niciraAction(out: ByteWriter, subtype: number, body?: (out: ByteWriter) => void, minimum = 16): void {
  const start = out.size;
  out.u16(0xffff).u16(0).u32(NX_VENDOR).u16(subtype);
  body?.(out);
  if (out.size - start < minimum) out.zeros(minimum - (out.size - start));
  out.pad(start, 8);
  out.patch16(start + 2, out.size - start);
}
