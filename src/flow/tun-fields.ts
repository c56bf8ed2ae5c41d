// tun_metadata fields in matches and keys. A bridge's TLV table gives each a place; in a match that is bound to no table they stand one
// behind the other. Beside its value a field has a bit that says that it is there at all.
import { type Field, tunFieldIndex } from './fields.ts';
import { type Key, type Match, setKeyBits, type TunField, tunPresentBit, W } from './key.ts';

const SPACE = 256;

/** Bytes of a value; none for 0. */
export const bytesOf = (value: bigint): number => (value === 0n ? 0 : (value.toString(16).length + 1) >> 1);

/** A place for the next field of a match that is bound to no table; undefined when there is no room. */
export function nextPlace(match: Match, index: number, bytes: number): TunField | undefined {
  const last = match.tunFields?.at(-1);
  const at = last === undefined ? W.TUN_METADATA * 32 : last.at + last.bits;
  const bits = Math.max(4, (bytes + 3) & ~3) * 8;
  if (at + bits > (W.TUN_METADATA * 4 + SPACE) * 8) return undefined;
  return { index, at, bits, wireBytes: bytes, isBound: false };
}

/** Matches a field in its place: what it says, and that it is there. */
export function addTunField(match: Match, place: TunField, value: bigint, mask: bigint): void {
  setKeyBits(match.key, place.at, place.bits, value & mask);
  setKeyBits(match.mask, place.at, place.bits, mask);
  setKeyBits(match.key, tunPresentBit(place.index), 1, 1n);
  setKeyBits(match.mask, tunPresentBit(place.index), 1, 1n);
  match.tunFields = [...(match.tunFields ?? []), place];
}

/** The present bit of a field that an action writes, in both of the action's keys. */
export function markPresent(field: Field, value: Key, mask: Key): void {
  const index = tunFieldIndex(field);
  if (index < 0) return;
  setKeyBits(value, tunPresentBit(index), 1, 1n);
  setKeyBits(mask, tunPresentBit(index), 1, 1n);
}
