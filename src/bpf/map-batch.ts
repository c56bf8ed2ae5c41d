// Elements on their way into a map, many at a time: a call costs more than what it does. One map at a time.
import { type Memory, mapMemory, unmapMemory } from '../host/ffi.ts';
import { bpf, CMD, memory, setPointer } from './kernel.ts';

const MOST = 256;
const KEY_ROOM = 64 * 4;
/** Place of the number of elements in the attribute block. */
const COUNT = 32;

export class MapBatch {
  readonly #valueSize: number;
  #memory: Memory | undefined;
  #map = -1;
  #keySize = 0;
  readonly #keys: Uint8Array[] = [];

  /** For values of so many bytes, whole words. */
  constructor(valueSize: number) {
    this.#valueSize = valueSize;
  }

  get length(): number {
    return this.#keys.length;
  }

  /** Whether an element of that map can be added before the others are sent. */
  fits(map: number, keySize: number): boolean {
    return this.#keys.length === 0 || (this.#map === map && this.#keySize === keySize && this.#keys.length < MOST);
  }

  /** Adds an element, which must fit; the key is kept until it is sent, the value is not. */
  add(map: number, key: Uint8Array, value: Uint32Array): void {
    if (key.length > KEY_ROOM) throw new RangeError('the key is too long for a batch');
    this.#memory ??= mapMemory(MOST * (KEY_ROOM + this.#valueSize));
    const { bytes, words } = this.#memory;
    const index = this.#keys.push(key) - 1;
    this.#map = map;
    this.#keySize = key.length;
    bytes.set(key, index * key.length);
    const at = (MOST * KEY_ROOM + index * this.#valueSize) >> 2;
    for (let i = 0; i < value.length; i++) words[at + i] = value[i]!;
  }

  /** Stores all elements; gives the keys of those that the kernel refused. */
  send(): Uint8Array[] {
    const failed: Uint8Array[] = [];
    const keys = this.#keys.splice(0);
    const address = this.#memory?.address ?? 0;
    for (let first = 0; first < keys.length; ) {
      const left = keys.length - first;
      const result = bpf(CMD.mapUpdateBatch, (attr) => {
        setPointer(attr, 16, address + first * this.#keySize);
        setPointer(attr, 24, address + MOST * KEY_ROOM + first * this.#valueSize);
        attr.setUint32(COUNT, left, true);
        attr.setUint32(36, this.#map, true);
      });
      if (result >= 0) break;
      // The kernel says how many it took; all, when it refused the call as a whole.
      const taken = memory().words[COUNT / 4]!;
      if (taken >= left) return keys.slice(first);
      failed.push(keys[first + taken]!);
      first += taken + 1;
    }
    return failed;
  }

  close(): void {
    if (this.#memory !== undefined) unmapMemory(this.#memory);
    this.#memory = undefined;
  }
}
