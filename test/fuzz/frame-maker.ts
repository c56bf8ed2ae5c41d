// Frames at random: layers that follow one another as their types say, with lengths and checksums that are right, mostly; then some of them spoilt.
import { ByteWriter } from '../../src/openflow/codec/bytes.ts';
import { sumBytes } from '../../src/wire/checksum.ts';
import type { Dice } from '../compare/random.ts';

const HELPED = [
  'PORT 10,0,0,1,4,1\r\n',
  'EPRT |1|10.0.0.1|1025|\r\n',
  '227 Entering (10,0,0,2,8,7)\r\n',
  '229 x (|||2055|)\r\n',
  'USER a\r\n',
];
const PROTOCOLS = [1, 6, 6, 17, 17, 58, 132, 47, 2, 59];

/** Changes some bytes or bits, or the length. */
export function harm(d: Dice, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  switch (d.below(4)) {
    case 0:
      return bytes.slice(0, d.below(bytes.length + 1));
    case 1:
      bytes[d.below(bytes.length)]! ^= 1 << d.below(8);
      return bytes;
    case 2: {
      const at = d.below(bytes.length) & ~1;
      if (at + 2 <= bytes.length)
        new DataView(bytes.buffer, bytes.byteOffset).setUint16(at, d.pick([0, 1, 0xffff, bytes.length, d.below(256)]));
      return bytes;
    }
    default:
      for (let i = d.below(4); i > 0; i--) bytes[d.below(bytes.length)] = d.u32() & 0xff;
      return bytes;
  }
}

function payload(d: Dice): Uint8Array {
  if (d.chance(1, 4)) return Buffer.from(d.pick(HELPED));
  return d.bytes(d.pick([0, 0, 3, 8, 26, 90]));
}

const addTcp = (d: Dice, out: ByteWriter): void => {
  const options = d.chance(1, 3) ? d.pick(['01030307', '020405b401010402', '0103030e', '05ff0101']) : '';
  out.u16(d.pick([21, 80, d.below(65536)])).u16(d.pick([21, 80, d.below(65536)]));
  out.u32(d.u32()).u32(d.u32());
  out.u8(((20 + options.length / 2) / 4) << 4).u8(d.pick([2, 0x12, 0x10, 0x18, 0x11, 4, d.below(256)]));
  out.u16(1000).u16(0).u16(0).put(Buffer.from(options, 'hex')).put(payload(d));
};

function addTransport(d: Dice, out: ByteWriter, proto: number, depth: number): void {
  switch (proto) {
    case 6:
      addTcp(d, out);
      break;
    case 17: {
      const body = d.chance(1, 6) && depth < 2 ? Buffer.concat([d.bytes(8), anyFrame(d, depth + 1)]) : payload(d);
      out.u16(d.pick([69, 53, 4789, d.below(65536)])).u16(d.pick([69, 53, 4789, 6081]));
      out
        .u16(8 + body.length)
        .u16(d.chance(1, 2) ? 0 : d.u32() & 0xffff)
        .put(body);
      break;
    }
    case 132:
      out.u16(d.below(65536)).u16(d.below(65536)).u32(0).u32(d.u32()).put(payload(d));
      break;
    case 1:
      out
        .u8(d.pick([0, 8, 3, 11, 13]))
        .u8(d.below(4))
        .u16(0)
        .u32(d.u32());
      if (d.chance(1, 2)) addIpv4(d, out, depth + 1);
      else out.put(payload(d));
      break;
    case 58:
      out
        .u8(d.pick([128, 129, 135, 136, 1, 3]))
        .u8(0)
        .u16(0)
        .u32(d.u32());
      if (d.chance(1, 3)) addIpv6(d, out, depth + 1);
      else out.put(d.bytes(16)).put(Buffer.from(d.pick(['', '0101020304050607', '0201020304050607', '0100', '01ff']), 'hex'));
      break;
    case 47:
      out
        .u16(d.pick([0, 0x2000, 0xb000, 0x8000]))
        .u16(0x6558)
        .u32(d.u32());
      if (depth < 2) out.put(anyFrame(d, depth + 1));
      break;
    default:
      out.put(payload(d));
  }
}

function addIpv4(d: Dice, out: ByteWriter, depth: number): void {
  if (depth > 3) return;
  const proto = d.pick(PROTOCOLS);
  const words = d.chance(1, 6) ? 6 + d.below(10) : 5;
  const inner = new ByteWriter();
  addTransport(d, inner, proto, depth);
  const body = inner.result();
  const head = new ByteWriter();
  head.u8(0x40 | words).u8(d.below(256));
  head.u16(words * 4 + body.length);
  head.u16(d.below(4)).u16(d.chance(1, 5) ? d.pick([0x2000, 0x2001, 0x0001, 0x1fff, 3]) : d.pick([0, 0x4000]));
  head
    .u8(d.pick([0, 1, 64]))
    .u8(proto)
    .u16(0);
  head.u32(d.pick([0x0a000001, 0x0a000002, d.u32()])).u32(d.pick([0x0a000001, 0x0a000002, d.u32()]));
  head.zeros((words - 5) * 4);
  const bytes = head.result();
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(10, ~sumBytes(bytes, 0, bytes.length) & 0xffff);
  out.put(bytes).put(body);
}

function addIpv6(d: Dice, out: ByteWriter, depth: number): void {
  if (depth > 3) return;
  const chain = d.chance(1, 3) ? Array.from({ length: 1 + d.below(4) }, () => d.pick([0, 43, 44, 51, 60])) : [];
  const proto = d.pick(PROTOCOLS);
  const inner = new ByteWriter();
  for (let i = 0; i < chain.length; i++) {
    inner.u8(chain[i + 1] ?? proto);
    if (chain[i] === 44)
      inner
        .u8(0)
        .u16(d.pick([0, 1, 8, 9, 0xfff8]))
        .u32(d.below(4));
    else if (chain[i] === 51) inner.u8(d.pick([1, 4])).zeros(10);
    else inner.u8(d.pick([0, 0, 1])).zeros(6);
  }
  addTransport(d, inner, proto, depth);
  const body = inner.result();
  out.u32(0x60000000 | (d.u32() & 0xfffffff)).u16(body.length);
  out.u8(chain[0] ?? proto).u8(d.pick([0, 1, 64]));
  const address = (): Uint8Array => Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, d.below(3));
  out.put(address()).put(address()).put(body);
}

function addNsh(d: Dice, out: ByteWriter, depth: number): void {
  const kind = d.pick([1, 2, 2, 3]);
  const words = kind === 1 ? 6 : 2 + d.below(6);
  out
    .u16((d.below(64) << 6) | words)
    .u8(kind)
    .u8(d.pick([1, 2, 3, 4]));
  out.u32(d.u32()).put(d.bytes((words - 2) * 4));
  if (depth < 2) out.put(anyFrame(d, depth + 1));
}

/** What an Ethernet type announces. */
function addNetwork(d: Dice, out: ByteWriter, type: number, depth: number): void {
  if (type === 0x0800) addIpv4(d, out, depth);
  else if (type === 0x86dd) addIpv6(d, out, depth);
  else if (type === 0x0806 || type === 0x8035) out.u16(1).u16(0x800).u8(6).u8(4).u16(d.below(4)).put(d.bytes(20));
  else if (type === 0x8847 || type === 0x8848) {
    for (let n = d.below(4); n > 0; n--) out.u32((d.u32() & ~0x100) >>> 0);
    out.u32((d.u32() | 0x100) >>> 0);
    if (d.chance(1, 2)) addIpv4(d, out, depth);
  } else if (type === 0x894f) addNsh(d, out, depth);
  else out.put(payload(d));
}

const TYPES = [0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8035, 0x8847, 0x8848, 0x894f, 0x88cc, 0x8809, 0x0026];

/** A frame that makes sense. */
export function soundFrame(d: Dice, depth = 0): Uint8Array {
  const out = new ByteWriter();
  const mac = (): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, d.below(4));
  out.put(d.chance(1, 6) ? d.pick([Uint8Array.of(1, 0x80, 0xc2, 0, 0, d.below(16)), new Uint8Array(6).fill(0xff)]) : mac()).put(mac());
  for (let tags = d.chance(1, 3) ? 1 + d.below(3) : 0; tags > 0; tags--) out.u16(d.pick([0x8100, 0x88a8])).u16(d.u32() & 0xffff);
  const type = d.pick(TYPES);
  out.u16(type);
  addNetwork(d, out, type, depth);
  return out.result();
}

/** The same, half of them spoilt, some no more than bytes. */
export function anyFrame(d: Dice, depth = 0): Uint8Array {
  if (d.chance(1, 12)) return d.bytes(d.below(90));
  const frame = soundFrame(d, depth);
  return d.chance(1, 2) ? frame : harm(d, frame);
}
