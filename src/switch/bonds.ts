// Bonds of a bridge: which ports are members, their links, and the clock that their delays need.
import type { Clock } from '../base/clock.ts';
import { Bond } from '../protocols/bond.ts';
import type { BondRequest } from './contract.ts';
import type { PortBundle } from './ports.ts';

const isUp = ({ link }: PortBundle['members'][number]): boolean => link === undefined || (link.isUp && link.hasCarrier);

export class Bonds {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #onFailover: (bundle: PortBundle) => void;
  readonly #bundles = new Set<PortBundle>();
  #cancel: (() => void) | undefined;

  /** `onFailover`: another member is the active one than before. */
  constructor(clock: Clock, onChange: () => void, onFailover: (bundle: PortBundle) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#onFailover = onFailover;
  }

  /** Makes a bundle a bond, or no bond with undefined settings. */
  set(bundle: PortBundle, request: BondRequest | undefined): void {
    if (request === undefined) {
      bundle.bond = undefined;
      this.#bundles.delete(bundle);
      return;
    }
    if (bundle.bond === undefined) bundle.bond = new Bond(bundle.name, request);
    else bundle.bond.configure(request);
    this.#bundles.add(bundle);
    this.run();
  }

  /** Links or time have changed. */
  run(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const now = this.#clock.now();
    let next: number | undefined;
    let isChanged = false;
    const failedOver: PortBundle[] = [];
    for (const bundle of this.#bundles) {
      const { bond, members } = bundle;
      if (bond === undefined) continue;
      const before = bond.active;
      if (
        bond.run(
          members.map((member) => ({ name: member.name, isUp: isUp(member) })),
          now,
        )
      )
        isChanged = true;
      if (bond.active !== before && bond.active !== undefined && before !== undefined) failedOver.push(bundle);
      const { nextMs } = bond;
      if (nextMs !== undefined && (next === undefined || nextMs < next)) next = nextMs;
    }
    if (next !== undefined) this.#cancel = this.#clock.after(Math.max(0, next - now), () => this.run());
    if (isChanged) this.#onChange();
    for (const bundle of failedOver) this.#onFailover(bundle);
  }

  *all(): Generator<PortBundle> {
    yield* this.#bundles;
  }

  close(): void {
    this.#cancel?.();
    this.#bundles.clear();
  }
}
