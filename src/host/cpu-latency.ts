// How long the machine's processors may take to wake up, while somebody waits for one answer after the other.
//
// A processor without work sleeps the deeper the longer it expects to have none, and is the slower to wake: 20 to 50 us where a hypervisor has taken it
// back. A lone client of a disk and a server pays that several times for each answer: the disk wakes the server, the server the client, the client the
// server. The kernel takes requests not to sleep so deep through /dev/cpu_dma_latency (Documentation/power/pm_qos_interface): microseconds as an int, for
// as long as the file is open. It is root's; whoever may not open it goes on as before.
//
// It costs power, and a host the time of processors that idle awake. So it is asked for only after many answers that came less than QUICK_MS apart, and is
// over within RELEASE_MS of the last.
import { closeSync, openSync, writeSync } from 'node:fs';

const DEVICE = '/dev/cpu_dma_latency';
/** An answer this long after the one before is one of a row. */
const QUICK_MS = 1;
/** So many in a row are worth it. */
const ENOUGH = 128;
const RELEASE_MS = 5;
const NO_SLEEP = new Int32Array([0]);

export class CpuLatency {
  readonly #path: string;
  #fd = -1;
  #isRefused = false;
  #row = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(path = DEVICE) {
    this.#path = path;
  }

  get isHeld(): boolean {
    return this.#fd >= 0;
  }

  /** Somebody has waited for one more answer, at `nowMs` of performance.now(). */
  answered(nowMs: number): void {
    this.#row = nowMs - this.#last < QUICK_MS ? this.#row + 1 : 0;
    this.#last = nowMs;
    if (this.#row >= ENOUGH && this.#fd < 0 && !this.#isRefused) this.#hold();
  }

  #hold(): void {
    try {
      this.#fd = openSync(this.#path, 'r+');
      writeSync(this.#fd, NO_SLEEP);
    } catch {
      this.#isRefused = true;
      this.release();
      return;
    }
    const timer = setInterval(() => {
      if (this.#fd >= 0 && performance.now() - this.#last < RELEASE_MS) return;
      clearInterval(timer);
      this.release();
    }, RELEASE_MS).unref();
  }

  release(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#row = 0;
  }
}

let shared: CpuLatency | undefined;

/** The one of this process. */
export function cpuLatency(): CpuLatency {
  shared ??= new CpuLatency();
  return shared;
}
