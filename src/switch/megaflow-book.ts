// The megaflows of a datapath by the slots of their ids, a column for each thing that is kept of them: an object for each, with numbers that are
// objects too, would cost more to make and to collect than all else that a new flow costs here.
import { type DpAction, type FlowId, slotOf } from '../datapath/datapath.ts';
import type { Effect } from './translate/translation.ts';

const FIRST_ROOM = 64;

/** What megaflows do, and whom it counts for. Never changed: many share one. */
export interface Doing {
  readonly actions: readonly DpAction[];
  readonly effects: readonly Effect[];
}

/** A slot without a megaflow. */
export const NO_SLOT = -1;

export class MegaflowBook {
  /** 0 where there is none. */
  ids = new Float64Array(FIRST_ROOM);
  inPorts = new Uint32Array(FIRST_ROOM);
  recircIds = new Uint32Array(FIRST_ROOM);
  /** Of the counters already applied. */
  packets = new Float64Array(FIRST_ROOM);
  bytes = new Float64Array(FIRST_ROOM);
  usedMs = new Float64Array(FIRST_ROOM);
  /** Of what translation reads: the one that they were translated by last. */
  generations = new Float64Array(FIRST_ROOM);
  readonly doings: (Doing | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** All slots are below. */
  get end(): number {
    return this.doings.length;
  }

  /** The slot of a megaflow, or NO_SLOT when it is gone. */
  slot(id: FlowId): number {
    const slot = slotOf(id);
    return slot < this.doings.length && this.ids[slot] === id ? slot : NO_SLOT;
  }

  /** Books a megaflow in its slot, in the place of whatever is there. */
  add(
    id: FlowId,
    inPort: number,
    recircId: number,
    doing: Doing,
    packets: number,
    bytes: number,
    usedMs: number,
    generation: number,
  ): void {
    const slot = slotOf(id);
    // An array without holes: one that has them is slow to fill.
    while (this.doings.length <= slot) this.doings.push(undefined);
    if (this.ids.length <= slot) this.#grow(slot);
    if (this.ids[slot] === 0) this.#size++;
    this.ids[slot] = id;
    this.inPorts[slot] = inPort;
    this.recircIds[slot] = recircId;
    this.packets[slot] = packets;
    this.bytes[slot] = bytes;
    this.usedMs[slot] = usedMs;
    this.generations[slot] = generation;
    this.doings[slot] = doing;
  }

  delete(slot: number): void {
    if (this.ids[slot] === 0) return;
    this.ids[slot] = 0;
    this.doings[slot] = undefined;
    this.#size--;
  }

  #grow(slot: number): void {
    let room = this.ids.length;
    while (room <= slot) room *= 2;
    const doubles = (column: Float64Array): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(room);
      larger.set(column);
      return larger;
    };
    const words = (column: Uint32Array): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(room);
      larger.set(column);
      return larger;
    };
    this.ids = doubles(this.ids);
    this.packets = doubles(this.packets);
    this.bytes = doubles(this.bytes);
    this.usedMs = doubles(this.usedMs);
    this.generations = doubles(this.generations);
    this.inPorts = words(this.inPorts);
    this.recircIds = words(this.recircIds);
  }
}
