// Ports on the wire: descriptions, status, modification, statistics. OpenFlow 1.0.0 section 5.2.1, OpenFlow 1.3.5 section 7.2.1,
// OpenFlow 1.4.1 section 7.2.1. Inside, bits are OpenFlow 1.1's; 1.0 has the feature bits from COPPER on four places lower.

import { PeerError } from '../../base/errors.ts';
import type { OfPort } from '../action.ts';
import type { Message, OfVersion, PortDesc, PortStats } from '../message.ts';
import { propertyLogs } from '../peer-logs.ts';
import { RFC2819_COUNTERS } from '../port-counters.ts';
import { portFromWire32, portToWire32 } from '../ports.ts';
import { readList } from './actions/partial.ts';
import { ByteReader, type ByteWriter } from './bytes.ts';
import { eachProperty, type Property, refuseProperty } from './properties.ts';

/** Who defines the further counters of ports, and their two properties. */
const INTEL = 0xaa01;
const RFC2819 = 1;
const MAX_NAME = 63;
/** Of the property with RFC 2819's counters. */
const RFC2819_SIZE = 16 + 8 * RFC2819_COUNTERS.length;
const CUSTOM = 2;

const UNKNOWN = 0xffffffffffffffffn;
const LOW = 0x7f;
const featuresFrom10 = (bits: number): number => (bits & LOW) | ((bits & 0xf80) << 4);
const featuresTo10 = (bits: number): number => (bits & LOW) | ((bits >> 4) & 0xf80);

/** Reads a port number in a version's width. */
export const decodePort = (from: ByteReader, version: OfVersion, code = 'OFPBAC_BAD_OUT_PORT'): OfPort =>
  version === 1 ? from.u16() : portFromWire32(from.u32(), code);

/** Writes a port number in a version's width. */
export function encodePort(out: ByteWriter, version: OfVersion, port: OfPort): void {
  if (version === 1) out.u16(port);
  else out.u32(portToWire32(port));
}

/** Bits per second of the fastest feature, in kbps. */
function fastest(features: number): number {
  const speeds = [10, 10, 100, 100, 1000, 1000, 10_000, 40_000, 100_000, 1_000_000];
  for (let bit = speeds.length - 1; bit >= 0; bit--) if ((features & (1 << bit)) !== 0) return (speeds[bit] ?? 0) * 1000;
  return 0;
}

/** Reads one port description. */
export function decodePortDesc(from: ByteReader, version: OfVersion): PortDesc {
  if (version === 1) {
    const port = from.u16();
    const mac = from.mac();
    const name = from.text(16);
    const config = from.u32() & 0x7f;
    const state = from.u32() & 0x301;
    const current = featuresFrom10(from.u32());
    const advertised = featuresFrom10(from.u32());
    const supported = featuresFrom10(from.u32());
    const peer = featuresFrom10(from.u32());
    const speeds = { currentSpeedKbps: fastest(current), maxSpeedKbps: fastest(supported) };
    return { port, mac, name, config, state, current, advertised, supported, peer, ...speeds };
  }
  const wirePort = from.u32();
  const length = version >= 5 ? from.u16() : 64;
  if (version >= 5 && (length < 40 || length - 6 > from.left)) throw new PeerError('OFPBRC_BAD_LEN', `port description of ${length} bytes`);
  const port = portFromWire32(wirePort, 'OFPBAC_BAD_OUT_PORT');
  from.skip(version >= 5 ? 2 : 4);
  const mac = from.mac();
  from.skip(2);
  const name = from.text(16);
  const desc: PortDesc = {
    port,
    mac,
    name,
    config: from.u32() & 0x65,
    state: from.u32() & 7,
    current: 0,
    advertised: 0,
    supported: 0,
    peer: 0,
    currentSpeedKbps: 0,
    maxSpeedKbps: 0,
  };
  if (version < 5) {
    decodeEthernet(from, desc);
    return desc;
  }
  for (const { number, body } of eachProperty(from.sub(length - 40))) {
    if (number !== 0) continue;
    if (body.left !== 28) throw new PeerError('OFPBPC_BAD_LEN', `Ethernet property of ${body.left} bytes`);
    decodeEthernet(body.skip(4), desc);
  }
  return desc;
}

function decodeEthernet(from: ByteReader, desc: PortDesc): void {
  desc.current = from.u32();
  desc.advertised = from.u32();
  desc.supported = from.u32();
  desc.peer = from.u32();
  desc.currentSpeedKbps = from.u32();
  desc.maxSpeedKbps = from.u32();
}

/** Writes one port description. */
export function encodePortDesc(out: ByteWriter, version: OfVersion, desc: PortDesc): void {
  if (version === 1) {
    // OpenFlow 1.0 knows a link that is down and the state of spanning tree; that a port lives is of 1.1.
    out
      .u16(desc.port)
      .mac(desc.mac)
      .text(desc.name, 16)
      .u32(desc.config)
      .u32(desc.state & 0x301);
    for (const bits of [desc.current, desc.advertised, desc.supported, desc.peer]) out.u32(featuresTo10(bits));
    return;
  }
  out.u32(portToWire32(desc.port));
  if (version >= 5) out.u16(72).u16(0);
  else out.u32(0);
  out.mac(desc.mac).u16(0).text(desc.name, 16);
  out.u32(desc.config & 0x65).u32(desc.state & 7);
  if (version >= 5) out.u16(0).u16(32).u32(0);
  out.u32(desc.current).u32(desc.advertised).u32(desc.supported).u32(desc.peer).u32(desc.currentSpeedKbps).u32(desc.maxSpeedKbps);
}

/** Reads a run of port descriptions to the end. */
export const decodePortDescs = (from: ByteReader, version: OfVersion): PortDesc[] => readList(from, () => decodePortDesc(from, version));

const REASONS = ['add', 'delete', 'modify'] as const;

export function decodePortStatus(from: ByteReader, version: OfVersion): Message {
  const reason = REASONS[from.u8()];
  if (reason === undefined) throw new PeerError('NXBRC_BAD_REASON', 'port status reason');
  from.skip(7);
  return { kind: 'portStatus', reason, desc: decodePortDesc(from, version) };
}

export function encodePortStatus(out: ByteWriter, version: OfVersion, message: Extract<Message, { kind: 'portStatus' }>): void {
  encodePortDesc(out.u8(REASONS.indexOf(message.reason)).zeros(7), version, message.desc);
}

/** Configuration bits that a port has in OpenFlow 1.0, and those left of them since 1.1. */
const ALL_CONFIG10 = 0x7f;
const ALL_CONFIG11 = 0x65;

type PortMod = Extract<Message, { kind: 'portMod' }>;

/** Reads OFPT_PORT_MOD; `isLoose` passes over properties that are not known. */
export function decodePortMod(from: ByteReader, version: OfVersion, isLoose = true): PortMod {
  const port = decodePort(from, version);
  if (version > 1) from.skip(4);
  const mac = from.mac();
  if (version > 1) from.skip(2);
  const known = version === 1 ? ALL_CONFIG10 : ALL_CONFIG11;
  const wanted = from.u32();
  const mask = from.u32() & known;
  const config = wanted & mask;
  let advertise = 0;
  if (version >= 5) {
    for (const property of eachProperty(from)) {
      if (property.number !== 0) {
        refuseProperty(propertyLogs.port, isLoose, 'port_mod', property);
        continue;
      }
      if (property.body.left !== 4) throw new PeerError('OFPBPC_BAD_LEN', `Ethernet property of ${property.body.left} bytes`);
      advertise = property.body.u32();
    }
  } else {
    advertise = version === 1 ? featuresFrom10(from.u32()) : from.u32();
  }
  return { kind: 'portMod', port, mac, config, mask, advertise };
}

export function encodePortMod(out: ByteWriter, version: OfVersion, message: PortMod): void {
  encodePort(out, version, message.port);
  if (version > 1) out.u32(0);
  out.mac(message.mac);
  if (version > 1) out.u16(0);
  const known = version === 1 ? ALL_CONFIG10 : ALL_CONFIG11;
  out.u32(message.config & known).u32(message.mask & known);
  if (version >= 5) {
    // Without the property a port goes on as it does.
    if (message.advertise !== 0) out.u16(0).u16(8).u32(message.advertise);
  } else out.u32(version === 1 ? featuresTo10(message.advertise) : message.advertise).u32(0);
}

/** Reads a run of port statistics to the end. */
export const decodePortStats = (from: ByteReader, version: OfVersion): PortStats[] =>
  readList(from, () => (version >= 5 ? decodePortStats14(from) : decodePortStats10(from, version)));

function decodePortStats10(from: ByteReader, version: OfVersion): PortStats {
  const port = decodePort(from, version);
  from.skip(version === 1 ? 6 : 4);
  return {
    port,
    rxPackets: from.u64(),
    txPackets: from.u64(),
    rxBytes: from.u64(),
    txBytes: from.u64(),
    rxDropped: from.u64(),
    txDropped: from.u64(),
    rxErrors: from.u64(),
    txErrors: from.u64(),
    rxFrameErr: from.u64(),
    rxOverErr: from.u64(),
    rxCrcErr: from.u64(),
    collisions: from.u64(),
    durationSec: version >= 4 ? from.u32() : 0xffffffff,
    durationNsec: version >= 4 ? from.u32() : 0xffffffff,
  };
}

function decodePortStats14(from: ByteReader): PortStats {
  const length = from.u16();
  if (length < 80) throw new PeerError('OFPBRC_BAD_LEN', `port statistics of ${length} bytes`);
  const body = from.sub(length - 2);
  body.skip(2);
  const port = portFromWire32(body.u32(), 'OFPBAC_BAD_OUT_PORT');
  const durationSec = body.u32();
  const durationNsec = body.u32();
  const stats: PortStats = {
    port,
    rxPackets: body.u64(),
    txPackets: body.u64(),
    rxBytes: body.u64(),
    txBytes: body.u64(),
    rxDropped: body.u64(),
    txDropped: body.u64(),
    rxErrors: body.u64(),
    txErrors: body.u64(),
    rxFrameErr: UNKNOWN,
    rxOverErr: UNKNOWN,
    rxCrcErr: UNKNOWN,
    collisions: UNKNOWN,
    durationSec,
    durationNsec,
  };
  for (const property of eachProperty(body)) {
    if (property.experimenter === INTEL) decodeIntel(property, stats);
    if (property.number !== 0) continue;
    const counters = property.body;
    if (counters.left !== 36) throw new PeerError('OFPBPC_BAD_LEN', `Ethernet property of ${counters.left} bytes`);
    counters.skip(4);
    stats.rxFrameErr = counters.u64();
    stats.rxOverErr = counters.u64();
    stats.rxCrcErr = counters.u64();
    stats.collisions = counters.u64();
  }
  return stats;
}

/** Reads the counters of RFC 2819 or those of the port's own. */
function decodeIntel({ experimenterType, body }: Property, stats: PortStats): void {
  if (experimenterType === RFC2819) {
    if (body.left < 4 + 8 * RFC2819_COUNTERS.length) throw new PeerError('OFPBPC_BAD_LEN', `counters of ${body.left} bytes`);
    body.skip(4);
    stats.rfc2819 = RFC2819_COUNTERS.map(() => body.u64());
  } else if (experimenterType === CUSTOM) {
    const count = body.skip(2).u16();
    // A second list is not read and takes the first away, as in the reference.
    const isSecond = stats.custom !== undefined;
    stats.custom = isSecond ? [] : Array.from({ length: count }, () => ({ name: decodeName(body), value: body.u64() }));
  }
}

/** A counter's name, of which the reference keeps 63 bytes. */
function decodeName(body: ByteReader): string {
  const size = body.u8();
  const name = new ByteReader(body.take(size), 'OFPBPC_BAD_LEN');
  return name.text(Math.min(size, MAX_NAME));
}

/** Writes one port's statistics. */
export function encodePortStats(out: ByteWriter, version: OfVersion, s: PortStats): void {
  const { custom = [] } = s;
  const names = version >= 5 ? custom.map(({ name }) => new TextEncoder().encode(name)) : [];
  const customSize = names.length === 0 ? 0 : names.reduce((size, name) => size + 9 + name.length, 16);
  const customPad = -customSize & 7;
  if (version >= 5) {
    out.u16(120 + RFC2819_SIZE + customSize + customPad).u16(0);
    out.u32(portToWire32(s.port)).u32(s.durationSec).u32(s.durationNsec);
  } else {
    encodePort(out, version, s.port);
    out.zeros(version === 1 ? 6 : 4);
  }
  out.u64(s.rxPackets).u64(s.txPackets).u64(s.rxBytes).u64(s.txBytes);
  out.u64(s.rxDropped).u64(s.txDropped).u64(s.rxErrors).u64(s.txErrors);
  if (version >= 5) out.u16(0).u16(40).u32(0);
  out.u64(s.rxFrameErr).u64(s.rxOverErr).u64(s.rxCrcErr).u64(s.collisions);
  if (version === 4) out.u32(s.durationSec).u32(s.durationNsec);
  if (version < 5) return;
  // As the reference has them: told also by ports that do not count them.
  out.u16(0xffff).u16(RFC2819_SIZE).u32(INTEL).u32(RFC2819).u32(0);
  for (let i = 0; i < RFC2819_COUNTERS.length; i++) out.u64(s.rfc2819?.[i] ?? UNKNOWN);
  if (customSize === 0) return;
  out.u16(0xffff).u16(customSize).u32(INTEL).u32(CUSTOM).zeros(2).u16(custom.length);
  for (const [i, { value }] of custom.entries()) out.u8(names[i]!.length).put(names[i]!).u64(value);
  out.zeros(customPad);
}
