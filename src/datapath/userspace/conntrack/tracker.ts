// The ct action on one packet.
//
//   1. The packet's tuple is read; what has none, or a wrong checksum, is invalid.
//   2. Its connection is looked up in the zone. A packet that an earlier ct translated is looked up by the tuple it now has.
//   3. Known: its protocol says whether the packet belongs to it. Unknown: it is new if its protocol lets a connection begin so, and becomes a
//      connection only when the action commits and there is room.
//   4. With `nat` a packet of a translated connection is rewritten.
//   5. The key gets ct_state, zone, mark, label and the tuple of the connection's first packet.
//
// Nothing is allocated for a packet of a known connection, except for those whose payload a helper reads.
import { layoutL4 } from '../../../flow/extract.ts';
import { CT_STATE, type Key, W } from '../../../flow/key.ts';
import type { Packet } from '../../../netdev/packet.ts';
import type { DpNat } from '../../datapath.ts';
import { Expectations } from './expectation.ts';
import { Fragments } from './fragments.ts';
import { ConnectionMirror, mirrorable } from './mirror.ts';
import { chooseTranslation, translatedBits, translatePacket } from './nat.ts';
import { Connection, ConnectionTable, type Entry, MIRRORED, NAT } from './table.ts';
import { maySegmentOpen, openTcp, readScale, TCP_FLAG, type TcpSegment, updateTcp, VERDICT, type Verdict } from './tcp-state.ts';
import { FOUND, IPV4, isIcmp, newTuple, readTuple, reverseTuple, T, type Tuple, tcpPayload, tupleFamily, tupleProto } from './tuple.ts';

/** A ct action, made ready. */
export interface CtRequest {
  zone: number;
  commit: boolean;
  /** A connection found in the other direction is ended and made anew. */
  force: boolean;
  markValue: number;
  markMask: number;
  /** Value and mask of the label, four words each; absent = not set. */
  label: Uint32Array | undefined;
  labelMask: Uint32Array | undefined;
  helper: string;
  nat: DpNat | undefined;
}

/** Seconds that a connection lives without packets: TCP by `TCP_TIMEOUT`, others by their own state. */
const TCP_SEC = [30, 30, 86_400, 900, 45, 30] as const;
const OTHER_SEC = [60, 60, 30] as const;
const ICMP_SEC = [60, 30] as const;
const OTHER = { FIRST: 0, MULTIPLE: 1, BOTH: 2 } as const;
const ICMP = { FIRST: 0, ANSWERED: 1 } as const;
const NAT_BITS = CT_STATE.SNAT | CT_STATE.DNAT;
const SWEEP_INTERVAL_MS = 100;
/** A sweep of everything takes about this long. */
const SWEEP_ALL_MS = 20_000;

/** How long a connection lives without packets, in its present state. */
function lifeMs({ tcp, state, original }: Connection): number {
  if (tcp !== undefined) return TCP_SEC[tcp.timeout]! * 1000;
  return (isIcmp(tupleProto(original.tuple)) ? ICMP_SEC[state]! : OTHER_SEC[state]!) * 1000;
}

export class Conntrack {
  readonly table: ConnectionTable;
  readonly fragments: Fragments;
  readonly #expectations = new Expectations();
  readonly #basis: number;
  readonly #tuple = newTuple();
  readonly #wide = newTuple();
  readonly #segment: TcpSegment = { flags: 0, seq: 0, ack: 0, window: 0, payload: 0, scale: 0 };
  #nextSweepMs = 0;
  #mirror: ConnectionMirror | undefined;
  /** Whether TCP segments must be within their windows. */
  checksSequences = true;
  nowMs = 0;

  /** `basis` makes hashes differ between runs; 0 in simulations. */
  constructor(basis = 0) {
    this.#basis = basis;
    this.table = new ConnectionTable(basis);
    this.fragments = new Fragments(basis);
  }

  /** Gives established connections to the kernel, in a map whose descriptor is ours from now on; those that are there already are ours. */
  share(fd: number): void {
    this.#mirror = new ConnectionMirror(fd, (connection) => lifeMs(connection));
    this.table.mirror = this.#mirror;
    for (const connection of this.#mirror.restore(this.nowMs)) {
      if (connection.expiresMs <= this.nowMs || this.table.find(connection.original.tuple, this.nowMs) !== undefined)
        this.#mirror.drop(connection);
      else this.table.insert(connection);
    }
  }

  /** Ends what was shared. */
  close(): void {
    this.#mirror?.close();
    this.#mirror = undefined;
    this.table.mirror = undefined;
  }

  /** Fills in what a key says of the packet's connection, whose state and zone are known: the kernel looked it up. */
  recall(packet: Packet, key: Key, layout: number): void {
    const state = key[W.CT_STATE]!;
    const zone = key[W.CT_ZONE]! >>> 16;
    const found = readTuple(packet, key, layout, zone, this.#tuple);
    const entry = found === FOUND.INVALID ? undefined : this.#find(this.#tuple, (state & NAT_BITS) !== 0);
    const mark = key[W.CT_MARK]!;
    this.#write(key, state, zone, entry?.connection, undefined);
    if (entry === undefined) key[W.CT_MARK] = mark;
  }

  /** Carries out a ct action. `layout` describes the packet as it is. With `nat` the packet's bytes may change. */
  execute(packet: Packet, key: Key, layout: number, request: CtRequest): void {
    const { zone } = request;
    this.fragments.expire(this.nowMs);
    let state = key[W.CT_STATE]!;
    // What was found in another zone says nothing in this one.
    if (state !== 0 && key[W.CT_ZONE]! >>> 16 !== zone) state = 0;
    const tuple = this.#tuple;
    // 1.
    const found = (state & CT_STATE.INV) !== 0 ? FOUND.INVALID : readTuple(packet, key, layout, zone, tuple);
    if (found === FOUND.INVALID) {
      this.#write(key, CT_STATE.INV, zone, undefined, undefined);
      return;
    }
    const isRelated = found === FOUND.RELATED;
    // 2.
    let entry = this.#find(tuple, (state & NAT_BITS) !== 0);
    if (entry !== undefined && request.force && entry.isReply) {
      this.table.remove(entry.connection);
      entry = undefined;
    }
    // 3.
    state &= NAT_BITS;
    let isNew = entry === undefined;
    if (entry !== undefined) {
      const { connection, isReply } = entry;
      if (isRelated) {
        state |= CT_STATE.REL | (isReply ? CT_STATE.RPL : 0);
      } else {
        if (connection.parent !== undefined) state |= CT_STATE.REL;
        const verdict = this.#update(connection, packet, key, layout, isReply);
        if (verdict === VERDICT.VALID) state |= CT_STATE.EST | (isReply ? CT_STATE.RPL : 0);
        else if (verdict === VERDICT.VALID_NEW) state |= CT_STATE.NEW;
        else if (verdict === VERDICT.INVALID) state = CT_STATE.INV;
        else {
          this.table.remove(connection);
          entry = undefined;
          isNew = true;
          state &= NAT_BITS;
        }
      }
    }
    if (entry !== undefined) {
      const { connection, isReply } = entry;
      // 4.
      if (request.nat !== undefined && connection.nat !== 0 && (state & NAT_BITS) === 0) {
        translatePacket(packet, key, layout, entry, isRelated);
        state |= translatedBits(connection, isReply, CT_STATE.SNAT, CT_STATE.DNAT);
      }
      if (connection.helper !== '') this.#help(connection, packet, layout, isReply);
      if (this.#mirror !== undefined && mirrorable(connection) !== connection.mirrored) this.#mirror.put(connection);
    } else if (isNew) {
      if (isRelated || !this.#mayBegin(tuple, key)) {
        this.#write(key, CT_STATE.INV, zone, undefined, undefined);
        return;
      }
      this.#begin(packet, key, layout, request, tuple, state);
      return;
    }
    this.#write(key, state, zone, entry!.connection, undefined);
    this.#mark(key, entry!.connection, request);
  }

  #find(tuple: Tuple, isTranslated: boolean): Entry | undefined {
    if (!isTranslated) return this.table.find(tuple, this.nowMs);
    // The packet looks as it does behind the translation: its reverse is what answers look like.
    reverseTuple(tuple, this.#wide);
    const mirrored = this.table.find(this.#wide, this.nowMs);
    if (mirrored === undefined) return this.table.find(tuple, this.nowMs);
    return mirrored.isReply ? mirrored.connection.original : mirrored.connection.reply;
  }

  /** Whether a connection may begin with such a packet. */
  #mayBegin(tuple: Tuple, key: Key): boolean {
    const proto = tupleProto(tuple);
    if (proto === 6) return maySegmentOpen(key[W.TOS]! & 0xfff);
    if (!isIcmp(proto)) return true;
    const type = (tuple[T.PORTS]! >>> 8) & 0xff;
    return proto === 1 ? type === 8 || type === 13 || type === 15 : type === 128;
  }

  #readSegment(packet: Packet, key: Key, layout: number): TcpSegment {
    const { bytes } = packet;
    const l4 = packet.start + layoutL4(layout);
    const segment = this.#segment;
    segment.flags = key[W.TOS]! & 0xfff;
    segment.seq = (bytes[l4 + 4]! << 24) | (bytes[l4 + 5]! << 16) | (bytes[l4 + 6]! << 8) | bytes[l4 + 7]!;
    segment.ack = (bytes[l4 + 8]! << 24) | (bytes[l4 + 9]! << 16) | (bytes[l4 + 10]! << 8) | bytes[l4 + 11]!;
    segment.window = (bytes[l4 + 14]! << 8) | bytes[l4 + 15]!;
    segment.payload = tcpPayload(packet, layout, tupleFamily(this.#tuple));
    segment.scale = (segment.flags & TCP_FLAG.SYN) !== 0 ? readScale(bytes, l4) : 0;
    return segment;
  }

  #update(connection: Connection, packet: Packet, key: Key, layout: number, isReply: boolean): Verdict {
    const { tcp } = connection;
    if (tcp !== undefined) {
      const verdict = updateTcp(tcp, this.#readSegment(packet, key, layout), isReply, this.checksSequences && !connection.isLoose);
      if (verdict !== VERDICT.INVALID) connection.expiresMs = this.nowMs + TCP_SEC[tcp.timeout]! * 1000;
      return verdict;
    }
    let verdict: Verdict = VERDICT.VALID;
    if (isIcmp(tupleProto(connection.original.tuple))) {
      if (isReply) connection.state = ICMP.ANSWERED;
      else if (connection.state === ICMP.FIRST) verdict = VERDICT.VALID_NEW;
      connection.expiresMs = this.nowMs + ICMP_SEC[connection.state]! * 1000;
      return verdict;
    }
    if (isReply) connection.state = OTHER.BOTH;
    else if (connection.state === OTHER.FIRST) connection.state = OTHER.MULTIPLE;
    // However many packets go one way: established is what has been answered.
    if (connection.state !== OTHER.BOTH) verdict = VERDICT.VALID_NEW;
    connection.expiresMs = this.nowMs + OTHER_SEC[connection.state]! * 1000;
    return verdict;
  }

  /** A packet of no connection. */
  #begin(packet: Packet, key: Key, layout: number, request: CtRequest, tuple: Tuple, before: number): void {
    const { zone } = request;
    const parent = this.#expectations.size === 0 ? undefined : this.#expectations.find(tuple, this.nowMs, request.commit);
    let state: number = before | CT_STATE.NEW | (parent === undefined ? 0 : CT_STATE.REL);
    if (!request.commit || !this.table.hasRoom(zone)) {
      this.#write(key, state, zone, undefined, parent);
      return;
    }
    const original = newTuple();
    original.set(tuple);
    const reply = newTuple();
    reverseTuple(original, reply);
    const { nat } = request;
    let natBits = 0;
    if (nat !== undefined && nat.direction !== '') {
      if (!chooseTranslation(this.table, nat, original, reply, this.#basis, this.nowMs)) {
        this.#write(key, state, zone, undefined, undefined);
        return;
      }
      natBits = nat.direction === 'src' ? NAT.SRC : NAT.DST;
    } else if (this.table.find(reply, this.nowMs) !== undefined) {
      // Another connection's answers look like this one's.
      this.#write(key, state, zone, undefined, undefined);
      return;
    }
    const connection = new Connection(original, reply);
    connection.nat = natBits;
    connection.parent = parent;
    connection.helper = request.helper;
    if (parent !== undefined) {
      connection.mark = parent.mark;
      connection.label.set(parent.label);
    }
    if (connection.tcp !== undefined) {
      openTcp(connection.tcp, this.#readSegment(packet, key, layout));
      connection.expiresMs = this.nowMs + TCP_SEC[connection.tcp.timeout]! * 1000;
    } else {
      connection.expiresMs = this.nowMs + (isIcmp(tupleProto(original)) ? ICMP_SEC[0] : OTHER_SEC[0]) * 1000;
    }
    this.table.insert(connection);
    if (natBits !== 0) {
      translatePacket(packet, key, layout, connection.original, false);
      state |= translatedBits(connection, false, CT_STATE.SNAT, CT_STATE.DNAT);
    }
    if (connection.helper !== '') this.#help(connection, packet, layout, false);
    this.#write(key, state, zone, connection, undefined);
    this.#mark(key, connection, request);
  }

  #help(connection: Connection, packet: Packet, layout: number, isReply: boolean): void {
    const proto = tupleProto(connection.original.tuple);
    const l4 = packet.start + layoutL4(layout);
    const end = packet.start + packet.length;
    const from = proto === 6 ? end - tcpPayload(packet, layout, tupleFamily(connection.original.tuple)) : l4 + 8;
    const tuple = (isReply ? connection.reply : connection.original).tuple;
    if (from < end) this.#expectations.read(connection, tuple, packet.bytes.subarray(from, end), isReply, this.nowMs);
  }

  /** 5. Without a connection the tuple is the packet's own, unless the packet is invalid. */
  #write(key: Key, state: number, zone: number, connection: Connection | undefined, parent: Connection | undefined): void {
    key[W.CT_STATE] = state | CT_STATE.TRK;
    const owner = connection?.parent ?? connection ?? parent;
    const told = parent ?? connection;
    key[W.CT_MARK] = told === undefined ? 0 : told.mark;
    for (let i = 0; i < 4; i++) key[W.CT_LABEL + i] = told === undefined ? 0 : told.label[i]!;
    const isInvalid = (state & CT_STATE.INV) !== 0 && connection === undefined;
    const tuple = owner === undefined ? this.#tuple : owner.original.tuple;
    const proto = isInvalid ? 0 : tupleProto(tuple);
    key[W.CT_ZONE] = ((zone << 16) | (proto << 8)) >>> 0;
    for (let i: number = W.CT_NW_SRC; i < W.TUN_ID; i++) key[i] = 0;
    if (isInvalid) return;
    const ports = tuple[T.PORTS]!;
    key[W.CT_TP] = isIcmp(proto) ? (((ports >>> 8) & 0xff) << 16) | (ports & 0xff) : ports;
    if (tupleFamily(tuple) === IPV4) {
      key[W.CT_NW_SRC] = tuple[3]!;
      key[W.CT_NW_DST] = tuple[7]!;
    } else {
      for (let i = 0; i < 8; i++) key[W.CT_IPV6_SRC + i] = tuple[i]!;
    }
  }

  #mark(key: Key, connection: Connection, request: CtRequest): void {
    if (!request.commit) return;
    if (request.markMask !== 0) {
      connection.mark = ((connection.mark & ~request.markMask) | request.markValue) >>> 0;
      key[W.CT_MARK] = connection.mark;
    }
    const { label, labelMask } = request;
    if (label !== undefined && labelMask !== undefined) {
      for (let i = 0; i < 4; i++) {
        connection.label[i] = (connection.label[i]! & ~labelMask[i]!) | label[i]!;
        key[W.CT_LABEL + i] = connection.label[i]!;
      }
    }
    if (connection.mirrored !== MIRRORED.NOT) this.#mirror?.put(connection);
  }

  /** Time has come to `nowMs`: a part of what is over is removed. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.fragments.tick(nowMs);
    if (nowMs < this.#nextSweepMs || this.table.count === 0) return;
    const passed = Math.min(nowMs - this.#nextSweepMs + SWEEP_INTERVAL_MS, SWEEP_ALL_MS);
    this.#nextSweepMs = nowMs + SWEEP_INTERVAL_MS;
    this.table.sweep(nowMs, Math.ceil((this.table.count * passed) / SWEEP_ALL_MS));
  }
}
