// Geneve options in translation. The datapath's key has them as they came; tables see each as a tun_metadata field in the place that the
// bridge's TLV table gives it, and what the tables read there has to become a mask over the options as they came.
import { type Field, tunFieldIndex } from '../../flow/fields.ts';
import { type Key, keyBits, type Match, setKeyBits, type TunField, tunPresentBit, W } from '../../flow/key.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import { markBits } from './subfield.ts';

const WORDS_END = W.TUN_METADATA_MAP + 2;
/** As many bytes of options as a header can say (RFC 8926 section 3.4). */
const MAX_OPTIONS = 252;

/** Calls `visit` with each whole option of a key of the datapath: class << 8 | type, its first data word, and data words. */
function eachOption(key: Key, visit: (option: number, data: number, words: number) => void): void {
  const end = W.TUN_METADATA + (Math.min(key[W.TUN_METADATA_MAP]!, MAX_OPTIONS) >> 2);
  for (let at: number = W.TUN_METADATA; at < end; ) {
    const header = key[at]!;
    const words = header & 0x1f;
    if (at + 1 + words > end) return;
    visit(header >>> 8, at + 1, words);
    at += 1 + words;
  }
}

const fieldOf = (table: TlvTable, option: number, words: number): Field | undefined => {
  const field = table.fieldOfOption(option >>> 8, option & 0xff);
  // An option of another size than the bound one is another option.
  return field?.bits === words * 32 ? field : undefined;
};

/** Turns the options in a key of the datapath into fields. */
export function placeOptions(key: Key, table: TlvTable): void {
  if (key[W.TUN_METADATA_MAP] === 0) return;
  const raw = key.slice();
  key.fill(0, W.TUN_METADATA, WORDS_END);
  if (table.isEmpty) return;
  eachOption(raw, (option, data, words) => {
    const field = fieldOf(table, option, words);
    if (field === undefined) return;
    key.set(raw.subarray(data, data + words), field.at >> 5);
    setKeyBits(key, tunPresentBit(tunFieldIndex(field)), 1, 1n);
  });
}

/** Turns the bits of fields that were read into a mask over the options as they came: of these all headers and read data count. */
export function maskOptions(mask: Key, raw: Key, table: TlvTable): void {
  const read = mask.slice(W.TUN_METADATA, WORDS_END);
  if (read.every((bits) => bits === 0)) return;
  mask.fill(0, W.TUN_METADATA, WORDS_END);
  mask[W.TUN_METADATA_MAP] = 0xffffffff;
  eachOption(raw, (option, data, words) => {
    mask[data - 1] = 0xffffffff;
    const field = fieldOf(table, option, words);
    if (field === undefined) return;
    const from = (field.at >> 5) - W.TUN_METADATA;
    mask.set(read.subarray(from, from + words), data);
  });
}

const hasAny = (key: Key): boolean => key[W.TUN_METADATA_MAP] !== 0 || key[W.TUN_METADATA_MAP + 1] !== 0;

/** The fields that a key of the tables has, in order, and their places. */
export function presentFields(key: Key, table: TlvTable): TunField[] {
  if (!hasAny(key)) return [];
  return table.maps().flatMap(({ field: index }) => {
    const field = table.field(index)!;
    return keyBits(key, tunPresentBit(index), 1) === 0n
      ? []
      : [{ index, at: field.at, bits: field.bits, wireBytes: field.wireBytes, isBound: true }];
  });
}

/** The fields that are read of a key of the tables, in order, and their places. */
export const readFields = (mask: Key, table: TlvTable): TunField[] =>
  table.maps().flatMap(({ field: index }) => {
    const { at, bits, wireBytes } = table.field(index)!;
    return keyBits(mask, tunPresentBit(index), 1) === 0n && keyBits(mask, at, bits) === 0n
      ? []
      : [{ index, at, bits, wireBytes, isBound: true }];
  });

/** The options that a key of the tables asks for, as on the wire; un-wildcards what they are made of. */
export function optionsOf(key: Key, wild: Key, table: TlvTable): Uint8Array {
  if (!table.isEmpty) wild.fill(0xffffffff, W.TUN_METADATA_MAP, WORDS_END);
  const out: number[] = [];
  for (const { index, at, bits } of presentFields(key, table)) {
    const map = table.maps().find((one) => one.field === index)!;
    markBits(wild, at, bits);
    out.push(map.optionClass >> 8, map.optionClass & 255, map.optionType, bits / 32);
    for (let word = at >> 5; word < (at + bits) >> 5; word++) {
      const value = key[word]!;
      out.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
    }
  }
  return out.length === 0 ? NO_OPTIONS : Uint8Array.from(out.slice(0, MAX_OPTIONS));
}

const NO_OPTIONS = new Uint8Array(0);

/** Puts options as on the wire into a key of the datapath. */
export function writeOptions(key: Key, options: Uint8Array): void {
  key.fill(0, W.TUN_METADATA, WORDS_END);
  for (let i = 0; i < options.length; i++) key[W.TUN_METADATA + (i >> 2)]! |= options[i]! << (24 - (i & 3) * 8);
  key[W.TUN_METADATA_MAP] = options.length;
}

/** The fields of a match that stand in places of its own, as the options that a frame would bring. */
export function optionsOfMatch(match: Match, table: TlvTable): Uint8Array {
  const placed = match.key.slice();
  placed.fill(0, W.TUN_METADATA, WORDS_END);
  for (const { index, at, bits } of match.tunFields ?? []) {
    const field = table.field(index);
    if (field === undefined) continue;
    setKeyBits(placed, field.at, field.bits, keyBits(match.key, at, bits) & ((1n << BigInt(field.bits)) - 1n));
    setKeyBits(placed, tunPresentBit(index), 1, 1n);
  }
  return optionsOf(placed, placed.slice(), table);
}
