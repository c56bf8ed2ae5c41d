// The control plane's half of `flow-order.ts`: from when on a new flow is held, and when that ends at the latest.
import { type Memory, mapMemory, unmapMemory } from '../../host/ffi.ts';
import { MAX_PORTS } from '../userspace/shared-state.ts';
import { FLOW_RECORD, PENDING_VALUE } from './compiler/map-layout.ts';
import { HELD_ALWAYS } from './flow-order.ts';
import { type KernelFlowBook, NO_SLOT } from './kernel-flow-book.ts';

/** A flow's frames follow others by the program's hand for one to two of these at most. */
const MOST_MS = 150;
const ALWAYS = HELD_ALWAYS | 0;

/** Flows are kept by their ids: a slot may be another's meanwhile. */
export class FlowHolds {
  readonly #flows: KernelFlowBook;
  readonly #words: Int32Array;
  readonly #pending: Memory;
  /** Held until the next program. */
  #waiting: number[] = [];
  /** Released into the program's care, in this interval, the last, and the one before. */
  #young: number[] = [];
  #older: number[] = [];
  #oldest: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `records` is the mapped map of them, `pendingFd` that of the ports' shares. */
  constructor(flows: KernelFlowBook, records: Memory, pendingFd: number) {
    this.#flows = flows;
    this.#words = new Int32Array(records.words.buffer, records.words.byteOffset, records.words.length);
    this.#pending = mapMemory(Math.max(4096, MAX_PORTS * PENDING_VALUE.size), pendingFd, true, 0);
  }

  #at(slot: number): number {
    return (this.#flows.records[slot]! * FLOW_RECORD.size + FLOW_RECORD.held) / 4;
  }

  /** Before the flow's entry can be seen. */
  begin(slot: number): void {
    const port = this.#flows.ports[slot]!;
    if (port === 0 || port >= MAX_PORTS) return;
    Atomics.store(this.#words, this.#at(slot), ALWAYS);
    this.#waiting.push(this.#flows.ids[slot]!);
  }

  /** A flow that a predecessor's program carries on with: none of its frames is in user space. */
  free(slot: number): void {
    Atomics.store(this.#words, this.#at(slot), 0);
  }

  /** The running program can do all that these flows want. */
  release(isRunning: (slot: number) => boolean): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    let left = 0;
    for (const id of waiting) {
      const slot = this.#flows.slot(id);
      if (slot === NO_SLOT) continue;
      if (isRunning(slot)) this.#release(slot, id);
      else waiting[left++] = id;
    }
    waiting.length = left;
  }

  #release(slot: number, id: number): void {
    const at = (this.#flows.ports[slot]! * PENDING_VALUE.size) / 4;
    const { words } = this.#pending;
    const put = words[at + PENDING_VALUE.put / 4]! | 0;
    const isClear = put === (words[at + PENDING_VALUE.done / 4]! | 0);
    Atomics.compareExchange(this.#words, this.#at(slot), ALWAYS, isClear ? 0 : put === 0 || put === ALWAYS ? 1 : put);
    if (isClear) return;
    this.#young.push(id);
    this.#timer ??= setTimeout(() => this.#grow(), MOST_MS);
  }

  #grow(): void {
    this.#timer = undefined;
    // Twice, because a program may be about to move one on.
    for (const id of this.#older) this.#end(id);
    for (const id of this.#oldest) this.#end(id);
    this.#oldest = this.#older;
    this.#older = this.#young;
    this.#young = [];
    if (this.#older.length + this.#oldest.length > 0) this.#timer = setTimeout(() => this.#grow(), MOST_MS);
  }

  #end(id: number): void {
    const slot = this.#flows.slot(id);
    if (slot === NO_SLOT) return;
    const at = this.#at(slot);
    for (let held = Atomics.load(this.#words, at); held !== 0 && held !== ALWAYS; ) {
      const found = Atomics.compareExchange(this.#words, at, held, 0);
      if (found === held) return;
      held = found;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    unmapMemory(this.#pending);
  }
}
