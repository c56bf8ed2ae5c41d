// Tunnels over the host's own IP stack: GRE through raw sockets, VXLAN and Geneve through UDP sockets on their port. The host routes,
// fragments and answers ARP; no bridge around the underlay device is needed.
//
// In: 32 outer packets with one recvmmsg; the outer header becomes the packet's `tunnel`.
// Out: what has a partial checksum or is a super-segment is completed and split here, so that the outer packet fits the path's MTU.
//   "Don't fragment" is set on outer packets that fit; one that does not fit is fragmented by the host rather than lost.
import { ConfigError } from '../base/errors.ts';
import { check, closeFd, libc, type Memory, mapMemory, setSocketInt, socketError, unmapMemory } from '../host/ffi.ts';
import { sumBytes } from '../wire/checksum.ts';
import { decodeTunnel, encodeTunnel, FLAG, type TunnelHeader, type TunnelProtocol } from '../wire/tunnel-headers.ts';
import type { Device, DeviceCounters, OuterHeader } from './device.ts';
import { OuterBatch } from './outer-batch.ts';
import { HEADROOM, MAX_FRAME, newTunnelInfo, type Packet, type TunnelInfo } from './packet.ts';
import { pathMtu } from './path-mtu.ts';
import { POOL_SLOT_SIZE, POOL_SLOTS, type ReceivePool } from './receive-pool.ts';
import {
  completeChecksum,
  newSegmentPlan,
  pieceLength,
  pieceStart,
  planSegments,
  recognizePartialChecksum,
  writePieceHeader,
} from './segment.ts';
import { writeAddress } from './send-batch.ts';
import { sourcePort } from './source-port.ts';

const NAME_ROOM = 32;
const CONTROL_ROOM = 128;
const VECTORS_AT = POOL_SLOTS * 64;
const NAMES_AT = VECTORS_AT + POOL_SLOTS * 16;
const CONTROLS_AT = NAMES_AT + POOL_SLOTS * NAME_ROOM;
const MSG_DONTWAIT = 0x40;
const IPPROTO_GRE = 47;

const word = (b: Uint8Array, at: number): number => (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;

/** What `TunnelDevice` needs; plain. */
export interface Tunnel {
  kind: 'tunnel';
  protocol: TunnelProtocol;
  port: number;
  fd4: number;
  /** -1 where the host has no IPv6. */
  fd6: number;
  /** Sockets that VXLAN and Geneve send by, with a source port of each flow's own; -1 where they are not to be had. */
  raw4: number;
  raw6: number;
}

/** Opens the sockets of a tunnel protocol. */
export function openTunnel(name: string, protocol: TunnelProtocol, port: number): Tunnel {
  const fd4 = openSocket(name, protocol, port, false);
  try {
    const fd6 = openSocket(name, protocol, port, true);
    const isUdp = protocol !== 'gre';
    return { kind: 'tunnel', protocol, port, fd4, fd6, raw4: isUdp ? openRaw(false) : -1, raw6: isUdp ? openRaw(true) : -1 };
  } catch (error) {
    closeFd(fd4);
    throw error;
  }
}

function openSocket(name: string, protocol: TunnelProtocol, port: number, isIpv6: boolean): number {
  const c = libc();
  const isUdp = protocol !== 'gre';
  const type = (isUdp ? 2 : 3) | 0x80000 | 0x800;
  const fd = c.socket(isIpv6 ? 10 : 2, type, isUdp ? 17 : IPPROTO_GRE);
  if (fd < 0 && isIpv6) return -1;
  check('socket', fd, name);
  try {
    if (isIpv6) {
      if (isUdp) setSocketInt(fd, 41, 26, 1);
      for (const option of [49, 51, 66]) setSocketInt(fd, 41, option, 1);
      if (isUdp) setSocketInt(fd, 17, 102, 1);
    } else {
      for (const option of [8, 12, 13]) setSocketInt(fd, 0, option, 1);
    }
    c.setsockopt(fd, 1, 33, new Uint8Array(Int32Array.of(8 << 20).buffer), 4);
    c.setsockopt(fd, 1, 32, new Uint8Array(Int32Array.of(8 << 20).buffer), 4);
    if (isUdp) {
      const address = new Uint8Array(isIpv6 ? 28 : 16);
      const view = new DataView(address.buffer);
      view.setUint16(0, isIpv6 ? 10 : 2, true);
      view.setUint16(2, port);
      if (c.bind(fd, address, address.length) < 0) {
        throw new ConfigError(`${name}: UDP port ${port} is taken: ${c.strerror(c.errno())}`);
      }
    }
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** A socket for packets whose UDP header is ours. It hears nothing: a filter drops all that would come in. */
function openRaw(isIpv6: boolean): number {
  const c = libc();
  const fd = c.socket(isIpv6 ? 10 : 2, 3 | 0x80000 | 0x800, 17);
  if (fd < 0) return -1;
  const size = new Uint8Array(Int32Array.of(8 << 20).buffer);
  c.setsockopt(fd, 1, 32, size, 4);
  try {
    attachDropAll(fd);
    // IPV6_CHECKSUM: the kernel fills the UDP checksum in, which covers a source address that only it knows.
    if (isIpv6) setSocketInt(fd, 41, 7, 6);
  } catch {
    closeFd(fd);
    return -1;
  }
  return fd;
}

/** SO_ATTACH_FILTER with the one instruction `ret 0`. */
function attachDropAll(fd: number): void {
  const memory = mapMemory(4096);
  try {
    const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
    view.setUint16(0, 6, true);
    const program = new Uint8Array(16);
    const programView = new DataView(program.buffer);
    programView.setUint16(0, 1, true);
    programView.setBigUint64(8, BigInt(memory.address), true);
    check('setsockopt', libc().setsockopt(fd, 1, 26, program, 16), 'SO_ATTACH_FILTER');
  } finally {
    unmapMemory(memory);
  }
}

export class TunnelDevice implements Device {
  readonly fds: readonly number[];
  readonly needsReadiness = true;
  readonly #tunnel: Tunnel;
  readonly #pool: ReceivePool;
  readonly #counters: DeviceCounters;
  readonly #memory: Memory = mapMemory(CONTROLS_AT + POOL_SLOTS * CONTROL_ROOM);
  readonly #view: DataView;
  readonly #batch4: OuterBatch;
  readonly #batch6: OuterBatch | undefined;
  readonly #raw4: OuterBatch | undefined;
  readonly #raw6: OuterBatch | undefined;
  /** UDP source port of the packet at hand; 0 where the socket writes the UDP header. */
  #sourcePort = 0;
  readonly #plan = newSegmentPlan();
  readonly #header: TunnelHeader = { idHigh: 0, idLow: 0, flags: 0, gbpId: 0, gbpFlags: 0, optionsSize: 0 };
  readonly #info: TunnelInfo = newTunnelInfo();
  #lastOuter: OuterHeader | undefined;
  #lastMtu = 0;
  #lastMtuMs = 0;

  constructor(tunnel: Tunnel, pool: ReceivePool, counters: DeviceCounters) {
    this.#tunnel = tunnel;
    this.#pool = pool;
    this.#counters = counters;
    this.fds = tunnel.fd6 < 0 ? [tunnel.fd4] : [tunnel.fd4, tunnel.fd6];
    this.#view = new DataView(this.#memory.bytes.buffer);
    const isUdp = tunnel.protocol !== 'gre';
    this.#batch4 = new OuterBatch(tunnel.fd4, false, isUdp, tunnel.port, counters);
    this.#batch6 = tunnel.fd6 < 0 ? undefined : new OuterBatch(tunnel.fd6, true, isUdp, tunnel.port, counters);
    this.#raw4 = tunnel.raw4 < 0 ? undefined : new OuterBatch(tunnel.raw4, false, false, tunnel.port, counters);
    this.#raw6 = tunnel.raw6 < 0 ? undefined : new OuterBatch(tunnel.raw6, true, false, tunnel.port, counters);
    const { words, address } = this.#memory;
    for (let i = 0; i < POOL_SLOTS; i++) {
      writeAddress(words, i * 16, address + NAMES_AT + i * NAME_ROOM);
      writeAddress(words, i * 16 + 4, address + VECTORS_AT + i * 16);
      words[i * 16 + 6] = 1;
      writeAddress(words, i * 16 + 8, address + CONTROLS_AT + i * CONTROL_ROOM);
      writeAddress(words, (VECTORS_AT >> 2) + i * 4, pool.memory.address + i * POOL_SLOT_SIZE + HEADROOM);
      words[(VECTORS_AT >> 2) + i * 4 + 2] = MAX_FRAME;
    }
  }

  /** One family a call, in turn, since both use the pool; the caller asks again while there was something. */
  receive(budget: number, onPacket: (packet: Packet) => void): number {
    const { fd4, fd6 } = this.#tunnel;
    const count = this.#receiveFrom(fd4, false, budget, onPacket);
    if (count > 0 || fd6 < 0) return count > 0 ? budget : 0;
    return this.#receiveFrom(fd6, true, budget, onPacket) > 0 ? budget : 0;
  }

  #receiveFrom(fd: number, isIpv6: boolean, budget: number, onPacket: (packet: Packet) => void): number {
    const { words } = this.#memory;
    const most = Math.min(budget, POOL_SLOTS);
    for (let i = 0; i < most; i++) {
      words[i * 16 + 2] = 28;
      words[i * 16 + 10] = CONTROL_ROOM;
    }
    const count = libc().recvmmsgAt(fd, this.#memory.address, most, MSG_DONTWAIT, 0);
    for (let i = 0; i < count; i++) this.#received(i, words[i * 16 + 14]!, isIpv6, onPacket);
    return count;
  }

  #received(i: number, size: number, isIpv6: boolean, onPacket: (packet: Packet) => void): void {
    const { memory, packet } = this.#pool;
    const { protocol, port } = this.#tunnel;
    const info = this.#info;
    const view = this.#view;
    const name = NAMES_AT + i * NAME_ROOM;
    let at = i * POOL_SLOT_SIZE + HEADROOM;
    const end = at + size;
    info.isIpv6 = isIpv6;
    info.tpSrc = protocol === 'gre' ? 0 : view.getUint16(name + 2);
    info.tpDst = protocol === 'gre' ? 0 : port;
    let dontFragment = 0;
    if (isIpv6) {
      for (let word = 0; word < 4; word++) info.src[word] = view.getUint32(name + 8 + word * 4);
    } else {
      info.src[3] = view.getUint32(name + 4);
    }
    this.#readControl(i, isIpv6);
    if (protocol === 'gre' && !isIpv6) {
      // A raw IPv4 socket gives the outer header along.
      if (size < 20) {
        this.#counters.receiveFailed(1);
        return;
      }
      dontFragment = (memory.bytes[at + 6]! & 0x40) !== 0 ? FLAG.DONT_FRAGMENT : 0;
      at += (memory.bytes[at]! & 15) * 4;
    }
    const headerSize = at < end ? decodeTunnel(protocol, memory.bytes, at, end, this.#header, false) : -1;
    if (headerSize < 0 || end - at - headerSize < 14) {
      this.#counters.receiveFailed(1);
      return;
    }
    info.idHigh = this.#header.idHigh;
    info.idLow = this.#header.idLow;
    info.flags = this.#header.flags | dontFragment;
    info.gbpId = this.#header.gbpId;
    info.gbpFlags = this.#header.gbpFlags;
    info.optionsSize = this.#header.optionsSize;
    const optionsAt = at + headerSize - info.optionsSize;
    for (let i = 0; i < info.optionsSize; i += 4) info.options[i >> 2] = word(memory.bytes, optionsAt + i);
    packet.point(memory.bytes, memory.address, at + headerSize, end - at - headerSize);
    packet.tunnel = info;
    recognizePartialChecksum(packet);
    // What no wire has carried has a checksum for what it would be there: a filled in checksum inside, segments of a super-segment.
    const hasSum = protocol === 'gre' && (this.#header.flags & FLAG.CSUM) !== 0;
    if (hasSum && packet.csumStart === 0 && sumBytes(memory.bytes, at, end - at) !== 0xffff) {
      this.#counters.receiveFailed(1);
      return;
    }
    onPacket(packet);
  }

  /** Destination, TTL and TOS of the outer header. */
  #readControl(i: number, isIpv6: boolean): void {
    const view = this.#view;
    const info = this.#info;
    let at = CONTROLS_AT + i * CONTROL_ROOM;
    const end = at + Math.min(CONTROL_ROOM, this.#memory.words[i * 16 + 10]!);
    while (end - at >= 16) {
      const size = view.getUint32(at, true);
      if (size < 16) return;
      const type = view.getInt32(at + 12, true);
      if (isIpv6) {
        if (type === 50) for (let word = 0; word < 4; word++) info.dst[word] = view.getUint32(at + 16 + word * 4);
        else if (type === 52) info.ttl = view.getUint8(at + 16);
        else if (type === 67) info.tos = view.getUint8(at + 16);
      } else if (type === 8) {
        info.dst[3] = view.getUint32(at + 24);
      } else if (type === 2) {
        info.ttl = view.getUint8(at + 16);
      } else if (type === 1) {
        info.tos = view.getUint8(at + 16);
      }
      at += (size + 7) & ~7;
    }
  }

  release(): void {}

  send(packet: Packet, outer: OuterHeader | undefined): void {
    const batch = outer === undefined ? undefined : this.#batchFor(outer);
    if (outer === undefined || batch === undefined) {
      this.#counters.sendFailed(1);
      return;
    }
    if (packet.length < 14) {
      this.#counters.sendFailed(1);
      return;
    }
    this.#sourcePort = batch === this.#raw4 || batch === this.#raw6 ? sourcePort(packet) : 0;
    const header = this.#header;
    header.idLow = Number(outer.id & 0xffffffffn);
    header.flags = outer.flags;
    header.gbpId = outer.gbpId;
    header.gbpFlags = outer.gbpFlags;
    if (packet.csumStart !== 0 && this.#sendPieces(packet, outer, batch)) return;
    if (packet.gsoType !== 0) {
      this.#counters.sendFailed(1);
      return;
    }
    if (packet.csumStart !== 0) this.#complete(packet);
    const at = this.#begin(batch, outer);
    const size = this.#encode(batch, at, outer, packet.length);
    if (this.#tunnel.protocol === 'gre' && (outer.flags & FLAG.CSUM) !== 0) {
      this.#sumGre(batch.bytes, at, size, 0, packet.bytes, packet.start, packet.length);
    }
    batch.end(size, packet.address + packet.start, packet.length, packet.length);
    packet.isQueued = true;
  }

  /** Over IPv4 the checksum covers a source address that only the kernel knows: then its own socket writes the UDP header. */
  #batchFor(outer: OuterHeader): OuterBatch | undefined {
    if (outer.ipv6) return this.#batch6 === undefined ? undefined : (this.#raw6 ?? this.#batch6);
    return (outer.flags & FLAG.CSUM) !== 0 ? this.#batch4 : (this.#raw4 ?? this.#batch4);
  }

  /** Writes the UDP header, where it is ours, and the tunnel's; gives their size. */
  #encode(batch: OuterBatch, at: number, outer: OuterHeader, innerSize: number): number {
    const { protocol, port } = this.#tunnel;
    const out = batch.bytes;
    if (this.#sourcePort === 0) return encodeTunnel(protocol, out, at, this.#header, outer.options);
    const size = 8 + encodeTunnel(protocol, out, at + 8, this.#header, outer.options);
    const to = outer.tpDst || port;
    const length = size + innerSize;
    out[at] = this.#sourcePort >> 8;
    out[at + 1] = this.#sourcePort;
    out[at + 2] = to >> 8;
    out[at + 3] = to;
    out[at + 4] = length >> 8;
    out[at + 5] = length;
    out[at + 6] = 0;
    out[at + 7] = 0;
    return size;
  }

  #begin(batch: OuterBatch, outer: OuterHeader): number {
    // Over IPv6 receivers refuse UDP without a checksum unless told otherwise (RFC 8200 section 8.1), Linux among them.
    return batch.begin(outer, (outer.flags & FLAG.DONT_FRAGMENT) !== 0, outer.ipv6 || (outer.flags & FLAG.CSUM) !== 0);
  }

  /** A checksum of neither TCP nor UDP, in place: nobody else may hold the frame then. */
  #complete(packet: Packet): void {
    if (packet.isQueued) this.flush();
    completeChecksum(packet);
  }

  #sendPieces(packet: Packet, outer: OuterHeader, batch: OuterBatch): boolean {
    const plan = this.#plan;
    const overhead = (outer.ipv6 ? 40 : 20) + (this.#tunnel.protocol === 'gre' ? 16 : 16 + outer.options.length);
    if (!planSegments(packet, this.#mtu(outer) - overhead, plan)) return false;
    for (let i = 0; i < plan.pieces; i++) {
      const at = this.#begin(batch, outer);
      const length = pieceLength(plan, packet, i);
      const size = this.#encode(batch, at, outer, plan.headerSize + length);
      writePieceHeader(plan, packet, i, batch.bytes, at + size);
      const from = packet.start + pieceStart(plan, i);
      if (this.#tunnel.protocol === 'gre' && (outer.flags & FLAG.CSUM) !== 0) {
        this.#sumGre(batch.bytes, at, size, plan.headerSize, packet.bytes, from, length);
      }
      batch.end(size + plan.headerSize, packet.address + from, length, plan.headerSize + length);
    }
    packet.isQueued = true;
    return true;
  }

  /** The GRE checksum covers its header, the inner headers behind it, and the frame's window. */
  #sumGre(out: Uint8Array, at: number, size: number, inner: number, frame: Uint8Array, from: number, length: number): void {
    let sum = sumBytes(out, at, size + inner);
    const tail = sumBytes(frame, from, length);
    // Behind an odd number of bytes every byte of the window has the other half of its word.
    sum += ((size + inner) & 1) === 0 ? tail : ((tail & 0xff) << 8) | (tail >> 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    out[at + 4] = sum >> 8;
    out[at + 5] = sum;
  }

  #mtu(outer: OuterHeader): number {
    const now = performance.now();
    if (outer !== this.#lastOuter || now - this.#lastMtuMs > 5000) {
      this.#lastOuter = outer;
      this.#lastMtuMs = now;
      this.#lastMtu = pathMtu(outer.dst, outer.ipv6);
    }
    return this.#lastMtu;
  }

  flush(): void {
    this.#batch4.flush();
    this.#batch6?.flush();
    this.#raw4?.flush();
    this.#raw6?.flush();
  }

  stillExists(): boolean {
    for (const fd of this.fds) socketError(fd);
    return true;
  }

  close(): void {
    this.#batch4.close();
    this.#batch6?.close();
    this.#raw4?.close();
    this.#raw6?.close();
    closeFd(this.#tunnel.raw4);
    closeFd(this.#tunnel.raw6);
    unmapMemory(this.#memory);
    for (const fd of this.fds) closeFd(fd);
  }
}
