// A load of a part of an option (tun_metadata): a masked set_field, for no other form has room for it.
import { newKey, setKeyBits } from '../flow/key.ts';
import { markPresent } from '../flow/tun-fields.ts';
import type { Action, Subfield } from './action.ts';

/** The action that sets those bits. */
export function loadPart({ field, offset, bits }: Subfield, number: bigint): Action {
  const value = newKey();
  const mask = newKey();
  const at = field.at + field.bits - offset - bits;
  setKeyBits(value, at, bits, number);
  setKeyBits(mask, at, bits, (1n << BigInt(bits)) - 1n);
  markPresent(field, value, mask);
  return { kind: 'setField', field, value, mask, isLoad2: true };
}
