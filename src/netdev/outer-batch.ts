// Outer packets queued for one socket and address family, sent with one sendmmsg. A message is a header in our memory (tunnel header,
// and inner headers where those were rewritten), then a window of a frame. Source address, TTL and TOS go along as control messages.
import { E, libc, type Memory, mapMemory, setSocketInt, unmapMemory } from '../host/ffi.ts';
import type { DeviceCounters, OuterHeader } from './device.ts';
import { writeAddress } from './send-batch.ts';

const BATCH = 64;
/** Room for a Geneve header with all options and 512 bytes of inner headers. */
const HEADER_ROOM = 1024;
const NAME_ROOM = 32;
const CONTROL_ROOM = 96;
const VECTORS_AT = BATCH * 64;
const NAMES_AT = VECTORS_AT + BATCH * 32;
const CONTROLS_AT = NAMES_AT + BATCH * NAME_ROOM;
const HEADERS_AT = CONTROLS_AT + BATCH * CONTROL_ROOM;
const MSG_DONTWAIT = 0x40;
const DEFAULT_TTL = 64;
const PMTU_DONT = 0;
const PMTU_WANT = 1;

/** How the socket stands at the moment; changed only between batches. */
interface SocketState {
  dontFragment: boolean;
  checksum: boolean;
}

export class OuterBatch {
  readonly #fd: number;
  readonly #isIpv6: boolean;
  readonly #isUdp: boolean;
  readonly #port: number;
  readonly #counters: DeviceCounters;
  readonly #memory: Memory = mapMemory(HEADERS_AT + BATCH * HEADER_ROOM);
  readonly #view: DataView;
  readonly #innerSizes = new Int32Array(BATCH);
  readonly #state: SocketState = { dontFragment: true, checksum: false };
  #count = 0;

  constructor(fd: number, isIpv6: boolean, isUdp: boolean, port: number, counters: DeviceCounters) {
    this.#fd = fd;
    this.#isIpv6 = isIpv6;
    this.#isUdp = isUdp;
    this.#port = port;
    this.#counters = counters;
    this.#view = new DataView(this.#memory.bytes.buffer);
    const { words, address } = this.#memory;
    for (let i = 0; i < BATCH; i++) {
      writeAddress(words, i * 16, address + NAMES_AT + i * NAME_ROOM);
      words[i * 16 + 2] = isIpv6 ? 28 : 16;
      writeAddress(words, i * 16 + 4, address + VECTORS_AT + i * 32);
      words[i * 16 + 6] = 2;
      writeAddress(words, i * 16 + 8, address + CONTROLS_AT + i * CONTROL_ROOM);
      writeAddress(words, (VECTORS_AT >> 2) + i * 8, address + HEADERS_AT + i * HEADER_ROOM);
    }
    this.#apply();
  }

  /** Bytes in which the caller writes the header of the next message. */
  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  /** Begins a message; gives where its header goes in `bytes`. */
  begin(outer: OuterHeader, dontFragment: boolean, checksum: boolean): number {
    if (this.#count === BATCH) this.flush();
    if (this.#state.dontFragment !== dontFragment || this.#state.checksum !== checksum) {
      this.flush();
      this.#state.dontFragment = dontFragment;
      this.#state.checksum = checksum;
      this.#apply();
    }
    const i = this.#count;
    if (this.#isIpv6) this.#address6(i, outer);
    else this.#address4(i, outer);
    return HEADERS_AT + i * HEADER_ROOM;
  }

  /** Ends the message begun: the size of its header, then the window at an address. */
  end(headerSize: number, address: number, length: number, innerSize: number): void {
    const i = this.#count++;
    const { words } = this.#memory;
    const vector = (VECTORS_AT >> 2) + i * 8;
    words[vector + 2] = headerSize;
    writeAddress(words, vector + 4, address);
    words[vector + 6] = length;
    this.#innerSizes[i] = innerSize;
  }

  #apply(): void {
    const pmtu = this.#state.dontFragment ? PMTU_WANT : PMTU_DONT;
    setSocketInt(this.#fd, this.#isIpv6 ? 41 : 0, this.#isIpv6 ? 23 : 10, pmtu);
    if (!this.#isUdp) return;
    if (this.#isIpv6) setSocketInt(this.#fd, 17, 101, this.#state.checksum ? 0 : 1);
    else setSocketInt(this.#fd, 1, 11, this.#state.checksum ? 0 : 1);
  }

  #address4(i: number, outer: OuterHeader): void {
    const view = this.#view;
    const name = NAMES_AT + i * NAME_ROOM;
    view.setUint16(name, 2, true);
    view.setUint16(name + 2, this.#isUdp ? outer.tpDst || this.#port : 0);
    view.setUint32(name + 4, outer.dst[3]!);
    const control = CONTROLS_AT + i * CONTROL_ROOM;
    this.#controlInt(control, 0, 2, outer.ttl || DEFAULT_TTL);
    this.#controlInt(control + 24, 0, 1, outer.tos);
    const source = outer.src[3]!;
    if (source !== 0) {
      this.#controlHead(control + 48, 28, 0, 8);
      view.setUint32(control + 64, 0);
      view.setUint32(control + 68, source);
      view.setUint32(control + 72, 0);
    }
    this.#memory.words[i * 16 + 10] = source !== 0 ? 80 : 48;
  }

  #address6(i: number, outer: OuterHeader): void {
    const view = this.#view;
    const name = NAMES_AT + i * NAME_ROOM;
    view.setUint16(name, 10, true);
    view.setUint16(name + 2, this.#isUdp ? outer.tpDst || this.#port : 0);
    view.setUint32(name + 4, 0);
    for (let word = 0; word < 4; word++) view.setUint32(name + 8 + word * 4, outer.dst[word]!);
    view.setUint32(name + 24, 0);
    const control = CONTROLS_AT + i * CONTROL_ROOM;
    this.#controlInt(control, 41, 52, outer.ttl || DEFAULT_TTL);
    this.#controlInt(control + 24, 41, 67, outer.tos);
    const hasSource = (outer.src[0]! | outer.src[1]! | outer.src[2]! | outer.src[3]!) !== 0;
    if (hasSource) {
      this.#controlHead(control + 48, 36, 41, 50);
      for (let word = 0; word < 4; word++) view.setUint32(control + 64 + word * 4, outer.src[word]!);
      view.setUint32(control + 80, 0);
    }
    this.#memory.words[i * 16 + 10] = hasSource ? 88 : 48;
  }

  #controlHead(at: number, size: number, level: number, type: number): void {
    const view = this.#view;
    view.setUint32(at, size, true);
    view.setUint32(at + 4, 0);
    view.setInt32(at + 8, level, true);
    view.setInt32(at + 12, type, true);
  }

  #controlInt(at: number, level: number, type: number, value: number): void {
    this.#controlHead(at, 20, level, type);
    this.#view.setInt32(at + 16, value, true);
  }

  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const c = libc();
    let at = 0;
    while (at < count) {
      const sent = c.sendmmsgAt(this.#fd, this.#memory.address + at * 64, count - at, MSG_DONTWAIT);
      if (sent > 0) {
        let bytes = 0;
        for (let i = at; i < at + sent; i++) bytes += this.#innerSizes[i]!;
        this.#counters.sent(sent, bytes);
        at += sent;
        continue;
      }
      const errno = c.errno();
      if (errno === E.INTR) continue;
      // An ICMP error of an earlier packet is reported here once; the message itself has not been tried.
      if (errno === E.CONNREFUSED) continue;
      if (errno === E.NOBUFS || errno === E.AGAIN) this.#counters.sendDropped(1);
      else this.#counters.sendFailed(1);
      at++;
    }
  }

  close(): void {
    unmapMemory(this.#memory);
  }
}
