// Captures of connections with messages of every kind, as `ofp-parse-pcap` reads them: both directions, cut into segments anywhere, some of
// them lost, doubled or out of order, with frames of others between.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteWriter } from '../../src/openflow/codec/bytes.ts';
import { anyMessage, asDifference, damagedMessage, formOf } from './messages.ts';
import { type Case, type Difference, runOurs, runReference } from './programs.ts';
import type { Dice } from './random.ts';

const SYN = 2;
const ACK = 16;
const FIN = 1;
const RST = 4;

interface End {
  address: number;
  port: number;
  next: number;
}

function frame(d: Dice, from: End, to: End, flags: number, data: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out.put(Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2));
  if (d.chance(1, 12)) out.u16(0x8100).u16(d.chance(1, 2) ? 5 : d.below(65536));
  const tcpWords = d.chance(1, 8) ? 8 : 5;
  const ipWords = d.chance(1, 10) ? 6 + d.below(10) : 5;
  out.u16(0x800);
  out.u8(0x40 | ipWords).u8(0);
  out.u16(ipWords * 4 + tcpWords * 4 + data.length);
  out.u16(1).u16(0x4000).u8(64).u8(6).u16(0).u32(from.address).u32(to.address);
  out.zeros((ipWords - 5) * 4);
  out.u16(from.port).u16(to.port).u32(from.next).u32(0);
  out.u8(tcpWords << 4).u8(flags);
  out
    .u16(1000)
    .u16(0)
    .u16(0)
    .zeros((tcpWords - 5) * 4);
  out.put(data);
  if (out.size < 60) out.zeros(60 - out.size);
  return out.result();
}

/** A capture in the classic format, `messages` of them about. */
export function anyCapture(d: Dice, messages: number): Uint8Array {
  const frames: Uint8Array[] = [];
  const ports = d.chance(4, 5) ? [6653, 6633] : [7000, 7001];
  const ends: [End, End] = [
    { address: 0x0a000001, port: d.pick(ports), next: d.chance(1, 6) ? 0xffffff00 : d.chance(1, 10) ? 0 : d.u32() },
    { address: 0x0a000002, port: 40_000 + d.below(3), next: d.u32() },
  ];
  const send = (side: 0 | 1, flags: number, data: Uint8Array): void => {
    const [from, to] = side === 0 ? ends : [ends[1], ends[0]];
    const made = frame(d, from, to, flags, data);
    frames.push(made);
    if (d.chance(1, 40)) frames.push(made);
    from.next = (from.next + data.length + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) >>> 0;
  };
  const empty = new Uint8Array(0);
  if (d.chance(3, 4)) {
    send(1, SYN, empty);
    send(0, SYN | ACK, empty);
  }
  for (let i = 0; i < messages; i++) {
    const side = d.below(2) as 0 | 1;
    const out = new ByteWriter();
    for (let n = 1 + d.below(3); n > 0; n--) out.put((d.chance(1, 4) ? damagedMessage(d) : anyMessage(d)).bytes);
    const bytes = out.result();
    for (let at = 0; at < bytes.length; ) {
      const size = d.chance(1, 3) ? 1 + d.below(40) : 1400;
      send(side, ACK, bytes.subarray(at, at + size));
      at += size;
    }
    if (d.chance(1, 20)) send((1 - side) as 0 | 1, ACK, empty);
    if (d.chance(1, 400)) frames.splice(-1);
    if (d.chance(1, 400) && frames.length > 2) frames.push(...frames.splice(-2, 1));
    if (d.chance(1, 60)) {
      send(side, d.pick([FIN | ACK, RST]), d.chance(1, 2) ? empty : anyMessage(d).bytes);
      if (d.chance(1, 2)) send(side, SYN, empty);
    }
  }
  const out = new ByteWriter();
  out.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65_535).u32(1);
  for (const [index, bytes] of frames.entries()) {
    out
      .u32(1_600_000_000 + index)
      .u32(d.below(1_000_000))
      .u32(bytes.length)
      .u32(bytes.length);
    out.put(bytes);
  }
  return out.result();
}

const bytesOf = (block: string): Buffer =>
  Buffer.from(
    [...block.matchAll(/^[0-9a-f]{8} {2}((?:[0-9a-f]{2}[ -]){1,16})/gm)].map(([, row = '']) => row.replace(/[ -]/g, '')).join(''),
    'hex',
  );

/** What the two say of `count` captures, message by message where they differ. */
export function compareCaptures(d: Dice, count: number, messages: number): { messages: number; differences: Difference[] } {
  const dir = mkdtempSync(join(tmpdir(), 'captures-'));
  try {
    const cases = Array.from({ length: count }, (_, i): Case => {
      const path = join(dir, String(i));
      writeFileSync(path, anyCapture(d, messages));
      const options = d.pick([[], ['-m'], ['-mm'], ['-mmm'], ['--timestamp']]);
      return { args: [...options, 'ofp-parse-pcap', path, ...d.pick([[], [], ['6653'], ['7000', '7001'], ['40001'], ['6633', '40000']])] };
    });
    const [references, ours] = [runReference(cases), runOurs(cases)];
    const differences: Difference[] = [];
    let seen = 0;
    for (const [i, one] of cases.entries()) {
      const [theirs, mine] = [references[i]!, ours[i]!].map(({ stdout }) => stdout.split(/\n(?=[\d:. ]*\d+\.\d+\.\d+\.\d+\.\d+ > )/));
      seen += theirs!.length;
      if (theirs!.length !== mine!.length || references[i]!.status !== ours[i]!.status) {
        differences.push({ case: one, reference: references[i]!, ours: ours[i]! });
        continue;
      }
      for (const [at, block] of theirs!.entries())
        if (block !== mine![at])
          differences.push(asDifference({ ...formOf(bytesOf(block)), verbosity: 2, reference: block, ours: mine![at] }));
    }
    return { messages: seen, differences };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
