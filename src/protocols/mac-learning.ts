// Which port a MAC address was last seen on, per VLAN (IEEE 802.1D section 7.8).
//
// 1. An entry lives `agingMs` after its last frame.
// 2. When the table is full, the port with the most entries gives up the one it has not used for longest, so that one noisy port cannot
//    drive out the stations of the others.
// 3. `generation` goes up whenever an answer that `lookup` gave may have changed; what was derived from the table is then derived again. A
//    station that is new changes none unless somebody asked for it in vain: those questions are kept until all is derived anew.
// 4. A gratuitous ARP from a single link locks its entry for a while against gratuitous ARPs that come in over a bond: those may be the
//    reflection of our own announcement by the switch at its other end.

/** How long a gratuitous ARP locks an entry against gratuitous ARPs from bonds. */
export const GRATUITOUS_ARP_LOCK_MS = 5000;

/** What a frame was, for rule 4. */
export type Announcement = 'none' | 'gratuitous' | 'gratuitousFromBond';

export interface MacEntry<P> {
  readonly vlan: number;
  /** Upper 32 and lower 16 bits of the address. */
  readonly high: number;
  readonly low: number;
  port: P;
  expiresMs: number;
  lockedUntilMs: number;
  /** Put there by the user: it neither moves nor ages. */
  isStatic: boolean;
}

const DEFAULT_AGING_MS = 300_000;
const DEFAULT_SIZE = 8192;
/** Questions kept; beyond, every answer counts as asked for. */
const MAX_MISSES = 8192;

const idOf = (vlan: number, high: number, low: number): string => `${vlan}/${high >>> 0}/${low}`;

/** The table of one bridge; `P` identifies a port. */
export class MacTable<P> {
  /** In order of last use, oldest first: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, MacEntry<P>>();
  /** The same per port. */
  readonly #byPort = new Map<P, Set<string>>();
  #agingMs = DEFAULT_AGING_MS;
  #maxEntries = DEFAULT_SIZE;
  generation = 0;
  /** Addresses that were asked for in vain. */
  readonly #misses = new Set<string>();
  /** For `fdb/stats-show`. Stations that were put and went with their port go on being counted as put, as in the reference. */
  readonly statistics = { learned: 0, expired: 0, evicted: 0, moved: 0, fixed: 0 };

  get count(): number {
    return this.#entries.size;
  }

  get maxEntries(): number {
    return this.#maxEntries;
  }

  get agingMs(): number {
    return this.#agingMs;
  }

  configure(agingMs: number, maxEntries: number): void {
    for (const entry of this.#entries.values()) entry.expiresMs += agingMs - this.#agingMs;
    this.#agingMs = agingMs;
    this.#maxEntries = Math.max(1, maxEntries);
    while (this.#entries.size > this.#maxEntries) this.#evict();
  }

  /** The live entry of an address; undefined when it has none. */
  lookup(vlan: number, high: number, low: number, nowMs: number): MacEntry<P> | undefined {
    const id = idOf(vlan, high, low);
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.expiresMs > nowMs) return entry;
    if (this.#misses.size < MAX_MISSES) this.#misses.add(id);
    return undefined;
  }

  /** What was derived from answers so far will be derived again: nobody relies on them. */
  forgetMisses(): void {
    if (this.#misses.size > 0) this.#misses.clear();
  }

  /** Notes that an address was seen; gives true when an answer that was given is another now. */
  learn(vlan: number, high: number, low: number, port: P, nowMs: number, announcement: Announcement = 'none'): boolean {
    // A source address with the group bit set belongs to nobody.
    if ((high & 0x01000000) !== 0) return false;
    const id = idOf(vlan, high, low);
    let entry = this.#entries.get(id);
    const isKnown = entry !== undefined && entry.port === port && entry.expiresMs > nowMs;
    const matters = !isKnown && (entry !== undefined || this.#misses.size >= MAX_MISSES || this.#misses.has(id));
    if (entry === undefined) {
      this.statistics.learned++;
      if (this.#entries.size >= this.#maxEntries) this.#evict();
      entry = { vlan, high: high >>> 0, low, port, expiresMs: 0, lockedUntilMs: 0, isStatic: false };
    } else {
      if (announcement === 'gratuitousFromBond' && entry.lockedUntilMs > nowMs) return false;
      if (entry.isStatic) return false;
      if (entry.port !== port) this.statistics.moved++;
      this.#entries.delete(id);
      this.#detach(entry.port, id);
    }
    if (announcement === 'gratuitous') entry.lockedUntilMs = nowMs + GRATUITOUS_ARP_LOCK_MS;
    entry.port = port;
    entry.expiresMs = nowMs + this.#agingMs;
    this.#entries.set(id, entry);
    this.#attach(port, id);
    if (matters) this.generation++;
    return matters;
  }

  /** Puts a station that neither moves nor ages, whatever its address; gives what was there. */
  put(vlan: number, high: number, low: number, port: P): Pick<MacEntry<P>, 'port' | 'isStatic'> | undefined {
    const id = idOf(vlan, high, low);
    const before = this.#entries.get(id);
    if (before?.isStatic !== true) this.statistics.fixed++;
    if (before !== undefined) this.#forget(id, before);
    else if (this.#entries.size >= this.#maxEntries) this.#evict();
    const entry = { vlan, high: high >>> 0, low, port, expiresMs: Number.POSITIVE_INFINITY, lockedUntilMs: 0, isStatic: true };
    this.#entries.set(id, entry);
    this.#attach(port, id);
    this.generation++;
    return before;
  }

  /** Forgets a station that was put; gives false when there is none. */
  take(vlan: number, high: number, low: number): boolean {
    const id = idOf(vlan, high, low);
    const entry = this.#entries.get(id);
    if (entry?.isStatic !== true) return false;
    this.statistics.fixed--;
    this.#forget(id, entry);
    return true;
  }

  /** Forgets one address. */
  remove(vlan: number, high: number, low: number): void {
    const id = idOf(vlan, high, low);
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#forget(id, entry);
  }

  /** Forgets what is older than the ageing time: costs only for what it forgets. */
  expire(nowMs: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.isStatic) continue;
      if (entry.expiresMs > nowMs) break;
      this.statistics.expired++;
      this.#forget(id, entry);
    }
  }

  /** Forgets a port's addresses. */
  flushPort(port: P): void {
    for (const id of [...(this.#byPort.get(port) ?? [])]) this.#forget(id, this.#entries.get(id)!);
  }

  /** Forgets what was learned; what was put stays. */
  flush(): void {
    for (const [id, entry] of [...this.#entries]) if (!entry.isStatic) this.#forget(id, entry);
  }

  entries(): Iterable<MacEntry<P>> {
    return this.#entries.values();
  }

  #evict(): void {
    let fullest: Set<string> | undefined;
    for (const ids of this.#byPort.values()) if (fullest === undefined || ids.size > fullest.size) fullest = ids;
    const oldest = fullest?.values().next().value;
    if (oldest === undefined) return;
    this.statistics.evicted++;
    this.#forget(oldest, this.#entries.get(oldest)!);
  }

  #attach(port: P, id: string): void {
    let ids = this.#byPort.get(port);
    if (ids === undefined) {
      ids = new Set();
      this.#byPort.set(port, ids);
    }
    ids.add(id);
  }

  #detach(port: P, id: string): void {
    const ids = this.#byPort.get(port);
    ids?.delete(id);
    if (ids?.size === 0) this.#byPort.delete(port);
  }

  #forget(id: string, entry: MacEntry<P>): void {
    this.#entries.delete(id);
    this.#detach(entry.port, id);
    this.generation++;
  }
}
