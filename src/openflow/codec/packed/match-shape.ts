// Shapes of NXM and OXM matches: what is alike in the matches of many flows, learned from one of them.
//
// Flows come by the thousand with the same fields under the same masks, and differ in addresses and ports. To read an entry means to find
// its field, to check length, mask, value and prerequisites, and to add it to a match; all of that comes out the same while nothing but
// such values differs. So the entries of one match that was read (or written) the long way are kept as
//
// - `care` and `expect`: the bits on the wire that must be as they were there: headers, masks, and every value that decides about anything,
//   such as the Ethernet type;
// - moves: where the bytes of all other values belong in the packed match.
//
// A match that agrees in what matters is read, or written, with the moves alone. What does not agree goes the long way.
import { type Field, tunFieldIndex } from '../../../flow/fields.ts';
import { W } from '../../../flow/key.ts';
import type { PackedMask, PackedMatch, PackedValues } from '../../../flow/mask.ts';
import { MASKED_BY_VALUE } from '../../../flow/match-text.ts';
import { FittingActions } from '../../fitting-actions.ts';
import { ByteReader } from '../bytes.ts';
import { decodeHeader } from '../fields/oxm.ts';

/** Words whose values decide about other fields, or are checked; fields in them are no free ones. */
const DECIDING: ReadonlySet<number> = new Set([W.TYPE, W.VLAN0, W.PACKET_TYPE, W.CT_STATE]);
/** Values that are checked, or stand in the key otherwise than on the wire. */
const CHECKED = /^(?:icmp|nsh_|nw_tos|ip_dscp|vlan_|actset_output|in_port_oxm)/;
/** The first of the port numbers that are reserved, and are others in 32 bits than in 16. */
const FIRST_RESERVED_PORT = 0xff00;
const VLAN_PRESENT = 0x1000;

/** Whether the bytes of the field's value stand in the key as they stand on the wire, whatever they are. */
function isFree(field: Field): boolean {
  if (field.bits !== field.wireBytes * 8 || field.at % 8 !== 0 || tunFieldIndex(field) >= 0) return false;
  if (CHECKED.test(field.name) || MASKED_BY_VALUE.has(field.name)) return false;
  for (let word = field.at >> 5; word < (field.at + field.bits) >> 5; word++) if (DECIDING.has(word)) return false;
  return !DECIDING.has(field.at >> 5);
}

/** One piece of a value: bytes of the wire that are bits of one packed value. */
export interface Move {
  from: number;
  bytes: 1 | 2 | 4;
  to: number;
  shift: number;
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const u32 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export class MatchShape {
  /** Lists of actions that fit all matches of the shape. */
  readonly fitting = new FittingActions();
  /** Of the match with what stands around its entries, a multiple of four. */
  readonly size: number;
  /** Bytes of the entries alone. */
  readonly entriesSize: number;
  readonly mask: PackedMask;
  readonly #care: Int32Array;
  readonly #expect: Int32Array;
  /** What the values have beside what is moved in, and which of their bits that is. */
  readonly #base: PackedValues;
  readonly #fixed: Int32Array;
  /** Moves of four bytes, of two and of one: place on the wire, index of the value, shift. */
  readonly #moves: readonly [Int32Array, Int32Array, Int32Array];
  /** Where a port number stands that must not be a reserved one: on the wire and among the values; -1 = nowhere. */
  readonly #portFrom: number = -1;
  readonly #portTo: number = -1;

  private constructor(
    bytes: Uint8Array,
    care: Uint8Array,
    entriesSize: number,
    { mask, values }: PackedMatch,
    moves: readonly Move[],
    port: Move | undefined,
  ) {
    this.size = bytes.length;
    this.entriesSize = entriesSize;
    this.mask = mask;
    this.#care = new Int32Array(bytes.length / 4);
    this.#expect = new Int32Array(bytes.length / 4);
    for (let i = 0; i < this.#care.length; i++) {
      this.#care[i] = u32(care, i * 4);
      this.#expect[i] = u32(bytes, i * 4) & u32(care, i * 4);
    }
    const moved = new Int32Array(values.length);
    for (const { bytes: size, to, shift } of moves) moved[to] = moved[to]! | ((size === 4 ? -1 : (1 << (size * 8)) - 1) << shift);
    this.#base = values.map((value, i) => value & ~moved[i]!);
    this.#fixed = Int32Array.from(mask.bits, (bits, i) => bits & ~moved[i]!);
    const flat = (size: number): Int32Array =>
      Int32Array.from(moves.filter((move) => move.bytes === size).flatMap(({ from, to, shift }) => [from, to, shift]));
    this.#moves = [flat(4), flat(2), flat(1)];
    if (port === undefined) return;
    this.#portFrom = port.from;
    this.#portTo = port.to;
  }

  /**
   * The shape of the match in `bytes` from `at` on, whose entries begin `entriesAt` bytes later and take `entriesSize`; behind them stands
   * padding to `size`. `packed` is that match. Undefined where it has no shape.
   */
  static learn(
    bytes: Uint8Array,
    at: number,
    size: number,
    entriesAt: number,
    entriesSize: number,
    packed: PackedMatch,
  ): MatchShape | undefined {
    if (packed.tunFields !== undefined || size % 4 !== 0) return undefined;
    // A copy even of a Buffer, whose own slices are views.
    const own = Uint8Array.prototype.slice.call(bytes, at, at + size);
    const care = new Uint8Array(size).fill(0xff);
    // Nobody reads the padding.
    care.fill(0, entriesAt + entriesSize);
    own.fill(0, entriesAt + entriesSize);
    const moves: Move[] = [];
    let port: Move | undefined;
    const from = new ByteReader(own.subarray(0, entriesAt + entriesSize));
    from.skip(entriesAt);
    while (from.left > 0) {
      const { coded, hasMask, size: payload } = decodeHeader(from);
      const start = from.at;
      from.skip(payload);
      const field = coded?.field;
      if (field === undefined || payload !== field.wireBytes * (hasMask ? 2 : 1)) continue;
      if (field.name === 'in_port_oxm') {
        const to = packed.mask.words.indexOf(W.IN_PORT);
        if (hasMask || to < 0 || u32(own, start) >>> 0 >= FIRST_RESERVED_PORT) continue;
        port = { from: start + 2, bytes: 2, to, shift: 0 };
        moves.push(port);
        care.fill(0, start + 2, start + 4);
      } else if (field.name === 'vlan_vid') {
        const to = packed.mask.words.indexOf(W.VLAN0);
        if (hasMask || to < 0 || (u16(own, start) & 0xf000) !== VLAN_PRESENT) continue;
        if ((packed.mask.bits[to]! & 0x1fff) !== 0x1fff) continue;
        // The tag's priority shares the upper byte: only the lower one is moved freely.
        moves.push({ from: start + 1, bytes: 1, to, shift: 0 });
        care[start + 1] = 0;
      } else if (isFree(field)) {
        const pieces = movesOf(field.at, field.wireBytes, start, packed.mask);
        if (pieces === undefined) continue;
        moves.push(...pieces);
        // Bits that the mask leaves out must be zero, as they are here.
        for (let i = 0; i < field.wireBytes; i++) care[start + i] = hasMask ? ~own[start + field.wireBytes + i]! & 0xff : 0;
      }
    }
    return new MatchShape(own, care, entriesSize, packed, moves, port);
  }

  /** The shape of a match in which every field has its place: `care` are the bits of `bytes` that must be as they are, `moves` where the others go. */
  static ofPlaces(bytes: Uint8Array, care: Uint8Array, packed: PackedMatch, moves: readonly Move[]): MatchShape {
    return new MatchShape(bytes, care, bytes.length, packed, moves, undefined);
  }

  /** Whether a match on the wire is of this shape. */
  fits(bytes: Uint8Array, at: number): boolean {
    const care = this.#care;
    const expect = this.#expect;
    for (let i = 0, from = at; i < care.length; i++, from += 4) if ((u32(bytes, from) & care[i]!) !== expect[i]) return false;
    return this.#portFrom < 0 || u16(bytes, at + this.#portFrom) < FIRST_RESERVED_PORT;
  }

  /** The values of a match on the wire that fits. */
  read(bytes: Uint8Array, at: number): PackedValues {
    const base = this.#base;
    const values = new Array<number>(base.length);
    for (let i = 0; i < base.length; i++) values[i] = base[i]!;
    const [four, two, one] = this.#moves;
    for (let i = 0; i < four.length; i += 3) values[four[i + 1]!] = values[four[i + 1]!]! | u32(bytes, at + four[i]!);
    for (let i = 0; i < two.length; i += 3) values[two[i + 1]!] = values[two[i + 1]!]! | (u16(bytes, at + two[i]!) << two[i + 2]!);
    for (let i = 0; i < one.length; i += 3) values[one[i + 1]!] = values[one[i + 1]!]! | (bytes[at + one[i]!]! << one[i + 2]!);
    return values;
  }

  /** Whether values under the shape's mask are written like those that it was learned from. */
  suits(values: PackedValues): boolean {
    const base = this.#base;
    const fixed = this.#fixed;
    for (let i = 0; i < values.length; i++) if ((values[i]! & fixed[i]!) !== base[i]) return false;
    return this.#portTo < 0 || (values[this.#portTo]! & 0xffff) < FIRST_RESERVED_PORT;
  }

  /** Writes values that suit, `size` bytes. */
  write(bytes: Uint8Array, at: number, values: PackedValues): void {
    const expect = this.#expect;
    for (let i = 0, to = at; i < expect.length; i++, to += 4) {
      const word = expect[i]!;
      bytes[to] = word >>> 24;
      bytes[to + 1] = word >>> 16;
      bytes[to + 2] = word >>> 8;
      bytes[to + 3] = word;
    }
    const [four, two, one] = this.#moves;
    for (let i = 0; i < four.length; i += 3) {
      const to = at + four[i]!;
      const value = values[four[i + 1]!]!;
      bytes[to] = value >>> 24;
      bytes[to + 1] = value >>> 16;
      bytes[to + 2] = value >>> 8;
      bytes[to + 3] = value;
    }
    for (let i = 0; i < two.length; i += 3) {
      const to = at + two[i]!;
      const value = values[two[i + 1]!]! >>> two[i + 2]!;
      bytes[to] = value >>> 8;
      bytes[to + 1] = value;
    }
    for (let i = 0; i < one.length; i += 3) bytes[at + one[i]!] = values[one[i + 1]!]! >>> one[i + 2]!;
  }
}

/** The moves of a value of `size` bytes that begins at `start` and is the key's bits from `bits` on; undefined when the mask lacks one of its words. */
export function movesOf(bits: number, size: number, start: number, mask: PackedMask): Move[] | undefined {
  const moves: Move[] = [];
  for (let i = 0; i < size; ) {
    const bit = (bits + i * 8) & 31;
    const left = Math.min(size - i, (32 - bit) / 8);
    const bytes = left === 4 ? 4 : left >= 2 ? 2 : 1;
    const shift = 32 - bit - bytes * 8;
    const word = (bits + i * 8) >> 5;
    const own = bytes === 4 ? 0xffffffff : ((1 << (bytes * 8)) - 1) << shift;
    // A word may stand in two stages, with other bits in each.
    const to = mask.words.findIndex((one, at) => one === word && (mask.bits[at]! & own) !== 0);
    if (to < 0) return undefined;
    moves.push({ from: start + i, bytes, to, shift });
    i += bytes;
  }
  return moves;
}

/** Shapes that are kept of one size. */
const SAME_SIZE = 16;

/** The shapes met lately, by size. */
export class MatchShapes {
  readonly #bySize: MatchShape[][] = [];
  readonly #sameSize: number;
  #next = 0;

  /** `sameSize`: how many of one size are kept. */
  constructor(sameSize = SAME_SIZE) {
    this.#sameSize = sameSize;
  }

  find(bytes: Uint8Array, at: number, size: number): MatchShape | undefined {
    const same = this.#bySize[size >> 3];
    if (same === undefined) return undefined;
    for (let i = 0; i < same.length; i++) if (same[i]!.size === size && same[i]!.fits(bytes, at)) return same[i];
    return undefined;
  }

  add(shape: MatchShape): void {
    let same = this.#bySize[shape.size >> 3];
    if (same === undefined) {
      same = [];
      this.#bySize[shape.size >> 3] = same;
    }
    if (same.length < this.#sameSize) same.push(shape);
    else same[this.#next++ % this.#sameSize] = shape;
  }
}
