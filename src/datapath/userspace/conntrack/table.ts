// Connections by tuple. Each connection stands in the table twice: by the tuple of the packets that go the way of the first one, and by that
// of the answers as they arrive. Buckets are chains through the entries, so that a lookup touches nothing else and allocates nothing.
//
// Memory is bounded: at most `maxConnections`, and per zone what its limit says. Connections are also in one list, of which `sweep` looks at
// a part each time; a connection whose time is over counts as gone before it is swept.
import { newTcpConnection, type TcpConnection } from './tcp-state.ts';
import { hashTuple, sameTuple, type Tuple, tupleProto, tupleZone } from './tuple.ts';

/** One direction of a connection in the table. */
export interface Entry {
  readonly tuple: Tuple;
  readonly connection: Connection;
  readonly isReply: boolean;
  hash: number;
  next: Entry | undefined;
}

/** What the kernel carries of a connection: nothing, the packets of a side that is not answered, or all. */
export const MIRRORED = { NOT: 0, ONE_WAY: 1, BOTH_WAYS: 2 } as const;

/** Bits of what is translated. */
export const NAT = { SRC: 1, DST: 2 } as const;

export class Connection {
  readonly original: Entry;
  readonly reply: Entry;
  mark = 0;
  readonly label = new Uint32Array(4);
  expiresMs = 0;
  nat = 0;
  /** Present for TCP. */
  readonly tcp: TcpConnection | undefined;
  /** State of other protocols. */
  state = 0;
  /** What reads its payload: `ftp`, `tftp` or nothing. */
  helper = '';
  /** The connection that announced this one, as it was. */
  parent: Connection | undefined = undefined;
  previous: Connection | undefined = undefined;
  next: Connection | undefined = undefined;
  isGone = false;
  /** Whether it counts against its zone's limit. */
  isCounted = false;
  /** What the kernel carries of it (see `MIRRORED`), and since when; and whether it ever did, so that its sequence numbers are not known. */
  mirrored: number = MIRRORED.NOT;
  mirroredNs = 0n;
  isLoose = false;

  constructor(original: Tuple, reply: Tuple) {
    this.original = { tuple: original, connection: this, isReply: false, hash: 0, next: undefined };
    this.reply = { tuple: reply, connection: this, isReply: true, hash: 0, next: undefined };
    this.tcp = tupleProto(original) === 6 ? newTcpConnection() : undefined;
  }

  get zone(): number {
    return tupleZone(this.original.tuple);
  }
}

/** Whoever carries packets of connections besides the tracker; see `mirror.ts`. */
export interface TableMirror {
  drop(connection: Connection): void;
  renew(connection: Connection, nowMs: number): boolean;
}

export const DEFAULT_MAX_CONNECTIONS = 3_000_000;
export class ConnectionTable {
  #buckets: (Entry | undefined)[] = new Array(1024).fill(undefined);
  #count = 0;
  #first: Connection | undefined;
  #cursor: Connection | undefined;
  readonly #basis: number;
  readonly zoneCounts = new Map<number, number>();
  readonly zoneLimits = new Map<number, number>();
  /** Of zones without a limit of their own; undefined = none. */
  defaultLimit: number | undefined = undefined;
  maxConnections = DEFAULT_MAX_CONNECTIONS;
  mirror: TableMirror | undefined = undefined;

  constructor(basis = 0) {
    this.#basis = basis;
  }

  get count(): number {
    return this.#count;
  }

  /** The entry of a tuple, if its connection still counts. */
  find(tuple: Tuple, nowMs: number): Entry | undefined {
    const hash = hashTuple(tuple, this.#basis);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== undefined) {
      if (entry.hash === hash && sameTuple(entry.tuple, tuple)) {
        if (this.isAlive(entry.connection, nowMs)) return entry;
        this.remove(entry.connection);
        return undefined;
      }
      entry = entry.next;
    }
    return undefined;
  }

  /** Whether a connection's time is not over yet. */
  isAlive(connection: Connection, nowMs: number): boolean {
    return connection.expiresMs > nowMs || (connection.mirrored !== MIRRORED.NOT && this.mirror?.renew(connection, nowMs) === true);
  }

  /** Whether there is room for one more in a zone. */
  hasRoom(zone: number): boolean {
    if (this.#count >= this.maxConnections) return false;
    const limit = this.zoneLimits.get(zone) ?? this.defaultLimit;
    return limit === undefined || (this.zoneCounts.get(zone) ?? 0) < limit;
  }

  insert(connection: Connection): void {
    if (this.#count * 2 >= this.#buckets.length) this.#grow();
    for (const entry of [connection.original, connection.reply]) {
      entry.hash = hashTuple(entry.tuple, this.#basis);
      this.#link(entry);
    }
    connection.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = connection;
    this.#first = connection;
    this.#count++;
    const { zone } = connection;
    // As in the reference: what was there before a limit came does not count against it.
    connection.isCounted = this.defaultLimit !== undefined || this.zoneLimits.has(zone);
    if (connection.isCounted) this.zoneCounts.set(zone, (this.zoneCounts.get(zone) ?? 0) + 1);
  }

  remove(connection: Connection): void {
    if (connection.isGone) return;
    connection.isGone = true;
    if (connection.mirrored !== MIRRORED.NOT) this.mirror?.drop(connection);
    this.#unlink(connection.original);
    this.#unlink(connection.reply);
    if (this.#cursor === connection) this.#cursor = connection.next;
    if (connection.previous === undefined) this.#first = connection.next;
    else connection.previous.next = connection.next;
    if (connection.next !== undefined) connection.next.previous = connection.previous;
    this.#count--;
    if (!connection.isCounted) return;
    const { zone } = connection;
    const left = (this.zoneCounts.get(zone) ?? 1) - 1;
    if (left > 0) this.zoneCounts.set(zone, left);
    else this.zoneCounts.delete(zone);
  }

  #link(entry: Entry): void {
    const at = entry.hash & (this.#buckets.length - 1);
    entry.next = this.#buckets[at];
    this.#buckets[at] = entry;
  }

  #unlink(entry: Entry): void {
    const at = entry.hash & (this.#buckets.length - 1);
    let other = this.#buckets[at];
    if (other === entry) {
      this.#buckets[at] = entry.next;
      return;
    }
    while (other !== undefined && other.next !== entry) other = other.next;
    if (other !== undefined) other.next = entry.next;
  }

  #grow(): void {
    this.#buckets = new Array(this.#buckets.length * 4).fill(undefined);
    for (let one = this.#first; one !== undefined; one = one.next) {
      this.#link(one.original);
      this.#link(one.reply);
    }
  }

  /** Looks at up to `most` connections and removes those whose time is over. */
  sweep(nowMs: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const one = this.#cursor ?? this.#first;
      if (one === undefined) return;
      this.#cursor = one.next;
      if (!this.isAlive(one, nowMs)) this.remove(one);
      if (this.#cursor === undefined) return;
    }
  }

  /** Removes the connections that `wants` picks. */
  removeWhere(wants: (connection: Connection) => boolean): void {
    for (let one = this.#first; one !== undefined; ) {
      const { next } = one;
      if (wants(one)) this.remove(one);
      one = next;
    }
  }

  *connections(): Generator<Connection> {
    for (let one = this.#first; one !== undefined; one = one.next) yield one;
  }
}
