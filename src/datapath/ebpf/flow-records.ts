// The flows' records (FLOW_RECORD), in the mapped map of them: which are taken, and what the control plane writes there.
//
// A record that was given back rests, and is no flow's meanwhile: so no frame sees the key of one flow with the actions of the next.
import { type Memory, mapMemory, unmapMemory } from '../../host/ffi.ts';
import { MAX_FLOWS } from '../datapath.ts';
import { FLOW_RECORD, RECORD_WORDS } from './compiler/map-layout.ts';
import type { CounterPlace } from './flow-counters.ts';
import { RecordPool } from './record-pool.ts';

const WORDS = FLOW_RECORD.size / 4;
/** Bytes of a key in a flow's first record. */
const KEY_SIZE = RECORD_WORDS * 4;
const PACKETS = FLOW_RECORD.packets / 4;

/** A predecessor's or our own records, mapped. */
export const mapRecords = (fd: number): Memory => mapMemory(MAX_FLOWS * FLOW_RECORD.size, fd, true, 0);

export class FlowRecords {
  readonly memory: Memory;
  readonly #halves: Uint16Array;
  readonly #places = new RecordPool(MAX_FLOWS);

  constructor(fd: number) {
    this.memory = mapRecords(fd);
    const { bytes } = this.memory;
    this.#halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  }

  /** An empty record, or with `isPair` two in a row; undefined when there is none left. */
  take(isPair: boolean): number | undefined {
    const record = this.#places.take(isPair);
    if (record !== undefined) this.memory.words.fill(0, record * WORDS, (record + (isPair ? 2 : 1)) * WORDS);
    return record;
  }

  give(record: number, isPair: boolean): void {
    this.#places.give(record, isPair);
  }

  /** A list in the place of the flow's other, in one step. */
  setActions(record: number, list: number): void {
    Atomics.store(this.memory.words, record * WORDS + FLOW_RECORD.actions / 4, list);
  }

  /** Makes a flow of the record: programs find it by hints from now on. `key`: where the mask's keys are in records. */
  show(record: number, mask: number, key: Uint8Array | undefined, list: number): void {
    if (key !== undefined) {
      const at = record * FLOW_RECORD.size;
      this.memory.bytes.set(key.length > KEY_SIZE ? key.subarray(0, KEY_SIZE) : key, at + FLOW_RECORD.key);
      if (key.length > KEY_SIZE) this.memory.bytes.set(key.subarray(KEY_SIZE), at + FLOW_RECORD.size);
    }
    this.setActions(record, list);
    this.#setMask(record, mask);
  }

  /** It is no flow any more; the counters stay. */
  hide(record: number): void {
    this.#setMask(record, 0);
  }

  #setMask(record: number, mask: number): void {
    Atomics.store(this.#halves, (record * FLOW_RECORD.size + FLOW_RECORD.mask) / 2, mask);
  }

  packets(record: number): number {
    const at = record * WORDS + PACKETS;
    return this.memory.words[at]! + this.memory.words[at + 1]! * 2 ** 32;
  }

  place(record: number): CounterPlace {
    return { words: this.memory.words, at: record * WORDS };
  }

  close(): void {
    unmapMemory(this.memory);
  }
}
