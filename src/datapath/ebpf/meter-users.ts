// Which flows name which meters: those flows are cut anew when the kernel begins or ends to run a meter.
import type { DpAction, FlowId } from '../datapath.ts';

const NONE: ReadonlySet<FlowId> = new Set();

export class MeterUsers {
  readonly #flows = new Map<number, Set<FlowId>>();
  readonly #meters = new Map<FlowId, number[]>();
  /** A list that names none: new flows share lists. */
  #without: readonly DpAction[] | undefined;

  /** A flow has these actions from now on. */
  put(id: FlowId, actions: readonly DpAction[]): void {
    this.delete(id);
    if (actions === this.#without) return;
    const meters: number[] = [];
    gather(actions, meters);
    if (meters.length === 0) {
      this.#without = actions;
      return;
    }
    this.#meters.set(id, meters);
    for (const meter of meters) {
      let flows = this.#flows.get(meter);
      if (flows === undefined) {
        flows = new Set();
        this.#flows.set(meter, flows);
      }
      flows.add(id);
    }
  }

  delete(id: FlowId): void {
    if (this.#meters.size === 0) return;
    for (const meter of this.#meters.get(id) ?? []) {
      const flows = this.#flows.get(meter);
      flows?.delete(id);
      if (flows?.size === 0) this.#flows.delete(meter);
    }
    this.#meters.delete(id);
  }

  /** The flows that name a meter. */
  of(meter: number): ReadonlySet<FlowId> {
    return this.#flows.get(meter) ?? NONE;
  }

  clear(): void {
    this.#flows.clear();
    this.#meters.clear();
  }
}

function gather(actions: readonly DpAction[], meters: number[]): void {
  for (const action of actions) {
    if (action.kind === 'meter') meters.push(action.meter);
    else if (action.kind === 'clone' || action.kind === 'sample') gather(action.actions, meters);
    else if (action.kind === 'checkPktLen') {
      gather(action.larger, meters);
      gather(action.smaller, meters);
    }
  }
}
