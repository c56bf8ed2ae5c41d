// Elements on their way into a map or out of one, many at a time: a call costs more than what it does. One map at a time.
import { type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import { bpf, CMD, memory, setPointer } from './kernel.ts';

const NO_VALUE = new Uint32Array(0);
const MOST = 256;
/** Bytes of the longest key that a map may have. */
const KEY_ROOM = 512;
/** Place of the number of elements in the attribute block. */
const COUNT = 32;

export class MapBatch {
  readonly #command: number;
  readonly #valueSize: number;
  #memory: Memory | undefined;
  #map = -1;
  #keySize = 0;
  #length = 0;

  /** For values of so many bytes, whole words. `out`: elements are deleted, by keys alone. */
  constructor(valueSize: number, way: 'in' | 'out' = 'in') {
    this.#valueSize = valueSize;
    this.#command = way === 'out' ? CMD.mapDeleteBatch : CMD.mapUpdateBatch;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether an element of that map can be added before the others are sent. */
  fits(map: number, keySize: number): boolean {
    return this.#length === 0 || (this.#map === map && this.#keySize === keySize && this.#length < MOST);
  }

  /** Adds an element, which must fit: a key that stands in `keys` from `keyAt` on, and a value, none where elements are deleted. */
  add(map: number, keys: Uint8Array, keyAt: number, keySize: number, value: Uint32Array = NO_VALUE): void {
    if (keySize > KEY_ROOM) throw new RangeError('the key is too long for a batch');
    this.#memory ??= mapMemory(MOST * (KEY_ROOM + this.#valueSize));
    const { bytes, words } = this.#memory;
    const index = this.#length++;
    this.#map = map;
    this.#keySize = keySize;
    const to = index * keySize;
    for (let i = 0; i < keySize; i++) bytes[to + i] = keys[keyAt + i]!;
    const at = (MOST * KEY_ROOM + index * this.#valueSize) >> 2;
    for (let i = 0; i < value.length; i++) words[at + i] = value[i]!;
  }

  /** Stores or deletes all elements; tells which the kernel refused, counted from 0 as they were added. */
  send(): number[] {
    const failed: number[] = [];
    const length = this.#length;
    this.#length = 0;
    const address = this.#memory?.address ?? 0;
    for (let first = 0; first < length; ) {
      const left = length - first;
      const result = bpf(this.#command, (attr) => {
        setPointer(attr, 16, address + first * this.#keySize);
        setPointer(attr, 24, address + MOST * KEY_ROOM + first * this.#valueSize);
        attr.setUint32(COUNT, left, true);
        attr.setUint32(36, this.#map, true);
      });
      if (result >= 0) break;
      // The kernel says how many it took; all, when it refused the call as a whole.
      const taken = memory().words[COUNT / 4]!;
      if (taken >= left) {
        for (let i = first; i < length; i++) failed.push(i);
        break;
      }
      failed.push(first + taken);
      first += taken + 1;
    }
    return failed;
  }

  close(): void {
    if (this.#memory !== undefined) unmapMemory(this.#memory);
    this.#memory = undefined;
  }
}
