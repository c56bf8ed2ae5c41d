// Reading and writing bytes, big-endian. A reader never reads outside its bytes: a short message is a PeerError by the protocol's name.
import { decodeText, encodeText } from '../../base/byte-text.ts';
import { PeerError } from '../../base/errors.ts';
import type { TlvTable } from '../tlv-table.ts';

const words = new Uint32Array(2);
const long = new BigUint64Array(words.buffer);
const [LOW, HIGH] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? [0, 1] : [1, 0];

/** The big-endian number of four bytes. */
export const u32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** The big-endian number of eight bytes. */
export function u64At(bytes: Uint8Array, at: number): bigint {
  const high = u32At(bytes, at);
  const low = u32At(bytes, at + 4);
  if (high === 0 && low === 0) return 0n;
  words[HIGH] = high;
  words[LOW] = low;
  return long[0]!;
}

/** What a reader's user knows of the fields named in the bytes: it goes with every reader of a part of them. */
export interface FieldContext {
  /** A bridge's TLV table; undefined for none. */
  readonly tlvTable?: TlvTable | undefined;
  /** Whether it is what a flow does, which may name no field that has no place. */
  readonly isOfFlow?: boolean;
}

const NO_CONTEXT: FieldContext = {};

/** Walks over bytes once, from the front. `shortCode` is the fault reported when they end too early. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly shortCode: string;
  readonly context: FieldContext;
  at = 0;

  // Without a DataView: readers are made by the thousand for a few bytes each, and a view costs more than to read those.
  constructor(bytes: Uint8Array, shortCode = 'OFPBRC_BAD_LEN', context = NO_CONTEXT) {
    this.bytes = bytes;
    this.shortCode = shortCode;
    this.context = context;
  }

  get left(): number {
    return this.bytes.byteLength - this.at;
  }

  #take(size: number): number {
    const at = this.at;
    if (size < 0 || size > this.bytes.byteLength - at) throw new PeerError(this.shortCode, `${size} bytes wanted, ${this.left} left`);
    this.at = at + size;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u32(): number {
    return u32At(this.bytes, this.#take(4));
  }

  u64(): bigint {
    return u64At(this.bytes, this.#take(8));
  }

  skip(size: number): this {
    this.#take(size);
    return this;
  }

  /** Passes over bytes that must be zero. */
  zeros(size: number, code = 'NXBRC_MUST_BE_ZERO'): this {
    for (const byte of this.take(size)) if (byte !== 0) throw new PeerError(code, 'padding is not zero');
    return this;
  }

  /** The next `size` bytes, sharing memory with the message. */
  take(size: number): Uint8Array {
    const at = this.#take(size);
    return this.bytes.subarray(at, at + size);
  }

  /** A reader over the next `size` bytes. */
  sub(size: number, shortCode = this.shortCode): ByteReader {
    return this.within(this.take(size), shortCode);
  }

  /** A reader over some bytes of this one's. */
  within(bytes: Uint8Array, shortCode = this.shortCode): ByteReader {
    return new ByteReader(bytes, shortCode, this.context);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  mac(): [number, number] {
    return [this.u32(), this.u16()];
  }

  /** Text up to a zero, as `decodeText` reads it. */
  text(size: number): string {
    const bytes = this.take(size);
    const end = bytes.indexOf(0);
    return decodeText(bytes.subarray(0, end < 0 ? size : end));
  }

  /** A big-endian value of `size` bytes. */
  big(size: number): bigint {
    return bytesToBig(this.take(size));
  }
}

/** The value of big-endian bytes. */
export function bytesToBig(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Collects bytes; grows as needed (a place is taken before the buffer is named: growing changes it). Sizes are patched in afterwards with `patch16`. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  size = 0;

  #room(size: number): number {
    const at = this.size;
    const end = at + size;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.size = end;
    return at;
  }

  /** What has been written, and more: for those who write in a place of their own. It is another after the next growth. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Makes room for `size` bytes and gives where they begin. */
  place(size: number): number {
    return this.#room(size);
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  zeros(size: number): this {
    const at = this.#room(size);
    this.#bytes.fill(0, at, at + size);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  mac(mac: readonly [number, number]): this {
    return this.u32(mac[0]).u16(mac[1]);
  }

  /** Text in a field of `size` bytes, cut so that at least one zero byte ends it. */
  text(text: string, size: number): this {
    const bytes = encodeText(text);
    for (let i = 0; i < size; i++) this.u8(i < size - 1 && i < bytes.length ? bytes[i]! : 0);
    return this;
  }

  /** A big-endian value in `size` bytes. */
  big(value: bigint, size: number): this {
    for (let i = size - 1; i >= 0; i--) this.u8(Number((value >> BigInt(i * 8)) & 0xffn));
    return this;
  }

  /** Zeros until the bytes since `start` are a multiple of `unit`. */
  pad(start: number, unit: number): this {
    const over = (this.size - start) % unit;
    return over === 0 ? this : this.zeros(unit - over);
  }

  patch16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  patch32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Forgets what was written after `size`. */
  cut(size: number): void {
    this.size = size;
  }

  /** What was written; a copy. */
  result(): Uint8Array {
    return this.#bytes.slice(0, this.size);
  }
}
