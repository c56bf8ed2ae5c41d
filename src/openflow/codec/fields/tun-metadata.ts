// tun_metadata fields on the wire. Their values are as long as they need to be: a switch fits them to the option that its TLV table binds
// to the field, and a program without such a table takes them as they come. The table goes with the reader (`FieldContext`).
import { PeerError } from '../../../base/errors.ts';
import { type Field, tunFieldIndex } from '../../../flow/fields.ts';
import { keyBits, type Match, type TunField, tunPresentBit } from '../../../flow/key.ts';
import { addTunField, bytesOf, nextPlace } from '../../../flow/tun-fields.ts';
import { ByteReader, type ByteWriter, bytesToBig, type FieldContext } from '../bytes.ts';

/** What a header can say of a value; of what is longer than an option can be the end is lost. */
const MAX_BYTES = 127;
/** Of an option. */
const MAX_OPTION_BYTES = 124;
/** NXM_NX_TUN_METADATA0 */
const CLASS = 1;
const FIRST_NUMBER = 40;

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/**
 * A field as actions may use it. Those of flows need the place that the table gives, which stays as long as they do; those of groups and
 * packet-outs name a field whatever its place, as in the reference: it may change behind them.
 */
export function usableField(field: Field, { tlvTable, isOfFlow }: FieldContext): Field {
  const index = tunFieldIndex(field);
  if (index < 0 || tlvTable === undefined || isOfFlow !== true) return field;
  const placed = tlvTable.field(index);
  if (placed === undefined) throw new PeerError('NXFMFC_INVALID_TLV_FIELD', `${field.name} has no option`);
  return placed;
}

/** A reader over the rest of `from`, which is what a flow does. */
export const ofFlow = (from: ByteReader): ByteReader =>
  new ByteReader(from.rest(), from.shortCode, { tlvTable: from.context.tlvTable, isOfFlow: true });

/** A value of `from` bytes in a field of `to` bytes: what is too long loses its end. */
const fitted = (value: bigint, from: number, to: number): bigint => (from <= to ? value : value >> BigInt((from - to) * 8));

/** Reads value and mask behind a header. The mask is all ones where there is none. */
export function decodeTunValue(from: ByteReader, field: Field, size: number, hasMask: boolean): { value: bigint; mask: bigint } {
  const each = hasMask ? size >> 1 : size;
  if (each > MAX_BYTES) throw new PeerError('OFPBMC_BAD_LEN', `${field.name}: ${size} bytes`);
  const value = fitted(bytesToBig(from.take(each)), each, field.wireBytes);
  const mask = hasMask ? fitted(bytesToBig(from.take(each)), each, field.wireBytes) : ones(field.bits);
  // One byte may be left of what is no two halves.
  from.skip(size - (hasMask ? 2 : 1) * each);
  return { value, mask };
}

/** Reads an entry of a match behind its header. `refuse` throws for a value outside its mask. */
export function decodeTunEntry(
  from: ByteReader,
  match: Match,
  base: Field,
  { size, hasMask }: { size: number; hasMask: boolean },
  strict: boolean,
  refuse: () => never,
): void {
  const { tlvTable: table } = from.context;
  const index = tunFieldIndex(base);
  if (keyBits(match.mask, tunPresentBit(index), 1) !== 0n) throw new PeerError('OFPBMC_DUP_FIELD', `${base.name} twice`);
  let place: TunField | undefined;
  const each = hasMask ? size >> 1 : size;
  if (table === undefined) place = nextPlace(match, index, Math.min(each, MAX_OPTION_BYTES));
  else {
    const placed = table.field(index);
    if (placed !== undefined) place = { index, at: placed.at, bits: placed.bits, wireBytes: placed.wireBytes, isBound: true };
  }
  if (place === undefined) {
    if (strict) throw new PeerError('NXFMFC_INVALID_TLV_FIELD', `${base.name} has no option`);
    from.skip(size);
    return;
  }
  const field = { ...base, at: place.at, bits: place.bits, wireBytes: place.bits / 8 };
  const { value, mask } = decodeTunValue(from, field, size, hasMask);
  if ((value & ~mask) !== 0n) refuse();
  // Where no table says how long an option is, zeros in front say nothing.
  const wireBytes = place.isBound ? place.wireBytes : Math.max(bytesOf(value), hasMask ? bytesOf(mask) : 0);
  addTunField(match, { ...place, wireBytes }, value, mask);
}

function encodeValue(out: ByteWriter, index: number, value: bigint, mask: bigint, bits: number, atLeast: number, isTold = false): void {
  const isMasked = isTold || mask !== ones(bits);
  const size = Math.max(bytesOf(value), isMasked ? bytesOf(mask) : 0, Math.min(atLeast, bits / 8));
  out
    .u16(CLASS)
    .u8(((FIRST_NUMBER + index) << 1) | (isMasked ? 1 : 0))
    .u8(isMasked ? size * 2 : size)
    .big(value, size);
  if (isMasked) out.big(mask, size);
}

/** Writes the entries of a match, in order of their fields. */
export function encodeTunEntries(out: ByteWriter, match: Match): void {
  const fields = [...(match.tunFields ?? [])].sort((a, b) => a.index - b.index);
  for (const { index, at, bits, wireBytes, isMasked } of fields) {
    encodeValue(out, index, keyBits(match.key, at, bits), keyBits(match.mask, at, bits), bits, wireBytes, isMasked);
  }
}

/** Writes header, value and mask as set_field has them. */
export function encodeTunValue(out: ByteWriter, field: Field, value: bigint, mask: bigint): void {
  encodeValue(out, tunFieldIndex(field), value, mask, field.bits, 0);
}
