// Something for each installed flow, by the slot in its id: a map of a hundred thousand numbers costs more than all else that a new flow does here.
import { type FlowId, slotOf } from './datapath.ts';

export class FlowSlots<T extends { readonly id: FlowId }> {
  readonly #bySlot: (T | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: FlowId): T | undefined {
    const one = this.#bySlot[slotOf(id)];
    return one?.id === id ? one : undefined;
  }

  /** Puts one in its slot, in the place of whatever is there. */
  set(one: T): void {
    const slot = slotOf(one.id);
    // An array without holes: one that has them is slow to fill.
    while (this.#bySlot.length < slot) this.#bySlot.push(undefined);
    if (this.#bySlot[slot] === undefined) this.#size++;
    this.#bySlot[slot] = one;
  }

  delete(id: FlowId): void {
    if (this.get(id) === undefined) return;
    this.#bySlot[slotOf(id)] = undefined;
    this.#size--;
  }

  clear(): void {
    this.#bySlot.length = 0;
    this.#size = 0;
  }

  /** All; what comes or goes meanwhile may be missed or met. */
  *values(): Generator<T> {
    for (let slot = 0; slot < this.#bySlot.length; slot++) {
      const one = this.#bySlot[slot];
      if (one !== undefined) yield one;
    }
  }
}
