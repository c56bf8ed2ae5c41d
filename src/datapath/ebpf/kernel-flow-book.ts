// What is kept of each flow that the kernel has or had, by the slots of their ids, a column for each thing: an object for each flow would cost
// the collector more than all else here.
import { type FlowId, slotOf } from '../datapath.ts';
import type { PooledActions } from './action-pool.ts';
import type { CounterPlace } from './flow-counters.ts';
import type { Mask } from './kernel-mask.ts';

const FIRST_ROOM = 64;
/** A slot without a flow. */
export const NO_SLOT = -1;

export class KernelFlowBook {
  /** NO_SLOT where there is none. */
  ids = new Float64Array(FIRST_ROOM).fill(NO_SLOT);
  /** Place of its key in the mask's. */
  keys = new Uint32Array(FIRST_ROOM);
  /** Place among the mask's flows, while the kernel carries it. */
  places = new Uint32Array(FIRST_ROOM);
  /** Place of its record. */
  records = new Uint32Array(FIRST_ROOM);
  /** Where its frames come from, 0 = several places; see `flow-order.ts`. */
  ports = new Uint32Array(FIRST_ROOM);
  readonly masks: (Mask | undefined)[] = [];
  /** Undefined while user space has the flow: the counters are kept. */
  readonly actions: (PooledActions | undefined)[] = [];
  /** What a predecessor's programs count for flows, until that is added to their own counters. */
  readonly former = new Map<number, readonly CounterPlace[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** All slots are below. */
  get end(): number {
    return this.masks.length;
  }

  /** The slot of a flow, or NO_SLOT when there is none. */
  slot(id: FlowId): number {
    const slot = slotOf(id);
    return slot < this.masks.length && this.ids[slot] === id ? slot : NO_SLOT;
  }

  /** Books a flow without actions; gives its slot. */
  add(id: FlowId, mask: Mask, key: number, record: number, port: number): number {
    const slot = slotOf(id);
    // Arrays without holes: those that have them are slow to fill.
    while (this.masks.length <= slot) {
      this.masks.push(mask);
      this.actions.push(undefined);
    }
    if (this.ids.length <= slot) this.#grow(slot);
    if (this.ids[slot] === NO_SLOT) this.#size++;
    this.ids[slot] = id;
    this.masks[slot] = mask;
    this.keys[slot] = key;
    this.records[slot] = record;
    this.ports[slot] = port;
    this.actions[slot] = undefined;
    return slot;
  }

  delete(slot: number): void {
    this.ids[slot] = NO_SLOT;
    this.masks[slot] = undefined;
    this.former.delete(slot);
    this.#size--;
  }

  clear(): void {
    this.ids.fill(NO_SLOT);
    this.masks.length = 0;
    this.actions.length = 0;
    this.former.clear();
    this.#size = 0;
  }

  /** A flow that the kernel carries from now on is the last of its mask's. */
  join(slot: number): void {
    this.places[slot] = this.masks[slot]!.flows.push(slot) - 1;
  }

  /** The last of the mask's flows takes its place. */
  leave(slot: number): void {
    const { flows } = this.masks[slot]!;
    const place = this.places[slot]!;
    const last = flows.pop()!;
    if (place === flows.length) return;
    flows[place] = last;
    this.places[last] = place;
  }

  #grow(slot: number): void {
    let room = this.ids.length;
    while (room <= slot) room *= 2;
    const words = (column: Uint32Array): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(room);
      larger.set(column);
      return larger;
    };
    const ids = new Float64Array(room).fill(NO_SLOT, this.ids.length);
    ids.set(this.ids);
    this.ids = ids;
    this.keys = words(this.keys);
    this.places = words(this.places);
    this.records = words(this.records);
    this.ports = words(this.ports);
  }
}
