// Which flows time out when. A binary heap by due time; a flow that was used meanwhile is put back when its old time comes, so an
// expiry run costs only for flows that are due by what was known when they were put in.

interface Entry<T> {
  atMs: number;
  item: T;
}

export class ExpiryQueue<T> {
  readonly #heap: Entry<T>[] = [];

  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.#heap.length;
  }

  push(atMs: number, item: T): void {
    const heap = this.#heap;
    const entry = { atMs, item };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up]!.atMs <= atMs) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = entry;
  }

  /** Takes the earliest item that is due; undefined when none is. */
  pop(nowMs: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++;
        if (heap[child]!.atMs >= last.atMs) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
    }
    return first.item;
  }
}
