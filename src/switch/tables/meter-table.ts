// The meters of a bridge, and the numbers that they have in their datapath, which bridges of one datapath share.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { numberOrder } from '../../base/hash-order.ts';
import type { Datapath } from '../../datapath/datapath.ts';
import { METER_FLAG, type MeterConfig, type MeterFeatures, type MeterMod, type MeterStats, OFPM } from '../../openflow/meter.ts';

/** Numbers of a datapath's meters: the lowest free one is given out. */
export class MeterNumbers {
  readonly #datapath: Datapath;
  readonly #used = new Set<number>();
  #lowest = 0;

  constructor(datapath: Datapath) {
    this.#datapath = datapath;
  }

  get datapath(): Datapath {
    return this.#datapath;
  }

  /** A number, or undefined when all are taken. */
  take(): number | undefined {
    while (this.#used.has(this.#lowest)) this.#lowest++;
    if (this.#lowest >= (this.#datapath.maxMeters ?? 0)) return undefined;
    this.#used.add(this.#lowest);
    return this.#lowest;
  }

  give(number: number): void {
    this.#used.delete(number);
    this.#lowest = Math.min(this.#lowest, number);
  }
}

interface Meter {
  config: MeterConfig;
  readonly number: number;
  readonly createdMs: number;
}

const isVirtual = (id: number): boolean => id === OFPM.CONTROLLER || id === OFPM.SLOWPATH;

export class MeterTable {
  readonly #clock: Clock;
  readonly #numbers: MeterNumbers;
  readonly #meters = new Map<number, Meter>();

  constructor(clock: Clock, numbers: MeterNumbers) {
    this.#clock = clock;
    this.#numbers = numbers;
  }

  has(id: number): boolean {
    return this.#meters.has(id);
  }

  /** What the datapath calls a meter. */
  numberOf(id: number): number | undefined {
    return this.#meters.get(id)?.number;
  }

  features(): MeterFeatures {
    const { maxMeters = 0, maxBands = 0 } = this.#numbers.datapath;
    const hasAny = maxMeters > 0;
    return { maxMeters, bandTypes: hasAny ? 1 << 1 : 0, capabilities: hasAny ? 0xf : 0, maxBands, maxColor: 0 };
  }

  /** Does what a meter mod says; gives the meters that are no more. Throws PeerError. */
  apply(mod: MeterMod): number[] {
    const { meter: id } = mod.config;
    const old = this.#meters.get(id);
    if (mod.command === 'delete') {
      const gone = id === OFPM.ALL ? [...this.#meters.keys()] : old === undefined ? [] : [id];
      for (const one of gone) this.#delete(one);
      return gone;
    }
    if (id === 0 || (id > OFPM.MAX && !isVirtual(id))) throw new PeerError('OFPMMFC_INVALID_METER', `no meter can be ${id}`);
    if (mod.command === 'add') {
      if (old !== undefined) throw new PeerError('OFPMMFC_METER_EXISTS', `meter ${id} exists`);
      this.#check(mod.config);
      const number = this.#numbers.take();
      if (number === undefined) throw new PeerError('OFPMMFC_OUT_OF_METERS', 'the datapath has no more meters');
      this.#meters.set(id, { config: completed(mod.config), number, createdMs: this.#clock.now() });
    } else {
      if (old === undefined) throw new PeerError('OFPMMFC_UNKNOWN_METER', `no meter ${id}`);
      this.#check(mod.config);
      old.config = completed(mod.config);
    }
    this.#install(id);
    return [];
  }

  /** What the datapath could not do, in the order in which the reference minds it. */
  #check({ flags, bands }: MeterConfig): void {
    const { maxBands, bandTypes, capabilities } = this.features();
    const unit = flags & (METER_FLAG.KBPS | METER_FLAG.PKTPS);
    if (unit !== METER_FLAG.KBPS && unit !== METER_FLAG.PKTPS) throw new PeerError('OFPMMFC_BAD_FLAGS', 'a meter counts bits or packets');
    if (bands.length === 0 || bands.length > maxBands) throw new PeerError('OFPMMFC_OUT_OF_BANDS', `${bands.length} bands`);
    if (bands.some(({ rate }) => rate === 0)) throw new PeerError('OFPMMFC_BAD_RATE', 'a band without a rate');
    if ((flags & ~capabilities) !== 0) throw new PeerError('OFPMMFC_BAD_FLAGS', `meter flags 0x${flags.toString(16)}`);
    for (const { kind } of bands) {
      // The datapath drops; to remark is not among what it offers.
      if ((bandTypes & (kind === 'drop' ? 2 : 4)) === 0) throw new PeerError('OFPMMFC_BAD_BAND', `band type ${kind}`);
    }
  }

  #install(id: number): void {
    const meter = this.#meters.get(id);
    if (meter === undefined) return;
    const { flags, bands } = meter.config;
    this.#numbers.datapath.meterSet?.(meter.number, {
      countsPackets: (flags & METER_FLAG.PKTPS) !== 0,
      bands: bands.map(({ rate, burstSize }) => ({ rate, burst: burstSize })),
    });
  }

  #delete(id: number): void {
    const meter = this.#meters.get(id);
    if (meter === undefined) return;
    this.#meters.delete(id);
    this.#numbers.datapath.meterDelete?.(meter.number);
    this.#numbers.give(meter.number);
  }

  #select(id: number): [number, Meter][] {
    if (id === OFPM.ALL) return numberOrder(this.#meters, ([number]) => number);
    const meter = this.#meters.get(id);
    if (meter === undefined) throw new PeerError('OFPMMFC_UNKNOWN_METER', `no meter ${id}`);
    return [[id, meter]];
  }

  configs(id: number): MeterConfig[] {
    return this.#select(id).map(([, { config }]) => config);
  }

  /** Statistics; `flowCount` tells how many flows name a meter. */
  stats(id: number, flowCount: (id: number) => number): MeterStats[] {
    const now = this.#clock.now();
    return this.#select(id).map(([meter, { number, createdMs, config }]) => {
      const counted = this.#numbers.datapath.meterStats?.(number);
      const age = Math.max(0, now - createdMs);
      return {
        meter,
        flowCount: flowCount(meter),
        packetInCount: counted?.packets ?? 0n,
        byteInCount: counted?.bytes ?? 0n,
        durationSec: Math.floor(age / 1000),
        durationNsec: Math.floor(age % 1000) * 1_000_000,
        bands: config.bands.map((_, i) => ({
          packetCount: counted?.bands[i]?.packets ?? 0n,
          byteCount: counted?.bands[i]?.bytes ?? 0n,
        })),
      };
    });
  }

  /** Takes all meters away, out of the datapath, too. */
  close(): void {
    for (const id of [...this.#meters.keys()]) this.#delete(id);
  }
}

/** Without a burst of its own a band may take a second's worth at once; one that it has counts whether or not the flags speak of it. */
function completed(config: MeterConfig): MeterConfig {
  return { ...config, bands: config.bands.map((band) => (band.burstSize === 0 ? { ...band, burstSize: band.rate } : band)) };
}
