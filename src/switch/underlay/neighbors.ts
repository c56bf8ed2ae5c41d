// The link-layer addresses of hosts on the networks below tunnels, by bridge: learned from ARP and neighbour advertisements, or set by command.
import { formatMac } from '../../base/addresses.ts';
import { formatAddress } from './address.ts';

export type Mac = readonly [number, number];

/** A host on the network of a bridge. */
export interface FoundNeighbor {
  bridge: string;
  address: bigint;
  mac: Mac;
}

interface Neighbor extends FoundNeighbor {
  expiresMs: number;
}

const DEFAULT_AGING_SEC = 900;
/** Neighbours that are kept at most, so that a host which claims many addresses does not fill the memory. */
const MOST = 65536;

const placeOf = ({ bridge, address }: Pick<FoundNeighbor, 'bridge' | 'address'>): string => `${bridge}\n${address}`;

export class Neighbors {
  readonly #byPlace = new Map<string, Neighbor>();
  readonly #now: () => number;
  #agingSec = DEFAULT_AGING_SEC;
  /** Who is told of changes. */
  onChange: (() => void) | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get agingSec(): number {
    return this.#agingSec;
  }

  /** Entries that would live longer are shortened. */
  set agingSec(seconds: number) {
    this.#agingSec = seconds;
    const latest = this.#now() + seconds * 1000;
    for (const neighbor of this.#byPlace.values()) neighbor.expiresMs = Math.min(neighbor.expiresMs, latest);
  }

  set(bridge: string, address: bigint, mac: Mac): void {
    const place = placeOf({ bridge, address });
    const known = this.#byPlace.get(place);
    const expiresMs = this.#now() + this.#agingSec * 1000;
    if (known !== undefined && known.mac[0] === mac[0] && known.mac[1] === mac[1]) {
      known.expiresMs = expiresMs;
      return;
    }
    if (known === undefined && this.#byPlace.size >= MOST) return;
    this.#byPlace.delete(place);
    this.#byPlace.set(place, { bridge, address, mac, expiresMs });
    this.onChange?.();
  }

  get(bridge: string, address: bigint): Mac | undefined {
    const known = this.#byPlace.get(placeOf({ bridge, address }));
    return known === undefined || known.expiresMs <= this.#now() ? undefined : known.mac;
  }

  flush(): void {
    this.#byPlace.clear();
    this.onChange?.();
  }

  /** Forgets what is too old. */
  sweep(): void {
    const now = this.#now();
    let isChanged = false;
    for (const [place, { expiresMs }] of this.#byPlace) if (expiresMs <= now) isChanged = this.#byPlace.delete(place);
    if (isChanged) this.onChange?.();
  }

  /** The text of `tnl/neigh/show`, with neighbours that others have found. */
  show(others: Iterable<FoundNeighbor> = []): string {
    this.sweep();
    const all = new Map<string, FoundNeighbor>(this.#byPlace);
    for (const other of others) if (!all.has(placeOf(other))) all.set(placeOf(other), other);
    const lines = [...all.values()].map(
      ({ address, mac, bridge }) => `${formatAddress(address).padEnd(46)}${formatMac(mac[0], mac[1])}   ${bridge}`,
    );
    return [`${'IP'.padEnd(46)}${'MAC'.padEnd(20)}Bridge`, '='.repeat(74), ...lines].join('\n');
  }
}
