// The control plane's half of `flow-order.ts`: from when on a new flow is held, and when that ends at the latest.
import { type Memory, mapMemory, unmapMemory } from '../../host/ffi.ts';
import { MAX_PORTS } from '../userspace/shared-state.ts';
import { FLOW_RECORD, PENDING_VALUE } from './compiler/map-layout.ts';
import { HELD_ALWAYS } from './flow-order.ts';

/** A flow's frames follow others by the program's hand for one to two of these at most. */
const MOST_MS = 150;
const ALWAYS = HELD_ALWAYS | 0;

/** A flow here: the place of its record, -1 once it is gone, and its port, 0 when frames may come from several. */
interface HeldFlow {
  record: number;
  port: number;
}

export class FlowHolds<F extends HeldFlow> {
  readonly #words: Int32Array;
  readonly #pending: Memory;
  /** Held until the next program. */
  #waiting: F[] = [];
  /** Released into the program's care, in this interval, the last, and the one before. */
  #young: F[] = [];
  #older: F[] = [];
  #oldest: F[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `records` is the mapped map of them, `pendingFd` that of the ports' shares. */
  constructor(records: Memory, pendingFd: number) {
    this.#words = new Int32Array(records.words.buffer, records.words.byteOffset, records.words.length);
    this.#pending = mapMemory(Math.max(4096, MAX_PORTS * PENDING_VALUE.size), pendingFd, true, 0);
  }

  #at(flow: F): number {
    return (flow.record * FLOW_RECORD.size + FLOW_RECORD.held) / 4;
  }

  /** Before the flow's entry can be seen. */
  begin(flow: F): void {
    if (flow.port === 0 || flow.port >= MAX_PORTS) return;
    Atomics.store(this.#words, this.#at(flow), ALWAYS);
    this.#waiting.push(flow);
  }

  /** A flow that a predecessor's program carries on with: none of its frames is in user space. */
  free(flow: F): void {
    Atomics.store(this.#words, this.#at(flow), 0);
  }

  /** The running program can do all that these flows want. */
  release(isRunning: (flow: F) => boolean): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flow of waiting) {
      if (isRunning(flow)) this.#release(flow);
      else if (flow.record >= 0) this.#waiting.push(flow);
    }
  }

  #release(flow: F): void {
    if (flow.record < 0) return;
    const at = (flow.port * PENDING_VALUE.size) / 4;
    const { words } = this.#pending;
    const put = words[at + PENDING_VALUE.put / 4]! | 0;
    const isClear = put === (words[at + PENDING_VALUE.done / 4]! | 0);
    Atomics.compareExchange(this.#words, this.#at(flow), ALWAYS, isClear ? 0 : put === 0 || put === ALWAYS ? 1 : put);
    if (isClear) return;
    this.#young.push(flow);
    this.#timer ??= setTimeout(() => this.#grow(), MOST_MS);
  }

  #grow(): void {
    this.#timer = undefined;
    // Twice, because a program may be about to move one on.
    for (const flow of this.#older) this.#end(flow);
    for (const flow of this.#oldest) this.#end(flow);
    this.#oldest = this.#older;
    this.#older = this.#young;
    this.#young = [];
    if (this.#older.length + this.#oldest.length > 0) this.#timer = setTimeout(() => this.#grow(), MOST_MS);
  }

  #end(flow: F): void {
    if (flow.record < 0) return;
    const at = this.#at(flow);
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
