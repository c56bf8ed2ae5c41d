// Which flows time out when, by due time; a flow that was used meanwhile is put back when its old time comes, so an expiry run costs only for
// flows that are due by what was known when they were put in.
import { Heap } from '../../base/heap.ts';

interface Entry<T> {
  atMs: number;
  item: T;
}

const isSooner = (a: Entry<unknown>, b: Entry<unknown>): boolean => a.atMs < b.atMs;

export class ExpiryQueue<T> {
  readonly #heap = new Heap<Entry<T>>(isSooner);

  get nextMs(): number {
    return this.#heap.top?.atMs ?? Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.#heap.size;
  }

  push(atMs: number, item: T): void {
    this.#heap.push({ atMs, item });
  }

  /** Takes the earliest item that is due; undefined when none is. */
  pop(nowMs: number): T | undefined {
    return this.nextMs <= nowMs ? this.#heap.pop()?.item : undefined;
  }
}
