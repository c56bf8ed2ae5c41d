// The mirrors of a bridge, resolved to its bundles. Facts: ovs-vswitchd.conf.db(5), table Mirror.
import type { MirrorRequest } from './contract.ts';
import type { PortBundle } from './ports.ts';

/** More mirrors than bits in a mask are not had. */
export const MAX_MIRRORS = 32;

export interface Mirror {
  /** Its bit in a walk's mask of mirrors that have had the frame. */
  readonly bit: number;
  request: MirrorRequest;
  vlans: ReadonlySet<number> | undefined;
  /** Bits of all mirrors with the same output: a frame goes to one of them. */
  same: number;
  packets: number;
  bytes: number;
}

export interface MirrorCounters {
  packets: number;
  bytes: number;
}

const sameOutput = (a: MirrorRequest, b: MirrorRequest): boolean => a.outputBundle === b.outputBundle && a.outputVlan === b.outputVlan;

export class MirrorSet {
  readonly #byName = new Map<string, Mirror>();
  readonly #sources = new Map<string, number>();
  readonly #destinations = new Map<string, number>();
  #outputs = new Set<string>();
  /** In the order of their bits. */
  all: readonly Mirror[] = [];

  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  /** Makes the mirrors exactly these; those that stay keep what they have counted. */
  set(requests: readonly MirrorRequest[]): void {
    const wanted = new Set(requests.map((request) => request.name));
    for (const name of [...this.#byName.keys()]) if (!wanted.has(name)) this.#byName.delete(name);
    for (const request of requests) {
      const vlans = request.vlans.length === 0 ? undefined : new Set(request.vlans);
      const present = this.#byName.get(request.name);
      if (present !== undefined) {
        present.request = request;
        present.vlans = vlans;
        continue;
      }
      const used = [...this.#byName.values()].reduce((bits, { bit }) => bits | bit, 0);
      const index = Array.from({ length: MAX_MIRRORS }, (_, i) => i).find((i) => (used & (1 << i)) === 0);
      if (index === undefined) continue;
      this.#byName.set(request.name, { bit: 1 << index, request, vlans, same: 0, packets: 0, bytes: 0 });
    }
    this.all = [...this.#byName.values()].sort((a, b) => (a.bit >>> 0) - (b.bit >>> 0));
    this.#index();
  }

  #index(): void {
    this.#sources.clear();
    this.#destinations.clear();
    this.#outputs = new Set();
    for (const mirror of this.all) {
      const { request, bit } = mirror;
      mirror.same = this.all.reduce((bits, other) => (sameOutput(other.request, request) ? bits | other.bit : bits), 0);
      for (const name of request.sources) this.#sources.set(name, (this.#sources.get(name) ?? 0) | bit);
      for (const name of request.destinations) this.#destinations.set(name, (this.#destinations.get(name) ?? 0) | bit);
      if (request.outputBundle !== undefined) this.#outputs.add(request.outputBundle);
    }
  }

  /** Mirrors that want what comes in through a bundle. */
  ofSource(bundle: PortBundle): number {
    return this.#sources.get(bundle.name) ?? 0;
  }

  /** Mirrors that want what goes out through a bundle. */
  ofDestination(bundle: PortBundle): number {
    return this.#destinations.get(bundle.name) ?? 0;
  }

  /** Whether a bundle is there for a mirror alone: it is not flooded to, and what it receives is dropped. */
  isOutput(bundle: PortBundle): boolean {
    return this.#outputs.has(bundle.name);
  }

  counters(name: string): MirrorCounters | undefined {
    return this.#byName.get(name);
  }
}
