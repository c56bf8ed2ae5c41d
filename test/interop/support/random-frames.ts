// Frames of all the kinds that a key tells apart, from a seed: with right checksums, and sometimes cut short, padded or with a byte changed.

import { crc32c } from '../../../src/wire/checksum.ts';

let seed = Number(process.env['WEFT_SEED'] ?? 1);

/** Where the generator stands; it makes a failure repeatable. */
export const currentSeed = (): number => seed;

/** A whole number below `n` (xorshift). */
export function random(n: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % n;
}

export const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
const bytes = (n: number): number[] => Array.from({ length: n }, () => random(256));

function sum16(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += (data[i]! << 8) | (i + 1 < data.length ? data[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function finish(l4: number[], at: number, proto: number, addresses: number[]): void {
  if (proto === 132) finishSctp(l4);
  if (at < 0) return;
  if (proto === 17 && random(8) === 0) return;
  const c = sum16([...addresses, 0, proto, l4.length >> 8, l4.length & 255, ...l4]) || 0xffff;
  l4[at] = c >> 8;
  l4[at + 1] = c & 255;
}

/** A right checksum mostly, sometimes another, sometimes one that the sender left to its device. */
function finishSctp(l4: number[]): void {
  const kind = random(6);
  if (kind === 0) return;
  const crc = kind === 1 ? 0 : crc32c(Uint8Array.from(l4), 0, l4.length, 8);
  for (let i = 0; i < 4; i++) l4[8 + i] = (crc >>> (8 * i)) & 255;
}

function neighbourDiscovery(): number[] {
  const options: number[] = [];
  for (let i = random(4); i > 0; i--) {
    const kind = pick([1, 2, 1, 2, 3, 5]);
    const size = kind === 3 ? 4 : kind === 5 || random(12) > 0 ? 1 : random(3);
    options.push(kind, size, ...bytes(Math.max(0, size * 8 - 2)));
  }
  return [pick([135, 136]), random(12) === 0 ? 1 : 0, 0, 0, ...bytes(20), ...options];
}

function transport(proto: number): number[] {
  const payload = bytes(random(40));
  if (proto === 6) return [...bytes(12), 0x50, random(64), ...bytes(2), 0, 0, 0, 0, ...payload];
  if (proto === 17) {
    const size = 8 + payload.length;
    return [...bytes(4), size >> 8, size & 255, 0, 0, ...payload];
  }
  if (proto === 58) return random(3) > 0 ? neighbourDiscovery() : [pick([1, 128, 129]), 0, 0, 0, ...bytes(4), ...payload];
  if (proto === 1) return [pick([0, 3, 8, 11]), random(4), 0, 0, ...bytes(4), ...payload];
  return [...bytes(12), ...payload];
}

const CHECKSUM_AT: Record<number, number> = { 6: 16, 17: 6, 58: 2 };

function ipv4(): number[] {
  const proto = pick([6, 6, 17, 17, 1, 132, 2, 89]);
  const l4 = transport(proto);
  const options = random(6) === 0 ? bytes(4 * (1 + random(3))) : [];
  const size = 20 + options.length + l4.length;
  const head = [0x45 + options.length / 4, random(256), size >> 8, size & 255, ...bytes(2), 0, 0, random(256), proto, 0, 0];
  head.push(...bytes(8), ...options);
  if (random(8) === 0) head.splice(6, 2, pick([0x20, 0, 0x20]), pick([0, 5]));
  const c = sum16(head);
  head[10] = c >> 8;
  head[11] = c & 255;
  if (proto === 1) {
    const own = sum16(l4);
    l4[2] = own >> 8;
    l4[3] = own & 255;
  }
  finish(l4, CHECKSUM_AT[proto] ?? -1, proto, head.slice(12, 20));
  return [...head, ...l4];
}

/** Extension headers before `proto`; the first says what it is. */
function extensions(proto: number): { first: number; headers: number[] } {
  const kinds = Array.from({ length: 1 + random(3) }, () => pick([0, 43, 44, 51, 60]));
  const headers: number[] = [];
  for (const [i, kind] of kinds.entries()) {
    const next = kinds[i + 1] ?? proto;
    if (kind === 44)
      headers.push(
        next,
        0,
        ...pick([
          [0, 0],
          [0, 1],
          [0, 9],
        ]),
        ...bytes(4),
      );
    else if (kind === 51) headers.push(next, 1 + random(2), ...bytes(6), ...bytes(4));
    else headers.push(next, random(2), ...bytes(6));
    const last = headers.length;
    if (kind === 51 && headers[last - 11] === 2) headers.push(...bytes(4));
    if (kind !== 51 && kind !== 44 && headers[last - 7] === 1) headers.push(...bytes(8));
  }
  return { first: kinds[0]!, headers };
}

function ipv6(): number[] {
  const proto = pick([6, 6, 17, 17, 58, 58, 132, 89]);
  const l4 = transport(proto);
  const { first, headers } = random(3) === 0 ? extensions(proto) : { first: proto, headers: [] };
  const size = headers.length + l4.length;
  const head = [0x60 | random(16), random(256), random(256), random(256), size >> 8, size & 255, first, random(256), ...bytes(32)];
  finish(l4, CHECKSUM_AT[proto] ?? -1, proto, head.slice(8, 40));
  return [...head, ...headers, ...l4];
}

function mpls(): number[] {
  const out: number[] = [];
  const labels = 1 + random(4);
  for (let i = 1; i <= labels; i++) {
    const label = bytes(4);
    label[2] = (label[2]! & 0xfe) | (i === labels && random(8) > 0 ? 1 : 0);
    out.push(...label);
  }
  return [...out, ...bytes(random(40))];
}

/** RFC 8300: metadata of either type, mostly before a frame; sometimes of a version or size that is wrong. */
function nsh(): number[] {
  const isFixed = random(3) > 0;
  const context = isFixed ? (random(12) === 0 ? 12 : 16) : 4 * random(6);
  const words = (8 + context) / 4 + (random(16) === 0 ? 1 : 0);
  const next = random(4) > 0 ? 3 : random(7);
  const first = (random(24) === 0 ? 0x4000 : 0) | (random(4) << 12) | (random(64) << 6) | words;
  const head = [first >> 8, first & 255, isFixed ? 1 : random(12) === 0 ? 5 : 2, next, ...bytes(4), ...bytes(context)];
  return [...head, ...(next === 3 ? randomFrame() : bytes(random(60)))];
}

function payloadOf(type: number): number[] {
  if (type === 0x0806) return [0, 1, 8, 0, 6, 4, 0, pick([1, 2, 1, 2, 9]), ...bytes(20)];
  if (type === 0x0800) return ipv4();
  if (type === 0x86dd) return ipv6();
  if (type === 0x8847 || type === 0x8848) return mpls();
  if (type === 0x894f) return nsh();
  return bytes(random(60));
}

/** A frame as a network sees it. */
export function randomFrame(): Uint8Array {
  const type = pick([0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x86dd, 0x0806, 0x8847, 0x8848, 0x894f, 0x1234, 0x88cc]);
  const body = payloadOf(type);
  const tags: number[] = [];
  if (random(3) === 0) {
    if (random(3) === 0)
      tags.push(
        ...pick([
          [0x88, 0xa8],
          [0x81, 0],
        ]),
        ...bytes(2),
      );
    tags.push(0x81, 0, ...bytes(2));
    if (random(20) === 0) tags.push(0x81, 0, ...bytes(2));
  }
  const isSnap = random(16) === 0;
  const size = body.length + 8;
  const typed = isSnap
    ? [size >> 8, size & 255, 0xaa, 0xaa, 3, 0, 0, random(12) === 0 ? 1 : 0, type >> 8, type & 255]
    : [type >> 8, type & 255];
  let frame = Uint8Array.from([...bytes(12), ...tags, ...typed, ...body]);
  if (random(5) === 0) frame = frame.slice(0, Math.max(14, frame.length - random(frame.length)));
  if (random(10) === 0) frame[random(frame.length)] = random(256);
  if (random(3) === 0 || frame.length < 60) {
    const padded = new Uint8Array(Math.max(60, frame.length + random(8)));
    padded.set(frame);
    frame = padded;
  }
  return frame;
}
