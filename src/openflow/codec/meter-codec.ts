// Meter modifications, statistics, configurations and features: OpenFlow 1.3 and later, the same in all. OpenFlow 1.3.5 sections 7.3.4.4
// and 7.3.5.11 to 7.3.5.13.

import { PeerError } from '../../base/errors.ts';
import type { MeterBand, MeterCommand, MeterConfig, MeterFeatures, MeterMod, MeterStats } from '../meter.ts';
import { METER_FLAG } from '../meter.ts';
import { meterLog as log } from '../peer-logs.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

const COMMANDS: readonly MeterCommand[] = ['add', 'modify', 'delete'];
const BAND = { drop: 1, dscp_remark: 2 } as const;
const BAND_SIZE = 16;

/** Reads bands to the end. */
function decodeBands(from: ByteReader): MeterBand[] {
  const bands: MeterBand[] = [];
  while (from.left > 0) {
    if (from.left < BAND_SIZE) throw new PeerError('OFPBRC_BAD_LEN', 'meter band cut off');
    const type = from.u16();
    const length = from.u16();
    if (length !== BAND_SIZE) throw new PeerError('OFPBRC_BAD_LEN', `meter band of ${length} bytes`);
    if (type !== BAND.drop && type !== BAND.dscp_remark) throw new PeerError('OFPMMFC_BAD_BAND', `meter band type ${type}`);
    const rate = from.u32();
    const burstSize = from.u32();
    const precLevel = from.u8();
    from.skip(3);
    const kind = type === BAND.drop ? 'drop' : 'dscp_remark';
    bands.push({ kind, rate, burstSize, precLevel: kind === 'dscp_remark' ? precLevel : 0 });
  }
  return bands;
}

function encodeBands(out: ByteWriter, bands: readonly MeterBand[]): void {
  for (const { kind, rate, burstSize, precLevel } of bands) {
    out.u16(BAND[kind]).u16(BAND_SIZE).u32(rate).u32(burstSize);
    out.u8(kind === 'dscp_remark' ? precLevel : 0).zeros(3);
  }
}

/** Reads OFPT_METER_MOD's body. */
export function decodeMeterMod(from: ByteReader): MeterMod {
  const number = from.u16();
  const command = COMMANDS[number];
  if (command === undefined) throw new PeerError('OFPMMFC_BAD_COMMAND', `meter command ${number}`);
  const flags = from.u16();
  const meter = from.u32();
  if (command === 'delete') return { kind: 'meterMod', command, config: { meter, flags: 0, bands: [] } };
  const isBoth = (flags & METER_FLAG.KBPS) !== 0 && (flags & METER_FLAG.PKTPS) !== 0;
  if (isBoth) throw new PeerError('OFPMMFC_BAD_FLAGS', `meter flags 0x${flags.toString(16)}`);
  return { kind: 'meterMod', command, config: { meter, flags, bands: decodeBands(from) } };
}

/** Writes OFPT_METER_MOD's body. */
export function encodeMeterMod(out: ByteWriter, mod: MeterMod): void {
  out.u16(COMMANDS.indexOf(mod.command)).u16(mod.config.flags).u32(mod.config.meter);
  if (mod.command !== 'delete') encodeBands(out, mod.config.bands);
}

/** Reads meter configurations to the end. */
export function decodeMeterConfigs(from: ByteReader): MeterConfig[] {
  return readList(from, () => {
    const left = from.left;
    if (left < 8) throw leftover('OFPMP_METER_CONFIG', left);
    const length = from.u16();
    if (length < 8 || length > left) throw new PeerError('OFPBRC_BAD_LEN', `meter configuration of ${length} bytes`);
    const body = from.sub(length - 2);
    return { flags: body.u16(), meter: body.u32(), bands: decodeBands(body) };
  });
}

function leftover(what: string, left: number): PeerError {
  log.warn(`${what} reply has ${left} leftover bytes at end`);
  return new PeerError('OFPBRC_BAD_LEN', `${left} bytes left over`);
}

/** Writes one meter configuration. */
export function encodeMeterConfig(out: ByteWriter, config: MeterConfig): void {
  out
    .u16(8 + BAND_SIZE * config.bands.length)
    .u16(config.flags)
    .u32(config.meter);
  encodeBands(out, config.bands);
}

/** Reads meter statistics to the end. */
export function decodeMeterStats(from: ByteReader): MeterStats[] {
  return readList(from, () => {
    const left = from.left;
    if (left < 40) throw leftover('OFPMP_METER', left);
    const meter = from.u32();
    const length = from.u16();
    if (length < 40 || length > left || (length - 40) % 16 !== 0)
      throw new PeerError('OFPBRC_BAD_LEN', `meter statistics of ${length} bytes`);
    const body = from.sub(length - 6).skip(6);
    const flowCount = body.u32();
    const packetInCount = body.u64();
    const byteInCount = body.u64();
    const durationSec = body.u32();
    const durationNsec = body.u32();
    const bands: MeterStats['bands'] = [];
    while (body.left > 0) bands.push({ packetCount: body.u64(), byteCount: body.u64() });
    return { meter, flowCount, packetInCount, byteInCount, durationSec, durationNsec, bands };
  });
}

/** Writes the statistics of one meter. */
export function encodeMeterStats(out: ByteWriter, stats: MeterStats): void {
  out
    .u32(stats.meter)
    .u16(40 + 16 * stats.bands.length)
    .zeros(6)
    .u32(stats.flowCount);
  out.u64(stats.packetInCount).u64(stats.byteInCount).u32(stats.durationSec).u32(stats.durationNsec);
  for (const band of stats.bands) out.u64(band.packetCount).u64(band.byteCount);
}

/** Reads meter features. */
export function decodeMeterFeatures(from: ByteReader): MeterFeatures {
  return { maxMeters: from.u32(), bandTypes: from.u32(), capabilities: from.u32(), maxBands: from.u8(), maxColor: from.u8() };
}

/** Writes meter features. */
export function encodeMeterFeatures(out: ByteWriter, features: MeterFeatures): void {
  out.u32(features.maxMeters).u32(features.bandTypes).u32(features.capabilities).u8(features.maxBands).u8(features.maxColor).u16(0);
}
