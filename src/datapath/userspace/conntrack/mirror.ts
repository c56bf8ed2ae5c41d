// Established connections in a map of the kernel, where programs find them: they carry their packets without asking, and note when.
//
//   1. A connection goes there, once for each direction, when both sides have spoken and nothing about it is special: no helper reads it, and
//      no other connection announced it. Echoes (ping) go there when they have been answered. A UDP stream that is not answered goes there in
//      its one direction, still as new.
//   2. It comes back as soon as a packet that only the tracker judges ends that: SYN, FIN or RST, a flush, its end.
//   3. What the kernel carries is not seen here, so sequence numbers of such a connection are not checked any more.
//   4. A connection whose time seems to be over is asked after there first.
//
// The map outlives the daemon: the next one finds the connections in it.
import { closeObject, deleteElement, lookupElement, updateElement } from '../../../bpf/kernel.ts';
import { scanMap } from '../../../bpf/objects.ts';
import { CT_STATE, W } from '../../../flow/key.ts';
import { translatedBits } from './nat.ts';
import { Connection, type Entry, MIRRORED } from './table.ts';
import { SCALE_UNKNOWN, TCP_STATE, TCP_TIMEOUT } from './tcp-state.ts';
import { IPV4, isIcmp, newTuple, reverseTuple, T, TUPLE_WORDS, type Tuple, tupleFamily, tupleProto } from './tuple.ts';

/** The key: a tuple, its words in network order. */
export const CT_KEY_SIZE: number = TUPLE_WORDS * 4;
/**
 * The value. `state`, `translated` (the bits that a translation adds, 0 = none), `mark` and `target` (addresses and ports that a packet gets)
 * are words in network order, `used` and `since` nanoseconds of the monotonic clock, 0 = never. `more`: the words of a key from W.CT_LABEL to
 * W.TUN_ID, label and tuple of the connection's first packet, network order too.
 */
export const CT_VALUE = { state: 0, translated: 4, mark: 8, flags: 12, used: 16, since: 24, target: 32, more: 68, size: 128 } as const;
/** Bits of `flags`: the direction of answers; what is translated, as `NAT`, from this bit on. */
const IS_REPLY = 1;
const NAT_SHIFT = 1;
export const MAX_MIRRORED_ENTRIES = 1 << 18;

/** How long nothing is put after the map was full. */
const FULL_NS = 1_000_000_000n;
const UDP = 17;
const TARGET_WORDS = 9;
/** States of a UDP connection: one side has spoken several times, or both have. */
const MULTIPLE = 1;
const BOTH = 2;
/** State of an ICMP connection that has been answered, and the types of echo requests. */
const ANSWERED = 1;
const ECHO = { v4: 8, v6: 128 } as const;

/** What of a connection the kernel may carry. */
export function mirrorable(connection: Connection): number {
  const { tcp, helper, parent, state } = connection;
  if (helper !== '' || parent !== undefined) return MIRRORED.NOT;
  if (tcp !== undefined) {
    const [a, b] = tcp.peers;
    return a.state === TCP_STATE.ESTABLISHED && b.state === TCP_STATE.ESTABLISHED ? MIRRORED.BOTH_WAYS : MIRRORED.NOT;
  }
  const { tuple } = connection.original;
  const proto = tupleProto(tuple);
  if (isIcmp(proto)) {
    const type = (tuple[T.PORTS]! >>> 8) & 0xff;
    return state === ANSWERED && (type === ECHO.v4 || type === ECHO.v6) ? MIRRORED.BOTH_WAYS : MIRRORED.NOT;
  }
  if (proto !== UDP) return MIRRORED.NOT;
  return state === BOTH ? MIRRORED.BOTH_WAYS : state === MULTIPLE ? MIRRORED.ONE_WAY : MIRRORED.NOT;
}

export class ConnectionMirror {
  readonly #fd: number;
  readonly #timeoutMs: (connection: Connection) => number;
  readonly #key = new Uint8Array(CT_KEY_SIZE);
  readonly #value = new Uint8Array(CT_VALUE.size);
  readonly #keyView = new DataView(this.#key.buffer);
  readonly #view = new DataView(this.#value.buffer);
  readonly #target = newTuple();
  /** Until when there is no room, in the time of `put`. */
  #fullUntilNs = 0n;

  /** `fd` is the map, ours from now on; `timeoutMs` tells how long a connection lives without packets. */
  constructor(fd: number, timeoutMs: (connection: Connection) => number) {
    this.#fd = fd;
    this.#timeoutMs = timeoutMs;
  }

  /** Gives the kernel what it may carry of a connection, and its mark and label. */
  put(connection: Connection): void {
    const now = process.hrtime.bigint();
    const level = mirrorable(connection);
    const isNew = connection.mirrored === MIRRORED.NOT;
    if (level === MIRRORED.NOT) {
      if (!isNew) this.drop(connection);
      return;
    }
    if (isNew && now < this.#fullUntilNs) return;
    const since = isNew ? now : connection.mirroredNs;
    try {
      this.#put(connection.original, connection.reply, since);
      if (level === MIRRORED.BOTH_WAYS) this.#put(connection.reply, connection.original, since);
      connection.mirrored = level;
      connection.isLoose = true;
      connection.mirroredNs = since;
    } catch {
      // Full, most likely: the tracker goes on with it.
      this.#fullUntilNs = now + FULL_NS;
      this.drop(connection);
    }
  }

  #put(entry: Entry, other: Entry, since: bigint): void {
    const { connection, isReply } = entry;
    this.#setKey(entry.tuple);
    const before =
      connection.mirrored !== MIRRORED.NOT && lookupElement(this.#fd, this.#key, this.#value)
        ? this.#view.getBigUint64(CT_VALUE.used, true)
        : 0n;
    const view = this.#view;
    const isAnswered = mirrorable(connection) === MIRRORED.BOTH_WAYS;
    view.setUint32(CT_VALUE.state, CT_STATE.TRK | (isAnswered ? CT_STATE.EST : CT_STATE.NEW) | (isReply ? CT_STATE.RPL : 0));
    view.setUint32(CT_VALUE.translated, connection.nat === 0 ? 0 : translatedBits(connection, isReply, CT_STATE.SNAT, CT_STATE.DNAT));
    view.setUint32(CT_VALUE.mark, connection.mark);
    view.setUint32(CT_VALUE.flags, (isReply ? IS_REPLY : 0) | (connection.nat << NAT_SHIFT), true);
    view.setBigUint64(CT_VALUE.used, before, true);
    view.setBigUint64(CT_VALUE.since, since, true);
    reverseTuple(other.tuple, this.#target);
    for (let i = 0; i < TARGET_WORDS; i++) view.setUint32(CT_VALUE.target + i * 4, this.#target[i]!);
    this.#putMore(connection);
    updateElement(this.#fd, this.#key, this.#value);
  }

  #putMore(connection: Connection): void {
    const view = this.#view;
    const put = (word: number, value: number): void => view.setUint32(CT_VALUE.more + (word - W.CT_LABEL) * 4, value);
    for (let word: number = W.CT_LABEL; word < W.TUN_ID; word++) put(word, 0);
    for (let i = 0; i < 4; i++) put(W.CT_LABEL + i, connection.label[i]!);
    const { tuple } = connection.original;
    const ports = tuple[T.PORTS]!;
    put(W.CT_TP, isIcmp(tupleProto(tuple)) ? (((ports >>> 8) & 0xff) << 16) | (ports & 0xff) : ports);
    if (tupleFamily(tuple) === IPV4) {
      put(W.CT_NW_SRC, tuple[3]!);
      put(W.CT_NW_DST, tuple[7]!);
    } else {
      for (let i = 0; i < 8; i++) put(W.CT_IPV6_SRC + i, tuple[i]!);
    }
  }

  #setKey(tuple: Tuple): void {
    for (let i = 0; i < TUPLE_WORDS; i++) this.#keyView.setUint32(i * 4, tuple[i]!);
  }

  /** Takes a connection from the kernel. */
  drop(connection: Connection): void {
    connection.mirrored = MIRRORED.NOT;
    for (const { tuple } of [connection.original, connection.reply]) {
      this.#setKey(tuple);
      deleteElement(this.#fd, this.#key);
    }
  }

  /** Puts off a connection's end by what the kernel has carried of it since; tells whether it lives. */
  renew(connection: Connection, nowMs: number): boolean {
    let used = 0n;
    for (const { tuple } of [connection.original, connection.reply]) {
      this.#setKey(tuple);
      if (!lookupElement(this.#fd, this.#key, this.#value)) continue;
      const last = this.#view.getBigUint64(CT_VALUE.used, true);
      if (last > used) used = last;
    }
    if (used === 0n) return connection.expiresMs > nowMs;
    const ageMs = Number(process.hrtime.bigint() - used) / 1e6;
    connection.expiresMs = Math.max(connection.expiresMs, nowMs - ageMs + this.#timeoutMs(connection));
    return connection.expiresMs > nowMs;
  }

  /** The connections that a former process left there. */
  restore(nowMs: number): Connection[] {
    const found: Connection[] = [];
    scanMap(this.#fd, CT_KEY_SIZE, CT_VALUE.size, (key, value) => {
      const keyView = new DataView(key.buffer, key.byteOffset);
      const view = new DataView(value.buffer, value.byteOffset);
      const flags = view.getUint32(CT_VALUE.flags, true);
      if ((flags & IS_REPLY) !== 0) return;
      const [original, target, reply] = [newTuple(), newTuple(), newTuple()];
      for (let i = 0; i < TUPLE_WORDS; i++) original[i] = keyView.getUint32(i * 4);
      for (let i = 0; i < TARGET_WORDS; i++) target[i] = view.getUint32(CT_VALUE.target + i * 4);
      target[TARGET_WORDS] = original[TARGET_WORDS]!;
      reverseTuple(target, reply);
      const connection = new Connection(original, reply);
      connection.nat = flags >>> NAT_SHIFT;
      connection.mark = view.getUint32(CT_VALUE.mark);
      for (let i = 0; i < 4; i++) connection.label[i] = view.getUint32(CT_VALUE.more + i * 4);
      const isAnswered = (view.getUint32(CT_VALUE.state) & CT_STATE.EST) !== 0;
      connection.state = isIcmp(tupleProto(original)) ? ANSWERED : isAnswered ? BOTH : MULTIPLE;
      if (connection.tcp !== undefined) {
        connection.tcp.timeout = TCP_TIMEOUT.ESTABLISHED;
        for (const peer of connection.tcp.peers) {
          peer.state = TCP_STATE.ESTABLISHED;
          peer.scale = SCALE_UNKNOWN;
          peer.maxWindow = 0xffff;
        }
      }
      connection.mirrored = isAnswered ? MIRRORED.BOTH_WAYS : MIRRORED.ONE_WAY;
      connection.isLoose = true;
      connection.mirroredNs = view.getBigUint64(CT_VALUE.since, true);
      found.push(connection);
    });
    for (const connection of found) {
      connection.expiresMs = nowMs - Number(process.hrtime.bigint() - connection.mirroredNs) / 1e6 + this.#timeoutMs(connection);
      this.renew(connection, nowMs);
    }
    return found;
  }

  close(): void {
    closeObject(this.#fd);
  }
}
