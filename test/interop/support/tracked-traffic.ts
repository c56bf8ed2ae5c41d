// Packets that are interesting to a connection tracker: TCP connections that mostly behave, UDP, ICMP, errors that quote earlier packets, now
// and then a wrong checksum, flag or sequence number. From a seed, so that both sides see the same.
import { fold, sumBytes } from '../../../src/wire/checksum.ts';

export type Pick = (below: number) => number;

/** A small generator that can be started again from its seed. */
export function generator(seed: number): Pick {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}

const of = <T>(pick: Pick, items: readonly T[]): T => items[pick(items.length)]!;
const FLAGS = { F: 1, S: 2, R: 4, P: 8, A: 16 } as const;

interface TcpTalk {
  ports: [number, number];
  seq: [number, number];
  stage: number;
}

const v4 = (text: string): number[] => text.split('.').map(Number);

export class Traffic {
  readonly #pick: Pick;
  readonly #talks: TcpTalk[] = [];
  readonly #client: number[];
  readonly #seenFrom2: string;
  #last: Uint8Array | undefined;
  #lastPort = 1;

  readonly #seenFrom1: string;

  /** `seenFrom2`: the address under which side 2 knows side 1; `seenFrom1` the other way round. */
  constructor(pick: Pick, seenFrom2: string, seenFrom1: string) {
    this.#seenFrom1 = seenFrom1;
    this.#pick = pick;
    this.#client = v4('10.0.0.1');
    this.#seenFrom2 = seenFrom2;
  }

  next(): { port: 1 | 2; frame: Uint8Array; text: string } {
    const pick = this.#pick;
    const kind = pick(20);
    if (kind < 12) return this.#tcp();
    if (kind < 16) return this.#udp();
    if (kind < 18) return this.#ping();
    return this.#error();
  }

  #addresses(port: 1 | 2): [number[], number[]] {
    return port === 1 ? [this.#client, v4(this.#seenFrom1)] : [v4('10.0.0.2'), v4(this.#seenFrom2)];
  }

  #done(port: 1 | 2, frame: Uint8Array, text: string): { port: 1 | 2; frame: Uint8Array; text: string } {
    if (this.#pick(40) === 0) {
      const at = 34 + this.#pick(8);
      frame[at] = frame[at]! ^ 0x10;
      return { port, frame, text: `${text} (spoilt at ${at})` };
    }
    this.#last = frame;
    this.#lastPort = port;
    return { port, frame, text };
  }

  #tcp(): { port: 1 | 2; frame: Uint8Array; text: string } {
    const pick = this.#pick;
    let talk = this.#talks.length === 0 || pick(6) === 0 ? undefined : of(pick, this.#talks);
    if (talk === undefined) {
      // Two ports of one translated server are one: with equal client ports, which of them gives way is chance.
      const client = this.#seenFrom1 === '10.0.0.2' ? 1024 + pick(4) : 1024 + this.#talks.length;
      talk = { ports: [client, of(pick, [80, 8080])], seq: [pick(2) ? 0xfffffff0 : pick(1 << 30), pick(1 << 30)], stage: 0 };
      this.#talks.push(talk);
    }
    let side: 0 | 1 = pick(2) === 0 ? 0 : 1;
    let flags: string;
    let payload = 0;
    if (talk.stage === 0) {
      side = 0;
      flags = 'S';
      talk.stage = 1;
    } else if (talk.stage === 1) {
      side = 1;
      flags = 'SA';
      talk.stage = 2;
    } else if (talk.stage === 2) {
      side = 0;
      flags = 'A';
      talk.stage = 3;
    } else {
      flags = of(pick, ['A', 'A', 'PA', 'PA', 'FA', 'RA', 'A']);
      payload = flags === 'PA' ? pick(200) : 0;
    }
    // Now and then something else.
    if (pick(8) === 0) flags = of(pick, ['S', 'SA', 'A', 'F', 'R', 'RA', 'SR', 'SF', '', 'P', 'FA']);
    if (pick(10) === 0) side = side === 0 ? 1 : 0;
    const off = pick(8) === 0 ? of(pick, [1, -1, 1000, -1000, 70000, -70000, 1 << 20]) : 0;
    const ackOff = pick(12) === 0 ? of(pick, [1, -1, 70000, -70000]) : 0;
    const seq = (talk.seq[side]! + off) >>> 0;
    const ack = flags.includes('A') ? (talk.seq[1 - side]! + ackOff) >>> 0 : 0;
    const port = side === 0 ? 1 : 2;
    const bits = [...flags].reduce((sum, flag) => sum | FLAGS[flag as keyof typeof FLAGS], 0);
    const scale = flags.includes('S') && pick(3) > 0 ? pick(10) : undefined;
    // Not 65535: scaled up again it no longer fits the 16 bits in which the reference keeps it.
    const window = of(pick, [0, 100, 8192, 32768]);
    const options = scale === undefined ? [] : [3, 3, scale, 0];
    const segment = new Uint8Array(20 + options.length + payload);
    const view = new DataView(segment.buffer);
    view.setUint16(0, talk.ports[side]!);
    view.setUint16(2, talk.ports[1 - side]!);
    view.setUint32(4, seq);
    view.setUint32(8, ack);
    segment[12] = ((20 + options.length) / 4) << 4;
    segment[13] = bits;
    view.setUint16(14, window);
    segment.set(options, 20);
    const used = payload + (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0);
    if (off === 0) talk.seq[side] = (talk.seq[side]! + used) >>> 0;
    const [src, dst] = this.#addresses(port);
    const text = `tcp ${talk.ports.join('>')} ${flags || 'none'} seq ${seq} ack ${ack} win ${window} payload ${payload} scale ${scale ?? '-'}`;
    return this.#done(port, ipv4(src, dst, 6, segment, 16), text);
  }

  #udp(): { port: 1 | 2; frame: Uint8Array; text: string } {
    const pick = this.#pick;
    const port = pick(2) === 0 ? 1 : 2;
    const client = 2000 + pick(3);
    const segment = new Uint8Array(8 + pick(20));
    const view = new DataView(segment.buffer);
    view.setUint16(port === 1 ? 0 : 2, client);
    view.setUint16(port === 1 ? 2 : 0, 8080);
    view.setUint16(4, segment.length);
    const [src, dst] = this.#addresses(port);
    return this.#done(port, ipv4(src, dst, 17, segment, pick(5) === 0 ? -1 : 6), `udp ${client}`);
  }

  #ping(): { port: 1 | 2; frame: Uint8Array; text: string } {
    const pick = this.#pick;
    const port = pick(2) === 0 ? 1 : 2;
    const type = of(pick, [8, 0, 8, 0, 13, 14, 5]);
    const segment = Uint8Array.of(type, 0, 0, 0, 0, 1 + pick(3), 0, pick(9), 1, 2, 3, 4);
    const [src, dst] = this.#addresses(port);
    return this.#done(port, ipv4(src, dst, 1, segment, 2), `icmp type ${type} id ${segment[5]}`);
  }

  /** A router says that the last packet did not arrive. */
  #error(): { port: 1 | 2; frame: Uint8Array; text: string } {
    const quoted = this.#last;
    if (quoted === undefined) return this.#ping();
    const port = this.#lastPort === 1 ? 2 : 1;
    const inner = quoted.slice(14, 14 + 28);
    // Each side knows the other by its own name for it.
    if (port === 2) {
      inner.set(v4(this.#seenFrom2), 12);
      inner.set(v4('10.0.0.2'), 16);
    } else {
      inner.set(v4(this.#seenFrom1), 12);
      inner.set(this.#client, 16);
    }
    inner[10] = 0;
    inner[11] = 0;
    const sum = ~sumBytes(inner, 0, 20) & 0xffff;
    inner[10] = sum >>> 8;
    inner[11] = sum;
    const segment = new Uint8Array(8 + inner.length);
    segment[0] = 3;
    segment[1] = 1;
    segment.set(inner, 8);
    const [src, dst] = this.#addresses(port);
    const frame = ipv4(src, dst, 1, segment, 2);
    return { port, frame, text: 'icmp error' };
  }
}

/** An IPv4 frame; `sumAt` is the place of the transport checksum, -1 for none. */
function ipv4(src: number[], dst: number[], proto: number, segment: Uint8Array, sumAt: number): Uint8Array {
  const frame = new Uint8Array(Math.max(60, 34 + segment.length));
  const view = new DataView(frame.buffer);
  frame.set([0x50, 0x54, 0, 0, 0, dst[3]! & 15, 0x50, 0x54, 0, 0, 0, src[3]! & 15, 8, 0, 0x45, 0]);
  view.setUint16(16, 20 + segment.length);
  frame.set([64, proto], 22);
  frame.set([...src, ...dst], 26);
  view.setUint16(24, ~sumBytes(frame, 14, 20) & 0xffff);
  frame.set(segment, 34);
  if (sumAt >= 0) {
    const pseudo = proto === 1 ? 0 : sumBytes(frame, 26, 8, proto + segment.length);
    view.setUint16(34 + sumAt, 0);
    const sum = ~fold(sumBytes(frame, 34, segment.length, pseudo)) & 0xffff;
    view.setUint16(34 + sumAt, proto === 17 && sum === 0 ? 0xffff : sum);
  }
  return frame;
}
