// A predecessor's generation, still forwarding: which ports it had, which flows, and what it counted.
import { closeObject } from '../../bpf/kernel.ts';
import { scanMap } from '../../bpf/objects.ts';
import { type Key, newKey } from '../../flow/key.ts';
import { type Memory, unmapMemory } from '../../host/ffi.ts';
import type { DpPort } from '../datapath.ts';
import { MAX_FLOWS } from '../datapath.ts';
import { FLOW_RECORD, FLOW_VALUE, PORT_VALUE } from './compiler/map-layout.ts';
import type { CounterPlace } from './flow-counters.ts';
import { mapRecords } from './flow-records.ts';
import { FORMER_MAPS, type FormerGeneration } from './pin-folder.ts';
import { type KernelPortCounters, type KernelTotals, readPort, readTotals } from './port-counters.ts';

/** A flow: the frames that it carries are those whose key has these bits; `key` is one of them, with the former port number. */
export interface FormerFlow {
  key: Key;
  counters: CounterPlace;
}

export class Former {
  /** The port numbers by their devices' indices. */
  readonly ports: ReadonlyMap<number, DpPort>;
  readonly #maps: ReadonlyMap<string, number>;
  readonly #records: Memory;
  readonly #masks: ReturnType<FormerGeneration['masks']>;

  private constructor(generation: FormerGeneration, maps: ReadonlyMap<string, number>) {
    this.#maps = maps;
    this.#records = mapRecords(maps.get('records')!);
    this.#masks = generation.masks();
    const ports = new Map<number, DpPort>();
    scanMap(maps.get('ports')!, 4, PORT_VALUE.size, (key, value) => {
      const word = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
      ports.set(word(key, 0), word(value, PORT_VALUE.port));
    });
    this.ports = ports;
  }

  /** Opens a generation; undefined when its daemon ended before it was whole. */
  static open(generation: FormerGeneration): Former | undefined {
    const maps = new Map<string, number>();
    for (const name of FORMER_MAPS) {
      const fd = generation.open(name);
      if (fd !== undefined) maps.set(name, fd);
    }
    if (maps.size === FORMER_MAPS.length) return new Former(generation, maps);
    for (const fd of maps.values()) closeObject(fd);
    return undefined;
  }

  *flows(): Generator<FormerFlow> {
    for (const { fd, words } of this.#masks) {
      const entries: [Uint8Array, number][] = [];
      scanMap(fd, words.length * 4, FLOW_VALUE.size, (key, value) => {
        entries.push([key, new DataView(value.buffer, value.byteOffset).getUint32(FLOW_VALUE.record, true)]);
      });
      for (const [bytes, record] of entries) {
        const key = newKey();
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        for (const [i, word] of words.entries()) if (word < key.length) key[word] = view.getUint32(i * 4, false);
        if (record < MAX_FLOWS) yield { key, counters: { words: this.#records.words, at: (record * FLOW_RECORD.size) / 4 } };
      }
    }
  }

  /** What was counted at a device's port. */
  port(ifindex: number): KernelPortCounters | undefined {
    const port = this.ports.get(ifindex);
    return port === undefined ? undefined : readPort(this.#maps, port, ifindex);
  }

  totals(): KernelTotals {
    return readTotals(this.#maps);
  }

  close(): void {
    unmapMemory(this.#records);
    for (const fd of this.#maps.values()) closeObject(fd);
    for (const { fd } of this.#masks) closeObject(fd);
  }
}
