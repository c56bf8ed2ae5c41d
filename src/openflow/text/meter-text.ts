// Meters as text. Facts: ovs-ofctl(8), "Meter Syntax", and the reference's output and messages.
import type { MeterBand, MeterCommand, MeterConfig, MeterFeatures, MeterMod, MeterStats } from '../meter.ts';
import { METER_FLAG, OFPM } from '../meter.ts';
import { formatDuration } from './flow-text.ts';
import { fault, numberOf, u32 } from './number-text.ts';

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['kbps', METER_FLAG.KBPS],
  ['pktps', METER_FLAG.PKTPS],
  ['burst', METER_FLAG.BURST],
  ['stats', METER_FLAG.STATS],
]);
const VIRTUAL: ReadonlyMap<string, number> = new Map([
  ['all', OFPM.ALL],
  ['controller', OFPM.CONTROLLER],
  ['slowpath', OFPM.SLOWPATH],
]);

/** A meter's number, the reserved ones by name. */
export function formatMeter(meter: number): string {
  for (const [name, number] of VIRTUAL) if (number === meter) return name;
  return meter > OFPM.MAX ? 'unknown' : String(meter);
}

/** Walks over `name=value` words: a name ends at `=`, a comma or a blank, a value at a comma or a blank. */
class Words {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #next(separators: RegExp): string | undefined {
    while (this.#at < this.#text.length && separators.test(this.#text.charAt(this.#at))) this.#at++;
    if (this.#at >= this.#text.length) return undefined;
    const start = this.#at;
    while (this.#at < this.#text.length && !separators.test(this.#text.charAt(this.#at))) this.#at++;
    const word = this.#text.slice(start, this.#at);
    this.#at++;
    return word;
  }

  name(): string | undefined {
    return this.#next(/[=, \t\r\n]/);
  }

  value(name: string): string {
    return this.#next(/[, \t\r\n]/) ?? fault(`field ${name} missing value`);
  }
}

/** Reads a meter; for deletions and requests only `meter=` may stand there. Throws ConfigError in the reference's words. */
export function parseMeter(text: string, command: MeterCommand | 'request'): MeterMod {
  const isChange = command === 'add' || command === 'modify';
  let head = text;
  let bandText: string | undefined;
  if (isChange) {
    const cut = text.indexOf('band');
    const equals = cut < 0 ? -1 : text.indexOf('=', cut);
    if (equals < 0) fault('must specify bands');
    head = text.slice(0, cut);
    bandText = text.slice(equals + 1);
  }
  const config: MeterConfig = { meter: 0, flags: 0, bands: [] };
  const words = new Words(head);
  for (let name = words.name(); name !== undefined; name = words.name()) {
    const flag = isChange ? FLAGS.get(name) : undefined;
    if (flag !== undefined) {
      config.flags |= flag;
      continue;
    }
    const value = words.value(name);
    if (name !== 'meter') fault(`unknown keyword ${name}`);
    config.meter = VIRTUAL.get(value) ?? numberOfMeter(value);
  }
  if (config.meter === 0) fault("must specify 'meter'");
  // Any flag will do.
  if (isChange && config.flags === 0) fault("meter must specify either 'kbps' or 'pktps'");
  if (bandText !== undefined) config.bands = parseBands(bandText, config.flags);
  return { kind: 'meterMod', command: command === 'request' ? 'delete' : command, config };
}

function numberOfMeter(text: string): number {
  const meter = u32(text);
  if (meter === 0 || meter > OFPM.MAX) fault('invalid value for meter');
  return meter;
}

function parseBands(text: string, flags: number): MeterBand[] {
  const bands: MeterBand[] = [];
  const words = new Words(text);
  for (let name = words.name(); name !== undefined; name = words.name()) {
    const value = words.value(name);
    if (name === 'type') {
      if (value !== 'drop' && value !== 'dscp_remark') fault(`field type unknown value ${value}`);
      bands.push({ kind: value as MeterBand['kind'], rate: 0, burstSize: 0, precLevel: 0 });
      continue;
    }
    const band = bands.at(-1) ?? fault("band must start with the 'type' keyword");
    if (name === 'rate') band.rate = u32(value);
    else if (name === 'burst_size') band.burstSize = u32(value);
    else if (name === 'prec_level') band.precLevel = numberOf(value, 8, name);
    else fault(`unknown keyword ${name}`);
  }
  if (bands.length === 0) fault('meter must have bands');
  for (const band of bands) {
    if (band.kind === 'dscp_remark' && band.precLevel === 0) fault("'dscp_remark' band must have 'prec_level'");
    if (band.kind !== 'dscp_remark' && band.precLevel !== 0) fault("Only 'dscp_remark' band may have 'prec_level'");
    if (band.rate === 0) fault("band must have 'rate'");
    if ((flags & METER_FLAG.BURST) !== 0) {
      if (band.burstSize === 0) fault("band must have 'burst_size' when 'burst' flag is set");
    } else if (band.burstSize !== 0) fault("band may have 'burst_size' only when 'burst' flag is set");
  }
  return bands;
}

function bandsText(config: MeterConfig): string {
  return config.bands
    .map((band) => {
      const burst = (config.flags & METER_FLAG.BURST) === 0 ? '' : ` burst_size=${band.burstSize}`;
      const prec = band.kind === 'dscp_remark' ? ` prec_level=${band.precLevel}` : '';
      return `\ntype=${band.kind} rate=${band.rate}${burst}${prec}`;
    })
    .join('');
}

/** A meter's configuration: a line, and one for each band. */
export function formatMeterConfig(config: MeterConfig): string {
  const known = [...FLAGS].filter(([, bit]) => (config.flags & bit) !== 0).map(([name]) => `${name} `);
  const rest = config.flags & ~15;
  const flags = known.join('') + (rest === 0 ? '' : `flags:0x${rest.toString(16)} `);
  return `meter=${formatMeter(config.meter)} ${flags}bands=${bandsText(config)}`;
}

const COMMAND_NAMES: Readonly<Record<MeterCommand, string>> = { add: 'ADD', modify: 'MOD', delete: 'DEL' };

/** A meter modification. */
export const formatMeterMod = (mod: MeterMod): string => `${COMMAND_NAMES[mod.command]} ${formatMeterConfig(mod.config)}`;

/** A meter's statistics: a line, and one for each band. */
export function formatMeterStats(stats: MeterStats): string {
  const { meter, flowCount, packetInCount, byteInCount, durationSec, durationNsec } = stats;
  const head = `meter:${formatMeter(meter)} flow_count:${flowCount} packet_in_count:${packetInCount} byte_in_count:${byteInCount} duration:${formatDuration(durationSec, durationNsec)} bands:\n`;
  return head + stats.bands.map((band, i) => `${i}: packet_count:${band.packetCount} byte_count:${band.byteCount}\n`).join('');
}

/** What meters a switch can do. */
export function formatMeterFeatures(features: MeterFeatures): string {
  const names = (bits: number, all: readonly (readonly [string, number])[]): string => {
    const known = all.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
    const rest = all.reduce((left, [, bit]) => left & ~bit, bits) >>> 0;
    if (rest !== 0) known.push(`0x${rest.toString(16)}`);
    return known.length === 0 ? '0' : known.join(' ');
  };
  const bands = names(features.bandTypes, [
    ['drop', 2],
    ['dscp_remark', 4],
  ]);
  return `max_meter:${features.maxMeters} max_bands:${features.maxBands} max_color:${features.maxColor}\nband_types: ${bands}\ncapabilities: ${names(features.capabilities, [...FLAGS])}\n`;
}
